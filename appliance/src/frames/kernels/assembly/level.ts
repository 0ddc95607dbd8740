// What is left of the sky in a map of noise: medians in the cells of a mesh, and taking them off.
import { ownScratch } from './thread'
import { meshLine } from './zogyRows'

/** Bins of a cell's histogram, over eight standard deviations. */
const bins = 1024

/**
 * Rows are rows of cells. A pixel that is 0 is missing. Writes the median of what lies within two `sigma` of the median, and NaN
 * for a cell with fewer than a quarter of its pixels. `scratch`: for each thread 4 KiB.
 */
export function cellMedians(
  rowFrom: i32,
  rowTo: i32,
  plane: usize,
  width: i32,
  height: i32,
  cell: i32,
  columns: i32,
  sigma: f32,
  out: usize,
  scratch: usize,
): void {
  const counts = ownScratch(scratch, bins << 2)
  const step: f32 = (8 * sigma) / <f32>bins
  const around = bins / 4
  for (let row = rowFrom; row < rowTo; row++) {
    for (let column = 0; column < columns; column++) {
      const left = column * cell
      const right = min(width, left + cell)
      const top = row * cell
      const bottom = min(height, top + cell)
      const total = fill(counts, plane, width, left, right, top, bottom, <f32>1 / step)
      const middle = <i32>medianOf(counts, 0, bins)
      const value = medianOf(counts, max(0, middle - around), min(bins, middle + around))
      const enough = total * 4 >= (right - left) * (bottom - top)
      const at = <usize>(row * columns + column) << 2
      store<f32>(out + at, enough ? (value - <f32>(bins / 2)) * step : f32.NaN)
    }
  }
}

/** Counts values into bins; how many were counted. */
function fill(
  counts: usize,
  plane: usize,
  width: i32,
  left: i32,
  right: i32,
  top: i32,
  bottom: i32,
  perStep: f32,
): i32 {
  memory.fill(counts, 0, bins << 2)
  let total = 0
  for (let y = top; y < bottom; y++) {
    const line = plane + (<usize>(y * width) << 2)
    for (let x = left; x < right; x++) {
      const value = load<f32>(line + (<usize>x << 2))
      const place = value * perStep + <f32>(bins / 2)
      if (value == 0 || !(place >= 0 && place < <f32>bins)) continue
      const p = counts + (<usize>(<i32>place) << 2)
      store<i32>(p, load<i32>(p) + 1)
      total++
    }
  }
  return total
}

/** Median of the counts in bins [from, to), in bins, linear within one. */
function medianOf(counts: usize, from: i32, to: i32): f32 {
  let total = 0
  for (let bin = from; bin < to; bin++) total += load<i32>(counts + (<usize>bin << 2))
  const half: f32 = <f32>total * 0.5
  let below = 0
  for (let bin = from; bin < to; bin++) {
    const here = load<i32>(counts + (<usize>bin << 2))
    if (<f32>(below + here) >= half && here > 0) return <f32>bin + (half - <f32>below) / <f32>here
    below += here
  }
  return <f32>(bins / 2)
}

/** Subtracts a mesh (pointer, columns, rows, pixels of a cell as f32) from rows of a plane. `scratch`: a row and 4 floats a thread. */
export function subtractMesh(rowFrom: i32, rowTo: i32, plane: usize, width: i32, mesh: usize, scratch: usize): void {
  const line = ownScratch(scratch, <usize>(width + 4) << 2)
  for (let y = rowFrom; y < rowTo; y++) {
    meshLine(mesh, 0, y, width, line)
    const at = plane + (<usize>(y * width) << 2)
    let x = 0
    for (; x + 4 <= width; x += 4) {
      const p = at + (<usize>x << 2)
      v128.store(p, f32x4.sub(v128.load(p), v128.load(line + (<usize>x << 2))))
    }
    for (; x < width; x++) {
      const p = at + (<usize>x << 2)
      store<f32>(p, load<f32>(p) - load<f32>(line + (<usize>x << 2)))
    }
  }
}
