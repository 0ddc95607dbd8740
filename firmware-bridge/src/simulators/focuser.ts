import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedFocuser {
  readonly device: SimulatedDevice
  /** Steps. */
  position(): number
}

const stepsPerSecond = 20_000

/** An absolute focuser with Debian's focuser simulator's properties. */
export function createSimulatedFocuser(options: {
  readonly clock: Clock
  readonly name?: string
  readonly startSteps: number
  readonly maxSteps?: number
}): SimulatedFocuser {
  const { clock, name = 'Focuser Simulator', startSteps, maxSteps = 100_000 } = options
  let steps = startSteps
  let moving: AbortController | undefined
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_focus', interface: 8 }, () =>
    moving?.abort('disconnected'),
  )

  async function moveTo(target: number): Promise<void> {
    moving?.abort('a new position was asked')
    const own = new AbortController()
    moving = own
    device.update('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: steps }, 'Busy')
    try {
      await clock.sleep((Math.abs(target - steps) / stepsPerSecond) * 1000, own.signal)
      steps = target
      device.update('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: steps }, 'Ok')
    } catch {
      device.update('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: steps }, 'Alert', 'the move was aborted')
    }
  }

  device.numbers(
    'ABS_FOCUS_POSITION',
    { FOCUS_ABSOLUTE_POSITION: [steps, 0, maxSteps] },
    {
      onNew: (values) => void moveTo(Math.round(values['FOCUS_ABSOLUTE_POSITION'] ?? steps)),
    },
  )
  device.switches('FOCUS_ABORT_MOTION', { ABORT: false }, 'AtMostOne', {
    onNew: () => {
      moving?.abort('aborted')
      device.update('FOCUS_ABORT_MOTION', { ABORT: false })
    },
  })
  device.numbers('FOCUS_TEMPERATURE', { TEMPERATURE: [10, -50, 70] }, { permission: 'ro' })
  return { device, position: () => steps }
}
