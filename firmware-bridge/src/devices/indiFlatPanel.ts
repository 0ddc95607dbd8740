/** An even light for flats, behind any INDI light box driver. */
import type { IndiClient } from '../indi/client.ts'
import { driverCard } from './device.ts'
import type { FlatPanel } from './flatPanel.ts'
import { cannot, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'

export const indiFlatPanelCard = driverCard('flatPanel', 'INDI', ['light', 'brightness'])

const intensity = ['FLAT_LIGHT_INTENSITY', 'FLAT_LIGHT_INTENSITY_VALUE'] as const

export function createIndiFlatPanel(client: IndiClient, name: string): FlatPanel {
  const device = openIndiDevice(client, name)
  return {
    can() {
      const capabilities = new Set<Capability<'flatPanel'>>()
      if (device.has('FLAT_LIGHT_CONTROL')) capabilities.add('light')
      if (device.has(...intensity)) capabilities.add('brightness')
      return capabilities
    },
    state() {
      const property = device.property(intensity[0])
      return {
        ...device.head('FLAT_LIGHT_CONTROL'),
        lit: device.isOn('FLAT_LIGHT_CONTROL', 'FLAT_LIGHT_ON') === true,
        brightness: device.number(...intensity),
        maxBrightness: property?.kind === 'number' ? property.elements[0]?.max : undefined,
      }
    },
    light: (on) => device.set('FLAT_LIGHT_CONTROL', { FLAT_LIGHT_ON: on, FLAT_LIGHT_OFF: !on }),
    setBrightness: (brightness) =>
      device.has(...intensity) ? device.set(intensity[0], { [intensity[1]]: brightness }) : cannot(device, 'be dimmed'),
    async [Symbol.asyncDispose]() {},
  }
}
