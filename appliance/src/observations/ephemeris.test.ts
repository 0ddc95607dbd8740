import { expect, test } from 'vitest'
import { horizontal, nightIdAt, separationDeg, siderealTimeDeg, sunAt } from './ephemeris.ts'

/** Made with astropy 5.2.1 by scripts/reference/ephemeris.py. HAT-P-32 is at ICRS 31.042833°, +46.687833°. */
const astropy = [
  { lat: 28.3, lon: -16.51, atMs: 1766188800000, sun: [-74.928, 285.239], star: [53.261, 311.538], sidereal: 72.3243 },
  {
    lat: -30.24,
    lon: -70.74,
    atMs: 1782000000000,
    sun: [-27.144, 282.623],
    star: [-70.618, 332.381],
    sidereal: 198.4685,
  },
  { lat: 47.9, lon: 19.9, atMs: 1795219200000, sun: [-56.152, 42.249], star: [57.719, 286.538], sidereal: 79.9127 },
] as const

for (const want of astropy) {
  const site = { name: 'test', latitudeDeg: want.lat, longitudeDeg: want.lon, elevationMetres: 2000 }

  test(`the Sun stands where astropy puts it, seen from ${want.lat}°`, () => {
    const sun = sunAt(site, want.atMs)
    expect(Math.abs(sun.altitudeDeg - want.sun[0])).toBeLessThan(0.02)
    expect(Math.abs(sun.azimuthDeg - want.sun[1])).toBeLessThan(0.1)
  })

  test(`a star stands within the precession that is left out, seen from ${want.lat}°`, () => {
    const star = horizontal(site, 31.042833, 46.687833, want.atMs)
    expect(separationDeg(star.azimuthDeg, star.altitudeDeg, want.star[1], want.star[0])).toBeLessThan(0.4)
  })

  test(`sidereal time agrees with astropy, seen from ${want.lat}°`, () => {
    expect(Math.abs(siderealTimeDeg(site, want.atMs) - want.sidereal)).toBeLessThan(0.01)
  })
}

test('a night keeps its name past midnight and is named by the local date of its evening', () => {
  const site = { name: 'Tenerife', latitudeDeg: 28.3, longitudeDeg: -16.51, elevationMetres: 2390 }
  expect(nightIdAt(site, Date.UTC(2026, 10, 21, 20))).toBe('20261121')
  expect(nightIdAt(site, Date.UTC(2026, 10, 22, 5))).toBe('20261121')
  expect(nightIdAt(site, Date.UTC(2026, 10, 22, 14))).toBe('20261122')
})
