/** A weather station behind any INDI weather driver. */
import type { IndiClient } from '../indi/client.ts'
import type { NumberDefinition } from '../indi/messages.ts'
import { type ElementOf, unitOf } from '../indi/standard.ts'
import { driverCard } from './device.ts'
import { type IndiDevice, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'
import { inUnit, type Quantity } from './units.ts'
import type { Weather, WeatherState, WeatherVerdict } from './weather.ts'

export interface IndiWeatherOptions {
  /** How often the driver shall ask its station; left as the driver has it by default. */
  readonly updateSeconds?: number
}

export const indiWeatherCard = driverCard('weather', 'INDI', [
  'temperature',
  'humidity',
  'pressure',
  'wind',
  'rain',
  'cloud',
  'verdict',
])

type Parameter = ElementOf<'WEATHER_PARAMETERS'>
const parameters = 'WEATHER_PARAMETERS'

/** Reading → the elements that may hold it, the likeliest first, and the unit it is wanted in. */
const readings = {
  temperatureC: [['WEATHER_TEMPERATURE'], 'celsius'],
  humidityPercent: [['WEATHER_HUMIDITY'], 'percent'],
  pressureHectopascals: [['WEATHER_PRESSURE', 'WEATHER_BAROMETER'], 'hectopascals'],
  windMetresPerSecond: [['WEATHER_WIND_SPEED'], 'metresPerSecond'],
  gustMetresPerSecond: [['WEATHER_WIND_GUST'], 'metresPerSecond'],
  rainMillimetresPerHour: [['WEATHER_RAIN_HOUR', 'WEATHER_RAIN_RATE'], 'millimetresPerHour'],
  cloudPercent: [['WEATHER_CLOUD_COVER', 'WEATHER_CLOUDS'], 'percent'],
  skyTemperatureC: [['WEATHER_SKY_TEMPERATURE'], 'celsius'],
} as const satisfies Record<string, readonly [readonly Parameter[], Quantity]>
type Reading = keyof typeof readings

export function createIndiWeather(client: IndiClient, name: string, options: IndiWeatherOptions = {}): Weather {
  const device = openIndiDevice(client, name)
  if (options.updateSeconds !== undefined) device.want('WEATHER_UPDATE', { PERIOD: options.updateSeconds })

  let goodAtMs = 0

  /**
   * Readings are as old as the driver's last good telling of them: that the driver lives does not make them younger, nor does
   * its saying again that the station does not answer (libindi then sends the old values once more, as Alert).
   */
  function readAtMs(): number {
    const property = device.property(parameters)
    if (property && property.state !== 'Alert') goodAtMs = property.atMs
    return goodAtMs
  }

  function state(): WeatherState {
    const values = Object.fromEntries((Object.keys(readings) as Reading[]).map((one) => [one, read(device, one)]))
    const rain = values['rainMillimetresPerHour']
    const head = device.head(parameters)
    return {
      ...head,
      atMs: readAtMs(),
      verdict: head.connected ? weatherVerdict(device) : 'unknown',
      ...values,
      raining: rain === undefined ? undefined : rain > 0,
    }
  }

  return { state, can: () => capabilities(device), async [Symbol.asyncDispose]() {} }
}

function element(device: IndiDevice, reading: Reading): NumberDefinition | undefined {
  const property = device.property(parameters)
  if (property?.kind !== 'number') return undefined
  const names: readonly string[] = readings[reading][0]
  return names.map((name) => property.elements.find((item) => item.name === name)).find((found) => found !== undefined)
}

function read(device: IndiDevice, reading: Reading): number | undefined {
  const found = element(device, reading)
  if (!found || !Number.isFinite(found.value)) return undefined
  // Stations measure in what their makers like, and their drivers say so in the label: `Wind (mps)`.
  return inUnit(found.value, unitOf('', '', found.label) || unitOf(parameters, found.name), readings[reading][1])
}

/**
 * The worst of the lights: Alert is danger, Busy a warning. A light that is Idle has not been judged, so nothing is good
 * until all are Ok.
 */
export function weatherVerdict(device: IndiDevice): WeatherVerdict {
  const property = device.property('WEATHER_STATUS')
  if (property?.kind !== 'light' || property.elements.length === 0) return 'unknown'
  const lights = [property.state, ...property.elements.map(({ value }) => value)]
  if (lights.includes('Alert')) return 'danger'
  if (lights.includes('Busy')) return 'warning'
  return lights.includes('Idle') ? 'unknown' : 'good'
}

function capabilities(device: IndiDevice): ReadonlySet<Capability<'weather'>> {
  const can = new Set<Capability<'weather'>>()
  const places: readonly (readonly [Capability<'weather'>, Reading])[] = [
    ['temperature', 'temperatureC'],
    ['humidity', 'humidityPercent'],
    ['pressure', 'pressureHectopascals'],
    ['wind', 'windMetresPerSecond'],
    ['rain', 'rainMillimetresPerHour'],
    ['cloud', 'cloudPercent'],
  ]
  for (const [capability, reading] of places) if (element(device, reading)) can.add(capability)
  if (device.has('WEATHER_STATUS')) can.add('verdict')
  return can
}
