import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedLoad {
  readonly name: string
  /** What it draws while it is on. */
  readonly amps: number
}

export interface SimulatedPower {
  readonly device: SimulatedDevice
  isOn(port: string): boolean
  /** A fault for tests: this outlet blows its fuse and no longer turns on. */
  blowFuse(port: string): void
  /** Measures until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

export interface SimulatedPowerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly name?: string
  readonly loads?: readonly SimulatedLoad[]
  readonly heaters?: readonly string[]
}

const defaultLoads: readonly SimulatedLoad[] = [
  { name: 'Mount', amps: 1.8 },
  { name: 'Camera', amps: 2.4 },
  { name: 'Focuser', amps: 0.4 },
  { name: 'Computer', amps: 1.1 },
]
const heaterAmps = 1.5
const supplyVolts = 12.6
/** Supply and leads together. */
const ohms = 0.05
const measureMs = 2_000

/** A power box with libindi 2's power interface: outlets that draw current, dew heaters, a supply that sags under load. */
export function createSimulatedPower(options: SimulatedPowerOptions): SimulatedPower {
  const {
    clock,
    random,
    name = 'Power Simulator',
    loads = defaultLoads,
    heaters = ['Telescope', 'Guide scope'],
  } = options
  const blown = new Set<string>()
  const device = new SimulatedDevice(
    name,
    { exec: 'indi_simulator_power', interface: 2 ** 18 + 32_768 },
    () => undefined,
  )
  const channel = (index: number): string => `POWER_CHANNEL_${index + 1}`
  const dew = (index: number): string => `DEW_CHANNEL_${index + 1}`
  const each = <T>(count: number, element: (index: number) => string, value: (index: number) => T): Record<string, T> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [element(index), value(index)]))
  const perLoad = <T>(value: (index: number) => T): Record<string, T> => each(loads.length, channel, value)
  const perHeater = <T>(value: (index: number) => T): Record<string, T> => each(heaters.length, dew, value)

  function setChannels(values: Readonly<Record<string, boolean>>): void {
    const failed = loads.findIndex((load, index) => values[channel(index)] === true && blown.has(load.name))
    if (failed >= 0) {
      device.update(
        'POWER_CHANNELS',
        { ...values, [channel(failed)]: false },
        'Alert',
        `${loads[failed]?.name}: fuse blown`,
      )
    } else device.update('POWER_CHANNELS', values)
    measure()
  }

  function measure(): void {
    const noise = (): number => 1 + 0.02 * random.normal()
    const amps = loads.map((load, index) => (device.isOn('POWER_CHANNELS', channel(index)) ? load.amps * noise() : 0))
    const heat = heaters.map((_, index) =>
      device.isOn('DEW_CHANNELS', dew(index)) ? (heaterAmps * device.number('DEW_DUTY_CYCLES', dew(index))) / 100 : 0,
    )
    const total = [...amps, ...heat].reduce((sum, one) => sum + one, 0)
    const volts = supplyVolts - ohms * total
    device.update(
      'POWER_CURRENTS',
      perLoad((index) => amps[index] ?? 0),
    )
    device.update('POWER_SENSORS', { SENSOR_VOLTAGE: volts, SENSOR_CURRENT: total, SENSOR_POWER: volts * total })
  }

  device.switches(
    'POWER_CHANNELS',
    perLoad(() => true),
    'AnyOfMany',
    { group: 'Power', onNew: setChannels },
  )
  device.texts(
    'POWER_LABELS',
    perLoad((index) => loads[index]?.name ?? ''),
    {
      group: 'Power',
      onNew: (values) => device.update('POWER_LABELS', values),
    },
  )
  device.numbers(
    'POWER_CURRENTS',
    perLoad(() => [0, 0, 999, '%.2f'] as const),
    { group: 'Power', permission: 'ro' },
  )
  device.numbers(
    'POWER_SENSORS',
    {
      SENSOR_VOLTAGE: [supplyVolts, 0, 999, '%.2f'],
      SENSOR_CURRENT: [0, 0, 999, '%.2f'],
      SENSOR_POWER: [0, 0, 999, '%.2f'],
    },
    { permission: 'ro' },
  )
  device.switches(
    'DEW_CHANNELS',
    perHeater(() => false),
    'AnyOfMany',
    {
      group: 'Dew',
      onNew(values) {
        device.update('DEW_CHANNELS', values)
        measure()
      },
    },
  )
  device.texts(
    'DEW_LABELS',
    perHeater((index) => heaters[index] ?? ''),
    { group: 'Dew' },
  )
  device.numbers(
    'DEW_DUTY_CYCLES',
    perHeater(() => [0, 0, 100, '%.0f'] as const),
    {
      group: 'Dew',
      onNew(values) {
        device.update('DEW_DUTY_CYCLES', values)
        measure()
      },
    },
  )
  device.switches(
    'AUTO_DEW_CONTROL',
    perHeater(() => false),
    'AnyOfMany',
    {
      group: 'Dew',
      onNew: (values) => device.update('AUTO_DEW_CONTROL', values),
    },
  )

  return {
    device,
    isOn(port) {
      const index = loads.findIndex((load) => load.name === port)
      return index >= 0 && device.isOn('POWER_CHANNELS', channel(index))
    },
    blowFuse(port) {
      blown.add(port)
      const index = loads.findIndex((load) => load.name === port)
      if (index >= 0) device.update('POWER_CHANNELS', { [channel(index)]: false }, 'Alert', `${port}: fuse blown`)
      measure()
    },
    async run(signal) {
      while (!signal.aborted) {
        if (device.connected) measure()
        await clock.sleep(measureMs, signal).catch(() => undefined)
      }
    },
  }
}
