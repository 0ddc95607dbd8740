/**
 * What the noise of a star's light should be: photons, sky and detector (Merline & Howell 1995, Experimental Astronomy 6,
 * 163, eq. 25) and the scintillation of the air (Young 1967, AJ 72, 747, with the constant of Osborn, Föhring, Dhillon &
 * Wilson 2015, MNRAS 452, 1707, eq. 7).
 */
export interface ApertureNoise {
  readonly fluxAdu: number
  readonly areaPixels: number
  /** Of one pixel of the sky: read noise, dark current and the converter's steps are in it. */
  readonly skyRmsAdu: number
  /** Pixels that the sky was measured from. */
  readonly skyPixels: number
  readonly gainElectronsPerAdu: number
}

export interface Telescope {
  /** Undefined: scintillation is left out. */
  readonly apertureMetres: number | undefined
  readonly elevationMetres: number
}

/** Of the turbulence above; median of the sites in table 1 of Osborn et al. 2015. */
const turbulence = 1.56
/** Scale height of the turbulence in that formula, metres. */
const scaleHeightMetres = 8000
/** 2.5 / ln 10: magnitudes of a small relative change. */
export const magsPerRelative = 1.0857362

/** Standard deviation of the flux ÷ flux; NaN for a flux that is not positive. */
export function photonNoise(noise: ApertureNoise): number {
  const { fluxAdu, areaPixels, skyRmsAdu, skyPixels, gainElectronsPerAdu } = noise
  if (!(fluxAdu > 0)) return Number.NaN
  const skyVariance = areaPixels * (1 + areaPixels / skyPixels) * skyRmsAdu * skyRmsAdu
  return Math.sqrt(fluxAdu / gainElectronsPerAdu + skyVariance) / fluxAdu
}

/** Standard deviation ÷ flux of one exposure: σ² = 10⁻⁵ C² D^(−4/3) t⁻¹ X³ exp(−2h/8000 m). */
export function scintillation(telescope: Telescope, exposureSeconds: number, airmass: number): number {
  const { apertureMetres, elevationMetres } = telescope
  if (apertureMetres === undefined) return 0
  const sky = airmass ** 3 * Math.exp((-2 * elevationMetres) / scaleHeightMetres)
  return Math.sqrt((1e-5 * turbulence ** 2 * apertureMetres ** (-4 / 3) * sky) / exposureSeconds)
}

/** Electrons per ADU from how the sky's noise grew with its level over a night, and how sure that is. */
export interface SkyGain {
  readonly electronsPerAdu: number
  readonly relativeError: number
}

/**
 * Photon transfer with the sky as the lamp: the slope of variance on level over frames of one exposure time, which needs
 * no bias level. Undefined when the sky's level varied too little for a slope better than 30 %.
 */
export function gainFromSky(levelsAdu: readonly number[], rmsAdu: readonly number[]): SkyGain | undefined {
  const n = levelsAdu.length
  if (n < 8) return undefined
  const variances = rmsAdu.map((rms) => rms * rms)
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / n
  const [level, variance] = [mean(levelsAdu), mean(variances)]
  let [xx, xy] = [0, 0]
  levelsAdu.forEach((value, i) => {
    xx += (value - level) ** 2
    xy += (value - level) * (variances[i]! - variance)
  })
  const slope = xy / xx
  const rest = levelsAdu.reduce((sum, value, i) => sum + (variances[i]! - variance - slope * (value - level)) ** 2, 0)
  const relativeError = Math.sqrt(rest / (n - 2) / xx) / slope
  return slope > 0 && relativeError < 0.3 ? { electronsPerAdu: 1 / slope, relativeError } : undefined
}
