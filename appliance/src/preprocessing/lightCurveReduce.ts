import { MaskFlag } from '../frames/mask.ts'
import type { ApertureFlux } from './aperture.ts'
import { column, type Ensemble, median, type Series, solveEnsemble } from './lightCurve.ts'
import { magsPerRelative, photonNoise, scintillation, type Telescope } from './lightCurveNoise.ts'

/** From apertures of many radii to one light curve: the radius at which the comparison stars scatter least. */
export interface ReduceInput {
  readonly width: number
  readonly height: number
  readonly radiiPixels: readonly number[]
  readonly frames: readonly { readonly exposureSeconds: number; readonly airmass: number | undefined }[]
  /** `[frame][star]`, the target first. */
  readonly fluxes: readonly (readonly ((ApertureFlux & { readonly x: number; readonly y: number }) | undefined)[])[]
  readonly gainElectronsPerAdu: number
  readonly telescope: Telescope
}

export interface ReducedCurve {
  readonly radiusPixels: number
  /** Frames in which the target was measured. */
  readonly points: readonly CurvePoint[]
  readonly comparisons: number
  /** Of stars as bright as the target, those that do not vary: 1.4826 × MAD, magnitudes. */
  readonly scatterMag: number
  /** What photons, sky, scintillation and the ensemble make of the same stars. */
  readonly expectedMag: number
  /** Median of scatter ÷ expected noise over all comparison stars brighter than ten times their noise floor. */
  readonly scatterRatio: number
  readonly ensemble: Ensemble
}

export interface CurvePoint {
  readonly frame: number
  /** About the target's mean; fainter is larger. */
  readonly mag: number
  readonly errorMag: number
  readonly fluxAdu: number
  readonly x: number
  readonly y: number
}

const likeTarget = 15
/** Pixels whose value was lost: neither the target's nor a comparison star's light can be trusted. */
const lost = MaskFlag.saturated | MaskFlag.bloom

/** Undefined when no radius leaves two comparison stars and 5 points of the target. */
export function reduceSeries(input: ReduceInput): ReducedCurve | undefined {
  const curves = input.radiiPixels.map((_, k) => reduceAt(input, k)).filter((curve) => curve !== undefined)
  return curves.sort((a, b) => a.scatterMag - b.scatterMag)[0]
}

function reduceAt(input: ReduceInput, radius: number): ReducedCurve | undefined {
  const series = seriesAt(input, radius)
  const ensemble = solveEnsemble(series)
  if (!ensemble) return undefined
  const points = pointsOf(input, radius, series, ensemble)
  if (points.length < 5) return undefined
  const { frames, stars } = series
  const own = median(column(series.mag, frames, stars, 0))
  const compared = Array.from({ length: stars }, (_, star) => star)
    .filter((star) => ensemble.used[star])
    .map((star) => ({
      away: Math.abs(median(column(series.mag, frames, stars, star)) - own),
      scatter: ensemble.scatterMag[star]!,
      expected: median(column(ensemble.errorMag, frames, stars, star)),
    }))
  const alike = [...compared].sort((a, b) => a.away - b.away).slice(0, likeTarget)
  return {
    radiusPixels: input.radiiPixels[radius]!,
    points,
    comparisons: compared.length,
    scatterMag: median(alike.map((star) => star.scatter)),
    expectedMag: median(alike.map((star) => star.expected)),
    scatterRatio: median(compared.map((star) => star.scatter / star.expected)),
    ensemble,
  }
}

function seriesAt(input: ReduceInput, radius: number): Series {
  const { fluxes, width, height, telescope, gainElectronsPerAdu } = input
  const frames = fluxes.length
  const stars = fluxes[0]?.length ?? 0
  const unit = Math.max(width, height) / 2
  const blank = (): Float64Array => new Float64Array(frames * stars).fill(Number.NaN)
  const series = { mag: blank(), noiseMag: blank(), u: blank(), v: blank() }
  fluxes.forEach((row, frame) => {
    const { exposureSeconds, airmass = 1 } = input.frames[frame]!
    const air = scintillation(telescope, exposureSeconds, airmass)
    row.forEach((star, index) => {
      if (!star || (star.maskBits & lost) !== 0) return
      const at = frame * stars + index
      const fluxAdu = star.fluxAdu[radius]!
      const { skyRmsAdu, skyPixels } = star
      const areaPixels = star.areaPixels[radius]!
      const photons = photonNoise({ fluxAdu, areaPixels, skyRmsAdu, skyPixels, gainElectronsPerAdu })
      series.mag[at] = fluxAdu > 0 ? -2.5 * Math.log10(fluxAdu) : Number.NaN
      series.noiseMag[at] = magsPerRelative * Math.hypot(photons, air)
      series.u[at] = (star.x - width / 2) / unit
      series.v[at] = (star.y - height / 2) / unit
    })
  })
  const airmass = input.frames.flatMap((frame) => frame.airmass ?? [])
  return { frames, stars, ...series, airmass: airmass.length === frames ? airmass : undefined, targets: new Set([0]) }
}

function pointsOf(input: ReduceInput, radius: number, { frames, stars }: Series, ensemble: Ensemble): CurvePoint[] {
  const points: CurvePoint[] = []
  for (let frame = 0; frame < frames; frame++) {
    const at = frame * stars
    const mag = ensemble.residualMag[at]!
    const flux = input.fluxes[frame]![0]
    if (!Number.isFinite(mag) || !flux) continue
    points.push({ frame, mag, errorMag: ensemble.errorMag[at]!, fluxAdu: flux.fluxAdu[radius]!, x: flux.x, y: flux.y })
  }
  return points
}
