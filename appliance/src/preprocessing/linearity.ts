import { type Failure, failure } from '@nightjar/firmware-bridge/outcome.ts'
import { backSolve, cholesky } from './fieldFit.ts'

/**
 * How a camera departs from a straight line, from flats of several exposure times under a lamp that does not change
 * (Janesick, Photon Transfer, 2007, section 6.4; Newberry 1991, PASP 103, 122).
 */

export interface RampPoint {
  readonly exposureSeconds: number
  /** Above the bias. */
  readonly signalAdu: number
  /** Points of one group saw light of one brightness: a colour of a mosaic, or one lamp. */
  readonly group: number
}

export interface Linearity {
  readonly ok: true
  /** c₁ … of true = s (1 + c₁ s + c₂ s² …), s in ADU above the bias: the setting `camera.nonLinearity`. */
  readonly coefficients: readonly number[]
  /** Of the points from a straight line through zero, relative; before the correction and after. */
  readonly rmsBefore: number
  readonly rmsAfter: number
  /** The correction at the brightest point, relative: true / s − 1. */
  readonly largest: number
  /** Signals that were used, ADU. */
  readonly fromAdu: number
  readonly toAdu: number
}

/** Fewer exposure times than this beyond the degree leave nothing to check the fit by. */
const spareTimes = 2

/**
 * Fits true(s) = k·t with one k for each group, by least squares of relative deviations: Σ [1 + c₁ s + c₂ s² … − k·t/s]². The
 * slope at zero is one by definition. Fails with a reason for too few exposure times or a range of signals under 4 : 1.
 */
export function fitLinearity(points: readonly RampPoint[], degree: number): Linearity | Failure {
  const times = new Set(points.map(({ exposureSeconds }) => exposureSeconds)).size
  if (times < degree + spareTimes) {
    return failure(`flats of ${times} exposure times are too few: give at least ${degree + spareTimes}`)
  }
  const signals = points.map(({ signalAdu }) => signalAdu)
  const [fromAdu, toAdu] = [Math.min(...signals), Math.max(...signals)]
  if (!(toAdu > 4 * fromAdu) || !(fromAdu > 0)) {
    return failure(
      `the flats reach from ${Math.round(fromAdu)} to ${Math.round(toAdu)} ADU above the bias: expose from a tenth to nine tenths of the converter`,
    )
  }
  const solved = solve(points, degree, toAdu)
  const straight = solve(points, 0, toAdu)
  if (!solved || !straight) return failure('the exposure times of the flats are too much alike')
  const coefficients = Array.from({ length: degree }, (_, n) => solved.unknowns[n]! / toAdu ** (n + 1))
  return {
    ok: true,
    coefficients,
    rmsBefore: straight.rms,
    rmsAfter: solved.rms,
    largest: linearised(toAdu, coefficients) / toAdu - 1,
    fromAdu,
    toAdu,
  }
}

/** true = s (1 + c₁ s + c₂ s² …). */
export function linearised(signalAdu: number, coefficients: readonly number[]): number {
  return signalAdu * (1 + coefficients.reduce((sum, c, n) => sum + c * signalAdu ** (n + 1), 0))
}

/** Unknowns: c₁ s_max, c₂ s_max² …, then k of each group in units of the brightest point's. */
function solve(
  points: readonly RampPoint[],
  degree: number,
  scale: number,
): { readonly unknowns: Float64Array; readonly rms: number } | undefined {
  const groups = [...new Set(points.map(({ group }) => group))]
  const longest = Math.max(...points.map(({ exposureSeconds }) => exposureSeconds))
  const n = degree + groups.length
  const rows = points.map(({ exposureSeconds, signalAdu, group }) => {
    const row = new Float64Array(n)
    for (let k = 0; k < degree; k++) row[k] = (signalAdu / scale) ** (k + 1)
    row[degree + groups.indexOf(group)] = -(exposureSeconds / longest) / (signalAdu / scale)
    return row
  })
  const matrix = new Float64Array(n * n)
  const right = new Float64Array(n)
  for (const row of rows) {
    for (let i = 0; i < n; i++) {
      right[i]! -= row[i]!
      for (let j = 0; j < n; j++) matrix[i * n + j]! += row[i]! * row[j]!
    }
  }
  const factor = cholesky(matrix, n)
  if (!factor) return undefined
  const unknowns = backSolve(factor, right)
  const deviations = rows.map((row) => row.reduce((sum, value, k) => sum + value * unknowns[k]!, 1))
  const rms = Math.sqrt(deviations.reduce((sum, value) => sum + value * value, 0) / deviations.length)
  return { unknowns, rms }
}
