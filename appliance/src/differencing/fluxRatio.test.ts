import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { astrometricNoise, centredShift, compareStars, relativeError, type Side } from './fluxRatio.ts'
import { type MoffatShape, moffatStamp } from './moffat.ts'
import type { PsfStar } from './psfStars.ts'
import { StampSpline } from './spline.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

const side = 640
const size = 25

interface Drawn {
  readonly fwhmPixels: number
  readonly rmsAdu: number
  /** Light for one ADU of a star's flux. */
  readonly scale: number
  /** What the sky was taken off too little, ADU a pixel. */
  readonly skyAdu?: number
  /** Standard deviation of the stars' places beyond the noise, pixels. */
  readonly wander?: number
  /** Standard deviation of their light, as a share. */
  readonly flicker?: number
}

/** Stars 40 px apart, of 2,000 to 300,000 ADU, with photon noise at one electron an ADU. */
function field(seed: string): PsfStar[] {
  const random = createRandom(`places/${seed}`)
  return Array.from({ length: 225 }, (_, k) => {
    const [x, y] = [40 + 40 * (k % 15) + random.next(), 40 + 40 * Math.floor(k / 15) + random.next()]
    const fluxAdu = 2000 * 150 ** random.next()
    return { x, y, fluxAdu, snr: Math.sqrt(fluxAdu), fwhmPixels: 3, ellipticity: 0 }
  }).sort((a, b) => b.snr - a.snr)
}

function draw(on: Compute, stars: readonly PsfStar[], drawn: Drawn, seed: string): Side {
  const shape: MoffatShape = { fwhmPixels: drawn.fwhmPixels, e1: 0, e2: 0, beta: 3 }
  const nodes = moffatStamp(shape, size)
  const total = nodes.reduce((sum, value) => sum + value, 0)
  const stamp = nodes.map((value) => value / total)
  const spline = new StampSpline(stamp, size)
  const plane = on.float32(side, side)
  const random = createRandom(seed)
  for (const star of stars) {
    const flux = drawn.scale * star.fluxAdu * (1 + (drawn.flicker ?? 0) * random.normal())
    const [x, y] = [star.x, star.y].map((at) => at + (drawn.wander ?? 0) * random.normal())
    const [cx, cy] = [Math.round(x!), Math.round(y!)]
    const { value } = spline.shifted(x! - cx, y! - cy)
    value.forEach((v, k) => {
      plane.data[(cy + Math.floor(k / size) - 12) * side + cx + (k % size) - 12]! += flux * v
    })
  }
  plane.data.forEach((signal, k) => {
    const noise = Math.sqrt(drawn.rmsAdu ** 2 + Math.max(0, signal))
    plane.data[k] = signal + (drawn.skyAdu ?? 0) + noise * random.normal()
  })
  const psf = {
    kind: 'moffat' as const,
    degree: 0 as const,
    stars: 100,
    size,
    oversampling: 1,
    fwhmPixels: drawn.fwhmPixels,
    shape,
    stampAt: () => stamp,
    movedBy: () => () => stamp,
    splineAt: () => spline,
    coreAt: () => spline,
  }
  return { plane, mask: on.uint16(side, side), psf, rmsAdu: drawn.rmsAdu, gainElectronsPerAdu: 1 }
}

describe('the flux ratio', () => {
  test('is right to 0.2 %, whatever is left of either sky', () => {
    for (const [skyN, skyR] of [
      [0, 0],
      [-1.5, 0],
      [2, -1],
    ] as const) {
      using _scratch = compute.scope()
      const stars = field('ratio')
      const science = draw(compute, stars, { fwhmPixels: 3, rmsAdu: 23, scale: 1, skyAdu: skyN }, 'ratio n')
      const reference = draw(compute, stars, { fwhmPixels: 2.6, rmsAdu: 9, scale: 1.15, skyAdu: skyR }, 'ratio r')
      const { ratio, ratioError, stars: count } = compareStars(science, reference, stars)!
      expect(Math.abs(ratio / 1.15 - 1), `skies off by ${skyN} and ${skyR} ADU`).toBeLessThan(0.002)
      expect(Math.abs(ratio - 1.15)).toBeLessThan(3 * ratioError)
      expect(count).toBeGreaterThan(190)
    }
  })

  test('does not follow variable stars', () => {
    using _scratch = compute.scope()
    const stars = field('variable')
    const science = draw(compute, stars, { fwhmPixels: 3, rmsAdu: 23, scale: 1 }, 'variable n')
    const dimmed = stars.map((star, k) => (k % 6 === 0 ? { ...star, fluxAdu: 0.8 * star.fluxAdu } : star))
    const reference = draw(compute, dimmed, { fwhmPixels: 2.6, rmsAdu: 9, scale: 1.15 }, 'variable r')
    const { ratio } = compareStars(science, reference, stars)!
    expect(Math.abs(ratio / 1.15 - 1)).toBeLessThan(0.005)
  })
})

describe('what the stars tell of the noise', () => {
  test('scatter of the positions is that of the registration, not of the fits', () => {
    for (const wander of [0, 0.04, 0.15]) {
      using _scratch = compute.scope()
      const stars = field('wander')
      const science = draw(compute, stars, { fwhmPixels: 3, rmsAdu: 23, scale: 1, wander }, 'wander n')
      const reference = draw(compute, stars, { fwhmPixels: 2.6, rmsAdu: 9, scale: 1.15 }, 'wander r')
      const comparison = compareStars(science, reference, stars)!
      const noise = astrometricNoise(comparison, centredShift(comparison))
      for (const sigma of noise) {
        // A hundred stars: 1.4826 MAD is known to 12 %. At least 0.01 px is always allowed.
        expect(sigma, `stars wander by ${wander} px`).toBeGreaterThan(Math.max(0.0099, 0.7 * wander))
        expect(sigma).toBeLessThan(0.015 + 1.3 * wander)
      }
    }
  })

  test('scatter of the ratios beyond the noise becomes the relative error', () => {
    for (const flicker of [0, 0.008]) {
      using _scratch = compute.scope()
      const stars = field('flicker')
      const science = draw(compute, stars, { fwhmPixels: 3, rmsAdu: 23, scale: 1, flicker }, 'flicker n')
      const reference = draw(compute, stars, { fwhmPixels: 2.6, rmsAdu: 9, scale: 1.15 }, 'flicker r')
      const comparison = compareStars(science, reference, stars)!
      expect(comparison.relativeScatter).toBeGreaterThanOrEqual(0.6 * flicker)
      expect(comparison.relativeScatter).toBeLessThan(0.002 + 1.4 * flicker)
      expect(relativeError(comparison, 100)).toBeGreaterThanOrEqual(0.6 * flicker)
    }
  })

  test('nothing is known without a star', () => {
    using _scratch = compute.scope()
    const empty = draw(compute, [], { fwhmPixels: 3, rmsAdu: 23, scale: 1 }, 'empty')
    expect(compareStars(empty, empty, field('empty').slice(0, 5))).toBeUndefined()
  })
})
