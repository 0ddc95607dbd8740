import { separationDeg } from '@nightjar/firmware-bridge/devices/epoch.ts'
import type { GateSettings } from '../../contract/gateSettings.ts'
import type { Command, CommandOf } from './command.ts'
import { said, silent } from './reading.ts'
import { type Rule, stops } from './rule.ts'
import { placeOf } from './sky.ts'
import type { GateState, MountSaid } from './state.ts'
import { pathFromSunDeg } from './sunPath.ts'

/** Added to the cone before a motion starts: in a slew of three minutes the sky turns 0.75°, and sensors are seconds old. */
export const coneMarginDeg = 1
/** A Sun lower than this shines on nothing: its upper edge with refraction is at -0.83°, and a little. */
export const sunDownDeg = -1

export const sunRules: readonly Rule[] = [
  { id: 'sunPath', applies: ['slew'], reads: ['sky', 'mount', 'cover'], why: whyPathNearSun },
  {
    id: 'sunHere',
    applies: ['unpark', 'track', 'trackRate', 'guide', 'openCover'],
    reads: ['sky', 'mount', 'cover', 'roof'],
    why: whyHereNearSun,
  },
  { id: 'sunAnywhere', applies: ['home', 'move'], reads: ['sky', 'cover'], why: whySunUp },
]

/** The telescope is capped only when a sensor on its cover says so. */
export const capped = (state: GateState, limits: GateSettings): boolean =>
  limits.inputs.cover !== 'absent' && said('cover', state, limits)?.position === 'closed'

const sunDown = ({ sky }: GateState): boolean => sky.sun.altitudeDeg <= sunDownDeg

/** How far from the Sun the telescope points now, degrees; NaN when it has not said where. */
export const sunAwayDeg = (mount: MountSaid, state: GateState): number => separationDeg(mount, state.sky.sun)

/** Both the target and the whole way there; at any height of the Sun, for a plan may not start near it. */
function whyPathNearSun(state: GateState, command: Command, limits: GateSettings): string | undefined {
  if (capped(state, limits)) return undefined
  const target = command as CommandOf<'slew'>
  const keepDeg = limits.sun.coneDeg + coneMarginDeg
  const targetDeg = separationDeg(target, state.sky.sun)
  if (!(targetDeg >= keepDeg)) return `the target is ${targetDeg.toFixed(1)}° from the Sun, nearer than ${keepDeg}°`
  const wayDeg = wayFromSunDeg(state, target, limits)
  if (wayDeg >= keepDeg) return undefined
  if (Number.isNaN(wayDeg)) return 'the mount has not said where it points, so its way past the Sun is not known'
  return `the way there may pass ${wayDeg.toFixed(1)}° from the Sun, nearer than ${keepDeg}°`
}

function wayFromSunDeg(state: GateState, target: CommandOf<'slew'>, { pointing }: GateSettings): number {
  const here = state.mount?.value
  if (!here) return Number.NaN
  const place = (at: { readonly raDeg: number; readonly decDeg: number }) => placeOf(at, state.sky, state.nowMs)
  const known = (side: string | undefined) => (side === 'east' || side === 'west' ? side : undefined)
  return pathFromSunDeg(
    { from: place(here), fromSide: known(here.pierSide), to: place(target), toSide: known(target.pierSide) },
    place(state.sky.sun),
    pointing,
    state.sky.latitudeDeg,
  )
}

function whyHereNearSun(state: GateState, command: Command, limits: GateSettings): string | undefined {
  if (stops(command) || sunDown(state)) return undefined
  if (command.kind === 'openCover') {
    if (silent('roof', state, limits) === undefined && state.roof?.value.position === 'closed') return undefined
    const quiet = silent('mount', state, limits)
    if (quiet !== undefined) return `${quiet}, so it may point at the Sun`
    // A slew under the closed cover may have been let through the cone: it ends first.
    if (state.mount?.value.slewing !== false) return 'the mount is moving, and the Sun is up: wait, or stop it first'
  } else if (capped(state, limits)) return undefined
  const awayDeg = state.mount ? sunAwayDeg(state.mount.value, state) : Number.NaN
  const keepDeg = limits.sun.coneDeg + coneMarginDeg
  if (awayDeg >= keepDeg) return undefined
  if (Number.isNaN(awayDeg)) return 'the mount has not said where it points, which may be at the Sun'
  return `the telescope points ${awayDeg.toFixed(1)}° from the Sun, nearer than ${keepDeg}°`
}

/** Where a search for home or a hand on the buttons goes, nobody knows beforehand. */
function whySunUp(state: GateState, _command: Command, limits: GateSettings): string | undefined {
  if (sunDown(state) || capped(state, limits)) return undefined
  return `the Sun is up, at ${state.sky.sun.altitudeDeg.toFixed(1)}°, and the cover is not closed`
}
