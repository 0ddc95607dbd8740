import { describe, expect, it } from 'vitest'
import { fromIcrs, separationDeg, toIcrs } from './epoch.ts'

/** Apparent places by astropy 5.2.1 (TETE, geocentre): scripts/reference/equinox-of-date.py. */
const places: readonly (readonly [string, number, number, number, number])[] = [
  ['2000-01-01T12:00:00Z', 56.75, 24.1167, 56.750908, 24.115735],
  ['2000-01-01T12:00:00Z', 0.01, -89.5, 359.708454, -89.507234],
  ['2000-01-01T12:00:00Z', 266.4, -29.0, 266.389219, -28.998031],
  ['2000-01-01T12:00:00Z', 10.6847, 41.2687, 10.682434, 41.27038],
  ['2000-01-01T12:00:00Z', 189.2, 62.2, 189.193999, 62.19648],
  ['2026-11-21T03:00:00Z', 56.75, 24.1167, 57.158862, 24.201769],
  ['2026-11-21T03:00:00Z', 0.01, -89.5, 0.735795, -89.354326],
  ['2026-11-21T03:00:00Z', 266.4, -29.0, 266.824028, -29.011077],
  ['2026-11-21T03:00:00Z', 10.6847, 41.2687, 11.059284, 41.420718],
  ['2026-11-21T03:00:00Z', 189.2, 62.2, 189.496724, 62.047703],
  ['2035-06-01T00:00:00Z', 56.75, 24.1167, 57.270619, 24.220233],
  ['2035-06-01T00:00:00Z', 0.01, -89.5, 0.040585, -89.298378],
  ['2035-06-01T00:00:00Z', 266.4, -29.0, 266.966908, -29.008793],
  ['2035-06-01T00:00:00Z', 10.6847, 41.2687, 11.167987, 41.457253],
  ['2035-06-01T00:00:00Z', 189.2, 62.2, 189.592369, 62.010645],
]
const arcsecond = 1 / 3600

describe('coordinates of date', () => {
  it.each(places)('agree with astropy within 1" at %s for %f %f', (time, raDeg, decDeg, ofDateRa, ofDateDec) => {
    const there = fromIcrs({ raDeg, decDeg }, Date.parse(time))
    expect(separationDeg(there, { raDeg: ofDateRa, decDeg: ofDateDec })).toBeLessThan(arcsecond)
    const back = toIcrs({ raDeg: ofDateRa, decDeg: ofDateDec }, Date.parse(time))
    expect(separationDeg(back, { raDeg, decDeg })).toBeLessThan(arcsecond)
  })

  it('go there and back within 0.02"', () => {
    const atMs = Date.parse('2026-11-21T03:00:00Z')
    for (let raDeg = 0; raDeg < 360; raDeg += 15) {
      for (let decDeg = -85; decDeg <= 85; decDeg += 17) {
        const back = toIcrs(fromIcrs({ raDeg, decDeg }, atMs), atMs)
        expect(separationDeg(back, { raDeg, decDeg })).toBeLessThan(0.02 * arcsecond)
      }
    }
  })
})
