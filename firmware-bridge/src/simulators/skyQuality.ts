import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedSkyQuality {
  readonly device: SimulatedDevice
  setSky(magPerSquareArcsec: number, temperatureC: number): void
  /** Reads the sensor until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

const readMs = 5_000

/** A sky quality meter with Debian's SQM simulator's properties. */
export function createSimulatedSkyQuality(options: {
  readonly clock: Clock
  readonly name?: string
}): SimulatedSkyQuality {
  const { clock, name = 'SQM Simulator' } = options
  let values = { SKY_BRIGHTNESS: 21.3, SKY_TEMPERATURE: 8 }
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_sqm', interface: 0 }, () => undefined)
  device.numbers(
    'SKY_QUALITY',
    {
      SKY_BRIGHTNESS: [values.SKY_BRIGHTNESS, -20, 30, '%6.2f'],
      SKY_TEMPERATURE: [values.SKY_TEMPERATURE, -50, 80, '%6.2f'],
    },
    { permission: 'ro', state: 'Ok' },
  )
  return {
    device,
    setSky(magPerSquareArcsec, temperatureC) {
      values = { SKY_BRIGHTNESS: magPerSquareArcsec, SKY_TEMPERATURE: temperatureC }
    },
    async run(signal) {
      while (!signal.aborted) {
        if (device.connected) device.update('SKY_QUALITY', values)
        await clock.sleep(readMs, signal).catch(() => undefined)
      }
    },
  }
}
