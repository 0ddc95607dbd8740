import type { Compute } from './compute.ts'
import type { Plane } from './plane.ts'

/**
 * Exact order statistics without sorting. A sample of the pixels gives a bracket that almost surely holds the value; one pass
 * counts what lies below it and makes a histogram inside, the next passes do the same for single bins until a bin is one
 * float32. When the bracket missed, it starts again from the whole range: the result is exact either way.
 */
export interface PixelChoice {
  /** Subtracted first, as a float32. */
  readonly center: number
  /** Look at |value - center|. */
  readonly magnitude: boolean
  /** Only pixels inside these limits count. */
  readonly low: number
  readonly high: number
  /** Of the mask, or 0. */
  readonly mask: number
}

export const largestFloat32 = 3.4028234663852886e38
const bins = 65536
const sampleSize = 4096
/** Below this a sample saves nothing. */
const sampledPixels = 65536

const bits = new DataView(new ArrayBuffer(4))

/** Bits of a float32 in an order that sorts as the numbers do. */
function keyOf(value: number): number {
  bits.setFloat32(0, value)
  const raw = bits.getUint32(0)
  return raw >= 0x80000000 ? ~raw >>> 0 : raw + 0x80000000
}

function valueAt(key: number): number {
  bits.setUint32(0, key >= 0x80000000 ? key - 0x80000000 : ~key >>> 0)
  return bits.getFloat32(0)
}

/** Keys from..to, both included. */
interface KeyRange {
  readonly from: number
  readonly to: number
}

const everything: KeyRange = { from: keyOf(-largestFloat32), to: keyOf(largestFloat32) }

/** What one pass over the plane found. */
interface Scan {
  readonly range: KeyRange
  readonly shift: number
  /** Pixels that count. */
  readonly total: number
  /** Of these, pixels below the range. */
  readonly below: number
  readonly histogram: Float64Array
}

function scan(compute: Compute, plane: Plane, choice: PixelChoice, range: KeyRange): Scan {
  using _scratch = compute.scope()
  const shift = Math.max(0, Math.ceil(Math.log2((range.to - range.from + 1) / bins)))
  const histograms = compute.int32(bins, compute.threads)
  const counts = compute.int32(2, plane.height)
  const { center, magnitude, low, high, mask } = choice
  const source = [plane.pointer, mask, plane.width, center, magnitude ? 1 : 0, low, high]
  const inside = [valueAt(range.from), valueAt(range.to), range.from, shift, histograms.pointer, counts.pointer]
  compute.rows('histogramRange', plane.height, [...source, ...inside])
  let total = 0
  let below = 0
  for (let i = 0; i < counts.data.length; i += 2) {
    total += counts.data[i] as number
    below += counts.data[i + 1] as number
  }
  return { range, shift, total, below, histogram: merged(histograms.data, compute.threads) }
}

/** The threads' histograms added up. */
function merged(counts: Int32Array, threads: number): Float64Array {
  const sum = Float64Array.from(counts.subarray(0, bins))
  for (let thread = 1; thread < threads; thread++) {
    const offset = thread * bins
    for (let bin = 0; bin < bins; bin++) sum[bin] = (sum[bin] as number) + (counts[offset + bin] as number)
  }
  return sum
}

/** The keys of the bin that holds `rank`; undefined when it lies outside the scan's range. */
function binOf(found: Scan, rank: number): KeyRange | undefined {
  let rest = rank - found.below
  if (rest < 0) return undefined
  for (let bin = 0; bin < bins; bin++) {
    const count = found.histogram[bin] as number
    if (rest < count) {
      const from = found.range.from + bin * 2 ** found.shift
      return { from, to: Math.min(found.range.to, from + 2 ** found.shift - 1) }
    }
    rest -= count
  }
  return undefined
}

/** Narrows down to one float32. */
function resolve(compute: Compute, plane: Plane, choice: PixelChoice, first: Scan, rank: number): number {
  let found = first
  for (;;) {
    const bin = binOf(found, rank)
    if (bin && bin.from === bin.to) return valueAt(bin.from)
    found = scan(compute, plane, choice, bin ?? everything)
  }
}

/** Sorted values of about `sampleSize` pixels that count, spread over the plane. */
function sample(plane: Plane, choice: PixelChoice, mask: Uint16Array | undefined): Float32Array {
  const { data } = plane
  const center = Math.fround(choice.center)
  // An odd step does not fall into step with the columns of a plane whose width is a power of two.
  const step = Math.floor(data.length / sampleSize) | 1
  const values = new Float32Array(Math.ceil(data.length / step))
  let count = 0
  for (let i = 0; i < data.length; i += step) {
    const value = data[i] as number
    if (!(value >= choice.low && value <= choice.high) || (mask && mask[i] !== 0)) continue
    const difference = value - center
    values[count++] = choice.magnitude ? Math.abs(difference) : difference
  }
  return values.subarray(0, count).sort()
}

/** A range that holds the quantile in all but one of a hundred thousand cases (4.5 standard errors of the sample). */
function bracket(sorted: Float32Array, fraction: number): KeyRange {
  const n = sorted.length
  if (n < 256) return everything
  const margin = 4.5 * Math.sqrt((fraction * (1 - fraction)) / n) + 4 / n
  const low = Math.floor((fraction - margin) * n)
  const high = Math.ceil((fraction + margin) * n)
  // Adding zero makes +0 of -0, as the kernel does.
  return {
    from: low <= 0 ? everything.from : keyOf((sorted[low] as number) + 0),
    to: high >= n ? everything.to : keyOf((sorted[high] as number) + 0),
  }
}

/**
 * The order statistics around each fraction of the pixels that count: `[lower, upper, weight]`, where the quantile is
 * lower + weight × (upper - lower). Undefined when no pixel counts.
 */
export function orderStatistics(
  compute: Compute,
  plane: Plane,
  choice: PixelChoice,
  fractions: readonly number[],
): (readonly [number, number, number])[] | undefined {
  const sampled = plane.data.length >= sampledPixels
  const mask = choice.mask === 0 ? undefined : compute.view(Uint16Array, choice.mask, plane.width, plane.height).data
  const sorted = sampled ? sample(plane, choice, mask) : new Float32Array(0)
  const results: (readonly [number, number, number])[] = []
  for (const fraction of fractions) {
    const first = scan(compute, plane, choice, bracket(sorted, fraction))
    if (first.total === 0) return undefined
    const place = fraction * (first.total - 1)
    const lower = resolve(compute, plane, choice, first, Math.floor(place))
    const upper = Number.isInteger(place) ? lower : resolve(compute, plane, choice, first, Math.ceil(place))
    results.push([lower, upper, place % 1])
  }
  return results
}
