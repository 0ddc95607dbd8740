import { afterAll, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { peakBetweenPixels } from './regions.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

function gaussianAt(x: number, y: number, sign: number) {
  const plane = compute.float32(9, 9)
  for (let i = 0; i < 81; i++) {
    const [dx, dy] = [(i % 9) - x, Math.floor(i / 9) - y]
    plane.data[i] = sign * Math.exp(-(dx * dx + dy * dy) / 2)
  }
  return plane
}

test.each([1, -1])('a peak of sign %s between four pixels is higher than they are', (sign) => {
  // e^(−1/4) in the pixel; with the parabola through e^(−9/8), e^(−1/8) and e^(−1/8) along either axis, 0.9018.
  const plane = gaussianAt(4.5, 4.5, sign)
  expect(sign * plane.data[40]!).toBeCloseTo(0.7788, 4)
  expect(sign * peakBetweenPixels(plane, { x: 4, y: 4 })).toBeCloseTo(0.9018, 3)
})

test('a peak in the middle of a pixel stays, as does one at the border', () => {
  expect(peakBetweenPixels(gaussianAt(4, 4, 1), { x: 4, y: 4 })).toBeCloseTo(1, 6)
  expect(peakBetweenPixels(gaussianAt(0, 0, 1), { x: 0, y: 0 })).toBeCloseTo(1, 6)
})
