import type { GateSettings } from '../../contract/gateSettings.ts'
import type { Command, CommandOf } from './command.ts'
import { said, silent } from './reading.ts'
import { inTheWay } from './roofRules.ts'
import type { Rule } from './rule.ts'
import type { GateState } from './state.ts'

/** The camera and what stands around it, and the power of all. */
export const cameraRules: readonly Rule[] = [
  {
    id: 'cameraKnown',
    applies: ['expose', 'cooler'],
    reads: ['camera'],
    why: (state, _command, limits) => silent('camera', state, limits),
  },
  {
    id: 'cameraBusy',
    applies: ['expose', 'focus', 'filter', 'rotate'],
    reads: ['camera'],
    why: (state, _command, limits) =>
      said('camera', state, limits)?.exposing === true ? 'the camera is exposing' : undefined,
  },
  { id: 'exposureTime', applies: ['expose'], reads: [], why: whyNotExposure },
  { id: 'diskFree', applies: ['expose'], reads: ['disk'], why: (state, _command, limits) => diskFull(state, limits) },
  { id: 'setPoint', applies: ['cooler'], reads: [], why: whyNotSetPoint },
  { id: 'instrumentValue', applies: ['focus', 'filter', 'rotate', 'dewHeater'], reads: [], why: whyNotValue },
  { id: 'powerOfMount', applies: ['power'], reads: ['mount', 'safety'], why: cut('mount', inTheWay) },
  {
    id: 'powerOfCamera',
    applies: ['power'],
    reads: ['camera'],
    why: cut('camera', (state, limits) =>
      said('camera', state, limits)?.exposing === true ? 'the camera is exposing' : undefined,
    ),
  },
  { id: 'powerOfRoof', applies: ['power'], reads: ['roof'], why: cut('roof', roofMayMove) },
  { id: 'powerOfSafety', applies: ['power'], reads: [], why: cut('safety', () => 'the safety controller keeps watch') },
  { id: 'powerPort', applies: ['power'], reads: [], why: whyNotPort },
]

/** Why there is too little room for a frame. */
export function diskFull(state: GateState, limits: GateSettings): string | undefined {
  const quiet = silent('disk', state, limits)
  if (quiet !== undefined) return quiet
  const { freeBytes } = state.disk!.value
  if (freeBytes >= limits.disk.minFreeBytes) return undefined
  if (Number.isNaN(freeBytes)) return 'nobody knows how much room the disk has'
  return `the disk has ${(freeBytes / 1e9).toFixed(1)} GB free, less than ${(limits.disk.minFreeBytes / 1e9).toFixed(1)} GB`
}

function whyNotExposure(_state: GateState, command: Command, { camera }: GateSettings): string | undefined {
  const { seconds } = command as CommandOf<'expose'>
  if (seconds >= 0 && seconds <= camera.maxExposureSeconds) return undefined
  return `an exposure of ${seconds} s is not within 0 and ${camera.maxExposureSeconds} s`
}

function whyNotSetPoint(_state: GateState, command: Command, { camera }: GateSettings): string | undefined {
  const { celsius } = command as CommandOf<'cooler'>
  if (celsius === undefined || (celsius >= camera.minSetPointC && celsius <= camera.maxSetPointC)) return undefined
  return `${celsius} °C is not within ${camera.minSetPointC} °C and ${camera.maxSetPointC} °C`
}

/** INDI takes NaN and is busy with it for ever: nothing that is not a number goes out. */
function whyNotValue(_state: GateState, command: Command): string | undefined {
  switch (command.kind) {
    case 'focus':
      return Number.isSafeInteger(command.steps) && command.steps >= 0
        ? undefined
        : `${command.steps} is no focuser position`
    case 'filter':
      return command.name.length > 0 ? undefined : 'the filter has no name'
    case 'rotate':
      return command.angleDeg >= 0 && command.angleDeg < 360
        ? undefined
        : `an angle of ${command.angleDeg}° is not within 0° and 360°`
    case 'dewHeater':
      return command.percent >= 0 && command.percent <= 100
        ? undefined
        : `a heater power of ${command.percent} % is not within 0 % and 100 %`
    default:
      return undefined
  }
}

const portOf = (command: Command, limits: GateSettings) =>
  limits.power.find(({ port }) => port === (command as CommandOf<'power'>).port)

/** A reason against cutting the power of one thing. */
function cut(
  feed: 'mount' | 'camera' | 'roof' | 'safety',
  why: (state: GateState, limits: GateSettings) => string | undefined,
): Rule['why'] {
  return (state, command, limits) => {
    if ((command as CommandOf<'power'>).on || !portOf(command, limits)?.feeds.includes(feed)) return undefined
    const reason = why(state, limits)
    return reason === undefined ? undefined : `${(command as CommandOf<'power'>).port} feeds the ${feed}: ${reason}`
  }
}

function roofMayMove(state: GateState, limits: GateSettings): string | undefined {
  if (limits.inputs.roof === 'absent') return undefined
  const quiet = silent('roof', state, limits)
  if (quiet !== undefined) return quiet
  const { position } = state.roof!.value
  return position === 'open' || position === 'closed' ? undefined : 'the roof is neither open nor closed'
}

function whyNotPort(_state: GateState, command: Command, limits: GateSettings): string | undefined {
  const { on, port } = command as CommandOf<'power'>
  return on || portOf(command, limits) ? undefined : `the settings do not say what ${port} feeds`
}
