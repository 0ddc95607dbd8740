import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from './compute.ts'
import { MaskFlag } from './mask.ts'
import { loudPixels, planeFacts, spoiltPixels, uniteMasks } from './planes.ts'

const computes = [createCompute({ threads: 1 }), createCompute({ threads: 2 })]
afterAll(() => {
  for (const compute of computes) compute[Symbol.dispose]()
})

/** Awkward sizes, and every kind of bad pixel. */
function noisyFrame(compute: Compute, width: number, height: number) {
  const random = createRandom(`${width}×${height}`)
  const plane = compute.float32(width, height)
  const mask = compute.uint16(width, height)
  plane.data.forEach((_, i) => {
    plane.data[i] = random.next() < 0.01 ? Number.NaN : 10 * random.normal()
    const chance = random.next()
    if (chance < 0.05) mask.data[i] = MaskFlag.noData
    else if (chance < 0.1) mask.data[i] = MaskFlag.saturated
  })
  return { plane, mask }
}

describe.each([
  [13, 7],
  [64, 16],
  [1, 5],
])('planes of %i × %i', (width, height) => {
  test.each(computes)('tell their extremes and what is missing or saturated', (compute) => {
    using _scratch = compute.scope()
    const { plane, mask } = noisyFrame(compute, width, height)
    const good = [...plane.data].filter((v, i) => Number.isFinite(v) && (mask.data[i]! & MaskFlag.noData) === 0)
    expect(planeFacts(compute, plane, mask)).toEqual({
      least: Math.min(...good),
      greatest: Math.max(...good),
      missing: mask.data.filter((bits) => bits === MaskFlag.noData).length,
      saturated: mask.data.filter((bits) => bits === MaskFlag.saturated).length,
    })
  })

  test.each(computes)('list their loud pixels in order', (compute) => {
    using _scratch = compute.scope()
    const { plane } = noisyFrame(compute, width, height)
    const expected = [...plane.data.keys()].filter((i) => Math.abs(plane.data[i]!) >= 15)
    expect([...loudPixels(compute, plane, 15)]).toEqual(expected)
  })

  test.each(computes)('list what is marked or has no value', (compute) => {
    using _scratch = compute.scope()
    const { plane, mask } = noisyFrame(compute, width, height)
    const isSpoilt = (i: number): boolean => mask.data[i] === MaskFlag.saturated || !Number.isFinite(plane.data[i]!)
    const expected = [...plane.data.keys()].filter(isSpoilt)
    expect([...spoiltPixels(compute, plane, mask, MaskFlag.saturated)]).toEqual(expected)
  })

  test.each(computes)('unite their masks', (compute) => {
    using _scratch = compute.scope()
    const [one, other] = [noisyFrame(compute, width, height).mask, compute.uint16(width, height)]
    other.data.fill(MaskFlag.bad)
    expect([...uniteMasks(compute, one, other).data]).toEqual([...one.data].map((bits) => bits | MaskFlag.bad))
  })
})
