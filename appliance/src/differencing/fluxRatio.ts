import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { PsfModel } from './psf.ts'
import type { PsfStar } from './psfStars.ts'
import { median, robustSigma, weightedMedian } from './robust.ts'
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
  /** Median of reference minus science position, and 1.4826 × MAD about it, pixels. */
  readonly offset: readonly [number, number]
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
  readonly ratio: number
  readonly relativeError: number
  readonly dx: number
  readonly dy: number
  readonly snr: number
}

const mostStars = 400

/** Compares stars that are clean in both frames. Undefined when there is none. `stars` are in science pixels. */
export function compareStars(science: Side, reference: Side, stars: readonly PsfStar[]): StarComparison | undefined {
  const compared: Compared[] = []
  for (const star of stars.slice(0, mostStars)) {
    const one = fitClean(science, star)
    const other = fitClean(reference, star)
    if (one && other) compared.push(compare(one, other))
  }
  if (compared.length === 0) return undefined
  return summarise(compared)
}

function compare(one: StarFit, other: StarFit): Compared {
  const relative = Math.hypot(one.fluxErrorAdu / one.fluxAdu, other.fluxErrorAdu / other.fluxAdu)
  return {
    ratio: other.fluxAdu / one.fluxAdu,
    relativeError: relative,
    dx: other.x - one.x,
    dy: other.y - one.y,
    snr: 1 / relative,
  }
}

/** The star's PSF fit; undefined when it is masked near the core, not significant or does not look like the PSF. */
export function fitClean({ plane, mask, psf, rmsAdu, gainElectronsPerAdu }: Side, star: PsfStar): StarFit | undefined {
  const radiusPixels = Math.max(2.5, 1.3 * psf.fwhmPixels)
  const reach = Math.ceil(radiusPixels)
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  if (cx < reach || cy < reach || cx >= plane.width - reach || cy >= plane.height - reach) return undefined
  for (let y = cy - reach; y <= cy + reach; y++)
    for (let x = cx - reach; x <= cx + reach; x++) if (mask.data[y * mask.width + x] !== 0) return undefined
  const floor = rmsAdu * rmsAdu
  const fit = fitStar(plane, psf.splineAt(star.x, star.y), star.x, star.y, {
    radiusPixels,
    variance: (_x, _y, signal) => floor + signal / gainElectronsPerAdu + (0.02 * signal) ** 2,
  })
  return fit && fit.fluxAdu > 8 * fit.fluxErrorAdu ? fit : undefined
}

function summarise(compared: readonly Compared[]): StarComparison {
  const logs = compared.map((c) => Math.log(c.ratio))
  const centre = median(logs)
  const spread = Math.max(0.01, robustSigma(logs, centre))
  const kept = compared.filter((_, i) => Math.abs(logs[i]! - centre) <= 3 * spread)
  // A floor of 1 %: no star is better than the flat field.
  const weights = kept.map((c) => 1 / (c.relativeError ** 2 + 1e-4))
  const keptLogs = kept.map((c) => Math.log(c.ratio))
  const ratio = Math.exp(weightedMedian(keptLogs, weights))
  const error = (1.2533 * Math.max(robustSigma(keptLogs), 0.002)) / Math.sqrt(kept.length)
  const best = [...kept].sort((a, b) => b.snr - a.snr).slice(0, Math.max(15, kept.length >> 1))
  const [dx, dy] = [best.map((c) => c.dx), best.map((c) => c.dy)]
  const offset = [median(dx), median(dy)] as const
  return {
    ratio,
    ratioError: ratio * error,
    stars: kept.length,
    offset,
    scatter: [robustSigma(dx, offset[0]), robustSigma(dy, offset[1])],
  }
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

/** Of the flux ratio and of the PSFs (half a percent from one star, less with more); at most 0.7 %. */
export function relativeError({ ratio, ratioError }: StarComparison, psfStars: number): number {
  const stars = Math.max(1, psfStars)
  return Math.hypot(Math.min(0.005, ratioError / ratio), 0.005 / Math.sqrt(stars))
}
