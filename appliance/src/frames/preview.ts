import type { Compute } from './compute.ts'
import type { MaskPlane, Plane } from './plane.ts'
import { medianAndMad, quantiles, sigmaPerMad } from './statistics.ts'

/** A grey picture of a frame, eight bits a pixel, rows as in the frame. The bytes are a copy: they outlive the arena. */
export interface Preview {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
  /** Frame pixels along each side of a preview pixel. */
  readonly factor: number
  /** The values shown black and white. */
  readonly black: number
  readonly white: number
}

export interface PreviewOptions {
  /** The frame is binned by the smallest whole factor that makes it no wider than this; 1600. */
  readonly maxWidth?: number
  /** Default `asinh`: faint and bright things both show. */
  readonly stretch?: 'asinh' | 'linear'
  /** Overrides of the limits that are found from the pixels. */
  readonly black?: number
  readonly white?: number
}

const tableEntries = 16384
/** Fraction of the range above which the asinh stretch turns from linear to logarithmic. */
const asinhKnee = 0.04
const blackSigma = 1.2
/** A frame of nothing but sky shows as dark grey grain, not as snow. */
const leastWhiteSigma = 40
const whiteFraction = 0.998

/** Black a little below the sky, white where only the brightest 0.2 % are; never equal. */
function limits(compute: Compute, plane: Plane, options: PreviewOptions): readonly [number, number] {
  const { median, mad } = medianAndMad(compute, plane)
  if (Number.isNaN(median)) return [options.black ?? 0, options.white ?? 1]
  const sigma = sigmaPerMad * mad
  const [top = median] = quantiles(compute, plane, [whiteFraction])
  const black = options.black ?? median - blackSigma * sigma
  const white = options.white ?? Math.max(top, median + leastWhiteSigma * sigma)
  return [black, white > black ? white : black + 1]
}

function stretchTable(stretch: 'asinh' | 'linear'): Uint8Array {
  const full = Math.asinh(1 / asinhKnee)
  return Uint8Array.from({ length: tableEntries }, (_, index) => {
    const t = index / (tableEntries - 1)
    return Math.round(255 * (stretch === 'linear' ? t : Math.asinh(t / asinhKnee) / full))
  })
}

/**
 * Bins a plane to at most `maxWidth` columns (mean of the good pixels) and stretches it to bytes. Masked and NaN pixels do
 * not count; where nothing is left the picture is black.
 */
export function stretchPreview(
  compute: Compute,
  plane: Plane,
  mask?: MaskPlane,
  options: PreviewOptions = {},
): Preview {
  using _scratch = compute.scope()
  const factor = Math.max(1, Math.ceil(plane.width / (options.maxWidth ?? 1600)))
  const width = Math.ceil(plane.width / factor)
  const height = Math.ceil(plane.height / factor)
  const binned = compute.float32(width, height)
  const scratch = compute.allocate(compute.threads * plane.width * 8)
  const maskPointer = mask?.pointer ?? 0
  const source = [plane.pointer, maskPointer, binned.pointer, plane.width, plane.height, width, factor, scratch]
  compute.rows('binMean', height, source)
  const [black, white] = limits(compute, binned, options)
  const table = compute.uint8(tableEntries, 1)
  table.data.set(stretchTable(options.stretch ?? 'asinh'))
  const bytes = compute.uint8(width, height)
  const scale = (tableEntries - 1) / (white - black)
  compute.rows('stretchBytes', height, [
    binned.pointer,
    bytes.pointer,
    width,
    black,
    scale,
    table.pointer,
    tableEntries,
  ])
  return { width, height, pixels: bytes.data.slice(), factor, black, white }
}
