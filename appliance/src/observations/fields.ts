import { horizontal, type Site } from './ephemeris.ts'

/** A place on the sky that is imaged again and again. ICRS degrees. */
export interface Field {
  readonly fieldId: string
  readonly raDeg: number
  readonly decDeg: number
  readonly exposureSeconds: number
  readonly filter: string
}

export interface FieldChoice {
  readonly field: Field | undefined
  /** Why, for people: names the chosen field, or says why there is none. */
  readonly reason: string
}

/** The field that stands highest above `minAltitudeDeg` now. */
export function chooseField(fields: readonly Field[], site: Site, atMs: number, minAltitudeDeg: number): FieldChoice {
  let best: Field | undefined
  let bestAltitude = -90
  for (const field of fields) {
    const { altitudeDeg } = horizontal(site, field.raDeg, field.decDeg, atMs)
    if (altitudeDeg > bestAltitude) {
      best = field
      bestAltitude = altitudeDeg
    }
  }
  if (!best) return { field: undefined, reason: 'no fields are set: add one in Settings' }
  if (bestAltitude < minAltitudeDeg) {
    return {
      field: undefined,
      reason: `the highest field, ${best.fieldId}, stands at ${bestAltitude.toFixed(0)}°, below ${minAltitudeDeg}°`,
    }
  }
  return { field: best, reason: `${best.fieldId} stands highest, at ${bestAltitude.toFixed(0)}°` }
}
