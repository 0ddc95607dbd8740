import type { AlertPage } from '@nightjar/appliance/contract/api.ts'
import type { AlertRecord, EntryRecord } from '@nightjar/appliance/contract/records.ts'
import { get, reasonOf } from '../live/api.ts'
import { settled } from '../live/clock.ts'
import { hub } from '../live/hub.ts'

const alertEvents = ['entry.catalogued', 'alert.forwarded', 'alert.refused']
const whileWaitingMs = 5000

/** The alerts, with the entries they speak of. */
class Alerts {
  #alerts = $state.raw<readonly AlertRecord[]>([])
  #entries = $state.raw<ReadonlyMap<string, EntryRecord>>(new Map())
  #status = $state<'loading' | 'ready' | 'failed'>('loading')
  #problem = $state('')

  constructor() {
    hub.on('reload', () => void this.load())
    const soon = settled(500, () => void this.load())
    // A failed try is no event: while something waits, its counter is asked for.
    const later = settled(whileWaitingMs, () => void this.load())
    hub.on('event', (event) => {
      if (alertEvents.includes(event.type)) soon()
    })
    hub.on('tonight', (state) => {
      if (state.alerts.waiting > 0) later()
    })
  }

  get list(): readonly AlertRecord[] {
    return this.#alerts
  }

  get status(): 'loading' | 'ready' | 'failed' {
    return this.#status
  }

  get problem(): string {
    return this.#problem
  }

  entry(entryId: string): EntryRecord | undefined {
    return this.#entries.get(entryId)
  }

  count(state: AlertRecord['state']): number {
    return this.#alerts.filter((alert) => alert.state === state).length
  }

  async load(): Promise<void> {
    try {
      const page = await get<AlertPage>('/api/alerts?limit=100')
      this.#entries = new Map(page.entries.map((entry) => [entry.entryId, entry]))
      this.#alerts = page.alerts
      this.#status = 'ready'
    } catch (error) {
      this.#problem = reasonOf(error)
      if (this.#alerts.length === 0) this.#status = 'failed'
    }
  }
}

export const alerts = new Alerts()
