import type { Clock } from '../clock.ts'
import { parseAdjtimex } from '../clockQuality/kernelClock.ts'
import { type RunProgram, runProgram } from '../clockQuality/program.ts'
import { driverCard } from './device.ts'
import { pollEvery } from './poll.ts'
import type { TimeSource } from './timeSource.ts'

export const kernelTimeSourceCard = driverCard('timeSource', 'Linux', ['offset', 'uncertainty'])

export interface KernelTimeSourceOptions {
  readonly clock: Clock
  readonly intervalMs?: number
  readonly run?: RunProgram
}

const defaultIntervalMs = 10_000
const missedQuestions = 3

/**
 * What the kernel knows of the system clock, whoever steers it (systemd-timesyncd, ntpd): `adjtimex --print` of Debian's
 * package adjtimex. Coarser than chrony's own words: the bound grows from one correction to the next.
 */
export function createKernelTimeSource(options: KernelTimeSourceOptions): TimeSource {
  const { clock, intervalMs = defaultIntervalMs, run = runProgram } = options
  const poll = pollEvery({
    clock,
    intervalMs,
    staleMs: missedQuestions * intervalMs,
    async read(signal) {
      const printed = await clock.during(run('adjtimex', ['--print'], signal))
      return printed.ok ? parseAdjtimex(printed.value) : printed
    },
  })
  return {
    state() {
      const { value, atMs, problem } = poll
      const synchronised = problem === undefined && value?.synchronised === true
      return {
        source: 'Linux kernel clock',
        atMs,
        connected: problem === undefined,
        problem: problem ?? (synchronised ? undefined : 'nothing keeps the system clock: install chrony'),
        synchronised,
        offsetSeconds: synchronised ? value.offsetSeconds : undefined,
        uncertaintySeconds: synchronised ? value.maximumErrorSeconds : undefined,
      }
    },
    can: () => new Set(poll.value?.synchronised ? kernelTimeSourceCard.can : []),
    [Symbol.asyncDispose]: () => poll[Symbol.asyncDispose](),
  }
}
