import type { Compute } from './compute.ts'
import type { MaskPlane, Plane } from './plane.ts'

/**
 * Statistics of the good pixels of a plane: finite, inside the limits, mask 0. Order statistics are exact; sums are float64 by
 * rows, so every number is the same for any number of threads.
 */
export interface Selection {
  /** Only pixels whose mask is 0 count. */
  readonly mask?: MaskPlane | undefined
  /** Pixels below or above do not count. */
  readonly low?: number
  readonly high?: number
}

/** `count` 0 comes with NaN for everything else. */
export interface Moments {
  readonly count: number
  readonly mean: number
  /** Population standard deviation (divided by n). */
  readonly std: number
}

export interface ClippedStatistics extends Moments {
  readonly median: number
  readonly low: number
  readonly high: number
}

const histogramBins = 65536
const largest = 3.4028234663852886e38
/** Standard deviation of a normal distribution whose median absolute deviation is 1. */
export const sigmaPerMad = 1.482602218505602

interface Pick {
  readonly center: number
  readonly magnitude: boolean
  readonly low: number
  readonly high: number
  readonly mask: number
}

function pick(selection: Selection, center = 0, magnitude = false): Pick {
  const low = Math.max(-largest, selection.low ?? -largest)
  const high = Math.min(largest, selection.high ?? largest)
  return { center, magnitude, low, high, mask: selection.mask?.pointer ?? 0 }
}

/** One histogram over the plane: `upper` undefined counts the upper 16 bits, else the lower 16 of those with that upper. */
function histogram(compute: Compute, plane: Plane, chosen: Pick, upper: number | undefined): Float64Array {
  using _scratch = compute.scope()
  const counts = compute.int32(histogramBins, compute.threads)
  const { center, magnitude, low, high, mask } = chosen
  const args = [plane.pointer, mask, plane.width, center, magnitude ? 1 : 0, low, high, counts.pointer]
  if (upper === undefined) compute.rows('histogramUpper', plane.height, args)
  else compute.rows('histogramLower', plane.height, [...args, upper])
  const total = new Float64Array(histogramBins)
  for (let i = 0; i < counts.data.length; i++) {
    const bin = i % histogramBins
    total[bin] = (total[bin] as number) + (counts.data[i] as number)
  }
  return total
}

const bits = new DataView(new ArrayBuffer(4))

/** The float32 whose sortable bits are `upper` and `lower` (assembly/statistics.ts). */
function numberOf(upper: number, lower: number): number {
  const key = upper * histogramBins + lower
  bits.setUint32(0, key >= 0x80000000 ? key - 0x80000000 : ~key >>> 0)
  return bits.getFloat32(0)
}

interface Place {
  readonly bin: number
  /** Rank inside the bin. */
  readonly rest: number
}

function placeOf(counts: Float64Array, rank: number): Place {
  let rest = rank
  for (let bin = 0; bin < counts.length; bin++) {
    const count = counts[bin] as number
    if (rest < count) return { bin, rest }
    rest -= count
  }
  return { bin: counts.length - 1, rest: 0 }
}

function total(counts: Float64Array): number {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}

/** Values of the order statistics `ranks(count)`, 0 = smallest; empty when no pixel counts. */
function select(compute: Compute, plane: Plane, chosen: Pick, ranks: (count: number) => number[]): number[] {
  const uppers = histogram(compute, plane, chosen, undefined)
  const count = total(uppers)
  if (count === 0) return []
  const lowers = new Map<number, Float64Array>()
  return ranks(count).map((rank) => {
    const place = placeOf(uppers, rank)
    let counts = lowers.get(place.bin)
    if (!counts) {
      counts = histogram(compute, plane, chosen, place.bin)
      lowers.set(place.bin, counts)
    }
    return numberOf(place.bin, placeOf(counts, place.rest).bin)
  })
}

/** The two ranks in the middle: the same one twice for an odd count. */
function middleRanks(count: number): number[] {
  return [Math.floor((count - 1) / 2), Math.floor(count / 2)]
}

function medianOf(compute: Compute, plane: Plane, chosen: Pick): number {
  const [a, b] = select(compute, plane, chosen, middleRanks)
  return a === undefined || b === undefined ? Number.NaN : (a + b) / 2
}

/** The exact median: the mean of the middle two for an even count. NaN when no pixel counts. */
export function median(compute: Compute, plane: Plane, selection: Selection = {}): number {
  return medianOf(compute, plane, pick(selection))
}

/** The median and the median absolute deviation from it (unscaled; times `sigmaPerMad` for a normal sigma). */
export function medianAndMad(
  compute: Compute,
  plane: Plane,
  selection: Selection = {},
): { readonly median: number; readonly mad: number } {
  const center = medianOf(compute, plane, pick(selection))
  if (Number.isNaN(center)) return { median: center, mad: center }
  return { median: center, mad: medianOf(compute, plane, pick(selection, center, true)) }
}

/** Exact quantiles, linear between order statistics as numpy's default. NaN when no pixel counts. */
export function quantiles(
  compute: Compute,
  plane: Plane,
  fractions: readonly number[],
  selection: Selection = {},
): number[] {
  let places: number[] = []
  const values = select(compute, plane, pick(selection), (count) => {
    places = fractions.map((fraction) => Math.min(1, Math.max(0, fraction)) * (count - 1))
    return places.flatMap((place) => [Math.floor(place), Math.ceil(place)])
  })
  return fractions.map((_, index) => {
    const [low, high] = [values[2 * index], values[2 * index + 1]]
    if (low === undefined || high === undefined) return Number.NaN
    return low + (high - low) * ((places[index] ?? 0) % 1)
  })
}

/** Count, mean and standard deviation. `about` should be near the mean when the mean is large against the deviation. */
export function moments(compute: Compute, plane: Plane, selection: Selection = {}, about = 0): Moments {
  using _scratch = compute.scope()
  const { low, high, mask } = pick(selection)
  const pointer = compute.allocate(plane.height * 24)
  compute.rows('rowSums', plane.height, [plane.pointer, mask, plane.width, about, low, high, pointer])
  const sums = new Float64Array(compute.memory.buffer, pointer, plane.height * 3)
  let count = 0
  let sum = 0
  let squares = 0
  for (let i = 0; i < sums.length; i += 3) {
    count += sums[i] as number
    sum += sums[i + 1] as number
    squares += sums[i + 2] as number
  }
  const shift = sum / count
  // The kernel subtracts `about` as a float32.
  return { count, mean: Math.fround(about) + shift, std: Math.sqrt(Math.max(0, squares / count - shift * shift)) }
}

export interface ClipOptions extends Selection {
  /** Pixels further than this many standard deviations from the median are dropped; 3. */
  readonly sigma?: number
  /** At most so many rounds; 5. */
  readonly rounds?: number
}

/** Sigma-clipped mean, median and deviation about the median: astropy's `sigma_clipped_stats`, same defaults but 5 rounds. */
export function sigmaClipped(compute: Compute, plane: Plane, options: ClipOptions = {}): ClippedStatistics {
  const { sigma = 3, rounds = 5, mask } = options
  let low = options.low ?? -largest
  let high = options.high ?? largest
  let center = median(compute, plane, { mask, low, high })
  let current = moments(compute, plane, { mask, low, high }, center)
  for (let round = 0; round < rounds && current.count > 0; round++) {
    low = Math.max(low, center - sigma * current.std)
    high = Math.min(high, center + sigma * current.std)
    const next = moments(compute, plane, { mask, low, high }, center)
    if (next.count === current.count) break
    center = median(compute, plane, { mask, low, high })
    current = moments(compute, plane, { mask, low, high }, center)
  }
  return { ...current, median: center, low, high }
}
