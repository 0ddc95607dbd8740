import type { Clock } from '@nightjar/firmware-bridge/clock.ts'

export interface RateLimit {
  /** Counts one try for `key`. `undefined` when it is within the limit, else the milliseconds to wait. */
  take(key: string): number | undefined
  /** Forgets `key`: its next try is its first. */
  clear(key: string): void
}

/** How many keys are remembered; beyond it the oldest is forgotten. */
const keyLimit = 10_000

/** At most `count` tries per key in any `windowMs`, by the clock that never jumps. */
export function createRateLimit(clock: Clock, count: number, windowMs: number): RateLimit {
  const tries = new Map<string, number[]>()
  return {
    take(key) {
      const now = clock.monotonic()
      const recent = (tries.get(key) ?? []).filter((at) => at > now - windowMs)
      tries.delete(key)
      tries.set(key, recent)
      if (tries.size > keyLimit) tries.delete(tries.keys().next().value!)
      if (recent.length >= count) return recent[0]! + windowMs - now
      recent.push(now)
      return undefined
    },
    clear: (key) => void tries.delete(key),
  }
}
