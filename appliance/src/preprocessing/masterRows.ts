import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import { type RowFile, rowsOf } from '../frames/fits/rawImage.ts'
import type { Frame } from '../frames/frame.ts'
import type { Plane } from '../frames/plane.ts'
import { preprocessingError } from './errors.ts'
import { awayFromImage, columnLevels, type Geometry, geometryOf, type OverscanLevels, rowLevels } from './overscan.ts'
import { sourceBlock } from './rawSource.ts'
import { type StackOptions, stackInto } from './stack.ts'

/** What is taken from every frame of a master before they are stacked. */
export interface Reduction {
  readonly overscan?: CameraSettings['overscan']
  readonly nonLinearity?: CameraSettings['nonLinearity']
  readonly bias?: Plane | undefined
  /** Times `scale`, for flats. */
  readonly dark?: { readonly plane: Plane; readonly scale: number } | undefined
}

/** The frames of one master, to be read a few rows at a time; memory does not grow with their number. */
export interface FrameSet {
  readonly width: number
  readonly height: number
  readonly count: number
  /** Signals of rows [from, to) of frame `index`, written to `out`. */
  signals(compute: Compute, index: number, from: number, to: number, out: number): void
}

/** Pixels of all frames that are in memory at a time. */
const bandPixels = 6_000_000
/** Pixels of one frame that its level and its noise are measured on, spread over the frame. */
const samplePixels = 2_000_000
const sampleBlocks = 32

/** Throws `preprocessing/shape` for frames of different sizes or a bias of another one. */
export function frameSet(compute: Compute, frames: readonly (Frame | RowFile)[], reduction: Reduction): FrameSet {
  const files = frames.map((frame, index) => ('rows' in frame ? frame : rowsOf(frame, `number ${index + 1}`)))
  const geometries = files.map((file) => geometryOf(file.header, file.width, file.height, reduction.overscan))
  const [first] = geometries
  if (!first) throw preprocessingError('few', 'a master needs frames')
  const [width, height] = [first.trim.x1 - first.trim.x0, first.trim.y1 - first.trim.y0]
  const check = (name: string, w: number, h: number): void => {
    if (w === width && h === height) return
    throw preprocessingError(
      'shape',
      `${name} has ${w} × ${h} pixels, the others ${width} × ${height}: they do not fit`,
    )
  }
  geometries.forEach(({ trim }, index) => {
    check(`frame ${files[index]!.name}`, trim.x1 - trim.x0, trim.y1 - trim.y0)
  })
  for (const [name, plane] of Object.entries({ bias: reduction.bias, dark: reduction.dark?.plane }))
    if (plane) check(`the ${name} master`, plane.width, plane.height)
  const columns = files.map((file, index) => columnsOf(compute, file, geometries[index]!))
  return {
    width,
    height,
    count: files.length,
    signals: (into, index, from, to, out) => {
      using _scratch = into.scope()
      const geometry = geometries[index]!
      const y0 = geometry.trim.y0
      const raw = files[index]!.rows(into, y0 + from, y0 + to)
      const isRow = geometry.overscan && geometry.axis === 'row'
      const levels = isRow ? rowLevels(into, raw, geometry, 0) : columns[index]
      const at = (plane: Plane | undefined): number => (plane ? plane.pointer + from * width * 4 : 0)
      const { nonLinearity, dark } = reduction
      const block = sourceBlock(into, raw, 0, { geometry, levels, bias: at(reduction.bias), nonLinearity })
      into.rows('signalRows', to - from, [block, at(dark?.plane), 0, out, width, dark?.scale ?? 0])
    },
  }
}

function columnsOf(compute: Compute, file: RowFile, geometry: Geometry): OverscanLevels | undefined {
  if (!geometry.overscan || geometry.axis === 'row') return undefined
  using _scratch = compute.scope()
  const { y0, y1 } = awayFromImage(geometry)
  return columnLevels(compute, file.rows(compute, y0, y1), geometry)
}

/** Clipped mean of all frames, band by band. */
export function stackSet(compute: Compute, set: FrameSet, options: StackOptions): Plane {
  const { width, height, count } = set
  const out = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  // Bands start at multiples of four pixels whatever the width.
  const rows = Math.max(4, Math.floor(bandPixels / (count * width) / 4) * 4)
  for (let from = 0; from < height; from += rows) {
    using _band = compute.scope()
    const to = Math.min(height, from + rows)
    const planes = Array.from({ length: count }, (_, index) => {
      const pointer = compute.allocate((to - from) * width * 4)
      set.signals(compute, index, from, to, pointer)
      return pointer
    })
    stackInto(compute, planes, compute.view(Float32Array, out.pointer + from * width * 4, width, to - from), options)
  }
  return out
}

/** How many rows of each frame are enough for its level and noise. */
export function sampleRows({ width, height }: FrameSet): number {
  const wanted = Math.min(height, Math.ceil(samplePixels / width))
  return wanted === height ? height : Math.max(1, Math.floor(wanted / sampleBlocks)) * sampleBlocks
}

/** Rows of one frame in blocks spread evenly over it, into a plane of `sampleRows` rows. */
export function fillSample(compute: Compute, set: FrameSet, index: number, out: Plane): void {
  const blocks = out.height === set.height ? 1 : sampleBlocks
  const rows = out.height / blocks
  for (let block = 0; block < blocks; block++) {
    const from = Math.floor((block * (set.height - rows)) / Math.max(1, blocks - 1))
    set.signals(compute, index, from, from + rows, out.pointer + block * rows * set.width * 4)
  }
}
