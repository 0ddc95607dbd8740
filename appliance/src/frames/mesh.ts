import type { Compute } from './compute.ts'
import type { Plane } from './plane.ts'

/** A coarse grid over a frame: one value for each square cell, at the cell's middle. */
export interface Mesh {
  readonly cellPixels: number
  readonly columns: number
  readonly rows: number
  /** In the pixel memory, row by row. */
  readonly pointer: number
  readonly data: Float32Array
}

/** Bilinear between the middles of cells, the nearest cell's value beyond them; `x`, `y` in 0-based pixels of the frame. */
export function meshAt(mesh: Mesh, x: number, y: number): number {
  const u = Math.max(0, Math.min(mesh.columns - 1, (x + 0.5) / mesh.cellPixels - 0.5))
  const v = Math.max(0, Math.min(mesh.rows - 1, (y + 0.5) / mesh.cellPixels - 0.5))
  const [i, j] = [
    Math.min(Math.floor(u), Math.max(0, mesh.columns - 2)),
    Math.min(Math.floor(v), Math.max(0, mesh.rows - 2)),
  ]
  const [fu, fv] = [u - i, v - j]
  const at = (dx: number, dy: number): number =>
    mesh.data[Math.min(j + dy, mesh.rows - 1) * mesh.columns + Math.min(i + dx, mesh.columns - 1)]!
  return (1 - fv) * ((1 - fu) * at(0, 0) + fu * at(1, 0)) + fv * ((1 - fu) * at(0, 1) + fu * at(1, 1))
}

/** A mesh with the natural bicubic spline through its cells; beyond the outer cells' middles the spline is drawn out. */
export interface SplineMesh extends Mesh {
  /**
   * In the pixel memory: four f64 for each cell, its value and the spline's second derivatives there along y, along x and
   * along both, in cells.
   */
  readonly spline: number
}

/** Allocates a mesh of these values. */
export function createMesh(
  compute: Compute,
  { cellPixels, columns, rows }: Pick<Mesh, 'cellPixels' | 'columns' | 'rows'>,
  values: ArrayLike<number>,
): Mesh {
  const pointer = compute.allocate(columns * rows * 4)
  const data = new Float32Array(compute.memory.buffer, pointer, columns * rows)
  data.set(values)
  return { cellPixels, columns, rows, pointer, data }
}

/** Allocates a mesh of these values with its spline. */
export function createSplineMesh(
  compute: Compute,
  size: Pick<Mesh, 'cellPixels' | 'columns' | 'rows'>,
  values: Float64Array,
): SplineMesh {
  const { columns, rows } = size
  const mesh = createMesh(compute, size, values)
  const alongY = secondDerivatives(values, { lines: columns, line: 1, count: rows, step: columns })
  const across = { lines: rows, line: columns, count: columns, step: 1 }
  const terms = [values, alongY, secondDerivatives(values, across), secondDerivatives(alongY, across)]
  const spline = compute.allocate(columns * rows * 32)
  const table = new Float64Array(compute.memory.buffer, spline, columns * rows * 4)
  terms.forEach((term, k) => {
    for (let i = 0; i < term.length; i++) table[4 * i + k] = term[i]!
  })
  return { ...mesh, spline }
}

/** Draws a mesh out to a plane of the frame's size, with the values of `meshAt`. */
export function paintMesh(compute: Compute, mesh: Mesh, into: Plane): void {
  const { pointer, columns, rows, cellPixels } = mesh
  compute.rows('paintMesh', into.height, [pointer, columns, rows, cellPixels, into.pointer, into.width])
}

/** Draws the spline of a mesh out to a plane of the frame's size. */
export function paintSpline(compute: Compute, mesh: SplineMesh, into: Plane): void {
  const { spline, columns, rows, cellPixels } = mesh
  compute.rows('subtractSpline', into.height, [0, spline, columns, rows, cellPixels, into.pointer, into.width])
}

/** `into` = `from` − the spline of the mesh; the same plane may be given twice. NaN stays. */
export function subtractSpline(compute: Compute, mesh: SplineMesh, from: Plane, into: Plane): void {
  const { spline, columns, rows, cellPixels } = mesh
  compute.rows('subtractSpline', into.height, [
    from.pointer,
    spline,
    columns,
    rows,
    cellPixels,
    into.pointer,
    into.width,
  ])
}

/** Where the lines of a grid lie in an array: `lines` lines `line` apart, each of `count` numbers `step` apart. */
interface Lines {
  readonly lines: number
  readonly line: number
  readonly count: number
  readonly step: number
}

/** Of natural cubic splines through each line, on a unit grid: tridiagonal (1, 4, 1) · s = 6 · second differences. */
function secondDerivatives(values: Float64Array, { lines, line, count, step }: Lines): Float64Array {
  const result = new Float64Array(values.length)
  const pivot = new Float64Array(count)
  for (let k = 0; k < lines; k++) {
    const at = (i: number): number => k * line + i * step
    for (let i = 1; i < count - 1; i++) {
      const beta = 4 - pivot[i - 1]!
      const right = 6 * (values[at(i + 1)]! - 2 * values[at(i)]! + values[at(i - 1)]!)
      pivot[i] = 1 / beta
      result[at(i)] = (right - result[at(i - 1)]!) / beta
    }
    for (let i = count - 2; i > 0; i--) result[at(i)]! -= pivot[i]! * result[at(i + 1)]!
  }
  return result
}
