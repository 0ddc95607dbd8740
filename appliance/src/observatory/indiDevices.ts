import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiCamera } from '@nightjar/firmware-bridge/devices/indiCamera.ts'
import { createIndiCover } from '@nightjar/firmware-bridge/devices/indiCover.ts'
import { createIndiFilterWheel } from '@nightjar/firmware-bridge/devices/indiFilterWheel.ts'
import { createIndiFlatPanel } from '@nightjar/firmware-bridge/devices/indiFlatPanel.ts'
import { createIndiFocuser } from '@nightjar/firmware-bridge/devices/indiFocuser.ts'
import { createIndiGps } from '@nightjar/firmware-bridge/devices/indiGps.ts'
import { createIndiGuider } from '@nightjar/firmware-bridge/devices/indiGuider.ts'
import { createIndiMount } from '@nightjar/firmware-bridge/devices/indiMount.ts'
import { createIndiPower } from '@nightjar/firmware-bridge/devices/indiPower.ts'
import { createIndiRoof } from '@nightjar/firmware-bridge/devices/indiRoof.ts'
import { createIndiRotator } from '@nightjar/firmware-bridge/devices/indiRotator.ts'
import { createIndiSafety } from '@nightjar/firmware-bridge/devices/indiSafety.ts'
import { createIndiSkyQuality } from '@nightjar/firmware-bridge/devices/indiSkyQuality.ts'
import { createIndiWeather } from '@nightjar/firmware-bridge/devices/indiWeather.ts'
import type { IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import type { Site } from '../observations/ephemeris.ts'
import type { Devices } from './devices.ts'

export interface IndiDeps {
  readonly clock: Clock
  readonly random: Random
  readonly site: Site
  /** Of the main camera, for dithering by guide pulses. */
  readonly arcsecPerPixel: number
}

/** Most drivers ask once a minute, which is too seldom for rain. */
const weatherSeconds = 5

type IndiMaker<D> = (client: IndiClient, name: string, deps: IndiDeps) => D

/** The INDI driver of each kind of device that INDI has one for. */
export const indiMakers: { readonly [K in keyof Devices]?: IndiMaker<NonNullable<Devices[K]>> } = {
  mount: createIndiMount,
  camera: createIndiCamera,
  focuser: createIndiFocuser,
  filterWheel: createIndiFilterWheel,
  rotator: createIndiRotator,
  roof: createIndiRoof,
  cover: createIndiCover,
  flatPanel: createIndiFlatPanel,
  weather: (client, name) => createIndiWeather(client, name, { updateSeconds: weatherSeconds }),
  skyQuality: createIndiSkyQuality,
  power: createIndiPower,
  gps: (client, name) => createIndiGps(client, name),
  guider: createIndiGuider,
  safety: createIndiSafety,
}
