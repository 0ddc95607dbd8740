import { counterweightUpDeg } from '../../pier.ts'
import type { World } from './world.ts'

/** Since when something that may last a moment has lasted, monotonic ms. */
export interface Since {
  cone: number | undefined
  beyond: number | undefined
  readonly closing: number | undefined
}

/** Seconds that the supervision has to put right what the sky has turned wrong. */
const putRightSeconds = 150
/** Parking, closing, their repeats and a link that comes back: longer than this without an alarm is a roof forgotten. */
const closeWithinSeconds = 900
/** What hands on the buttons and the catalogue's epoch may add. */
const slackDeg = 1.5

/** What has come to harm in the world of bodies, whatever any sensor says; undefined when nothing has. */
export function hurt(world: World, after: { leave: boolean; alarm: boolean; times: Since }): string | undefined {
  return roofHurt(world, after.leave) ?? sunHurt(world, after) ?? limitHurt(world, after) ?? leftOpen(world, after)
}

function roofHurt(world: World, leave: boolean): string | undefined {
  const way = !world.clearOfRoof || world.moving
  if (world.roofMotor !== 0 && way && !leave) return 'the roof moves with the telescope in its way'
  const away = !world.parked && world.roof < 1 && !leave
  if (away && !world.clearOfRoof) return 'the telescope is out of its park position under a roof that is not open'
  return undefined
}

function sunHurt(world: World, { alarm, times }: { alarm: boolean; times: Since }): string | undefined {
  const { altitudeDeg, awayDeg } = world.sunNow()
  const shone = altitudeDeg > -0.5 && awayDeg < world.limits.sun.coneDeg && world.cover === 'open' && world.roof > 0
  if (!shone || world.parked || world.goal === 'park') {
    times.cone = undefined
    return undefined
  }
  if (world.goal === 'slew' || world.goal === 'hand' || world.goal === 'home')
    return `the telescope is moved ${awayDeg.toFixed(1)}° from the Sun`
  times.cone ??= world.monotonicMs
  const seconds = (world.monotonicMs - times.cone) / 1000
  return seconds > putRightSeconds && !alarm
    ? `the telescope has stood ${awayDeg.toFixed(1)}° from the Sun for ${seconds} s`
    : undefined
}

function limitHurt(world: World, { alarm, times }: { alarm: boolean; times: Since }): string | undefined {
  const reason = world.tracking && world.goal === 'none' ? beyond(world) : undefined
  if (reason !== undefined && world.arrived) return `a slew has ended where ${reason}`
  if (reason === undefined || !world.links.mount.up) {
    times.beyond = undefined
    return undefined
  }
  times.beyond ??= world.monotonicMs
  const seconds = (world.monotonicMs - times.beyond) / 1000
  return seconds > putRightSeconds && !alarm ? `${reason} for ${seconds} s` : undefined
}

function beyond(world: World): string | undefined {
  const { minAltitudeDeg, maxAltitudeDeg, counterweightUpDeg: limit } = world.limits.pointing
  const { altitudeDeg, hourAngleDeg } = world.place()
  if (altitudeDeg < minAltitudeDeg - slackDeg || altitudeDeg > maxAltitudeDeg + slackDeg)
    return `the telescope tracks at ${altitudeDeg.toFixed(1)}° of altitude`
  const up = counterweightUpDeg(world.side, hourAngleDeg)
  return world.german && up > limit + slackDeg ? `the counterweight is up by ${up.toFixed(1)}°` : undefined
}

function leftOpen(world: World, { alarm, times }: { alarm: boolean; times: Since }): string | undefined {
  if (times.closing === undefined || alarm) return undefined
  if (world.roof === 0 && world.roofMotor === 0) return undefined
  const seconds = (world.monotonicMs - times.closing) / 1000
  return seconds > closeWithinSeconds
    ? `the roof has been wanted shut for ${seconds.toFixed(0)} s without an alarm`
    : undefined
}

/** Sensors may be this late with the first drop, and the recovery timer may have begun this long before the last. */
const rainSlackMs = 60_000

/** Why the roof should not have begun to open: to be asked when the command goes out. */
export function openingHurt(world: World): string | undefined {
  const { altitudeDeg } = world.sunNow()
  if (altitudeDeg > world.limits.sun.maxAltitudeDeg + 0.5)
    return `the roof opens under a Sun at ${altitudeDeg.toFixed(1)}°`
  const sinceMs = world.monotonicMs - world.rainTurnedMs
  if (world.raining && sinceMs > rainSlackMs) return `the roof opens after ${(sinceMs / 1000).toFixed(0)} s of rain`
  const recoveryMs = world.limits.recoveryMinutes * 60_000
  if (!world.raining && world.rainSeen && sinceMs < recoveryMs - rainSlackMs)
    return `the roof opens ${(sinceMs / 1000).toFixed(0)} s after rain`
  return undefined
}
