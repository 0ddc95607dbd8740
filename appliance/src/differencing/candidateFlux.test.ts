import { expect, test } from 'vitest'
import { placeFactor } from './candidateFlux.ts'

/** A Gaussian of that width, sum 1. */
function gaussian(sigma: number): Float64Array {
  const size = 33
  const stamp = Float64Array.from({ length: size * size }, (_, k) => {
    const [x, y] = [(k % size) - 16, Math.floor(k / size) - 16]
    return Math.exp(-(x * x + y * y) / (2 * sigma * sigma))
  })
  const sum = stamp.reduce((total, value) => total + value, 0)
  return stamp.map((value) => value / sum)
}

const tile = { x: 0, y: 0, width: 200, height: 200 }

test('a source wider than the PSF of its tile has the flux that this PSF misses', () => {
  // Σ P₀² is 1 / 4πσ₀² and Σ P P₀ is 1 / 2π(σ² + σ₀²) for Gaussians of variance σ₀² and σ².
  const stampAt = (x: number): Float64Array => gaussian(x > 150 ? 2.1 : 2)
  const model = { stampAt, noiseScale: 1, psfError: 0 }
  expect(placeFactor(model, tile, { x: 180, y: 20 }, 16)).toBeCloseTo((2.1 ** 2 + 2 ** 2) / (2 * 2 ** 2), 5)
  expect(placeFactor(model, tile, { x: 20, y: 20 }, 16)).toBe(1)
})
