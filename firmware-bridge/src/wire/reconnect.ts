import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { AttachedMemory, Connect, Wire } from './wire.ts'

export interface Backoff {
  /** The first wait is at most this. */
  readonly firstMs: number
  readonly longestMs: number
  /** No wait is shorter. */
  readonly shortestMs: number
  /** A wire that lived this long starts the waits from the beginning again. */
  readonly stableMs: number
  /** An attempt that takes longer is given up. */
  readonly connectMs: number
}

export const defaultBackoff: Backoff = {
  firstMs: 500,
  longestMs: 30_000,
  shortestMs: 50,
  stableMs: 10_000,
  connectMs: 10_000,
}

export interface ConnectionEvents {
  onOpen(wire: Wire): void
  onBytes(bytes: Uint8Array): void
  /** Absent: memory that comes is closed unread. */
  onAttached?(memory: AttachedMemory): void
  /** The wire closed, or an attempt failed; the next attempt is in `retryMs`. */
  onClose(reason: string, retryMs: number): void
}

export interface Connection extends AsyncDisposable {
  /** The open wire, if there is one. */
  readonly wire: Wire | undefined
}

/** Exponential backoff with full jitter (Brooker 2015, "Exponential Backoff And Jitter"): uniform up to a doubling bound. */
export function backoffMs(attempt: number, random: Random, backoff = defaultBackoff): number {
  const bound = Math.min(backoff.longestMs, backoff.firstMs * 2 ** Math.min(attempt, 30))
  return Math.max(backoff.shortestMs, random.next() * bound)
}

/** Keeps one wire open for as long as it is not disposed. */
export function keepConnected(
  connect: Connect,
  events: ConnectionEvents,
  deps: { readonly clock: Clock; readonly random: Random; readonly backoff?: Backoff },
): Connection {
  const { clock, random, backoff = defaultBackoff } = deps
  const stop = new AbortController()
  let wire: Wire | undefined
  let attempt = 0

  async function live(): Promise<string> {
    const closed = Promise.withResolvers<string>()
    const early: Uint8Array[] = []
    let told = false
    const opened = await connectInTime({
      onBytes: (bytes) => (told ? events.onBytes(bytes) : void early.push(new Uint8Array(bytes))),
      onAttached: (memory) => (events.onAttached ? events.onAttached(memory) : memory.close()),
      onClose: (reason) => closed.resolve(reason),
    })
    if (stop.signal.aborted) {
      await opened.close()
      return 'closed'
    }
    wire = opened
    const openedAtMs = clock.monotonic()
    events.onOpen(opened)
    told = true
    for (const bytes of early) events.onBytes(bytes)
    const reason = await closed.promise
    wire = undefined
    if (clock.monotonic() - openedAtMs >= backoff.stableMs) attempt = 0
    return reason
  }

  async function connectInTime(handlers: Parameters<Connect>[0]): Promise<Wire> {
    const attemptOver = new AbortController()
    const settled = new AbortController()
    const abort = (): void => attemptOver.abort(stop.signal.reason)
    stop.signal.addEventListener('abort', abort, { once: true })
    clock.sleep(backoff.connectMs, settled.signal).then(
      () => attemptOver.abort(new Error(`no connection within ${backoff.connectMs / 1000} s`)),
      () => undefined,
    )
    const opening = connect(handlers, attemptOver.signal)
    const gaveUp = Promise.withResolvers<never>()
    attemptOver.signal.addEventListener('abort', () => {
      gaveUp.reject(attemptOver.signal.reason)
      opening.then((late) => late.close()).catch(() => undefined)
    })
    try {
      return await Promise.race([opening, gaveUp.promise])
    } finally {
      settled.abort()
      stop.signal.removeEventListener('abort', abort)
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      const reason = await live().catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      if (stop.signal.aborted) return
      const retryMs = backoffMs(attempt++, random, backoff)
      events.onClose(reason, retryMs)
      await clock.sleep(retryMs, stop.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    get wire() {
      return wire
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('disposed'))
      await wire?.close()
      await running
    },
  }
}
