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
export function loudPixels(compute: Compute, plane: Plane, threshold: number): Int32Array {
  using _scratch = compute.scope()
  const { width, height, pointer } = plane
  const counts = compute.allocate(height * 4)
  compute.rows('countLoud', height, [pointer, width, threshold, counts])
  const starts = new Int32Array(compute.memory.buffer, counts, height)
  let total = 0
  for (let y = 0; y < height; y++) {
    const count = starts[y]!
    starts[y] = total
    total += count
  }
  const list = compute.allocate(total * 4)
  compute.rows('listLoud', height, [pointer, width, threshold, counts, list])
  return new Int32Array(compute.memory.buffer, list, total).slice()
}
