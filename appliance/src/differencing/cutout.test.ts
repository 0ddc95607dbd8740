import { afterAll, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { cutout, cutoutsAt } from './cutout.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

function numbered(offset = 0) {
  const plane = compute.float32(100, 80)
  plane.data.forEach((_, i) => {
    plane.data[i] = i + offset
  })
  return plane
}

test('a cut-out has the nearest pixel in its middle and rows from low y to high', () => {
  using _scratch = compute.scope()
  const pixels = cutout(numbered(), 50.4, 39.6, 63)
  expect(pixels).toHaveLength(63 * 63)
  expect(pixels[31 * 63 + 31]).toBe(40 * 100 + 50)
  expect(pixels[31 * 63 + 32]).toBe(40 * 100 + 51)
  expect(pixels[32 * 63 + 31]).toBe(41 * 100 + 50)
})

test('a cut-out is NaN outside the frame only', () => {
  using _scratch = compute.scope()
  const pixels = cutout(numbered(), 2, 78, 63)
  for (let k = 0; k < pixels.length; k++) {
    const [x, y] = [2 - 31 + (k % 63), 78 - 31 + Math.floor(k / 63)]
    const inside = x >= 0 && y < 80
    expect(pixels[k]).toBe(inside ? y * 100 + x : Number.NaN)
  }
  expect(cutout(numbered(), 300, 10).every(Number.isNaN)).toBe(true)
})

test('the four cut-outs of a candidate are of the same pixels', () => {
  using _scratch = compute.scope()
  const planes = {
    science: numbered(),
    alignedReference: numbered(1),
    difference: numbered(2),
    scorr: numbered(3),
  }
  const { science, reference, difference, scorr } = cutoutsAt(planes, { x: 40, y: 41 })
  expect([reference, difference, scorr].map((plane) => plane[31 * 63 + 31]! - science[31 * 63 + 31]!)).toEqual([
    1, 2, 3,
  ])
})
