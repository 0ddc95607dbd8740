import type { Random } from '@nightjar/firmware-bridge/random.ts'

export const firstWaitMs = 1_000
export const longestWaitMs = 300_000
/** How long a destination that refuses our token is left alone. */
export const pauseMs = 900_000

/**
 * Full jitter (Brooker 2015, "Exponential backoff and jitter"): uniform between 0 and 1 s, 2 s, 4 s … at most 5 min after
 * `failures` failures in a row, and never less than the other side asked for.
 */
export function backoffMs(failures: number, random: Random, retryAfterMs = 0): number {
  const ceiling = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures - 1, 30))
  return Math.max(retryAfterMs, Math.round(random.next() * ceiling))
}
