import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import { createMesh, createSplineMesh, type Mesh, type SplineMesh } from '../frames/mesh.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { type Cells, cellNoise, uncrowded } from './backgroundCrowding.ts'

/**
 * The sky below the stars: the mode of each cell of a mesh (Bertin & Arnouts 1996, section 7: clipping at 3 standard
 * deviations about the median, 2.5 × median − 1.5 × mean, the median alone where the field is crowded), a 3 × 3 median
 * over the mesh, and a natural bicubic spline through the cells.
 */
export interface Background {
  /** ADU; `subtractSpline` and `paintSpline` draw it out. */
  readonly level: SplineMesh
  /** Standard deviation of one pixel's noise about the level, ADU, above 0; `meshAt` and `paintMesh` read it. */
  readonly rms: Mesh
  /** Median of the mesh. */
  readonly globalLevelAdu: number
  readonly globalRmsAdu: number
}

export interface BackgroundOptions {
  /** Side of a mesh cell; 64. Larger than any star, smaller than the structure of the sky. */
  readonly meshPixels?: number
}

/** Pixels that say nothing about the sky. */
const notSky =
  MaskFlag.noData |
  MaskFlag.bad |
  MaskFlag.saturated |
  MaskFlag.bloom |
  MaskFlag.cosmicRay |
  MaskFlag.streak |
  MaskFlag.edge
const leastGoodShare = 0.5
/** What the kernel wants beside the values of a cell: a histogram. */
const histogramBytes = 16_512

/**
 * Measures the background of `science` (ADU, any size); masked and NaN pixels do not count, and cells of which more than
 * half are masked take the value of their nearest neighbours. Agrees with sep (SExtractor) within 0.1 of its rms where the
 * field is not crowded; where it is, `rms` is the noise of a pixel without the light of faint stars, and `level` lies below it.
 * Throws `background/mesh` for a mesh that is not 8 to 512 pixels and `background/empty` when no cell has good pixels.
 */
export function measureBackground(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  { meshPixels = 64 }: BackgroundOptions = {},
): Background {
  if (!(Number.isInteger(meshPixels) && meshPixels >= 8 && meshPixels <= 512)) {
    throw new NightjarError('background/mesh', `meshPixels must be a whole number from 8 to 512, not ${meshPixels}`)
  }
  const source = { science, mask, bits: notSky, meshPixels }
  const cells = filterMesh(fillMissing(uncrowded(compute, source, measureMesh(compute, science, mask, meshPixels))))
  const size = { cellPixels: meshPixels, columns: cells.columns, rows: cells.rows }
  return {
    level: createSplineMesh(compute, size, cells.level),
    rms: createMesh(compute, size, keptPositive(cells.rms)),
    globalLevelAdu: medianOf(cells.level),
    globalRmsAdu: medianOf(cells.rms),
  }
}

/**
 * The noise of one pixel on the background's mesh from differences of pixels 2 px apart in the darker half of each cell: the
 * light of faint stars is not in it, and what resampling leaves of it is read within 6 %.
 */
export function measureWhiteNoise(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  { rms }: Pick<Background, 'rms'>,
): { readonly noise: Mesh; readonly globalNoiseAdu: number } {
  const { columns, rows, cellPixels: meshPixels } = rms
  const noise = createMesh(compute, rms, rms.data)
  const values = cellNoise(compute, { science, mask, bits: notSky, meshPixels }, 2, 2)
  const known = values.map((value) => (value > 0 ? value : Number.NaN))
  if (known.some((value) => value > 0)) {
    const cells = fillMissing({ columns, rows, level: known, rms: known })
    noise.data.set(median3(cells, cells.rms))
  }
  return { noise, globalNoiseAdu: medianOf(noise.data) }
}

function measureMesh(compute: Compute, science: Plane, mask: MaskPlane | undefined, meshPixels: number): Cells {
  const columns = Math.ceil(science.width / meshPixels)
  const rows = Math.ceil(science.height / meshPixels)
  using _scratch = compute.scope()
  const out = compute.float32(columns * 2, rows)
  const scratchBytes = Math.ceil((meshPixels * meshPixels * 4 + histogramBytes) / 64) * 64
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const size = [science.width, science.height, meshPixels, columns]
  const planes = [science.pointer, mask?.pointer ?? 0, notSky]
  compute.rows('meshStatistics', rows, [...planes, ...size, leastGoodShare, out.pointer, scratch, scratchBytes])
  const level = Float64Array.from({ length: columns * rows }, (_, i) => out.data[2 * i]!)
  const rms = Float64Array.from({ length: columns * rows }, (_, i) => out.data[2 * i + 1]!)
  return { columns, rows, level, rms }
}

/** Gives cells without a value the mean of the nearest cells that have one. */
function fillMissing(mesh: Cells): Cells {
  const good = Array.from(mesh.level.keys()).filter((i) => !Number.isNaN(mesh.level[i]!))
  if (good.length === mesh.level.length) return mesh
  if (good.length === 0) {
    throw new NightjarError(
      'background/empty',
      'no part of the frame has unmasked pixels: check the mask and the frame',
    )
  }
  const fill = (values: Float64Array): Float64Array =>
    values.map((value, i) => (Number.isNaN(value) ? nearestMean(mesh.columns, good, values, i) : value))
  return { ...mesh, level: fill(mesh.level), rms: fill(mesh.rms) }
}

function nearestMean(columns: number, good: readonly number[], values: Float64Array, at: number): number {
  const x = at % columns
  const y = Math.floor(at / columns)
  let nearest = Number.POSITIVE_INFINITY
  let sum = 0
  let count = 0
  for (const i of good) {
    const distance = ((i % columns) - x) ** 2 + (Math.floor(i / columns) - y) ** 2
    if (distance > nearest) continue
    if (distance < nearest) {
      nearest = distance
      sum = 0
      count = 0
    }
    sum += values[i]!
    count++
  }
  return sum / count
}

/** 3 × 3 median: a bright star or galaxy that fills a cell does not lift the sky. */
function filterMesh(mesh: Cells): Cells {
  return { ...mesh, level: median3(mesh, mesh.level), rms: median3(mesh, mesh.rms) }
}

function median3({ columns, rows }: Cells, values: Float64Array): Float64Array {
  const window = new Float64Array(9)
  return values.map((_, i) => {
    const x = i % columns
    const y = Math.floor(i / columns)
    let count = 0
    // At a border the window shrinks on both sides: a lopsided one would be biased on a slope.
    const reachX = Math.min(1, x, columns - 1 - x)
    const reachY = Math.min(1, y, rows - 1 - y)
    for (let v = y - reachY; v <= y + reachY; v++) {
      for (let u = x - reachX; u <= x + reachX; u++) {
        const value = values[v * columns + u]!
        let place = count++
        for (; place > 0 && window[place - 1]! > value; place--) window[place] = window[place - 1]!
        window[place] = value
      }
    }
    return window[count >> 1]!
  })
}

function medianOf(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort()
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** A noise that is not positive would divide by zero. */
function keptPositive(rms: Float64Array): Float64Array {
  const least = Math.min(...rms.filter((value) => value > 0), 1e30)
  return rms.map((value) => Math.max(value, least === 1e30 ? 1e-6 : 0.1 * least))
}
