import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiError } from '../contract/api.ts'

/** An answer other than success: thrown in a handler, sent as an ApiError with this status. */
export class Refusal extends NightjarError {
  readonly status: number
  /** Seconds after which asking again makes sense. */
  readonly retryAfterSeconds: number | undefined
  constructor(status: number, code: string, message: string, retryAfterSeconds?: number) {
    super(code, message)
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export const notFound = (what: string): Refusal => new Refusal(404, 'request/unknown', `there is no ${what}`)

export const tooMany = (waitMs: number): Refusal => {
  const seconds = Math.ceil(waitMs / 1000)
  return new Refusal(429, 'request/tooMany', `too many tries; wait ${seconds} s and try again`, seconds)
}

const statusOfCode: Record<string, number> = { 'store/full': 507, 'login/busy': 503 }

/** Turns whatever was thrown into an ApiError. What we did not expect is logged and told to nobody. */
export function sendError(error: FastifyError | NightjarError, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof Refusal && error.retryAfterSeconds) void reply.header('retry-after', error.retryAfterSeconds)
  const { status, body } = describe(error)
  if (status >= 500) request.log.error({ err: error, url: request.url }, 'request failed')
  void reply.status(status).type('application/json').send(body)
}

function describe(error: FastifyError | NightjarError): { readonly status: number; readonly body: ApiError } {
  if (error instanceof Refusal) return { status: error.status, body: { code: error.code, message: error.message } }
  if (error instanceof NightjarError && statusOfCode[error.code]) {
    return { status: statusOfCode[error.code]!, body: { code: error.code, message: error.message } }
  }
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500
  if ('validation' in error && error.validation) {
    return { status: 400, body: { code: 'request/invalid', message: error.message } }
  }
  if (status === 413) return { status, body: { code: 'request/tooLarge', message: 'the request is larger than 1 MiB' } }
  if (status >= 400 && status < 500) return { status, body: { code: 'request/invalid', message: error.message } }
  return { status: 500, body: { code: 'server/failed', message: 'that did not work; the log says why' } }
}
