import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import reference from './differencing.reference.json' with { type: 'json' }
import { median, robustSigma } from './robust.ts'
import { StampSpline } from './spline.ts'
import { subtract, type ZogyInput } from './zogy.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

function gaussian(size: number, sigma: number, e = 0): Float64Array {
  const half = (size - 1) / 2
  const stamp = Float64Array.from({ length: size * size }, (_, k) => {
    const [x, y] = [((k % size) - half) * (1 - e), (Math.floor(k / size) - half) * (1 + e)]
    return Math.exp(-(x * x + y * y) / (2 * sigma * sigma))
  })
  const sum = stamp.reduce((total, v) => total + v, 0)
  return stamp.map((v) => v / sum)
}

function plane(width: number, height: number, value: (x: number, y: number) => number): Plane {
  const made = compute.float32(width, height)
  made.data.forEach((_, i) => {
    made.data[i] = value(i % width, Math.floor(i / width))
  })
  return made
}

const pattern = (x: number, y: number): number => (x * 37 + y * 91 + x * y * 13) % 101

describe('ZOGY', () => {
  test('is what numpy makes of the equations of the paper', () => {
    // Periodic in numpy; the tile has borders of zeros. The pattern is laid out so that both see the same pixels.
    const n = 64
    const wrap = (value: (x: number, y: number) => number) => (x: number, y: number) =>
      value((x + n * 8 - 64) % n, (y + n * 8 - 64) % n)
    const newAt = (x: number, y: number): number => pattern(x, y) - 50
    const refAt = (x: number, y: number): number => pattern(n - 1 - y, x) * 0.7 - 35
    const side = 192
    const input: ZogyInput = {
      science: plane(side, side, wrap(newAt)),
      reference: plane(side, side, wrap(refAt)),
      scienceVariance: plane(
        side,
        side,
        wrap((x, y) => 25 + Math.max(0, newAt(x, y)) / 2),
      ),
      referenceVariance: plane(
        side,
        side,
        wrap((x, y) => 9 + Math.max(0, refAt(x, y)) / 4),
      ),
      scienceRms: plane(side, side, () => 5),
      referenceRms: plane(side, side, () => 3),
      sciencePsf: () => gaussian(15, 1.5, 0.05),
      referencePsf: () => gaussian(15, 1.1),
      psfSize: 15,
      constantPsf: true,
      fluxRatio: 1.2,
      astrometricNoise: [0.07, 0.11],
    }
    const result = subtract(compute, input)
    const expected = reference.zogy
    const worst = { difference: 0, scorr: 0 }
    for (let k = 0; k < 144; k++) {
      const at = (64 + 24 + Math.floor(k / 12)) * side + 64 + 20 + (k % 12)
      worst.difference = Math.max(worst.difference, Math.abs(result.difference.data[at]! - expected.difference[k]!))
      worst.scorr = Math.max(worst.scorr, Math.abs(result.scorr.data[at]! - expected.scorr[k]!))
    }
    expect(worst.difference).toBeLessThan(0.2)
    expect(worst.scorr).toBeLessThan(0.005)
    expect(result.tiles[0]!.psf[7 * 15 + 7]).toBeCloseTo(expected.psfPeak, 4)
  })

  test('shows a new source as positive, at its pixel, with its flux, in every tile', () => {
    const [width, height, flux] = [300, 200, 700]
    const random = createRandom('delta')
    const psf = gaussian(21, 1.4)
    const places = [
      [40, 50],
      [149, 100],
      [260, 171],
    ] as [number, number][]
    const science = plane(width, height, () => 5 * random.normal())
    for (const [x, y] of places)
      psf.forEach((v, k) => {
        science.data[(y + Math.floor(k / 21) - 10) * width + x + (k % 21) - 10]! += flux * v
      })
    const result = subtract(compute, {
      science,
      reference: plane(width, height, () => 4 * random.normal()),
      scienceVariance: plane(width, height, () => 25),
      referenceVariance: plane(width, height, () => 16),
      scienceRms: plane(width, height, () => 5),
      referenceRms: plane(width, height, () => 4),
      sciencePsf: () => psf,
      referencePsf: () => gaussian(21, 1.1, 0.1),
      psfSize: 21,
      constantPsf: false,
      fluxRatio: 1.3,
      astrometricNoise: [0.05, 0.05],
      tilePixels: 100,
    })
    for (const [x, y] of places) {
      const at = y * width + x
      const near = [-1, 0, 1].flatMap((v) => [-1, 0, 1].map((u) => result.scorr.data[at + v * width + u]!))
      expect(Math.max(...near)).toBeGreaterThan(12)
      const measured = result.scorr.data[at]! * result.fluxError.data[at]!
      expect(Math.abs(measured - flux) / result.fluxError.data[at]!).toBeLessThan(3)
    }
    const noise = Array.from(result.scorr.data).filter((_, i) => i % 7 === 0)
    expect(Math.abs(median(noise))).toBeLessThan(0.03)
    expect(robustSigma(noise)).toBeGreaterThan(0.97)
    expect(robustSigma(noise)).toBeLessThan(1.03)
    const inner = new StampSpline(result.tiles[0]!.psf, 21)
    expect(inner.at(10, 10)).toBe(Math.max(...result.tiles[0]!.psf.map((_, k) => inner.at(k % 21, Math.floor(k / 21)))))
  })
})
