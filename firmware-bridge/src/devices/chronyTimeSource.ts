import type { Clock } from '../clock.ts'
import {
  type ChronyTracking,
  isSynchronised,
  parseTracking,
  rootDistanceSeconds,
} from '../clockQuality/chronyTracking.ts'
import { type RunProgram, runProgram } from '../clockQuality/program.ts'
import { driverCard } from './device.ts'
import { type Poll, pollEvery } from './poll.ts'
import type { TimeSource } from './timeSource.ts'

export const chronyTimeSourceCard = driverCard('timeSource', 'chrony', ['offset', 'uncertainty'])

export interface ChronyOptions {
  readonly clock: Clock
  /** chronyd's command address; without it chronyc tries the local socket and then 127.0.0.1. */
  readonly host?: string
  readonly port?: number
  readonly intervalMs?: number
  readonly run?: RunProgram
}

const defaultIntervalMs = 10_000
/** So many questions without an answer, and the source counts as not connected. */
const missedQuestions = 3

/** How well chronyd keeps the system clock, asked with `chronyc tracking`. */
export function createChronyTimeSource(options: ChronyOptions): TimeSource {
  const { clock, host, port, intervalMs = defaultIntervalMs, run = runProgram } = options
  const argv = [
    ...(host === undefined ? [] : ['-h', host]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '-c',
    '-n',
    'tracking',
  ]
  const poll: Poll<ChronyTracking> = pollEvery({
    clock,
    intervalMs,
    staleMs: missedQuestions * intervalMs,
    async read(signal) {
      const printed = await clock.during(run('chronyc', argv, signal))
      return printed.ok ? parseTracking(printed.value) : printed
    },
  })

  return {
    state() {
      const { value, atMs, problem } = poll
      const synchronised = problem === undefined && value !== undefined && isSynchronised(value)
      return {
        source: 'chrony',
        atMs,
        connected: problem === undefined,
        problem: problem ?? (synchronised ? undefined : 'chronyd follows no source: check its servers and the network'),
        synchronised,
        offsetSeconds: synchronised ? value.offsetSeconds : undefined,
        uncertaintySeconds: synchronised ? rootDistanceSeconds(value) : undefined,
        stratum: synchronised ? value.stratum : undefined,
      }
    },
    can: () => new Set(poll.value && isSynchronised(poll.value) ? chronyTimeSourceCard.can : []),
    [Symbol.asyncDispose]: () => poll[Symbol.asyncDispose](),
  }
}
