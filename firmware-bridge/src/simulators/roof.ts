import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'
import { createMotion } from './motion.ts'

export interface SimulatedRoof {
  readonly device: SimulatedDevice
  /** How far it really is open, 0 to 1. */
  opening(): number
  azimuthDeg(): number
  /** A fault for tests: it no longer moves, and the driver gives up after `motorTimeoutSeconds`. */
  jam(jammed: boolean): void
  /** Somebody opens or closes it by hand; the driver knows only what its end switches say. */
  setOpening(opening: number): void
}

export interface SimulatedRoofOptions {
  readonly clock: Clock
  /** A dome with a shutter (Debian's dome simulator), or a roll-off roof with end switches (indi_rolloffino). */
  readonly style?: 'dome' | 'rollOff'
  readonly name?: string
  readonly openSeconds?: number
  readonly degPerSecond?: number
  readonly motorTimeoutSeconds?: number
}

type State = 'Idle' | 'Ok' | 'Busy' | 'Alert'
const names = {
  dome: { leaf: 'DOME_SHUTTER', open: 'SHUTTER_OPEN', close: 'SHUTTER_CLOSE' },
  rollOff: { leaf: 'DOME_PARK', open: 'UNPARK', close: 'PARK' },
} as const
const lights = 'ROOF STATUS'

/** A roof that takes its time, closed at first. */
export function createSimulatedRoof(options: SimulatedRoofOptions): SimulatedRoof {
  const { clock, style = 'dome', openSeconds = 15, degPerSecond = 10, motorTimeoutSeconds = 60 } = options
  const name = options.name ?? (style === 'dome' ? 'Dome Simulator' : 'RollOff Simulator')
  const leafMotion = createMotion(clock)
  const turning = createMotion(clock)
  let opening = 0
  let azimuthDeg = 0
  let jammed = false
  const exec = style === 'dome' ? 'indi_simulator_dome' : 'indi_rolloffino'
  const device = new SimulatedDevice(name, { exec, interface: 32 }, () => {
    leafMotion.stop()
    turning.stop()
  })
  const { leaf, open, close } = names[style]

  function tellLeaf(wantOpen: boolean | undefined, state: State, message?: string): void {
    device.update(leaf, { [open]: wantOpen === true, [close]: wantOpen === false }, state, message)
    tellSwitches()
  }

  function tellSwitches(): void {
    if (style !== 'rollOff') return
    const lit = (is: boolean): State => (is ? 'Ok' : 'Idle')
    const moving = leafMotion.moving && !jammed
    device.update(lights, {
      ROOF_OPENED: lit(opening === 1),
      ROOF_CLOSED: lit(opening === 0),
      ROOF_MOVING: moving ? 'Busy' : 'Idle',
    })
  }

  async function moveLeaf(wantOpen: boolean): Promise<void> {
    const to = wantOpen ? 1 : 0
    tellLeaf(wantOpen, 'Busy')
    const travel = {
      from: jammed ? 0 : opening,
      to: jammed ? motorTimeoutSeconds : to,
      perSecond: jammed ? 1 : 1 / openSeconds,
      onStep(value: number) {
        if (!jammed) opening = value
        tellSwitches()
      },
    }
    const stuckBefore = jammed
    const arrived = await leafMotion.go(travel)
    if (!arrived) return
    if (stuckBefore || jammed) return tellLeaf(undefined, 'Alert', 'motor time-out: the roof does not move')
    opening = to
    tellLeaf(wantOpen, 'Ok')
  }

  async function turnTo(wantedDeg: number): Promise<void> {
    const way = mod(wantedDeg - azimuthDeg + 180) - 180
    const tell = (state: State): void =>
      device.update('ABS_DOME_POSITION', { DOME_ABSOLUTE_POSITION: azimuthDeg }, state)
    tell('Busy')
    const onStep = (value: number): void => {
      azimuthDeg = mod(value)
      tell('Busy')
    }
    const arrived = await turning.go({ from: azimuthDeg, to: azimuthDeg + way, perSecond: degPerSecond, onStep })
    if (!arrived) return
    azimuthDeg = mod(wantedDeg)
    tell('Ok')
  }

  function abort(): void {
    const [leafMoved, turned] = [leafMotion.moving, turning.moving]
    leafMotion.stop()
    turning.stop()
    device.update('DOME_ABORT_MOTION', { ABORT: false })
    // A shutter that was stopped on its way stands nowhere that is known.
    if (leafMoved) tellLeaf(undefined, 'Idle', 'the motion was aborted')
    if (turned) device.update('ABS_DOME_POSITION', { DOME_ABSOLUTE_POSITION: azimuthDeg }, 'Idle')
  }

  if (style === 'dome') {
    device.switches(leaf, { [open]: false, [close]: true }, 'AtMostOne', {
      state: 'Ok',
      onNew: (values) => void moveLeaf(values[open] === true),
    })
    device.numbers(
      'ABS_DOME_POSITION',
      { DOME_ABSOLUTE_POSITION: [0, 0, 360, '%6.2f'] },
      { state: 'Ok', onNew: (values) => void turnTo(values['DOME_ABSOLUTE_POSITION'] ?? 0) },
    )
  } else {
    // AtMostOne here, because a roof that was stopped is neither parked nor unparked.
    device.switches(leaf, { [close]: true, [open]: false }, 'AtMostOne', {
      state: 'Ok',
      onNew: (values) => void moveLeaf(values[open] === true),
    })
    device.lights(lights, {
      ROOF_OPENED: 'Idle',
      ROOF_CLOSED: 'Ok',
      ROOF_MOVING: 'Idle',
      ROOF_LOCK: 'Idle',
      ROOF_AUXILIARY: 'Idle',
    })
  }
  device.switches('DOME_ABORT_MOTION', { ABORT: false }, 'AtMostOne', { onNew: abort })

  return {
    device,
    opening: () => opening,
    azimuthDeg: () => azimuthDeg,
    jam(value) {
      jammed = value
    },
    setOpening(value) {
      opening = value
      tellSwitches()
    },
  }
}

const mod = (deg: number): number => ((deg % 360) + 360) % 360
