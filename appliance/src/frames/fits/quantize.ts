/** Stands for a pixel without a value. */
export const nullQuantum = -2147483647
const zeroQuantum = -2147483646
const reserved = 10
const numbers = 10_000

/** How floats become whole numbers: value = (whole − random + 0.5) × scale + zero. */
export interface Quantized {
  readonly scale: number
  readonly zero: number
}

export interface QuantizeOptions {
  /** Steps per standard deviation of the noise; negative: minus the step itself. */
  readonly level: number
  /** Number of the row of the table of random numbers, 0-based: tile + ZDITHER0 − 1, modulo 10,000. */
  readonly seed: number
  /** Of `ditherTable`. */
  readonly random: Float32Array
  /** 2 keeps zeros exactly zero. */
  readonly dither: 1 | 2
}

/** The k-th smallest of the first `count`, which are put into another order (Hoare 1961). */
function select(values: Float64Array, count: number, k: number): number {
  let low = 0
  let high = count - 1
  while (low < high) {
    const pivot = values[(low + high) >> 1] as number
    let i = low
    let j = high
    while (i <= j) {
      while ((values[i] as number) < pivot) i++
      while ((values[j] as number) > pivot) j--
      if (i <= j) {
        const swap = values[i] as number
        values[i++] = values[j] as number
        values[j--] = swap
      }
    }
    if (k <= j) high = j
    else if (k >= i) low = i
    else break
  }
  return values[k] as number
}

function lowerMedian(values: Float64Array, count: number, near: Float64Array): number {
  if (count === 0) return 0
  const k = (count - 1) >> 1
  return count < fewValues ? select(values, count, k) : binnedSelect(values, count, k, near)
}

/** Fewer values are selected from directly. */
const fewValues = 512
const bins = new Uint32Array(4096)
const single = new Float32Array(1)
const singleBits = new Uint32Array(single.buffer)

/** Sixteen bins an octave, in the order of the values, which are not negative. */
function binOf(value: number): number {
  single[0] = value
  return (singleBits[0] as number) >>> 19
}

/** As `select`, from the one bin that the k-th lies in. */
function binnedSelect(values: Float64Array, count: number, k: number, near: Float64Array): number {
  bins.fill(0)
  for (let i = 0; i < count; i++) {
    const bin = binOf(values[i] as number)
    bins[bin] = (bins[bin] as number) + 1
  }
  let bin = 0
  let below = 0
  while (below + (bins[bin] as number) <= k) below += bins[bin++] as number
  let inside = 0
  for (let i = 0; i < count; i++) {
    const value = values[i] as number
    if (binOf(value) === bin) near[inside++] = value
  }
  return select(near, inside, k - below)
}

interface Spread {
  readonly good: number
  readonly min: number
  readonly max: number
  readonly noise: number
}

/** Buffers for rows of `pixels`. */
export class QuantizeScratch {
  readonly good: Float64Array
  readonly second: Float64Array
  readonly third: Float64Array
  readonly fifth: Float64Array
  readonly near: Float64Array

  constructor(pixels: number) {
    this.good = new Float64Array(pixels)
    this.second = new Float64Array(pixels)
    this.third = new Float64Array(pixels)
    this.fifth = new Float64Array(pixels)
    this.near = new Float64Array(pixels)
  }
}

/**
 * Range and noise of one row: the least of the medians of absolute second, third and fifth order differences, as standard
 * deviations of normal noise (Stoehr et al. 2007, ST-ECF Newsletter 42; Pence, Seaman & White 2009, PASP 121, 414).
 * `round` is the precision in which the differences are taken.
 */
function spreadOf(data: Float32Array | Float64Array, scratch: QuantizeScratch, round: (x: number) => number): Spread {
  const { good: v, second, third, fifth, near } = scratch
  let good = 0
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (const value of data) {
    if (Number.isNaN(value)) continue
    v[good++] = value
    if (value < min) min = value
    if (value > max) max = value
  }
  let seconds = 0
  let others = 0
  for (let i = 8; i < good; i++) {
    const v1 = v[i - 8] as number
    const v3 = v[i - 6] as number
    const v5 = v[i - 4] as number
    const v6 = v[i - 3] as number
    const v7 = v[i - 2] as number
    const flat = v5 === v6 && v6 === v7
    if (!flat) second[seconds++] = Math.abs(round(v5 - v7))
    if (flat && v3 === v[i - 5] && v3 === v5) continue
    third[others] = Math.abs(round(round(round(2 * v5) - v3) - v7))
    const inner = round(round(round(6 * v5) - round(4 * v3)) - round(4 * v7))
    fifth[others++] = Math.abs(round(round(inner + v1) + (v[i] as number)))
  }
  const noise2 = seconds > 1 || others === 1 ? 1.0483579 * lowerMedian(second, seconds, near) : 0
  const noise5 = 0.1772048 * lowerMedian(fifth, others, near)
  let noise = 0.6052697 * lowerMedian(third, others, near)
  if (noise2 !== 0 && noise2 < noise) noise = noise2
  if (noise5 !== 0 && noise5 < noise) noise = noise5
  return good === 0 ? { good, min: 0, max: 1, noise: 1 } : { good, min, max, noise }
}

function zeroPoint({ min, max }: Spread, step: number, nulls: boolean, dither: 1 | 2): number {
  if (nulls || dither === 2) return min - step * (nullQuantum + reserved)
  if ((max - min) / step < 2147483647 - reserved) return Math.trunc(min / step + 0.5) * step
  return (min + max) / 2
}

const identity = (x: number): number => x

/**
 * Quantizes one row with subtractive dither, as cfitsio does: the same step, zero point and whole numbers in `out`. Undefined
 * when the row cannot be quantized (no noise, or too wide a range): it is then kept as it is. NaN becomes `nullQuantum`.
 * FITS Standard 4.0, section 10.2.
 */
export function quantizeRow(
  data: Float32Array | Float64Array,
  out: Int32Array,
  scratch: QuantizeScratch,
  options: QuantizeOptions,
): Quantized | undefined {
  if (data.length <= 1) return undefined
  const spread = spreadOf(data, scratch, data instanceof Float32Array ? Math.fround : identity)
  const step = options.level < 0 ? -options.level : spread.noise / options.level
  if (!(step > 0) || !((spread.max - spread.min) / step <= 2 * 2147483647 - reserved)) return undefined
  const zero = zeroPoint(spread, step, spread.good < data.length, options.dither)
  fill(data, out, step, zero, options)
  return { scale: step, zero }
}

function fill(
  data: Float32Array | Float64Array,
  out: Int32Array,
  step: number,
  zero: number,
  { random, dither, ...options }: QuantizeOptions,
): void {
  let seed = options.seed
  let next = Math.trunc(Math.fround((random[seed] as number) * 500))
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number
    if (Number.isNaN(value)) out[i] = nullQuantum
    else if (dither === 2 && value === 0) out[i] = zeroQuantum
    else {
      const steps = (value - zero) / step + (random[next] as number) - 0.5
      out[i] = steps >= 0 ? Math.trunc(steps + 0.5) : Math.trunc(steps - 0.5)
    }
    if (++next === numbers) {
      seed = (seed + 1) % numbers
      next = Math.trunc(Math.fround((random[seed] as number) * 500))
    }
  }
}
