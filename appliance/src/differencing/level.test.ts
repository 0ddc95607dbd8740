import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { meshAt } from '../frames/mesh.ts'
import { takeOffMedian } from './level.ts'

/** A slope under noise of 1, a bright tenth of the pixels, and a corner without values. */
function sloped(threads: number) {
  const compute = createCompute({ threads })
  const plane = compute.float32(700, 500)
  const random = createRandom('level')
  plane.data.forEach((_, i) => {
    const [x, y] = [i % 700, Math.floor(i / 700)]
    if (x >= 400 || y >= 200) plane.data[i] = 0.3 - 0.0004 * x + random.normal() + (i % 10 === 0 ? 40 : 0)
  })
  const mesh = takeOffMedian(compute, plane, 1)
  const values = plane.data.slice()
  compute[Symbol.dispose]()
  return { mesh, values }
}

test('the local median of a map of scores is taken off, whatever stands above it', () => {
  const { mesh, values } = sloped(1)
  for (const [x, y] of [
    [200, 350],
    [350, 300],
    [500, 250],
  ] as const) {
    // Means of 3 × 3 cells: their own noise is 1.25 / 384.
    expect(meshAt(mesh, x, y)).toBeCloseTo(0.3 - 0.0004 * x, 1)
  }
  const low = Array.from(values).filter((_, i) => i % 10 !== 0 && (i % 700 >= 400 || i >= 200 * 700))
  const below = low.filter((value) => value < 0).length / low.length
  expect(Math.abs(below - 0.5)).toBeLessThan(0.01)
})

test('it is the same bits on one and on two threads', () => {
  expect(sloped(2).values).toEqual(sloped(1).values)
})
