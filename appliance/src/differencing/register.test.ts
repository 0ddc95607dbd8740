import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { registerStars, type StarPosition } from './register.ts'
import { affine, applyTransform, invertAt, type PixelTransform, parityOf } from './transform.ts'

const size = { width: 1024, height: 900 }

/** Stars of a wide sky seen by two cameras: each sees those that fall inside, with centroid noise and some of its own. */
function twoViews(truth: PixelTransform, options: { stars?: number; noisePixels?: number; seed?: string } = {}) {
  const { stars = 900, noisePixels = 0.05, seed = 'views' } = options
  const random = createRandom(seed)
  const science: StarPosition[] = []
  const reference: StarPosition[] = []
  const inside = (x: number, y: number): boolean => x > 4 && y > 4 && x < size.width - 5 && y < size.height - 5
  const noisy = (x: number, y: number, fluxAdu: number): StarPosition => ({
    x: x + noisePixels * random.normal(),
    y: y + noisePixels * random.normal(),
    fluxAdu: fluxAdu * (1 + 0.05 * random.normal()),
    snr: 40,
  })
  for (let n = 0; n < stars; n++) {
    const x = -size.width + 3 * size.width * random.next()
    const y = -size.height + 3 * size.height * random.next()
    const flux = 100 * random.next() ** -1.4
    const [u, v] = applyTransform(truth, x, y)
    if (inside(x, y) && random.next() < 0.93) science.push(noisy(x, y, flux))
    if (inside(u, v) && random.next() < 0.93) reference.push(noisy(u, v, flux))
  }
  return { science, reference, scienceSize: size, referenceSize: size }
}

/** Largest distance in pixels between two maps over the frame. */
function worst(one: PixelTransform, other: PixelTransform): number {
  let most = 0
  for (let y = 50; y < size.height; y += 100) {
    for (let x = 50; x < size.width; x += 100) {
      const [a, b] = applyTransform(one, x, y)
      const [c, d] = applyTransform(other, x, y)
      if (a < 0 || b < 0 || a >= size.width || b >= size.height) continue
      most = Math.max(most, Math.hypot(a - c, b - d))
    }
  }
  return most
}

function turn(degrees: number, mirror: 1 | -1 = 1, scale = 1, dx = 0, dy = 0): PixelTransform {
  const [c, s] = [scale * Math.cos((degrees * Math.PI) / 180), scale * Math.sin((degrees * Math.PI) / 180)]
  const [cx, cy] = [(size.width - 1) / 2, (size.height - 1) / 2]
  return affine([cx - c * cx + mirror * s * cy + dx, c, -s * mirror, cy - s * cx - mirror * c * cy + dy, s, c * mirror])
}

function registered(truth: PixelTransform, options?: Parameters<typeof twoViews>[1]) {
  const result = registerStars(twoViews(truth, options))
  if (!result.ok) throw new Error(result.reason)
  return result.registration
}

describe('registration', () => {
  test.each([
    ['a small shift', turn(0.2, 1, 1, 3.3, -4.7)],
    ['a turn of 45°', turn(45)],
    ['a turn of 90°', turn(90)],
    ['a meridian flip', turn(180.3, 1, 1, 12, 5)],
    ['a mirrored frame', turn(0, -1)],
    ['a mirrored frame, turned and shifted', turn(-120, -1, 1, 40, -25)],
    ['an offset of 300 and 400 px', turn(0, 1, 1, 300, -400)],
    ['another pixel scale', turn(10, 1, 1.4)],
  ])('solves %s', (_name, truth) => {
    const found = registered(truth)
    expect(found.parity).toBe(parityOf(truth))
    expect(worst(found.transform, truth)).toBeLessThan(0.1)
    expect(found.scatterXPixels).toBeGreaterThan(0.04)
    expect(found.scatterXPixels).toBeLessThan(0.12)
  })

  test('follows a cubic distortion when there are stars enough', () => {
    const base = turn(0.5)
    const x = [...base.x]
    const y = [...base.y]
    const truth: PixelTransform = { ...base, order: 3, centreX: 512, centreY: 450, scale: 512, x, y }
    const linear = [512, 512, 2, 450, -3, 512]
    for (let k = 0; k < 3; k++) {
      x[k] = linear[k]!
      y[k] = linear[k + 3]!
    }
    x[6] = x[8] = 2.5
    y[7] = y[9] = 2.5
    const found = registered(truth, { stars: 4000 })
    expect(found.transform.order).toBe(3)
    expect(worst(found.transform, truth)).toBeLessThan(0.06)
  })

  test('keeps to an affine map when nothing more is there', () => {
    expect(registered(turn(3), { stars: 3000 }).transform.order).toBe(1)
  })

  test('manages with five common stars by assuming the same camera', () => {
    const truth = turn(0, 1, 1, 22.4, -9.8)
    const science = [60, 240, 500, 720, 980].map((x, i) => ({ x, y: (x * 7 + 311 * i) % 880, fluxAdu: 1000 - i }))
    const reference = science.map((star) => {
      const [x, y] = applyTransform(truth, star.x, star.y)
      return { ...star, x, y }
    })
    const result = registerStars({ science, reference, scienceSize: size, referenceSize: size })
    expect(result.ok && worst(result.registration.transform, truth)).toBeLessThan(0.01)
  })

  test('takes a hint when there are no stars, and says that none confirmed it', () => {
    const hint = affine([0.4, 1, 0, -1.2, 0, 1])
    const result = registerStars({ science: [], reference: [], scienceSize: size, referenceSize: size, hint })
    expect(result.ok && [result.registration.matched, result.registration.method]).toEqual([0, 'hint'])
  })

  test('says why when the fields differ, and soon', () => {
    const one = twoViews(turn(0), { seed: 'one', stars: 6000 })
    const other = twoViews(turn(0), { seed: 'other', stars: 6000 })
    const started = process.cpuUsage().user
    const result = registerStars({ ...one, reference: other.reference })
    expect(result).toEqual({ ok: false, reason: expect.stringContaining('do not match') })
    expect((process.cpuUsage().user - started) / 1e6).toBeLessThan(1)
  })

  test('says why when there are hardly any stars', () => {
    const one = { x: 5, y: 5, fluxAdu: 10 }
    const result = registerStars({ science: [one], reference: [one], scienceSize: size, referenceSize: size })
    expect(result).toEqual({ ok: false, reason: expect.stringContaining('too few stars') })
  })

  test('inverts a map', () => {
    const map = turn(33, -1, 1.1, 5, 6)
    const [x, y] = applyTransform(map, 123.4, 567.8)
    expect(invertAt(map, x, y)[0]).toBeCloseTo(123.4, 6)
    expect(invertAt(map, x, y)[1]).toBeCloseTo(567.8, 6)
  })
})
