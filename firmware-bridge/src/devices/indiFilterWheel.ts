/** A filter wheel behind any INDI driver. */
import type { IndiClient } from '../indi/client.ts'
import { driverCard } from './device.ts'
import type { FilterWheel } from './filterWheel.ts'
import { openIndiDevice } from './indiDevice.ts'
import { filterInBeam, filterNames, selectFilter } from './indiFilters.ts'
import type { Capability } from './kinds.ts'

export const indiFilterWheelCard = driverCard('filterWheel', 'INDI', ['select', 'names'])

const selectMs = 60_000

export function createIndiFilterWheel(client: IndiClient, name: string): FilterWheel {
  const device = openIndiDevice(client, name)
  return {
    can() {
      const capabilities = new Set<Capability<'filterWheel'>>()
      if (device.has('FILTER_SLOT')) capabilities.add('select')
      if (device.has('FILTER_NAME')) capabilities.add('names')
      return capabilities
    },
    state: () => ({
      ...device.head('FILTER_SLOT'),
      moving: device.isBusy('FILTER_SLOT'),
      filters: filterNames(device),
      filter: filterInBeam(device),
    }),
    select: (filter, timeoutMs = selectMs) => selectFilter(device, filter, timeoutMs),
    async [Symbol.asyncDispose]() {},
  }
}
