/** Looks at an LX200 mount again and again, and waits until it shows what a command was to bring about. */
import type { Clock } from '../clock.ts'
import type { Lx200Session } from '../lx200/session.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { createLx200Poll, type Lx200Poll, type Lx200Reading } from './lx200MountPoll.ts'

/** Undefined: not decided yet. */
export type JudgeReading = (reading: Lx200Reading) => Outcome | undefined

/** A reading older than this is of a mount that is silent. */
const freshMs = 2_500
/** A state may show an old motion until the second look after a command. */
const settleMs = 5_000

export class Lx200Watch {
  readonly #clock: Clock
  #session: Lx200Session | undefined
  #poll: Lx200Poll | undefined
  #last: Lx200Reading | undefined
  /** Looks begun, and who waits for the next to end. */
  #looks = 0
  #waiting: ((look: number) => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The newest reading, however old. */
  get last(): Lx200Reading | undefined {
    return this.#last
  }

  /** The newest reading of a mount that is there now: nothing is decided on a remembered one. */
  get fresh(): Lx200Reading | undefined {
    const last = this.#last
    if (!last || !this.#session?.line.ready) return undefined
    return this.#clock.now() - last.atMs <= freshMs ? last : undefined
  }

  /** A connection: what was read over the one before counts no longer. */
  begin(session: Lx200Session): void {
    this.#session = session
    this.#poll = createLx200Poll(session, this.#clock)
    this.#last = undefined
  }

  async look(): Promise<void> {
    const look = ++this.#looks
    const reading = await this.#poll?.read()
    if (!reading) return
    this.#last = reading
    for (const wake of this.#waiting.splice(0)) wake(look)
  }

  lose(): void {
    for (const wake of this.#waiting.splice(0)) wake(0)
  }

  /** Looks until `judge` decides, or the time or the signal ends it. A look that had begun before is not asked. */
  async until(judge: JudgeReading, timeoutMs = settleMs, signal?: AbortSignal): Promise<Outcome> {
    const after = this.#looks
    const over = new AbortController()
    const deadline = this.#clock.monotonic() + timeoutMs
    const late = this.#clock.sleep(timeoutMs, over.signal).catch(() => undefined)
    const aborted = signal ? whenAborted(signal, over.signal) : new Promise<never>(() => undefined)
    try {
      for (;;) {
        if (signal?.aborted) return failure(`aborted: ${String(signal.reason)}`)
        if (!this.#session?.line.ready) return failure(`the mount was lost: ${this.#session?.line.words}`)
        if (this.#clock.monotonic() >= deadline) return failure(`not done within ${timeoutMs / 1000} s`)
        const next = new Promise<number>((resolve) => this.#waiting.push(resolve))
        const look = await Promise.race([next, late, aborted])
        if (typeof look !== 'number' || look <= after || !this.#last) continue
        const verdict = judge(this.#last)
        if (verdict) return verdict
      }
    } finally {
      over.abort()
    }
  }

  async untilTrue(holds: (reading: Lx200Reading) => boolean, otherwise: string): Promise<Outcome> {
    const outcome = await this.until((reading) => (holds(reading) ? done : undefined))
    if (outcome.ok || !this.fresh) return outcome
    return failure(`${otherwise}${because(this.fresh)}`)
  }
}

/** The mount's own word for what stopped it. */
export const because = (reading: Lx200Reading): string => (reading.fault === undefined ? '' : `: ${reading.fault}`)

function whenAborted(signal: AbortSignal, over: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true, signal: over })
  })
}
