import { describe, expect, it } from 'vitest'
import { type Compute, createCompute } from './compute.ts'
import type { Plane } from './plane.ts'
import { pattern, reference } from './reference.ts'
import { median, medianAndMad, moments, quantiles, sigmaClipped } from './statistics.ts'

const truth = reference.statistics

function spiky(compute: Compute): Plane {
  const plane = pattern(compute, 61, 47)
  plane.data[5 * 61 + 7] = 1e6
  plane.data[30 * 61 + 2] = -5e4
  plane.data[9 * 61 + 9] = 30000
  return plane
}

describe.each([1, 2])('statistics on %i threads', (threads) => {
  it('are numpy’s', () => {
    using compute = createCompute({ threads })
    const plane = spiky(compute)
    expect(median(compute, plane)).toBe(truth.median)
    expect(medianAndMad(compute, plane).mad).toBe(truth.mad)
    expect(moments(compute, plane).mean).toBeCloseTo(truth.mean, 8)
    expect(moments(compute, plane).std).toBeCloseTo(truth.std, 6)
    quantiles(compute, plane, [0, 0.1, 0.25, 0.5, 0.9, 0.999, 1]).forEach((value, i) => {
      expect(value).toBeCloseTo(truth.quantiles[i] as number, 4)
    })
  })

  it('clip as astropy does', () => {
    using compute = createCompute({ threads })
    const clipped = sigmaClipped(compute, spiky(compute))
    expect(clipped.median).toBe(truth.clipped.median)
    expect(clipped.mean).toBeCloseTo(truth.clipped.mean, 9)
    expect(clipped.std).toBeCloseTo(truth.clipped.std, 9)
  })

  it('pass over NaN, infinite, masked and excluded pixels', () => {
    using compute = createCompute({ threads })
    const plane = compute.float32(5, 3)
    plane.data.set([
      1,
      2,
      Number.NaN,
      4,
      Number.POSITIVE_INFINITY,
      6,
      7,
      Number.NEGATIVE_INFINITY,
      9,
      10,
      11,
      12,
      13,
      14,
      15,
    ])
    const mask = compute.uint16(5, 3)
    mask.data[14] = 4
    mask.data[0] = 1
    expect(moments(compute, plane, { mask }).count).toBe(10)
    expect(median(compute, plane, { mask })).toBe((9 + 10) / 2)
    expect(median(compute, plane, { mask, low: 9.5 })).toBe(12)
    expect(moments(compute, plane, { low: 100 })).toMatchObject({ count: 0, mean: Number.NaN })
    expect(median(compute, plane, { low: 100 })).toBeNaN()
  })

  it('order negative numbers and zeros', () => {
    using compute = createCompute({ threads })
    const plane = compute.float32(5, 1)
    plane.data.set([-3, 2, -0.5, -1e-30, 1e-30])
    expect(quantiles(compute, plane, [0, 0.25, 0.5, 0.75, 1])).toEqual([-3, -0.5, -1e-30, 1e-30, 2].map(Math.fround))
  })

  it('of planes large enough to be sampled first are numpy’s', () => {
    using compute = createCompute({ threads })
    const plane = pattern(compute, 401, 307)
    plane.data.forEach((value, i) => {
      const [x, y] = [i % 401, Math.floor(i / 401)]
      if (y % 3 === 0) plane.data[i] = value - 164
      if (y % 7 === 5 && x % 5 === 3) plane.data[i] = -0
    })
    const large = reference.largeStatistics
    quantiles(compute, plane, large.fractions).forEach((value, i) => {
      expect(value).toBeCloseTo(large.quantiles[i] as number, 9)
    })
    expect(medianAndMad(compute, plane).mad).toBe(large.mad)
  })

  it('of a large plane of one value are that value', () => {
    using compute = createCompute({ threads })
    const plane = compute.float32(300, 300)
    plane.data.fill(-7.25)
    expect(quantiles(compute, plane, [0, 0.5, 1])).toEqual([-7.25, -7.25, -7.25])
    expect(medianAndMad(compute, plane)).toEqual({ median: -7.25, mad: 0 })
  })
})
