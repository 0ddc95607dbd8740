import type {
  CommandAnswer,
  CommandRequest,
  GivenCommand,
  ObservatoryState,
} from '@nightjar/appliance/contract/observatory.ts'
import { get, post, reasonOf, remove } from '../live/api.ts'
import { every, now, settled } from '../live/clock.ts'
import { hub } from '../live/hub.ts'
import { session } from './session.svelte.ts'

const lookMs = 1000
/** A panel that shows the observatory keeps control for its reader once less than this is left of it. */
const renewSeconds = 10 * 60
const ofInterest = ['panic.', 'lease.', 'roof.', 'safety.', 'device.', 'recovery.', 'night.']

/** The hardware as the daemon sees it, and what a person asks of it. */
class Observatory {
  #state = $state.raw<ObservatoryState | undefined>()
  #heardAtMs = $state(now())
  #problem = $state('')
  #renewing = false

  constructor() {
    hub.on('reload', () => void this.load())
    const soon = settled(300, () => void this.load())
    hub.on('event', ({ type }) => {
      if (ofInterest.some((start) => type.startsWith(start))) soon()
    })
  }

  get state(): ObservatoryState | undefined {
    return this.#state
  }

  /** Why nothing could be read; empty when all is well. */
  get problem(): string {
    return this.#problem
  }

  /** Milliseconds since the state that is shown. */
  sinceMs(browserMs: number): number {
    return Math.max(0, browserMs - this.#heardAtMs)
  }

  /** This session may command. */
  get mine(): boolean {
    return this.#state?.lease !== undefined && this.#state.lease.holder === `session:${session.me?.username}`
  }

  get lastCommand(): GivenCommand | undefined {
    return this.#state?.commands.at(-1)
  }

  /** Looks each second until told to end: while a page that shows it is open. */
  watch(): () => void {
    void this.load()
    return every(lookMs, () => {
      if (document.hidden) return
      void this.load()
      this.#renew()
    })
  }

  async load(): Promise<void> {
    try {
      this.#state = await get<ObservatoryState>('/api/observatory')
      this.#heardAtMs = now()
      this.#problem = ''
    } catch (error) {
      this.#problem = reasonOf(error)
    }
  }

  takeControl = (): Promise<void> => this.#after(post('/api/observatory/lease'))
  giveBack = (): Promise<void> => this.#after(remove('/api/observatory/lease'))
  panic = (): Promise<void> => this.#after(post('/api/observatory/panic'))
  endPanic = (): Promise<void> => this.#after(remove('/api/observatory/panic'))
  forgive = (kind: string): Promise<void> => this.#after(post(`/api/observatory/devices/${kind}/forgive`))
  command = (action: CommandRequest): Promise<void> =>
    this.#after(post<CommandAnswer>('/api/observatory/command', action))

  /** Whatever came of it, what is shown is of after it. */
  async #after(asked: Promise<unknown>): Promise<void> {
    try {
      await asked
    } finally {
      await this.load()
    }
  }

  #renew(): void {
    const left = this.#state?.lease?.remainingSeconds ?? 0
    if (!this.mine || left > renewSeconds || this.#renewing) return
    this.#renewing = true
    void this.takeControl()
      .catch(() => undefined)
      .finally(() => {
        this.#renewing = false
      })
  }
}

export const observatory = new Observatory()
