import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Role } from '../../contract/records.ts'
import { roleCovers } from '../../contract/roles.ts'
import { Refusal, tooMany } from '../refusal.ts'
import type { RateLimit } from './rateLimit.ts'
import { type Person, type Sessions, sameSecret } from './sessions.ts'

/** Who may call a route: anyone, or somebody logged in with at least this role. Every route must say. */
export type Access = 'anyone' | Role

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  interface FastifyRequest {
    /** Set by the guard on every route but those for anyone. */
    person: Person | undefined
  }
}

/** A route as the guard saw it being added. */
export interface GuardedRoute {
  readonly method: string
  readonly url: string
  readonly access: Access
  readonly websocket: boolean
}

export interface Guard {
  readonly sessions: Sessions
  readonly limit: RateLimit
  readonly cookieName: string
  /** True for a `Host` header that means this machine. */
  isOwnHost(host: string): boolean
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Stands in front of every route. A route that does not say who may call it cannot be added, so forgetting is an error at
 * start and not a hole. Gives the list of routes, which fills as they are added.
 */
export function installGuard(app: FastifyInstance, guard: Guard): readonly GuardedRoute[] {
  const routes: GuardedRoute[] = []
  app.decorateRequest('person', undefined)
  app.addHook('onRoute', (route) => {
    const access = route.config?.access
    if (!access) throw new Error(`${route.method} ${route.url} does not say who may call it: set config.access`)
    for (const method of [route.method].flat()) {
      routes.push({ method, url: route.url, access, websocket: 'websocket' in route && route.websocket === true })
    }
  })
  app.addHook('onRequest', async (request, reply) => check(guard, request, reply))
  return routes
}

function check(guard: Guard, request: FastifyRequest, reply: FastifyReply): void {
  const waitMs = guard.limit.take(request.ip)
  if (waitMs !== undefined) throw tooMany(waitMs)
  if (!guard.isOwnHost(request.host)) {
    throw new Refusal(421, 'request/host', `${request.hostname} is not a name of this observatory: use its address`)
  }
  const changes = !safeMethods.has(request.method)
  if (changes || request.ws) checkOrigin(request)
  if (request.url.startsWith('/api/')) void reply.header('cache-control', 'no-store')
  const access = request.routeOptions.config.access
  if (access === 'anyone') return
  const person = guard.sessions.person(request.cookies[guard.cookieName] ?? '')
  if (!person) throw new Refusal(401, 'login/needed', 'log in first')
  if (changes) checkToken(request, person)
  if (access && !roleCovers(person.role, access)) {
    throw new Refusal(403, 'role/missing', `this needs the role ${access}; ${person.username} is ${person.role}`)
  }
  request.person = person
}

/** A page of another site can make a browser send our cookie to a socket, or a form: it cannot forge `Origin`. */
function checkOrigin(request: FastifyRequest): void {
  const own = `${request.protocol}://${request.host}`
  if (request.headers.origin !== own)
    throw new Refusal(403, 'request/origin', `this must come from the panel at ${own}`)
}

function checkToken(request: FastifyRequest, person: Person): void {
  const given = request.headers['x-csrf-token']
  if (typeof given !== 'string' || !sameSecret(given, person.csrfToken)) {
    throw new Refusal(403, 'request/token', 'the x-csrf-token header is not that of this session: reload the panel')
  }
}

/** The person the guard let through. */
export function personOf(request: FastifyRequest): Person {
  if (!request.person) throw new Refusal(401, 'login/needed', 'log in first')
  return request.person
}
