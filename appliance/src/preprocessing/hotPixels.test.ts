import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { realDataFolder } from '../frames/reference.ts'
import { detectorMedian } from './hotPixels.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())
const data = realDataFolder()
if (!data) console.log('shared/data is absent: the HAT-P-32 night is not tried')

const [width, height, sky, noise] = [240, 180, 400, 5]
const hot = [
  { x: 40, y: 50, adu: 400 },
  { x: 41, y: 50, adu: 60 },
  { x: 200, y: 101, adu: 2000 },
  { x: 120, y: 160, adu: -90 },
]

/** Frames with the same stars, moved by `stepPixels` from one to the next, and the same odd pixels. */
function draw(frames: number, stepPixels: number): { science: Plane }[] {
  const random = createRandom('drifting night')
  const stars = Array.from({ length: 60 }, () => ({
    x: width * random.next(),
    y: height * random.next(),
    peak: 100 / random.next(),
  }))
  return Array.from({ length: frames }, (_, n) => {
    const science = compute.float32(width, height)
    for (let i = 0; i < science.data.length; i++) science.data[i] = sky + 3 * n + noise * random.normal()
    for (const star of stars) {
      const cx = (star.x + stepPixels * n) % width
      for (let y = Math.max(0, Math.ceil(star.y - 6)); y <= Math.min(height - 1, star.y + 6); y++) {
        for (let x = Math.max(0, Math.ceil(cx - 6)); x <= Math.min(width - 1, cx + 6); x++) {
          science.data[y * width + x]! += star.peak * Math.exp(-((x - cx) ** 2 + (y - star.y) ** 2) / 2.4)
        }
      }
    }
    for (const pixel of hot) science.data[pixel.y * width + pixel.x]! += pixel.adu
    return { science }
  })
}

describe('the detector median', () => {
  test('holds what stays while the stars drift, to the noise of the mean, and marks only that', () => {
    using _scratch = compute.scope()
    const found = detectorMedian(compute, draw(25, 5.3))
    if (!found.ok) throw new Error(found.reason)
    for (const { x, y, adu } of hot) {
      expect(Math.abs(found.offset.data[y * width + x]! - adu)).toBeLessThan(5 * (noise / 5))
      expect(found.mask.data[y * width + x]).toBe(2)
    }
    expect(found.mask.data.filter((bits) => bits !== 0)).toHaveLength(hot.length)
    expect(found.noiseAdu).toBeCloseTo(noise / 5, 1)
    expect(found.starRemainder).toBeLessThan(0.05)
  })

  test('is the same in narrow bands of rows and with one thread', () => {
    using _scratch = compute.scope()
    const frames = draw(9, 11)
    const whole = detectorMedian(compute, frames)
    const banded = detectorMedian(compute, frames, { maximumBytes: 9 * width * 4 * 7 })
    if (!whole.ok || !banded.ok) throw new Error('both should succeed')
    expect(Buffer.from(banded.offset.data)).toEqual(Buffer.from(whole.offset.data))
    using single = createCompute({ threads: 1 })
    const copies = frames.map(({ science }) => {
      const copy = single.float32(width, height)
      copy.data.set(science.data)
      return { science: copy }
    })
    const alone = detectorMedian(single, copies)
    expect(alone.ok && Buffer.from(alone.offset.data)).toEqual(Buffer.from(whole.offset.data))
  })

  test('refuses frames whose stars stood still, too few frames, and frames of two sizes', () => {
    using _scratch = compute.scope()
    const still = detectorMedian(compute, draw(9, 0.1))
    expect(!still.ok && still.reason).toMatch(/stars stood still on the detector \(\d+ %/)
    const few = detectorMedian(compute, draw(4, 9))
    expect(!few.ok && few.reason).toContain('4 frames are too few')
    const odd = [...draw(5, 9), { science: compute.float32(width, height + 1) }]
    expect(() => detectorMedian(compute, odd)).toThrow('240 × 180 and 240 × 181 pixels cannot be combined')
  })

  // numpy 1.24.2 and sep 1.2.1: 0.01308 of the median of the 71 frames less their backgrounds lies beyond 7.5 ADU.
  test.skipIf(!data)('finds the odd pixels of the HAT-P-32 night', () => {
    using _scratch = compute.scope()
    const folder = join(data!, 'series/hatp32')
    const files = readdirSync(folder).filter((name) => name.endsWith('.fits.gz'))
    const found = detectorMedian(
      compute,
      files.sort().map((name) => join(folder, name)),
    )
    if (!found.ok) throw new Error(found.reason)
    const beyond = found.offset.data.reduce((count, value) => count + (Math.abs(value) > 7.5 ? 1 : 0), 0)
    expect(beyond / found.offset.data.length).toBeCloseTo(0.01308, 3)
    expect(found.starRemainder).toBeLessThan(0.02)
  })
})
