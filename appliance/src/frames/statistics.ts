import type { Compute } from './compute.ts'
import { largestFloat32, orderStatistics, type PixelChoice } from './orderStatistics.ts'
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

/** Standard deviation of a normal distribution whose median absolute deviation is 1. */
export const sigmaPerMad = 1.482602218505602

function choose(selection: Selection, center = 0, magnitude = false): PixelChoice {
  const low = Math.max(-largestFloat32, selection.low ?? -largestFloat32)
  const high = Math.min(largestFloat32, selection.high ?? largestFloat32)
  return { center, magnitude, low, high, mask: selection.mask?.pointer ?? 0 }
}

function medianOf(compute: Compute, plane: Plane, choice: PixelChoice): number {
  const [middle] = orderStatistics(compute, plane, choice, [0.5]) ?? []
  return middle ? (middle[0] + middle[1]) / 2 : Number.NaN
}

/** The exact median: the mean of the middle two for an even count. NaN when no pixel counts. */
export function median(compute: Compute, plane: Plane, selection: Selection = {}): number {
  return medianOf(compute, plane, choose(selection))
}

/** The median and the median absolute deviation from it (unscaled; times `sigmaPerMad` for a normal sigma). */
export function medianAndMad(
  compute: Compute,
  plane: Plane,
  selection: Selection = {},
): { readonly median: number; readonly mad: number } {
  const center = medianOf(compute, plane, choose(selection))
  if (Number.isNaN(center)) return { median: center, mad: center }
  return { median: center, mad: medianOf(compute, plane, choose(selection, center, true)) }
}

/** Exact quantiles, linear between order statistics as numpy's default. NaN when no pixel counts. */
export function quantiles(
  compute: Compute,
  plane: Plane,
  fractions: readonly number[],
  selection: Selection = {},
): number[] {
  const inside = fractions.map((fraction) => Math.min(1, Math.max(0, fraction)))
  const found = orderStatistics(compute, plane, choose(selection), inside)
  return inside.map((_, index) => {
    const [low, high, weight] = found?.[index] ?? [Number.NaN, Number.NaN, 0]
    return low + (high - low) * weight
  })
}

/** Count, mean and standard deviation. `about` should be near the mean when the mean is large against the deviation. */
export function moments(compute: Compute, plane: Plane, selection: Selection = {}, about = 0): Moments {
  using _scratch = compute.scope()
  const { low, high, mask } = choose(selection)
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
  let low = options.low ?? -largestFloat32
  let high = options.high ?? largestFloat32
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
