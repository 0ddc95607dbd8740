/** Rain, two temperatures and humidity at our safety controller. */
import { humidityPercent, temperatureC } from '../safety-controller/sensors.ts'
import type { ControllerSession } from '../safety-controller/session.ts'
import { driverCard } from './device.ts'
import { capabilities, head } from './safetyControllerWords.ts'
import type { Weather, WeatherState } from './weather.ts'

export const safetyControllerWeatherCard = driverCard('weather', 'Nightjar safety controller', [
  'temperature',
  'humidity',
  'rain',
  'verdict',
])

export interface ControllerWeatherState extends WeatherState {
  /** At the telescope, from the second sensor. */
  readonly insideTemperatureC?: number | undefined
}

export interface ControllerWeather extends Weather {
  state(): ControllerWeatherState
}

export function createControllerWeather(session: ControllerSession): ControllerWeather {
  return {
    can: () => capabilities(session, safetyControllerWeatherCard),
    state: () => stateOf(session),
    async [Symbol.asyncDispose]() {},
  }
}

function stateOf(session: ControllerSession): ControllerWeatherState {
  const { report } = session
  if (!report) return { ...head(session), verdict: 'unknown' }
  const outsideC = temperatureC(report.outsideSum)
  return {
    ...head(session),
    verdict: report.inputs.rain ? 'danger' : 'unknown',
    temperatureC: outsideC,
    insideTemperatureC: temperatureC(report.insideSum),
    humidityPercent: humidityPercent(report.humiditySum, outsideC),
    raining: report.inputs.rain,
  }
}
