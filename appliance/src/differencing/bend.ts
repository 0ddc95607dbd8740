import { solveLinear } from './robust.ts'
import { applyTransform, type Bend, type PixelTransform, type PointPair, thinPlate } from './transform.ts'

/**
 * What a cubic leaves of a distortion: a thin-plate spline (Duchon 1977; Bookstein 1989) through the mean residuals of stars
 * in a grid of cells. It is taken only when it foretells the residuals of stars that it was not made from.
 */
const starsPerCell = 25
const mostCells = 8
const leastCells = 4
const leastStars = 8

/** `base` with the bend that its residuals ask for, or `base` itself. Pairs go from pixels of `base` to their images. */
export function withBend(base: PixelTransform, pairs: readonly PointPair[]): PixelTransform {
  const half = pairs.filter((_, k) => k % 2 === 0)
  const other = pairs.filter((_, k) => k % 2 === 1)
  const trial = fitBend(base, half)
  if (!trial) return base
  const gain = 1 - misfit({ ...base, bend: trial }, other) / misfit(base, other)
  const bend = gain > 6 / Math.sqrt(other.length) ? fitBend(base, pairs) : undefined
  return bend ? { ...base, bend } : base
}

function misfit(transform: PixelTransform, pairs: readonly PointPair[]): number {
  return pairs.reduce((sum, pair) => {
    const [x, y] = applyTransform(transform, pair.fromX, pair.fromY)
    return sum + pair.weight * ((pair.toX - x) ** 2 + (pair.toY - y) ** 2)
  }, 0)
}

interface Cell {
  stars: number
  weight: number
  u: number
  v: number
  x: number
  y: number
}

/** Weighted means over the cells of a grid that hold stars enough. */
function cellsOf(base: PixelTransform, pairs: readonly PointPair[], side: number): Cell[] {
  const cells = Array.from({ length: side * side }, (): Cell => ({ stars: 0, weight: 0, u: 0, v: 0, x: 0, y: 0 }))
  const index = (t: number): number => Math.max(0, Math.min(side - 1, Math.floor(((t + 1) / 2) * side)))
  for (const pair of pairs) {
    const [u, v] = [(pair.fromX - base.centreX) / base.scale, (pair.fromY - base.centreY) / base.scale]
    const [x, y] = applyTransform(base, pair.fromX, pair.fromY)
    const cell = cells[index(v) * side + index(u)]!
    cell.stars++
    cell.weight += pair.weight
    cell.u += pair.weight * u
    cell.v += pair.weight * v
    cell.x += pair.weight * (pair.toX - x)
    cell.y += pair.weight * (pair.toY - y)
  }
  const full = cells.filter((cell) => cell.stars >= leastStars)
  return full.map(({ stars, weight, u, v, x, y }) => ({
    ...{ stars, weight, u: u / weight, v: v / weight, x: x / weight, y: y / weight },
  }))
}

function fitBend(base: PixelTransform, pairs: readonly PointPair[]): Bend | undefined {
  const side = Math.min(mostCells, Math.floor(Math.sqrt(pairs.length / starsPerCell)))
  if (side < leastCells) return undefined
  const cells = cellsOf(base, pairs, side)
  if (cells.length < leastCells * leastCells) return undefined
  const [u, v] = [cells.map((cell) => cell.u), cells.map((cell) => cell.v)]
  const x = solved(cells, (cell) => cell.x)
  const y = solved(cells, (cell) => cell.y)
  return x && y && { u, v, x, y }
}

function solved(cells: readonly Cell[], pick: (cell: Cell) => number): number[] | undefined {
  const n = cells.length
  const size = n + 3
  const matrix = new Float64Array(size * size)
  const right = new Float64Array(size)
  const mean = cells.reduce((sum, { weight }) => sum + weight, 0) / n
  cells.forEach((cell, i) => {
    cells.forEach((other, j) => {
      matrix[i * size + j] = thinPlate((cell.u - other.u) ** 2 + (cell.v - other.v) ** 2)
    })
    // A cell of few stars is followed less closely.
    matrix[i * size + i] = (0.01 * mean) / cell.weight
    ;[1, cell.u, cell.v].forEach((term, k) => {
      matrix[i * size + n + k] = term
      matrix[(n + k) * size + i] = term
    })
    right[i] = pick(cell)
  })
  const weights = solveLinear(matrix, right)
  return weights && [...weights]
}
