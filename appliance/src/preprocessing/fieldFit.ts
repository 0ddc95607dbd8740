import { pixelToSky, type SipTerm, skyToPixel, type Wcs } from '../frames/wcs.ts'

/**
 * Least-squares polynomials from pixels to the projection plane, and their form as a WCS: the linear part is the CD matrix,
 * the rest SIP distortion (Shupe et al. 2005).
 */
export interface FieldFit {
  readonly bending: Bending
  /** Degree of the polynomial. */
  readonly order: 1 | 2 | 3
  /** 0-based pixel that u = v = 0 stands for. */
  readonly centre: readonly [number, number]
  /** Pixels for one unit of u and v. */
  readonly unit: number
  /** Coefficients of 1, u, v, u², uv, v², u³, … for both axes of the plane, degrees. */
  readonly xi: Float64Array
  readonly eta: Float64Array
}

/** Matched places: pixels and plane, one element for each star. */
export interface MatchedPlaces {
  readonly x: readonly number[]
  readonly y: readonly number[]
  readonly xi: readonly number[]
  readonly eta: readonly number[]
}

/** What a fit allows beside a linear map: nothing, one radial cubic term about the centre, or all terms of a degree. */
export type Bending = 'linear' | 'radial' | 'quadratic' | 'cubic'

/** Free coefficients of one axis; the radial term is shared by both. */
export const freeTermsOf: Readonly<Record<Bending, number>> = { linear: 3, radial: 3.5, quadratic: 6, cubic: 10 }

const termsOf = { 1: 3, 2: 6, 3: 10 } as const
const orderOf = { linear: 1, quadratic: 2, cubic: 3 } as const

/** Powers [p, q] of u and v, in the order of the coefficients. */
const powers: readonly (readonly [number, number])[] = [0, 1, 2, 3].flatMap((degree) =>
  Array.from({ length: degree + 1 }, (_, q) => [degree - q, q] as const),
)

function fillTerms(u: number, v: number, count: number, into: Float64Array): void {
  for (let t = 0; t < count; t++) {
    const [p, q] = powers[t]!
    into[t] = u ** p * v ** q
  }
}

/** The plane position of a pixel. */
export function planeAt(fit: FieldFit, x: number, y: number): readonly [number, number] {
  const u = (x - fit.centre[0]) / fit.unit
  const v = (y - fit.centre[1]) / fit.unit
  const count = termsOf[fit.order]
  let xi = 0
  let eta = 0
  for (let t = 0; t < count; t++) {
    const [p, q] = powers[t]!
    const term = u ** p * v ** q
    xi += fit.xi[t]! * term
    eta += fit.eta[t]! * term
  }
  return [xi, eta]
}

/** Fits both axes; undefined when the places do not determine the polynomial. */
export function fitField(
  places: MatchedPlaces,
  bending: Bending,
  centre: readonly [number, number],
  unit: number,
): FieldFit | undefined {
  if (bending === 'radial') return fitRadial(places, centre, unit)
  const order = orderOf[bending]
  const terms = termsOf[order]
  const normal = new Float64Array(terms * terms)
  const right = [new Float64Array(terms), new Float64Array(terms)] as const
  const row = new Float64Array(terms)
  for (let i = 0; i < places.x.length; i++) {
    fillTerms((places.x[i]! - centre[0]) / unit, (places.y[i]! - centre[1]) / unit, terms, row)
    addRow(normal, right[0], row, places.xi[i]!)
    for (let a = 0; a < terms; a++) right[1][a]! += row[a]! * places.eta[i]!
  }
  const factor = cholesky(normal, terms)
  if (!factor) return undefined
  return { bending, order, centre, unit, xi: backSolve(factor, right[0]), eta: backSolve(factor, right[1]) }
}

/** Adds one equation to the normal equations. */
function addRow(normal: Float64Array, right: Float64Array, row: Float64Array, value: number): void {
  const terms = row.length
  for (let a = 0; a < terms; a++) {
    for (let b = 0; b < terms; b++) normal[a * terms + b]! += row[a]! * row[b]!
    right[a]! += row[a]! * value
  }
}

/** No lens stretches its corners by more. */
const mostStretch = 0.1

/**
 * A linear map of (u, v)(1 + k (u² + v²)): what a lens does that is straight before the sensor. The product of k with the
 * slopes is made linear with those of the round before.
 */
function fitRadial(places: MatchedPlaces, centre: readonly [number, number], unit: number): FieldFit | undefined {
  let slopes = fitField(places, 'linear', centre, unit)
  let stretch = 0
  for (let round = 0; round < 3; round++) {
    const solved: Float64Array | undefined = slopes && solveRadial(places, slopes)
    if (!slopes || !solved) return undefined
    stretch = solved[6]!
    slopes = { ...slopes, xi: solved.slice(0, 3), eta: solved.slice(3, 6) }
  }
  if (!slopes || !(Math.abs(stretch) < mostStretch)) return undefined
  const { xi, eta } = slopes
  return { bending: 'radial', order: 3, centre, unit, xi: radialTerms(xi, stretch), eta: radialTerms(eta, stretch) }
}

/** Three coefficients for each axis and the stretch. */
function solveRadial(places: MatchedPlaces, { xi, eta, centre, unit }: FieldFit): Float64Array | undefined {
  const normal = new Float64Array(49)
  const right = new Float64Array(7)
  for (let i = 0; i < places.x.length; i++) {
    const u = (places.x[i]! - centre[0]) / unit
    const v = (places.y[i]! - centre[1]) / unit
    const square = u * u + v * v
    addRow(normal, right, Float64Array.of(1, u, v, 0, 0, 0, (xi[1]! * u + xi[2]! * v) * square), places.xi[i]!)
    addRow(normal, right, Float64Array.of(0, 0, 0, 1, u, v, (eta[1]! * u + eta[2]! * v) * square), places.eta[i]!)
  }
  const factor = cholesky(normal, 7)
  return factor && backSolve(factor, right)
}

/** (a u + b v)(1 + k (u² + v²)) as coefficients of a cubic. */
function radialTerms([constant = 0, a = 0, b = 0]: Float64Array, stretch: number): Float64Array {
  const [ka, kb] = [stretch * a, stretch * b]
  return Float64Array.of(constant, a, b, 0, 0, 0, ka, kb, ka, kb)
}

/** Lower triangle L with L·Lᵀ = matrix; undefined when it is not positive definite. */
export function cholesky(matrix: Float64Array, n: number): Float64Array | undefined {
  const lower = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j]!
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!
      if (i !== j) lower[i * n + j] = sum / lower[j * n + j]!
      else if (sum > 1e-9 * matrix[i * n + i]!) lower[i * n + i] = Math.sqrt(sum)
      else return undefined
    }
  }
  return lower
}

/** Solves L·Lᵀ·x = right for the lower triangle L. */
export function backSolve(lower: Float64Array, right: Float64Array): Float64Array {
  const n = right.length
  const result = right.slice()
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) result[i]! -= lower[i * n + k]! * result[k]!
    result[i]! /= lower[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) result[i]! -= lower[k * n + i]! * result[k]!
    result[i]! /= lower[i * n + i]!
  }
  return result
}

/** A plane that touches the sky at a point: plane coordinates are degrees, xi to the East and eta to the North. */
export function tangentPlane(raDeg: number, decDeg: number): Wcs {
  return { referencePixel: [0, 0], raDeg, decDeg, cd: [1, 0, 0, 1] }
}

/** Sky → plane; undefined on the far side. */
export function onPlane(plane: Wcs, raDeg: number, decDeg: number): readonly [number, number] | undefined {
  const at = skyToPixel(plane, raDeg, decDeg)
  return at && [at.x, at.y]
}

/** The plane that touches the sky where the centre of the fit lies. */
export function planeAtCentre(plane: Wcs, fit: FieldFit): Wcs {
  const sky = pixelToSky(plane, fit.xi[0]!, fit.eta[0]!)
  return tangentPlane(sky.raDeg, sky.decDeg)
}

/** The fit as a WCS with its reference pixel at the centre; the plane must touch the sky there. */
export function wcsOfFit(plane: Wcs, fit: FieldFit): Wcs {
  const cd = [fit.xi[1]!, fit.xi[2]!, fit.eta[1]!, fit.eta[2]!].map((value) => value / fit.unit) as unknown as Wcs['cd']
  const base: Wcs = { referencePixel: fit.centre, raDeg: plane.raDeg, decDeg: plane.decDeg, cd }
  if (fit.order === 1) return base
  const determinant = cd[0] * cd[3] - cd[1] * cd[2]
  const a: SipTerm[] = []
  const b: SipTerm[] = []
  for (let t = 3; t < termsOf[fit.order]; t++) {
    const [p, q] = powers[t]!
    const scale = fit.unit ** (p + q) * determinant
    if (fit.xi[t] === 0 && fit.eta[t] === 0) continue
    a.push({ p, q, value: (cd[3] * fit.xi[t]! - cd[1] * fit.eta[t]!) / scale })
    b.push({ p, q, value: (cd[0] * fit.eta[t]! - cd[2] * fit.xi[t]!) / scale })
  }
  return { ...base, sip: { a, b } }
}
