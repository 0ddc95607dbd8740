import type { Clock } from '../clock.ts'
import { readUps } from '../nut/reading.ts'
import { createNutSession } from '../nut/session.ts'
import type { Random } from '../random.ts'
import type { Connect } from '../wire/wire.ts'
import { driverCard } from './device.ts'
import type { Capability } from './kinds.ts'
import type { Ups } from './ups.ts'

export const nutUpsCard = driverCard('ups', 'NUT', ['mains', 'charge', 'runtime'])

/** upsd listens here unless told otherwise. */
export const nutPort = 3493

export interface NutUpsOptions {
  readonly clock: Clock
  readonly random: Random
  /** Its name in upsd's ups.conf. */
  readonly ups: string
  /** Only where upsd asks for them. With them we log in as a machine that lives from this UPS. */
  readonly username?: string
  readonly password?: string
  /** Between two questions. */
  readonly pollMs?: number
}

const defaultPollMs = 2_000
/** So many polls without an answer, and the supply counts as not connected. */
const missedPolls = 3

/** An uninterruptible power supply that Network UPS Tools watches, asked through upsd. */
export function createNutUps(connect: Connect, options: NutUpsOptions): Ups {
  const { ups, pollMs = defaultPollMs } = options
  const session = createNutSession(connect, { username: undefined, password: undefined, ...options, pollMs })
  const isFresh = (): boolean => session.silentMs <= missedPolls * pollMs

  return {
    state() {
      const problem = session.problem ?? (isFresh() ? undefined : 'upsd does not answer')
      return {
        source: `NUT ${ups}`,
        atMs: session.atMs,
        connected: session.atMs > 0 && problem === undefined,
        problem: problem ?? session.loginProblem,
        ...readUps(session.variables),
      }
    },
    can() {
      const able = new Set<Capability<'ups'>>()
      if (session.variables.has('ups.status')) able.add('mains')
      if (session.variables.has('battery.charge')) able.add('charge')
      if (session.variables.has('battery.runtime')) able.add('runtime')
      return able
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  }
}
