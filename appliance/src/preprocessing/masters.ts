import type { FrameType } from '../contract/records.ts'
import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { medianAndMad, sigmaClipped, sigmaPerMad } from '../frames/statistics.ts'
import { preprocessingError } from './errors.ts'
import { stackClipped } from './stack.ts'

/** A master and what measuring its frames told. */
export interface Master {
  readonly plane: Plane
  readonly frames: number
  /** From bias pairs, ADU; in electrons once the gain is known. */
  readonly readNoiseAdu?: number
  /** From flat pairs. */
  readonly gainElectronsPerAdu?: number
  /** Pixels that no frame should use. */
  readonly defects?: MaskPlane
}

/** A dark pixel this far above its fellows, in their own σ, is hot. */
const hotSigma = 8
/** A flat pixel below or above these shares of its surroundings is dead or odd. */
const oddFlat = [0.5, 1.5] as const

/**
 * Master bias: the clipped mean. The read noise is σ(B₁ − B₂)/√2 over consecutive pairs (Janesick, Photon Transfer, 2007,
 * section 11.2), where fixed pattern drops out. Throws `preprocessing/few` for fewer than two frames.
 */
export function masterBias(compute: Compute, frames: readonly Frame[]): Master {
  need(frames, 'bias')
  const plane = stackClipped(
    compute,
    frames.map((frame) => frame.science),
  )
  const variances = pairs(frames).map(([a, b]) => differenceVariance(compute, a.science, b.science, 1))
  return { plane, frames: frames.length, readNoiseAdu: Math.sqrt(middle(variances) / 2) }
}

/** Master dark: the clipped mean less the bias, in ADU for the frames' exposure time; hot pixels become defects. */
export function masterDark(compute: Compute, frames: readonly Frame[], bias: Plane | undefined): Master {
  need(frames, 'dark')
  const plane = subtract(
    compute,
    stackClipped(
      compute,
      frames.map((frame) => frame.science),
    ),
    bias,
    1,
  )
  const { median, mad } = medianAndMad(compute, plane)
  const limit = median + hotSigma * sigmaPerMad * mad
  return { plane, frames: frames.length, defects: markWhere(compute, plane, (value) => value > limit) }
}

/**
 * Master flat: each frame less bias and dark, scaled to the same median, clipped mean, mean 1. The gain comes from pairs:
 * g = (S₁ + S₂) / (σ²(S₁ − k·S₂) − 2 r²), k the ratio of their means (Janesick 2007, eq. 5.12), in e⁻/ADU. Frames that are
 * saturated or dark are refused (`preprocessing/flat-level`) with their level.
 */
export function masterFlat(
  compute: Compute,
  frames: readonly Frame[],
  options: { readonly bias: Plane | undefined; readonly readNoiseAdu: number; readonly saturationAdu: number },
): Master {
  need(frames, 'flat')
  const signals = frames.map((frame) => subtract(compute, frame.science, options.bias, 1))
  const levels = signals.map((signal) => medianAndMad(compute, signal).median)
  levels.forEach((level, index) => {
    if (level > 100 && level < 0.85 * options.saturationAdu) return
    const name = frames[index]?.header.text('FRAMEID') ?? `number ${index + 1}`
    throw preprocessingError(
      'flat-level',
      `flat ${name} has a level of ${Math.round(level)} ADU: expose for a tenth to three quarters of ${options.saturationAdu}`,
    )
  })
  const stacked = stackClipped(compute, signals, { factors: levels.map((level) => 1 / level) })
  const { mean } = sigmaClipped(compute, stacked)
  for (let i = 0; i < stacked.data.length; i++) stacked.data[i]! /= mean
  const gains = pairs(signals).map(([a, b]) => gainOfPair(compute, a, b, options.readNoiseAdu))
  return {
    plane: stacked,
    frames: frames.length,
    gainElectronsPerAdu: middle(gains),
    defects: markWhere(compute, stacked, (value) => value < oddFlat[0] || value > oddFlat[1]),
  }
}

/** Photon transfer from one pair of bias-subtracted flats. */
export function gainOfPair(compute: Compute, a: Plane, b: Plane, readNoiseAdu: number): number {
  const meanA = sigmaClipped(compute, a, { sigma: 10 }).mean
  const meanB = sigmaClipped(compute, b, { sigma: 10 }).mean
  const ratio = meanA / meanB
  const variance = differenceVariance(compute, a, b, ratio)
  // Var(a − k·b) = mean_a/g + k²·mean_b/g + (1 + k²) r².
  return (meanA + ratio * ratio * meanB) / (variance - (1 + ratio * ratio) * readNoiseAdu ** 2)
}

/** σ² of a − k·b, from its central part so that cosmic rays do not count, corrected for what clipping takes away. */
function differenceVariance(compute: Compute, a: Plane, b: Plane, k: number): number {
  using _scratch = compute.scope()
  const difference = subtract(compute, a, b, k)
  return sigmaClipped(compute, difference, { sigma: 5 }).std ** 2
}

function subtract(compute: Compute, from: Plane, what: Plane | undefined, factor: number): Plane {
  if (what && (what.width !== from.width || what.height !== from.height)) {
    throw preprocessingError(
      'shape',
      `frames of ${from.width} × ${from.height} and ${what.width} × ${what.height} pixels do not fit together`,
    )
  }
  const out = compute.float32(from.width, from.height)
  if (!what) out.data.set(from.data)
  else for (let i = 0; i < out.data.length; i++) out.data[i] = from.data[i]! - factor * what.data[i]!
  return out
}

function markWhere(compute: Compute, plane: Plane, isBad: (value: number) => boolean): MaskPlane {
  const mask = compute.uint16(plane.width, plane.height)
  for (let i = 0; i < plane.data.length; i++) if (isBad(plane.data[i]!)) mask.data[i] = MaskFlag.bad
  return mask
}

function pairs<T>(items: readonly T[]): (readonly [T, T])[] {
  return items.slice(1).map((item, index) => [items[index]!, item] as const)
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function need(frames: readonly Frame[], type: FrameType): void {
  if (frames.length < 2)
    throw preprocessingError('few', `a master ${type} needs at least 2 frames, there are ${frames.length}`)
}
