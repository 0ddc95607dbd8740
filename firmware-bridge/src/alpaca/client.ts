import type { Clock } from '../clock.ts'
import { type AlpacaFailure, type AlpacaReply, alpacaFailure, parseReply } from './reply.ts'
import type { AlpacaRequest, AlpacaResponse, AlpacaTransport } from './transport.ts'

export type AlpacaKind =
  | 'camera'
  | 'covercalibrator'
  | 'dome'
  | 'filterwheel'
  | 'focuser'
  | 'observingconditions'
  | 'rotator'
  | 'safetymonitor'
  | 'switch'
  | 'telescope'

export type AlpacaValues = Readonly<Record<string, string | number | boolean>>

/** One device of an Alpaca server. */
export interface AlpacaClient {
  readonly name: string
  /** Reads a property. Asked again when the network fails, never when the device refuses. */
  get(member: string, parameters?: AlpacaValues, timeoutMs?: number): Promise<AlpacaReply | AlpacaFailure>
  /** Commands. Never repeated: a slew that was heard and not answered must not be sent twice. */
  put(member: string, parameters: AlpacaValues, timeoutMs?: number): Promise<AlpacaReply | AlpacaFailure>
  /** Reads a property that may come as bytes of `accept`. */
  getBytes(
    member: string,
    accept: string,
    timeoutMs: number,
  ): Promise<(AlpacaResponse & { readonly ok: true; readonly transactionId: number }) | AlpacaFailure>
}

export interface AlpacaClientOptions {
  readonly clock: Clock
  readonly transport: AlpacaTransport
  readonly kind: AlpacaKind
  readonly deviceNumber: number
  /** Tells clients apart in the server's log; 1 to 2³² − 1. */
  readonly clientId?: number
  /** Ends every request when it is aborted. */
  readonly signal?: AbortSignal
}

const requestMs = 5_000
const mostTries = 3
const retryMs = 200
const mostTransactionId = 2 ** 32 - 1
const json = 'application/json'

/** Boolean values are written `True` and `False`. */
const write = (value: string | number | boolean): string =>
  typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value)

export function createAlpacaClient(options: AlpacaClientOptions): AlpacaClient {
  const { clock, transport, kind, deviceNumber, clientId = 1, signal: life } = options
  let transactionId = 0

  /** Resolves with a failure when the network fails or time is over. */
  async function carry(request: AlpacaRequest, timeoutMs: number): Promise<AlpacaResponse | AlpacaFailure> {
    const over = new AbortController()
    if (life?.aborted) return alpacaFailure('given up')
    const either = life ? AbortSignal.any([over.signal, life]) : over.signal
    const late = clock.sleep(timeoutMs, either).then(
      () => {
        over.abort(new Error('late'))
        return alpacaFailure(`it did not answer within ${timeoutMs / 1000} s`)
      },
      () => alpacaFailure('given up'),
    )
    const carried = transport(request, either).catch((error: unknown) =>
      either.aborted ? late : alpacaFailure(error instanceof Error ? error.message : String(error)),
    )
    try {
      return await Promise.race([carried, late])
    } finally {
      over.abort(new Error('over'))
    }
  }

  function request(
    method: 'GET' | 'PUT',
    member: string,
    values: AlpacaValues,
    accept: string,
  ): AlpacaRequest & { readonly transactionId: number } {
    transactionId = transactionId >= mostTransactionId ? 1 : transactionId + 1
    const parameters: Record<string, string> = {}
    for (const [name, value] of Object.entries(values)) parameters[name] = write(value)
    parameters['ClientID'] = String(clientId)
    parameters['ClientTransactionID'] = String(transactionId)
    return { method, path: `/api/v1/${kind}/${deviceNumber}/${member}`, parameters, accept, transactionId }
  }

  async function repeat(
    member: string,
    values: AlpacaValues,
    accept: string,
    timeoutMs: number,
  ): Promise<(AlpacaResponse & { readonly ok: true; readonly transactionId: number }) | AlpacaFailure> {
    for (let tries = 1; ; tries++) {
      const asked = request('GET', member, values, accept)
      const response = await carry(asked, timeoutMs)
      if (!('ok' in response)) return { ok: true, transactionId: asked.transactionId, ...response }
      if (tries >= mostTries || life?.aborted) return response
      await clock.sleep(retryMs * tries)
    }
  }

  function read(response: AlpacaResponse, asked: number): AlpacaReply | AlpacaFailure {
    const text = Buffer.from(response.bytes).toString('utf8')
    if (response.status === 200) return parseReply(text, asked)
    const said = text.trim().slice(0, 200)
    return alpacaFailure(`it refused the request with HTTP ${response.status}${said === '' ? '' : `: ${said}`}`)
  }

  return {
    name: `Alpaca ${kind} ${deviceNumber}`,
    async get(member, parameters = {}, timeoutMs = requestMs) {
      const response = await repeat(member, parameters, json, timeoutMs)
      return response.ok ? read(response, response.transactionId) : response
    },
    async put(member, parameters, timeoutMs = requestMs) {
      const asked = request('PUT', member, parameters, json)
      const response = await carry(asked, timeoutMs)
      return 'ok' in response ? response : read(response, asked.transactionId)
    },
    getBytes: (member, accept, timeoutMs) => repeat(member, {}, accept, timeoutMs),
  }
}
