import { describe, expect, test } from 'vitest'
import type { FrameRecord } from '../contract/records.ts'
import { sampleFrame } from '../store/testing/samples.ts'
import { chooseFrames, isMaterial, whyReplace } from './referencesChoice.ts'

type Quality = NonNullable<FrameRecord['quality']>

function frame(n: number, more: Partial<Quality> = {}): FrameRecord {
  return sampleFrame({
    frameId: `f${n}`,
    capturedAtMs: n,
    calibratedPath: `calibrated/f${n}.fits`,
    state: 'scored',
    quality: {
      ...{ stars: 100, fwhmPixels: 3, ellipticity: 0.1, skyAdu: 500, skyRmsAdu: 20, solved: true },
      ...{ grade: 'good', reasons: [] },
      ...more,
    },
  })
}

const frames = (count: number, more: Partial<Quality> = {}, from = 0): FrameRecord[] =>
  Array.from({ length: count }, (_, n) => frame(from + n, more))

describe('the choice of frames for a reference', () => {
  test('takes graded, solved frames of the filter only', () => {
    const { filter } = frame(1)
    expect(isMaterial(frame(1), filter)).toBe(true)
    expect(isMaterial(frame(1), 'other')).toBe(false)
    expect(isMaterial(frame(1, { grade: 'poor' }), filter)).toBe(false)
    expect(isMaterial(frame(1, { solved: false }), filter)).toBe(false)
    expect(isMaterial(sampleFrame({}), filter)).toBe(false)
  })

  test('waits for frames enough, and leaves the blurred ones out', () => {
    expect(chooseFrames(frames(7), 8)).toBeUndefined()
    expect(chooseFrames([...frames(7), ...frames(1, { fwhmPixels: 5 }, 7)], 8)).toBeUndefined()
    const choice = chooseFrames([...frames(8), ...frames(3, { fwhmPixels: 5 }, 8)], 8)!
    expect(choice.frames.map(({ frameId }) => frameId)).toEqual(['f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7'])
    expect(choice.fwhmPixels).toBeCloseTo(3, 6)
  })

  test('prefers the deepest by limiting magnitude: 0.753 mag deeper counts four times', () => {
    const shallow = frames(8, { limitingMag: 19 })
    const deep = frames(8, { limitingMag: 19 + 1.25 * Math.log10(4) }, 8)
    const choice = chooseFrames([...shallow, ...deep], 8, 8)!
    expect(choice.frames[0]!.frameId).toBe('f8')
    const plain = chooseFrames(shallow, 8)!
    expect(choice.depth / plain.depth).toBeCloseTo(2, 6)
  })

  test('grows by a fifth in depth at a time and never on a whim of the weather', () => {
    const first = chooseFrames(frames(8), 8)!
    const versions: number[] = []
    let current = first
    for (let count = 9; count <= 200; count++) {
      const next = chooseFrames(frames(count), 8)!
      if (whyReplace(next, current) === undefined) continue
      versions.push(count)
      current = next
    }
    // √(n / n before) ≥ 1.2 wants 1.44 times the frames; 24 are the most.
    expect(versions).toEqual([12, 18])
    expect(whyReplace({ ...first, depth: first.depth * 1.19 }, first)).toBeUndefined()
    expect(whyReplace({ ...first, depth: first.depth * 1.21 }, first)).toBe('21 % deeper')
    expect(whyReplace({ ...first, fwhmPixels: 2.6 }, first)).toBe('13 % sharper')
    expect(whyReplace({ ...first, fwhmPixels: 2.6, depth: first.depth * 0.8 }, first)).toBeUndefined()
  })
})
