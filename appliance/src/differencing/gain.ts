import type { FitsHeader } from '../frames/fits/header.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { Side } from './fluxRatio.ts'
import type { PsfStar } from './psfStars.ts'
import { median } from './robust.ts'
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
  /** Pixels that the fit does not follow. */
  readonly pixels: number
}

const mostStars = 320
/** With fewer, bright and faint stars cannot be told apart. */
const fewestForWeights = 24
const fewest = 3
const leastSnr = 30
/** Of the fit: the nine pixels in the middle alone leave six degrees of freedom. */
const leastRadiusPixels = 2

/**
 * The noise of light grows with a star's flux, the residuals of a wrong PSF with its square: above/model is 1/gain and e²
 * square/model. Bright stars show e, and each star counts as well as the noise and e let it tell 1/gain. Undersampled stars
 * would else pass for a gain ten times too small. With few stars the median serves, which covers the errors of the PSF as well.
 */
function starGain(side: Omit<Side, 'gainElectronsPerAdu'>, stars: readonly PsfStar[]): number | undefined {
  const found = stars
    .slice(0, mostStars)
    .map((star) => excessOf(side, star))
    .filter((excess) => excess !== undefined)
  if (found.length < fewest) return undefined
  const inverse = found.length < fewestForWeights ? median(found.map(slopeOf)) : weighted(found, side.rmsAdu ** 2)
  return inverse > 0 ? 1 / inverse : undefined
}

const slopeOf = ({ above, model }: Excess): number => above / model
const lightOf = ({ square, model }: Excess): number => square / model

const rounds = 8
/** Of a wrong PSF as a share, squared: no PSF is known better than 2 % of its value everywhere. */
const leastWrong = 0.02 ** 2
/** Stars that leave more than this many standard deviations are galaxies or have neighbours. */
const mostSigma = 6

/** 1/gain by weighted means, its own error at least: a line through the stars would take its value from the brightest. */
function weighted(excesses: readonly Excess[], floor: number): number {
  const brightest = [...excesses]
    .sort((one, other) => lightOf(other) - lightOf(one))
    .slice(0, Math.max(8, Math.floor(excesses.length / 5)))
  let inverse = median(excesses.map(slopeOf))
  let error = 0
  for (let round = 0; round < rounds; round++) {
    const before = Math.max(0, inverse)
    const wrong = Math.max(0, median(brightest.map((star) => (slopeOf(star) - before) / lightOf(star))))
    let [weights, sum] = [0, 0]
    for (const excess of excesses) {
      const shift = wrong * lightOf(excess)
      const variance = noiseOf(excess, before, floor) + shift ** 2 + (leastWrong * lightOf(excess)) ** 2
      if (slopeOf(excess) - before - shift > mostSigma * Math.sqrt(variance)) continue
      weights += 1 / variance
      sum += slopeOf(excess) / variance
    }
    if (!(weights > 0)) break
    inverse = sum / weights
    error = 1 / Math.sqrt(weights)
  }
  return Math.max(error, inverse)
}

/** Variance of above/model: a sum of squares of noise scatters by √2 of the noise's variance a pixel. */
function noiseOf({ model, square, pixels }: Excess, inverse: number, floor: number): number {
  return (2 * (pixels * floor * floor + 2 * floor * inverse * model + inverse * inverse * square)) / (model * model)
}

function excessOf({ plane, mask, psf, rmsAdu }: Omit<Side, 'gainElectronsPerAdu'>, star: PsfStar): Excess | undefined {
  const floor = rmsAdu * rmsAdu
  const radiusPixels = Math.max(leastRadiusPixels, 1.3 * psf.fwhmPixels)
  const spline = psf.coreAt(star.x, star.y, radiusPixels)
  const variance = (x: number, y: number): number => (mask.data[y * mask.width + x] === 0 ? floor : 0)
  const fit = fitStar(plane, spline, star.x, star.y, { radiusPixels, variance })
  if (!fit || fit.fluxAdu < leastSnr * fit.fluxErrorAdu) return undefined
  const fitted = fittedPixels(plane, mask, star, radiusPixels)
  const reach = Math.ceil(radiusPixels)
  const { value, byX, byY } = spline.window(fit.x - Math.round(star.x), fit.y - Math.round(star.y), reach)
  const pick = (of: Float64Array): Float64Array => Float64Array.from(fitted, ({ at }) => of[at]!)
  // The fit is along these three: flux, x and y.
  const along = orthonormal([pick(value), pick(byX), pick(byY)])
  let [above, model, square, pixels] = [0, 0, 0, 0]
  for (const [k, { at, seen }] of fitted.entries()) {
    const light = fit.fluxAdu * value[at]!
    // Share of a pixel's noise that the fit does not follow.
    const free = 1 - along.reduce((sum, direction) => sum + direction[k]! ** 2, 0)
    above += (seen - light) ** 2 - free * floor
    model += free * light
    square += light * light
    pixels += free
  }
  return model > 0 ? { above, model, square, pixels } : undefined
}

/** The pixels that `fitStar` reads: their places in a window of that reach, and their values. */
function fittedPixels(
  plane: Plane,
  mask: MaskPlane,
  { x, y }: PsfStar,
  radius: number,
): { at: number; seen: number }[] {
  const reach = Math.ceil(radius)
  const side = 2 * reach + 1
  const found: { at: number; seen: number }[] = []
  for (let at = 0; at < side * side; at++) {
    const [i, j] = [(at % side) - reach, Math.floor(at / side) - reach]
    const [u, v] = [Math.round(x) + i, Math.round(y) + j]
    if (i * i + j * j > radius * radius || u < 0 || v < 0 || u >= plane.width || v >= plane.height) continue
    const seen = plane.data[v * plane.width + u]!
    if (mask.data[v * mask.width + u] === 0 && Number.isFinite(seen)) found.push({ at, seen })
  }
  return found
}

/** Gram-Schmidt, in place. */
function orthonormal(vectors: readonly Float64Array[]): readonly Float64Array[] {
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0)
  vectors.forEach((vector, k) => {
    for (const before of vectors.slice(0, k)) {
      const share = dot(vector, before)
      before.forEach((value, i) => {
        vector[i]! -= share * value
      })
    }
    const length = Math.sqrt(dot(vector, vector))
    vector.forEach((value, i) => {
      vector[i] = length > 0 ? value / length : 0
    })
  })
  return vectors
}
