import type { LightMyRequestResponse } from 'fastify'
import type { SessionState } from '../../contract/api.ts'
import type { Role } from '../../contract/records.ts'
import { hashPassword } from '../auth/passwords.ts'
import type { Daemon } from '../daemon.ts'
import type { buildApp } from '../server.ts'

export const testSetupCode = 'ABCDE-FGHJK-MNPQR-STVWX-YZ012-3'
export const testPassword = 'quiet-owl-sings-5'
const origin = 'http://localhost:80'

/** Somebody at a panel: keeps the cookie and the token, as a browser would. */
export interface PanelClient {
  readonly session: SessionState
  readonly cookie: string
  get(url: string): Promise<LightMyRequestResponse>
  post(url: string, body?: object, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  remove(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
}

type App = Awaited<ReturnType<typeof buildApp>>

/** A POST as the panel makes it, without a session. */
export function postTo(app: App, url: string, payload?: object, headers: Record<string, string> = {}) {
  const own = { host: 'localhost:80', origin, ...headers }
  return app.inject({ method: 'POST', url, headers: own, ...(payload && { payload }) })
}

/** Puts an account into the store and logs in with it. */
export async function loginAs(app: App, daemon: Daemon, role: Role): Promise<PanelClient> {
  const username = `a-${role}`
  if (!daemon.store.account(username)) {
    const passwordHash = await hashPassword(testPassword)
    daemon.store.commit(daemon.clock.now(), (tx) =>
      tx.putAccount({ username, role, passwordHash, createdAtMs: tx.atMs }),
    )
  }
  const answer = await postTo(app, '/api/login', { username, password: testPassword })
  if (answer.statusCode !== 200) throw new Error(`login failed: ${answer.body}`)
  return clientOf(app, answer)
}

/** The panel after an answer that opened a session. */
export function clientOf(app: App, answer: LightMyRequestResponse): PanelClient {
  const session = answer.json<SessionState>()
  const { name, value } = answer.cookies[0]!
  const cookie = `${name}=${value}`
  const own = { cookie, 'x-csrf-token': session.csrfToken }
  return {
    session,
    cookie,
    get: (url) => app.inject({ method: 'GET', url, headers: { host: 'localhost:80', cookie } }),
    post: (url, body, headers) => postTo(app, url, body, { ...own, ...headers }),
    remove: async (url, headers) =>
      app.inject({ method: 'DELETE', url, headers: { host: 'localhost:80', origin, ...own, ...headers } }),
  }
}
