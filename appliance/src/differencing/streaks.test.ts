import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import { differenceFrames } from './difference.ts'
import { findRegions } from './regions.ts'
import { findStreaks, markStreaks } from './streaks.ts'
import { makeScene } from './testScene.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

const side = 320

/** A plane of zeros with a Gaussian ridge, `sigma` wide, where `height` says so along a line through (160, 150). */
function ridge(degrees: number, sigma: number, height: (along: number) => number) {
  const [scorr, difference] = [compute.float32(side, side), compute.float32(side, side)]
  const mask = compute.uint16(side, side)
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  const loud: number[] = []
  for (let i = 0; i < side * side; i++) {
    const [dx, dy] = [(i % side) - 160, Math.floor(i / side) - 150]
    const across = dy * cos - dx * sin
    const value = height(dx * cos + dy * sin) * Math.exp(-0.5 * (across / sigma) ** 2)
    scorr.data[i] = value
    difference.data[i] = 10 * value
    if (Math.abs(value) >= 5) loud.push(i)
  }
  return { scorr, difference, mask, loud: Int32Array.from(loud) }
}

describe('streaks', () => {
  test.each([0, 33, 90, 147])('are found with their ends, width and peak at %i°', (degrees) => {
    using _scratch = compute.scope()
    const found = findStreaks(ridge(degrees, 2, (along) => (Math.abs(along) < 100 ? 9 : 0)))
    expect(found).toHaveLength(1)
    const { from, to, widthPixels, lengthPixels, peakAdu } = found[0]!
    // 2.3548 sigma; the ends are known to a block of 16 px.
    expect(Math.abs(widthPixels - 4.71)).toBeLessThan(0.25)
    expect(Math.abs(lengthPixels - 200)).toBeLessThan(32)
    expect(Math.abs(peakAdu / 90 - 1)).toBeLessThan(0.05)
    const angle = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI
    expect(Math.abs(((angle - degrees + 450) % 180) - 90)).toBeLessThan(0.5)
  })

  test('of the reference are negative', () => {
    using _scratch = compute.scope()
    const [found] = findStreaks(ridge(20, 2, () => -8))
    expect(found!.peak).toBeLessThan(-7)
    expect(found!.lengthPixels).toBeGreaterThan(310)
  })

  test('are not what is short, nor what is as wide as a galaxy, nor a row of stars', () => {
    using _scratch = compute.scope()
    expect(findStreaks(ridge(20, 2, (along) => (Math.abs(along) < 20 ? 30 : 0)))).toEqual([])
    expect(findStreaks(ridge(20, 16, (along) => 30 * Math.exp(-0.5 * (along / 30) ** 2)))).toEqual([])
    expect(findStreaks(ridge(20, 2, (along) => (Math.abs(along % 30) < 3 ? 20 : 0)))).toEqual([])
  })

  test('hide no source 15 px beside them, nor one far brighter on them', () => {
    using _scratch = compute.scope()
    const trail = ridge(0, 2, () => 9)
    const { scorr, mask } = trail
    for (const [x, y, peak] of [
      [100, 165, 8],
      [200, 150, 60],
    ] as const) {
      for (let k = 0; k < side * side; k++) {
        const square = ((k % side) - x) ** 2 + (Math.floor(k / side) - y) ** 2
        scorr.data[k]! += peak * Math.exp(-square / 8)
      }
    }
    const loud = Int32Array.from([...scorr.data.keys()].filter((k) => scorr.data[k]! >= 5))
    const streaks = findStreaks({ ...trail, loud })
    expect(streaks).toHaveLength(1)
    const { regions } = findRegions(scorr, loud, markStreaks({ scorr, mask }, streaks))
    expect(regions.map(({ x, y }) => [x, y])).toEqual([
      [200, 150],
      [100, 165],
    ])
  })

  test('leave no candidates of their own, are marked, and hide nothing beside them', () => {
    using _scratch = compute.scope()
    const clear = { width: 512, height: 512, seed: 'trails', starsPerMpix: 1500 }
    const scene = makeScene(compute, { ...clear, streaks: 3, transientsPerMpix: 130 })
    const { candidates, streaks, mask, summary } = differenceFrames(compute, scene.science, scene.reference)
    expect(summary.streaks).toBe(streaks.length)
    expect(streaks.length).toBeGreaterThanOrEqual(3)
    const distance = (place: { x: number; y: number }): number =>
      Math.min(
        ...streaks.map(({ from, to, lengthPixels: n }) =>
          Math.abs(((place.x - from.x) * (to.y - from.y) - (place.y - from.y) * (to.x - from.x)) / n),
        ),
      )
    const isTransient = (c: { x: number; y: number }): boolean =>
      scene.transients.some((t) => Math.hypot(t.x - c.x, t.y - c.y) < 10)
    const onTrails = candidates.filter((c) => distance(c) < 10 && !isTransient(c))
    // One per megapixel, and the frame has a quarter.
    expect(onTrails.filter((c) => !c.flags.includes('nearSaturated'))).toEqual([])
    const beside = scene.transients.filter((t) => t.snr >= 10 && t.host === 'sky' && distance(t) > 12)
    expect(beside.length).toBeGreaterThanOrEqual(5)
    for (const t of beside) expect(candidates.some((c) => Math.hypot(t.x - c.x, t.y - c.y) < 2.5)).toBe(true)
    const { from, to } = streaks[0]!
    const middle = Math.round((from.y + to.y) / 2) * mask.width + Math.round((from.x + to.x) / 2)
    expect(mask.data[middle]! & MaskFlag.streak).toBe(MaskFlag.streak)
  })
})
