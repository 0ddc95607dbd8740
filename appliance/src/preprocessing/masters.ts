import type { FrameType } from '../contract/records.ts'
import type { Compute } from '../frames/compute.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import type { RowFile } from '../frames/fits/rawImage.ts'
import type { Frame } from '../frames/frame.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { medianAndMad, sigmaClipped, sigmaPerMad } from '../frames/statistics.ts'
import type { MasterNoise } from './calibrate.ts'
import { preprocessingError } from './errors.ts'
import { frameSet, type Reduction, stackSet } from './masterRows.ts'
import { colourPlanes, mosaicOf } from './mosaic.ts'
import { gainOf, photonTransfer, readingVariance } from './photonTransfer.ts'

/** A master and what measuring its frames told. */
export interface Master {
  readonly plane: Plane
  readonly frames: number
  /** The variance of the master's own pixels, in its units. */
  readonly noise?: MasterNoise
  /** From bias pairs, ADU; in electrons once the gain is known. */
  readonly readNoiseAdu?: number
  /** From flat pairs. */
  readonly gainElectronsPerAdu?: number
  /** Pixels that no frame should use. */
  readonly defects?: MaskPlane
}

/** Frames in memory, or files read by rows: then memory does not grow with their number. */
export type MasterFrames = readonly (Frame | RowFile)[]

/** A dark pixel this far above its fellows, in their own σ, is hot. */
const hotSigma = 8
/** A flat pixel below or above these shares of its surroundings is dead or odd, and so is one without light. */
const oddFlat = { low: 0.5, high: 1.5, least: 0.1 } as const
/** Darker flats measure noise, brighter ones saturate where they are brightest. */
const flatLevels = { leastAdu: 100, mostOfSaturation: 0.85 } as const

/**
 * Master bias: the clipped mean. The read noise is σ(B₁ − B₂)/√2 over consecutive pairs (Janesick, Photon Transfer, 2007,
 * section 11.2), where fixed pattern drops out; the master's variance is r²/n. Throws `preprocessing/few` for fewer than
 * two frames and `preprocessing/shape` for frames of different sizes.
 */
export function masterBias(
  compute: Compute,
  frames: MasterFrames,
  reduction: Pick<Reduction, 'overscan'> = {},
): Master & { readonly readNoiseAdu: number } {
  need(frames, 'bias')
  const set = frameSet(compute, frames, reduction)
  const variance = readingVariance(photonTransfer(compute, set, false))
  const plane = stackSet(compute, set, { noise: { fixed: variance, perSignal: 0 } })
  const noise = { fixed: variance / set.count, perSignal: 0 }
  return { plane, frames: set.count, noise, readNoiseAdu: Math.sqrt(variance) }
}

export interface DarkOptions extends Omit<Reduction, 'bias' | 'dark'> {
  /** Splits the variance into reading and dark current; without it all counts as reading. */
  readonly gainElectronsPerAdu?: number | undefined
}

/**
 * Master dark: the clipped mean less the bias, in ADU for the frames' exposure time; hot pixels become defects. Its noise is
 * that of its own frames; the bias' share is `calibrate`'s to add. Throws as `masterBias`.
 */
export function masterDark(
  compute: Compute,
  frames: MasterFrames,
  bias: Plane | undefined,
  options: DarkOptions = {},
): Master {
  need(frames, 'dark')
  const set = frameSet(compute, frames, { ...options, bias })
  const transfer = photonTransfer(compute, set, false)
  const noise = darkNoise(readingVariance(transfer), transfer.levels[0] ?? 0, bias && options.gainElectronsPerAdu)
  const plane = stackSet(compute, set, { noise })
  const { median, mad } = medianAndMad(compute, plane)
  const defects = compute.uint16(plane.width, plane.height)
  const limit = median + hotSigma * sigmaPerMad * mad
  compute.rows('markAbove', plane.height, [plane.pointer, defects.pointer, plane.width, limit])
  return { plane, frames: set.count, noise: shared(noise, set.count), defects }
}

function darkNoise(variance: number, level: number, gain: number | undefined): MasterNoise {
  if (gain === undefined) return { fixed: variance, perSignal: 0 }
  return { fixed: Math.max(0, variance - Math.max(0, level) / gain), perSignal: 1 / gain }
}

function shared(noise: MasterNoise, count: number): MasterNoise {
  return { fixed: noise.fixed / count, perSignal: noise.perSignal / count }
}

export interface FlatOptions extends Reduction {
  readonly bias: Plane | undefined
  readonly biasNoise?: MasterNoise | undefined
  readonly readNoiseAdu: number
  readonly saturationAdu: number
}

/**
 * Master flat: each frame less bias and dark, scaled to the same median, clipped mean, mean 1. The gain comes from pairs
 * (Janesick 2007, eq. 5.12), in e⁻/ADU; the variance of a pixel of value F is (F / (g·L) + (r² + n·V_bias) / L²) / n at the
 * level L. A mosaic's colours are each given a mean of 1, so that the flat's own colour is not put into the frames; the noise is
 * then the mean of the colours'. Frames that are saturated or dark are refused (`preprocessing/flat-level`) with their level.
 */
export function masterFlat(compute: Compute, frames: MasterFrames, options: FlatOptions): Master {
  need(frames, 'flat')
  const { readNoiseAdu, saturationAdu } = options
  const set = frameSet(compute, frames, options)
  const transfer = photonTransfer(compute, set, true)
  transfer.levels.forEach((level, index) => {
    checkLevel(level, nameOf(frames[index], index), saturationAdu)
  })
  const gain = gainOf(transfer, readNoiseAdu)
  const noise = flatNoise(transfer.levels, gain, readNoiseAdu)
  const plane = stackSet(compute, set, { factors: transfer.levels.map((level) => 1 / level), noise })
  const means = colourMeans(compute, plane, frames[0]?.header)
  transfer.levels.forEach((level, index) => {
    for (const mean of means) checkLevel(level * mean, nameOf(frames[index], index), saturationAdu)
  })
  divideColours(plane, means)
  const defects = compute.uint16(plane.width, plane.height)
  const { low, high, least } = oddFlat
  compute.rows('markOdd', plane.height, [plane.pointer, defects.pointer, plane.width, plane.height, low, high, least])
  const share = (power: number): number => average(means.map((mean) => mean ** -power))
  const perLevelAdu = average(transfer.levels.map((level) => 1 / level))
  const own = shared({ fixed: noise.fixed * share(2), perSignal: noise.perSignal * share(1) }, set.count)
  const fixed = own.fixed + (options.biasNoise?.fixed ?? 0) * perLevelAdu ** 2 * share(2)
  return {
    plane,
    frames: set.count,
    noise: { fixed, perSignal: own.perSignal },
    ...(gain > 0 && Number.isFinite(gain) && { gainElectronsPerAdu: gain }),
    defects,
  }
}

/** One for each colour of a mosaic in reading order, one alone without. */
function colourMeans(compute: Compute, plane: Plane, header: FitsHeader | undefined): number[] {
  using _scratch = compute.scope()
  const planes = header && mosaicOf(header) !== undefined ? colourPlanes(compute, plane) : [plane]
  return planes.map((one) => sigmaClipped(compute, one, { sigma: 10 }).mean)
}

function divideColours({ data, width, height }: Plane, means: readonly number[]): void {
  for (let y = 0; y < height; y++) {
    const of = means.length === 1 ? [means[0]!, means[0]!] : [means[2 * (y & 1)]!, means[2 * (y & 1) + 1]!]
    for (let x = 0, at = y * width; x < width; x++, at++) data[at]! /= of[x & 1]!
  }
}

/** Variance of one flat scaled to a median of 1. */
function flatNoise(levels: readonly number[], gain: number, readNoiseAdu: number): MasterNoise {
  return {
    fixed: average(levels.map((level) => (readNoiseAdu / level) ** 2)),
    perSignal: gain > 0 && Number.isFinite(gain) ? average(levels.map((level) => 1 / (gain * level))) : 0,
  }
}

function checkLevel(level: number, name: string, saturationAdu: number): void {
  if (level > flatLevels.leastAdu && level < flatLevels.mostOfSaturation * saturationAdu) return
  const fix = `expose for a tenth to three quarters of ${saturationAdu}`
  throw preprocessingError('flat-level', `flat ${name} has a level of ${Math.round(level)} ADU: ${fix}`)
}

function nameOf(frame: Frame | RowFile | undefined, index: number): string {
  return frame?.header.text('FRAMEID') ?? `number ${index + 1}`
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function need(frames: MasterFrames, type: FrameType): void {
  if (frames.length < 2)
    throw preprocessingError('few', `a master ${type} needs at least 2 frames, there are ${frames.length}`)
}
