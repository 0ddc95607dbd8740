import type { GateSettings } from '../../contract/gateSettings.ts'
import type { Command, CommandOf } from './command.ts'
import { seesRain } from './hazards.ts'
import { said, silent } from './reading.ts'
import { mountMotions, type Rule, stops } from './rule.ts'
import type { GateState } from './state.ts'

/** The roof and the telescope never meet: neither moves unless a sensor has said that the other is out of its way. */
export const roofRules: readonly Rule[] = [
  {
    id: 'roofExists',
    applies: ['openRoof', 'closeRoof', 'abortRoof', 'turnDome'],
    reads: [],
    why: (_state, _command, limits) => (limits.inputs.roof === 'absent' ? 'this site has no roof' : undefined),
  },
  {
    id: 'roofKnown',
    applies: ['openRoof', 'turnDome'],
    reads: ['roof'],
    why: (state, _command, limits) => silent('roof', state, limits) ?? roofFault(state),
  },
  {
    id: 'roofStill',
    applies: ['openRoof', 'turnDome'],
    reads: ['roof'],
    why: (state, command) => {
      const position = state.roof?.value.position
      if (position === 'closing' || (position === 'opening' && command.kind === 'turnDome'))
        return `the roof is ${position}: wait, or stop it first`
      return undefined
    },
  },
  {
    id: 'openOverParked',
    applies: ['openRoof'],
    reads: ['mount', 'safety'],
    why: (state, _command, limits) => mountNotParked(state, limits) ?? sensorNotParked(state, limits),
  },
  {
    id: 'closeOverParked',
    applies: ['closeRoof'],
    reads: ['mount', 'safety', 'rain', 'weather', 'history'],
    why: whyNotClose,
  },
  {
    id: 'roofOpen',
    applies: mountMotions,
    reads: ['roof'],
    why: (state, command, limits) => (stops(command) ? undefined : roofNotOpen(state, limits)),
  },
  { id: 'domeTurns', applies: ['turnDome'], reads: ['roof'], why: whyNotTurn },
]

function roofFault(state: GateState): string | undefined {
  const fault = state.roof?.value.fault
  return fault === undefined ? undefined : `the roof reports ${fault}`
}

/** Why the roof is not confirmed open; undefined when it is, or where the site says that it has none. */
export function roofNotOpen(state: GateState, limits: GateSettings): string | undefined {
  if (limits.inputs.roof === 'absent') return undefined
  const quiet = silent('roof', state, limits) ?? roofFault(state)
  if (quiet !== undefined) return quiet
  const position = state.roof?.value.position
  return position === 'open'
    ? undefined
    : `the roof is ${position === 'unknown' ? 'neither open nor closed' : position}`
}

function mountNotParked(state: GateState, limits: GateSettings): string | undefined {
  const quiet = silent('mount', state, limits)
  if (quiet !== undefined) return quiet
  const { parked, slewing, tracking } = state.mount!.value
  if (parked !== true) return 'the mount is not parked'
  return slewing === false && tracking === false ? undefined : 'the mount says parked, and moves'
}

/** The sensor of its own outvotes the mount, whose word for "parked" is a flag in its memory. */
function sensorNotParked(state: GateState, limits: GateSettings): string | undefined {
  if (limits.inputs.mountParkedSensor === 'absent')
    return said('safety', state, limits)?.mountParked === false
      ? 'the park sensor does not see the telescope'
      : undefined
  const quiet = silent('safety', state, limits)
  if (quiet !== undefined) return quiet
  return state.safety!.value.mountParked === true ? undefined : 'the park sensor does not see the telescope'
}

/**
 * Why the telescope may be in the way of the closing roof. Where a park sensor is, its word is enough, so that a mount
 * without power does not keep the roof open; but a mount that says it moves is believed.
 */
export function inTheWay(state: GateState, limits: GateSettings): string | undefined {
  if (limits.inputs.mountParkedSensor === 'absent')
    return mountNotParked(state, limits) ?? sensorNotParked(state, limits)
  const mount = said('mount', state, limits)
  if (mount && (mount.slewing !== false || mount.tracking !== false)) return 'the mount moves'
  return sensorNotParked(state, limits)
}

/** Closing over a telescope that is not parked needs the site's leave, rain that a sensor sees now, and a mount that was asked long enough. */
function whyNotClose(state: GateState, _command: Command, limits: GateSettings): string | undefined {
  const reason = inTheWay(state, limits)
  if (reason === undefined) return undefined
  const policy = limits.roof.whenRainAndNotParked
  if (policy.kind === 'never' || !seesRain(state, limits)) return reason
  if (said('mount', state, limits)?.slewing === true) return `${reason}, and it is moving`
  const seconds = (state.monotonicMs - (state.history.parkingSinceMs ?? Number.NaN)) / 1000
  if (seconds >= policy.afterSeconds) return undefined
  return `${reason}; in rain the roof closes anyway after ${policy.afterSeconds} s of parking`
}

function whyNotTurn(state: GateState, command: Command): string | undefined {
  const { azimuthDeg } = command as CommandOf<'turnDome'>
  if (!(azimuthDeg >= 0 && azimuthDeg < 360)) return `azimuth ${azimuthDeg}° is not within 0° and 360°`
  return state.roof?.value.azimuthDeg === undefined ? 'this roof does not turn' : undefined
}
