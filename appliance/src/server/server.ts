import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import websocket from '@fastify/websocket'
import fastify, { type FastifyBaseLogger } from 'fastify'
import { type GuardedRoute, installGuard } from './auth/guard.ts'
import { ownHosts } from './auth/hosts.ts'
import { createRateLimit } from './auth/rateLimit.ts'
import { Sessions } from './auth/sessions.ts'
import type { Daemon } from './daemon.ts'
import { addLiveRoute } from './live/live.ts'
import { addPanelRoute } from './panel.ts'
import { openPreviews } from './preview/previews.ts'
import { notFound, sendError } from './refusal.ts'
import { addAccountRoutes } from './routes/account.ts'
import type { Api, RouteContext } from './routes/context.ts'
import { addDetectionRoutes } from './routes/detections.ts'
import { addFrameRoutes } from './routes/frames.ts'
import { addLiveStackRoutes } from './routes/liveStack.ts'
import { addNightRoutes } from './routes/night.ts'
import { addObservatoryRoutes } from './routes/observatory.ts'
import { addUploadRoute } from './routes/uploads.ts'
import { cutSlowBodies } from './slowBodies.ts'

/**
 * The server: the daemon's face to people. HTTP by the contract, a live socket, pictures of frames, the panel's files.
 * `auth/guard.ts` stands in front of every route; routes are thin and ask the daemon and the store; nothing here decides
 * anything about the night.
 */
export interface ServerOptions {
  /** 127.0.0.1 unless the user opens the panel to the network. */
  readonly host?: string
  /** 0 lets the system choose. */
  readonly port?: number
  /** The built panel: `web/dist`. */
  readonly webFolder: string
  /** From `createSetupCode`, printed by the launcher. Needed only while there is no account. */
  readonly setupCode?: string
  /** PEM. With it the panel is https and its cookie `__Host-`. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** More names that this machine is called by. */
  readonly hosts?: readonly string[]
  readonly logger?: FastifyBaseLogger
}

export interface RunningServer extends AsyncDisposable {
  /** Where people go: `http://127.0.0.1:4173`. */
  readonly url: string
}

const bodyLimitBytes = 1 << 20
const socketPayloadLimitBytes = 64 * 1024
/** Of a request and its body; a file that is brought may take longer. */
const bodyTimeoutMs = 10_000
const uploadTimeoutMs = 600_000
const connectionLimit = 2000
/** Per address and minute: far above what a panel with a page of pictures asks. */
const requestsPerMinute = 3000

/** Builds the server without listening; tests inject into it. */
export async function buildApp(
  daemon: Daemon,
  options: ServerOptions,
): Promise<Api & { readonly guarded: readonly GuardedRoute[] }> {
  const secure = options.tls !== undefined
  const app = createFastify(options)
  const context: RouteContext = {
    daemon,
    sessions: new Sessions(daemon.store, daemon.clock),
    previews: openPreviews(daemon.store.folder, daemon.clock),
    cookieName: secure ? '__Host-nightjar' : 'nightjar',
    secure,
    setupCode: options.setupCode,
  }
  app.setErrorHandler(sendError)
  app.server.maxConnections = connectionLimit
  cutSlowBodies(app, daemon.clock, bodyTimeoutMs)
  await app.register(cookie)
  await app.register(helmet, { contentSecurityPolicy: { useDefaults: false, directives: policy }, hsts: false })
  await app.register(swagger, { openapi: { info: { title: 'Nightjar', version: daemon.version } } })
  await app.register(websocket, { options: { maxPayload: socketPayloadLimitBytes } })
  const guarded = installGuard(app, {
    sessions: context.sessions,
    limit: createRateLimit(daemon.clock, requestsPerMinute, 60_000),
    cookieName: context.cookieName,
    isOwnHost: ownHosts([options.host ?? '', ...(options.hosts ?? [])]),
  })
  app.setNotFoundHandler({}, async () => {
    throw notFound('such page')
  })
  addRoutes(app, context, options.webFolder)
  app.addHook('onClose', async () => context.previews[Symbol.asyncDispose]())
  return Object.assign(app, { guarded })
}

/** Serves until disposed. Throws when the address is taken. */
export async function startServer(daemon: Daemon, options: ServerOptions): Promise<RunningServer> {
  const app = await buildApp(daemon, options)
  const host = options.host ?? '127.0.0.1'
  try {
    await app.listen({ host, port: options.port ?? 0 })
  } catch (error) {
    await app.close()
    throw error
  }
  const { port } = app.server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `${options.tls ? 'https' : 'http'}://${name}:${port}`,
    [Symbol.asyncDispose]: () => app.close(),
  }
}

function createFastify(options: ServerOptions): Api {
  const limits = {
    bodyLimit: bodyLimitBytes,
    requestTimeout: uploadTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 128 },
    ...(options.logger && { loggerInstance: options.logger }),
  }
  const http = { headersTimeout: 5_000, connectionsCheckingInterval: 1_000 }
  const app = options.tls
    ? (fastify({ ...limits, https: { ...http, ...options.tls } }) as unknown as Api)
    : (fastify({ ...limits, http }) as unknown as Api)
  return app.withTypeProvider<TypeBoxTypeProvider>()
}

function addRoutes(app: Api, context: RouteContext, webFolder: string): void {
  addAccountRoutes(app, context)
  addNightRoutes(app, context)
  addObservatoryRoutes(app, context)
  addFrameRoutes(app, context)
  addUploadRoute(app, context)
  addLiveStackRoutes(app, context)
  addDetectionRoutes(app, context)
  addLiveRoute(app, context)
  app.get('/api/openapi.json', { config: { access: 'viewer' }, schema: { hide: true } }, async () => app.swagger())
  addPanelRoute(app, webFolder)
}

/** Scripts, styles and connections from here alone; pictures also from memory (the viewer's). */
const policy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'blob:'],
  connectSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
}
