import { readFile } from 'node:fs/promises'
import { Compile } from 'typebox/compile'
import { Agent, type Dispatcher, request } from 'undici'
import { AlertReply } from '../contract/alert.ts'
import type { DestinationSettings } from '../contract/config.ts'
import type { Destination, Reply } from './destination.ts'

/** Alerts by HTTPS: `POST <url>` with a batch, a bearer token, and only the named authority trusted. */

export const httpLimits = {
  connectMs: 10_000,
  answerMs: 30_000,
  replyBytes: 1 << 20,
  longestRetryAfterMs: 3_600_000,
} as const

const replyCheck = Compile(AlertReply)

/** `now` (Unix ms) is asked only for a `Retry-After` that is a date. */
export function createHttpsDestination(
  settings: DestinationSettings,
  now: () => number,
): Destination & AsyncDisposable {
  let agent: Agent | undefined
  const connected = async (): Promise<Agent> => (agent ??= await createAgent(settings))
  return {
    name: settings.name,
    async send(envelopes) {
      try {
        const token = (await readFile(settings.tokenFile, 'utf8')).trim()
        return await post(settings.url, token, envelopes, await connected(), now)
      } catch (error) {
        return { kind: 'later', reason: reasonOf(error) }
      }
    },
    async [Symbol.asyncDispose]() {
      await agent?.destroy()
    },
  }
}

async function createAgent(settings: DestinationSettings): Promise<Agent> {
  const ca = settings.caFile === undefined ? undefined : await readFile(settings.caFile, 'utf8')
  return new Agent({
    connect: { timeout: httpLimits.connectMs, ...(ca !== undefined && { ca }) },
    headersTimeout: httpLimits.answerMs,
    bodyTimeout: httpLimits.answerMs,
    maxResponseSize: httpLimits.replyBytes,
    connections: 1,
  })
}

async function post(
  url: string,
  token: string,
  envelopes: readonly string[],
  dispatcher: Agent,
  now: () => number,
): Promise<Reply> {
  const response = await request(url, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: `{"alerts":[${envelopes.join(',')}]}`,
  })
  return understand(response, await response.body.text(), now)
}

function understand({ statusCode, headers }: Dispatcher.ResponseData, body: string, now: () => number): Reply {
  if (statusCode === 200 || statusCode === 201) return readReceipts(body)
  const reason = `${statusCode}${explanation(body)}`
  if (statusCode === 400 || statusCode === 413 || statusCode === 422) return { kind: 'refused', reason }
  if (statusCode === 401 || statusCode === 403) return { kind: 'unauthorised', reason }
  return { kind: 'later', reason, ...retryAfter(headers['retry-after'], now) }
}

function readReceipts(body: string): Reply {
  const reply = parse(body)
  if (replyCheck.Check(reply)) return { kind: 'receipts', receipts: reply.receipts }
  return { kind: 'later', reason: 'answered without receipts; check that the URL is that of a Nightjar central' }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function explanation(body: string): string {
  const reply = parse(body)
  const said = typeof reply === 'object' && reply !== null && 'message' in reply ? String(reply.message) : ''
  return said && ` ${said.slice(0, 200)}`
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfter(header: string | string[] | undefined, now: () => number): { retryAfterMs?: number } {
  if (typeof header !== 'string') return {}
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now()
  if (!(wait > 0)) return {}
  return { retryAfterMs: Math.min(wait, httpLimits.longestRetryAfterMs) }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
