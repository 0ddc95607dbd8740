import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Sessions } from '../auth/sessions.ts'
import type { Daemon } from '../daemon.ts'
import type { Previews } from '../preview/previews.ts'

/** A fastify whose handlers are typed by the contract's schemas. */
export type Api = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>

/** What the routes share. */
export interface RouteContext {
  readonly daemon: Daemon
  readonly sessions: Sessions
  readonly previews: Previews
  readonly cookieName: string
  /** The session cookie travels over TLS alone. */
  readonly secure: boolean
  /** Wanted once, while there is no account yet. */
  readonly setupCode: string | undefined
}
