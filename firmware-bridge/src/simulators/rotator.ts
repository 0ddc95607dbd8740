import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'
import { createMotion } from './motion.ts'

export interface SimulatedRotator {
  readonly device: SimulatedDevice
  /** Where the camera really is turned to, degrees in [0, 360). */
  angleDeg(): number
}

/** A rotator that turns the short way at a few degrees a second, with Debian's rotator simulator's properties. */
export function createSimulatedRotator(options: {
  readonly clock: Clock
  readonly name?: string
  readonly degPerSecond?: number
}): SimulatedRotator {
  const { clock, name = 'Rotator Simulator', degPerSecond = 5 } = options
  const motion = createMotion(clock)
  let mechanicalDeg = 0
  let offsetDeg = 0
  let reversed = false
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_rotator', interface: 4096 }, () => motion.stop())
  const shown = (): number => mod(reversed ? -(mechanicalDeg + offsetDeg) : mechanicalDeg + offsetDeg)
  const tell = (state: 'Ok' | 'Busy' | 'Idle'): void => device.update('ABS_ROTATOR_ANGLE', { ANGLE: shown() }, state)

  async function turnTo(angleDeg: number): Promise<void> {
    const way = mod(angleDeg - shown() + 180) - 180
    const to = mechanicalDeg + (reversed ? -way : way)
    tell('Busy')
    const arrived = await motion.go({
      from: mechanicalDeg,
      to,
      perSecond: degPerSecond,
      onStep(value) {
        mechanicalDeg = value
        tell('Busy')
      },
    })
    if (!arrived) return
    mechanicalDeg = mod(to)
    tell('Ok')
  }

  device.numbers(
    'ABS_ROTATOR_ANGLE',
    { ANGLE: [0, 0, 360, '%.2f'] },
    { onNew: (values) => void turnTo(values['ANGLE'] ?? 0) },
  )
  device.numbers(
    'SYNC_ROTATOR_ANGLE',
    { ANGLE: [0, 0, 360, '%.2f'] },
    {
      onNew(values) {
        const wanted = values['ANGLE'] ?? 0
        offsetDeg = mod((reversed ? -wanted : wanted) - mechanicalDeg)
        device.update('SYNC_ROTATOR_ANGLE', values)
        tell('Ok')
      },
    },
  )
  device.switches('ROTATOR_REVERSE', { INDI_ENABLED: false, INDI_DISABLED: true }, 'OneOfMany', {
    onNew(values) {
      reversed = values['INDI_ENABLED'] === true
      device.update('ROTATOR_REVERSE', values)
      tell('Ok')
    },
  })
  device.switches('ROTATOR_ABORT_MOTION', { ABORT: false }, 'AtMostOne', {
    onNew() {
      motion.stop()
      device.update('ROTATOR_ABORT_MOTION', { ABORT: false })
      tell('Idle')
    },
  })
  return { device, angleDeg: () => mod(mechanicalDeg) }
}

const mod = (deg: number): number => ((deg % 360) + 360) % 360
