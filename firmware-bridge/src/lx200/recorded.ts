/** The simulators as they were when the tapes of Debian's drivers were recorded: a replay needs the same. */
import type { Clock } from '../clock.ts'

export const recordedMount = { site: { latitudeDeg: 47.5, longitudeDeg: 19 }, slewDegPerSecond: 40 } as const
export const recordedMoonlite = { startSteps: 5_000, temperatureC: 12.5, stepsPerSecond: 2_000 } as const

/** A slew passes 144″ in a millisecond: only a clock that stands still for this long shows the same place again. */
const tickMs = 100

/** Time in ticks from now: what a replay answers does not hang on microseconds. */
export function tickingClock(clock: Clock): Clock {
  const [start, startMs] = [clock.monotonic(), clock.now()]
  const elapsed = (): number => Math.floor((clock.monotonic() - start) / tickMs) * tickMs
  return {
    now: () => startMs + elapsed(),
    monotonic: () => start + elapsed(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    during: (work) => clock.during(work),
  }
}
