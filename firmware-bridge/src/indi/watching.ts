import type { Clock } from '../clock.ts'
import type { ClientEvent } from './client.ts'

/** Waits on a client's events; every wait has an end. */
export class Watcher {
  readonly #clock: Clock
  readonly #listen: (listener: (event: ClientEvent) => void) => () => void
  readonly #stop: AbortSignal

  constructor(clock: Clock, listen: (listener: (event: ClientEvent) => void) => () => void, stop: AbortSignal) {
    this.#clock = clock
    this.#listen = listen
    this.#stop = stop
  }

  /** Calls `look` at each event until it decides, the time is over (then `late`) or the signal aborts. */
  watch<T>(
    timeoutMs: number,
    late: T,
    signal: AbortSignal | undefined,
    look: (event: ClientEvent) => T | undefined,
  ): Promise<T> {
    return new Promise((resolve) => {
      const settled = new AbortController()
      const settle = (value: T): void => {
        unlisten()
        settled.abort()
        resolve(value)
      }
      const unlisten = this.#listen((event) => {
        const value = look(event)
        if (value !== undefined) settle(value)
      })
      const signals = [settled.signal, this.#stop, ...(signal ? [signal] : [])]
      const over = (): void => (settled.signal.aborted ? undefined : settle(abortedValue(late, signal)))
      this.#clock.sleep(Math.max(0, timeoutMs), AbortSignal.any(signals)).then(over, over)
    })
  }
}

/** What a wait ends with when it was not decided: failures name the abort. */
function abortedValue<T>(late: T, signal: AbortSignal | undefined): T {
  const isFailure = typeof late === 'object' && late !== null && 'reason' in late
  return isFailure && signal?.aborted ? { ...late, reason: `aborted: ${signal.reason}` } : late
}
