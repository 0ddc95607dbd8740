import type { MaskPlane, Plane } from '../frames/plane.ts'

/** A star whose pixels tell how one frame is turned into the other. */
export interface KernelStar {
  readonly x: number
  readonly y: number
  readonly snr: number
}

export interface KernelFrames {
  /** The sharper frame, which is convolved, and the one it is to look like; background-subtracted, on one grid, ADU. */
  readonly sharp: Plane
  readonly broad: Plane
  /** Bits of either. */
  readonly mask: MaskPlane
  readonly sharpRmsAdu: number
  readonly broadRmsAdu: number
  /** Counts of the broad frame for one of the sharp one, about. */
  readonly ratio: number
  /** Electrons for one ADU; Infinity: sources add no noise. */
  readonly sharpGain: number
  readonly broadGain: number
}

/** Least squares of one star: the normal equations of the kernel's pixels, with a constant sky of its own taken out. */
export interface KernelStamp {
  readonly star: KernelStar
  /** Of the kernel's side² pixels: symmetric, row-major. */
  readonly matrix: Float64Array
  readonly right: Float64Array
  /** What the sharp frame's own noise adds to the matrix's diagonal. */
  readonly noise: readonly number[]
  /** Σ w t² of the broad frame's pixels t, their sky taken out. */
  readonly square: number
  readonly pixels: number
}

/** No star is known better than this share of its light. */
const modelShare = 0.01

/** The stamp of a star; undefined where it leaves the frame or meets a masked pixel. */
export function kernelStamp(
  frames: KernelFrames,
  star: KernelStar,
  reach: number,
  radius: number,
): KernelStamp | undefined {
  const { sharp, broad } = frames
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  const margin = radius + reach
  if (cx < margin || cy < margin || cx >= broad.width - margin || cy >= broad.height - margin) return undefined
  if (!isClean(frames.mask, cx, cy, margin)) return undefined
  const side = 2 * radius + 1
  const count = side * side
  const target = new Float64Array(count)
  const weights = new Float64Array(count)
  const sky = frames.broadRmsAdu ** 2 + (frames.ratio * frames.sharpRmsAdu) ** 2
  for (let p = 0; p < count; p++) {
    const value = broad.data[(cy - radius + Math.floor(p / side)) * broad.width + cx - radius + (p % side)]!
    const source = Math.max(0, value)
    const variance = sky + source / frames.broadGain
    target[p] = value
    weights[p] = 1 / (variance + (modelShare * source) ** 2)
  }
  const columns = shiftedColumns(sharp, cx, cy, reach, radius)
  // Before the columns lose their mean.
  const noise = noiseIn(columns, weights, frames)
  const equations = normalEquations(columns, target, weights)
  return { star, ...equations, noise, pixels: count }
}

function isClean({ data, width }: MaskPlane, cx: number, cy: number, margin: number): boolean {
  for (let y = cy - margin; y <= cy + margin; y++)
    for (let x = cx - margin; x <= cx + margin; x++) if (data[y * width + x] !== 0) return false
  return true
}

/** For each pixel of the kernel, the sharp frame's stamp as that pixel alone would move it. */
function shiftedColumns(sharp: Plane, cx: number, cy: number, reach: number, radius: number): Float64Array[] {
  const side = 2 * radius + 1
  const across = 2 * reach + 1
  return Array.from({ length: across * across }, (_, k) => {
    const [i, j] = [(k % across) - reach, Math.floor(k / across) - reach]
    const column = new Float64Array(side * side)
    for (let v = 0; v < side; v++) {
      const from = (cy - radius + v - j) * sharp.width + cx - radius - i
      for (let u = 0; u < side; u++) column[v * side + u] = sharp.data[from + u]!
    }
    return column
  })
}

/** Σ w σ² of each column: it would pass for light that is there, and the kernel's sum would come out too low. */
function noiseIn(columns: readonly Float64Array[], weights: Float64Array, frames: KernelFrames): number[] {
  const sky = frames.sharpRmsAdu ** 2
  return columns.map((column) => {
    let sum = 0
    for (let p = 0; p < column.length; p++) sum += weights[p]! * (sky + Math.max(0, column[p]!) / frames.sharpGain)
    return sum
  })
}

function normalEquations(
  columns: readonly Float64Array[],
  target: Float64Array,
  weights: Float64Array,
): Pick<KernelStamp, 'matrix' | 'right' | 'square'> {
  const n = columns.length
  const total = weights.reduce((sum, w) => sum + w, 0)
  // A sky of the stamp's own: everything is taken off its weighted mean.
  for (const values of [...columns, target]) {
    let mean = 0
    for (let p = 0; p < values.length; p++) mean += weights[p]! * values[p]!
    mean /= total
    for (let p = 0; p < values.length; p++) values[p]! -= mean
  }
  const matrix = new Float64Array(n * n)
  const right = new Float64Array(n)
  const weighted = new Float64Array(target.length)
  for (let i = 0; i < n; i++) {
    const column = columns[i]!
    for (let p = 0; p < weighted.length; p++) weighted[p] = weights[p]! * column[p]!
    right[i] = dot(weighted, target)
    for (let j = i; j < n; j++) {
      const value = dot(weighted, columns[j]!)
      matrix[i * n + j] = value
      matrix[j * n + i] = value
    }
  }
  for (let p = 0; p < weighted.length; p++) weighted[p] = weights[p]! * target[p]!
  return { matrix, right, square: dot(weighted, target) }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let p = 0; p < a.length; p++) sum += a[p]! * b[p]!
  return sum
}
