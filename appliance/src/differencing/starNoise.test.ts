import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { divideByStarNoise } from './starNoise.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

const side = 400
const brightStars = Array.from({ length: 36 }, (_, k) => ({
  x: 35 + 60 * (k % 6),
  y: 35 + 60 * Math.floor(k / 6),
  fluxAdu: 1e4,
  snr: 500,
  fwhmPixels: 2,
  ellipticity: 0,
}))

/** Noise of width `sigma`, `excess` times that within 5 px of the stars. */
function noise(sigma: number, excess: number) {
  const random = createRandom('star noise')
  const scorr = compute.float32(side, side)
  for (let i = 0; i < scorr.data.length; i++) {
    const near = distanceToStar(i) < 5
    // Box & Muller (1958).
    const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
    scorr.data[i] = normal * sigma * (near ? excess : 1)
  }
  return { scorr, mask: compute.uint16(side, side) }
}

function distanceToStar(index: number): number {
  const [x, y] = [index % side, Math.floor(index / side)]
  return Math.min(...brightStars.map((star) => Math.hypot(star.x - x, star.y - y)))
}

function widthWhere(data: Float32Array, holds: (distance: number) => boolean): number {
  const values = data.filter((_, i) => holds(distanceToStar(i)))
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
}

test('residuals around stars get the width of the noise elsewhere, which becomes 1', () => {
  using _scratch = compute.scope()
  const { scorr, mask } = noise(1.2, 6)
  const { sigma, pixels } = divideByStarNoise({ scorr, mask, stars: brightStars, fwhmPixels: 2 })
  expect(sigma).toBeCloseTo(1.2, 1)
  // Less than 5 from a point of a square lattice lie 69 (Gauss's circle problem: 81 within 5, 12 of them on it); the star's own
  // pixel is alone at its distance, and 36 of them are too few to tell.
  expect(pixels).toBe(36 * 68)
  expect(widthWhere(scorr.data, (distance) => distance >= 1 && distance < 4)).toBeCloseTo(1, 1)
  expect(widthWhere(scorr.data, (distance) => distance > 9)).toBeCloseTo(1, 1)
})

test('where the noise around stars is as it should be, a new source on a star keeps its significance', () => {
  using _scratch = compute.scope()
  const { scorr, mask } = noise(1, 1)
  const at = 35 * side + 35
  scorr.data[at] = 12
  const { sigma, pixels } = divideByStarNoise({ scorr, mask, stars: brightStars, fwhmPixels: 2 })
  expect(pixels).toBe(0)
  expect(scorr.data[at]).toBeCloseTo(12 / sigma, 4)
})
