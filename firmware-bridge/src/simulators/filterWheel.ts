import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedFilterWheel {
  readonly device: SimulatedDevice
  /** Slot in the beam, from 1; between two slots the one that was left last. */
  slot(): number
  /** A fault for tests: the wheel jams at the next slot and its driver says so. */
  jam(jammed: boolean): void
}

const defaultFilters = ['Red', 'Green', 'Blue', 'H_Alpha', 'SII', 'OIII', 'LPR', 'Luminance']

/** A wheel that turns one way, slot by slot, with Debian's wheel simulator's properties. */
export function createSimulatedFilterWheel(options: {
  readonly clock: Clock
  readonly name?: string
  readonly filters?: readonly string[]
  readonly secondsPerSlot?: number
}): SimulatedFilterWheel {
  const { clock, name = 'Filter Simulator', filters = defaultFilters, secondsPerSlot = 0.8 } = options
  let slot = 1
  let jammed = false
  let turning: AbortController | undefined
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_wheel', interface: 16 }, () => turning?.abort())
  const tell = (state: 'Ok' | 'Busy' | 'Alert', message?: string): void =>
    device.update('FILTER_SLOT', { FILTER_SLOT_VALUE: slot }, state, message)

  async function turnTo(target: number): Promise<void> {
    turning?.abort('another filter was asked for')
    const own = new AbortController()
    turning = own
    tell('Busy')
    try {
      while (slot !== target) {
        await clock.sleep(secondsPerSlot * 1000, own.signal)
        if (jammed) return tell('Alert', 'the wheel is jammed')
        slot = (slot % filters.length) + 1
        tell('Busy')
      }
      tell('Ok')
    } catch {
      // Another turn has taken over, or the device was disconnected.
    }
  }

  device.numbers(
    'FILTER_SLOT',
    { FILTER_SLOT_VALUE: [slot, 1, filters.length, '%3.0f'] },
    { group: 'Filter Wheel', onNew: (values) => void turnTo(Math.round(values['FILTER_SLOT_VALUE'] ?? slot)) },
  )
  const names = Object.fromEntries(filters.map((filter, index) => [`FILTER_SLOT_NAME_${index + 1}`, filter]))
  device.texts('FILTER_NAME', names, {
    group: 'Filter Wheel',
    onNew: (values) => device.update('FILTER_NAME', values),
  })
  return {
    device,
    slot: () => slot,
    jam(value) {
      jammed = value
    },
  }
}
