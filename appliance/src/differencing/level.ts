import type { Compute } from '../frames/compute.ts'
import { createMesh, type Mesh } from '../frames/mesh.ts'
import type { Plane } from '../frames/plane.ts'
import { median } from './robust.ts'

const cellPixels = 128
/** Of the kernel's histogram. */
const bytesPerThread = 4096

/**
 * Takes the local median off a plane of noise, in place: what is left of the sky in D or S_corr. Each frame's own sky is biased
 * by the stars and galaxies that are too faint to see, the more the wider its PSF; and a fortieth of the noise of a pixel is
 * 0.15 in S_corr at FWHM 3 px. Medians of cells of 128 px (of what lies within two `sigma`), each then the mean of its 3 × 3, and
 * bilinear between. Pixels that are 0 are missing. Returns what was taken off.
 */
export function takeOffMedian(compute: Compute, plane: Plane, sigma: number): Mesh {
  const { width, height, pointer } = plane
  const size = { cellPixels, columns: Math.ceil(width / cellPixels), rows: Math.ceil(height / cellPixels) }
  const mesh = createMesh(compute, size, smoothed(measured(compute, plane, size, sigma), size))
  using _scratch = compute.scope()
  const record = compute.allocate(16)
  new Int32Array(compute.memory.buffer, record, 3).set([mesh.pointer, mesh.columns, mesh.rows])
  new Float32Array(compute.memory.buffer, record + 12, 1)[0] = mesh.cellPixels
  const lines = compute.allocate(compute.threads * (width + 4) * 4)
  compute.rows('subtractMesh', height, [pointer, width, record, lines])
  return mesh
}

type Size = Pick<Mesh, 'cellPixels' | 'columns' | 'rows'>

/** Medians of the cells; NaN where too few pixels count. */
function measured(compute: Compute, { pointer, width, height }: Plane, size: Size, sigma: number): Float32Array {
  using _scratch = compute.scope()
  const out = createMesh(compute, size, new Float32Array(size.columns * size.rows))
  const scratch = compute.allocate(compute.threads * bytesPerThread)
  compute.rows('cellMedians', size.rows, [
    pointer,
    width,
    height,
    cellPixels,
    size.columns,
    sigma,
    out.pointer,
    scratch,
  ])
  return out.data.slice()
}

/** The mean of the 3 × 3 cells about each; cells without a value do not count, and nine of them take the median of all. */
function smoothed(values: Float32Array, { columns, rows }: Size): Float64Array {
  const known = Array.from(values).filter((value) => !Number.isNaN(value))
  const fallback = known.length > 0 ? median(known) : 0
  return Float64Array.from(values, (_, k) => {
    const [i, j] = [k % columns, Math.floor(k / columns)]
    const near: number[] = []
    for (let v = Math.max(0, j - 1); v <= Math.min(rows - 1, j + 1); v++) {
      for (let u = Math.max(0, i - 1); u <= Math.min(columns - 1, i + 1); u++) near.push(values[v * columns + u]!)
    }
    const good = near.filter((value) => !Number.isNaN(value))
    return good.length > 0 ? good.reduce((sum, value) => sum + value, 0) / good.length : fallback
  })
}
