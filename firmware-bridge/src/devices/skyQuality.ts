import type { Device, DeviceState } from './device.ts'

export interface SkyQualityState extends DeviceState {
  /** Higher is darker. */
  readonly magPerSquareArcsec?: number | undefined
  readonly temperatureC?: number | undefined
}

export interface SkyQuality extends Device<'skyQuality', SkyQualityState> {}
