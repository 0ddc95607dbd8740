import { expect, test } from 'vitest'
import { altitudeDeg, nearestMidnight, sunAltitudeDeg } from './altitude.ts'

/** astropy 5.2, scripts/reference/altitude.py */
const reference = [
  {
    site: { latitudeDeg: 37.2, longitudeDeg: -3.4 },
    at: '2026-11-20T23:41:12Z',
    raDeg: 53.4,
    decDeg: 12.14,
    altitude: 64.976,
    sun: -72.217,
  },
  {
    site: { latitudeDeg: -33.27, longitudeDeg: 149.06 },
    at: '2026-06-21T03:00:00Z',
    raDeg: 201.365,
    decDeg: -43.019,
    altitude: 16.65,
    sun: 31.822,
  },
  {
    site: { latitudeDeg: 69.6, longitudeDeg: 18.9 },
    at: '2031-02-03T11:20:40Z',
    raDeg: 10.68,
    decDeg: 41.27,
    altitude: 52.485,
    sun: 3.804,
  },
]

test.each(reference)('altitudes at $at agree with astropy', ({ site, at, raDeg, decDeg, altitude, sun }) => {
  const ms = Date.parse(at)
  expect(Math.abs(altitudeDeg(raDeg, decDeg, site, ms) - altitude)).toBeLessThan(0.5)
  expect(Math.abs(sunAltitudeDeg(site, ms) - sun)).toBeLessThan(0.02)
})

test('the nearest midnight is that of the coming or running night', () => {
  const site = { latitudeDeg: 0, longitudeDeg: 90 }
  expect(nearestMidnight(site, Date.UTC(2026, 0, 1, 20))).toBe(Date.UTC(2026, 0, 1, 18))
  expect(nearestMidnight(site, Date.UTC(2026, 0, 1, 9))).toBe(Date.UTC(2026, 0, 1, 18))
})
