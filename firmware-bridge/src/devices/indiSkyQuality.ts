/** A sky quality meter behind any INDI driver. */
import type { IndiClient } from '../indi/client.ts'
import { driverCard } from './device.ts'
import { openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'
import type { SkyQuality } from './skyQuality.ts'

export const indiSkyQualityCard = driverCard('skyQuality', 'INDI', ['brightness', 'temperature'])

const quality = 'SKY_QUALITY'

export function createIndiSkyQuality(client: IndiClient, name: string): SkyQuality {
  const device = openIndiDevice(client, name)
  return {
    can() {
      const capabilities = new Set<Capability<'skyQuality'>>()
      if (device.has(quality, 'SKY_BRIGHTNESS')) capabilities.add('brightness')
      if (device.has(quality, 'SKY_TEMPERATURE')) capabilities.add('temperature')
      return capabilities
    },
    state: () => ({
      ...device.head(quality),
      atMs: device.property(quality)?.atMs ?? 0,
      magPerSquareArcsec: device.number(quality, 'SKY_BRIGHTNESS'),
      temperatureC: device.number(quality, 'SKY_TEMPERATURE'),
    }),
    async [Symbol.asyncDispose]() {},
  }
}
