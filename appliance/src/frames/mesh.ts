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
