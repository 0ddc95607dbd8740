import { separationDeg } from '@nightjar/firmware-bridge/devices/epoch.ts'
import type { GatePointing, GateSettings } from '../../contract/gateSettings.ts'
import { horizonAt } from '../horizon.ts'
import { pierReason } from '../pier.ts'
import type { Command, CommandOf } from './command.ts'
import { said, silent } from './reading.ts'
import { mountMotions, type Rule, stops } from './rule.ts'
import { type Place, placeOf } from './sky.ts'
import type { GateState, MountSaid } from './state.ts'
import { sunRules } from './sunRules.ts'

/** Where the telescope may point, and what its mount may be told. */
export const mountRules: readonly Rule[] = [
  {
    id: 'mountKnown',
    applies: [...mountMotions, 'sync', 'syncClock'],
    reads: ['mount'],
    why: (state, command, limits) => (stops(command) ? undefined : silent('mount', state, limits)),
  },
  {
    id: 'unparked',
    applies: ['slew', 'home', 'move', 'guide', 'track', 'trackRate', 'sync'],
    reads: ['mount'],
    why: (state, command) =>
      stops(command) || state.mount?.value.parked === false ? undefined : 'the mount is parked',
  },
  {
    id: 'mountStill',
    // A move by hand is renewed for as long as the button is held, and checked each time.
    applies: ['slew', 'home', 'guide', 'sync', 'syncClock'],
    reads: ['mount'],
    why: (state) => (state.mount?.value.slewing === false ? undefined : 'the mount is moving: wait, or stop it first'),
  },
  { id: 'horizon', applies: aimed(), reads: ['mount', 'sky'], why: atAim(belowHorizon) },
  { id: 'zenith', applies: aimed(), reads: ['mount', 'sky'], why: atAim(aboveZenithLimit) },
  { id: 'pier', applies: ['slew', 'move', 'guide', 'track', 'trackRate'], reads: ['mount', 'sky'], why: whyNotPier },
  { id: 'moon', applies: ['slew'], reads: ['sky'], why: whyNearMoon },
  ...sunRules,
  { id: 'slewTarget', applies: ['slew', 'sync'], reads: [], why: notOnTheSky },
  { id: 'syncDistance', applies: ['sync'], reads: ['mount'], why: whyNotSync },
  { id: 'trackRate', applies: ['trackRate'], reads: [], why: whyNotRate },
  { id: 'guidePulse', applies: ['guide'], reads: [], why: whyNotPulse },
  {
    id: 'moveSpeed',
    applies: ['move'],
    reads: [],
    why: (_state, command) => {
      const { speed } = command as CommandOf<'move'>
      return speed > 0 && speed <= 1 ? undefined : `speed ${speed} is not within 0 and 1 of the fastest`
    },
  },
  {
    id: 'clockOfResting',
    applies: ['syncClock'],
    reads: ['mount'],
    why: (state) =>
      state.mount?.value.tracking === false ? undefined : 'the mount tracks: a new time would move it, stop it first',
  },
]

/** Commands that end at a place that is known: the target's, or the one where the telescope is. */
function aimed(): Rule['applies'] {
  return ['slew', 'sync', 'move', 'guide', 'track', 'trackRate']
}

/** Where the telescope will point after the command: the target, or where it says it points now (NaN when it does not). */
function aimOf(state: GateState, command: Command): { readonly raDeg: number; readonly decDeg: number } {
  if (command.kind === 'slew' || command.kind === 'sync') return command
  return state.mount?.value ?? { raDeg: Number.NaN, decDeg: Number.NaN }
}

function atAim(test: (place: Place, pointing: GatePointing) => string | undefined): Rule['why'] {
  return (state, command, { pointing }) =>
    stops(command) ? undefined : test(placeOf(aimOf(state, command), state.sky, state.nowMs), pointing)
}

function belowHorizon({ altitudeDeg, azimuthDeg }: Place, pointing: GatePointing): string | undefined {
  if (Number.isNaN(altitudeDeg)) return 'nobody knows where the telescope would point'
  if (!(altitudeDeg >= pointing.minAltitudeDeg))
    return `the target stands at ${altitudeDeg.toFixed(1)}°, below ${pointing.minAltitudeDeg}°`
  const treesDeg = horizonAt(pointing.horizon, azimuthDeg)
  if (altitudeDeg >= treesDeg) return undefined
  return `the target stands at ${altitudeDeg.toFixed(1)}°, below the horizon of ${treesDeg.toFixed(1)}° at azimuth ${azimuthDeg.toFixed(0)}°`
}

function aboveZenithLimit({ altitudeDeg }: Place, { maxAltitudeDeg }: GatePointing): string | undefined {
  if (altitudeDeg <= maxAltitudeDeg) return undefined
  if (Number.isNaN(altitudeDeg)) return 'nobody knows where the telescope would point'
  return `the target stands at ${altitudeDeg.toFixed(1)}°, above ${maxAltitudeDeg}°`
}

function whyNotPier(state: GateState, command: Command, { pointing }: GateSettings): string | undefined {
  if (stops(command)) return undefined
  const { hourAngleDeg } = placeOf(aimOf(state, command), state.sky, state.nowMs)
  const now = state.mount?.value.pierSide ?? 'unknown'
  if (command.kind !== 'slew') {
    if (command.kind === 'move' && now === 'unknown' && pointing.mount === 'german')
      return 'the side of the pier is not known: the mount may be slewed, but not moved by hand'
    return pierReason(pointing, now, hourAngleDeg)
  }
  const side = command.pierSide ?? 'unknown'
  if (side !== 'unknown') return pierReason(pointing, side, hourAngleDeg)
  // A mount that tells its side takes the one with its counterweight down, which is within every limit but the farthest.
  return pierReason(pointing, now === 'unknown' ? now : hourAngleDeg < 0 ? 'west' : 'east', hourAngleDeg)
}

function whyNearMoon({ sky: { moon } }: GateState, command: Command, limits: GateSettings): string | undefined {
  const { minMoonSeparationDeg } = limits.pointing
  if (minMoonSeparationDeg === 0) return undefined
  if (!moon) return 'nobody has worked out where the Moon is'
  const awayDeg = separationDeg(command as CommandOf<'slew'>, moon)
  if (awayDeg >= minMoonSeparationDeg) return undefined
  return `the target is ${awayDeg.toFixed(0)}° from the Moon, nearer than ${minMoonSeparationDeg}°`
}

function notOnTheSky(_state: GateState, command: Command): string | undefined {
  const { raDeg, decDeg } = command as CommandOf<'slew'>
  if (raDeg >= 0 && raDeg < 360 && decDeg >= -90 && decDeg <= 90) return undefined
  return `right ascension ${raDeg}°, declination ${decDeg}° is no place on the sky`
}

function whyNotSync(state: GateState, command: Command, { pointing }: GateSettings): string | undefined {
  const here = state.mount?.value
  const offDeg = here ? separationDeg(here, command as CommandOf<'sync'>) : Number.NaN
  if (offDeg <= pointing.maxSyncDeg) return undefined
  if (Number.isNaN(offDeg)) return 'the mount has not said where it points'
  return `the sync would move the pointing by ${offDeg.toFixed(1)}°, more than ${pointing.maxSyncDeg}°`
}

function whyNotRate(_state: GateState, command: Command, { pointing }: GateSettings): string | undefined {
  const { rate, custom } = command as CommandOf<'trackRate'>
  if (rate !== 'custom') return undefined
  const fastest = Math.max(
    Math.abs(custom?.raArcsecPerSecond ?? Number.NaN),
    Math.abs(custom?.decArcsecPerSecond ?? Number.NaN),
  )
  if (fastest <= pointing.maxTrackRateArcsecPerSecond) return undefined
  return `a track rate of ${fastest} arcsec/s is more than ${pointing.maxTrackRateArcsecPerSecond} arcsec/s`
}

function whyNotPulse(_state: GateState, command: Command, { pointing }: GateSettings): string | undefined {
  const { milliseconds } = command as CommandOf<'guide'>
  if (milliseconds > 0 && milliseconds <= pointing.maxGuidePulseMs) return undefined
  return `a guide pulse of ${milliseconds} ms is not within 0 and ${pointing.maxGuidePulseMs} ms`
}

/** Why the telescope, pointing where it says, is beyond a limit now; undefined when it is not, or does not say. */
export function beyondLimits(mount: MountSaid, state: GateState, { pointing }: GateSettings): string | undefined {
  const place = placeOf(mount, state.sky, state.nowMs)
  if (Number.isNaN(place.altitudeDeg)) return undefined
  return (
    belowHorizon(place, pointing) ??
    aboveZenithLimit(place, pointing) ??
    pierReason(pointing, mount.pierSide, place.hourAngleDeg)
  )
}

/** The mount's word when it may be believed and is not parked. */
export function unparkedMount(state: GateState, limits: GateSettings): MountSaid | undefined {
  const mount = said('mount', state, limits)
  return mount?.parked === false ? mount : undefined
}
