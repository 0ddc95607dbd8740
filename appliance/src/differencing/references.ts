import { basename } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { wcsFromHeader } from '../frames/wcs.ts'
import type { Star } from '../preprocessing/stars.ts'
import { hintFromWcs } from './align.ts'
import { gainFromHeader } from './gain.ts'
import { photometricStars, prepare, registrationStars } from './prepare.ts'
import { type Registration, registerStars } from './register.ts'
import { median } from './robust.ts'
import { warp } from './warp.ts'

/**
 * A reference: calibrated frames of one field aligned to the sharpest of them and averaged with outliers left out, so that
 * nothing that passed through one frame stays in it.
 */
interface Survey {
  readonly path: string
  readonly frame: Pick<Frame, 'header' | 'width' | 'height'>
  readonly stars: readonly Star[]
  readonly fwhmPixels: number
  readonly rmsAdu: number
  readonly levelAdu: number
}

interface Layer {
  readonly plane: Plane
  readonly mask: MaskPlane
  /** 1/σ² of the scaled plane. */
  readonly weight: number
}

const unusable = MaskFlag.noData | MaskFlag.bad | MaskFlag.cosmicRay | MaskFlag.streak
const full = MaskFlag.saturated | MaskFlag.bloom

/**
 * Averages the frames at `paths` on the grid of the best one. The result has the best frame's header and sky level, a
 * mask, a variance plane, EGAIN of the average, NCOMBINE and REFnnn (the inputs). Frames that cannot be aligned are left
 * out and named in HISTORY. Throws `differencing/reference` without any path; what `readFrame` throws for a broken file.
 */
export function buildReference(compute: Compute, paths: readonly string[]): Frame {
  if (paths.length === 0) throw new NightjarError('differencing/reference', 'a reference needs at least one frame')
  const surveys = paths.map((path) => survey(compute, path))
  const best = surveys.reduce((a, b) => (merit(b) > merit(a) ? b : a))
  const { width, height } = best.frame
  const science = compute.float32(width, height)
  const mask = compute.uint16(width, height)
  const variance = compute.float32(width, height)
  using _scratch = compute.scope()
  const used: Survey[] = []
  const left: string[] = []
  const layers: Layer[] = []
  for (const one of surveys) {
    const layer = align(compute, one, best)
    if (typeof layer === 'string') left.push(`${basename(one.path)}: ${layer}`)
    else {
      layers.push(layer)
      used.push(one)
    }
  }
  const gain = gainFromHeader(best.frame.header)
  average(layers, { science, mask, variance }, best.levelAdu, gain)
  return { header: headerOf(best, used, left, layers, gain), width, height, science, mask, variance }
}

/** Sharp, deep frames with many stars are best. */
function merit({ fwhmPixels, rmsAdu, stars }: Survey): number {
  if (!(fwhmPixels > 0) || stars.length === 0) return 0
  return Math.sqrt(stars.length) / (fwhmPixels * rmsAdu)
}

function survey(compute: Compute, path: string): Survey {
  using _scratch = compute.scope()
  const frame = readFrame(compute, path)
  const { header, width, height } = frame
  const { stars, fwhmPixels, rmsAdu, levelAdu } = prepare(compute, frame)
  return { path, frame: { header, width, height }, stars, fwhmPixels, rmsAdu, levelAdu }
}

/** The frame on the best one's grid with its flux scale, or why not. Keeps two planes. */
function align(compute: Compute, one: Survey, best: Survey): Layer | string {
  const [from, to] = [wcsFromHeader(best.frame.header), wcsFromHeader(one.frame.header)]
  const hint = from && to && hintFromWcs(from, to, best.frame)
  const result = registerStars({
    science: registrationStars(best.stars),
    reference: registrationStars(one.stars),
    scienceSize: best.frame,
    referenceSize: one.frame,
    ...(hint && { hint }),
  })
  if (!result.ok) return result.reason
  const plane = compute.float32(best.frame.width, best.frame.height)
  const mask = compute.uint16(best.frame.width, best.frame.height)
  const scale = one === best ? 1 : fluxScale(best, one, result.registration)
  using _scratch = compute.scope()
  const prepared = prepare(compute, readFrame(compute, one.path))
  const source = { science: prepared.plane, mask: prepared.mask, variance: undefined }
  const warped = warp(compute, source, result.registration.transform, best.frame)
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = scale * warped.science.data[i]!
  mask.data.set(warped.mask.data)
  return { plane, mask, weight: 1 / (scale * one.rmsAdu) ** 2 }
}

/** Flux in the best frame ÷ flux in this one, from the stars that matched; 1 when there are none. */
function fluxScale(best: Survey, one: Survey, { pairs }: Registration): number {
  const [from, to] = [registrationStars(best.stars), registrationStars(one.stars)]
  const clean = new Set<unknown>([...photometricStars(best.stars), ...photometricStars(one.stars)])
  const ratios = pairs
    .map(([i, j]) => [from[i]!, to[j]!] as const)
    .filter(([a, b]) => clean.has(a) && clean.has(b) && a.snr > 20 && b.snr > 20)
    .map(([a, b]) => a.fluxAdu / b.fluxAdu)
  const ratio = median(ratios)
  return ratio > 0 ? ratio : 1
}

/** Weighted mean of the values that agree with their median within 4 σ and, for the seeing, a fifth of the signal. */
function average(
  layers: readonly Layer[],
  out: { readonly science: Plane; readonly mask: MaskPlane; readonly variance: Plane },
  levelAdu: number,
  gain: number | undefined,
): void {
  const values = new Float64Array(layers.length)
  const weights = new Float64Array(layers.length)
  for (let i = 0; i < out.science.data.length; i++) {
    let count = 0
    let bits = 0
    let fullCount = 0
    for (const { plane, mask, weight } of layers) {
      const marks = mask.data[i]!
      bits |= marks
      if ((marks & unusable) !== 0) continue
      if ((marks & full) !== 0) fullCount++
      values[count] = plane.data[i]!
      weights[count++] = weight
    }
    if (count === 0) {
      out.mask.data[i] = bits | MaskFlag.noData
      continue
    }
    const middle = middleOf(values, count)
    const signal = Math.max(0, middle)
    let [sum, total] = [0, 0]
    for (let k = 0; k < count; k++) {
      const sigma = Math.sqrt(1 / weights[k]! + (gain ? signal / gain : 0))
      if (count > 2 && Math.abs(values[k]! - middle) > 4 * sigma + 0.2 * signal) continue
      sum += weights[k]! * values[k]!
      total += weights[k]!
    }
    out.science.data[i] = (total > 0 ? sum / total : middle) + levelAdu
    out.variance.data[i] = 1 / Math.max(total, weights[0]!)
    if (2 * fullCount >= count) out.mask.data[i] = bits & full
  }
}

function middleOf(values: Float64Array, count: number): number {
  const sorted = values.slice(0, count).sort()
  const half = count >> 1
  return count % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

function headerOf(
  best: Survey,
  used: readonly Survey[],
  left: readonly string[],
  layers: readonly Layer[],
  gain: number | undefined,
): FitsHeader {
  const total = layers.reduce((sum, { weight }) => sum + weight, 0)
  const squares = layers.reduce((sum, { weight }) => sum + weight * weight, 0)
  const effective = (total * total) / squares
  let header = best.frame.header.with('NCOMBINE', used.length, 'frames averaged')
  if (gain) header = header.with('EGAIN', gain * effective, 'electrons per ADU of the average')
  used.forEach((one, index) => {
    header = header.with(`REF${String(index + 1).padStart(3, '0')}`, basename(one.path).slice(0, 60), 'input')
  })
  header = header.withHistory(
    `reference: ${used.length} frames aligned to ${basename(best.path)}, weighted mean, 4 sigma clip`,
  )
  for (const reason of left) header = header.withHistory(`reference: left out ${reason}`)
  return header
}
