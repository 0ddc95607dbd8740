import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'

/** What a question came to. */
export type Reading<T> = { readonly ok: true; readonly value: T } | Failure

export interface Poll<T> extends AsyncDisposable {
  /** Of the last answer; undefined before the first. */
  readonly value: T | undefined
  /** When that came, Unix ms UTC; 0 before the first. */
  readonly atMs: number
  /** Why there is no fresh answer; undefined when there is one. */
  readonly problem: string | undefined
  /** Resolves with an answer to a question that was asked after this call. */
  refresh(): Promise<void>
}

export interface PollOptions<T> {
  readonly clock: Clock
  /** From the end of one question to the start of the next. */
  readonly intervalMs: number
  /** An older answer is stale: `problem` says so. Counts by the clock that does not jump. */
  readonly staleMs: number
  /** Must end by itself in bounded time; aborted when the poll is disposed. A throw counts as a failure. */
  readonly read: (signal: AbortSignal) => Promise<Reading<T>>
}

/** Asks a device the same question again and again, one at a time, until disposed. */
export function pollEvery<T>(options: PollOptions<T>): Poll<T> {
  const { clock, intervalMs, staleMs, read } = options
  const over = new AbortController()
  let value: T | undefined
  let atMs = 0
  let heardAt = Number.NEGATIVE_INFINITY
  let refused: string | undefined = 'not heard yet'
  let asking: Promise<void> | undefined
  /** Disposing does not wait for a device that does not answer. */
  const given = new Promise<Failure>((resolve) => {
    over.signal.addEventListener('abort', () => resolve(failure('disposed')), { once: true })
  })

  async function ask(): Promise<void> {
    const answered = read(over.signal).catch((error: unknown) =>
      failure(error instanceof Error ? error.message : String(error)),
    )
    const reading = await Promise.race([answered, given])
    if (over.signal.aborted) return
    refused = reading.ok ? undefined : reading.reason
    if (!reading.ok) return
    value = reading.value
    atMs = clock.now()
    heardAt = clock.monotonic()
  }

  const join = (): Promise<void> => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }

  /** What is under way may have been asked before the command whose effect the caller waits for. */
  async function refresh(): Promise<void> {
    await asking
    await join()
  }

  async function run(): Promise<void> {
    while (!over.signal.aborted) {
      await join()
      await clock.sleep(intervalMs, over.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    get value() {
      return value
    },
    get atMs() {
      return atMs
    },
    get problem() {
      if (refused !== undefined) return refused
      return clock.monotonic() - heardAt > staleMs ? 'it has not answered for a while' : undefined
    },
    refresh,
    async [Symbol.asyncDispose]() {
      over.abort(new Error('disposed'))
      await running
    },
  }
}
