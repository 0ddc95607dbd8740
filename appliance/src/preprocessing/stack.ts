import type { Compute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { preprocessingError } from './errors.ts'

/**
 * Sigma-clipped mean of planes of one shape, pixel by pixel: values within `kappa` σ of their median count, σ being half of
 * the central 68 % of the stack. Fewer than five planes give the median. `factors` scales each plane first. Throws
 * `preprocessing/shape` for planes of different shapes or none.
 */
export function stackClipped(
  compute: Compute,
  planes: readonly Plane[],
  options: { readonly kappa?: number; readonly factors?: readonly number[] } = {},
): Plane {
  const first = planes[0]
  if (!first) throw preprocessingError('shape', 'there is nothing to stack')
  const { width, height } = first
  const odd = planes.find((plane) => plane.width !== width || plane.height !== height)
  if (odd)
    throw preprocessingError(
      'shape',
      `frames of ${width} × ${height} and ${odd.width} × ${odd.height} pixels cannot be stacked`,
    )
  const out = compute.float32(width, height)
  using _scratch = compute.scope()
  const table = compute.allocate(planes.length * 4)
  const factors = compute.allocate(planes.length * 4)
  new Uint32Array(compute.memory.buffer, table, planes.length).set(planes.map((plane) => plane.pointer))
  new Float32Array(compute.memory.buffer, factors, planes.length).set(
    planes.map((_, index) => options.factors?.[index] ?? 1),
  )
  const scratch = compute.allocate(planes.length * 16 * compute.threads)
  compute.rows(
    'stackClipped',
    height,
    [table, factors, planes.length, out.pointer, width, options.kappa ?? 3, scratch],
    4,
  )
  return out
}
