import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { spoiltPixels } from '../frames/planes.ts'
import type { FrameSize } from './register.ts'
import { applyTransform, bendAt, jacobian, type PixelTransform } from './transform.ts'

/**
 * Resampling onto another pixel grid by a quintic B-spline: of the usual kernels it leaves the least of a star, and most at FWHM 2 px,
 * where even an ideal shift leaves 0.9 % of the peak of a Gaussian integrated over pixels. Flux is kept (values are multiplied by the Jacobian). The work goes by tiles of the result, each
 * with its own filtered copy of the part of the source that it sees, so no further plane is needed.
 */
export interface WarpSource {
  /** Background-subtracted: pixels without a value are taken as 0. */
  readonly science: Plane
  readonly mask: MaskPlane
  readonly variance: Plane | undefined
}

export interface Warped {
  readonly science: Plane
  /** Bits of any source pixel within two pixels; `noData` outside the source. */
  readonly mask: MaskPlane
  /** Bilinear, for a noise level only: resampling correlates neighbours, so measure the noise of the result anew. */
  readonly variance: Plane | undefined
}

/** Pixels whose value would ring through the spline: replaced by their neighbours before it. */
const replaced = MaskFlag.noData | MaskFlag.bad | MaskFlag.cosmicRay
/** Of the result: a box with its halo fits the second-level cache. Columns are a multiple of 32, the pitch of the bend. */
const tileColumns = 512
const tileRows = 128
/** Two taps, and eighteen samples in which the recursive filters forget where they began: 0.43^18 = 2.5e-7. */
const halo = 20
const bendPitch = 32
const tileInts = 10
/** Boxes are cut to this many pixels by smaller tiles: only a map that shrinks the picture strongly needs it. */
const mostBoxPixels = 1 << 20

/** Resamples `source` to a grid of `size`; `transform` maps pixels of the new grid to pixels of the source. */
export function warp(compute: Compute, source: WarpSource, transform: PixelTransform, size: FrameSize): Warped {
  const { width, height } = size
  const science = planeOf(compute, Float32Array, width, height)
  const mask = planeOf(compute, Uint16Array, width, height)
  const variance = source.variance && planeOf(compute, Float32Array, width, height)
  const warped = { science, mask, variance }
  if (isIdentity(transform, size) && source.science.width === width && source.science.height === height) {
    copyPlanes(compute, source, warped)
  } else {
    resample(compute, source, transform, warped)
  }
  return warped
}

/** A plane of whatever was there: every pixel is going to be written. */
function planeOf<T extends Float32Array | Uint16Array>(
  compute: Compute,
  type: { new (buffer: ArrayBufferLike, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  width: number,
  height: number,
): Plane<T> {
  return compute.view(type, compute.allocate(type.BYTES_PER_ELEMENT * width * height), width, height)
}

function copyPlanes(compute: Compute, source: WarpSource, warped: Warped): void {
  warped.science.data.set(source.science.data)
  warped.mask.data.set(source.mask.data)
  if (warped.variance && source.variance) warped.variance.data.set(source.variance.data)
  replaceSpoilt(compute, warped.science, warped.mask)
}

function resample(compute: Compute, source: WarpSource, transform: PixelTransform, out: Warped): void {
  using _scratch = compute.scope()
  const { science, mask, variance } = source
  const tiles = tilesFor(transform, science, out.science)
  const boxPixels = Math.max(...tiles.map((tile) => tile.boxColumns * tile.boxRows))
  const mostColumns = Math.max(...tiles.map((tile) => tile.boxColumns))
  const planes = variance ? 10 : 6
  const scratchBytes = Math.ceil((512 + 32 * mostColumns + planes * (boxPixels + 16) + 256) / 64) * 64
  const bend = bendFor(compute, transform, out.science)
  compute.rows('warpTiles', tiles.length, [
    tableOf(compute, tiles),
    mapFor(compute, transform),
    bend.pointer,
    bend.columns,
    science.pointer,
    mask.pointer,
    variance?.pointer ?? 0,
    science.width,
    science.height,
    out.science.pointer,
    out.mask.pointer,
    out.variance?.pointer ?? 0,
    out.science.width,
    compute.allocate(scratchBytes * compute.threads),
    scratchBytes,
    boxPixels,
    replaced,
    MaskFlag.noData,
  ])
}

/** A rectangle of the result and the box of the source that it needs; a box of 0 columns when it sees nothing of it. */
interface Tile {
  readonly column: number
  readonly row: number
  readonly columns: number
  readonly rows: number
  readonly boxX: number
  readonly boxY: number
  readonly boxColumns: number
  readonly boxRows: number
  /** The box runs from right to left, for a map that does: neighbours in the result are then neighbours in the box. */
  readonly flip: boolean
}

function tilesFor(transform: PixelTransform, source: FrameSize, { width, height }: FrameSize): Tile[] {
  const tiles: Tile[] = []
  const add = (column: number, row: number, columns: number, rows: number): void => {
    const tile = tileAt(transform, source, column, row, columns, rows)
    if (tile.boxColumns * tile.boxRows <= mostBoxPixels || (columns <= 32 && rows <= 8)) {
      tiles.push(tile)
      return
    }
    if (columns > 32 && columns >= rows) {
      const half = Math.ceil(columns / 64) * 32
      add(column, row, half, rows)
      add(column + half, row, columns - half, rows)
    } else {
      const half = rows >> 1
      add(column, row, columns, half)
      add(column, row + half, columns, rows - half)
    }
  }
  for (let row = 0; row < height; row += tileRows) {
    for (let column = 0; column < width; column += tileColumns) {
      add(column, row, Math.min(tileColumns, width - column), Math.min(tileRows, height - row))
    }
  }
  return tiles
}

function tileAt(
  transform: PixelTransform,
  source: FrameSize,
  column: number,
  row: number,
  columns: number,
  rows: number,
): Tile {
  const seen = boundsOf(transform, column, row, columns, rows)
  const fromX = Math.max(-1, Math.floor(seen.lowX) - 1)
  const toX = Math.min(source.width, Math.ceil(seen.highX) + 1)
  const fromY = Math.max(-1, Math.floor(seen.lowY) - 1)
  const toY = Math.min(source.height, Math.ceil(seen.highY) + 1)
  const place = { column, row, columns, rows }
  if (!(fromX < toX && fromY < toY)) return { ...place, boxX: 0, boxY: 0, boxColumns: 0, boxRows: 0, flip: false }
  const boxColumns = Math.ceil((toX - fromX + 1 + 2 * halo) / 16) * 16
  const boxRows = Math.ceil((toY - fromY + 1 + 2 * halo) / 8) * 8
  const flip = jacobian(transform, column + columns / 2, row + rows / 2)[0] < 0
  return { ...place, boxX: fromX - halo, boxY: fromY - halo, boxColumns, boxRows, flip }
}

/** Where the edge of a rectangle of the result lies in the source; a smooth map keeps the inside within. */
function boundsOf(
  transform: PixelTransform,
  column: number,
  row: number,
  columns: number,
  rows: number,
): { lowX: number; highX: number; lowY: number; highY: number } {
  let [lowX, highX, lowY, highY] = [Infinity, -Infinity, Infinity, -Infinity]
  const look = (x: number, y: number): void => {
    const [u, v] = applyTransform(transform, x, y)
    lowX = Math.min(lowX, u)
    highX = Math.max(highX, u)
    lowY = Math.min(lowY, v)
    highY = Math.max(highY, v)
  }
  for (let k = 0; k <= 8; k++) {
    const [x, y] = [column + ((columns - 1) * k) / 8, row + ((rows - 1) * k) / 8]
    look(x, row)
    look(x, row + rows - 1)
    look(column, y)
    look(column + columns - 1, y)
  }
  return { lowX, highX, lowY, highY }
}

function tableOf(compute: Compute, tiles: readonly Tile[]): number {
  const pointer = compute.allocate(tiles.length * tileInts * 4)
  const table = new Int32Array(compute.memory.buffer, pointer, tiles.length * tileInts)
  tiles.forEach((tile, index) => {
    const { column, row, columns, rows, boxX, boxY, boxColumns, boxRows, flip } = tile
    table.set([column, row, columns, rows, boxX, boxY, boxColumns, boxRows, flip ? 1 : 0, 0], index * tileInts)
  })
  return pointer
}

/** What a thin-plate spline adds, at every 32nd pixel, one node beyond the last; pointer 0 without one. */
function bendFor(
  compute: Compute,
  transform: PixelTransform,
  { width, height }: FrameSize,
): { readonly pointer: number; readonly columns: number } {
  if (!transform.bend) return { pointer: 0, columns: 0 }
  const columns = Math.floor((width - 1) / bendPitch) + 2
  const rows = Math.floor((height - 1) / bendPitch) + 2
  const pointer = compute.allocate(columns * rows * 8)
  const nodes = new Float32Array(compute.memory.buffer, pointer, columns * rows * 2)
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) nodes.set(bendAt(transform, i * bendPitch, j * bendPitch), 2 * (j * columns + i))
  }
  return { pointer, columns }
}

/** Within a hundredth of a pixel everywhere: nothing to gain from resampling. */
export function isIdentity(transform: PixelTransform, { width, height }: FrameSize): boolean {
  const steps = [0, 0.25, 0.5, 0.75, 1]
  return steps.every((v) =>
    steps.every((u) => {
      const [x, y] = [u * (width - 1), v * (height - 1)]
      const [atX, atY] = applyTransform(transform, x, y)
      return Math.hypot(atX - x, atY - y) < 0.01
    }),
  )
}

/** centreX, centreY, scale, ten coefficients for x and ten for y as the kernel reads them. */
function mapFor(compute: Compute, transform: PixelTransform): number {
  const numbers = [transform.centreX, transform.centreY, transform.scale, ...transform.x, ...transform.y]
  const pointer = compute.allocate(numbers.length * 8)
  new Float64Array(compute.memory.buffer, pointer, numbers.length).set(numbers)
  return pointer
}

/** Sets pixels that hold no sky (`noData`, `bad`, `cosmicRay`, not finite) to the mean of good neighbours, or 0. */
export function replaceSpoilt(compute: Compute, plane: Plane, mask: MaskPlane): void {
  const { width, height } = mask
  const spoilt = (at: number): boolean => (mask.data[at]! & replaced) !== 0 || !Number.isFinite(plane.data[at]!)
  const indices = spoiltPixels(compute, plane, mask, replaced)
  const values = Float32Array.from(indices, (at) => goodMean(at % width, Math.floor(at / width)))
  indices.forEach((at, k) => {
    plane.data[at] = values[k]!
  })

  function goodMean(x: number, y: number): number {
    if ((mask.data[y * width + x]! & MaskFlag.noData) !== 0) return 0
    let sum = 0
    let count = 0
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        const at = v * width + u
        if (spoilt(at)) continue
        sum += plane.data[at]!
        count++
      }
    }
    return count === 0 ? 0 : sum / count
  }
}
