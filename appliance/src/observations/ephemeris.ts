import { Body, Equator, Horizon, MakeTime, Observer, SiderealTime } from 'astronomy-engine'

/** Where the telescope stands. Longitude east positive. */
export interface Site {
  readonly name: string
  readonly latitudeDeg: number
  readonly longitudeDeg: number
  readonly elevationMetres: number
}

export interface Horizontal {
  readonly altitudeDeg: number
  readonly azimuthDeg: number
}

const observerOf = (site: Site): Observer => new Observer(site.latitudeDeg, site.longitudeDeg, site.elevationMetres)

/** Apparent altitude and azimuth of the Sun's centre, without refraction. */
export function sunAt(site: Site, atMs: number): Horizontal {
  const time = MakeTime(new Date(atMs))
  const observer = observerOf(site)
  const sun = Equator(Body.Sun, time, observer, true, true)
  const horizon = Horizon(time, observer, sun.ra, sun.dec)
  return { altitudeDeg: horizon.altitude, azimuthDeg: horizon.azimuth }
}

/** ICRS position of the Sun's centre, degrees. */
export function sunEquatorial(site: Site, atMs: number): { raDeg: number; decDeg: number } {
  const sun = Equator(Body.Sun, MakeTime(new Date(atMs)), observerOf(site), false, true)
  return { raDeg: sun.ra * 15, decDeg: sun.dec }
}

/** Local apparent sidereal time, degrees. */
export function siderealTimeDeg(site: Site, atMs: number): number {
  const hours = SiderealTime(MakeTime(new Date(atMs))) + site.longitudeDeg / 15
  return (((hours * 15) % 360) + 360) % 360
}

/**
 * Altitude and azimuth (north through east) of a place on the sky, degrees, without refraction. Precession since J2000 is
 * left out: it moves a target by 0.4° in 30 years, less than any horizon here is known to.
 */
export function horizontal(site: Site, raDeg: number, decDeg: number, atMs: number): Horizontal {
  const rad = Math.PI / 180
  const hourAngle = (siderealTimeDeg(site, atMs) - raDeg) * rad
  const dec = decDeg * rad
  const latitude = site.latitudeDeg * rad
  const sinAltitude = Math.sin(dec) * Math.sin(latitude) + Math.cos(dec) * Math.cos(latitude) * Math.cos(hourAngle)
  const azimuth = Math.atan2(
    -Math.cos(dec) * Math.sin(hourAngle),
    Math.sin(dec) * Math.cos(latitude) - Math.cos(dec) * Math.cos(hourAngle) * Math.sin(latitude),
  )
  return {
    altitudeDeg: Math.asin(Math.max(-1, Math.min(1, sinAltitude))) / rad,
    azimuthDeg: (azimuth / rad + 360) % 360,
  }
}

/** Angle between two places on the sky, degrees (Vincenty's formula: right at all separations). */
export function separationDeg(ra1Deg: number, dec1Deg: number, ra2Deg: number, dec2Deg: number): number {
  const rad = Math.PI / 180
  const [d1, d2, dRa] = [dec1Deg * rad, dec2Deg * rad, (ra2Deg - ra1Deg) * rad]
  const y = Math.hypot(
    Math.cos(d2) * Math.sin(dRa),
    Math.cos(d1) * Math.sin(d2) - Math.sin(d1) * Math.cos(d2) * Math.cos(dRa),
  )
  const x = Math.sin(d1) * Math.sin(d2) + Math.cos(d1) * Math.cos(d2) * Math.cos(dRa)
  return Math.atan2(y, x) / rad
}

/** The night a moment belongs to, named by the local civil date at its noon: `20261121`. */
export function nightIdAt(site: Site, atMs: number): string {
  const localMs = atMs + (site.longitudeDeg / 15) * 3_600_000 - 12 * 3_600_000
  return new Date(localMs).toISOString().slice(0, 10).replaceAll('-', '')
}
