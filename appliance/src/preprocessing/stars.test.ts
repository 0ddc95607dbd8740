import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { openFits, readImage } from '../frames/fits/read.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { realDataFolder } from '../frames/reference.ts'
import { measureBackground } from './background.ts'
import { measureStars, type Star, StarFlag, type StarOptions } from './stars.ts'

/** Made by scripts/reference/preprocessing.py with sep: isolated stars of S/N > 20. */
type SepStar = readonly [x: number, y: number, halfFluxRadius: number, fluxInFourPixels: number]
const reference = JSON.parse(readFileSync(new URL('./reference.json', import.meta.url), 'utf8')) as {
  readonly files: Record<string, { readonly path: string; readonly stars: readonly SepStar[] }>
}
const folder = realDataFolder()
if (!folder) console.log('shared/data is absent: comparisons with sep on real frames are skipped')

function measure(compute: Compute, science: Plane, mask?: MaskPlane, options?: StarOptions): Star[] {
  return measureStars(compute, science, mask, measureBackground(compute, science, mask), options)
}

function nearest(stars: readonly Star[], x: number, y: number): { star: Star; distance: number } {
  const distanceOf = (star: Star): number => Math.hypot(star.x - x, star.y - y)
  const star = stars.reduce((best, other) => (distanceOf(other) < distanceOf(best) ? other : best))
  return { star, distance: distanceOf(star) }
}

interface Truth {
  readonly x: number
  readonly y: number
  readonly fluxAdu: number
}

interface Shape {
  readonly sigmaX: number
  readonly sigmaY: number
  readonly angleDeg: number
}

const round: Shape = { sigmaX: 1.3, sigmaY: 1.3, angleDeg: 0 }

/** Gaussian stars, each pixel the mean of 5 × 5 points, on sky 100 ADU with noise 4 ADU. */
function draw(compute: Compute, width: number, height: number, stars: readonly Truth[], shape = round): Plane {
  const random = createRandom('frame')
  const plane = compute.float32(width, height)
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = 100 + 4 * random.normal()
  const [cos, sin] = [Math.cos((shape.angleDeg * Math.PI) / 180), Math.sin((shape.angleDeg * Math.PI) / 180)]
  const reach = Math.ceil(6 * Math.max(shape.sigmaX, shape.sigmaY))
  for (const star of stars) {
    const peak = star.fluxAdu / (2 * Math.PI * shape.sigmaX * shape.sigmaY)
    for (let y = Math.max(0, Math.round(star.y) - reach); y <= Math.min(height - 1, Math.round(star.y) + reach); y++) {
      for (let x = Math.max(0, Math.round(star.x) - reach); x <= Math.min(width - 1, Math.round(star.x) + reach); x++) {
        let sum = 0
        for (let k = 0; k < 25; k++) {
          const dx = x + (k % 5) / 5 - 0.4 - star.x
          const dy = y + Math.floor(k / 5) / 5 - 0.4 - star.y
          const u = (dx * cos + dy * sin) / shape.sigmaX
          const v = (dy * cos - dx * sin) / shape.sigmaY
          sum += Math.exp(-0.5 * (u * u + v * v))
        }
        plane.data[y * width + x]! += (peak * sum) / 25
      }
    }
  }
  return plane
}

/** Places on a grid with random fractions of a pixel. */
function grid(columns: number, rows: number, step: number, flux: (n: number) => number): Truth[] {
  const random = createRandom('grid')
  return Array.from({ length: columns * rows }, (_, n) => ({
    x: 20 + step * (n % columns) + random.next(),
    y: 20 + step * Math.floor(n / columns) + random.next(),
    fluxAdu: flux(n),
  }))
}

describe('stars', () => {
  test('are found where they are, with their flux, width and radius', () => {
    using compute = createCompute({ threads: 2 })
    const truth = grid(18, 18, 26, (n) => 3000 * 1.02 ** n)
    const found = measure(compute, draw(compute, 500, 500, truth), undefined, { thresholdSigma: 5 })
    expect(found.length).toBeGreaterThanOrEqual(truth.length)
    expect(found.length).toBeLessThan(truth.length + 3)
    // A pixel widens a Gaussian by 1/12 px² (the variance of a box).
    const fwhm = 2.354820045 * Math.sqrt(1.3 ** 2 + 1 / 12)
    for (const star of truth) {
      const { star: measured, distance } = nearest(found, star.x, star.y)
      // King 1983, PASP 95, 163: a centroid is good to FWHM / 2.355 / SNR, times √2 in the sky's noise.
      expect(distance).toBeLessThan((5 * fwhm) / measured.snr)
      expect(measured.flags).toBe(0)
      expect(Math.abs(measured.fluxAdu / star.fluxAdu - 1)).toBeLessThan(
        0.02 + (4 * measured.fluxErrorAdu) / star.fluxAdu,
      )
      expect(Math.abs(measured.fwhmPixels / fwhm - 1)).toBeLessThan(0.02 + 3 / measured.snr)
      // Half of a Gaussian's light lies within half of its full width. The light of a pixel counts as even over it: a box more.
      const half = 1.177410023 * Math.sqrt(1.3 ** 2 + 2 / 12)
      expect(Math.abs(measured.hfrPixels / half - 1)).toBeLessThan(0.025 + 4 / measured.snr)
      expect(measured.ellipticity).toBeLessThan(0.03 + 4 / measured.snr)
    }
    expect(found.map((star) => star.fluxAdu)).toEqual(found.map((star) => star.fluxAdu).sort((a, b) => b - a))
  })

  test('tell how long they are and which way they point', () => {
    using compute = createCompute({ threads: 1 })
    const truth = grid(8, 8, 40, () => 60_000)
    const shape = { sigmaX: 2.4, sigmaY: 1.2, angleDeg: 35 }
    const found = measure(compute, draw(compute, 360, 360, truth, shape))
    const box = 1 / 12
    const ellipticity = 1 - Math.sqrt((1.2 ** 2 + box) / (2.4 ** 2 + box))
    for (const star of truth) {
      const { star: measured, distance } = nearest(found, star.x, star.y)
      expect(distance).toBeLessThan(0.05)
      expect(measured.ellipticity).toBeCloseTo(ellipticity, 1)
      expect(Math.abs(measured.positionAngleDeg - 35)).toBeLessThan(2)
    }
  })

  test('of 5 sigma are found more often than not, and noise is seldom taken for one', () => {
    using compute = createCompute({ threads: 1 })
    // Matched S/N = flux / (noise · √(4π) σ) for a Gaussian; 8 here.
    const flux = 8 * 4 * Math.sqrt(4 * Math.PI) * Math.sqrt(1.3 ** 2 + 1 / 12)
    const truth = grid(18, 18, 26, () => flux)
    const found = measure(compute, draw(compute, 500, 500, truth))
    const seen = truth.filter((star) => nearest(found, star.x, star.y).distance < 1.5).length
    expect(seen / truth.length).toBeGreaterThan(0.97)
    expect(found.length - seen).toBeLessThan(4)
  })

  test('that touch are parted and say so', () => {
    using compute = createCompute({ threads: 1 })
    const pair = [
      { x: 60.2, y: 60.4, fluxAdu: 40_000 },
      { x: 66.1, y: 61.0, fluxAdu: 12_000 },
    ]
    const found = measure(compute, draw(compute, 128, 128, pair))
    expect(found).toHaveLength(2)
    for (const star of pair) {
      const { star: measured, distance } = nearest(found, star.x, star.y)
      expect(distance).toBeLessThan(0.1)
      expect(measured.flags & StarFlag.blended).toBe(StarFlag.blended)
      expect(Math.abs(measured.fluxAdu / star.fluxAdu - 1)).toBeLessThan(0.12)
    }
  })

  test('are flagged when saturated, at the border, on a bad pixel, or single pixels', () => {
    using compute = createCompute({ threads: 1 })
    const truth = [
      { x: 40, y: 40, fluxAdu: 50_000 },
      { x: 1.5, y: 90, fluxAdu: 50_000 },
      { x: 100, y: 40, fluxAdu: 50_000 },
      ...grid(4, 2, 30, () => 30_000).map((star) => ({ ...star, y: star.y + 110 })),
    ]
    const plane = draw(compute, 200, 200, truth)
    const mask = compute.uint16(200, 200)
    mask.data[40 * 200 + 40] = MaskFlag.saturated
    mask.data[40 * 200 + 101] = MaskFlag.bad
    plane.data[40 * 200 + 101] = -5000
    plane.data[70 * 200 + 150]! += 8000
    const found = measure(compute, plane, mask)
    const flagsAt = (x: number, y: number): number => nearest(found, x, y).star.flags
    expect(flagsAt(40, 40)).toBe(StarFlag.saturated)
    expect(flagsAt(1.5, 90) & StarFlag.edge).toBe(StarFlag.edge)
    expect(flagsAt(100, 40) & StarFlag.masked).toBe(StarFlag.masked)
    expect(nearest(found, 100, 40).distance).toBeLessThan(0.1)
    expect(flagsAt(150, 70) & StarFlag.sharp).toBe(StarFlag.sharp)
  })

  test('never fail, whatever the picture: empty, full, saturated, noise alone', () => {
    using compute = createCompute({ threads: 2 })
    const random = createRandom('hostile')
    const pictures: ((i: number) => number)[] = [
      () => 0,
      () => 65535,
      (i) => (i % 2 === 0 ? 0 : 65535),
      () => (random.next() < 0.3 ? 60000 : 100),
      () => random.normal() * 1e30,
      (i) => (i % 3 === 0 ? Number.NaN : 5),
      (i) => (i % 200 < 100 ? 65535 : 10 + random.normal()),
    ]
    for (const picture of pictures) {
      using _scope = compute.scope()
      const plane = compute.float32(200, 150)
      for (let i = 0; i < plane.data.length; i++) plane.data[i] = picture(i)
      const found = measure(compute, plane, undefined, { thresholdSigma: 2, max: 500 })
      expect(found.length).toBeLessThanOrEqual(500)
      for (const star of found) expect(Object.entries(star).filter(([, value]) => !Number.isFinite(value))).toEqual([])
    }
  })

  test('have the same bits with any number of threads', () => {
    const truth = grid(10, 10, 26, (n) => 2000 + 100 * n)
    const lists = [1, 2, 3].map((threads) => {
      using compute = createCompute({ threads })
      return measure(compute, draw(compute, 290, 290, truth))
    })
    expect(lists[1]).toEqual(lists[0])
    expect(lists[2]).toEqual(lists[0])
  })

  describe.skipIf(!folder)('of a real frame are where sep finds them', () => {
    test.each(Object.entries(reference.files).filter(([, file]) => file.stars.length > 0))('%s', (_, file) => {
      using compute = createCompute({ threads: 1 })
      const found = measure(compute, readImage(compute, openFits(join(folder!, file.path))))
      const pairs = file.stars.map(([x, y, halfFluxRadius]) => ({ ...nearest(found, x, y), halfFluxRadius }))
      const distances = pairs.map((pair) => pair.distance).sort((a, b) => a - b)
      expect(distances[Math.floor(0.5 * distances.length)]).toBeLessThan(0.02)
      expect(distances[Math.floor(0.9 * distances.length)]).toBeLessThan(0.05)
      const radii = pairs.map((pair) => pair.star.hfrPixels / pair.halfFluxRadius).sort((a, b) => a - b)
      expect(radii[radii.length >> 1]).toBeGreaterThan(0.95)
      expect(radii[radii.length >> 1]).toBeLessThan(1.05)
    })
  })
})
