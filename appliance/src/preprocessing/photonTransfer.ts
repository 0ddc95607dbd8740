import type { Compute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { median, sigmaClipped } from '../frames/statistics.ts'
import { type FrameSet, fillSample, sampleRows } from './masterRows.ts'

/** What consecutive pairs of frames told; every list has one number for each frame or pair. */
export interface Transfer {
  /** Median signal of each frame, ADU. */
  readonly levels: readonly number[]
  /** Clipped mean of each frame. */
  readonly means: readonly number[]
  /** Of each pair, σ² of a − k·b with k the ratio of their means where `scaled`, else 1; ADU². */
  readonly pairs: readonly {
    readonly ratio: number
    readonly variance: number
    readonly means: readonly [number, number]
  }[]
}

/** More pairs than this say nothing new. */
const mostPairs = 12

/**
 * Levels of all frames and the noise of pairs of consecutive ones, in whose difference fixed pattern drops out (Janesick,
 * Photon Transfer, 2007, sections 5.2 and 11.2). Two samples are in memory at a time.
 */
export function photonTransfer(compute: Compute, set: FrameSet, scaled: boolean): Transfer {
  const levels: number[] = []
  const means: number[] = []
  const pairs: Transfer['pairs'][number][] = []
  using _samples = compute.scope()
  const rows = sampleRows(set)
  const slots = [0, 1].map(() => compute.view(Float32Array, compute.allocate(rows * set.width * 4), set.width, rows))
  for (let index = 0; index < set.count; index++) {
    using _scratch = compute.scope()
    const sample = slots[index % 2]!
    fillSample(compute, set, index, sample)
    levels.push(median(compute, sample))
    means.push(sigmaClipped(compute, sample, { sigma: 10 }).mean)
    if (index === 0 || pairs.length >= mostPairs) continue
    const ratio = scaled ? means[index - 1]! / means[index]! : 1
    const variance = differenceVariance(compute, slots[(index + 1) % 2]!, sample, ratio)
    pairs.push({ ratio, variance, means: [means[index - 1]!, means[index]!] })
  }
  return { levels, means, pairs }
}

/** σ² of one reading from pairs of frames of the same light, ADU². */
export function readingVariance({ pairs }: Transfer): number {
  return middle(pairs.map(({ variance }) => variance)) / 2
}

/**
 * e⁻/ADU from pairs of bias-subtracted flats: Var(a − k·b) = a/g + k²·b/g + (1 + k²)·r² with the frames' means a and b
 * (Janesick 2007, eq. 5.12).
 */
export function gainOf({ pairs }: Transfer, readNoiseAdu: number): number {
  return middle(pairs.map((pair) => gainOfOne(pair, readNoiseAdu)))
}

function gainOfOne({ ratio, variance, means: [a, b] }: Transfer['pairs'][number], readNoiseAdu: number): number {
  return (a + ratio * ratio * b) / (variance - (1 + ratio * ratio) * readNoiseAdu ** 2)
}

/** As `gainOf`, from two bias-subtracted flats in memory. */
export function gainOfPair(compute: Compute, a: Plane, b: Plane, readNoiseAdu: number): number {
  const means = [a, b].map((plane) => sigmaClipped(compute, plane, { sigma: 10 }).mean) as [number, number]
  const ratio = means[0] / means[1]
  return gainOfOne({ ratio, variance: differenceVariance(compute, a, b, ratio), means }, readNoiseAdu)
}

/** σ² of a − k·b without cosmic rays. */
function differenceVariance(compute: Compute, a: Plane, b: Plane, k: number): number {
  using _scratch = compute.scope()
  const difference = compute.view(Float32Array, compute.allocate(a.data.length * 4), a.width, a.height)
  for (let i = 0; i < difference.data.length; i++) difference.data[i] = a.data[i]! - k * b.data[i]!
  return sigmaClipped(compute, difference, { sigma: 5 }).std ** 2
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) / 2
  return ((sorted[Math.floor(at)] ?? Number.NaN) + (sorted[Math.ceil(at)] ?? Number.NaN)) / 2
}
