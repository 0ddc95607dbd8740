import type { GateSettings, WeatherNeed } from '../../contract/gateSettings.ts'
import { missing, readingRule, said, silence, silent } from './reading.ts'
import type { GateState, InputName, WeatherSaid } from './state.ts'

/** A reason why the site is not safe to be open, from one look at one kind of sensor. */
export interface Hazard {
  readonly id: 'weather' | 'rain' | 'safety' | 'power' | 'clock' | 'gps' | 'guardian'
  readonly reads: readonly InputName[]
  readonly why: (state: GateState, limits: GateSettings) => string | undefined
}

/** The surroundings, each a sensor's word: only the recovery timer clears what any of them said. */
export const hazardChecks: readonly Hazard[] = [
  { id: 'rain', reads: ['rain'], why: rainHazard },
  { id: 'weather', reads: ['weather'], why: weatherHazard },
  { id: 'safety', reads: ['safety'], why: safetyHazard },
  { id: 'power', reads: ['ups', 'safety', 'history'], why: powerHazard },
  { id: 'clock', reads: ['clock'], why: clockHazard },
  { id: 'gps', reads: ['gps'], why: gpsHazard },
  { id: 'guardian', reads: ['guardian'], why: guardianHazard },
]

export function hazards(state: GateState, limits: GateSettings): string[] {
  const found: string[] = []
  for (const { why } of hazardChecks) {
    const reason = why(state, limits)
    if (reason !== undefined) found.push(reason)
  }
  return found
}

/** Rain that a sensor sees now: what the rain policy asks for. Not knowing is unsafe, but it is not rain. */
export function seesRain(state: GateState, limits: GateSettings): boolean {
  const { rain } = state
  for (const name in rain) {
    const reading = rain[name]
    if (silence(reading, readingRule('rain', limits), state) === undefined && reading?.value.raining === true)
      return true
  }
  const weather = said('weather', state, limits)
  if (weather?.raining === true || (weather?.rainMillimetresPerHour ?? 0) > 0) return true
  return said('safety', state, limits)?.raining === true
}

/** True on battery, false on mains, undefined when nobody says. */
export function onBattery(state: GateState, limits: GateSettings): boolean | undefined {
  const mains = limits.inputs.ups === 'absent' ? undefined : said('ups', state, limits)?.onMains
  const lost = limits.inputs.safety === 'absent' ? undefined : said('safety', state, limits)?.mainsLost
  if (mains === false || lost === true) return true
  return mains === true || lost === false ? false : undefined
}

function rainHazard(state: GateState, limits: GateSettings): string | undefined {
  const rule = readingRule('rain', limits)
  const { rain } = state
  for (const name of limits.inputs.rain) {
    const quiet = silence(rain?.[name], { name: `rain sensor ${name}`, maxAgeSeconds: rule.maxAgeSeconds }, state)
    if (quiet !== undefined) return quiet
  }
  for (const name in rain) {
    const reading = rain[name]
    if (reading === undefined || reading.atMs === 0) continue
    const quiet = silence(reading, { name: `rain sensor ${name}`, maxAgeSeconds: rule.maxAgeSeconds }, state)
    if (quiet !== undefined) return quiet
    if (reading.value.raining !== false)
      return reading.value.raining ? `rain sensor ${name} is wet` : `rain sensor ${name} cannot tell wet from dry`
  }
  return undefined
}

const needNames: Readonly<Record<WeatherNeed, string>> = {
  windMetresPerSecond: 'wind',
  gustMetresPerSecond: 'gust',
  humidityPercent: 'humidity',
  cloudPercent: 'cloud cover',
  rainMillimetresPerHour: 'rain rate',
  temperatureC: 'temperature',
}

function weatherHazard(state: GateState, limits: GateSettings): string | undefined {
  const { inputs, weather: bounds } = limits
  const quiet = missing(state.weather, inputs.weather, readingRule('weather', limits), state)
  if (quiet !== undefined || inputs.weather === 'absent' || !state.weather || state.weather.atMs === 0) return quiet
  const sky = state.weather.value
  for (const need of bounds.needs)
    if (!Number.isFinite(sky[need])) return `the weather station does not tell the ${needNames[need]}`
  if (sky.raining === true) return 'the weather station reports rain'
  if (sky.verdict === 'danger') return 'the weather station reports danger'
  return outOfBounds(sky, bounds)
}

function outOfBounds(sky: WeatherSaid, bounds: GateSettings['weather']): string | undefined {
  return (
    above(sky.rainMillimetresPerHour, 0, 'it rains', 'mm/h') ??
    above(sky.windMetresPerSecond, bounds.maxWindMetresPerSecond, 'the wind blows', 'm/s') ??
    above(sky.gustMetresPerSecond, bounds.maxGustMetresPerSecond, 'gusts reach', 'm/s') ??
    above(sky.humidityPercent, bounds.maxHumidityPercent, 'the humidity is', '%') ??
    above(sky.cloudPercent, bounds.maxCloudPercent, 'clouds cover', '%') ??
    (sky.temperatureC === undefined || sky.temperatureC >= bounds.minTemperatureC
      ? undefined
      : `it is ${sky.temperatureC.toFixed(0)} °C, colder than ${bounds.minTemperatureC} °C`)
  )
}

/** A value that the station gives has to be a number within its limit; one that it does not give says nothing here. */
function above(value: number | undefined, limit: number, words: string, unit: string): string | undefined {
  if (value === undefined || value <= limit) return undefined
  return `${words} ${value.toFixed(1)} ${unit}, more than ${limit} ${unit}`
}

function safetyHazard(state: GateState, limits: GateSettings): string | undefined {
  const { safety: presence } = limits.inputs
  const quiet = missing(state.safety, presence, readingRule('safety', limits), state)
  if (quiet !== undefined || presence === 'absent' || !state.safety || state.safety.atMs === 0) return quiet
  const { safe, reasons, raining } = state.safety.value
  if (raining === true) return 'the safety controller sees rain'
  if (safe === true) return undefined
  return `the safety controller says unsafe${reasons.length > 0 ? `: ${reasons.join(', ')}` : ''}`
}

/** On battery is borne for a while; a battery that is low, or says nothing, is not. */
function powerHazard(state: GateState, limits: GateSettings): string | undefined {
  const { inputs, ups: bounds } = limits
  const quiet = missing(state.ups, inputs.ups, readingRule('ups', limits), state)
  if (quiet !== undefined) return quiet
  const ups = inputs.ups === 'absent' ? undefined : said('ups', state, limits)
  if (ups) {
    if (ups.onMains === undefined) return 'the UPS does not tell whether it is on mains'
    if (ups.lowBattery !== false) return 'the UPS says that its battery is low'
    if (Number.isNaN(ups.chargePercent)) return 'the UPS does not tell its charge'
    if (ups.chargePercent !== undefined && !(ups.chargePercent >= bounds.minChargePercent))
      return `the UPS is charged to ${ups.chargePercent.toFixed(0)} %, less than ${bounds.minChargePercent} %`
  }
  if (onBattery(state, limits) !== true) return undefined
  const seconds = (state.monotonicMs - (state.history.onBatterySinceMs ?? Number.NaN)) / 1000
  if (seconds < bounds.graceSeconds) return undefined
  return `mains power has been away for ${Number.isNaN(seconds) ? 'an unknown time' : `${seconds.toFixed(0)} s`}, longer than ${bounds.graceSeconds} s`
}

function clockHazard(state: GateState, limits: GateSettings): string | undefined {
  const { clock: presence } = limits.inputs
  const quiet = missing(state.clock, presence, readingRule('clock', limits), state)
  if (quiet !== undefined || presence === 'absent' || !state.clock || state.clock.atMs === 0) return quiet
  const { synchronised, offsetSeconds, uncertaintySeconds } = state.clock.value
  if (synchronised !== true) return 'the clock follows no time source'
  const errorSeconds = Math.abs(offsetSeconds ?? Number.NaN) + Math.abs(uncertaintySeconds ?? Number.NaN)
  if (errorSeconds <= limits.clock.maxErrorSeconds) return undefined
  if (Number.isNaN(errorSeconds)) return 'nobody knows how wrong the clock is'
  return `the clock may be ${errorSeconds.toFixed(1)} s wrong, more than ${limits.clock.maxErrorSeconds} s`
}

function gpsHazard(state: GateState, limits: GateSettings): string | undefined {
  const { gps: presence } = limits.inputs
  if (presence !== 'required') return missing(state.gps, presence, readingRule('gps', limits), state)
  const quiet = silent('gps', state, limits)
  if (quiet !== undefined) return quiet
  return state.gps?.value.fix === 'none' ? 'the GPS has no fix' : undefined
}

/** Without its guardian a site has nobody to close it when this process dies. */
function guardianHazard(state: GateState, limits: GateSettings): string | undefined {
  if (limits.inputs.guardian === 'absent') return undefined
  const quiet = silent('guardian', state, limits)
  if (quiet !== undefined) return quiet
  const { mayOpen, causes } = state.guardian!.value
  return mayOpen ? undefined : `the guardian keeps the site closed: ${causes.join(', ') || 'it gives no reason'}`
}
