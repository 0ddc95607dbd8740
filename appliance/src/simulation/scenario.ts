import { horizontal, type Site, siderealTimeDeg, sunAt } from '../observations/ephemeris.ts'
import type { Field } from '../observations/fields.ts'
import type { StarCatalogue } from '../observations/starCatalogue.ts'
import type { TransientSchedule } from './sky.ts'

/** What a simulated night is: the same on every machine for the same seed and start. */
export interface Scenario {
  readonly seed: number
  readonly site: Site
  readonly field: Field
  readonly transients: TransientSchedule
}

/** The Sun is far below the horizon. */
const darkSunAltitudeDeg = -20

/** A place at 28° north where it is about midnight, so that the simulated sky is always dark. */
export function simulatedSite(nowMs: number): Site {
  const base = { name: 'Simulated observatory', latitudeDeg: 28.76, elevationMetres: 2396 }
  let best: Site = { ...base, longitudeDeg: 0 }
  for (let longitudeDeg = -180; longitudeDeg < 180; longitudeDeg += 5) {
    const site = { ...base, longitudeDeg }
    if (sunAt(site, nowMs).altitudeDeg < sunAt(best, nowMs).altitudeDeg) best = site
  }
  return best
}

export const isDark = (site: Site, atMs: number): boolean => sunAt(site, atMs).altitudeDeg < darkSunAltitudeDeg

/** Places to look at, degrees from 15° east of the zenith. */
const fieldOffsetsDeg = [0, -6, 6, -12, 12, 18]

/**
 * A field east of the meridian and high, so that it can be followed for hours: of a few, the one with most catalogue stars,
 * for there are dark clouds with hardly any. Whole degrees keep its name stable.
 */
export function simulatedField(
  site: Site,
  atMs: number,
  exposureSeconds: number,
  catalogue: StarCatalogue,
  filter = 'L',
): Field {
  const raDeg = (Math.round(siderealTimeDeg(site, atMs)) + 15) % 360
  const places = fieldOffsetsDeg.map((offset) => Math.round(site.latitudeDeg) + offset)
  const stars = (decDeg: number): number => catalogue.starsNear(raDeg, decDeg, 0.3).length
  const decDeg = places.reduce((best, other) => (stars(other) > stars(best) ? other : best))
  const hemisphere = decDeg < 0 ? 's' : 'n'
  return {
    fieldId: `sim-${String(raDeg).padStart(3, '0')}${hemisphere}${Math.abs(decDeg)}`,
    raDeg,
    decDeg,
    exposureSeconds,
    filter,
  }
}

/** Still high enough for at least an hour. */
export function isUp(site: Site, field: Pick<Field, 'raDeg' | 'decDeg'>, atMs: number): boolean {
  const inAnHour = atMs + 3_600_000
  return (
    Math.min(
      horizontal(site, field.raDeg, field.decDeg, atMs).altitudeDeg,
      horizontal(site, field.raDeg, field.decDeg, inAnHour).altitudeDeg,
    ) > 30
  )
}

/** New transients in the field every few exposures, from `firstAtMs` on. */
export function simulatedTransients(
  field: Field,
  firstAtMs: number,
  everySeconds: number,
  fieldRadiusDeg: number,
): TransientSchedule {
  return {
    epochMs: firstAtMs,
    everySeconds,
    count: 200,
    raDeg: field.raDeg,
    decDeg: field.decDeg,
    radiusDeg: 0.75 * fieldRadiusDeg,
    peakMag: [13.3, 15.5],
  }
}
