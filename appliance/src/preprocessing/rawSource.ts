import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import type { RawPixels } from '../frames/fits/rawImage.ts'
import { awayFromImage, columnLevels, type Geometry, type OverscanLevels, rowLevels } from './overscan.ts'

/** What is taken from raw values before any master but the bias. */
export interface SignalOptions {
  readonly geometry: Geometry
  readonly levels: OverscanLevels | undefined
  /** Pointer to the bias of the rows, 0 for none. */
  readonly bias: number
  readonly nonLinearity: CameraSettings['nonLinearity']
}

/**
 * Writes the block that tells the kernels of assembly/calibrate.ts where raw values come from (`RawSource` there); the
 * first row used is row `firstRow` of `pixels`. Valid until the caller's scope ends.
 */
export function sourceBlock(compute: Compute, pixels: RawPixels, firstRow: number, options: SignalOptions): number {
  const { geometry, levels, bias, nonLinearity = [] } = options
  const pointer = compute.allocate(48)
  const view = new DataView(compute.memory.buffer, pointer, 48)
  const levelsAt = levels ? floats(compute, levels.levels) : 0
  const none = 0x40000000
  view.setUint32(0, pixels.pointer, true)
  view.setInt32(4, pixels.kind === 'int16' ? 1 : 0, true)
  view.setFloat32(8, pixels.zero, true)
  view.setInt32(12, pixels.blank ?? none, true)
  view.setInt32(16, pixels.width, true)
  view.setInt32(20, geometry.trim.x0, true)
  view.setInt32(24, firstRow, true)
  view.setUint32(28, levels?.axis === 'row' ? levelsAt : 0, true)
  view.setUint32(32, levels?.axis === 'column' ? levelsAt : 0, true)
  view.setUint32(36, bias, true)
  view.setUint32(40, nonLinearity.length > 0 ? floats(compute, nonLinearity) : 0, true)
  view.setInt32(44, nonLinearity.length, true)
  return pointer
}

function floats(compute: Compute, values: ArrayLike<number>): number {
  // Vectors are read whole: the last one may reach three floats beyond.
  const pointer = compute.allocate(values.length * 4 + 16)
  new Float32Array(compute.memory.buffer, pointer, values.length).set(values)
  return pointer
}

/** Overscan levels of a whole raw frame in memory. */
export function frameLevels(compute: Compute, pixels: RawPixels, geometry: Geometry): OverscanLevels | undefined {
  if (!geometry.overscan) return undefined
  const { trim, axis } = geometry
  if (axis === 'row') return rowLevels(compute, { ...pixels, height: trim.y1 }, geometry, trim.y0)
  const { y0, y1 } = awayFromImage(geometry)
  const bytes = pixels.kind === 'int16' ? 2 : 4
  return columnLevels(
    compute,
    { ...pixels, pointer: pixels.pointer + y0 * pixels.width * bytes, height: y1 - y0 },
    geometry,
  )
}
