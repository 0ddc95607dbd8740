import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { PsfModel } from './psf.ts'
import type { PsfStar } from './psfStars.ts'
import { median, robustSigma } from './robust.ts'
import { fitStar, type StarFit } from './starFit.ts'

/**
 * F_r/F_n and what is left of the registration, from PSF fits of the same stars in the science frame and in the aligned
 * reference. Apertures will not do: their losses differ with the seeing, and a ratio 5 % off makes 24 false positives per
 * Mpix.
 */
export interface StarComparison {
  /** F_r/F_n. */
  readonly ratio: number
  readonly ratioError: number
  readonly stars: number
  /** Beyond the noise of the fits, how far the stars' ratios lie from one another, as a share: what the PSFs do not describe. */
  readonly relativeScatter: number
  /** Median of reference minus science position, pixels. */
  readonly offset: readonly [number, number]
  /** 1.4826 × MAD about it, without what the noise of the fits gives. */
  readonly scatter: readonly [number, number]
}

export interface Side {
  /** Background-subtracted, on the science grid; ADU. */
  readonly plane: Plane
  readonly mask: MaskPlane
  readonly psf: PsfModel
  readonly rmsAdu: number
  readonly gainElectronsPerAdu: number
}

interface Compared {
  readonly science: StarFit
  readonly reference: StarFit
}

const mostStars = 200

/** Compares stars that are clean in both frames. Undefined when there is none. `stars` are in science pixels. */
export function compareStars(science: Side, reference: Side, stars: readonly PsfStar[]): StarComparison | undefined {
  const compared: Compared[] = []
  for (const star of stars) {
    const one = fitClean(science, star)
    const other = one && fitClean(reference, star)
    if (other) compared.push({ science: one, reference: other })
    if (compared.length === mostStars) break
  }
  if (compared.length === 0) return undefined
  return { ...ratioOf(compared, skyAllowance(science, reference)), ...registrationLeft(compared) }
}

/** Of the PSF at a pixel, as a share of its value there: keeps the core of a bright star from deciding alone. */
const profileError = 0.005

/** The star's PSF fit; undefined when it is masked near the core, not significant or does not look like the PSF. */
export function fitClean({ plane, mask, psf, rmsAdu, gainElectronsPerAdu }: Side, star: PsfStar): StarFit | undefined {
  const radiusPixels = Math.max(2.5, 1.3 * psf.fwhmPixels)
  const reach = Math.ceil(radiusPixels)
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  if (cx < reach || cy < reach || cx >= plane.width - reach || cy >= plane.height - reach) return undefined
  for (let y = cy - reach; y <= cy + reach; y++)
    for (let x = cx - reach; x <= cx + reach; x++) if (mask.data[y * mask.width + x] !== 0) return undefined
  const floor = rmsAdu * rmsAdu
  const fit = fitStar(plane, psf.coreAt(star.x, star.y, radiusPixels), star.x, star.y, {
    radiusPixels,
    variance: (_x, _y, signal) => floor + signal / gainElectronsPerAdu + (profileError * signal) ** 2,
  })
  return fit && fit.fluxAdu > 8 * fit.fluxErrorAdu ? fit : undefined
}

/** How much light a tenth of the rms of both skies would give a star's fit: so far the skies may be taken off wrongly. */
function skyAllowance(science: Side, reference: Side): (ratio: number) => number {
  // 1/Σ P² is 35 px at FWHM 3.
  const light = ({ psf, rmsAdu }: Side): number => 0.1 * rmsAdu * 4 * psf.fwhmPixels ** 2
  return (ratio) => Math.hypot(light(reference), ratio * light(science))
}

/** No star is measured better than this share: flat field, profile. */
const leastError = 0.003

/**
 * The line reference = ratio × science + light by weighted least squares with Huber's weights. The light is what both skies, taken
 * off a little wrongly, add to every star alike: 1.5 ADU a pixel are half a percent of a star of 10,000 ADU. It is held near
 * 0 by what a sky may be off, so that stars of one brightness do not trade it for the ratio.
 */
function ratioOf(
  compared: readonly Compared[],
  allowance: (ratio: number) => number,
): Pick<StarComparison, 'ratio' | 'ratioError' | 'stars' | 'relativeScatter'> {
  const logs = compared.map((c) => Math.log(c.reference.fluxAdu / c.science.fluxAdu))
  const centre = median(logs)
  const errors = compared.map((c) => relativeErrorOf(c))
  const spread = Math.max(0.01, robustSigma(logs, centre))
  const kept = compared.filter((_, i) => Math.abs(logs[i]! - centre) <= 3 * Math.max(spread, errors[i]!))
  let line = { ratio: Math.exp(centre), light: 0, error: spread * Math.exp(centre) }
  let scatter = leastError
  for (let round = 0; round < 5; round++) {
    line = fitLine(kept, line, scatter, allowance(line.ratio))
    const found = excessScatter(kept, line)
    scatter = Math.max(leastError, found)
    if (round === 4) {
      return { ratio: line.ratio, ratioError: line.error, stars: kept.length, relativeScatter: found }
    }
  }
  throw new RangeError('unreachable')
}

interface Line {
  readonly ratio: number
  readonly light: number
  readonly error: number
}

function relativeErrorOf({ science, reference }: Compared): number {
  return Math.hypot(science.fluxErrorAdu / science.fluxAdu, reference.fluxErrorAdu / reference.fluxAdu)
}

/** One round of reweighting; the line as it was when the stars do not define another. */
function fitLine(stars: readonly Compared[], before: Line, scatter: number, allowance: number): Line {
  let [xx, x1, ones, xy, y1] = [0, 0, allowance ** -2, 0, 0]
  for (const star of stars) {
    const [x, y] = [star.science.fluxAdu, star.reference.fluxAdu]
    const error = Math.hypot(before.ratio * x * scatter, before.ratio * x * relativeErrorOf(star))
    const pull = Math.abs(y - before.ratio * x - before.light) / error
    const weight = Math.min(1, 1.5 / Math.max(pull, 1e-9)) / (error * error)
    xx += weight * x * x
    x1 += weight * x
    ones += weight
    xy += weight * x * y
    y1 += weight * y
  }
  const determinant = xx * ones - x1 * x1
  const ratio = (ones * xy - x1 * y1) / determinant
  if (!(determinant > 0 && ratio > 0)) return before
  return { ratio, light: (xx * y1 - x1 * xy) / determinant, error: Math.sqrt(ones / determinant) }
}

/** What must be added in quadrature to the errors of the brighter half for their residuals to be 1 sigma. */
function excessScatter(stars: readonly Compared[], { ratio, light }: Line): number {
  if (stars.length < fewestForScatter) return 0
  const best = stars.slice(0, Math.max(fewestForScatter, stars.length >> 1))
  const rests = best.map((c) => (c.reference.fluxAdu - light) / (ratio * c.science.fluxAdu) - 1)
  const errors = best.map((c) => relativeErrorOf(c))
  const width = (added: number): number => {
    const pulls = rests.map((rest, i) => rest / Math.hypot(errors[i]!, added))
    return robustSigma(pulls, 0)
  }
  let [low, high] = [0, 0.05]
  if (width(1e-6) <= 1) return 0
  for (let k = 0; k < 8; k++) {
    const middle = (low + high) / 2
    if (width(middle) > 1) low = middle
    else high = middle
  }
  return (low + high) / 2
}

const fewestForScatter = 8

/** Offset and scatter of the positions of the better half of the stars. */
function registrationLeft(compared: readonly Compared[]): Pick<StarComparison, 'offset' | 'scatter'> {
  const best = compared.slice(0, Math.max(15, compared.length >> 1))
  const along = (axis: 0 | 1): readonly [number, number] => {
    const moves = best.map(({ science, reference }) => (axis === 0 ? reference.x - science.x : reference.y - science.y))
    const centre = median(moves)
    const noise = median(
      best.map(({ science, reference }) => Math.hypot(science.errorPixels[axis], reference.errorPixels[axis])),
    )
    return [centre, Math.sqrt(Math.max(0, robustSigma(moves, centre) ** 2 - noise ** 2))]
  }
  const [x, y] = [along(0), along(1)]
  return { offset: [x[0], y[0]], scatter: [x[1], y[1]] }
}

/** The median offset, when it is measured well enough to be taken out. */
export function centredShift({ offset, stars }: StarComparison): readonly [number, number] {
  return stars >= 3 && Math.hypot(...offset) < 1 ? offset : [0, 0]
}

/** The scatter, and what is not known better of the offset. */
export function astrometricNoise(
  { offset, scatter, stars }: StarComparison,
  shift: readonly [number, number],
): [number, number] {
  const least = stars >= 8 ? 0.01 : 0.1
  const along = (axis: 0 | 1): number =>
    Math.hypot(
      Math.max(least, scatter[axis]),
      offset[axis] - shift[axis],
      scatter[axis] / Math.sqrt(Math.max(1, stars)),
    )
  return [along(0), along(1)]
}

/** Of the flux ratio (at most 0.5 %) and of the PSFs. */
export function relativeError(comparison: StarComparison, psfStars: number): number {
  const { ratio, ratioError } = comparison
  return Math.hypot(Math.min(0.005, ratioError / ratio), psfError(comparison, psfStars))
}

/** Of the PSFs, as a share of a flux: half a percent from one star, less with more, or as the stars show it; at most 1 %. */
export function psfError({ relativeScatter }: StarComparison, psfStars: number): number {
  return Math.max(Math.min(0.01, relativeScatter), 0.005 / Math.sqrt(Math.max(1, psfStars)))
}
