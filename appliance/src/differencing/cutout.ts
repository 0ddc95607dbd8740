import type { Plane } from '../frames/plane.ts'

/** Side of a cut-out: odd, so that a candidate lies in the middle pixel. */
export const cutoutPixels = 63

/** `size` × `size` pixels around a place, whose nearest pixel is the middle one; NaN outside the frame; rows from low y to high. */
export function cutout(plane: Plane, x: number, y: number, size = cutoutPixels): Float32Array {
  const half = (size - 1) / 2
  const [left, top] = [Math.round(x) - half, Math.round(y) - half]
  const out = new Float32Array(size * size).fill(Number.NaN)
  const [first, last] = [Math.max(0, left), Math.min(plane.width, left + size)]
  if (first >= last) return out
  for (let v = Math.max(0, top); v < Math.min(plane.height, top + size); v++) {
    const row = plane.data.subarray(v * plane.width + first, v * plane.width + last)
    out.set(row, (v - top) * size + first - left)
  }
  return out
}

export interface Cutouts {
  readonly science: Float32Array
  readonly reference: Float32Array
  readonly difference: Float32Array
  readonly scorr: Float32Array
}

/** What a person or a network looks at: the same `cutoutPixels`² pixels of the four planes. */
export function cutoutsAt(
  planes: {
    readonly science: Plane
    readonly alignedReference: Plane
    readonly difference: Plane
    readonly scorr: Plane
  },
  { x, y }: { readonly x: number; readonly y: number },
): Cutouts {
  return {
    science: cutout(planes.science, x, y),
    reference: cutout(planes.alignedReference, x, y),
    difference: cutout(planes.difference, x, y),
    scorr: cutout(planes.scorr, x, y),
  }
}
