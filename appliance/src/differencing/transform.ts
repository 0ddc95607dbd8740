import { solveLinear } from './robust.ts'

/**
 * A map from pixels of one frame to pixels of another: two polynomials of order 1 to 3 in u = (x − centreX)/scale,
 * v = (y − centreY)/scale. `x` and `y` hold ten coefficients each, of 1, u, v, u², uv, v², u³, u²v, uv², v³ (unused ones
 * are 0). Both frames count pixels from 0, with (0, 0) the centre of the first.
 */
export interface PixelTransform {
  readonly order: 1 | 2 | 3
  readonly centreX: number
  readonly centreY: number
  readonly scale: number
  readonly x: readonly number[]
  readonly y: readonly number[]
  /** What the polynomials leave: a thin-plate spline that is added to them. */
  readonly bend?: Bend
}

/** Σ w·r² log r² over control points in (u, v), and a plane. */
export interface Bend {
  readonly u: readonly number[]
  readonly v: readonly number[]
  /** One weight for each control point, then those of 1, u and v. */
  readonly x: readonly number[]
  readonly y: readonly number[]
}

export interface PointPair {
  readonly fromX: number
  readonly fromY: number
  readonly toX: number
  readonly toY: number
  readonly weight: number
}

const termsOfOrder = { 1: 3, 2: 6, 3: 10 } as const

function terms(u: number, v: number): readonly number[] {
  return [1, u, v, u * u, u * v, v * v, u * u * u, u * u * v, u * v * v, v * v * v]
}

/** x' = m[0] + m[1]·x + m[2]·y, y' = m[3] + m[4]·x + m[5]·y, in pixels. */
export function affine(m: readonly [number, number, number, number, number, number]): PixelTransform {
  const rest = [0, 0, 0, 0, 0, 0, 0]
  return { order: 1, centreX: 0, centreY: 0, scale: 1, x: [m[0], m[1], m[2], ...rest], y: [m[3], m[4], m[5], ...rest] }
}

export const identity: PixelTransform = affine([0, 1, 0, 0, 0, 1])

export function applyTransform(t: PixelTransform, x: number, y: number): [number, number] {
  const u = (x - t.centreX) / t.scale
  const v = (y - t.centreY) / t.scale
  let [toX, toY] = t.bend ? bendOf(t.bend, u, v) : [0, 0]
  if (t.order === 1) return [toX + t.x[0]! + t.x[1]! * u + t.x[2]! * v, toY + t.y[0]! + t.y[1]! * u + t.y[2]! * v]
  const basis = terms(u, v)
  for (let k = 0; k < 10; k++) {
    toX += t.x[k]! * basis[k]!
    toY += t.y[k]! * basis[k]!
  }
  return [toX, toY]
}

/** What the thin-plate spline adds at a pixel; zeros without one. */
export function bendAt(t: PixelTransform, x: number, y: number): [number, number] {
  return t.bend ? bendOf(t.bend, (x - t.centreX) / t.scale, (y - t.centreY) / t.scale) : [0, 0]
}

function bendOf(bend: Bend, u: number, v: number): [number, number] {
  const n = bend.u.length
  let x = bend.x[n]! + bend.x[n + 1]! * u + bend.x[n + 2]! * v
  let y = bend.y[n]! + bend.y[n + 1]! * u + bend.y[n + 2]! * v
  for (let k = 0; k < n; k++) {
    const radial = thinPlate((u - bend.u[k]!) ** 2 + (v - bend.v[k]!) ** 2)
    x += bend.x[k]! * radial
    y += bend.y[k]! * radial
  }
  return [x, y]
}

/** r² log r² of a squared distance (Bookstein 1989, eq. 1; Duchon 1977). */
export function thinPlate(squared: number): number {
  return squared > 0 ? squared * Math.log(squared) : 0
}

/** [dx'/dx, dx'/dy, dy'/dx, dy'/dy] at a pixel. */
export function jacobian(t: PixelTransform, x: number, y: number): [number, number, number, number] {
  const u = (x - t.centreX) / t.scale
  const v = (y - t.centreY) / t.scale
  const alongU = (c: readonly number[]): number =>
    (c[1]! + 2 * c[3]! * u + c[4]! * v + 3 * c[6]! * u * u + 2 * c[7]! * u * v + c[8]! * v * v) / t.scale
  const alongV = (c: readonly number[]): number =>
    (c[2]! + c[4]! * u + 2 * c[5]! * v + c[7]! * u * u + 2 * c[8]! * u * v + 3 * c[9]! * v * v) / t.scale
  const slopes = [alongU(t.x), alongV(t.x), alongU(t.y), alongV(t.y)] as [number, number, number, number]
  return t.bend ? addSlopes(slopes, t.bend, u, v, t.scale) : slopes
}

function addSlopes(
  slopes: [number, number, number, number],
  bend: Bend,
  u: number,
  v: number,
  scale: number,
): [number, number, number, number] {
  const n = bend.u.length
  const more = [bend.x[n + 1]!, bend.x[n + 2]!, bend.y[n + 1]!, bend.y[n + 2]!]
  for (let k = 0; k < n; k++) {
    const [du, dv] = [u - bend.u[k]!, v - bend.v[k]!]
    const squared = du * du + dv * dv
    if (squared === 0) continue
    const steepness = 2 * (Math.log(squared) + 1)
    more[0]! += bend.x[k]! * steepness * du
    more[1]! += bend.x[k]! * steepness * dv
    more[2]! += bend.y[k]! * steepness * du
    more[3]! += bend.y[k]! * steepness * dv
  }
  return slopes.map((slope, k) => slope + more[k]! / scale) as [number, number, number, number]
}

/** The source pixel that `t` maps to (x, y), by Newton's method; exact for an affine map. */
export function invertAt(t: PixelTransform, x: number, y: number): [number, number] {
  let [atX, atY] = [t.centreX, t.centreY]
  for (let step = 0; step < 12; step++) {
    const [gotX, gotY] = applyTransform(t, atX, atY)
    const [a, b, c, d] = jacobian(t, atX, atY)
    const determinant = a * d - b * c
    const moveX = (d * (x - gotX) - b * (y - gotY)) / determinant
    const moveY = (a * (y - gotY) - c * (x - gotX)) / determinant
    atX += moveX
    atY += moveY
    if (Math.abs(moveX) + Math.abs(moveY) < 1e-7) break
  }
  return [atX, atY]
}

/** +1 when the map keeps handedness, −1 when it mirrors. */
export function parityOf(t: PixelTransform): 1 | -1 {
  const [a, b, c, d] = jacobian(t, t.centreX, t.centreY)
  return a * d - b * c < 0 ? -1 : 1
}

/** Weighted least squares over pairs; undefined when there are too few or they lie on a line. */
export function fitTransform(pairs: readonly PointPair[], order: 1 | 2 | 3): PixelTransform | undefined {
  const n = termsOfOrder[order]
  if (pairs.length < n) return undefined
  const { centreX, centreY, scale } = spread(pairs)
  const matrix = new Float64Array(n * n)
  const rightX = new Float64Array(n)
  const rightY = new Float64Array(n)
  for (const pair of pairs) {
    const basis = terms((pair.fromX - centreX) / scale, (pair.fromY - centreY) / scale)
    for (let i = 0; i < n; i++) {
      const weighted = basis[i]! * pair.weight
      rightX[i]! += weighted * pair.toX
      rightY[i]! += weighted * pair.toY
      for (let j = 0; j < n; j++) matrix[i * n + j]! += weighted * basis[j]!
    }
  }
  const x = solveLinear(matrix.slice(), rightX)
  const y = solveLinear(matrix, rightY)
  if (!x || !y) return undefined
  const padded = (c: Float64Array): number[] => Array.from({ length: 10 }, (_, k) => c[k] ?? 0)
  return { order, centreX, centreY, scale, x: padded(x), y: padded(y) }
}

function spread(pairs: readonly PointPair[]): { centreX: number; centreY: number; scale: number } {
  let [lowX, highX, lowY, highY] = [Infinity, -Infinity, Infinity, -Infinity]
  for (const { fromX, fromY } of pairs) {
    lowX = Math.min(lowX, fromX)
    highX = Math.max(highX, fromX)
    lowY = Math.min(lowY, fromY)
    highY = Math.max(highY, fromY)
  }
  return {
    centreX: (lowX + highX) / 2,
    centreY: (lowY + highY) / 2,
    scale: Math.max(1, (highX - lowX) / 2, (highY - lowY) / 2),
  }
}

/** `t` followed by a shift of its result. */
export function shifted(t: PixelTransform, dx: number, dy: number): PixelTransform {
  return { ...t, x: [t.x[0]! + dx, ...t.x.slice(1)], y: [t.y[0]! + dy, ...t.y.slice(1)] }
}
