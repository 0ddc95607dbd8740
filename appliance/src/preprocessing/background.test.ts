import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { openFits, readImage } from '../frames/fits/read.ts'
import { MaskFlag } from '../frames/mask.ts'
import { paintMesh, paintSpline, subtractSpline } from '../frames/mesh.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { realDataFolder } from '../frames/reference.ts'
import { type BackgroundOptions, measureBackground, measureWhiteNoise } from './background.ts'

/** Made by scripts/reference/preprocessing.py with sep. */
interface SepBackground {
  readonly globalLevelAdu: number
  readonly globalRmsAdu: number
  readonly samples: readonly (readonly [x: number, y: number, level: number, rms: number])[]
}
const reference = JSON.parse(readFileSync(new URL('./reference.json', import.meta.url), 'utf8')) as {
  readonly files: Record<string, { readonly path: string; readonly background: SepBackground }>
}
const folder = realDataFolder()
if (!folder) console.log('shared/data is absent: comparisons with sep on real frames are skipped')

function noise(compute: Compute, width: number, height: number, level: (x: number, y: number) => number, rms: number) {
  const random = createRandom('background')
  const plane = compute.float32(width, height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) plane.data[y * width + x] = level(x, y) + rms * random.normal()
  }
  return plane
}

/** The background drawn out to planes. */
function painted(compute: Compute, science: Plane, mask?: MaskPlane, options?: BackgroundOptions) {
  const background = measureBackground(compute, science, mask, options)
  const [level, rms] = [1, 2].map(() => compute.float32(science.width, science.height)) as [Plane, Plane]
  paintSpline(compute, background.level, level)
  paintMesh(compute, background.rms, rms)
  return { ...background, level, rms }
}

function worst(plane: Plane, truth: (x: number, y: number) => number): number {
  let most = 0
  plane.data.forEach((value, i) => {
    const x = i % plane.width
    most = Math.max(most, Math.abs(value - truth(x, (i - x) / plane.width)))
  })
  return most
}

describe('the background', () => {
  describe.skipIf(!folder)('of a real frame is what sep finds', () => {
    test.each(Object.entries(reference.files))('%s', (_, { path, background }) => {
      using compute = createCompute({ threads: 2 })
      const science = readImage(compute, openFits(join(folder!, path)))
      const measured = painted(compute, science)
      expect(Math.abs(measured.globalLevelAdu - background.globalLevelAdu)).toBeLessThan(0.01 * background.globalRmsAdu)
      expect(measured.globalRmsAdu / background.globalRmsAdu).toBeCloseTo(1, 3)
      const ratios: number[] = []
      for (const [x, y, level, rms] of background.samples) {
        const at = y * science.width + x
        expect(Math.abs(measured.level.data[at]! - level)).toBeLessThan(0.1 * rms)
        ratios.push(measured.rms.data[at]! / rms)
      }
      // Between the cells' middles sep draws the noise as a spline, which overshoots beside steps; ours is bilinear.
      const typical = ratios.sort((a, b) => a - b)[ratios.length >> 1]
      expect(typical).toBeGreaterThan(0.99)
      expect(typical).toBeLessThan(1.01)
    })
  })

  test('follows a slope to a few hundredths of the noise and finds the noise', () => {
    using compute = createCompute({ threads: 1 })
    const truth = (x: number, y: number): number => 1000 + 0.05 * x - 0.03 * y
    const { level, rms, globalRmsAdu } = painted(compute, noise(compute, 500, 430, truth, 12))
    // A cell's mean is good to 12/64 ADU; at the corners the spline is drawn out over half a cell.
    expect(worst(level, truth)).toBeLessThan(0.15 * 12)
    expect(globalRmsAdu).toBeGreaterThan(11.8)
    expect(globalRmsAdu).toBeLessThan(12.2)
    expect(worst(rms, () => 12)).toBeLessThan(1.2)
  })

  test('is not lifted by stars', () => {
    using compute = createCompute({ threads: 1 })
    const plane = noise(compute, 512, 512, () => 200, 5)
    const random = createRandom('stars')
    for (let n = 0; n < 400; n++) {
      const [x0, y0, flux] = [random.integer(500) + 6, random.integer(500) + 6, 300 * random.next() ** -1.2]
      for (let y = y0 - 6; y <= y0 + 6; y++) {
        for (let x = x0 - 6; x <= x0 + 6; x++) {
          if (x >= 512 || y >= 512) continue
          plane.data[y * 512 + x]! += (flux / 14) * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 4.5)
        }
      }
    }
    expect(Math.abs(measureBackground(compute, plane, undefined).globalLevelAdu - 200)).toBeLessThan(0.3)
  })

  /** Gaussian stars of FWHM 3 px, N(> F) ∝ F^−0.7 from 200 electrons on, with photon noise and 8 electrons of read noise. */
  function field(compute: Compute, side: number, starsPerMpix: number): Plane {
    const plane = compute.float32(side, side)
    plane.data.fill(400)
    const random = createRandom('crowd')
    const sigma = 3 / 2.354820045
    for (let n = 0; n < (starsPerMpix / 1e6) * side * side; n++) {
      const peak = Math.min(1e6, 200 * random.next() ** (-1 / 0.7)) / (2 * Math.PI * sigma * sigma)
      const [x0, y0] = [side * random.next(), side * random.next()]
      for (let y = Math.max(0, Math.floor(y0) - 6); y <= Math.min(side - 1, y0 + 6); y++) {
        for (let x = Math.max(0, Math.floor(x0) - 6); x <= Math.min(side - 1, x0 + 6); x++) {
          plane.data[y * side + x]! += peak * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma * sigma))
        }
      }
    }
    for (let i = 0; i < plane.data.length; i++) plane.data[i]! += Math.sqrt(plane.data[i]! + 64) * random.normal()
    return plane
  }
  /** √464 where no star is. */
  const truth = Math.sqrt(464)

  test('of 12,000 stars per megapixel tells the noise of a pixel within 3 %, and the sky below the stars', () => {
    using compute = createCompute({ threads: 1 })
    const plane = field(compute, 1024, 12_000)
    const background = measureBackground(compute, plane, undefined)
    expect(background.globalRmsAdu / truth).toBeGreaterThan(0.97)
    expect(background.globalRmsAdu / truth).toBeLessThan(1.03)
    const { globalNoiseAdu } = measureWhiteNoise(compute, plane, undefined, background)
    expect(globalNoiseAdu / truth).toBeGreaterThan(0.97)
    expect(globalNoiseAdu / truth).toBeLessThan(1.03)
    // sep 1.2.1 says 403.4 and 1.12 of the noise for such a field.
    expect(Math.abs(background.globalLevelAdu - 400)).toBeLessThan(0.6)
  })

  test('of a field that is not crowded is untouched by that: noise within 1 %', () => {
    using compute = createCompute({ threads: 1 })
    for (const stars of [0, 200, 1500]) {
      using _scope = compute.scope()
      const { globalRmsAdu, globalLevelAdu } = measureBackground(compute, field(compute, 768, stars), undefined)
      // Clipping at 3 σ takes 1.3 % of a Gaussian's deviation.
      expect(globalRmsAdu / truth).toBeGreaterThan(0.98)
      expect(globalRmsAdu / truth).toBeLessThan(1.01)
      expect(Math.abs(globalLevelAdu - 400)).toBeLessThan(1)
    }
  })

  test('of a resampled frame does not take smooth noise for less than it is', () => {
    using compute = createCompute({ threads: 1 })
    const plane = field(compute, 768, 1500)
    const halves = compute.float32(768, 768)
    // Half a pixel along x by linear interpolation: every pixel has 1/√2 of the noise.
    for (let i = 0; i < plane.data.length - 1; i++) halves.data[i] = (plane.data[i]! + plane.data[i + 1]!) / 2
    const ratio = measureBackground(compute, halves, undefined).globalRmsAdu / (truth * Math.SQRT1_2)
    expect(ratio).toBeGreaterThan(0.98)
    expect(ratio).toBeLessThan(1.02)
  })

  test('passes over masked and NaN pixels, and fills cells that have no others', () => {
    using compute = createCompute({ threads: 1 })
    const plane = noise(compute, 320, 320, () => 50, 2)
    const mask = compute.uint16(320, 320)
    for (let y = 64; y < 192; y++) {
      for (let x = 64; x < 192; x++) {
        plane.data[y * 320 + x] = 60000
        mask.data[y * 320 + x] = MaskFlag.saturated
      }
    }
    for (let i = 0; i < 320; i += 3) plane.data[300 * 320 + i] = Number.NaN
    const { level } = painted(compute, plane, mask)
    expect(worst(level, () => 50)).toBeLessThan(0.5)
  })

  test('of a constant frame is that constant, with a noise that can be divided by', () => {
    using compute = createCompute({ threads: 1 })
    const plane = compute.float32(130, 70)
    plane.data.fill(7)
    const { level, rms } = painted(compute, plane)
    expect(level.data.every((value) => value === 7)).toBe(true)
    expect(rms.data.every((value) => value > 0)).toBe(true)
  })

  test('has the same bits with any number of threads', () => {
    const bits = [1, 2, 3].map((threads) => {
      using compute = createCompute({ threads })
      const science = noise(compute, 333, 301, (x) => x, 3)
      const { level, rms } = painted(compute, science)
      const background = measureBackground(compute, science, undefined)
      subtractSpline(compute, background.level, science, science)
      return [...level.data, ...rms.data, ...science.data]
    })
    expect(bits[1]).toEqual(bits[0])
    expect(bits[2]).toEqual(bits[0])
  })

  test('says what is wrong with its input', () => {
    using compute = createCompute({ threads: 1 })
    const plane = compute.float32(64, 64)
    expect(() => measureBackground(compute, plane, undefined, { meshPixels: 3 })).toThrow('from 8 to 512')
    plane.data.fill(Number.NaN)
    expect(() => measureBackground(compute, plane, undefined)).toThrow('no part of the frame has unmasked pixels')
  })
})
