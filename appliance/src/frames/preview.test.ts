import { describe, expect, it } from 'vitest'
import { createCompute } from './compute.ts'
import { stretchPreview } from './preview.ts'

describe('a preview', () => {
  it('is binned to the width asked for, with the good pixels’ mean', () => {
    using compute = createCompute({ threads: 2 })
    const plane = compute.float32(7, 5)
    plane.data.set(Array.from({ length: 35 }, (_, i) => i))
    plane.data[0] = Number.NaN
    const mask = compute.uint16(7, 5)
    mask.data[1] = 2
    const preview = stretchPreview(compute, plane, mask, { maxWidth: 4, stretch: 'linear', black: 0, white: 34 })
    expect([preview.width, preview.height, preview.factor]).toEqual([4, 3, 2])
    // The mean of 7 and 8, then the mean of 2, 3, 9 and 10, of a range of 34 in 255 steps.
    expect([preview.pixels[0], preview.pixels[1]]).toEqual([Math.round((7.5 / 34) * 255), Math.round((6 / 34) * 255)])
    expect(preview.pixels.at(-1)).toBe(255)
  })

  it('shows the sky dark, a star bright, and nothing where there is nothing', () => {
    using compute = createCompute({ threads: 1 })
    const plane = compute.float32(64, 64)
    plane.data.forEach((_, i) => {
      plane.data[i] = 1000 + ((i * 7919) % 41)
    })
    plane.data.fill(30_000, 2000, 2010)
    plane.data[5] = Number.NaN
    const { pixels } = stretchPreview(compute, plane)
    expect(pixels[2005]).toBe(255)
    expect(pixels[5]).toBe(0)
    expect(pixels.reduce((sum, value) => sum + value, 0) / pixels.length).toBeLessThan(120)
  })

  it('survives frames that are all alike, all NaN or all masked', () => {
    using compute = createCompute({ threads: 1 })
    const plane = compute.float32(9, 9)
    expect(stretchPreview(compute, plane).pixels.length).toBe(81)
    plane.data.fill(Number.NaN)
    expect(stretchPreview(compute, plane).pixels.every((value) => value === 0)).toBe(true)
  })
})
