/**
 * Every wait and every time stamp. Nothing else in Nightjar reads the wall clock or starts a timer, so a whole night can
 * be played in a blink: pass a `VirtualClock`.
 */
export interface Clock {
  /** Unix milliseconds, UTC. For stamps; it may jump. */
  now(): number
  /** Milliseconds since some start that never jumps. For deadlines and intervals. */
  monotonic(): number
  /** Resolves after `ms`; rejects with `signal.reason` when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Virtual time stands still while this real work (disk, worker thread, database) is under way. */
  during<T>(work: Promise<T>): Promise<T>
}

/** The wall clock and real timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const done = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const timer = setTimeout(done, ms)
      const stop = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
    })
  },
  during: (work) => work,
}

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

/** A clock that jumps to the next sleeper's time whenever nothing else is left to do. */
export class VirtualClock implements Clock {
  #nowMs: number
  readonly #startMs: number
  #order = 0
  #busy = 0
  #sleepers: Sleeper[] = []

  constructor(startMs: number) {
    this.#nowMs = startMs
    this.#startMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const stop = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        reject(signal?.reason)
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const sleeper: Sleeper = { at: this.#nowMs + Math.max(0, ms), order: this.#order++, wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  async during<T>(work: Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work
    } finally {
      this.#busy--
    }
  }

  /** Plays time forward until `main` settles. Throws when nothing sleeps and `main` still waits: a deadlock. */
  async run<T>(main: Promise<T>): Promise<T> {
    let settled = false
    const finish = (): void => {
      settled = true
    }
    main.then(finish, finish)
    let idleTurns = 0
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve))
      if (settled || this.#busy > 0) {
        idleTurns = 0
        continue
      }
      if (idleTurns++ < 2) continue
      idleTurns = 0
      if (!this.#wakeNext()) throw new Error('virtual clock: nothing sleeps and the work has not finished')
    }
    return main
  }

  /** Moves time forward by `ms`, waking every sleeper on the way in order. */
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#busy > 0) continue
      const next = this.#next()
      if (!next || next.at > until) break
      this.#wakeNext()
    }
    this.#nowMs = until
  }

  #next(): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of this.#sleepers) {
      if (!first || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order)) first = sleeper
    }
    return first
  }

  #wakeNext(): boolean {
    const next = this.#next()
    if (!next) return false
    this.#sleepers = this.#sleepers.filter((other) => other !== next)
    this.#nowMs = Math.max(this.#nowMs, next.at)
    next.wake()
    return true
  }
}
