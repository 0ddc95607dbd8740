import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { type SkyCatalogue, solve } from './solve.ts'
import { johnsonOf, measureZeroPoint, type PhotometricStar, pivotBvMag } from './zeroPoint.ts'

/** Catalogue stars through a band that sees `slope` more magnitudes for each of B − V. */
function observed(count: number, slope: number, noiseMag: number, spreadMag: number, seed: string): PhotometricStar[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, () => {
    const mag = 8 + 4 * random.next()
    const bvMag = 0.65 + spreadMag * (random.next() - 0.5)
    const instrumental = mag - slope * (bvMag - pivotBvMag) + noiseMag * random.normal()
    return { mag, bvMag, fluxAdu: 10 ** (0.4 * (21.3 - instrumental)), flags: 0 }
  })
}

describe('the zero point', () => {
  test('is the median of magnitude + 2.5 log flux, whatever a few variables and flagged stars say', () => {
    const random = createRandom('zero point')
    const stars = Array.from({ length: 60 }, (_, n) => {
      const mag = 8 + 3 * random.next()
      const wrong = n % 10 === 0 ? 2 : 0
      return { mag, fluxAdu: 10 ** (0.4 * (21.3 - mag + 0.05 * random.normal() - wrong)), flags: 0 }
    })
    const saturated = Array.from({ length: 60 }, () => ({ mag: 5, fluxAdu: 1, flags: 2 }))
    const zero = measureZeroPoint([...stars, ...saturated])!
    expect(zero.zeroPointMag).toBeCloseTo(21.3, 1)
    expect(zero.scatterMag).toBeGreaterThan(0.03)
    expect(zero.scatterMag).toBeLessThan(0.08)
    expect(measureZeroPoint(stars.slice(0, 4))).toBeUndefined()
  })

  test('has the colour term of its band with an honest error, and scatters less for it', () => {
    const pulls: number[][] = [[], []]
    for (let seed = 0; seed < 40; seed++) {
      const stars = observed(80, -0.35, 0.04, 1.4, `colour ${seed}`)
      // Variables and stars that are not what they seem.
      const wrong = stars.map((star, n) => (n % 12 === 0 ? { ...star, fluxAdu: 2.5 * star.fluxAdu } : star))
      const zero = measureZeroPoint(wrong)!
      const plain = measureZeroPoint(wrong.map(({ bvMag: _bvMag, ...star }) => star))!
      expect(plain.colourTerm).toBeUndefined()
      expect(zero.scatterMag).toBeLessThan(0.06)
      expect(plain.scatterMag).toBeGreaterThan(2 * zero.scatterMag)
      pulls[0]!.push((zero.colourTerm!.slope + 0.35) / zero.colourTerm!.error)
      pulls[1]!.push((zero.zeroPointMag - 21.3) / zero.errorMag)
    }
    for (const each of pulls) {
      const mean = each.reduce((sum, pull) => sum + pull, 0) / each.length
      const width = Math.sqrt(each.reduce((sum, pull) => sum + pull * pull, 0) / each.length)
      expect(Math.abs(mean)).toBeLessThan(0.5)
      expect(width).toBeGreaterThan(0.7)
      expect(width).toBeLessThan(1.35)
    }
  })

  test('of a frame in Johnson V has the colour term of the published relation between V and V_T', () => {
    // ESA 1997, SP-1200, vol. 1, eq. 1.3.20: V_T - V = 0.09 (B_T - V_T), B - V = 0.85 (B_T - V_T).
    const random = createRandom('johnson')
    const stars = Array.from({ length: 60 }, () => {
      const [vtMag, tychoColour] = [7 + 4 * random.next(), 0.1 + 1.4 * random.next()]
      const { vMag, bvMag } = johnsonOf(vtMag + tychoColour, vtMag)
      return { mag: vtMag, bvMag, fluxAdu: 10 ** (0.4 * (22 - vMag)) }
    })
    const { colourTerm } = measureZeroPoint(stars)!
    expect(colourTerm!.slope).toBeCloseTo(0.09 / 0.85, 6)
    // Vega's colours are zero in both systems; the Sun's B_T - V_T is 0.77 for its B - V of 0.65.
    expect(johnsonOf(0, 0)).toEqual({ vMag: 0, bvMag: 0 })
    expect(johnsonOf(0.77, 0).bvMag).toBeCloseTo(0.65, 2)
  })

  test.each([
    ['the catalogue has no colours', observed(60, 0.2, 0.03, 1.4, 'none').map(({ bvMag: _bvMag, ...star }) => star)],
    ['only 12 stars have colours', observed(12, 0.2, 0.03, 1.4, 'few')],
    ['colours span', observed(60, 0.2, 0.03, 0.3, 'narrow')],
    ['the colour term would be good to', observed(20, 0.2, 0.6, 1.2, 'noisy')],
  ])('is the median of all stars and says why: %s', (reason, stars) => {
    const zero = measureZeroPoint(stars)!
    expect(zero.colourTerm).toBeUndefined()
    expect(zero.colourless).toContain(reason)
    expect(Math.abs(zero.zeroPointMag - 21.3)).toBeLessThan(5 * zero.errorMag + 0.03)
  })

  test('of a frame that is solved with a catalogue of colours has them in it', () => {
    const shipped = openStarCatalogue()
    // The shipped catalogue has no colours: each star is given one that its place tells.
    const colourOf = (raDeg: number, decDeg: number): number => Math.abs((raDeg * 7919.3 + decDeg * 104729.7) % 1.4)
    const coloured: SkyCatalogue = {
      starsNear: (...asked) =>
        shipped.starsNear(...asked).map((star) => ({ ...star, bvMag: colourOf(star.raDeg, star.decDeg) })),
    }
    const [raDeg, decDeg, size, scale] = [56.75, 24.12, 2000, 3 / 3600]
    const random = createRandom('coloured frame')
    const stars = shipped.starsNear(raDeg, decDeg, 0.8).map((star) => ({
      x: size / 2 - ((star.raDeg - raDeg) * Math.cos((decDeg * Math.PI) / 180)) / scale + 0.1 * random.normal(),
      y: size / 2 + (star.decDeg - decDeg) / scale + 0.1 * random.normal(),
      fluxAdu: 10 ** (0.4 * (20 - star.mag + 0.5 * (colourOf(star.raDeg, star.decDeg) - pivotBvMag))),
    }))
    const hint = { raDeg, decDeg, radiusDeg: 0.5, scaleArcsecPerPixel: 3 }
    const with_ = solve(stars, size, size, hint, coloured)
    const without = solve(stars, size, size, hint, shipped)
    if (!with_.ok || !without.ok) throw new Error('not solved')
    expect(with_.zeroPoint!.colourTerm!.slope).toBeCloseTo(0.5, 2)
    expect(with_.zeroPoint!.zeroPointMag).toBeCloseTo(20, 2)
    expect(with_.zeroPoint!.scatterMag).toBeLessThan(0.1 * without.zeroPoint!.scatterMag)
    expect(without.zeroPoint!.colourless).toContain('no colours')
  })
})
