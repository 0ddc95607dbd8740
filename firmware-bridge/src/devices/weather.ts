import type { Device, DeviceState } from './device.ts'

/** What the station itself makes of its readings; `unknown` when it does not judge. */
export type WeatherVerdict = 'good' | 'warning' | 'danger' | 'unknown'

export interface WeatherState extends DeviceState {
  readonly verdict: WeatherVerdict
  readonly temperatureC?: number | undefined
  readonly humidityPercent?: number | undefined
  readonly pressureHectopascals?: number | undefined
  readonly windMetresPerSecond?: number | undefined
  readonly gustMetresPerSecond?: number | undefined
  readonly rainMillimetresPerHour?: number | undefined
  /** From a wet/dry sensor. */
  readonly raining?: boolean | undefined
  readonly cloudPercent?: number | undefined
  /** Infrared temperature of the sky; far below the air's when clear. */
  readonly skyTemperatureC?: number | undefined
}

export interface Weather extends Device<'weather', WeatherState> {}
