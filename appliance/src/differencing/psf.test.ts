import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { moffatStamp } from './moffat.ts'
import { photometricStars, prepare } from './prepare.ts'
import { measurePsf, type PsfModel } from './psf.ts'
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
  return measurePsf({ plane, mask, stars: photometricStars(stars), rmsAdu, radius: 12 })
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
})
