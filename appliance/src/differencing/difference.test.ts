import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import type { Candidate } from './candidates.ts'
import { differenceFrames } from './difference.ts'
import { makeScene, type Scene, type SceneOptions } from './testScene.ts'
import { affine } from './transform.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

const bright = [8, 8, 10, 12, 15, 20, 20, 30, 50]

function differenced(options: Partial<SceneOptions>, check: (scene: Scene, on: Compute) => void): void {
  using _scratch = compute.scope()
  const scene = makeScene(compute, { width: 512, height: 480, seed: 'pair', ...options })
  check(scene, compute)
}

function near(candidates: readonly Candidate[], x: number, y: number, radius = 2.5): Candidate | undefined {
  return candidates.find((candidate) => Math.hypot(candidate.x - x, candidate.y - y) < radius)
}

function framed(value: (i: number) => number, width = 256, height = 256): Frame {
  const science = compute.float32(width, height)
  science.data.forEach((_, i) => {
    science.data[i] = value(i)
  })
  return {
    header: FitsHeader.empty,
    width,
    height,
    science,
    mask: compute.uint16(width, height),
    variance: undefined,
  }
}

describe('differencing', () => {
  test('finds injected transients at their place with their flux, and little else', () => {
    differenced({ transientSnr: bright }, (scene) => {
      const { candidates, summary } = differenceFrames(compute, scene.science, scene.reference)
      for (const truth of scene.transients) {
        const found = near(candidates, truth.x, truth.y)
        expect(found, `S/N ${truth.snr} at ${truth.x.toFixed(1)}, ${truth.y.toFixed(1)}`).toBeDefined()
        expect(found!.scorr).toBeGreaterThan(5)
        if (truth.snr >= 20) expect(Math.abs(found!.fluxAdu / truth.fluxElectrons - 1)).toBeLessThan(0.12)
      }
      expect(Math.abs(summary.fluxRatio / 1.15 - 1)).toBeLessThan(0.015)
      const others = candidates.filter(
        (c) =>
          c.scorr > 0 &&
          c.features.saturatedPixels! >= 15 &&
          !scene.transients.some((t) => Math.hypot(t.x - c.x, t.y - c.y) < 10),
      )
      expect(others.length).toBeLessThanOrEqual(3)
    })
  })

  test('has noise of mean 0 and MAD 0.98 to 1.02 where the sky limits, also after a shift by half a pixel', () => {
    for (const seed of ['noise-1', 'noise-2']) {
      const plain = {
        starsPerMpix: 400,
        galaxiesPerMpix: 0,
        referenceExposures: 1,
        transform: affine([3.5, 1, 0, 2.5, 0, 1]),
      }
      differenced({ seed, ...plain }, (scene) => {
        const { summary } = differenceFrames(compute, scene.science, scene.reference)
        expect(Math.abs(summary.scorrMedian)).toBeLessThan(0.06)
        expect(summary.scorrMad).toBeGreaterThan(0.98)
        expect(summary.scorrMad).toBeLessThan(1.02)
      })
    }
  })

  test.each([
    ['turned by 180° and shifted', affine([505, -1, 0.002, 468, -0.002, -1])],
    ['mirrored', affine([511, -1, 0, 6, 0, 1])],
    ['of another pixel scale', affine([20, 0.9, 0.01, 25, -0.01, 0.9])],
  ])('aligns a reference that is %s', (_name, transform) => {
    differenced({ transform, transientSnr: [20, 20, 30, 30] }, (scene) => {
      const { candidates, summary } = differenceFrames(compute, scene.science, scene.reference)
      const [a, b, c, d] = [transform.x[1]!, transform.x[2]!, transform.y[1]!, transform.y[2]!]
      expect(summary.parity).toBe(a * d - b * c < 0 ? -1 : 1)
      const found = scene.transients.filter((truth) => near(candidates, truth.x, truth.y))
      expect(found.length).toBeGreaterThanOrEqual(3)
    })
  })

  test('is the same with one thread and two', () => {
    using single = createCompute({ threads: 1 })
    const run = (on: Compute): string => {
      using _scratch = on.scope()
      const scene = makeScene(on, { width: 300, height: 260, seed: 'threads', transientSnr: [15] })
      return JSON.stringify(differenceFrames(on, scene.science, scene.reference).candidates)
    }
    expect(run(compute)).toBe(run(single))
  })

  test('shows a source that faded as negative', () => {
    differenced({ transientSnr: [30] }, (scene) => {
      const { candidates } = differenceFrames(compute, scene.reference, scene.science)
      const [truth] = scene.transients
      expect(near(candidates, truth!.x, truth!.y)?.scorr).toBeLessThan(-10)
    })
  })

  test('says in its warnings when stars are undersampled', () => {
    differenced({ fwhmSciencePixels: 1.7, fwhmReferencePixels: 1.7, transientSnr: [30] }, (scene) => {
      const { summary, candidates } = differenceFrames(compute, scene.science, scene.reference)
      expect(summary.warnings.join()).toContain('undersampled')
      expect(near(candidates, scene.transients[0]!.x, scene.transients[0]!.y)?.scorr).toBeGreaterThan(6)
    })
  })

  test('refuses frames that hold nothing, or not the same sky', () => {
    using _scratch = compute.scope()
    const random = createRandom('noise')
    const noise = framed(() => 100 + random.normal())
    expect(() =>
      differenceFrames(
        compute,
        framed(() => 7),
        noise,
      ),
    ).toThrow(/nothing but the value 7/)
    expect(() =>
      differenceFrames(
        compute,
        noise,
        framed(() => Number.NaN),
      ),
    ).toThrow(/reference frame/)
    const one = makeScene(compute, { width: 400, height: 400, seed: 'here', starsPerMpix: 3000 })
    const other = makeScene(compute, { width: 400, height: 400, seed: 'there', starsPerMpix: 3000 })
    expect(() => differenceFrames(compute, one.science, other.reference)).toThrow(/cannot align/)
  })
})
