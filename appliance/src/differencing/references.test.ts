import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { MaskFlag } from '../frames/mask.ts'
import { differenceFrames } from './difference.ts'
import { buildReference } from './references.ts'
import { makeScene } from './testScene.ts'

const compute = createCompute({ threads: 2 })
const folder = mkdtempSync(join(tmpdir(), 'nightjar-reference-'))
afterAll(() => {
  compute[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

/** Exposures of one sky: the same sources, other noise, and in each a transient of its own. */
function exposures(count: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    using _scratch = compute.scope()
    const scene = makeScene(compute, {
      ...{ width: 400, height: 360, seed: 'stack', referenceExposures: 1, fluxRatio: 1, distortionPixels: 0.03 },
      noiseSeed: `night-${n}`,
      transientSnr: n === 2 ? [40] : [],
      cosmicRays: 10,
    })
    const path = join(folder, `frame-${n}.fits`)
    writeFileSync(path, encodeFrame(scene.science))
    return path
  })
}

describe('a reference', () => {
  test('is deeper than its frames, says what it is made of and forgets what only one frame saw', () => {
    using _scratch = compute.scope()
    const paths = exposures(5)
    const reference = buildReference(compute, paths)
    expect(reference.header.number('NCOMBINE')).toBe(5)
    expect(reference.header.text('REF003')).toBe('frame-2.fits')
    // Five equal frames: gain of the average five times that of one.
    expect(reference.header.number('EGAIN')).toBeGreaterThan(4.7)
    expect(reference.header.number('EGAIN')).toBeLessThan(5.01)
    const scene = makeScene(compute, {
      ...{ width: 400, height: 360, seed: 'stack', referenceExposures: 1, fluxRatio: 1, distortionPixels: 0.03 },
      noiseSeed: 'night-2',
      transientSnr: [40],
      cosmicRays: 10,
    })
    const { candidates, summary } = differenceFrames(compute, scene.science, reference)
    const [truth] = scene.transients
    const found = candidates.find((c) => Math.hypot(c.x - truth!.x, c.y - truth!.y) < 2)
    expect(found!.scorr).toBeGreaterThan(25)
    expect(Math.abs(found!.fluxAdu / truth!.fluxElectrons - 1)).toBeLessThan(0.1)
    expect(summary.fluxRatio).toBeGreaterThan(0.97)
    expect(summary.fluxRatio).toBeLessThan(1.03)
    expect(reference.mask.data.filter((bits) => (bits & MaskFlag.noData) !== 0).length).toBeLessThan(0.03 * 400 * 360)
  })

  test('leaves out a frame of another field and says so', () => {
    using _scratch = compute.scope()
    const paths = exposures(2)
    const stranger = join(folder, 'stranger.fits')
    const other = makeScene(compute, { width: 400, height: 360, seed: 'elsewhere' })
    writeFileSync(stranger, encodeFrame(other.science))
    const reference = buildReference(compute, [...paths, stranger])
    expect(reference.header.number('NCOMBINE')).toBe(2)
    expect(reference.header.lines('HISTORY').join(' ')).toContain('left out stranger.fits')
  })

  test('needs a frame', () => {
    expect(() => buildReference(compute, [])).toThrow(/at least one frame/)
  })
})
