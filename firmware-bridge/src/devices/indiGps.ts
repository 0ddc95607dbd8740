/** A GPS receiver behind any INDI driver. */
import type { IndiClient } from '../indi/client.ts'
import { driverCard } from './device.ts'
import type { Gps, GpsState } from './gps.ts'
import { type IndiDevice, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'

export interface IndiGpsOptions {
  /** How often the driver shall ask its receiver; most drivers ask once and never again. */
  readonly refreshSeconds?: number
}

export const indiGpsCard = driverCard('gps', 'INDI', ['position', 'time'])

const defaultRefreshSeconds = 10

export function createIndiGps(client: IndiClient, name: string, options: IndiGpsOptions = {}): Gps {
  const device = openIndiDevice(client, name)
  device.want('GPS_REFRESH_PERIOD', { PERIOD: options.refreshSeconds ?? defaultRefreshSeconds })
  return {
    can() {
      const capabilities = new Set<Capability<'gps'>>()
      if (device.has('GEOGRAPHIC_COORD')) capabilities.add('position')
      if (device.has('TIME_UTC')) capabilities.add('time')
      return capabilities
    },
    state: () => state(device),
    async [Symbol.asyncDispose]() {},
  }
}

function state(device: IndiDevice): GpsState {
  const head = device.head('GEOGRAPHIC_COORD')
  const fix = head.connected ? fixOf(device) : 'none'
  const longitudeDeg = device.number('GEOGRAPHIC_COORD', 'LONG')
  // Drivers keep their last place when the fix is lost.
  const place =
    fix === 'none'
      ? {}
      : {
          latitudeDeg: device.number('GEOGRAPHIC_COORD', 'LAT'),
          longitudeDeg: longitudeDeg === undefined ? undefined : ((longitudeDeg + 180) % 360) - 180,
          elevationMetres: device.number('GEOGRAPHIC_COORD', 'ELEV'),
        }
  const atMs = device.property('TIME_UTC')?.atMs ?? device.property('GEOGRAPHIC_COORD')?.atMs ?? 0
  return { ...head, atMs, fix, ...place, utcMs: fix === 'none' ? undefined : utcOf(device) }
}

/** `GPS_STATUS` in words where the driver has it (indi_gpsd, indi_gpsnmea); else Ok is all that is known. */
function fixOf(device: IndiDevice): GpsState['fix'] {
  const words = device.text('GPS_STATUS', 'GPS_FIX')
  if (words !== undefined) return /3d/i.test(words) ? '3d' : /2d/i.test(words) ? '2d' : 'none'
  if (device.property('GEOGRAPHIC_COORD')?.state !== 'Ok') return 'none'
  return device.has('GEOGRAPHIC_COORD', 'ELEV') ? '3d' : '2d'
}

function utcOf(device: IndiDevice): number | undefined {
  const text = device.text('TIME_UTC', 'UTC')
  const atMs = text ? Date.parse(/[zZ]$/.test(text) ? text : `${text}Z`) : Number.NaN
  return Number.isFinite(atMs) ? atMs : undefined
}
