import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { moffatStamp } from './moffat.ts'
import { photometricStars, prepare } from './prepare.ts'
import { measurePsf, type PsfModel } from './psf.ts'
import { drawStar } from './quality/profiles.ts'
import { saturatedBlobs } from './repair.ts'
import { medianInPlace } from './robust.ts'
import { StampSpline } from './spline.ts'
import { stampFwhm, windowedCentroid } from './stampShape.ts'
import { fitStar } from './starFit.ts'
import { makeScene } from './testScene.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

function measured(width: number, starsPerMpix: number, fwhm: number): PsfModel {
  using _scratch = compute.scope()
  const options = { width, height: width, seed: 'psf', starsPerMpix, galaxiesPerMpix: 0, psfVariation: 0 }
  const { science } = makeScene(compute, { ...options, fwhmSciencePixels: fwhm })
  const { plane, mask, stars, rmsAdu } = prepare(compute, science)
  return measurePsf(compute, { plane, mask, stars: photometricStars(stars), rmsAdu, radius: 12 })
}

function sum(stamp: Float64Array): number {
  return stamp.reduce((total, v) => total + v, 0)
}

describe('the PSF', () => {
  test('has the width of the profile that the stars were drawn with, sums to 1 and is centred', () => {
    for (const fwhm of [2.4, 3, 4]) {
      const psf = measured(700, 900, fwhm)
      const stamp = psf.stampAt(350, 350)
      const truth = stampFwhm(moffatStamp({ fwhmPixels: fwhm, e1: 0.03, e2: -0.02, beta: 3 }, 25), 25)
      expect(psf.kind).toBe('empirical')
      expect(Math.abs(psf.fwhmPixels / truth - 1)).toBeLessThan(0.02)
      expect(sum(stamp)).toBeCloseTo(1, 9)
      const { dx, dy } = windowedCentroid(stamp, psf.size)
      expect(Math.hypot(dx, dy)).toBeLessThan(0.01)
    }
  })

  test('is a Moffat profile when there are too few stars', () => {
    const psf = measured(180, 150, 3)
    expect(psf.kind).toBe('moffat')
    expect(sum(psf.stampAt(90, 90))).toBeCloseTo(1, 9)
    expect(psf.fwhmPixels).toBeGreaterThan(2.5)
    expect(psf.fwhmPixels).toBeLessThan(3.7)
  })

  test.each([1, 2.5])(
    'of stars that are Gaussians of sigma %s px and not Moffat profiles gives their whole flux',
    (sigma) => {
      using _scratch = compute.scope()
      const [side, flux] = [193, 1e4]
      const [plane, mask] = [compute.float32(side, side), compute.uint16(side, side)]
      const random = createRandom('gaussians')
      const places = [32, 96, 160].flatMap((y) => [32, 96, 160].map((x) => ({ x: x + 0.04, y })))
      plane.data.forEach((_, k) => {
        const near = ({ x, y }: { x: number; y: number }): number =>
          Math.exp(-(((k % side) - x) ** 2 + (Math.floor(k / side) - y) ** 2) / (2 * sigma ** 2))
        plane.data[k] = 0.01 * random.normal() + (flux / (2 * Math.PI * sigma ** 2)) * Math.max(...places.map(near))
      })
      const fwhmPixels = 2.3548 * sigma
      const stars = places.map((place) => ({ ...place, fluxAdu: flux, fwhmPixels, ellipticity: 0, snr: 1000 }))
      const psf = measurePsf(compute, { plane, mask, stars, rmsAdu: 0.01, radius: 14 })
      const options = { radiusPixels: 1.3 * fwhmPixels, variance: () => 1 }
      for (const { x, y } of places) {
        expect(sum(psf.splineAt(x, y).window(0, 0, 14).value)).toBeCloseTo(1, 6)
        const fit = fitStar(plane, psf.coreAt(x, y, options.radiusPixels), x, y, options)
        expect(Math.abs(fit!.fluxAdu / flux - 1)).toBeLessThan(0.01)
      }
    },
  )

  test('moves by sub-pixels without changing its flux', () => {
    const stamp = moffatStamp({ fwhmPixels: 3, e1: 0, e2: 0, beta: 3 }, 31)
    const { value } = new StampSpline(stamp, 31).shifted(0.37, -0.24)
    expect(sum(value) / sum(stamp)).toBeCloseTo(1, 3)
    const { dx, dy } = windowedCentroid(value, 31)
    expect(dx).toBeCloseTo(0.37, 2)
    expect(dy).toBeCloseTo(-0.24, 2)
  })

  test('fitted to a star gives its place and flux', () => {
    const stamp = moffatStamp({ fwhmPixels: 3, e1: 0, e2: 0, beta: 3 }, 31)
    const total = sum(stamp)
    const spline = new StampSpline(
      stamp.map((v) => v / total),
      31,
    )
    const plane = compute.float32(40, 40)
    const moved = spline.shifted(0.3, 0.45).value
    moved.forEach((v, k) => {
      plane.data[(Math.floor(k / 31) + 5) * 40 + (k % 31) + 4] = 1234 * v
    })
    const fit = fitStar(plane, spline, 19.2, 20.3, { radiusPixels: 5, variance: () => 1 })!
    expect(fit.x).toBeCloseTo(19.3, 3)
    expect(fit.y).toBeCloseTo(20.45, 3)
    expect(fit.fluxAdu).toBeCloseTo(1234, 0)
  })

  test('follows a PSF that varies over the frame to 0.7 % of its peak', () => {
    using _scratch = compute.scope()
    const side = 800
    const { science } = makeScene(compute, { width: side, height: side, seed: 'field', galaxiesPerMpix: 40 })
    const { plane, mask, stars, rmsAdu } = prepare(compute, science)
    const psf = measurePsf(compute, { plane, mask, stars: photometricStars(stars), rmsAdu, radius: 17 })
    expect(psf.degree).toBe(2)
    for (const [x, y] of [
      [100, 100],
      [400, 400],
      [700, 250],
    ] as const) {
      // The generator's field, with V = 0.05.
      const [u, v] = [(2 * x) / side - 1, (2 * y) / side - 1]
      const fwhmPixels = 3 * (1 + 0.05 * (0.6 * u - 0.4 * v + 0.5 * (u * u + v * v - 0.67)))
      const drawn = new Float64Array(35 * 35)
      const seeing = { fwhmPixels, e1: 0.03 + 0.04 * u, e2: -0.02 + 0.03 * v }
      // As a bright star: faint ones are drawn no further than 12 px.
      drawStar({ data: drawn, width: 35, height: 35 }, { x: 17, y: 17, flux: 1e6 }, seeing)
      const truth = drawn.map((value) => value / 1e6)
      const stamp = psf.stampAt(x, y)
      const near = truth.map((_, k) => (Math.hypot((k % 35) - 17, Math.floor(k / 35) - 17) <= 6 ? 1 : 0))
      const square = truth.reduce((total, value, k) => total + near[k]! * (stamp[k]! - value) ** 2, 0)
      expect(Math.sqrt(square / sum(near)) / Math.max(...truth)).toBeLessThan(0.007)
      expect(Math.abs(sum(truth) / sum(stamp) - 1)).toBeLessThan(0.002)
    }
  })
})

describe('saturated pixels', () => {
  test('that touch, even at a corner, are one blob, grown by a pixel', () => {
    using _scratch = compute.scope()
    const [one, other] = [compute.uint16(37, 20), compute.uint16(37, 20)]
    for (const [x, y] of [
      [5, 5],
      [6, 6],
      [8, 5],
      [7, 6],
    ] as const)
      one.data[y * 37 + x] = 4
    other.data[12 * 37 + 36] = 4
    const blobs = saturatedBlobs(compute, one, other)
    // Two rows of (5, 8 | 6, 7) grown by one: columns 4 to 9 but for two corners of the lower row.
    expect(blobs.map((blob) => blob.pixels.length).sort((a, b) => a - b)).toEqual([6, 22])
  })
})

describe('the median by selection', () => {
  test('of odd, even and repeated values', () => {
    expect(medianInPlace(Float64Array.of(3, 1, 2))).toBe(2)
    expect(medianInPlace(Float64Array.of(4, 1, 3, 2))).toBe(2.5)
    expect(medianInPlace(Float64Array.of(2, 2, 2, 2, 9))).toBe(2)
    expect(medianInPlace(new Float64Array(0))).toBeNaN()
  })
})
