import { fromIcrs } from '@nightjar/firmware-bridge/devices/epoch.ts'
import { type Site, siderealTimeDeg, sunAt, sunEquatorial } from '../../observations/ephemeris.ts'
import { wrapDeg } from '../pier.ts'
import type { Sky } from './state.ts'

/** Where the Sun is and how the sky stands over the site. */
export function skyAt(site: Site, nowMs: number): Sky {
  const { raDeg, decDeg } = sunEquatorial(site, nowMs)
  return {
    latitudeDeg: site.latitudeDeg,
    siderealDeg: siderealTimeDeg(site, nowMs),
    sun: { raDeg, decDeg, altitudeDeg: sunAt(site, nowMs).altitudeDeg },
  }
}

/** A place on the sky as a mount sees it, degrees: equator of date, hour angle west positive, azimuth north through east. */
export interface Place {
  readonly hourAngleDeg: number
  readonly decDeg: number
  readonly altitudeDeg: number
  readonly azimuthDeg: number
}

const rad = Math.PI / 180

/** From ICRS degrees at `nowMs` (Unix ms), without refraction. NaN in, NaN out. */
export function placeOf(icrs: { readonly raDeg: number; readonly decDeg: number }, sky: Sky, nowMs: number): Place {
  const { raDeg, decDeg } = fromIcrs(icrs, nowMs)
  const hourAngleDeg = wrapDeg(sky.siderealDeg - raDeg)
  const [h, dec, latitude] = [hourAngleDeg * rad, decDeg * rad, sky.latitudeDeg * rad]
  const up = Math.sin(dec) * Math.sin(latitude) + Math.cos(dec) * Math.cos(latitude) * Math.cos(h)
  const north = Math.sin(dec) * Math.cos(latitude) - Math.cos(dec) * Math.cos(h) * Math.sin(latitude)
  const east = -Math.cos(dec) * Math.sin(h)
  return {
    hourAngleDeg,
    decDeg,
    altitudeDeg: Math.atan2(up, Math.hypot(north, east)) / rad,
    azimuthDeg: (Math.atan2(east, north) / rad + 360) % 360,
  }
}
