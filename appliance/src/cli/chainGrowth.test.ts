import { expect, test } from 'vitest'
import { logSlope } from './chainGrowth.ts'

test('the slope of a power law is its exponent', () => {
  expect(logSlope([1, 2, 5, 60].map((x) => [x, 3 * x ** 1.1]))).toBeCloseTo(1.1, 12)
  expect(logSlope([4, 9, 16].map((x) => [x, Math.sqrt(x)]))).toBeCloseTo(0.5, 12)
})
