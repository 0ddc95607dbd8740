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
  readonly #groups = $derived(grouped(this.#alerts))
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

  /** One for each object and destination, newest first: each sighting is an alert of its own, too many for a list. */
  get groups(): readonly AlertRecord[] {
    return this.#groups
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

const worstFirst = ['dead', 'waiting', 'delivered'] as const

/** The newest of those in the worst state: what did not arrive shows, whatever came after it. */
function grouped(alerts: readonly AlertRecord[]): AlertRecord[] {
  const together = Map.groupBy(alerts, (alert) => `${alert.entryId} ${alert.destination}`)
  return [...together.values()].map((same) => {
    const worst = worstFirst.find((state) => same.some((alert) => alert.state === state))
    return same.find((alert) => alert.state === worst)!
  })
}

export const alerts = new Alerts()
