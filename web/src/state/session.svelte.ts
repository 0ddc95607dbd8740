import type { SessionState, SetupState } from '@nightjar/appliance/contract/api.ts'
import type { Role } from '@nightjar/appliance/contract/records.ts'
import { roleCovers } from '@nightjar/appliance/contract/roles.ts'
import { ApiFailure, get, post, useToken, whenLoggedOut } from '../live/api.ts'
import { after } from '../live/clock.ts'
import { socket } from '../live/socket.svelte.ts'

type Status = 'loading' | 'setup' | 'login' | 'in' | 'unreachable'

/** Who is here. */
class Session {
  #status = $state<Status>('loading')
  #me = $state<SessionState | undefined>()
  #ended = $state(false)

  constructor() {
    whenLoggedOut(() => this.#out(this.#me !== undefined))
  }

  get status(): Status {
    return this.#status
  }

  get me(): SessionState | undefined {
    return this.#me
  }

  /** True when somebody was logged in and the session ran out. */
  get ended(): boolean {
    return this.#ended
  }

  may(need: Role): boolean {
    return this.#me !== undefined && roleCovers(this.#me.role, need)
  }

  async load(): Promise<void> {
    try {
      const { needed } = await get<SetupState>('/api/setup')
      if (needed) this.#status = 'setup'
      else this.#in(await get<SessionState>('/api/session'))
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 401) return
      this.#status = 'unreachable'
      after(3000, () => void this.load())
    }
  }

  async setUp(code: string, username: string, password: string): Promise<void> {
    this.#in(await post<SessionState>('/api/setup', { code, username, password }))
  }

  async logIn(username: string, password: string): Promise<void> {
    this.#in(await post<SessionState>('/api/login', { username, password }))
  }

  async logOut(): Promise<void> {
    await post('/api/logout').catch(() => undefined)
    this.#out(false)
  }

  #in(me: SessionState): void {
    this.#me = me
    useToken(me.csrfToken)
    this.#ended = false
    this.#status = 'in'
    socket.start()
  }

  #out(ended: boolean): void {
    socket.stop()
    this.#me = undefined
    this.#ended = ended
    this.#status = 'login'
  }
}

export const session = new Session()
