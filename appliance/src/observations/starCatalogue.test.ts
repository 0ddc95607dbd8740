import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openStarCatalogue } from './starCatalogue.ts'

const catalogue = openStarCatalogue()
const wholeSky = catalogue.starsNear(0, 0, 180)
const DEG = Math.PI / 180

/** Angle between two places by the vector product, in arc seconds. */
function apartArcsec(raA: number, decA: number, raB: number, decB: number): number {
  const unit = (ra: number, dec: number): [number, number, number] => [
    Math.cos(dec * DEG) * Math.cos(ra * DEG),
    Math.cos(dec * DEG) * Math.sin(ra * DEG),
    Math.sin(dec * DEG),
  ]
  const [a, b] = [unit(raA, decA), unit(raB, decB)]
  return (2 * Math.asin(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) / 2) * 3600) / DEG
}

describe('the star catalogue', () => {
  // Positions (ICRS, epoch J2000) and V from SIMBAD; V_T is V + 0.09 (B-V) (ESA SP-1200, vol. 1, eq. 1.3.20).
  it.each([
    ['27 Tau (Atlas)', '03 49 09.743', '+24 03 12.30', 3.63],
    ['19 Tau (Taygeta)', '03 45 12.496', '+24 28 02.21', 4.3],
    ['σ Oct, 1° from the south pole', '21 08 46.86', '-88 57 23.4', 5.45],
    ['λ UMi, 1° from the north pole', '17 16 56.47', '+89 02 15.6', 6.38],
    ['33 Psc, just past RA 0', '00 05 20.14', '-05 42 27.4', 4.61],
    ['51 Peg', '22 57 27.98', '+20 46 07.8', 5.49],
    ['HD 209458', '22 03 10.77', '+18 53 03.5', 7.65],
    ['HD 189733', '20 00 43.71', '+22 42 39.1', 7.67],
  ])('has %s where SIMBAD has it', (_, ra, dec, v) => {
    const raDeg = 15 * degrees(ra)
    const star = catalogue.starsNear(raDeg, degrees(dec), 0.01)[0]
    expect(star && apartArcsec(star.raDeg, star.decDeg, raDeg, degrees(dec))).toBeLessThan(0.3)
    expect(star && Math.abs(star.mag - v - 0.07)).toBeLessThan(0.12)
  })

  it('holds the 1,871,011 stars of the Debian package', () => {
    expect(catalogue.starCount).toBe(1_871_011)
  })

  it.each([
    [0.2, 10, 1.5],
    [359.9, -45, 2],
    [123, 89.5, 1.2],
    [200, -90, 0.8],
    [83.8, -5.4, 3],
  ])('finds at RA %d° Dec %d° within %d° exactly the stars that a scan of the whole sky finds', (ra, dec, radius) => {
    const scan = wholeSky.filter((star) => apartArcsec(star.raDeg, star.decDeg, ra, dec) <= radius * 3600)
    const found = catalogue.starsNear(ra, dec, radius)
    expect(found.length).toBeGreaterThan(20)
    expect(found).toEqual(scan)
  })

  it('gives the brightest first, none fainter than asked, and no more than asked', () => {
    const stars = catalogue.starsNear(56.75, 24.12, 2, { limitMag: 9, max: 30 })
    expect(stars).toHaveLength(30)
    expect(stars.every((star, i) => star.mag <= 9 && (i === 0 || star.mag >= stars[i - 1]!.mag))).toBe(true)
  })

  it('refuses a place that is not on the sky', () => {
    expect(() => catalogue.starsNear(Number.NaN, 0, 1)).toThrow(/no such circle/)
    expect(() => catalogue.starsNear(0, 91, 1)).toThrow(/no such circle/)
  })
})

describe('a star catalogue file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-stars-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const shipped = readFileSync(new URL('../../catalogue/tycho2.njc', import.meta.url))
  const opened = (name: string, bytes: Uint8Array): (() => unknown) => {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return () => openStarCatalogue(path).starsNear(0, 0, 1)
  }

  it('that is missing is named', () => {
    expect(() => openStarCatalogue(join(folder, 'none.njc')).starCount).toThrow(/none\.njc cannot be read/)
  })

  it('that is something else, cut short or altered is refused', () => {
    expect(opened('text', Buffer.from('SIMPLE  =                    T'))).toThrow(/does not begin with NJSTAR01/)
    expect(opened('short', shipped.subarray(0, 1_000_000))).toThrow(/has 1000000 bytes instead of 11391126/)
    const altered = Buffer.from(shipped)
    altered[5_000_000]! ^= 1
    expect(opened('altered', altered)).toThrow(/does not match its own checksum/)
  })
})

/** `dd mm ss.s` as degrees (or hours). */
function degrees(text: string): number {
  const [whole, minutes, seconds] = text.replace(/^[+-]/, '').split(' ').map(Number) as [number, number, number]
  return (text.startsWith('-') ? -1 : 1) * (whole + minutes / 60 + seconds / 3600)
}
