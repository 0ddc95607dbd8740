import type { Compute } from '../frames/compute.ts'

/** The analytic PSF used when there are too few stars for an empirical one, and as the start of the empirical one. */
export interface MoffatShape {
  /** Of the geometric mean of both axes. */
  readonly fwhmPixels: number
  /** Ellipticity along x and along the diagonal: e = (a − b)/(a + b) = hypot(e1, e2). */
  readonly e1: number
  readonly e2: number
  readonly beta: number
}

/** Points and weights of the Gauss-Legendre rules with two, three and four points over (−½, ½). */
const rules: Readonly<Record<2 | 3 | 4, readonly (readonly [number, number])[]>> = {
  2: symmetric([[0.28867513459481287, 0.5]]),
  3: [[0, 4 / 9], ...symmetric([[0.3872983346207417, 5 / 18]])],
  4: symmetric([
    [0.16999052179242816, 0.3260725774312731],
    [0.4305681557970263, 0.1739274225687269],
  ]),
}

function symmetric(half: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  return half.flatMap(([x, w]) => [[-x, w] as const, [x, w] as const])
}

/** For each rule, x, y and weight of every point over a pixel's area. */
export const pixelPoints: Readonly<Record<2 | 3 | 4, Float64Array>> = {
  2: grid(rules[2]),
  3: grid(rules[3]),
  4: grid(rules[4]),
}

function grid(rule: readonly (readonly [number, number])[]): Float64Array {
  return Float64Array.from(rule.flatMap(([y, wy]) => rule.flatMap(([x, wx]) => [x, y, wx * wy])))
}

/** (1 + a X² + 2 b X Y + c Y²)^−β: the profile as its exponents are fitted. */
export interface MoffatForm {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly beta: number
}

function alphaPerFwhm(beta: number): number {
  return 1 / (2 * Math.sqrt(2 ** (1 / beta) - 1))
}

export function formOf({ fwhmPixels, e1, e2, beta }: MoffatShape): MoffatForm {
  const e = Math.min(0.6, Math.hypot(e1, e2))
  const [c2, s2] = e > 0 ? [e1 / Math.hypot(e1, e2), e2 / Math.hypot(e1, e2)] : [1, 0]
  const wide = (1 + e) / (1 - e)
  const scale = (fwhmPixels * alphaPerFwhm(beta)) ** -2
  const mean = (scale * (1 / wide + wide)) / 2
  const half = (scale * (1 / wide - wide)) / 2
  return { a: mean + half * c2, b: half * s2, c: mean - half * c2, beta }
}

/** The inverse of `formOf`; undefined where a, b and c describe no ellipse. */
export function shapeOf({ a, b, c, beta }: MoffatForm): MoffatShape | undefined {
  const square = a * c - b * b
  if (!(square > 0 && a > 0)) return undefined
  const scale = Math.sqrt(square)
  const mean = (a + c) / 2 / scale
  const wide = mean + Math.sqrt(Math.max(0, mean * mean - 1))
  const e = (wide - 1) / (wide + 1)
  const length = Math.hypot((a - c) / 2, b)
  const [c2, s2] = length > 0 ? [(c - a) / 2 / length, -b / length] : [1, 0]
  return { fwhmPixels: 1 / (Math.sqrt(scale) * alphaPerFwhm(beta)), e1: e * c2, e2: e * s2, beta }
}

/** ∫ of the profile over the plane. */
export function moffatVolume({ a, b, c, beta }: MoffatForm): number {
  return Math.PI / ((beta - 1) * Math.sqrt(a * c - b * b))
}

/**
 * A stamp of `size` × `size` pixels centred on its middle one, each integrated over its area; with `oversampling` nodes a
 * pixel instead of one (see `gridSide`). Not normalised: 1 at the centre without the integration.
 */
export function moffatStamp(shape: MoffatShape, size: number, oversampling = 1): Float64Array {
  const n = oversampling * (size - 1) + 1
  const out = new Float64Array(n * n)
  const half = (size - 1) / 2
  const form = formOf(shape)
  const near = nearOf(shape)
  for (let j = 0; j < n; j++) {
    const y = j / oversampling - half
    for (let i = 0; i < n; i++) {
      const x = i / oversampling - half
      out[j * n + i] = overPixel(form, x, y, x * x + y * y < near ? pixelPoints[4] : pixelPoints[2])
    }
  }
  return out
}

/** Float64 words of a shape (kernels/assembly/moffat.ts). */
const shapeWords = 8

/** As `moffatStamp`, of many shapes; right to a millionth of the peak. */
export function moffatStamps(
  compute: Compute,
  shapes: readonly MoffatShape[],
  size: number,
  oversampling: number,
): readonly Float32Array[] {
  using _scratch = compute.scope()
  const n = oversampling * (size - 1) + 1
  const table = compute.allocate(8 * shapeWords * shapes.length)
  const words = new Float64Array(compute.memory.buffer, table, shapeWords * shapes.length)
  shapes.forEach((shape, k) => {
    const { a, b, c, beta } = formOf(shape)
    words.set([a, b, c, beta, nearOf(shape)], shapeWords * k)
  })
  const out = compute.allocate(4 * n * n * shapes.length)
  compute.rows('moffatStamps', shapes.length, [table, out, n, oversampling])
  return shapes.map((_, k) => new Float32Array(compute.memory.buffer, out + 4 * n * n * k, n * n).slice())
}

/** Squared radius within which a pixel needs four points along each side. */
function nearOf({ fwhmPixels }: MoffatShape): number {
  return (2.5 * fwhmPixels) ** 2
}

function overPixel({ a, b, c, beta }: MoffatForm, x: number, y: number, points: Float64Array): number {
  let sum = 0
  for (let k = 0; k < points.length; k += 3) {
    const px = x + points[k]!
    const py = y + points[k + 1]!
    sum += points[k + 2]! * Math.exp(-beta * Math.log(1 + a * px * px + 2 * b * px * py + c * py * py))
  }
  return sum
}
