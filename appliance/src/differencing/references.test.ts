import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { MaskFlag } from '../frames/mask.ts'
import { measuredExtensions, readMeasured } from '../preprocessing/measuredFrame.ts'
import { differenceFrames } from './difference.ts'
import { buildReference } from './references.ts'
import { makeScene } from './testScene.ts'
import { affine } from './transform.ts'

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
    const { frame: reference } = buildReference(compute, paths)
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
    const { frame: reference } = buildReference(compute, [...paths, stranger])
    expect(reference.header.number('NCOMBINE')).toBe(2)
    expect(reference.header.lines('HISTORY').join(' ')).toContain('left out stranger.fits')
  })

  test('has a variance plane that its own pixels confirm, shifted and unshifted layers alike', () => {
    using _scratch = compute.scope()
    const [width, height] = [420, 400]
    const stars = {
      width,
      height,
      seed: 'blank',
      referenceExposures: 1,
      fluxRatio: 1,
      starsPerMpix: 150,
      galaxiesPerMpix: 0,
    }
    const paths = [0, 1, 2, 3, 4].map((n) => {
      using _scratch = compute.scope()
      const transform = affine([2.37 * n, 1, 0.001 * n, -1.61 * n, -0.001 * n, 1])
      const { reference } = makeScene(compute, { ...stars, noiseSeed: `pull-${n}`, transform })
      const path = join(folder, `pull-${n}.fits`)
      writeFileSync(path, encodeFrame(reference))
      return path
    })
    const { frame, background } = buildReference(compute, paths)
    const level = background.globalLevelAdu
    const pulls: number[] = []
    for (let i = 0; i < width * height; i += 3) {
      const [x, y] = [i % width, Math.floor(i / width)]
      if (x < 20 || y < 20 || x > width - 20 || y > height - 20 || frame.mask.data[i] !== 0) continue
      pulls.push((frame.science.data[i]! - level) / Math.sqrt(frame.variance!.data[i]!))
    }
    const sorted = pulls.sort((a, b) => a - b)
    const at = (share: number): number => sorted[Math.floor(share * sorted.length)]!
    // Half the distance of the 16th and 84th percentile is 1 for a Gaussian, whatever the sky's slope and the stars add little.
    expect((at(0.8413) - at(0.1587)) / 2).toBeGreaterThan(0.95)
    expect((at(0.8413) - at(0.1587)) / 2).toBeLessThan(1.05)
  })

  test('is written with its sky and stars and read back the same; another frame is measured', () => {
    using _scratch = compute.scope()
    const made = buildReference(compute, exposures(2))
    const path = join(folder, 'whole.fits')
    writeFileSync(path, encodeFrame(made.frame, { extensions: measuredExtensions(made) }))
    const read = readMeasured(compute, path)
    expect(read.stars).toEqual(made.stars)
    expect(read.background.level.data).toEqual(made.background.level.data)
    expect(read.background.rms.data).toEqual(made.background.rms.data)
    expect(read.background.globalRmsAdu).toBe(made.background.globalRmsAdu)
    expect(read.frame.variance!.data).toEqual(made.frame.variance!.data)
    const bare = join(folder, 'bare.fits')
    writeFileSync(bare, encodeFrame(made.frame))
    expect(readMeasured(compute, bare).stars).toEqual(made.stars)
  })

  test('leaves nothing on the disk but itself', () => {
    using _scratch = compute.scope()
    const spillFolder = join(folder, 'spill')
    buildReference(compute, exposures(1), { spillFolder })
    expect(readdirSync(spillFolder)).toEqual([])
  })

  test('needs a frame', () => {
    expect(() => buildReference(compute, [])).toThrow(/at least one frame/)
  })
})
