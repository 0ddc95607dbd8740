import type { Compute } from './compute.ts'
import { MaskFlag } from './mask.ts'
import type { MaskPlane, Plane } from './plane.ts'

/** What one pass over a frame tells. */
export interface PlaneFacts {
  /** Of the finite pixels that have data; +∞ and −∞ without any. */
  readonly least: number
  readonly greatest: number
  readonly missing: number
  readonly saturated: number
}

const full = MaskFlag.saturated | MaskFlag.bloom

export function planeFacts(compute: Compute, plane: Plane, mask: MaskPlane): PlaneFacts {
  using _scratch = compute.scope()
  const pointer = compute.allocate(plane.height * 16)
  const bits = [MaskFlag.noData, MaskFlag.noData, full]
  compute.rows('rowFacts', plane.height, [plane.pointer, mask.pointer, plane.width, ...bits, pointer])
  const rows = new Float32Array(compute.memory.buffer, pointer, plane.height * 4)
  let [least, greatest, missing, saturated] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0]
  for (let i = 0; i < rows.length; i += 4) {
    least = Math.min(least, rows[i]!)
    greatest = Math.max(greatest, rows[i + 1]!)
    missing += rows[i + 2]!
    saturated += rows[i + 3]!
  }
  return { least, greatest, missing, saturated }
}

/** All bits of both, as a new plane. */
export function uniteMasks(compute: Compute, one: MaskPlane, other: MaskPlane): MaskPlane {
  const { width, height } = one
  const out = compute.view(Uint16Array, compute.allocate(width * height * 2), width, height)
  compute.rows('uniteMasks', height, [one.pointer, other.pointer, out.pointer, width])
  return out
}

/** Sets both planes to 0 where the mask says `noData`, and multiplies `one` by `factor`. */
export function clearMissing(compute: Compute, one: Plane, other: Plane, mask: MaskPlane, factor = 1): void {
  const { width, height, pointer } = mask
  compute.rows('clearPair', height, [one.pointer, other.pointer, pointer, width, factor, MaskFlag.noData])
}

/** Indices, in order, of the pixels whose magnitude reaches `threshold`. */
export function loudPixels(compute: Compute, { width, height, pointer }: Plane, threshold: number): Int32Array {
  return listed(compute, height, {
    count: (counts) => compute.rows('countLoud', height, [pointer, width, threshold, counts]),
    list: (starts, out) => compute.rows('listLoud', height, [pointer, width, threshold, starts, out]),
  })
}

/** Indices, in order, of the pixels with any of `bits` in the mask and of those that are not finite. */
export function spoiltPixels(compute: Compute, plane: Plane, mask: MaskPlane, bits: number): Int32Array {
  const { width, height } = plane
  const of = [plane.pointer, mask.pointer, width, bits]
  return listed(compute, height, {
    count: (counts) => compute.rows('countSpoilt', height, [...of, counts]),
    list: (starts, out) => compute.rows('listSpoilt', height, [...of, starts, out]),
  })
}

/** Counts each row, gives each row its place in the list, and lists. */
function listed(
  compute: Compute,
  height: number,
  { count, list }: { count: (counts: number) => void; list: (starts: number, out: number) => void },
): Int32Array {
  using _scratch = compute.scope()
  const pointer = compute.allocate(height * 4)
  count(pointer)
  const starts = new Int32Array(compute.memory.buffer, pointer, height)
  let total = 0
  for (let y = 0; y < height; y++) {
    const own = starts[y]!
    starts[y] = total
    total += own
  }
  const out = compute.allocate(total * 4)
  list(pointer, out)
  return new Int32Array(compute.memory.buffer, out, total).slice()
}
