import type { AlpacaDeviceOptions } from '@nightjar/firmware-bridge/alpaca/device.ts'
import { createAlpacaCamera } from '@nightjar/firmware-bridge/devices/alpacaCamera.ts'
import { createAlpacaCover, createAlpacaFlatPanel } from '@nightjar/firmware-bridge/devices/alpacaCover.ts'
import { createAlpacaFilterWheel } from '@nightjar/firmware-bridge/devices/alpacaFilterWheel.ts'
import { createAlpacaFocuser } from '@nightjar/firmware-bridge/devices/alpacaFocuser.ts'
import { createAlpacaMount } from '@nightjar/firmware-bridge/devices/alpacaMount.ts'
import { createAlpacaPower } from '@nightjar/firmware-bridge/devices/alpacaPower.ts'
import { createAlpacaRoof } from '@nightjar/firmware-bridge/devices/alpacaRoof.ts'
import { createAlpacaRotator } from '@nightjar/firmware-bridge/devices/alpacaRotator.ts'
import { createAlpacaSafety } from '@nightjar/firmware-bridge/devices/alpacaSafety.ts'
import { createAlpacaSkyQuality, createAlpacaWeather } from '@nightjar/firmware-bridge/devices/alpacaWeather.ts'
import type { Devices } from './devices.ts'

/** A rain sensor may be silent for 15 s, the age of what the station has measured included. */
const weatherMs = 5_000

/** The ASCOM Alpaca driver of each kind of device that Alpaca has one for. */
export const alpacaMakers: {
  readonly [K in keyof Devices]?: (options: AlpacaDeviceOptions) => NonNullable<Devices[K]>
} = {
  mount: createAlpacaMount,
  camera: createAlpacaCamera,
  focuser: createAlpacaFocuser,
  filterWheel: createAlpacaFilterWheel,
  rotator: createAlpacaRotator,
  roof: createAlpacaRoof,
  cover: createAlpacaCover,
  flatPanel: createAlpacaFlatPanel,
  weather: (options) => createAlpacaWeather({ ...options, intervalMs: weatherMs }),
  skyQuality: createAlpacaSkyQuality,
  power: createAlpacaPower,
  safety: createAlpacaSafety,
}
