import { type AlpacaDevice, type AlpacaDeviceOptions, commonState, createAlpacaDevice } from '../alpaca/device.ts'
import { driverCard } from './device.ts'
import type { Capability } from './kinds.ts'
import type { SkyQuality } from './skyQuality.ts'
import type { Weather } from './weather.ts'

export const alpacaWeatherCard = driverCard('weather', 'Alpaca', [
  'temperature',
  'humidity',
  'pressure',
  'wind',
  'rain',
  'cloud',
])
export const alpacaSkyQualityCard = driverCard('skyQuality', 'Alpaca', ['brightness', 'temperature'])

const intervalMs = 10_000

/** Units as IObservingConditions has them: °C, %, hPa, m/s, mm/h, mag/arcsec². */
const readings: Readonly<Record<string, Capability<'weather'>>> = {
  temperature: 'temperature',
  humidity: 'humidity',
  pressure: 'pressure',
  windspeed: 'wind',
  rainrate: 'rain',
  cloudcover: 'cloud',
}

/** The age of what the station has measured counts, not that of our question. */
function measuredAtMs(device: AlpacaDevice): number {
  const ageSeconds = device.number('timesincelastupdate')
  return ageSeconds === undefined || ageSeconds < 0 ? device.atMs : Math.max(0, device.atMs - ageSeconds * 1000)
}

/** A weather station behind ASCOM Alpaca. It judges nothing: that is a safety monitor's part. */
export function createAlpacaWeather(options: AlpacaDeviceOptions): Weather {
  const changing = [...Object.keys(readings), 'windgust', 'skytemperature', 'timesincelastupdate']
  const device = createAlpacaDevice('observingconditions', { fixed: [], changing }, { intervalMs, ...options })
  function raining(): boolean | undefined {
    const rate = device.number('rainrate')
    return rate === undefined ? undefined : rate > 0
  }
  return {
    state: () => ({
      ...commonState(device),
      atMs: measuredAtMs(device),
      verdict: 'unknown',
      raining: raining(),
      temperatureC: device.number('temperature'),
      humidityPercent: device.number('humidity'),
      pressureHectopascals: device.number('pressure'),
      windMetresPerSecond: device.number('windspeed'),
      gustMetresPerSecond: device.number('windgust'),
      rainMillimetresPerHour: device.number('rainrate'),
      cloudPercent: device.number('cloudcover'),
      skyTemperatureC: device.number('skytemperature'),
    }),
    can() {
      const able = Object.entries(readings).filter(([member]) => device.number(member) !== undefined)
      return new Set(able.map(([, capability]) => capability))
    },
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  }
}

/** The darkness of the sky from an ASCOM Alpaca weather station. */
export function createAlpacaSkyQuality(options: AlpacaDeviceOptions): SkyQuality {
  const changing = ['skyquality', 'temperature', 'timesincelastupdate']
  const device = createAlpacaDevice('observingconditions', { fixed: [], changing }, { intervalMs, ...options })
  return {
    state: () => ({
      ...commonState(device),
      atMs: measuredAtMs(device),
      magPerSquareArcsec: device.number('skyquality'),
      temperatureC: device.number('temperature'),
    }),
    can() {
      const able = new Set<Capability<'skyQuality'>>()
      if (device.number('skyquality') !== undefined) able.add('brightness')
      if (device.number('temperature') !== undefined) able.add('temperature')
      return able
    },
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  }
}
