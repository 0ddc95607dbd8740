/**
 * Where things stand above the horizon, for a curve on a small plot. ICRS places are taken as of date: precession makes
 * that wrong by up to half a degree until 2035, a third of a pixel.
 */

const degree = Math.PI / 180
const j2000Ms = Date.UTC(2000, 0, 1, 12)
const dayMs = 86_400_000

/** Greenwich mean sidereal time in degrees at `ms` (Unix ms UTC); Meeus, Astronomical Algorithms, eq. 12.4 without the last terms. */
function siderealDeg(ms: number): number {
  return 280.46061837 + 360.98564736629 * ((ms - j2000Ms) / dayMs)
}

export interface Site {
  readonly latitudeDeg: number
  /** East is positive. */
  readonly longitudeDeg: number
}

/** Altitude in degrees, without refraction, of a place on the sky (degrees) at `ms`. */
export function altitudeDeg(raDeg: number, decDeg: number, site: Site, ms: number): number {
  const hourAngle = (siderealDeg(ms) + site.longitudeDeg - raDeg) * degree
  const latitude = site.latitudeDeg * degree
  const dec = decDeg * degree
  const sine = Math.sin(latitude) * Math.sin(dec) + Math.cos(latitude) * Math.cos(dec) * Math.cos(hourAngle)
  return Math.asin(sine) / degree
}

/** Altitude of the Sun; low-precision formulae of the Astronomical Almanac, section C (0.01°, 1950 to 2050). */
export function sunAltitudeDeg(site: Site, ms: number): number {
  const days = (ms - j2000Ms) / dayMs
  const anomaly = (357.528 + 0.9856003 * days) * degree
  const longitude = (280.46 + 0.9856474 * days + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * degree
  const obliquity = (23.439 - 4e-7 * days) * degree
  const ra = Math.atan2(Math.cos(obliquity) * Math.sin(longitude), Math.cos(longitude)) / degree
  const dec = Math.asin(Math.sin(obliquity) * Math.sin(longitude)) / degree
  return altitudeDeg(ra, dec, site, ms)
}

/** The local midnight, ms UTC, nearest to `ms`: the Sun's lowest point within ten minutes. */
export function nearestMidnight(site: Site, ms: number): number {
  const offset = (site.longitudeDeg / 360) * dayMs
  return Math.round((ms + offset) / dayMs) * dayMs - offset
}
