import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'
import { createMotion } from './motion.ts'

export interface SimulatedCover {
  readonly device: SimulatedDevice
  /** How far the lid is open, 0 to 1. */
  opening(): number
  /** The light's brightness, 0 to 255; 0 while it is off. */
  brightness(): number
}

const mostBrightness = 255

/** A motorised lid, with a light inside when asked for: libindi's dust cap and light box interfaces. */
export function createSimulatedCover(options: {
  readonly clock: Clock
  readonly name?: string
  readonly openSeconds?: number
  readonly light?: boolean
}): SimulatedCover {
  const { clock, name = 'Dust Cover Simulator', openSeconds = 8, light = false } = options
  const motion = createMotion(clock)
  let opening = 0
  const bits = 512 + 32_768 + (light ? 1024 : 0)
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_dustcover', interface: bits }, () => motion.stop())

  async function moveTo(open: boolean): Promise<void> {
    const values = { PARK: !open, UNPARK: open }
    device.update('CAP_PARK', values, 'Busy')
    const to = open ? 1 : 0
    const onStep = (value: number): void => {
      opening = value
    }
    const arrived = await motion.go({ from: opening, to, perSecond: 1 / openSeconds, onStep })
    if (!arrived) return
    opening = to
    device.update('CAP_PARK', values, 'Ok')
  }

  device.switches('CAP_PARK', { PARK: true, UNPARK: false }, 'AtMostOne', {
    state: 'Ok',
    onNew: (values) => void moveTo(values['UNPARK'] === true),
  })
  device.switches('CAP_ABORT', { ABORT: false }, 'AtMostOne', {
    onNew() {
      const moved = motion.moving
      motion.stop()
      device.update('CAP_ABORT', { ABORT: false })
      if (moved) device.update('CAP_PARK', { PARK: false, UNPARK: false }, 'Idle')
    },
  })
  if (light) addLight(device)
  return { device, opening: () => opening, brightness: () => (light ? brightnessOf(device) : 0) }
}

/** The light box interface, on a device of its own or in a lid. */
export function addLight(device: SimulatedDevice): void {
  device.switches('FLAT_LIGHT_CONTROL', { FLAT_LIGHT_ON: false, FLAT_LIGHT_OFF: true }, 'OneOfMany', {
    onNew: (values) => device.update('FLAT_LIGHT_CONTROL', values),
  })
  device.numbers(
    'FLAT_LIGHT_INTENSITY',
    { FLAT_LIGHT_INTENSITY_VALUE: [0, 0, mostBrightness, '%.f'] },
    { onNew: (values) => device.update('FLAT_LIGHT_INTENSITY', values) },
  )
}

export const brightnessOf = (device: SimulatedDevice): number =>
  device.chosen('FLAT_LIGHT_CONTROL') === 'FLAT_LIGHT_ON'
    ? device.number('FLAT_LIGHT_INTENSITY', 'FLAT_LIGHT_INTENSITY_VALUE')
    : 0
