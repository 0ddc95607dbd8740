import type { Compute } from '../frames/compute.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { MoffatForm } from './moffat.ts'
import type { PsfStar } from './psfStars.ts'
import { medianInPlace } from './robust.ts'
import type { StarGrid } from './starGrid.ts'

/** The pixels around a PSF star, its neighbours hidden. */
export interface Cut {
  readonly star: PsfStar
  /** Among all cuts. */
  readonly index: number
  /** A square of size × size pixels. */
  readonly size: number
  /** Pixel at the middle of the cut. */
  readonly cx: number
  readonly cy: number
  /** ADU; neighbours and the local sky are taken off in place. */
  readonly data: Float32Array
  /** 0 where a pixel may not be used. */
  readonly use: Uint8Array
  readonly neighbours: readonly PsfStar[]
}

/** Cuts one after another in the compute's memory, where kernels read them. */
export interface Cuts {
  readonly list: readonly Cut[]
  readonly size: number
  /** float32. */
  readonly pixels: number
  /** Bytes. */
  readonly use: number
}

export interface CutInput {
  readonly plane: Plane
  readonly mask: MaskPlane
  readonly stars: readonly PsfStar[]
  readonly grid: StarGrid
  /** Half the side of a cut. */
  readonly radius: number
  readonly fwhmPixels: number
}

/** Kernels read four pixels at a time, and so a little beyond the last. */
const spareBytes = 64

/** Cuts of `stars`, allocated from `compute`; pixels outside the plane, masked or lit by a neighbour are not used. */
export function cutStars(compute: Compute, input: CutInput, stars: readonly PsfStar[]): Cuts {
  const size = 2 * input.radius + 1
  const area = size * size
  const pixels = compute.allocate(4 * area * stars.length + spareBytes)
  const use = compute.allocate(area * stars.length + spareBytes)
  const { buffer } = compute.memory
  const list = stars.map((star, index) => {
    const data = new Float32Array(buffer, pixels + 4 * area * index, area)
    return cutStar(input, star, index, data, new Uint8Array(buffer, use + area * index, area))
  })
  return { list, size, pixels, use }
}

function cutStar(
  { plane, mask, stars, grid, radius, fwhmPixels }: CutInput,
  star: PsfStar,
  index: number,
  data: Float32Array,
  use: Uint8Array,
): Cut {
  const size = 2 * radius + 1
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  data.fill(0)
  use.fill(0)
  for (let j = 0; j < size; j++) {
    const y = cy + j - radius
    if (y < 0 || y >= plane.height) continue
    for (let i = 0; i < size; i++) {
      const x = cx + i - radius
      if (x < 0 || x >= plane.width) continue
      const value = plane.data[y * plane.width + x]!
      if (mask.data[y * plane.width + x] !== 0 || !Number.isFinite(value)) continue
      data[j * size + i] = value
      use[j * size + i] = 1
    }
  }
  const neighbours = grid
    .within(star.x, star.y, 1.5 * radius + 3)
    .map((index) => stars[index]!)
    .filter((other) => Math.hypot(other.x - star.x, other.y - star.y) >= 0.5)
  for (const other of neighbours) hide(use, size, other, star, [cx - radius, cy - radius], fwhmPixels)
  return { star, index, cx, cy, size, data, use, neighbours }
}

/** Leaves out the pixels that a neighbour lights by more than a thousandth of the star's peak or so. */
function hide(
  use: Uint8Array,
  size: number,
  other: PsfStar,
  star: PsfStar,
  [left, top]: readonly [number, number],
  fwhmPixels: number,
): void {
  const share = Math.max(0, other.fluxAdu / star.fluxAdu)
  const reach = fwhmPixels * Math.min(3, 0.8 + 0.6 * Math.log10(1 + 100 * share))
  const [x, y] = [other.x - left, other.y - top]
  for (let j = Math.max(0, Math.ceil(y - reach)); j <= Math.min(size - 1, y + reach); j++) {
    for (let i = Math.max(0, Math.ceil(x - reach)); i <= Math.min(size - 1, x + reach); i++) {
      if ((i - x) ** 2 + (j - y) ** 2 < reach * reach) use[j * size + i] = 0
    }
  }
}

/** Takes the neighbours' wings off, by their listed fluxes and the profile of the place. */
export function subtractNeighbours(cut: Cut, { a, b, c, beta }: MoffatForm, volume: number): void {
  const { size, data, use } = cut
  const half = (size - 1) / 2
  for (const other of cut.neighbours) {
    const height = other.fluxAdu / volume
    if (!(height > 0)) continue
    const [ox, oy] = [other.x - cut.cx + half, other.y - cut.cy + half]
    for (let k = 0; k < data.length; k++) {
      if (use[k] === 0) continue
      const x = (k % size) - ox
      const y = Math.floor(k / size) - oy
      data[k]! -= height * Math.exp(-beta * Math.log(1 + a * x * x + 2 * b * x * y + c * y * y))
    }
  }
}

/** Takes off the sky that the mesh missed: the median of what the model leaves in the outer two pixels of the circle. */
export function levelRim(cut: Cut, model: (dx: number, dy: number) => number): void {
  const { size, data, use } = cut
  const half = (size - 1) / 2
  const rim = new Float64Array(data.length)
  let count = 0
  for (let k = 0; k < data.length; k++) {
    const [dx, dy] = [(k % size) - half, Math.floor(k / size) - half]
    const r = dx * dx + dy * dy
    if (use[k] !== 0 && r > (half - 2.5) ** 2 && r <= (half + 0.5) ** 2) rim[count++] = data[k]! - model(dx, dy)
  }
  if (count < 8) return
  const level = medianInPlace(rim, count)
  for (let k = 0; k < data.length; k++) data[k]! -= level
}
