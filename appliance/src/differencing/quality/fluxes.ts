import type { Compute } from '../../frames/compute.ts'
import { differenceFrames } from '../difference.ts'
import { median, robustSigma } from '../robust.ts'
import { makeScene } from '../testScene.ts'
import type { QualityScene } from './scenes.ts'

/** A new source on empty sky that was found, ADU. */
export interface Flux {
  readonly measured: number
  readonly error: number
  readonly truth: number
}

/** S/N of the sources, in turn. */
const snrs = [20, 30, 50] as const
const perMpix = 110
const foundWithinPixels = 2
const mostSigma = 4

/** A frame of a scene in which every new source is bright and none lies on a galaxy. */
export function measureFluxes(compute: Compute, { options }: QualityScene, seed: string, side: number): Flux[] {
  using _scratch = compute.scope()
  const count = Math.round((perMpix * side * side) / 1e6)
  const transientSnr = Array.from({ length: count }, (_, k) => snrs[k % snrs.length]!)
  const scene = makeScene(compute, { ...options, transientsPerMpix: 0, transientSnr, width: side, height: side, seed })
  const { candidates } = differenceFrames(compute, scene.science, scene.reference)
  return scene.transients.flatMap((truth) => {
    const found = candidates.find(({ x, y }) => Math.hypot(x - truth.x, y - truth.y) < foundWithinPixels)
    return found ? [{ measured: found.fluxAdu, error: found.fluxErrorAdu, truth: truth.fluxElectrons }] : []
  })
}

/** Median of measured / true − 1. */
export function fluxBias(fluxes: readonly Flux[]): number {
  return median(fluxes.map(({ measured, truth }) => measured / truth - 1))
}

/** Standard deviation of (measured − true) / error without those beyond 4 σ, and the error that their number gives it. */
export function pullWidth(fluxes: readonly Flux[]): { width: number; error: number } {
  const pulls = fluxes.map(({ measured, truth, error }) => (measured - truth) / error)
  const [middle, sigma] = [median(pulls), robustSigma(pulls)]
  const kept = pulls.filter((pull) => Math.abs(pull - middle) < mostSigma * sigma)
  const mean = kept.reduce((sum, pull) => sum + pull, 0) / kept.length
  const width = Math.sqrt(kept.reduce((sum, pull) => sum + (pull - mean) ** 2, 0) / (kept.length - 1))
  return { width, error: width / Math.sqrt(2 * kept.length) }
}
