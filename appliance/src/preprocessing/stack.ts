import type { Compute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { preprocessingError } from './errors.ts'

export interface StackOptions {
  /** Values farther than this many σ from the median do not count; default 3. */
  readonly kappa?: number
  /** Scales each plane first. */
  readonly factors?: readonly number[]
  /**
   * What the noise is known to be at least, in the units of the scaled planes: variance = `fixed` + `perSignal` · median.
   * With it clipping keeps nearly every good value even of three or five planes, so that the mean's variance is σ²/n.
   */
  readonly noise?: { readonly fixed: number; readonly perSignal: number }
}

/** Fewer planes than this give the median, unless the noise is known. */
const leastWithoutNoise = 5
const leastWithNoise = 3

/**
 * Sigma-clipped mean of planes of one shape, pixel by pixel: values within `kappa` σ of their median count, σ being half of
 * the central 68 % of the stack. Fewer than five planes give the median. Values that are not numbers do not count. Throws
 * `preprocessing/shape` for planes of different shapes or none.
 */
export function stackClipped(compute: Compute, planes: readonly Plane[], options: StackOptions = {}): Plane {
  const first = planes[0]
  if (!first) throw preprocessingError('shape', 'there is nothing to stack')
  const { width, height } = first
  const odd = planes.find((plane) => plane.width !== width || plane.height !== height)
  if (odd) {
    const sizes = `${width} × ${height} and ${odd.width} × ${odd.height}`
    throw preprocessingError('shape', `frames of ${sizes} pixels cannot be stacked`)
  }
  const out = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const pointers = planes.map((plane) => plane.pointer)
  stackInto(compute, pointers, out, options)
  return out
}

/** As `stackClipped`, from pointers to planes of `out`'s shape. */
export function stackInto(compute: Compute, planes: readonly number[], out: Plane, options: StackOptions = {}): void {
  using _scratch = compute.scope()
  const count = planes.length
  const pairs = sortingNetwork(count)
  const factors = planes.map((_, index) => options.factors?.[index] ?? 1)
  // A multiple of 128 bytes each: threads that write to one cache line wait for each other.
  const scratchBytes = Math.ceil((count * 64) / 128) * 128
  const scratch = Math.ceil(compute.allocate(scratchBytes * compute.threads + 128) / 128) * 128
  compute.rows(
    'stackClipped',
    out.height,
    [
      table(compute, Uint32Array, planes),
      table(compute, Float32Array, factors),
      count,
      table(
        compute,
        Uint32Array,
        pairs.flat().map((index) => index * 64),
      ),
      pairs.length,
      out.pointer,
      out.width,
      options.kappa ?? 3,
      options.noise?.fixed ?? 0,
      options.noise?.perSignal ?? 0,
      options.noise ? leastWithNoise : leastWithoutNoise,
      scratch,
      scratchBytes,
    ],
    4,
  )
}

function table(compute: Compute, type: typeof Uint32Array | typeof Float32Array, values: readonly number[]): number {
  const pointer = compute.allocate(Math.max(4, values.length * 4))
  new type(compute.memory.buffer, pointer, values.length).set(values)
  return pointer
}

/** Batcher's merge exchange (Knuth, volume 3, 5.2.2, algorithm M): the pairs to compare, in order. */
export function sortingNetwork(count: number): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = []
  let top = 1
  while (top < count) top *= 2
  for (let p = top >> 1; p > 0; p >>= 1) {
    let [q, r, d] = [top >> 1, 0, p]
    for (;;) {
      for (let i = 0; i < count - d; i++) if ((i & p) === r) pairs.push([i, i + d])
      if (q === p) break
      d = q - p
      q >>= 1
      r = p
    }
  }
  return pairs
}
