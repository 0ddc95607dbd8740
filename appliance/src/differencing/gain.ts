import type { FitsHeader } from '../frames/fits/header.ts'
import type { Side } from './fluxRatio.ts'
import type { PsfStar } from './psfStars.ts'
import { median, robustSigma } from './robust.ts'
import { fitStar } from './starFit.ts'

/** Electrons per ADU for the noise of sources, and how it was found. */
export interface GainEstimate {
  readonly electronsPerAdu: number
  readonly from: 'option' | 'header' | 'sky' | 'stars' | 'none'
}

/** EGAIN; GAIN is used only where a camera's setting cannot hide in it: between 0.05 and 20 and not a whole number. */
export function gainFromHeader(header: FitsHeader): number | undefined {
  const egain = header.number('EGAIN')
  if (egain !== undefined && egain > 0 && Number.isFinite(egain)) return egain
  const gain = header.number('GAIN')
  return gain !== undefined && gain > 0.05 && gain < 20 && !Number.isInteger(gain) ? gain : undefined
}

/**
 * Where no header says it. If the sky is not subtracted, level/rms² is an upper limit (read noise and bias lie in it too);
 * what stars leave of their PSF fit above the sky's noise gives another. The smaller.
 */
export function estimateGain(
  side: Omit<Side, 'gainElectronsPerAdu'>,
  levelAdu: number,
  stars: readonly PsfStar[],
): GainEstimate {
  const { rmsAdu } = side
  const fromSky = levelAdu > 5 * rmsAdu ? levelAdu / (rmsAdu * rmsAdu) : Number.POSITIVE_INFINITY
  const fromStars = starGain(side, stars)
  if (fromStars !== undefined && fromStars < fromSky) return { electronsPerAdu: fromStars, from: 'stars' }
  if (Number.isFinite(fromSky)) return { electronsPerAdu: fromSky, from: 'sky' }
  return { electronsPerAdu: 1e9, from: 'none' }
}

/** What a star leaves of its fit. */
interface Excess {
  /** Squared residuals above those of the sky, summed; ADU². */
  readonly above: number
  /** Sum of the model, ADU. */
  readonly model: number
  /** Sum of its squares: a PSF wrong by a share e leaves e² of this. */
  readonly square: number
}

const mostStars = 320
/** With fewer, bright and faint stars cannot be told apart. */
const fewestForLine = 24
const fewest = 3
const leastSnr = 30

/**
 * The noise of light grows with a star's flux, the residuals of a wrong PSF with its square: over stars of different flux
 * above/model is 1/gain + e² square/model, and 1/gain what is left at the faint end. Undersampled stars would else pass for
 * a gain ten times too small. With few stars the median serves, which covers the errors of the PSF as well.
 */
function starGain(side: Omit<Side, 'gainElectronsPerAdu'>, stars: readonly PsfStar[]): number | undefined {
  const found = stars
    .slice(0, mostStars)
    .map((star) => excessOf(side, star))
    .filter((excess) => excess !== undefined)
  if (found.length < fewest) return undefined
  const inverse = found.length < fewestForLine ? median(found.map(slopeOf)) : atFaintEnd(found)
  return inverse > 0 ? 1 / inverse : undefined
}

const slopeOf = ({ above, model }: Excess): number => above / model

/** The line through the fainter and the brighter half, where no light is left; at least its own error. */
function atFaintEnd(excesses: readonly Excess[]): number {
  const sorted = [...excesses].sort((a, b) => a.square / a.model - b.square / b.model)
  const half = sorted.length >> 1
  const [faint, bright] = [together(sorted.slice(0, half)), together(sorted.slice(half))]
  const rise = (bright.slope - faint.slope) / (bright.light - faint.light)
  return Math.max(faint.error, faint.slope - Math.max(0, rise) * faint.light)
}

/** Of stars taken together, without those that leave much more than the others: galaxies, neighbours. */
function together(all: readonly Excess[]): { slope: number; light: number; error: number } {
  const slopes = all.map(slopeOf)
  const limit = median(slopes) + 4 * robustSigma(slopes)
  const kept = all.filter((excess) => slopeOf(excess) <= limit)
  const sum = (of: keyof Excess): number => kept.reduce((total, excess) => total + excess[of], 0)
  const model = sum('model')
  return {
    slope: sum('above') / model,
    light: sum('square') / model,
    error: robustSigma(slopes) / Math.sqrt(kept.length),
  }
}

function excessOf({ plane, mask, psf, rmsAdu }: Omit<Side, 'gainElectronsPerAdu'>, star: PsfStar): Excess | undefined {
  const floor = rmsAdu * rmsAdu
  const radiusPixels = 1.3 * psf.fwhmPixels
  const spline = psf.coreAt(star.x, star.y, radiusPixels)
  const variance = (x: number, y: number): number => (mask.data[y * mask.width + x] === 0 ? floor : 0)
  const fit = fitStar(plane, spline, star.x, star.y, { radiusPixels, variance })
  if (!fit || fit.fluxAdu < leastSnr * fit.fluxErrorAdu) return undefined
  const pixels = around(star, radiusPixels).map(([x, y]) => {
    const half = (spline.size - 1) / 2
    const [u, v] = [x - fit.x + half, y - fit.y + half]
    const at = (dx: number, dy: number): number => fit.fluxAdu * spline.at(u + dx, v + dy)
    const value = at(0, 0)
    // The fit is along these three: flux, x and y.
    const along = [value, at(0.5, 0) - at(-0.5, 0), at(0, 0.5) - at(0, -0.5)]
    return { value, along, rest: plane.data[y * plane.width + x]! - value }
  })
  const norms = [0, 1, 2].map((k) => pixels.reduce((sum, { along }) => sum + along[k]! ** 2, 0))
  let [above, model, square] = [0, 0, 0]
  for (const { value, along, rest } of pixels) {
    // Share of a pixel's noise that the fit does not follow.
    const free = 1 - along.reduce((sum, part, k) => sum + part ** 2 / norms[k]!, 0)
    above += rest ** 2 - free * floor
    model += free * value
    square += value * value
  }
  return model > 0 ? { above, model, square } : undefined
}

/** Pixels within a radius of a star. */
function around({ x, y }: PsfStar, radius: number): readonly (readonly [number, number])[] {
  const side = 2 * Math.ceil(radius) + 1
  return Array.from({ length: side * side }, (_, k) => {
    const [i, j] = [(k % side) - (side >> 1), Math.floor(k / side) - (side >> 1)]
    return [Math.round(x) + i, Math.round(y) + j] as const
  }).filter(([u, v]) => Math.hypot(u - x, v - y) <= radius)
}
