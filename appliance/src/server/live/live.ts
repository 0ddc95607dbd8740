import type { WebSocket } from 'ws'
import { SocketQuery } from '../../contract/api.ts'
import { personOf } from '../auth/guard.ts'
import type { Person } from '../auth/sessions.ts'
import { Refusal } from '../refusal.ts'
import type { Api, RouteContext } from '../routes/context.ts'
import { Listener } from './listener.ts'

const connectionLimit = 64
const connectionsPerSession = 8
/** RFC 6455 codes; 4401 is ours: the session has ended, log in again. */
const goingAway = 1001
const sessionEnded = 4401

/**
 * GET /api/live: the journal from `after` on, then live, and the state of the night each second. Opening one needs the
 * cookie, our own Origin (the guard) and a ticket that works once.
 */
export function addLiveRoute(app: Api, context: RouteContext): void {
  const { store, clock } = context.daemon
  const listeners = new Set<Listener>()
  const subscription = store.subscribe(() => {
    for (const listener of listeners) listener.pump()
  })
  const stop = new AbortController()
  let ticking = false

  /** Runs while somebody listens, so that an unwatched daemon on a virtual clock has no timer of ours. */
  async function tickWhileHeard(): Promise<void> {
    if (ticking) return
    ticking = true
    try {
      while (listeners.size > 0) {
        tickAll()
        await clock.sleep(1000, stop.signal)
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      ticking = false
    }
  }

  function tickAll(): void {
    const tonight = context.daemon.tonight()
    for (const listener of listeners) {
      const person = context.sessions.personOf(listener.tokenHash)
      if (person) listener.tick(tonight, person.role)
      else listener.close(sessionEnded, 'log in again')
    }
  }

  function join(socket: WebSocket, person: Person, after: number | undefined): void {
    const listener = new Listener(socket, store, person, after)
    listeners.add(listener)
    socket.on('close', () => listeners.delete(listener))
    // A panel has nothing to say here; whatever it sends is dropped, and too much of it (maxPayload) closes the socket.
    socket.on('error', () => socket.terminate())
    listener.pump()
    tickWhileHeard().catch((error: unknown) => app.log.error({ err: error }, 'live messages stopped'))
  }

  app.get(
    '/api/live',
    {
      config: { access: 'viewer' },
      websocket: true,
      schema: { querystring: SocketQuery },
      preHandler: async (request) => {
        const person = personOf(request)
        if (!context.sessions.redeem(request.query.ticket, person)) {
          throw new Refusal(403, 'socket/ticket', 'the ticket is used up or too old: get another')
        }
        const own = [...listeners].filter((listener) => listener.tokenHash === person.tokenHash)
        if (listeners.size >= connectionLimit || own.length >= connectionsPerSession) {
          throw new Refusal(503, 'socket/tooMany', 'too many panels are open: close one')
        }
      },
    },
    (socket, request) => join(socket, personOf(request), request.query.after),
  )
  app.addHook('preClose', async () => {
    stop.abort(new Error('the server stops'))
    subscription[Symbol.dispose]()
    for (const listener of listeners) listener.close(goingAway, 'the server stops')
  })
}
