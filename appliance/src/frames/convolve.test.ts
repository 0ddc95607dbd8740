import { describe, expect, it } from 'vitest'
import { createCompute } from './compute.ts'
import { convolve, convolveSeparable, gaussianTaps } from './convolve.ts'
import { pattern, reference } from './reference.ts'

const truth = reference.convolutions

describe.each([1, 2])('convolution on %i threads', (threads) => {
  it('with a separable kernel is scipy’s', () => {
    using compute = createCompute({ threads })
    const result = convolveSeparable(compute, pattern(compute, 61, 47), truth.tapsX, truth.tapsY)
    for (const [x, y, value] of truth.separable) expect((result.data[y * 61 + x] as number) / value).toBeCloseTo(1, 6)
  })

  it('with any kernel is scipy’s', () => {
    using compute = createCompute({ threads })
    const kernel = { width: 7, height: 5, data: truth.kernel.flat() }
    const result = convolve(compute, pattern(compute, 61, 47), kernel)
    for (const [x, y, value] of truth.full) expect((result.data[y * 61 + x] as number) / value).toBeCloseTo(1, 6)
  })

  it('works on planes smaller than the kernel', () => {
    using compute = createCompute({ threads })
    const plane = compute.float32(2, 1)
    plane.data.set([3, 3])
    expect([...convolveSeparable(compute, plane, gaussianTaps(2), gaussianTaps(2)).data].map(Math.round)).toEqual([
      3, 3,
    ])
  })
})

describe('convolution', () => {
  it('refuses even kernels and the same plane for the result', () => {
    using compute = createCompute({ threads: 1 })
    const plane = pattern(compute, 8, 8)
    expect(() => convolveSeparable(compute, plane, [1, 1], [1])).toThrow(/odd number/)
    expect(() => convolveSeparable(compute, plane, [1], [1], plane)).toThrow(/plane of its own/)
    expect(() => convolve(compute, plane, { width: 3, height: 3, data: [1] })).toThrow(/1 values for 3 × 3/)
  })
})
