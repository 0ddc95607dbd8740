import type { EventPage, TonightState } from '@nightjar/appliance/contract/api.ts'
import type { JournalEvent } from '@nightjar/appliance/contract/events.ts'
import { get, post } from '../live/api.ts'
import { now } from '../live/clock.ts'
import { hub } from '../live/hub.ts'

const keptEvents = 200

/** The state of the night and what just happened. */
class Tonight {
  #state = $state.raw<TonightState | undefined>()
  #events = $state.raw<readonly JournalEvent[]>([])
  #heardAtMs = $state(now())

  constructor() {
    hub.on('tonight', (state) => this.#set(state))
    hub.on('event', (event) => {
      this.#events = [event, ...this.#events].slice(0, keptEvents)
    })
    hub.on('reload', () => void this.#load())
  }

  get state(): TonightState | undefined {
    return this.#state
  }

  /** Newest first. */
  get events(): readonly JournalEvent[] {
    return this.#events
  }

  /** The observatory's time for a moment of this browser: a simulated one keeps its own. */
  siteTime(browserMs: number): number {
    return this.#state ? this.#state.atMs + Math.max(0, browserMs - this.#heardAtMs) : browserMs
  }

  start = (): Promise<unknown> => post('/api/night/start')
  stop = (): Promise<unknown> => post('/api/night/stop')

  #set(state: TonightState): void {
    this.#state = state
    this.#heardAtMs = now()
  }

  async #load(): Promise<void> {
    const [state, page] = await Promise.all([
      get<TonightState>('/api/tonight'),
      get<EventPage>(`/api/events?limit=${keptEvents}`),
    ])
    this.#set(state)
    this.#events = page.events.toReversed()
  }
}

export const tonight = new Tonight()
