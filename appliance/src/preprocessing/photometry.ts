import type { Star } from './stars.ts'

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
