import { backSolve, cholesky } from './fieldFit.ts'
import { type LimbDarkening, transitLight } from './transitModel.ts'

/**
 * Fits a transit to a light curve: mid-time, radius ratio and duration with a straight baseline in time or airmass, by
 * Levenberg and Marquardt's method. Impact parameter and limb darkening are given: light curves of small telescopes do not
 * determine them.
 */
export interface LightCurvePoints {
  /** Days. */
  readonly time: readonly number[]
  /** Differential magnitudes. */
  readonly mag: readonly number[]
  readonly errorMag: readonly number[]
  /** What the baseline is straight in: airmass, or time. */
  readonly trend: readonly number[]
}

export interface TransitGuess {
  readonly midTime?: number
  readonly durationDays?: number
  readonly impact: number
  readonly limb: LimbDarkening
}

export interface Measured {
  readonly value: number
  readonly error: number
}

export interface TransitFit {
  readonly midTime: Measured
  readonly radiusRatio: Measured
  /** Square of the radius ratio: the share of the light that a star without limb darkening would lose. */
  readonly depth: Measured
  readonly durationDays: Measured
  /** Of the brightness outside transit: magnitude, and magnitudes per unit of the trend about its mean. */
  readonly baseline: readonly [number, number]
  readonly modelMag: readonly number[]
  /** Residuals' standard deviation, magnitudes. */
  readonly scatterMag: number
  /** χ² of the errors given ÷ degrees of freedom. */
  readonly reducedChiSquare: number
  /** How much χ² the transit saves over a straight line, in units of the reduced χ². */
  readonly significance: number
}

const leastPoints = 12
const mostSteps = 60
/** A step that gains less χ² than this moves nothing by more than a thirtieth of its error. */
const converged = 1e-3
/** Fits of permuted residuals; more say nothing new. */
const mostPermutations = 40
const durationsDays = [0.04, 0.07, 0.1, 0.14, 0.2]

type Parameters = readonly [midTime: number, radiusRatio: number, durationDays: number, level: number, slope: number]

/**
 * Undefined with fewer than 12 points or where no fit converges to a transit inside the series. Errors are the larger of
 * those of the covariance, scaled to the scatter, and those of fits to cyclically permuted residuals, which know of
 * correlated noise (Winn et al. 2008, ApJ 683, 1076, section 3).
 */
export function fitTransit(points: LightCurvePoints, guess: TransitGuess): TransitFit | undefined {
  if (points.time.length < leastPoints) return undefined
  const { impact, limb } = guess
  const meanTrend = mean(points.trend)
  const light: Light = {
    trend: points.trend.map((value) => value - meanTrend),
    dip: ([midTime, radiusRatio, durationDays], i) =>
      -2.5 * Math.log10(transitLight({ midTime, radiusRatio, durationDays, impact, limb }, points.time[i]!)),
  }
  const best = starts(points, guess)
    .map((start) => marquardt(points, light, start))
    .filter((fit) => fit !== undefined && plausible(fit.parameters, points.time))
    .sort((a, b) => a!.chiSquare - b!.chiSquare)[0]
  if (!best) return undefined
  return describe(points, light, best)
}

interface Light {
  /** About its mean. */
  readonly trend: readonly number[]
  /** Magnitudes that the transit takes at a point. */
  dip(parameters: Parameters, index: number): number
}

function magAt(light: Light, parameters: Parameters, index: number): number {
  return parameters[3] + parameters[4] * light.trend[index]! + light.dip(parameters, index)
}

interface Fit {
  readonly parameters: Parameters
  readonly chiSquare: number
  /** Of the parameters, for errors of 1 σ as given. */
  readonly covariance: Float64Array
}

/** First guesses: mid-times over the series unless one is known, depths from the points near them. */
function starts(points: LightCurvePoints, guess: TransitGuess): Parameters[] {
  const [first, last] = [Math.min(...points.time), Math.max(...points.time)]
  const times =
    guess.midTime !== undefined
      ? [guess.midTime]
      : Array.from({ length: 24 }, (_, i) => first + ((i + 0.5) / 24) * (last - first))
  const durations = guess.durationDays !== undefined ? [guess.durationDays] : durationsDays
  const tried = times.flatMap((midTime) =>
    durations.map((duration) => {
      const [inside, outside] = parted(points, midTime, duration)
      const depth = inside.length < 3 || outside.length < 3 ? 0 : mean(inside) - mean(outside)
      const gain = depth > 0 ? depth * depth * Math.min(inside.length, outside.length) : 0
      const start: Parameters = [midTime, Math.sqrt(Math.max(0.001, depth / 1.09)), duration, mean(outside) || 0, 0]
      return { start, gain }
    }),
  )
  return tried
    .sort((a, b) => b.gain - a.gain)
    .slice(0, 4)
    .map(({ start }) => start)
}

function parted({ time, mag }: LightCurvePoints, midTime: number, duration: number): [number[], number[]] {
  const [inside, outside]: [number[], number[]] = [[], []]
  mag.forEach((value, i) => {
    const away = Math.abs(time[i]! - midTime)
    if (away < 0.4 * duration) inside.push(value)
    else if (away > 0.55 * duration) outside.push(value)
  })
  return [inside, outside]
}

function plausible([midTime, radiusRatio, durationDays]: Parameters, time: readonly number[]): boolean {
  const [first, last] = [Math.min(...time), Math.max(...time)]
  return midTime > first && midTime < last && radiusRatio > 0.005 && durationDays < 2 * (last - first)
}

function marquardt(points: LightCurvePoints, light: Light, start: Parameters): Fit | undefined {
  const n = start.length
  let parameters = start
  let chiSquare = chiSquareOf(points, light, parameters)
  let damping = 1e-3
  let normal = normalOf(points, light, parameters)
  for (let step = 0; step < mostSteps; step++) {
    const damped = normal.matrix.slice()
    for (let k = 0; k < n; k++) damped[k * n + k]! *= 1 + damping
    const factor = cholesky(damped, n)
    if (!factor) return undefined
    const move = backSolve(factor, normal.right)
    const next = bounded(parameters.map((value, k) => value + move[k]!) as unknown as Parameters)
    const nextChiSquare = chiSquareOf(points, light, next)
    if (nextChiSquare < chiSquare) {
      const gained = chiSquare - nextChiSquare
      parameters = next
      chiSquare = nextChiSquare
      normal = normalOf(points, light, parameters)
      damping = Math.max(1e-9, damping / 10)
      if (gained < converged) break
    } else {
      damping *= 10
      if (damping > 1e8) break
    }
  }
  const covariance = inverse(normal.matrix, n)
  return covariance && { parameters, chiSquare, covariance }
}

function bounded([midTime, radiusRatio, durationDays, level, slope]: Parameters): Parameters {
  return [midTime, Math.min(0.7, Math.max(1e-3, radiusRatio)), Math.max(0.005, durationDays), level, slope]
}

function chiSquareOf(points: LightCurvePoints, light: Light, parameters: Parameters): number {
  return points.mag.reduce(
    (sum, value, i) => sum + ((value - magAt(light, parameters, i)) / points.errorMag[i]!) ** 2,
    0,
  )
}

/** Central differences of the transit's own parameters; steps are small beside what the data can tell. */
const steps = [2e-4, 5e-4, 4e-4] as const

function normalOf(
  points: LightCurvePoints,
  light: Light,
  parameters: Parameters,
): { readonly matrix: Float64Array; readonly right: Float64Array } {
  const n = parameters.length
  const matrix = new Float64Array(n * n)
  const right = new Float64Array(n)
  const moved = (k: number, by: number): Parameters =>
    parameters.map((value, j) => (j === k ? value + by : value)) as unknown as Parameters
  const pairs = steps.map((step, k) => [moved(k, step), moved(k, -step)] as const)
  points.mag.forEach((value, i) => {
    const weight = 1 / points.errorMag[i]! ** 2
    const rest = value - magAt(light, parameters, i)
    const dips = pairs.map(([up, down], k) => (light.dip(up, i) - light.dip(down, i)) / (2 * steps[k]!))
    const slopes = [...dips, 1, light.trend[i]!]
    slopes.forEach((a, k) => {
      right[k]! += weight * a * rest
      slopes.forEach((b, l) => {
        matrix[k * n + l]! += weight * a * b
      })
    })
  })
  return { matrix, right }
}

function inverse(matrix: Float64Array, n: number): Float64Array | undefined {
  const factor = cholesky(matrix, n)
  if (!factor) return undefined
  const result = new Float64Array(n * n)
  for (let k = 0; k < n; k++) {
    const unit = new Float64Array(n)
    unit[k] = 1
    result.set(backSolve(factor, unit), k * n)
  }
  return result
}

function describe(points: LightCurvePoints, light: Light, fit: Fit): TransitFit {
  const { parameters, chiSquare, covariance } = fit
  const n = points.mag.length
  const freedom = n - parameters.length
  const reduced = chiSquare / freedom
  const modelMag = points.mag.map((_, i) => magAt(light, parameters, i))
  const residuals = points.mag.map((value, i) => value - modelMag[i]!)
  const scaled = parameters.map((_, k) => Math.sqrt(covariance[k * (parameters.length + 1)]! * Math.max(1, reduced)))
  const permuted = permutationErrors(points, light, fit, residuals)
  const measured = (k: number): Measured => ({
    value: parameters[k]!,
    error: Math.max(scaled[k]!, permuted[k]!),
  })
  const radiusRatio = measured(1)
  return {
    midTime: measured(0),
    radiusRatio,
    depth: { value: radiusRatio.value ** 2, error: 2 * radiusRatio.value * radiusRatio.error },
    durationDays: measured(2),
    baseline: [parameters[3], parameters[4]],
    modelMag,
    scatterMag: Math.sqrt(residuals.reduce((sum, value) => sum + value * value, 0) / freedom),
    reducedChiSquare: reduced,
    significance: (straightChiSquare(points) - chiSquare) / reduced,
  }
}

/** Standard deviations of the parameters over fits to the model with its residuals moved along. */
function permutationErrors(
  points: LightCurvePoints,
  light: Light,
  { parameters }: Fit,
  residuals: readonly number[],
): number[] {
  const n = residuals.length
  const stride = Math.max(1, Math.floor(n / mostPermutations))
  const found: Parameters[] = []
  for (let by = stride; by < n; by += stride) {
    const mag = residuals.map((_, i) => magAt(light, parameters, i) + residuals[(i + by) % n]!)
    const fit = marquardt({ ...points, mag }, light, parameters)
    if (fit && plausible(fit.parameters, points.time)) found.push(fit.parameters)
  }
  return parameters.map((_, k) => {
    const values = found.map((each) => each[k]!)
    const centre = mean(values)
    return values.length < 3
      ? 0
      : Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1))
  })
}

/** χ² of the straight baseline alone. */
function straightChiSquare({ mag, errorMag, trend }: LightCurvePoints): number {
  let [s, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0]
  mag.forEach((value, i) => {
    const weight = 1 / errorMag[i]! ** 2
    const x = trend[i]!
    s += weight
    sx += weight * x
    sy += weight * value
    sxx += weight * x * x
    sxy += weight * x * value
  })
  const spread = s * sxx - sx * sx
  const slope = spread > 0 ? (s * sxy - sx * sy) / spread : 0
  const level = (sy - slope * sx) / s
  return mag.reduce((sum, value, i) => sum + ((value - level - slope * trend[i]!) / errorMag[i]!) ** 2, 0)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
