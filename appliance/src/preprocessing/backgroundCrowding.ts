import type { Compute } from '../frames/compute.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'

/**
 * Sky and noise where so many stars are faint that no pixel is without their light: there the deviation about the level also
 * holds that light, and the mode is too high. Both are set right from the noise of a pixel, which differences of pixels tell
 * (`meshNoise` of the kernels), cell by cell and only as far as crowding goes.
 */
export interface Cells {
  readonly columns: number
  readonly rows: number
  readonly level: Float64Array
  readonly rms: Float64Array
}

export interface CellSource {
  readonly science: Plane
  readonly mask: MaskPlane | undefined
  /** Of pixels that do not count. */
  readonly bits: number
  readonly meshPixels: number
}

/** Deviation over noise: below the first a cell is not crowded, from the second on it is. */
const crowded = [1.03, 1.06] as const
/** A frame is looked at closely when it passes the first everywhere, or the second somewhere. */
const suspicious = [1.03, 1.2] as const
/** Noise of neighbours over that of pixels 2 px apart: white noise lies between; a mosaic of colours is above, resampled noise below. */
const white = [0.97, 1.04] as const
/** Skewness of the quantiles, 0.862 of a Gaussian: from the first to the second the level follows the stars' light. */
const skewed = [0.92, 0.98] as const
const fractions = [0.16, 0.4, 0.65] as const
/** Pixels 2 px apart: what resampling leaves of their correlation is below 6 %. */
const farLag = 2
/** Rows between those that are looked at, in frames of many cells and of few. */
const coarseRows = { many: 16, few: 2 } as const
const closeRows = { many: 8, few: 2 } as const
const manyCells = 256

/** Noise of one pixel in each cell; NaN where there are too few pixels. Every `rowStep`-th row is looked at. */
export function cellNoise(
  compute: Compute,
  { science, mask, bits, meshPixels }: CellSource,
  lag: number,
  rowStep: number,
): Float64Array {
  using _scratch = compute.scope()
  const [columns, rows] = [Math.ceil(science.width / meshPixels), Math.ceil(science.height / meshPixels)]
  const out = compute.float32(columns, rows)
  const scratchBytes = Math.ceil((meshPixels * meshPixels * 8) / 64) * 64 + 128
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const frame = [science.pointer, mask?.pointer ?? 0, bits, science.width, science.height, meshPixels, columns]
  compute.rows('meshNoise', rows, [...frame, lag, rowStep, out.pointer, scratch, scratchBytes])
  return Float64Array.from(out.data)
}

/** `cells` as they are where nothing is crowded. Cells without a value stay without. */
export function uncrowded(compute: Compute, source: CellSource, cells: Cells): Cells {
  const size = cells.level.length < manyCells ? 'few' : 'many'
  const quick = cellNoise(compute, source, farLag, coarseRows[size])
  if (!isSuspicious(cells, ratios(cells, quick))) return cells
  const noise = coarseRows[size] === closeRows[size] ? quick : cellNoise(compute, source, farLag, closeRows[size])
  const ratio = smooth5(cells, ratios(cells, noise))
  const whiteness = middleOf(ratios({ ...cells, rms: cellNoise(compute, source, 1, coarseRows[size]) }, noise))
  // Differences of colours are no noise of stars.
  if (!(whiteness <= white[1])) return cells
  const share = ratio.map((value) => ramp(value, crowded))
  const rms = cells.rms.map((value, i) => value / (1 + share[i]! * (ratio[i]! - 1)))
  const level = whiteness < white[0] ? cells.level : lowered(compute, source, { ...cells, rms }, share)
  return { ...cells, level, rms }
}

function isSuspicious(cells: Cells, ratio: Float64Array): boolean {
  const isHigh = (value: number): boolean => value > suspicious[1]
  // Where no value is high no median is.
  return middleOf(ratio) > suspicious[0] || (ratio.some(isHigh) && smooth5(cells, ratio).some(isHigh))
}

function ratios({ rms }: Cells, noise: Float64Array): Float64Array {
  return rms.map((value, i) => (value > 0 && noise[i]! > 0 ? value / noise[i]! : Number.NaN))
}

/** Levels moved by each cell's `share` to the sky that the stars' light lies upon. */
function lowered(compute: Compute, source: CellSource, cells: Cells, share: Float64Array): Float64Array {
  const quantiles = cellQuantiles(compute, source)
  const at = (i: number, k: number): number => quantiles[3 * i + k]!
  // The noise of the mean of nine pixels.
  const gap = (from: number): Float64Array =>
    cells.rms.map((rms, i) => (rms > 0 ? (at(i, from + 1) - at(i, from)) / (rms / 3) : Number.NaN))
  const [near, far] = [smooth5(cells, gap(0)), smooth5(cells, gap(1))]
  const light = share.map((value, i) => value * ramp(far[i]! / near[i]!, skewed))
  const full = Array.from(light.keys()).filter((i) => light[i]! > 0.5)
  if (full.length === 0) return cells.level
  const model = fitLight(
    middleOf(Float64Array.from(full, (i) => near[i]!)),
    middleOf(Float64Array.from(full, (i) => far[i]!)),
  )
  return cells.level.map((level, i) => {
    const sky = at(i, 0) - (cells.rms[i]! / 3) * model(near[i]!)
    return light[i]! > 0 && sky < level ? level + light[i]! * (sky - level) : level
  })
}

function cellQuantiles(compute: Compute, { science, mask, bits, meshPixels }: CellSource): Float32Array {
  using _scratch = compute.scope()
  const [columns, rows] = [Math.ceil(science.width / meshPixels), Math.ceil(science.height / meshPixels)]
  const out = compute.float32(columns * 3, rows)
  const scratchBytes = Math.ceil((meshPixels * meshPixels * 4) / 64) * 64
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const frame = [science.pointer, mask?.pointer ?? 0, bits, science.width, science.height, meshPixels, columns]
  compute.rows('meshQuantiles', rows, [...frame, ...fractions, out.pointer, scratch, scratchBytes])
  return out.data.slice()
}

/** From 0 at the first limit to 1 at the second; 0 for what is no number. */
function ramp(value: number, [from, to]: readonly [number, number]): number {
  return value > from ? Math.min(1, (value - from) / (to - from)) : 0
}

/** Median of the values that are numbers; NaN without any. */
function middleOf(values: ArrayLike<number>): number {
  const known = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort()
  return known[known.length >> 1] ?? Number.NaN
}

/** Median of the 5 × 5 cells about each: crowding changes slowly over a frame, and one cell alone tells it to a few %. */
function smooth5({ columns, rows }: Cells, values: Float64Array): Float64Array {
  const near = new Float64Array(25)
  return values.map((_, i) => {
    const [x, y] = [i % columns, Math.floor(i / columns)]
    let count = 0
    for (let v = Math.max(0, y - 2); v <= Math.min(rows - 1, y + 2); v++) {
      for (let u = Math.max(0, x - 2); u <= Math.min(columns - 1, x + 2); u++) {
        const value = values[v * columns + u]!
        if (Number.isNaN(value)) continue
        let place = count++
        for (; place > 0 && near[place - 1]! > value; place--) near[place] = near[place - 1]!
        near[place] = value
      }
    }
    return count > 0 ? near[count >> 1]! : Number.NaN
  })
}

// The light of faint stars as a log-normal distribution u = t · exp(s · z), in units of the noise that is added to it.

/** Nodes and weights of the standard normal distribution. */
const nodes = Array.from({ length: 33 }, (_, k) => (k - 16) / 4)
const weights = nodes.map((z) => Math.exp(-0.5 * z * z) / 10.0265130986)
const spreadStep = 0.5
const spreads = Array.from({ length: 9 }, (_, k) => 1 + spreadStep * k)
const lightReach = [-9, 3] as const
const halvings = 16
const curvePoints = 49

/**
 * Finds t and s of which `near` and `far` are the gaps between the quantiles; returns a function that tells for another `near`
 * (s stays) how far the lowest quantile lies above the sky.
 */
function fitLight(near: number, far: number): (near: number) => number {
  const misfit = (s: number): number => gapsOf(lightFor(near, s), s).far - far
  const errors = spreads.map(misfit)
  const crossing = errors.findIndex((error, k) => k > 0 && error * errors[k - 1]! <= 0)
  const best = errors.reduce((least, error, k) => (Math.abs(error) < Math.abs(errors[least]!) ? k : least), 0)
  const s = crossing > 0 ? between(crossing, errors) : spreads[best]!
  const curve = Array.from({ length: curvePoints }, (_, k) => gapsOf(lightOf(atPoint(k), s), s))
  return (gap) => {
    const k = Math.min(curvePoints - 1, Math.max(1, curve.findIndex((point) => point.near >= gap) >>> 0))
    const [a, b] = [curve[k - 1]!, curve[k]!]
    const share = b.near > a.near ? Math.max(0, Math.min(1, (gap - a.near) / (b.near - a.near))) : 1
    return a.lowest + share * (b.lowest - a.lowest)
  }
}

interface Gaps {
  /** Of the lowest quantile above the sky. */
  readonly lowest: number
  readonly near: number
  readonly far: number
}

function gapsOf(light: Float64Array, s: number): Gaps {
  const [a, b, c] = fractions.map((p) => quantile(light, s, p)) as [number, number, number]
  return { lowest: a, near: b - a, far: c - b }
}

/** Logarithms of t, evenly over their reach. */
function atPoint(k: number): number {
  return lightReach[0] + ((lightReach[1] - lightReach[0]) * k) / (curvePoints - 1)
}

function between(k: number, errors: readonly number[]): number {
  const [a, b] = [errors[k - 1]!, errors[k]!]
  return spreads[k - 1]! + (a === b ? 0 : (spreadStep * a) / (a - b))
}

function lightOf(logarithm: number, s: number): Float64Array {
  return Float64Array.from(nodes, (z) => Math.exp(logarithm + s * z))
}

/** Values of the light, for which the first gap is `near`. */
function lightFor(near: number, s: number): Float64Array {
  let [low, high]: [number, number] = [...lightReach]
  for (let k = 0; k < halvings; k++) {
    const middle = (low + high) / 2
    const light = lightOf(middle, s)
    if (quantile(light, s, fractions[1]) - quantile(light, s, fractions[0]) < near) low = middle
    else high = middle
  }
  return lightOf((low + high) / 2, s)
}

/** Where the distribution of light and noise reaches the fraction `p`. */
function quantile(light: Float64Array, s: number, p: number): number {
  let low = -4
  let high = 4 + light[16]! * Math.exp(s)
  for (let k = 0; k < 2 * halvings && high - low > 1e-4; k++) {
    const middle = (low + high) / 2
    let sum = 0
    for (let n = 0; n < light.length; n++) sum += weights[n]! * normalBelow(middle - light[n]!)
    if (sum < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Share of the standard normal distribution below x; error below 1e-7 (Abramowitz & Stegun 1964, 26.2.17). */
function normalBelow(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const tail = 0.3989422804 * Math.exp(-0.5 * x * x) * series
  return x < 0 ? tail : 1 - tail
}
