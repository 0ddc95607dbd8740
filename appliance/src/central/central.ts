import { createHash, timingSafeEqual } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Compile } from 'typebox/compile'
import { AlertBatch, type AlertReply, type CentralObjects } from '../contract/alert.ts'
import { openPostgresStorage } from './postgresStorage.ts'
import { openSqliteStorage } from './sqliteStorage.ts'
import type { AlertStorage } from './storage.ts'

/**
 * The central catalogue: a program of its own that receives alerts from many appliances over HTTPS and keeps them in
 * PostgreSQL with q3c, or in SQLite. Sending an alert again changes nothing, the highest revision wins, and a receipt is
 * given only after the commit.
 */

export const centralLimits = {
  bodyBytes: 1 << 20,
  requestMs: 10_000,
  headersMs: 5_000,
  connections: 2_000,
  coneRadiusDeg: 10,
  objects: 1_000,
} as const

export interface CentralOptions {
  /** Holds the SQLite file when there is no `database`. */
  readonly folder: string
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** PEM. */
  readonly tls: { readonly key: string; readonly cert: string }
  readonly token: string
  /** `postgres://…`; SQLite when absent. */
  readonly database?: string
  readonly clock?: Clock
}

export interface Central extends AsyncDisposable {
  readonly url: string
  readonly storage: AlertStorage
}

/** Listens when it resolves. Throws `central/unavailable` when the database does not answer. */
export async function startCentral(options: CentralOptions): Promise<Central> {
  const { database, folder } = options
  const storage = database === undefined ? openSqliteStorage(folder) : await openPostgresStorage(database)
  const app = createApp(storage, options)
  try {
    await app.listen({ host: options.host, port: options.port })
  } catch (error) {
    await storage[Symbol.asyncDispose]()
    throw new NightjarError('central/listen', `cannot listen on ${options.host}:${options.port}: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return {
    url: urlOf(app, options.host),
    storage,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections()
      await app.close()
      await storage[Symbol.asyncDispose]()
    },
  }
}

function createApp(storage: AlertStorage, options: CentralOptions): FastifyInstance {
  const app = fastify({
    https: { ...options.tls, minVersion: 'TLSv1.2', maxHeaderSize: 16_384 },
    bodyLimit: centralLimits.bodyBytes,
    requestTimeout: centralLimits.requestMs,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance
  app.server.headersTimeout = centralLimits.headersMs
  app.server.maxConnections = centralLimits.connections
  app.setErrorHandler(answerError)
  app.setNotFoundHandler((_, reply) => refuse(reply, 404, 'central/unknown', 'there is nothing at this address'))
  addRoutes(app, storage, bearerCheck(options.token), options.clock ?? systemClock)
  return app
}

type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

function addRoutes(app: FastifyInstance, storage: AlertStorage, onRequest: Guard, clock: Clock): void {
  app.get('/v1/health', async () => ({ ok: true, storage: storage.kind, ...(await storage.counts()) }))
  app.post('/v1/alerts', { onRequest }, async (request): Promise<AlertReply> => {
    const { alerts } = checkBatch(request.body)
    return { receipts: await storage.ingest(alerts, clock.now()) }
  })
  app.get<{ Params: { eventId: string } }>('/v1/alerts/:eventId', { onRequest }, async (request, reply) => {
    const alert = await storage.alert(request.params.eventId)
    return alert ?? refuse(reply, 404, 'central/unknown', 'there is no such event')
  })
  app.get('/v1/objects', { onRequest }, async (request): Promise<CentralObjects> => {
    const { raDeg, decDeg, radiusDeg } = coneOf(request.query as Record<string, unknown>)
    return { objects: await storage.objectsNear(raDeg, decDeg, radiusDeg, centralLimits.objects) }
  })
}

/** Compares digests, so that the time taken tells nothing of the token. */
function bearerCheck(token: string): Guard {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const expected = digest(`Bearer ${token}`)
  return async (request, reply) => {
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return undefined
    return refuse(reply, 401, 'central/token', 'the bearer token is missing or wrong')
  }
}

const batch = Compile(AlertBatch)

function checkBatch(body: unknown): AlertBatch {
  if (batch.Check(body)) return body
  const error = batch.Errors(body)[0]
  const field = error?.instancePath.slice(1).replaceAll('/', '.') || 'the body'
  throw new NightjarError('central/alert', `${field} ${error?.message ?? 'has the wrong shape'}`)
}

function coneOf(query: Record<string, unknown>): { raDeg: number; decDeg: number; radiusDeg: number } {
  const within = (key: string, from: number, to: number): number => {
    const text = query[key]
    const value = typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
    if (value >= from && value <= to) return value
    throw new NightjarError('central/cone', `${key} must be a number from ${from} to ${to} degrees`)
  }
  return {
    raDeg: within('ra', 0, 360) % 360,
    decDeg: within('dec', -90, 90),
    radiusDeg: within('radius', 0, centralLimits.coneRadiusDeg),
  }
}

/** Statuses by code; what fastify itself refuses (too large, not JSON) keeps its own. */
const statuses: Readonly<Record<string, number>> = {
  'central/alert': 422,
  'central/cone': 400,
  'central/unavailable': 503,
  'store/full': 503,
}

function answerError(error: unknown, _: FastifyRequest, reply: FastifyReply): unknown {
  if (error instanceof NightjarError) {
    const status = statuses[error.code] ?? 500
    if (status === 503) void reply.header('retry-after', '5')
    return refuse(reply, status, error.code, error.message)
  }
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status < 500) return refuse(reply, status, 'central/request', messageOf(error))
  return refuse(reply, 500, 'central/defect', 'this request failed here; the log says why')
}

function refuse(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.status(status).send({ code, message })
}

function urlOf(app: FastifyInstance, host: string): string {
  const { port } = app.server.address() as AddressInfo
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
