/** What is on an INDI server, in our kinds. */
import type { IndiClient } from '../indi/client.ts'
import { findText } from '../indi/properties.ts'
import type { StandardName } from '../indi/standard.ts'
import { type Kind, kinds } from './kinds.ts'

export interface DiscoveredDevice {
  readonly device: string
  /** In the order of `kinds`; empty when the driver is for none of them. */
  readonly kinds: readonly Kind[]
  /** Program of the driver; '' when it does not tell. */
  readonly driver: string
  readonly version: string
}

/** Bits of DRIVER_INTERFACE (libindi 2.1, INDI::BaseDevice::DRIVER_INTERFACE). */
const interfaces: readonly (readonly [bit: number, kind: Kind])[] = [
  [0, 'mount'],
  [1, 'camera'],
  [2, 'guider'],
  [3, 'focuser'],
  [4, 'filterWheel'],
  [5, 'roof'],
  [6, 'gps'],
  [7, 'weather'],
  [7, 'safety'],
  [9, 'cover'],
  [10, 'flatPanel'],
  [12, 'rotator'],
  [16, 'power'],
  [18, 'power'],
]

/** Properties that tell a kind whose driver says no bit for it: SQM meters say 0, power boxes and the watchdog `aux`. */
const signs: readonly (readonly [property: StandardName, kind: Kind])[] = [
  ['SKY_QUALITY', 'skyQuality'],
  ['POWER_CHANNELS', 'power'],
  ['POWER_CONTROL', 'power'],
  ['DEW_PWM', 'power'],
  ['WATCHDOG_HEARTBEAT', 'safety'],
  ['CAP_PARK', 'cover'],
  ['FLAT_LIGHT_CONTROL', 'flatPanel'],
]

/** The kinds that a driver says it is, from the number in DRIVER_INFO.DRIVER_INTERFACE. */
export function deviceKindsOf(interfaceBits: number): readonly Kind[] {
  return inOrder(interfaces.flatMap(([bit, kind]) => (Math.floor(interfaceBits / 2 ** bit) % 2 === 1 ? [kind] : [])))
}

/** Every device on the server with its kinds; a device that is not connected shows less of itself. */
export function discoverDevices(client: IndiClient): readonly DiscoveredDevice[] {
  return [...client.state.devices].flatMap(([device, properties]) => {
    if (device === '') return []
    const info = (element: string): string => findText(client.state, device, 'DRIVER_INFO', element)?.trim() ?? ''
    const said = deviceKindsOf(Number(info('DRIVER_INTERFACE')) || 0)
    const shown = signs.flatMap(([property, kind]) => (properties.has(property) ? [kind] : []))
    return {
      device,
      kinds: inOrder([...said, ...shown]),
      driver: info('DRIVER_EXEC'),
      version: info('DRIVER_VERSION'),
    }
  })
}

const inOrder = (some: readonly Kind[]): readonly Kind[] =>
  (Object.keys(kinds) as Kind[]).filter((kind) => some.includes(kind))
