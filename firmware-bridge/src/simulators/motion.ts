import type { Clock } from '../clock.ts'

export interface Travel {
  readonly from: number
  readonly to: number
  readonly perSecond: number
  /** Called on the way and at the end. */
  readonly onStep: (value: number) => void
}

/** One moving part: at most one travel at a time, a new one ends the one before. */
export interface Motion {
  readonly moving: boolean
  /** Resolves to whether it arrived; false when it was stopped. */
  go(travel: Travel): Promise<boolean>
  stop(): void
}

const stepMs = 250

export function createMotion(clock: Clock): Motion {
  let under: AbortController | undefined

  async function go({ from, to, perSecond, onStep }: Travel): Promise<boolean> {
    under?.abort('another motion')
    const own = new AbortController()
    under = own
    const startedAt = clock.monotonic()
    const totalMs = (Math.abs(to - from) / perSecond) * 1000
    try {
      for (;;) {
        const leftMs = totalMs - (clock.monotonic() - startedAt)
        if (leftMs <= 0) break
        await clock.sleep(Math.min(stepMs, leftMs), own.signal)
        const part = Math.min(1, (clock.monotonic() - startedAt) / totalMs)
        onStep(from + (to - from) * part)
      }
      return true
    } catch {
      return false
    } finally {
      if (under === own) under = undefined
    }
  }

  return {
    get moving() {
      return under !== undefined
    },
    go,
    stop: () => under?.abort('stopped'),
  }
}
