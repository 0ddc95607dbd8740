import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { type ApertureFlux, type ApertureOptions, measureApertures } from './aperture.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

// sep 1.2.1, sum_circle with subpix=0 (exact) on x-y-image y^1.3 + sin(x); [x, y, r, sum].
const sep = [
  [11.3, 12.7, 3.2, 874.0937627974864],
  [12.5, 11.5, 5.0, 1897.612229410698],
  [9.01, 13.99, 1.0, 98.05081799120622],
  [11.77, 11.2, 7.31, 3960.9249960883753],
] as const

function plane(width: number, height: number, value: (x: number, y: number) => number): Plane {
  const made = compute.float32(width, height)
  for (let i = 0; i < made.data.length; i++) made.data[i] = value(i % width, Math.floor(i / width))
  return made
}

function at(
  science: Plane,
  mask: MaskPlane | undefined,
  x: number,
  y: number,
  options: ApertureOptions,
): ApertureFlux | undefined {
  return measureApertures(compute, science, mask, [{ x, y }], options)[0]
}

describe('aperture photometry', () => {
  test.each(sep)('sums the circle at %d, %d of radius %d as sep does', (x, y, r, expected) => {
    using _scratch = compute.scope()
    const science = plane(24, 24, (u, v) => v ** 1.3 + Math.sin(u))
    const found = at(science, undefined, x, y, { radiiPixels: [r], innerPixels: 8, outerPixels: 11 })!
    expect(Math.abs((found.fluxAdu[0]! + found.skyAdu * found.areaPixels[0]!) / expected - 1)).toBeLessThan(2e-6)
  })

  test('the shares of a circle add up to its area wherever it lies', () => {
    using _scratch = compute.scope()
    const science = plane(40, 40, (u, v) => (Math.hypot(u - 20, v - 20) < 9 ? 1 : 0))
    for (const [x, y, r] of [
      [20.5, 20.5, 0.2],
      [20.31, 19.8, 0.7],
      [20, 20, 6.5],
      [20.499, 20.1, 2],
    ] as const) {
      const found = at(science, undefined, x, y, { radiiPixels: [r, 7], innerPixels: 11, outerPixels: 15 })!
      expect(found.fluxAdu[0]).toBeCloseTo(Math.PI * r * r, 10)
      expect(found.fluxAdu[1]).toBeCloseTo(Math.PI * 49, 10)
    }
  })

  test('is the same to the last bit with two threads, for more stars than the memory had room for', () => {
    using two = createCompute({ threads: 2 })
    const measured = [compute, two].map((shared) => {
      using _scratch = shared.scope()
      const random = createRandom('threads')
      const science = shared.float32(80, 60)
      for (let i = 0; i < science.data.length; i++) science.data[i] = 50 * random.normal()
      const places = Array.from({ length: 20_000 }, () => ({ x: 80 * random.next(), y: 60 * random.next() }))
      return measureApertures(shared, science, undefined, places, {
        radiiPixels: [4, 2],
        innerPixels: 6,
        outerPixels: 9,
      })
    })
    expect(measured[0]).toEqual(measured[1])
  })

  test('gives the light of a star above a sky with outliers, whatever its place within the pixel', () => {
    using _scratch = compute.scope()
    const random = createRandom('ring')
    const sigma = 1.6
    for (const [x, y] of [
      [30, 30],
      [30.5, 29.6],
    ] as const) {
      const science = plane(60, 60, (u, v) => {
        const light =
          (50_000 / (2 * Math.PI * sigma ** 2)) * Math.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma ** 2))
        return 300 + 2 * random.normal() + light
      })
      science.data[30 * 60 + 42] = 5000
      const found = at(science, undefined, x, y, { radiiPixels: [3, 7], innerPixels: 10, outerPixels: 15 })
      // Light of a Gaussian within r: 1 − exp(−r²/2σ²); pixels are small beside it.
      expect(found!.fluxAdu[0]! / (50_000 * (1 - Math.exp(-9 / (2 * sigma ** 2 + 1 / 6))))).toBeCloseTo(1, 2)
      expect(found!.fluxAdu[1]! / 50_000).toBeCloseTo(1, 2)
      expect(found!.skyAdu).toBeCloseTo(300, 0)
      expect(found!.skyRmsAdu).toBeCloseTo(2, 0)
    }
  })

  test('says when the circle leaves the frame or there is no sky, and mends unusable pixels by their mirror images', () => {
    using _scratch = compute.scope()
    const science = plane(40, 40, (u, v) => 100 + (Math.hypot(u - 20, v - 20) < 2.5 ? 50 : 0))
    const options = { radiiPixels: [4], innerPixels: 6, outerPixels: 10 }
    const whole = at(science, undefined, 20, 20, options)!.fluxAdu[0]!
    const mask = compute.uint16(40, 40)
    mask.data[20 * 40 + 21] = MaskFlag.cosmicRay
    science.data[20 * 40 + 21] = 30_000
    const mended = at(science, mask, 20, 20, options)!
    expect(mended.fluxAdu[0]).toBeCloseTo(whole, 3)
    expect(mended.maskBits).toBe(MaskFlag.cosmicRay)
    expect(at(science, mask, 2, 20, options)!.fluxAdu[0]).toBeNaN()
    expect(at(science, mask, -30, 20, options)).toBeUndefined()
  })
})
