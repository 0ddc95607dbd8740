import { basisOf, type Degree, type Framing } from './psfField.ts'
import { gridSide, StampSpline, splineCoefficients } from './spline.ts'

/** Divides the stamp by its sum, in place. */
function normalised(stamp: Float64Array): Float64Array {
  let sum = 0
  for (let i = 0; i < stamp.length; i++) sum += stamp[i]!
  const share = 1 / sum
  for (let i = 0; i < stamp.length; i++) stamp[i] = stamp[i]! * share
  return stamp
}

/** The frame is divided into cells × cells; within each one spline serves. */
const cells = 16

/** A PSF whose nodes (`oversampling` of them a pixel) are polynomials of the place. */
export class PolynomialPsf {
  readonly size: number
  readonly oversampling: number
  readonly #degree: Degree | 3
  readonly #framing: Framing
  /** Of the spline through each term's nodes. */
  readonly coefficients: readonly Float64Array[]
  readonly #kept = new Map<number, StampSpline>()
  /** Each term on the centres of pixels, and its sum there. */
  readonly #pixels: readonly Float64Array[]
  readonly #sums: readonly number[]
  #core = 0
  #coreCoefficients: readonly Float64Array[] = []
  readonly #keptCores = new Map<number, StampSpline>()

  constructor(
    terms: readonly Float64Array[],
    degree: Degree | 3,
    framing: Framing,
    size: number,
    oversampling: number,
  ) {
    this.#degree = degree
    this.#framing = framing
    this.size = size
    this.oversampling = oversampling
    const side = gridSide(size, oversampling)
    this.coefficients = terms.map((term) => splineCoefficients(term, side))
    this.#pixels = terms.map((term) => onPixels(term, size, oversampling))
    this.#sums = this.#pixels.map((pixels) => pixels.reduce((sum, value) => sum + value, 0))
  }

  /** float64, size × size, sums to 1. */
  stampAt(x: number, y: number): Float64Array {
    return normalised(combined(this.#pixels, this.basisAt(x, y)))
  }

  /** `stampAt` of the PSF moved by (dx, dy) pixels: its terms are moved once for all places. */
  movedBy(dx: number, dy: number): (x: number, y: number) => Float64Array {
    const { size, oversampling } = this
    const moved = this.coefficients.map((term) => new StampSpline(term, size, oversampling, true).shifted(dx, dy).value)
    return (x, y) => normalised(combined(moved, this.basisAt(x, y)))
  }

  /** What the terms are multiplied with at a place in the frame. */
  basisAt(x: number, y: number): readonly number[] {
    return basisOf(this.#degree, ...this.#framing(x, y))
  }

  /** Of the same sum as `stampAt`: fluxes fitted with it are those of the whole PSF. */
  splineAt(x: number, y: number): StampSpline {
    return this.#splineOf(x, y, this.coefficients, this.size, this.#kept)
  }

  /**
   * As `splineAt`, for fits that stay within `reach` pixels of the middle: a stamp of the core alone, which is a tenth of the
   * work where hundreds of stars each lie in a cell of their own.
   */
  coreAt(x: number, y: number, reach: number): StampSpline {
    const size = 2 * (Math.ceil(reach) + coreMargin) + 1
    if (size >= this.size) return this.splineAt(x, y)
    if (size !== this.#core) {
      this.#core = size
      this.#keptCores.clear()
      this.#coreCoefficients = this.coefficients.map((term) => middleOf(term, this.size, size, this.oversampling))
    }
    return this.#splineOf(x, y, this.#coreCoefficients, size, this.#keptCores)
  }

  #splineOf(
    x: number,
    y: number,
    coefficients: readonly Float64Array[],
    size: number,
    kept: Map<number, StampSpline>,
  ): StampSpline {
    const [u, v] = this.#framing(x, y)
    const cell = (t: number): number => Math.max(0, Math.min(cells - 1, Math.floor(((t + 1) / 2) * cells)))
    const key = this.#degree === 0 ? 0 : cell(v) * cells + cell(u)
    const known = kept.get(key)
    if (known) return known
    const middle = (index: number): number => (2 * (index + 0.5)) / cells - 1
    const basis = basisOf(this.#degree, middle(cell(u)), middle(cell(v)))
    const share = 1 / basis.reduce((sum, factor, k) => sum + factor * this.#sums[k]!, 0)
    const nodes = combined(
      coefficients,
      basis.map((factor) => factor * share),
    )
    const spline = new StampSpline(nodes, size, this.oversampling, true)
    kept.set(key, spline)
    return spline
  }
}

/** The spline reaches three nodes further than a pixel, and a fit moves by 1.5 px. */
const coreMargin = 5

/** The nodes over the middle `core` pixels of a stamp of `size`. */
export function middleOf(nodes: Float64Array, size: number, core: number, oversampling: number): Float64Array {
  const [outer, inner] = [gridSide(size, oversampling), gridSide(core, oversampling)]
  const edge = (outer - inner) / 2
  const out = new Float64Array(inner * inner)
  for (let j = 0; j < inner; j++)
    out.set(nodes.subarray((j + edge) * outer + edge, (j + edge) * outer + edge + inner), j * inner)
  return out
}

/** The nodes on the centres of pixels. */
function onPixels(nodes: Float64Array, size: number, oversampling: number): Float64Array {
  const side = gridSide(size, oversampling)
  const stamp = new Float64Array(size * size)
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) stamp[j * size + i] = nodes[oversampling * (j * side + i)]!
  return stamp
}

function combined(terms: readonly Float64Array[], basis: readonly number[]): Float64Array {
  const out = new Float64Array(terms[0]!.length)
  for (let k = 0; k < terms.length; k++) add(out, terms[k]!, basis[k]!)
  return out
}

function add(out: Float64Array, term: Float64Array, factor: number): void {
  for (let i = 0; i < out.length; i++) out[i] = out[i]! + factor * term[i]!
}
