import { backSolve, cholesky } from './fieldFit.ts'

/**
 * Light curves of all stars of a series beside each other: m(star, frame) = M(star) + E(star) X(frame) + Z(frame) + P(x, y),
 * least squares over all pairs that were measured (Honeycutt 1992, PASP 104, 435), so stars may enter and leave the frame. P
 * is a polynomial of the place on the detector, order 2 to 4: what a missing or imperfect flat leaves is found from the
 * drift itself. E is the extinction of second order: air takes more from blue stars than from red ones, in proportion to
 * the airmass X (Henden & Kaitchuck 1982, Astronomical Photometry, section 4.4). Stars that vary, and the target, do not
 * count; the target's own E is left in its light curve, for the fit that has a baseline in airmass.
 */
export interface Series {
  readonly frames: number
  readonly stars: number
  /** Instrumental magnitudes, frame by frame, stars in a row; NaN where a star was not measured. */
  readonly mag: Float64Array
  /** Expected noise of each, magnitudes. */
  readonly noiseMag: Float64Array
  /** Where the star lay, scaled to −1 … 1. */
  readonly u: Float64Array
  readonly v: Float64Array
  /** Of each frame; without it colours' extinction is not fitted. */
  readonly airmass?: readonly number[] | undefined
  /** Stars whose light is to be found, not assumed. */
  readonly targets: ReadonlySet<number>
}

export interface Ensemble {
  /** Magnitudes about each star's mean, as `Series.mag`; NaN where not measured. */
  readonly residualMag: Float64Array
  /** Expected noise with that of the ensemble. */
  readonly errorMag: Float64Array
  readonly zeroMag: Float64Array
  readonly meanMag: Float64Array
  /** 1.4826 × median absolute deviation of each star's residuals; NaN with fewer than 3. */
  readonly scatterMag: Float64Array
  /** Which stars defined the frames' zero points. */
  readonly used: readonly boolean[]
  /** Coefficients of P in `illuminationTerms`; empty when it was not fitted. */
  readonly illumination: readonly number[]
  /** E of each star, magnitudes per airmass about the mean star's; 0 for targets and where it was not fitted. */
  readonly extinctionMag: Float64Array
}

const rounds = 8
const leastShare = 0.6
const clipSigma = 4
/** A comparison star scatters at most this much more than its like, in units of the expected noise. */
const mostExcess = 2.5
/** With fewer stars the polynomial would follow single stars. */
const leastForIllumination = 12
/** Prior on each coefficient: keeps what the drift does not determine at zero. */
const coefficientMag = 0.1
/**
 * Prior on each star's extinction of second order, magnitudes per airmass: 0.04 for each magnitude of B − V (the blue end of
 * what is usual) times 0.75, the spread of field stars' colours.
 */
const extinctionPriorMag = 0.03
/** Over a shorter range of airmass nothing can be told of it. */
const leastAirmassRange = 0.2
/** Detectors and air leave this much even of the brightest star. */
const floorMag = 0.002

/** u and v alone are not there: over a common drift they are part of the stars' means and the frames' zero points. */
export function illuminationTerms(u: number, v: number): number[] {
  const second = [u * u, u * v, v * v]
  const third = [u * u * u, u * u * v, u * v * v, v * v * v]
  const fourth = [u ** 4, u ** 3 * v, u * u * v * v, u * v ** 3, v ** 4]
  return [...second, ...third, ...fourth]
}

/** Solves for all stars; undefined when fewer than two stars without a target were measured in most frames. */
export function solveEnsemble(series: Series): Ensemble | undefined {
  const { frames, stars, targets } = series
  const count = (star: number): number => {
    let n = 0
    for (let frame = 0; frame < frames; frame++) if (Number.isFinite(series.mag[frame * stars + star])) n++
    return n
  }
  let used = Array.from({ length: stars }, (_, star) => !targets.has(star) && count(star) >= leastShare * frames)
  const variance = series.noiseMag.map((noise) => noise * noise + floorMag * floorMag)
  const clipped = new Uint8Array(frames * stars)
  const air = airOf(series)
  let extinction = new Float64Array(stars)
  let solved: Ensemble | undefined
  for (let round = 0; round < rounds; round++) {
    if (used.filter(Boolean).length < 2) return undefined
    const rest = air ? { ...series, mag: series.mag.map((mag, at) => mag - extinctionAt(air, extinction, at)) } : series
    solved = solveOnce(rest, used, variance, clipped)
    if (!solved) return undefined
    solved = { ...solved, extinctionMag: extinction }
    if (air && round < rounds - 1) extinction = extinctionOf(series, solved, air, variance, clipped)
    used = judge(series, solved, used, variance)
    clip(series, solved, clipped)
  }
  return solved
}

/** Airmass about its mean; undefined where it is not known or hardly changes. */
function airOf({ airmass, frames }: Series): Float64Array | undefined {
  if (airmass?.length !== frames || !airmass.every(Number.isFinite)) return undefined
  if (Math.max(...airmass) - Math.min(...airmass) < leastAirmassRange) return undefined
  const mean = airmass.reduce((sum, value) => sum + value, 0) / frames
  return Float64Array.from(airmass, (value) => value - mean)
}

function extinctionAt(air: Float64Array, extinction: Float64Array, at: number): number {
  const stars = extinction.length
  return extinction[at % stars]! * air[Math.floor(at / stars)]!
}

/** What each star's residuals still have of the airmass added to its extinction; the mean star's is in the zero points. */
function extinctionOf(
  { frames, stars, targets }: Series,
  { residualMag, used, extinctionMag }: Ensemble,
  air: Float64Array,
  variance: Float64Array,
  clipped: Uint8Array,
): Float64Array<ArrayBuffer> {
  const found = new Float64Array(stars)
  for (let star = 0; star < stars; star++) {
    if (targets.has(star)) continue
    let [s, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0]
    for (let frame = 0; frame < frames; frame++) {
      const at = frame * stars + star
      if (clipped[at] || !Number.isFinite(residualMag[at]!)) continue
      const weight = 1 / variance[at]!
      const [x, y] = [air[frame]!, residualMag[at]! + extinctionMag[star]! * air[frame]!]
      s += weight
      sx += weight * x
      sy += weight * y
      sxx += weight * x * x
      sxy += weight * x * y
    }
    if (s > 0) found[star] = (sxy - (sx * sy) / s) / (sxx - (sx * sx) / s + 1 / extinctionPriorMag ** 2)
  }
  const counted = Array.from(found).filter((_, star) => used[star])
  const mean = counted.reduce((sum, value) => sum + value, 0) / counted.length
  return found.map((value, star) => (targets.has(star) ? 0 : value - mean))
}

function solveOnce(
  series: Series,
  used: readonly boolean[],
  variance: Float64Array,
  clipped: Uint8Array,
): Ensemble | undefined {
  const { frames, stars, mag, u, v } = series
  const terms = used.filter(Boolean).length >= leastForIllumination ? illuminationTerms(0, 0).length : 0
  const basisAt = (at: number): number[] => (terms === 0 ? [] : illuminationTerms(u[at]!, v[at]!))
  const weightOf = (at: number): number => (clipped[at] || !Number.isFinite(mag[at]) ? 0 : 1 / variance[at]!)
  const n = frames + terms
  const normal = new Float64Array(n * n)
  const right = new Float64Array(n)
  for (let star = 0; star < stars; star++) if (used[star]) addStar(series, star, basisAt, weightOf, normal, right, n)
  for (let k = 0; k < terms; k++) normal[(frames + k) * n + frames + k]! += 1 / coefficientMag ** 2
  // The mean zero point is free: it goes to the stars.
  for (let a = 0; a < frames; a++) for (let b = 0; b < frames; b++) normal[a * n + b]! += 1e3
  const factor = cholesky(normal, n)
  if (!factor) return undefined
  const solution = backSolve(factor, right)
  return describe(series, used, weightOf, basisAt, solution)
}

/** Adds a star to the normal equations with its own mean eliminated. */
function addStar(
  { frames, stars, mag }: Series,
  star: number,
  basisAt: (at: number) => number[],
  weightOf: (at: number) => number,
  normal: Float64Array,
  right: Float64Array,
  n: number,
): void {
  const sum = new Float64Array(n)
  let [weights, values] = [0, 0]
  for (let frame = 0; frame < frames; frame++) {
    const at = frame * stars + star
    const weight = weightOf(at)
    if (weight === 0) continue
    const basis = basisAt(at)
    const value = mag[at]!
    weights += weight
    values += weight * value
    normal[frame * n + frame]! += weight
    right[frame]! += weight * value
    sum[frame]! += weight
    basis.forEach((term, k) => {
      const row = (frames + k) * n
      normal[row + frame]! += weight * term
      normal[frame * n + frames + k]! += weight * term
      right[frames + k]! += weight * term * value
      sum[frames + k]! += weight * term
      basis.forEach((other, l) => {
        normal[row + frames + l]! += weight * term * other
      })
    })
  }
  if (weights === 0) return
  for (let a = 0; a < n; a++) {
    if (sum[a] === 0) continue
    right[a]! -= (sum[a]! * values) / weights
    for (let b = 0; b < n; b++) normal[a * n + b]! -= (sum[a]! * sum[b]!) / weights
  }
}

function describe(
  series: Series,
  used: readonly boolean[],
  weightOf: (at: number) => number,
  basisAt: (at: number) => number[],
  solution: Float64Array,
): Ensemble {
  const { frames, stars, mag, noiseMag } = series
  const zeroMag = solution.slice(0, frames)
  const illumination = Array.from(solution.slice(frames))
  const residualMag = mag.map((value, at) => {
    const flat = basisAt(at).reduce((sum, term, k) => sum + term * illumination[k]!, 0)
    return value - zeroMag[Math.floor(at / stars)]! - flat
  })
  const meanMag = new Float64Array(stars)
  const scatterMag = new Float64Array(stars)
  for (let star = 0; star < stars; star++) {
    const values = column(residualMag, frames, stars, star)
    meanMag[star] = median(values)
    for (let frame = 0; frame < frames; frame++) residualMag[frame * stars + star]! -= meanMag[star]!
    scatterMag[star] =
      values.length < 3 ? Number.NaN : 1.4826 * median(values.map((value) => Math.abs(value - meanMag[star]!)))
  }
  const errorMag = new Float64Array(frames * stars)
  for (let frame = 0; frame < frames; frame++) {
    let weights = 0
    for (let star = 0; star < stars; star++) if (used[star]) weights += weightOf(frame * stars + star)
    for (let at = frame * stars; at < (frame + 1) * stars; at++) {
      errorMag[at] = Math.sqrt(noiseMag[at]! ** 2 + (weights > 0 ? 1 / weights : 0))
    }
  }
  const extinctionMag = new Float64Array(stars)
  return { residualMag, errorMag, zeroMag, meanMag, scatterMag, used: [...used], illumination, extinctionMag }
}

/** Drops stars that vary and gives each the noise that it shows, where that is more than expected. */
function judge(series: Series, solved: Ensemble, used: readonly boolean[], variance: Float64Array): boolean[] {
  const { frames, stars, noiseMag } = series
  const ratio = Array.from({ length: stars }, (_, star) => {
    const noise = median(column(noiseMag, frames, stars, star))
    return solved.scatterMag[star]! / Math.hypot(noise, floorMag)
  })
  const typical = Math.max(1, median(ratio.filter((value, star) => used[star] && Number.isFinite(value))))
  for (let at = 0; at < variance.length; at++) {
    const shown = Math.max(1, ratio[at % stars]! || 1)
    variance[at] = shown * shown * (noiseMag[at]! ** 2 + floorMag ** 2)
  }
  return used.map((was, star) => was && ratio[star]! <= mostExcess * typical)
}

function clip({ frames, stars }: Series, { residualMag, scatterMag }: Ensemble, clipped: Uint8Array): void {
  for (let at = 0; at < frames * stars; at++) {
    const limit = clipSigma * Math.max(floorMag, scatterMag[at % stars]!)
    clipped[at] = Math.abs(residualMag[at]!) > limit ? 1 : 0
  }
}

/** The finite values of one star. */
export function column(values: Float64Array, frames: number, stars: number, star: number): number[] {
  const found: number[] = []
  for (let frame = 0; frame < frames; frame++) {
    const value = values[frame * stars + star]!
    if (Number.isFinite(value)) found.push(value)
  }
  return found
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
