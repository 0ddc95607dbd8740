import { describe, expect, test } from 'vitest'
import type { FrameQuality } from '../contract/records.ts'
import { expectedOf } from './history.ts'

const shape = { filter: 'R', width: 1000, height: 800, exposureSeconds: 60 }

function frame(frameId: string, quality: Partial<FrameQuality>, change: Partial<typeof shape> = {}) {
  const facts = { stars: 100, fwhmPixels: 3, ellipticity: 0.1, skyAdu: 500, skyRmsAdu: 10, solved: true }
  return { frameId, ...shape, ...change, quality: { ...facts, grade: 'good' as const, reasons: [], ...quality } }
}

const tonight = { frameId: 'now', ...shape }

describe('what is usual for a frame', () => {
  test('is the median of the good frames like it', () => {
    const earlier = [
      frame('a', { fwhmPixels: 3, stars: 110, zeroPointMag: 22.1, skyAdu: 490 }),
      frame('b', { fwhmPixels: 9, stars: 4, grade: 'rejected' }),
      frame('c', { fwhmPixels: 3.4, stars: 90, zeroPointMag: 22.0, skyAdu: 520 }),
      frame('d', { fwhmPixels: 2, stars: 900 }, { filter: 'V' }),
      frame('e', { fwhmPixels: 2, stars: 900 }, { exposureSeconds: 120 }),
      frame('f', { fwhmPixels: 3.2, stars: 100, zeroPointMag: 22.3, skyAdu: 500 }),
    ]
    expect(expectedOf(tonight, earlier)).toEqual({ fwhmPixels: 3.2, stars: 100, zeroPointMag: 22.1, skyAdu: 500 })
  })

  test('is not known from two frames, nor from the frame itself', () => {
    const two = [frame('a', {}), frame('b', {})]
    expect(expectedOf(tonight, two)).toBeUndefined()
    expect(expectedOf(tonight, [...two, frame('now', {})])).toBeUndefined()
  })

  test('looks back over the last twenty only', () => {
    const old = Array.from({ length: 50 }, (_, n) => frame(`old ${n}`, { fwhmPixels: 8 }))
    const recent = Array.from({ length: 20 }, (_, n) => frame(`recent ${n}`, { fwhmPixels: 3 }))
    expect(expectedOf(tonight, [...recent, ...old])?.fwhmPixels).toBe(3)
  })
})
