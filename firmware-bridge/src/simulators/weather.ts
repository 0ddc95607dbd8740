import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

/** What the sky really does. */
export interface SkyConditions {
  readonly temperatureC: number
  readonly humidityPercent: number
  readonly pressureHectopascals: number
  readonly windMetresPerSecond: number
  readonly gustMetresPerSecond: number
  readonly rainMillimetresPerHour: number
  readonly cloudPercent: number
}

export const clearNight: SkyConditions = {
  temperatureC: 8,
  humidityPercent: 45,
  pressureHectopascals: 1015,
  windMetresPerSecond: 2,
  gustMetresPerSecond: 4,
  rainMillimetresPerHour: 0,
  cloudPercent: 5,
}

export interface SimulatedWeather {
  readonly device: SimulatedDevice
  /** Changes the sky; the station tells at its next look. */
  setSky(sky: Partial<SkyConditions>): void
  sky(): SkyConditions
  /** A fault for tests: the driver lives, but its station gives no readings any more. */
  setDeaf(deaf: boolean): void
  /** Looks at the sky until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

/** Above `warn` a warning, above `danger` danger; a wind of 20 km/h is what Debian's simulator takes. */
const limits: readonly { readonly element: string; readonly warn: number; readonly danger: number }[] = [
  { element: 'WEATHER_WIND_SPEED', warn: 30, danger: 45 },
  { element: 'WEATHER_WIND_GUST', warn: 40, danger: 60 },
  { element: 'WEATHER_RAIN_HOUR', warn: 0, danger: 0 },
  { element: 'WEATHER_HUMIDITY', warn: 85, danger: 95 },
  { element: 'WEATHER_CLOUD_COVER', warn: 60, danger: 90 },
]
const defaultUpdateSeconds = 10

/** A weather station that reads the sky at intervals, with the parameters that libindi's weather drivers give. */
export function createSimulatedWeather(options: {
  readonly clock: Clock
  readonly name?: string
  readonly updateSeconds?: number
}): SimulatedWeather {
  const { clock, name = 'Weather Simulator', updateSeconds = defaultUpdateSeconds } = options
  let sky = clearNight
  let deaf = false
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_weather', interface: 128 }, () => undefined)

  const readings = (): Record<string, number> => ({
    WEATHER_TEMPERATURE: sky.temperatureC,
    WEATHER_HUMIDITY: sky.humidityPercent,
    WEATHER_PRESSURE: sky.pressureHectopascals,
    WEATHER_WIND_SPEED: sky.windMetresPerSecond * 3.6,
    WEATHER_WIND_GUST: sky.gustMetresPerSecond * 3.6,
    WEATHER_RAIN_HOUR: sky.rainMillimetresPerHour,
    WEATHER_CLOUD_COVER: sky.cloudPercent,
  })

  function look(): void {
    if (deaf) return device.update('WEATHER_PARAMETERS', {}, 'Alert', 'the station does not answer')
    const now = readings()
    const lights = limits.map(({ element, warn, danger }) => {
      const value = now[element] ?? 0
      return [element, value > danger ? 'Alert' : value > warn ? 'Busy' : 'Ok'] as const
    })
    const worst = lights.find(([, light]) => light === 'Alert') ?? lights.find(([, light]) => light === 'Busy')
    device.update('WEATHER_PARAMETERS', now)
    device.update('WEATHER_STATUS', Object.fromEntries(lights), worst?.[1] ?? 'Ok')
  }

  device.numbers(
    'WEATHER_PARAMETERS',
    Object.fromEntries(
      Object.entries(readings()).map(([element, value]) => [element, [value, 0, 0, '%4.2f'] as const]),
    ),
    {
      permission: 'ro',
      group: 'Parameters',
      labels: {
        WEATHER_TEMPERATURE: 'Temperature (C)',
        WEATHER_WIND_SPEED: 'Wind (kph)',
        WEATHER_WIND_GUST: 'Gust (kph)',
      },
    },
  )
  device.lights('WEATHER_STATUS', Object.fromEntries(limits.map(({ element }) => [element, 'Idle' as const])))
  device.numbers(
    'WEATHER_UPDATE',
    { PERIOD: [updateSeconds, 0, 3600] },
    { onNew: (values) => device.update('WEATHER_UPDATE', values) },
  )
  device.switches('WEATHER_REFRESH', { REFRESH: false }, 'AtMostOne', {
    onNew() {
      look()
      device.update('WEATHER_REFRESH', { REFRESH: false })
    },
  })

  return {
    device,
    sky: () => sky,
    setSky(change) {
      sky = { ...sky, ...change }
    },
    setDeaf(value) {
      deaf = value
    },
    async run(signal) {
      while (!signal.aborted) {
        if (device.connected) look()
        const seconds = device.number('WEATHER_UPDATE', 'PERIOD') || defaultUpdateSeconds
        await clock.sleep((device.connected ? seconds : 1) * 1000, signal).catch(() => undefined)
      }
    },
  }
}
