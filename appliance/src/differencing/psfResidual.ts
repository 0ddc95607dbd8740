import { basisOf, type Degree, type Framing, termsOf } from './psfField.ts'
import type { PolynomialPsf } from './psfModel.ts'
import type { ShapedStar } from './psfShape.ts'
import { medianInPlace, solveLinear } from './robust.ts'
import { gridSide, StampSpline } from './spline.ts'

/**
 * What clean stars leave of the model of the PSF, as a polynomial of the place at every node of the stamp's middle. What
 * noise alone could have left is shrunk to nothing, so that stars which are Moffat profiles keep a Moffat profile.
 */
export interface Residual {
  /** For each term of the polynomial, `gridSide(size, oversampling)` squared nodes, for a star of flux 1. */
  readonly terms: readonly Float64Array[]
  readonly size: number
}

export interface ResidualInput {
  readonly stars: readonly ShapedStar[]
  readonly model: PolynomialPsf
  readonly degree: Degree
  readonly framing: Framing
  readonly rmsAdu: number
  readonly perSignal: number
  readonly fwhmPixels: number
  /** What was found before; the model has it. */
  readonly before: Residual | undefined
}

interface Rest {
  readonly values: Float64Array
  readonly use: Uint8Array
  readonly dx: number
  readonly dy: number
  readonly error: number
  readonly basis: readonly number[]
}

export function measureResidual(input: ResidualInput): Residual {
  const { stars, model, degree, before } = input
  const size = stars[0]!.cut.size
  const rests = stars.map((star) => restOf(input, star)).filter((rest) => rest !== undefined)
  const nodes = gridSide(size, model.oversampling)
  const samples = gather(rests, size, model.oversampling)
  const terms = Array.from({ length: termsOf(degree) }, () => new Float64Array(nodes * nodes))
  const variances = terms.map((term) => new Float64Array(term.length).fill(Number.POSITIVE_INFINITY))
  const solver = new NodeSolver(rests, terms.length)
  const window = taper(nodes)
  for (let node = 0; node < nodes * nodes; node++) {
    if (window[node] === 0) continue
    solver.solve(samples, node)
    for (let k = 0; k < terms.length; k++) {
      terms[k]![node] = solver.solution[k]! + (before?.terms[k]?.[node] ?? 0)
      variances[k]![node] = solver.variance[k]!
    }
  }
  const reach = Math.max(1, Math.round(0.6 * input.fwhmPixels * model.oversampling))
  return { size, terms: terms.map((term, k) => shrunk(term, variances[k]!, nodes, reach, window)) }
}

/** The star placed with the model and divided by its flux, less the model. */
function restOf(input: ResidualInput, { cut, fit }: ShapedStar): Rest | undefined {
  const { model, degree, framing, rmsAdu, perSignal, fwhmPixels } = input
  const spline = model.splineAt(cut.cx, cut.cy)
  const { size, data, use } = cut
  const half = (size - 1) / 2
  let [dx, dy, flux] = [fit.x, fit.y, 0]
  const matrix = new Float64Array(9)
  const right = new Float64Array(3)
  const reach = Math.min(half, Math.ceil(1.6 * fwhmPixels))
  const side = 2 * reach + 1
  for (let step = 0; step < 3; step++) {
    const { value, byX, byY } = spline.window(dx, dy, reach)
    matrix.fill(0)
    right.fill(0)
    for (let j = 0; j < side; j++) {
      for (let i = 0; i < side; i++) {
        const at = (j + half - reach) * size + i + half - reach
        if (use[at] === 0) continue
        const m = j * side + i
        const v = value[m]!
        const gx = byX[m]!
        const gy = byY[m]!
        const d = data[at]!
        const w = 1 / (rmsAdu * rmsAdu + perSignal * Math.max(0, flux * v) + 1e-6 * flux * flux * v * v)
        matrix[0]! += w * v * v
        matrix[1]! += w * v * gx
        matrix[2]! += w * v * gy
        matrix[4]! += w * gx * gx
        matrix[5]! += w * gx * gy
        matrix[8]! += w * gy * gy
        right[0]! += w * v * d
        right[1]! += w * gx * d
        right[2]! += w * gy * d
      }
    }
    matrix[3] = matrix[1]!
    matrix[6] = matrix[2]!
    matrix[7] = matrix[5]!
    const solved = solveLinear(matrix, right)
    if (!solved || !(solved[0]! > 0)) return undefined
    flux = solved[0]!
    dx += limit(solved[1]! / flux)
    dy += limit(solved[2]! / flux)
  }
  if (Math.hypot(dx - fit.x, dy - fit.y) > 1) return undefined
  const { value } = spline.window(dx, dy, half)
  const values = new Float64Array(data.length)
  let [square, core] = [0, 0]
  for (let k = 0; k < values.length; k++) {
    if (use[k] === 0) continue
    values[k] = data[k]! / flux - value[k]!
    const [i, j] = [(k % size) - half, Math.floor(k / size) - half]
    if (i * i + j * j > reach * reach) continue
    square += values[k]! ** 2
    core++
  }
  const error = Math.hypot(Math.sqrt(square / Math.max(1, core)), rmsAdu / flux, 0.002 * value[(size * size - 1) / 2]!)
  return { values, use, dx, dy, error, basis: basisOf(degree, ...framing(cut.cx, cut.cy)) }
}

function limit(move: number): number {
  return Math.max(-0.5, Math.min(0.5, move))
}

/** What the stars say about each node: samples `start[node]` to `start[node + 1]`. */
interface Samples {
  readonly start: Int32Array
  readonly star: Int32Array
  readonly value: Float64Array
}

/** With one node a pixel the rest is moved to the middle by the spline; with more each pixel counts for the nearest node. */
function gather(rests: readonly Rest[], size: number, oversampling: number): Samples {
  const nodes = gridSide(size, oversampling)
  const most = rests.length * size * size
  const node = new Int32Array(most)
  const star = new Int32Array(most)
  const value = new Float64Array(most)
  let count = 0
  rests.forEach((rest, index) => {
    const moved = oversampling === 1
    const { values } = rest
    const read = moved ? new StampSpline(values, size).window(-rest.dx, -rest.dy, (size - 1) / 2).value : values
    for (let k = 0; k < read.length; k++) {
      if (rest.use[k] === 0) continue
      const i = moved ? k % size : Math.round(oversampling * ((k % size) - rest.dx))
      const j = moved ? Math.floor(k / size) : Math.round(oversampling * (Math.floor(k / size) - rest.dy))
      if (i < 0 || j < 0 || i >= nodes || j >= nodes) continue
      node[count] = j * nodes + i
      star[count] = index
      value[count++] = read[k]!
    }
  })
  const start = new Int32Array(nodes * nodes + 1)
  for (let k = 0; k < count; k++) start[node[k]! + 1]!++
  for (let k = 0; k < nodes * nodes; k++) start[k + 1]! += start[k]!
  const next = start.slice()
  const sorted = { start, star: new Int32Array(count), value: new Float64Array(count) }
  for (let k = 0; k < count; k++) {
    const to = next[node[k]!]!++
    sorted.star[to] = star[k]!
    sorted.value[to] = value[k]!
  }
  return sorted
}

/** Weighted least squares of one node's samples, without those 3.5 sigma from their median. */
class NodeSolver {
  readonly solution: Float64Array
  readonly variance: Float64Array
  readonly #basis: Float64Array
  readonly #error: Float64Array
  readonly #terms: number
  readonly #scratch: Float64Array

  constructor(rests: readonly Rest[], terms: number) {
    this.#terms = terms
    this.#basis = Float64Array.from(rests.flatMap((rest) => rest.basis))
    this.#error = Float64Array.from(rests.map((rest) => rest.error))
    this.#scratch = new Float64Array(16 * Math.max(1, rests.length))
    this.solution = new Float64Array(terms)
    this.variance = new Float64Array(terms)
  }

  solve({ start, star, value }: Samples, node: number): void {
    const n = this.#terms
    this.solution.fill(0)
    this.variance.fill(Number.POSITIVE_INFINITY)
    const [from, to] = [start[node]!, start[node + 1]!]
    const count = to - from
    if (count < 2 * n || count > this.#scratch.length) return
    const scratch = this.#scratch
    for (let k = 0; k < count; k++) scratch[k] = value[from + k]!
    const centre = medianInPlace(scratch, count)
    for (let k = 0; k < count; k++) scratch[k] = Math.abs(value[from + k]! - centre) / this.#error[star[from + k]!]!
    const limit = Math.max(1e-300, 3.5 * 1.4826 * medianInPlace(scratch, count))
    const matrix = new Float64Array(n * n)
    const right = new Float64Array(n)
    let [square, kept] = [0, 0]
    for (let k = from; k < to; k++) {
      const error = this.#error[star[k]!]!
      if (Math.abs(value[k]! - centre) > limit * error) continue
      const w = 1 / (error * error)
      const base = star[k]! * n
      for (let i = 0; i < n; i++) {
        const scaled = w * this.#basis[base + i]!
        right[i]! += scaled * value[k]!
        for (let j = 0; j <= i; j++) matrix[i * n + j]! += scaled * this.#basis[base + j]!
      }
      square += w * value[k]! ** 2
      kept++
    }
    if (kept < 2 * n) return
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) matrix[i * n + j] = matrix[j * n + i]!
    const diagonal = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]!)
    const solved = solveLinear(matrix, right.slice())
    if (!solved) return
    let explained = 0
    for (let i = 0; i < n; i++) explained += solved[i]! * right[i]!
    const perWeight = Math.max(0, square - explained) / (kept - n)
    for (let i = 0; i < n; i++) {
      this.solution[i] = solved[i]!
      this.variance[i] = Math.max(1e-300, perWeight / diagonal[i]!)
    }
  }
}

/** 1 within 0.75 of the radius, falling to 0 at the radius. */
function taper(nodes: number): Float64Array {
  const half = (nodes - 1) / 2
  return Float64Array.from({ length: nodes * nodes }, (_, k) => {
    const r = Math.hypot((k % nodes) - half, Math.floor(k / nodes) - half) / (half + 0.5)
    if (r >= 1) return 0
    return r < 0.75 ? 1 : Math.cos((r - 0.75) * 2 * Math.PI) ** 2
  })
}

/** Noise alone leaves a mean squared pull of 1 in a neighbourhood; what is not above this is taken for noise. */
const noiseAllowance = 1.25

/** Each node times 1 − 1.25/S, S being the mean squared pull of the nodes around it (James & Stein 1961); 0 below. */
function shrunk(
  term: Float64Array,
  variance: Float64Array,
  nodes: number,
  reach: number,
  window: Float64Array,
): Float64Array {
  const pull = term.map((v, k) => (variance[k]! < Number.POSITIVE_INFINITY ? (v * v) / variance[k]! : 0))
  const mean = boxMean(boxMean(pull, nodes, reach, 1), nodes, reach, nodes)
  return term.map((v, k) => v * window[k]! * Math.max(0, 1 - noiseAllowance / Math.max(1e-300, mean[k]!)))
}

/** Mean over ± reach along rows (`step` 1) or columns (`step` = nodes). */
function boxMean(values: Float64Array, nodes: number, reach: number, step: number): Float64Array {
  const out = new Float64Array(values.length)
  for (let line = 0; line < nodes; line++) {
    const base = step === 1 ? line * nodes : line
    for (let k = 0; k < nodes; k++) {
      const [from, to] = [Math.max(0, k - reach), Math.min(nodes - 1, k + reach)]
      let sum = 0
      for (let i = from; i <= to; i++) sum += values[base + i * step]!
      out[base + k * step] = sum / (to - from + 1)
    }
  }
  return out
}
