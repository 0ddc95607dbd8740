import { expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { differenceFrames } from './difference.ts'
import { median, robustSigma } from './robust.ts'
import { makeScene } from './testScene.ts'

test('the fluxes of candidates are unbiased, and their errors are what they scatter by', () => {
  using compute = createCompute({ threads: 2 })
  const transientSnr = Array.from({ length: 100 }, (_, k) => [20, 25, 30, 40][k % 4]!)
  const scene = makeScene(compute, { width: 640, height: 640, seed: 'fluxes', fwhmReferencePixels: 2, transientSnr })
  const { candidates } = differenceFrames(compute, scene.science, scene.reference)
  const pairs = scene.transients.flatMap(({ x, y, fluxElectrons }) => {
    const found = candidates.find((candidate) => Math.hypot(candidate.x - x, candidate.y - y) < 2)
    return found ? [{ flux: found.fluxAdu, error: found.fluxErrorAdu, truth: fluxElectrons }] : []
  })
  expect(pairs.length).toBeGreaterThan(90)
  const pulls = pairs.map(({ flux, error, truth }) => (flux - truth) / error)
  const mean = pulls.reduce((sum, pull) => sum + pull, 0) / pulls.length
  // Of 100 pulls the mean is known to 0.1 and 1.4826 MAD to 0.12; the fluxes' median to 0.5 %.
  expect(Math.abs(mean)).toBeLessThan(0.3)
  expect(robustSigma(pulls)).toBeGreaterThan(0.75)
  expect(robustSigma(pulls)).toBeLessThan(1.3)
  expect(Math.abs(median(pairs.map(({ flux, truth }) => flux / truth - 1)))).toBeLessThan(0.015)
})
