/**
 * The safety controller as the guardian serves it over INDI: what every station tells, and its contacts for the mains and
 * the parked mount, which are no verdicts of a weather driver.
 */
import type { IndiClient } from '../indi/client.ts'
import { findProperty } from '../indi/properties.ts'
import { driverCard } from './device.ts'
import { createIndiSafety, type IndiSafetyOptions } from './indiSafety.ts'
import type { Capability } from './kinds.ts'
import type { Safety } from './safety.ts'

export const stationSafetyCard = driverCard('safety', 'Nightjar guardian', ['verdict', 'rain', 'mains', 'mountParked'])

/** Lights that judge nothing: Ok and Alert are a contact that says yes and no, Idle one that was not told. */
export const contactLights = { property: 'CONTACTS', mountParked: 'MOUNT_PARKED', mains: 'MAINS' } as const

export function createStationSafety(client: IndiClient, name: string, options: IndiSafetyOptions): Safety {
  const safety = createIndiSafety(client, name, options)

  /** Undefined when the controller has not told. */
  function contact(element: string): boolean | undefined {
    const property = findProperty(client.state, name, contactLights.property)
    const light = property?.kind === 'light' ? property.elements.find((one) => one.name === element) : undefined
    return light === undefined || light.value === 'Idle' ? undefined : light.value === 'Ok'
  }

  return {
    ...safety,
    state() {
      const said = safety.state()
      if (!said.connected) return said
      const mains = contact(contactLights.mains)
      return {
        ...said,
        mountParked: contact(contactLights.mountParked),
        mainsLost: mains === undefined ? undefined : !mains,
      }
    },
    can() {
      const able = new Set<Capability<'safety'>>(safety.can())
      if (contact(contactLights.mains) !== undefined) able.add('mains')
      if (contact(contactLights.mountParked) !== undefined) able.add('mountParked')
      return able
    },
  }
}
