import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import reference from './differencing.reference.json' with { type: 'json' }
import { affine, applyTransform, fitTransform, identity, jacobian, type PixelTransform } from './transform.ts'
import { warp } from './warp.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

/** Gaussian of total flux 1, sampled (not integrated): its resampled value is known in closed form. */
function gaussian(dx: number, dy: number, fwhm: number): number {
  const sigma = fwhm / 2.3548200450309493
  return Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)) / (2 * Math.PI * sigma * sigma)
}

function field(width: number, height: number, stars: readonly (readonly [number, number])[], fwhm: number) {
  const science = compute.float32(width, height)
  for (const [x, y] of stars)
    for (let v = Math.max(0, Math.floor(y) - 14); v < Math.min(height, y + 14); v++)
      for (let u = Math.max(0, Math.floor(x) - 14); u < Math.min(width, x + 14); u++)
        science.data[v * width + u]! += gaussian(u - x, v - y, fwhm)
  return { science, mask: compute.uint16(width, height), variance: undefined }
}

function starsAt(count: number, width: number, height: number): (readonly [number, number])[] {
  const random = createRandom('warp')
  const columns = Math.ceil(Math.sqrt(count))
  return Array.from({ length: count }, (_, i) => {
    const [column, row] = [i % columns, Math.floor(i / columns)]
    return [
      ((column + 0.5) * width) / columns + random.next(),
      ((row + 0.5) * height) / columns + random.next(),
    ] as const
  })
}

/** Largest |resampled − analytic| ÷ peak over a frame of stars. */
function worstError(transform: PixelTransform, fwhm: number): number {
  const [width, height] = [301, 250]
  const stars = starsAt(25, width, height)
  const size = { width: 260, height: 230 }
  const { science } = warp(compute, field(width, height, stars, fwhm), transform, size)
  let worst = 0
  for (let y = 5; y < size.height - 5; y++) {
    for (let x = 5; x < size.width - 5; x++) {
      const [sx, sy] = applyTransform(transform, x, y)
      if (sx < 5 || sy < 5 || sx > width - 6 || sy > height - 6) continue
      let truth = 0
      for (const [u, v] of stars) truth += gaussian(sx - u, sy - v, fwhm)
      const [a, b, c, d] = jacobian(transform, x, y)
      truth *= Math.abs(a * d - b * c)
      worst = Math.max(worst, Math.abs(science.data[y * size.width + x]! - truth))
    }
  }
  return worst / gaussian(0, 0, fwhm)
}

describe('resampling', () => {
  test('agrees with scipy on a rough picture', () => {
    // scipy.ndimage.map_coordinates(order=5, mode='mirror'); scripts/reference/differencing.py
    const science = compute.float32(28, 24)
    science.data.forEach((_, i) => {
      const [x, y] = [i % 28, Math.floor(i / 28)]
      science.data[i] = (x * 37 + y * 91 + x * y * 13) % 101
    })
    const [c, s] = [Math.cos(0.3), Math.sin(0.3)]
    const source = { science, mask: compute.uint16(28, 24), variance: undefined }
    const out = warp(compute, source, affine([9.3, c, -s, 6.1, s, c]), { width: 10, height: 10 })
    const worst = reference.spline.values.map((v, i) => Math.abs(out.science.data[i]! - v))
    expect(Math.max(...worst)).toBeLessThan(2e-4)
  })

  test('keeps a star of FWHM 3 px within 0.27 % of its peak at any phase, turned or mirrored', () => {
    // The closed form of the Gaussian is the outside truth; scipy's quintic spline leaves up to 0.26 % of it.
    const [c, s] = [Math.cos(0.3), Math.sin(0.3)]
    expect(worstError(affine([20.37, 1, 0, 9.61, 0, 1]), 3)).toBeLessThan(0.0027)
    expect(worstError(affine([60, c, -s, -20, s, c]), 3)).toBeLessThan(0.0027)
    expect(worstError(affine([280, -1, 0.001, 9.5, 0, 1]), 3)).toBeLessThan(0.0027)
  })

  test('follows a cubic map', () => {
    const pairs = starsAt(100, 260, 230).map(([x, y]) => ({
      fromX: x,
      fromY: y,
      toX: x + 20 + 2 * ((x - 130) / 130) ** 3,
      toY: y + 9 - 1.5 * ((y - 115) / 115) ** 2,
      weight: 1,
    }))
    const map = fitTransform(pairs, 3)!
    const [width, height] = [301, 250]
    const out = warp(compute, field(width, height, [[150.3, 120.7]], 3), map, { width: 260, height: 230 })
    const [x, y] = [130.25, 111.7]
    const [sx, sy] = applyTransform(map, Math.round(x), Math.round(y))
    const got = out.science.data[Math.round(y) * 260 + Math.round(x)]!
    expect(got / gaussian(sx - 150.3, sy - 120.7, 3)).toBeCloseTo(1, 1)
    expect(sum(out.science.data)).toBeCloseTo(1, 3)
  })

  test('keeps flux when the pixel scale changes', () => {
    const source = field(200, 200, [[100.2, 99.6]], 4)
    const out = warp(compute, source, affine([20, 0.8, 0, 20, 0, 0.8]), { width: 200, height: 200 })
    expect(sum(out.science.data)).toBeCloseTo(1, 3)
  })

  test('marks what lies outside and what a bad pixel touched, and does not let it ring', () => {
    const source = field(64, 64, [], 3)
    source.science.data[32 * 64 + 32] = 1e6
    source.mask.data[32 * 64 + 32] = MaskFlag.cosmicRay
    source.science.data[10 * 64 + 10] = Number.NaN
    source.mask.data[10 * 64 + 10] = MaskFlag.noData
    const out = warp(compute, source, affine([10.5, 1, 0, 0, 0, 1]), { width: 64, height: 64 })
    expect(out.mask.data[32 * 64 + 21]! & MaskFlag.cosmicRay).toBe(MaskFlag.cosmicRay)
    expect(out.mask.data[32 * 64 + 30]).toBe(0)
    expect(out.mask.data[20 * 64 + 60]).toBe(MaskFlag.noData)
    expect(Math.max(...out.science.data.map(Math.abs))).toBe(0)
  })

  test('copies when there is nothing to do', () => {
    const source = field(64, 60, [[30.2, 30.4]], 2.5)
    const out = warp(compute, source, identity, { width: 64, height: 60 })
    expect(out.science.data).toEqual(source.science.data)
  })

  test('follows a thin-plate spline and carries the variance', () => {
    // A flow of 0.1 px that no cubic describes: control points with weights that sum to nothing.
    const bend = {
      ...{ u: [-0.5, 0.5, 0, 0.2], v: [-0.4, 0.3, 0.5, -0.6] },
      ...{ x: [0.05, -0.04, 0.03, -0.04, 0.1, 0, 0.05], y: [-0.03, 0.02, 0.04, -0.03, 0, 0.1, 0] },
    }
    const straight: PixelTransform = {
      ...affine([12.3, 1, 0.001, 8.7, -0.001, 1]),
      centreX: 130,
      centreY: 115,
      scale: 130,
    }
    const map = {
      ...straight,
      x: [142.3, 130, 0.13, ...straight.x.slice(3)],
      y: [123.7, -0.13, 130, ...straight.y.slice(3)],
      bend,
    }
    expect(worstError(map, 3)).toBeLessThan(0.004)
    const source = { ...field(301, 250, [], 3), variance: compute.float32(301, 250) }
    source.variance.data.forEach((_, i) => {
      source.variance.data[i] = 100 + (i % 301)
    })
    const { variance } = warp(compute, source, map, { width: 260, height: 230 })
    const [sx] = applyTransform(map, 97, 64)
    const [a, b, c, d] = jacobian(map, 97, 64)
    expect(variance!.data[64 * 260 + 97]! / ((100 + sx) * (a * d - b * c) ** 2)).toBeCloseTo(1, 2)
  })

  test('reads a mirrored source as it reads an upright one', () => {
    const upright = field(700, 300, starsAt(40, 700, 300), 2.5)
    upright.mask.data[120 * 700 + 333] = MaskFlag.saturated
    const mirror = { science: compute.float32(700, 300), mask: compute.uint16(700, 300), variance: undefined }
    for (let i = 0; i < 300 * 700; i++) {
      const from = Math.floor(i / 700) * 700 + 699 - (i % 700)
      mirror.science.data[i] = upright.science.data[from]!
      mirror.mask.data[i] = upright.mask.data[from]!
    }
    const size = { width: 640, height: 280 }
    const one = warp(compute, upright, affine([9.4, 1, 0.002, 3.3, -0.002, 1]), size)
    const other = warp(compute, mirror, affine([699 - 9.4, -1, -0.002, 3.3, -0.002, 1]), size)
    const apart = one.science.data.map((value, i) => Math.abs(value - other.science.data[i]!))
    expect(apart.reduce((most, value) => Math.max(most, value))).toBeLessThan(1e-6)
    expect(other.mask.data).toEqual(one.mask.data)
  })

  test('is the same for one thread and two', () => {
    using single = createCompute({ threads: 1 })
    const map = affine([0.3, 0.99, 0.02, -0.4, -0.02, 0.99])
    const run = (on: typeof compute): Float32Array => {
      const science = on.float32(1131, 397)
      const random = createRandom('threads')
      science.data.forEach((_, i) => {
        science.data[i] = random.normal()
      })
      const source = { science, mask: on.uint16(1131, 397), variance: undefined }
      return warp(on, source, map, { width: 1131, height: 397 }).science.data
    }
    expect(run(compute)).toEqual(run(single))
  })
})

function sum(data: Float32Array): number {
  return data.reduce((total, v) => total + v, 0)
}
