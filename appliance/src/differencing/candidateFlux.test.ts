import { expect, test } from 'vitest'
import { placeFactor } from './candidateFlux.ts'
import { gridSide, StampSpline } from './spline.ts'

const size = 33

/** A Gaussian of variance σ² in pixels, `oversampling` nodes a pixel; the pixels themselves sum to 1. */
function gaussian(sigma: number, oversampling = 1): StampSpline {
  const side = gridSide(size, oversampling)
  const stamp = Float64Array.from({ length: side * side }, (_, k) => {
    const [x, y] = [k % side, Math.floor(k / side)].map((node) => node! / oversampling - 16) as [number, number]
    return Math.exp(-(x * x + y * y) / (2 * sigma * sigma)) / (2 * Math.PI * sigma * sigma)
  })
  return new StampSpline(stamp, size, oversampling)
}

test('a source wider than the PSF of its tile has the flux that this PSF misses', () => {
  // Σ P₀² is 1 / 4πσ₀² and Σ P P₀ is 1 / 2π(σ² + σ₀²) for Gaussians of variance σ₀² and σ².
  const factor = placeFactor(gaussian(2.1), gaussian(2), { x: 180.3, y: 20 }, 16)
  expect(factor).toBeCloseTo((2.1 ** 2 + 2 ** 2) / (2 * 2 ** 2), 4)
  expect(placeFactor(gaussian(2), gaussian(2), { x: 20.4, y: 20 }, 16)).toBe(1)
})

test('between the pixels of undersampled stars the spline through the pixels is not the star', () => {
  // Sums of the values of exp(−r²/2σ²) in pixels, σ 0.5, moved by half a pixel both ways: those of its spline are in error.
  const fine = gaussian(0.5, 8)
  const coarse = gaussian(0.5)
  expect(placeFactor(fine, coarse, { x: 10, y: 10 }, 4)).toBeCloseTo(1, 6)
  const p = Float64Array.from({ length: 81 }, (_, k) => {
    const [x, y] = [(k % 9) - 4.5, Math.floor(k / 9) - 4.5]
    return Math.exp(-(x * x + y * y) / 0.5) / (2 * Math.PI * 0.25)
  })
  const p0 = coarse.window(0.5, 0.5, 4).value
  const exact = p0.reduce((sum, v) => sum + v * v, 0) / p0.reduce((sum, v, k) => sum + v * p[k]!, 0)
  expect(Math.abs(exact - 1)).toBeGreaterThan(0.01)
  expect(placeFactor(fine, coarse, { x: 9.5, y: 9.5 }, 6)).toBeCloseTo(exact, 2)
})
