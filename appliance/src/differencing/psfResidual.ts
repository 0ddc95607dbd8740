import type { Compute } from '../frames/compute.ts'
import type { Cuts } from './psfCuts.ts'
import { type Degree, termsOf } from './psfField.ts'
import type { PolynomialPsf } from './psfModel.ts'
import type { ShapedStar } from './psfShape.ts'
import { gridSide, mirrored } from './spline.ts'

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
  readonly cuts: Cuts
  readonly stars: readonly ShapedStar[]
  readonly model: PolynomialPsf
  readonly degree: Degree
  readonly rmsAdu: number
  readonly perSignal: number
  readonly fwhmPixels: number
  /** What was found before; the model has it. */
  readonly before: Residual | undefined
}

/** Float64 words of a star, and the first of its basis and that of its cut among them (kernels/assembly/psf.ts). */
const starWords = 16
const basisWord = 4
const cutWord = 15

export function measureResidual(compute: Compute, input: ResidualInput): Residual {
  using _scratch = compute.scope()
  const { model, degree, before, cuts } = input
  const nodes = gridSide(cuts.size, model.oversampling)
  const window = taper(nodes)
  const terms = solveNodes(compute, restsOf(compute, input, nodes), nodes, termsOf(degree), window)
  const reach = Math.max(1, Math.round(0.6 * input.fwhmPixels * model.oversampling))
  const whole = terms.map(({ values, variances }, k) => {
    const known = before?.terms[k]
    const sum = known ? values.map((value, node) => value + known[node]!) : values
    return shrunk(sum, variances, nodes, reach, window)
  })
  return { size: cuts.size, terms: whole }
}

/** What the stars say about the nodes, in the compute's memory: a float32 for each of `stars` at every node. */
interface Rests {
  readonly stars: number
  readonly table: number
  readonly samples: number
}

/** Each star placed with the model and divided by its flux, less the model. */
function restsOf(compute: Compute, input: ResidualInput, nodes: number): Rests {
  const { stars, model, cuts, rmsAdu, perSignal, fwhmPixels } = input
  const { size } = cuts
  const table = compute.allocate(8 * starWords * stars.length)
  const words = new Float64Array(compute.memory.buffer, table, starWords * stars.length).fill(0)
  stars.forEach(({ cut, fit }, k) => {
    words.set([fit.x, fit.y], k * starWords)
    words.set(model.basisAt(cut.cx, cut.cy), k * starWords + basisWord)
    words[k * starWords + cutWord] = cut.index
  })
  const terms = layTerms(compute, model, nodes)
  const samples = compute.allocate(4 * nodes * nodes * stars.length)
  const reach = Math.min((size - 1) / 2, Math.ceil(1.6 * fwhmPixels))
  const bytes = terms.bytes + 8 * terms.phase * model.oversampling + restBytes(size)
  compute.rows('psfRests', stars.length, [
    ...[stars.length, table, cuts.pixels, cuts.use, size, terms.pointer, terms.count, terms.bytes, terms.phase],
    ...[model.oversampling, terms.pad, reach, rmsAdu, perSignal, samples],
    ...[compute.allocate(compute.threads * bytes), bytes],
  ])
  return { stars: stars.length, table, samples }
}

/** Windows with their slopes, a rest and its own coefficients. */
function restBytes(size: number): number {
  const line = upToFour(size + 24)
  return 8 * Math.ceil((12 * (upToFour(size) * size + 4) + 8 * size * size + 4 * line * (size + 24) + 1024) / 8)
}

function upToFour(n: number): number {
  return 4 * Math.ceil(n / 4)
}

/** The model's coefficients with a mirrored rim, nodes of one phase within a pixel after another in each row. */
function layTerms(compute: Compute, model: PolynomialPsf, nodes: number) {
  const { oversampling, coefficients } = model
  // A star moves by at most 3.5 px, and the spline reaches three nodes further.
  const pad = 4 * oversampling + 4
  const side = nodes + 2 * pad
  const phase = upToFour(Math.ceil(side / oversampling) + 4)
  const row = phase * oversampling
  const bytes = 4 * row * side
  const pointer = compute.allocate(bytes * coefficients.length)
  const from = Int32Array.from({ length: side }, (_, k) => mirrored(k - pad, nodes))
  const to = Int32Array.from({ length: side }, (_, k) => (k % oversampling) * phase + Math.floor(k / oversampling))
  coefficients.forEach((term, k) => {
    const out = new Float32Array(compute.memory.buffer, pointer + bytes * k, row * side).fill(0)
    for (let j = 0; j < side; j++)
      for (let i = 0; i < side; i++) out[j * row + to[i]!] = term[from[j]! * nodes + from[i]!]!
  })
  return { pointer, bytes, phase, pad, count: coefficients.length }
}

/** At every node, each term's value and its variance; 0 and infinite where too few stars say anything. */
function solveNodes(
  compute: Compute,
  { stars, table, samples }: Rests,
  nodes: number,
  terms: number,
  window: Float64Array,
): readonly { readonly values: Float64Array; readonly variances: Float64Array }[] {
  const area = nodes * nodes
  const [at, values, variances] = [8 * area, 8 * area * terms, 8 * area * terms].map((bytes) => compute.allocate(bytes))
  const view = (pointer: number, k: number): Float64Array =>
    new Float64Array(compute.memory.buffer, pointer + 8 * area * k, area)
  view(at!, 0).set(window)
  const bytes = 8 * (stars + terms * (terms + 3))
  const scratch = compute.allocate(compute.threads * bytes)
  compute.rows('psfNodes', nodes, [...[nodes, stars, table, samples, terms, at!, values!, variances!, scratch, bytes]])
  return Array.from({ length: terms }, (_, k) => ({ values: view(values!, k), variances: view(variances!, k) }))
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
