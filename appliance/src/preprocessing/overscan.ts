import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import type { RawPixels } from '../frames/fits/rawImage.ts'
import { preprocessingError } from './errors.ts'

/** Columns [x0, x1) and rows [y0, y1), counted from 0. */
export interface Section {
  readonly x0: number
  readonly x1: number
  readonly y0: number
  readonly y1: number
}

/** Which part of a raw frame saw the sky, and which part tells its bias level. */
export interface Geometry {
  readonly trim: Section
  readonly overscan: Section | undefined
  /** Overscan beside the rows gives a level for each row, above or below them one for each column. */
  readonly axis: 'row' | 'column'
  /** Nothing is trimmed. */
  readonly isWhole: boolean
}

/**
 * The geometry of a raw frame: the camera settings' sections, else BIASSEC and TRIMSEC (NOAO's form `[x1:x2,y1:y2]`, from
 * 1, both ends included). Without them the whole frame is used. Throws `preprocessing/section` for a section that is not
 * inside the frame, and for an overscan that has neither the rows nor the columns of the image.
 */
export function geometryOf(
  header: FitsHeader,
  width: number,
  height: number,
  settings: CameraSettings['overscan'],
): Geometry {
  const whole = { x0: 0, x1: width, y0: 0, y1: height }
  const trimText = settings?.trimSection ?? header.text('TRIMSEC')
  const biasText = settings?.biasSection ?? header.text('BIASSEC')
  const trim = trimText === undefined ? whole : parseSection('TRIMSEC', trimText, width, height)
  const isWhole = trim.x1 - trim.x0 === width && trim.y1 - trim.y0 === height
  if (biasText === undefined) return { trim, overscan: undefined, axis: 'row', isWhole }
  const overscan = parseSection('BIASSEC', biasText, width, height)
  if (overscan.y0 <= trim.y0 && overscan.y1 >= trim.y1) return { trim, overscan, axis: 'row', isWhole }
  if (overscan.x0 <= trim.x0 && overscan.x1 >= trim.x1) return { trim, overscan, axis: 'column', isWhole }
  throw preprocessingError(
    'section',
    `BIASSEC ${biasText} has neither all rows nor all columns of TRIMSEC ${trimText ?? 'the whole frame'}: correct the camera settings`,
  )
}

function parseSection(name: string, text: string, width: number, height: number): Section {
  const found = /^\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*$/.exec(text)
  const [x1, x2, y1, y2] = (found ?? []).slice(1).map(Number) as [number, number, number, number]
  if (!found || x1 < 1 || x2 < x1 || x2 > width || y1 < 1 || y2 < y1 || y2 > height) {
    throw preprocessingError(
      'section',
      `${name} ${text} is not a section of a frame of ${width} × ${height} pixels: it should look like [1:${width},1:${height}]`,
    )
  }
  return { x0: x1 - 1, x1: x2, y0: y1 - 1, y1: y2 }
}

/** Levels for the rows or columns used, and how many pixels each was taken from. */
export interface OverscanLevels {
  readonly axis: Geometry['axis']
  readonly levels: Float32Array
  readonly pixels: number
}

/** Values this many σ from the median are left out of an overscan level. */
const clipSigma = 4
/** A quarter of the overscan nearest to the image is left out, at most this many pixels: charge trails into it. */
const mostTrail = 4

/**
 * The level of each used row: the clipped mean of its overscan pixels less the few that charge trails into. `pixels` has
 * the used rows only, counted from `rowFrom` of the used frame.
 */
export function rowLevels(compute: Compute, pixels: RawPixels, geometry: Geometry, firstRow: number): OverscanLevels {
  const { x0, x1 } = awayFromImage(geometry)
  const levels = new Float32Array(pixels.height - firstRow)
  const read = readerOf(compute, pixels)
  const values = new Float64Array(x1 - x0)
  for (let y = 0; y < levels.length; y++) {
    const start = (firstRow + y) * pixels.width
    for (let x = x0; x < x1; x++) values[x - x0] = read(start + x)
    levels[y] = clippedMean(values)
  }
  return { axis: 'row', levels, pixels: values.length }
}

/** The level of each used column; `pixels` has the overscan's rows only. */
export function columnLevels(compute: Compute, pixels: RawPixels, geometry: Geometry): OverscanLevels {
  const { trim } = geometry
  const levels = new Float32Array(trim.x1 - trim.x0)
  const read = readerOf(compute, pixels)
  const values = new Float64Array(pixels.height)
  for (let x = 0; x < levels.length; x++) {
    for (let y = 0; y < values.length; y++) values[y] = read(y * pixels.width + trim.x0 + x)
    levels[x] = clippedMean(values)
  }
  return { axis: 'column', levels, pixels: values.length }
}

/** The overscan without its part next to the image. */
export function awayFromImage({ overscan, trim, axis }: Geometry): Section {
  if (!overscan) throw preprocessingError('section', 'the frame has no overscan: give BIASSEC')
  const { x0, x1, y0, y1 } = overscan
  const [low, high] = axis === 'row' ? [x0, x1] : [y0, y1]
  const skip = Math.min(mostTrail, Math.floor((high - low) / 4))
  if (axis === 'row') return low >= trim.x1 ? { x0: x0 + skip, x1, y0, y1 } : { x0, x1: x1 - skip, y0, y1 }
  return low >= trim.y1 ? { x0, x1, y0: y0 + skip, y1 } : { x0, x1, y0, y1: y1 - skip }
}

function readerOf(compute: Compute, { kind, pointer, width, height, zero }: RawPixels): (index: number) => number {
  if (kind === 'float32') {
    const values = new Float32Array(compute.memory.buffer, pointer, width * height)
    return (index) => values[index]!
  }
  const view = new DataView(compute.memory.buffer, pointer, width * height * 2)
  return (index) => view.getInt16(index * 2) + zero
}

function clippedMean(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort()
  const quantile = (fraction: number): number => sorted[Math.round(fraction * (sorted.length - 1))]!
  const median = quantile(0.5)
  const limit = (clipSigma / 2) * (quantile(0.8413) - quantile(0.1587)) + 1
  let [sum, count] = [0, 0]
  for (const value of values) {
    if (!(Math.abs(value - median) <= limit)) continue
    sum += value - median
    count++
  }
  return median + sum / Math.max(1, count)
}
