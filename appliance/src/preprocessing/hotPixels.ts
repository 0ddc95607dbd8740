import { type Failure, failure } from '@nightjar/firmware-bridge/outcome.ts'
import type { Compute } from '../frames/compute.ts'
import { firstImage, frameHeaderOf, openFits, readFrame, readImage } from '../frames/fits/read.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { subtractSpline } from '../frames/mesh.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { measureBackground } from './background.ts'
import { preprocessingError } from './errors.ts'
import { mosaicOf, withoutMosaic } from './mosaic.ts'
import { stackInto } from './stack.ts'
import { measureStars, type Star, StarFlag } from './stars.ts'

/**
 * What belongs to the detector and not to the sky, from the night's own frames: while the stars drift or are dithered over
 * the pixels, hot pixels, dead ones and bright columns stay. The clipped mean of the sky-subtracted frames, pixel by pixel,
 * is what each pixel adds to every exposure of this length and temperature. Needs no dark. Raw files of colour cameras give that
 * of their super-pixels.
 */
export interface DetectorMedian {
  readonly ok: true
  /** What each pixel adds, ADU; near zero for a good one. Subtract it from the raw frames. */
  readonly offset: Plane
  /** `bad` where the offset is more than `thresholdSigma` standard deviations of one frame's noise from zero. */
  readonly mask: MaskPlane
  /** How many frames were combined. */
  readonly frames: number
  /** Noise of a pixel of the offset map, ADU: frame noise ÷ √frames. */
  readonly noiseAdu: number
  /** Typical sky noise of one frame, ADU. */
  readonly frameNoiseAdu: number
  /** Of all pixels. */
  readonly badShare: number
  /** Share of a star's light that is left in the map: near 0 when the frames moved enough. */
  readonly starRemainder: number
}

export interface DetectorMedianOptions {
  /** In standard deviations of one frame's sky noise; 5. Below that subtraction is enough. */
  readonly thresholdSigma?: number
  /** Frames to use, spread evenly over the series; 61. */
  readonly maximumFrames?: number
  /** Memory for the stacked bands of rows; 256 MiB. */
  readonly maximumBytes?: number
}

export type FrameSource = string | Uint8Array | Pick<Frame, 'science'>

const leastFrames = 5
/** Above this the stars stood still. */
const mostRemainder = 0.2
const checkedStars = 40
/** A star that is wider than this is no hot pixel. */
const leastStarFwhm = 1.3

/**
 * The detector's own pattern from frames (paths, FITS bytes or frames already read) of one size and exposure time, in the
 * order in which they were taken. Reads each file once for every band of rows that fits into `maximumBytes`. Fails with a
 * reason for fewer than 5 frames and when the stars did not move over the detector: the map would hold the stars. Throws
 * `preprocessing/shape` for frames of different sizes, and as `openFits`.
 */
export function detectorMedian(
  compute: Compute,
  sources: readonly FrameSource[],
  options: DetectorMedianOptions = {},
): DetectorMedian | Failure {
  const { thresholdSigma = 5, maximumFrames = 61, maximumBytes = 256 * 1048576 } = options
  const chosen = spread(sources, maximumFrames)
  if (chosen.length < leastFrames) {
    return failure(`${chosen.length} frames are too few to tell pixels from stars: at least ${leastFrames} are needed`)
  }
  const { width, height } = sizeOf(compute, chosen[0]!)
  const offset = compute.float32(width, height)
  const mask = compute.uint16(width, height)
  const noises = stackInBands(compute, chosen, offset, maximumBytes)
  const frameNoiseAdu = middle(noises)
  const starRemainder = remainderOf(compute, chosen[chosen.length >> 1]!, offset)
  if (starRemainder > mostRemainder) {
    const share = Math.round(100 * starRemainder)
    return failure(
      `the stars stood still on the detector (${share} % of their light is in its pattern): dither, or use a dark`,
    )
  }
  const limit = thresholdSigma * frameNoiseAdu
  const bad = markBeyond(offset, mask, limit)
  return {
    ok: true,
    offset,
    mask,
    frames: chosen.length,
    noiseAdu: frameNoiseAdu / Math.sqrt(chosen.length),
    frameNoiseAdu,
    badShare: bad / (width * height),
    starRemainder,
  }
}

/** At most `count` of the list, first and last among them. */
function spread<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list]
  return Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / (count - 1))]!)
}

function scienceOf(compute: Compute, source: FrameSource): Plane {
  if (typeof source !== 'string' && !(source instanceof Uint8Array)) return source.science
  const file = openFits(source)
  const isMosaic = mosaicOf(frameHeaderOf(file, firstImage(file))) !== undefined
  return isMosaic ? withoutMosaic(compute, readFrame(compute, file)).science : readImage(compute, file)
}

function sizeOf(compute: Compute, source: FrameSource): { readonly width: number; readonly height: number } {
  using _scratch = compute.scope()
  const { width, height } = scienceOf(compute, source)
  return { width, height }
}

/** Fills `offset` band by band; returns the sky noise of each frame. */
function stackInBands(
  compute: Compute,
  sources: readonly FrameSource[],
  offset: Plane,
  maximumBytes: number,
): number[] {
  const { width, height } = offset
  const bandRows = Math.max(1, Math.min(height, Math.floor(maximumBytes / (sources.length * width * 4))))
  const noises: number[] = []
  for (let top = 0; top < height; top += bandRows) {
    using _scratch = compute.scope()
    const rows = Math.min(bandRows, height - top)
    const bands = sources.map(() => compute.float32(width, rows))
    sources.forEach((source, index) => {
      const noise = copyBand(compute, source, offset, top, bands[index]!)
      if (top === 0) noises.push(noise)
    })
    stackBands(compute, bands, offset, top)
  }
  return noises
}

/** Rows `top` … of a frame without its sky; what is no number counts as sky. */
function copyBand(compute: Compute, source: FrameSource, shape: Plane, top: number, band: Plane): number {
  using _scratch = compute.scope()
  const science = scienceOf(compute, source)
  const { width, height } = science
  if (width !== shape.width || height !== shape.height) {
    throw preprocessingError(
      'shape',
      `frames of ${shape.width} × ${shape.height} and ${width} × ${height} pixels cannot be combined`,
    )
  }
  const background = measureBackground(compute, science, undefined)
  const residual = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  subtractSpline(compute, background.level, science, residual)
  band.data.set(residual.data.subarray(top * width, (top + band.height) * width))
  const { data } = band
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) data[i] = 0
  return background.globalRmsAdu
}

function stackBands(compute: Compute, bands: readonly Plane[], offset: Plane, top: number): void {
  const { width, height } = bands[0]!
  const out = compute.float32(width, height)
  const pointers = bands.map((band) => band.pointer)
  stackInto(compute, pointers, out, { kappa: 2.5 })
  offset.data.set(out.data, top * width)
}

/** Median share of the light of a frame's bright stars that the map holds at their places; 0 without such stars. */
function remainderOf(compute: Compute, source: FrameSource, offset: Plane): number {
  using _scratch = compute.scope()
  const science = scienceOf(compute, source)
  const stars = measureStars(compute, science, undefined, measureBackground(compute, science, undefined))
  const unfit = StarFlag.sharp | StarFlag.unsettled | StarFlag.edge | StarFlag.blended
  const bright = stars.filter((star) => (star.flags & unfit) === 0 && star.fwhmPixels > leastStarFwhm)
  const shares = bright.slice(0, checkedStars).map((star) => sumAround(offset, star) / star.fluxAdu)
  return shares.length < 3 ? 0 : middle(shares)
}

/** Of the pixels within a star's FWHM of its centre. */
function sumAround({ data, width, height }: Plane, star: Star): number {
  const radius = Math.max(1.5, star.fwhmPixels)
  let sum = 0
  for (let y = Math.max(0, Math.ceil(star.y - radius)); y <= Math.min(height - 1, star.y + radius); y++) {
    for (let x = Math.max(0, Math.ceil(star.x - radius)); x <= Math.min(width - 1, star.x + radius); x++) {
      if (Math.hypot(x - star.x, y - star.y) <= radius) sum += data[y * width + x]!
    }
  }
  return sum
}

function markBeyond(offset: Plane, mask: MaskPlane, limit: number): number {
  let bad = 0
  for (let i = 0; i < offset.data.length; i++) {
    if (Math.abs(offset.data[i]!) <= limit) continue
    mask.data[i] = MaskFlag.bad
    bad++
  }
  return bad
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
