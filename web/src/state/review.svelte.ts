import type { DetectionPage } from '@nightjar/appliance/contract/api.ts'
import type { DetectionRecord, Label } from '@nightjar/appliance/contract/records.ts'
import { get, post, reasonOf } from '../live/api.ts'
import { after, settled } from '../live/clock.ts'
import { hub } from '../live/hub.ts'

/** How long a label can be taken back before it is sent: once validated, an alert may be on its way. */
const undoMs = 5000
const queueEvents = ['detections.scored', 'label.given', 'detection.validated', 'detection.dismissed']

/** A label that was given here and not sent yet. */
export interface Held {
  readonly detection: DetectionRecord
  readonly label: Label
  readonly cancel: () => void
}

/** The queue of detections to judge. A label takes effect here at once, is sent after a while, and comes back if refused. */
class Review {
  #queue = $state.raw<readonly DetectionRecord[]>([])
  /** Pending ones that did not fit in the page that was loaded. */
  #beyond = $state(0)
  #held = $state.raw<readonly Held[]>([])
  #status = $state<'loading' | 'ready' | 'failed'>('loading')
  #problem = $state('')
  #notSaved = $state('')
  /** Sent from here: not shown again although what is "unsure" stays pending on the server. */
  readonly #done = new Set<string>()

  constructor() {
    hub.on('reload', () => void this.load())
    const refresh = settled(800, () => void this.load())
    hub.on('event', (event) => {
      if (queueEvents.includes(event.type)) refresh()
    })
    addEventListener('pagehide', () => this.flush())
  }

  get current(): DetectionRecord | undefined {
    return this.#queue[0]
  }

  get next(): DetectionRecord | undefined {
    return this.#queue[1]
  }

  get left(): number {
    return this.#queue.length + this.#beyond
  }

  /** The label that can still be taken back. */
  get lastHeld(): Held | undefined {
    return this.#held.at(-1)
  }

  get status(): 'loading' | 'ready' | 'failed' {
    return this.#status
  }

  get problem(): string {
    return this.#problem
  }

  get notSaved(): string {
    return this.#notSaved
  }

  async load(): Promise<void> {
    try {
      const page = await get<DetectionPage>('/api/detections?state=pending&limit=100')
      this.#queue = this.#merge(page.detections)
      this.#beyond = Math.max(0, page.total - page.detections.length)
      this.#status = 'ready'
    } catch (error) {
      this.#problem = reasonOf(error)
      if (this.#queue.length === 0) this.#status = 'failed'
    }
  }

  label(label: Label): void {
    const detection = this.current
    if (!detection) return
    this.#notSaved = ''
    this.#queue = this.#queue.slice(1)
    const held: Held = { detection, label, cancel: after(undoMs, () => void this.#send(held)) }
    this.#held = [...this.#held, held]
  }

  undo(): void {
    const held = this.lastHeld
    if (!held) return
    held.cancel()
    this.#held = this.#held.filter((other) => other !== held)
    this.#queue = [held.detection, ...this.#queue]
  }

  /** Sends everything now: the page goes away. */
  flush(): void {
    for (const held of this.#held) {
      held.cancel()
      void this.#send(held)
    }
  }

  async #send(held: Held): Promise<void> {
    const { detectionId } = held.detection
    this.#done.add(detectionId)
    this.#held = this.#held.filter((other) => other !== held)
    try {
      await post(`/api/detections/${detectionId}/label`, { label: held.label }, true)
    } catch (error) {
      this.#done.delete(detectionId)
      this.#notSaved = reasonOf(error)
      this.#queue = [held.detection, ...this.#queue]
    }
  }

  /** The one being looked at stays first, whatever arrives. */
  #merge(fresh: readonly DetectionRecord[]): DetectionRecord[] {
    const hidden = new Set([...this.#done, ...this.#held.map((held) => held.detection.detectionId)])
    const open = fresh.filter((one) => !hidden.has(one.detectionId))
    // What somebody was unsure of waits for a second opinion, behind what nobody has seen.
    const wanted = [...open.filter((one) => one.label === undefined), ...open.filter((one) => one.label !== undefined)]
    const current = wanted.find((one) => one.detectionId === this.current?.detectionId)
    return current ? [current, ...wanted.filter((one) => one !== current)] : wanted
  }
}

export const review = new Review()
