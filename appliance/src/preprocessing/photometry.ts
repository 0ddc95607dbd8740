import type { Star } from './stars.ts'
import { StarFlag } from './stars.ts'

/**
 * Magnitudes of a solved frame: the zero point from stars with catalogue magnitudes, and the magnitude of the faintest star
 * that the frame shows.
 */
export interface ZeroPoint {
  /** Magnitude of a star of 1 ADU in this exposure. */
  readonly zeroPointMag: number
  /** 1.4826 × median absolute deviation of single stars. */
  readonly scatterMag: number
  /** Of the zero point itself: 1.253 × scatter ÷ √stars, the standard error of a median. */
  readonly errorMag: number
  readonly stars: number
}

export interface PhotometricStar {
  readonly fluxAdu: number
  readonly mag: number
  readonly flags?: number
}

const leastStars = 5
const untrustworthy = StarFlag.saturated | StarFlag.edge | StarFlag.masked | StarFlag.sharp | StarFlag.blended

/** The median of magnitude + 2.5 log10(flux), clipped at 3 standard deviations; undefined with fewer than 5 good stars. */
export function measureZeroPoint(stars: readonly PhotometricStar[]): ZeroPoint | undefined {
  const good = stars.filter((star) => star.fluxAdu > 0 && ((star.flags ?? 0) & untrustworthy) === 0)
  let values = good.map((star) => star.mag + 2.5 * Math.log10(star.fluxAdu))
  for (let round = 0; round < 5; round++) {
    if (values.length < leastStars) return undefined
    const centre = median(values)
    const scatter = 1.4826 * median(values.map((value) => Math.abs(value - centre)))
    const kept = values.filter((value) => Math.abs(value - centre) <= 3 * Math.max(scatter, 0.02))
    if (kept.length === values.length || round === 4) {
      const errorMag = (1.2533 * scatter) / Math.sqrt(values.length)
      return { zeroPointMag: centre, scatterMag: scatter, errorMag, stars: values.length }
    }
    values = kept
  }
  return undefined
}

/**
 * Magnitude at which a star has a signal-to-noise ratio of 5 against the sky alone, measured with the PSF: the noise is
 * rms × √(4π) σ for a Gaussian PSF (its n_eff is 4πσ²).
 */
export function limitingMagnitude(zeroPointMag: number, skyRmsAdu: number, fwhmPixels: number): number {
  const sigma = fwhmPixels / 2.354820045
  return zeroPointMag - 2.5 * Math.log10(5 * skyRmsAdu * Math.sqrt(4 * Math.PI) * sigma)
}

/** Median of a property of the frame's best stars (unflagged, S/N above 20 where there are any); undefined without stars. */
export function typicalOf(stars: readonly Star[], property: (star: Star) => number): number | undefined {
  const clean = stars.filter((star) => star.flags === 0)
  const strong = clean.filter((star) => star.snr > 20)
  const used = strong.length >= 5 ? strong : clean
  return used.length === 0 ? undefined : median(used.map(property))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
