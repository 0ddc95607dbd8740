import { afterAll, describe, expect, test } from 'vitest'
import type { Candidate } from '../differencing/candidates.ts'
import { differenceFrames } from '../differencing/difference.ts'
import { makeScene, type Scene } from '../differencing/testScene.ts'
import { createCompute } from '../frames/compute.ts'
import { featureNames, featureVector } from './features.ts'
import { scoreCandidate } from './score.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

const snr = [8, 8, 10, 10, 12, 15, 20, 30, 50]

function judged(seed: string): { scene: Scene; candidates: readonly Candidate[] } {
  const scene = makeScene(compute, { width: 640, height: 640, seed, transientSnr: [...snr, ...snr], cosmicRays: 40 })
  return { scene, candidates: differenceFrames(compute, scene.science, scene.reference).candidates }
}

const isReal = (scene: Scene, c: Candidate, radius: number): boolean =>
  scene.transients.some((t) => Math.hypot(t.x - c.x, t.y - c.y) < radius)

describe('the first rule', () => {
  test('believes point transients of S/N 8 and more, and few of the artefacts', () => {
    let [real, believed, bogus, fooled] = [0, 0, 0, 0]
    for (const seed of ['score-1', 'score-2', 'score-3']) {
      using _scratch = compute.scope()
      const { scene, candidates } = judged(seed)
      for (const candidate of candidates) {
        const { probability, model } = scoreCandidate(candidate)
        expect(model).toBe('rule-1')
        if (isReal(scene, candidate, 2.5)) {
          real++
          if (probability > 0.9) believed++
        } else if (!isReal(scene, candidate, 10)) {
          bogus++
          if (probability >= 0.5) fooled++
        }
      }
    }
    expect(real).toBeGreaterThanOrEqual(50)
    expect(believed / real).toBeGreaterThan(0.9)
    expect(bogus).toBeGreaterThan(60)
    expect(fooled / bogus).toBeLessThan(0.05)
  })

  test('names cosmic rays', () => {
    const features = {
      scorr: 30,
      sharpness: 9,
      chi2: 12,
      fitted: 0,
      areaRatio: 1,
      elongation: 1.2,
      saturatedPixels: 20,
    }
    expect(scoreCandidate({ features })).toMatchObject({ class: 'cosmicRay' })
  })

  test('takes a missing feature for that of a plain point source', () => {
    expect(scoreCandidate({ features: { scorr: 20 } }).probability).toBeGreaterThan(0.95)
    expect(featureVector({ features: { scorr: 20, chi2: Number.NaN } })).toHaveLength(featureNames.length)
  })

  test('doubts dipoles, masked places and variable stars’ residuals', () => {
    const plain = scoreCandidate({ features: { scorr: 12 } }).probability
    for (const flaw of [
      { dipoleRatio: 0.9, negativeShare: 0.1 },
      { maskFraction: 0.4 },
      { chi2: 5 },
      { saturatedPixels: 3 },
    ])
      expect(scoreCandidate({ features: { scorr: 12, ...flaw } }).probability).toBeLessThan(Math.min(0.5, plain))
  })
})
