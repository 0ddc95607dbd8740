import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import type { Mesh } from '../frames/mesh.ts'
import type { Plane } from '../frames/plane.ts'
import reference from './differencing.reference.json' with { type: 'json' }
import { median, robustSigma } from './robust.ts'
import { StampSpline } from './spline.ts'
import { fluxAt, fluxErrorAt, subtract, type ZogyResult } from './zogy.ts'
import type { ZogyInput } from './zogyInput.ts'

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

function plane(on: Compute, width: number, height: number, value: (x: number, y: number) => number): Plane {
  const made = on.float32(width, height)
  made.data.forEach((_, i) => {
    made.data[i] = value(i % width, Math.floor(i / width))
  })
  return made
}

function mesh(on: Compute, columns: number, rows: number, value: (x: number, y: number) => number): Mesh {
  const cellPixels = 32
  const { pointer, data } = plane(on, columns, rows, (i, j) => value((i + 0.5) * cellPixels, (j + 0.5) * cellPixels))
  return { cellPixels, columns, rows, pointer, data }
}

function addStamp(to: Plane, stamp: Float64Array, x: number, y: number, flux: number): void {
  const size = Math.sqrt(stamp.length)
  stamp.forEach((v, k) => {
    to.data[(y + Math.floor(k / size) - (size - 1) / 2) * to.width + x + (k % size) - (size - 1) / 2]! += flux * v
  })
}

const pattern = (x: number, y: number): number => (x * 37 + y * 91 + x * y * 13) % 101

/** The frames of scripts/reference/differencing.py. */
function referencePair(on: Compute): ZogyInput {
  const [width, height] = [128, 112]
  const rough = (x: number, y: number): number => pattern(x, y) / 101 - 0.5
  const [psfN, psfR] = [gaussian(21, 1.5, 0.05), gaussian(21, 1.1)]
  const science = plane(on, width, height, (x, y) => 17 * rough(x, y))
  const other = plane(on, width, height, (x, y) => 10 * rough(x, height - 1 - y))
  for (let k = 0; k < 14; k++) {
    const [x, y, flux] = [14 + ((k * 37) % 100), 14 + ((k * 23) % 84), 60 * (k + 1) ** 2]
    addStamp(science, psfN, x, y, flux)
    addStamp(other, psfR, x, y, 1.2 * flux)
  }
  addStamp(science, psfN, 70, 60, 900)
  return {
    science,
    reference: other,
    scienceRms: mesh(on, 4, 4, () => 5),
    referenceRms: mesh(on, 4, 4, () => 3),
    scienceGain: 2,
    referenceGain: 4,
    sciencePsf: () => psfN,
    referencePsf: () => psfR,
    psfSize: 21,
    constantPsf: true,
    fluxRatio: 1.2,
    astrometricNoise: [0.07, 0.11],
    relativeError: 0.004,
    skyKnown: true,
  }
}

/** The largest difference from numpy's values on its grid of every seventh pixel, for the larger of the value and `floor`. */
function worst(result: Plane, expected: readonly number[], floor: number): number {
  return expected.reduce((most, value, k) => {
    const at = (3 + 7 * Math.floor(k / 18)) * result.width + 3 + 7 * (k % 18)
    return Math.max(most, Math.abs(result.data[at]! - value) / Math.max(floor, Math.abs(value)))
  }, 0)
}

describe('ZOGY', () => {
  test('is what numpy makes of the equations of the paper', () => {
    const { difference, scorr, tiles, skyScale } = subtract(compute, referencePair(compute))
    expect(worst(difference, reference.zogy.difference, tiles[0]!.sigmaAdu)).toBeLessThan(1e-4)
    expect(worst(scorr, reference.zogy.scorr, 1)).toBeLessThan(1e-4)
    const { transient, psf } = reference.zogy
    psf.forEach((value, k) => {
      expect(Math.abs(tiles[0]!.psf[10 * 21 + 10 + k]! - value) / psf[0]!).toBeLessThan(1e-5)
    })
    expect(scorr.data[transient.y * 128 + transient.x]! / transient.scorr).toBeCloseTo(1, 4)
    // The PSF of the difference ends with its stamp here.
    const result = { difference, scorr, tiles, skyScale }
    expect(fluxAt(difference, tiles[0]!, transient.x, transient.y) / transient.flux).toBeCloseTo(1, 3)
    expect(fluxErrorAt(result, tiles[0]!, transient.x, transient.y) / transient.fluxError).toBeCloseTo(1, 3)
  })

  test('does not know where its tiles end', () => {
    const whole = subtract(compute, referencePair(compute))
    const parts = subtract(compute, { ...referencePair(compute), tilePixels: 40 })
    expect(parts.tiles).toHaveLength(12)
    expect(worst(parts.scorr, reference.zogy.scorr, 1)).toBeLessThan(2e-3)
    const far = whole.scorr.data.map(
      (value, i) => Math.abs(value - parts.scorr.data[i]!) / Math.max(1, Math.abs(value)),
    )
    expect(Math.max(...far)).toBeLessThan(2e-3)
  })

  test('gives the same bits on one and on three threads', () => {
    const results = [1, 3].map((threads) => {
      using own = createCompute({ threads })
      const { difference, scorr, tiles } = subtract(own, { ...referencePair(own), tilePixels: 40, constantPsf: false })
      return [difference.data.slice(), scorr.data.slice(), tiles]
    })
    expect(results[1]).toEqual(results[0])
  })

  test('shows a new source as positive, at its pixel, with its flux, in every tile', () => {
    const [width, height, flux] = [300, 200, 700]
    const random = createRandom('delta')
    const psf = gaussian(21, 1.4)
    const places = [
      [40, 50],
      [149, 100],
      [260, 171],
    ] as const
    const science = plane(compute, width, height, () => 5 * random.normal())
    for (const [x, y] of places) addStamp(science, psf, x, y, flux)
    const result = subtract(compute, {
      science,
      reference: plane(compute, width, height, () => 4 * random.normal()),
      scienceRms: mesh(compute, 10, 7, () => 5),
      referenceRms: mesh(compute, 10, 7, () => 4),
      scienceGain: Number.POSITIVE_INFINITY,
      referenceGain: Number.POSITIVE_INFINITY,
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
      const tile = tileAt(result, x, y)
      const near = [-1, 0, 1].flatMap((v) => [-1, 0, 1].map((u) => result.scorr.data[at + v * width + u]!))
      expect(Math.max(...near)).toBeGreaterThan(12)
      const error = fluxErrorAt(result, tile, x, y)
      expect(Math.abs(fluxAt(result.difference, tile, x, y) - flux) / error).toBeLessThan(3)
    }
    const { tiles } = result
    expect(Math.abs(median(tiles.map((tile) => tile.negativeShare)) - 0.5)).toBeLessThan(0.02)
    expect(Math.abs(median(tiles.map((tile) => tile.withinShare)) - 0.5)).toBeLessThan(0.02)
    const inner = new StampSpline(tiles[0]!.psf, 21)
    expect(inner.at(10, 10)).toBe(Math.max(...tiles[0]!.psf.map((_, k) => inner.at(k % 21, Math.floor(k / 21)))))
  })

  test.each([
    ['science broader', 1.8, 1.1],
    ['reference broader', 1.1, 1.8],
    ['as broad as each other', 1.4, 1.4],
  ])('has scores of width 1 on a sky whose noise doubles across the frame, %s', (_, sigmaN, sigmaR) => {
    const [width, height] = [768, 768]
    const random = createRandom(`blank/${sigmaN}`)
    const noise = (x: number): number => 4 + (4 * x) / width
    const { scorr } = subtract(compute, {
      science: plane(compute, width, height, (x) => noise(x) * random.normal()),
      reference: plane(compute, width, height, (x) => 0.5 * noise(x) * random.normal()),
      scienceRms: mesh(compute, 24, 24, noise),
      referenceRms: mesh(compute, 24, 24, (x) => 0.5 * noise(x)),
      scienceGain: Number.POSITIVE_INFINITY,
      referenceGain: Number.POSITIVE_INFINITY,
      sciencePsf: () => gaussian(25, sigmaN),
      referencePsf: () => gaussian(25, sigmaR, 0.1),
      psfSize: 25,
      constantPsf: false,
      fluxRatio: 0.8,
      astrometricNoise: [0.05, 0.05],
      tilePixels: 200,
    })
    for (const from of [12, width / 2]) {
      const part = scorr.data.filter((_, i) => i % width >= from && i % width < from + width / 2 - 12)
      const spread = Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length)
      expect(spread).toBeGreaterThan(0.98)
      expect(spread).toBeLessThan(1.02)
      expect(robustSigma(Array.from(part)) / spread).toBeCloseTo(1, 1)
    }
  })
})

function tileAt({ tiles }: ZogyResult, x: number, y: number) {
  return tiles.find((t) => x >= t.x && x < t.x + t.width && y >= t.y && y < t.y + t.height)!
}
