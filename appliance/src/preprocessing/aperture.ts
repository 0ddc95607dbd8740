import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'

/**
 * Aperture photometry: the light inside circles about a star, each pixel counted with the area that the circle covers of
 * it (exact, no sub-pixels), above the clipped mean of a ring of sky.
 */
export interface ApertureOptions {
  /** Radii of the circles, pixels. */
  readonly radiiPixels: readonly number[]
  /** The ring of sky, pixels. */
  readonly innerPixels: number
  readonly outerPixels: number
}

export interface ApertureFlux {
  /** Above the sky, one for each radius; NaN where the circle leaves the frame. */
  readonly fluxAdu: readonly number[]
  /** Pixels under each circle. */
  readonly areaPixels: readonly number[]
  /** Clipped mean of the ring, per pixel. */
  readonly skyAdu: number
  /** Standard deviation of one pixel of the ring after clipping. */
  readonly skyRmsAdu: number
  /** Pixels of the ring that counted. */
  readonly skyPixels: number
  /** Highest pixel inside the largest circle, sky included. */
  readonly peakAdu: number
  /** All mask bits inside the largest circle. */
  readonly maskBits: number
}

/** What cannot be light of the sky or of the star. */
const unusable = MaskFlag.noData | MaskFlag.cosmicRay
const notSky = unusable | MaskFlag.bad | MaskFlag.saturated | MaskFlag.bloom | MaskFlag.streak
const leastSkyPixels = 8
const clipSigma = 3
const clipRounds = 5

/**
 * Measures the star at (x, y), 0-based, the centre of the first pixel at (0, 0). Unusable pixels under the star take the
 * value of their mirror image through its centre. Undefined when the ring has fewer than 8 pixels of sky.
 */
export function measureAperture(
  science: Plane,
  mask: MaskPlane | undefined,
  x: number,
  y: number,
  options: ApertureOptions,
): ApertureFlux | undefined {
  const sky = skyRing(science, mask, x, y, options)
  if (!sky) return undefined
  const { radiiPixels } = options
  const largest = Math.max(...radiiPixels)
  const sums = radiiPixels.map(() => 0)
  let [peakAdu, maskBits] = [Number.NEGATIVE_INFINITY, 0]
  const { width, height } = science
  for (let row = Math.max(0, Math.floor(y - largest)); row <= Math.min(height - 1, Math.ceil(y + largest)); row++) {
    for (let column = Math.max(0, Math.floor(x - largest)); column <= Math.min(width - 1, x + largest + 1); column++) {
      const at = row * width + column
      const near = distanceToPixel(column - x, row - y)
      if (near >= largest) continue
      const bits = mask ? mask.data[at]! : 0
      maskBits |= bits
      const value = (bits & unusable) === 0 ? science.data[at]! : mirrored(science, mask, x, y, column, row, sky.skyAdu)
      peakAdu = Math.max(peakAdu, value)
      radiiPixels.forEach((radius, k) => {
        if (near < radius) sums[k]! += (value - sky.skyAdu) * pixelShare(column - x, row - y, radius)
      })
    }
  }
  const inside = (radius: number): boolean =>
    x - radius >= -0.5 && y - radius >= -0.5 && x + radius <= width - 0.5 && y + radius <= height - 0.5
  const fluxAdu = radiiPixels.map((radius, k) => (inside(radius) ? sums[k]! : Number.NaN))
  const areaPixels = radiiPixels.map((radius) => Math.PI * radius * radius)
  return { fluxAdu, areaPixels, ...sky, peakAdu, maskBits }
}

/** Value of the pixel on the other side of the star; the sky where that is no better. */
function mirrored(
  { data, width, height }: Plane,
  mask: MaskPlane | undefined,
  x: number,
  y: number,
  column: number,
  row: number,
  skyAdu: number,
): number {
  const [u, v] = [Math.round(2 * x - column), Math.round(2 * y - row)]
  if (u < 0 || v < 0 || u >= width || v >= height) return skyAdu
  const at = v * width + u
  return mask && (mask.data[at]! & unusable) !== 0 ? skyAdu : data[at]!
}

function skyRing(
  { data, width, height }: Plane,
  mask: MaskPlane | undefined,
  x: number,
  y: number,
  { innerPixels, outerPixels }: ApertureOptions,
): Pick<ApertureFlux, 'skyAdu' | 'skyRmsAdu' | 'skyPixels'> | undefined {
  const values: number[] = []
  for (let row = Math.max(0, Math.ceil(y - outerPixels)); row <= Math.min(height - 1, y + outerPixels); row++) {
    for (
      let column = Math.max(0, Math.ceil(x - outerPixels));
      column <= Math.min(width - 1, x + outerPixels);
      column++
    ) {
      const distance = Math.hypot(column - x, row - y)
      if (distance < innerPixels || distance > outerPixels) continue
      const at = row * width + column
      if (mask && (mask.data[at]! & notSky) !== 0) continue
      values.push(data[at]!)
    }
  }
  return clippedSky(values)
}

/** Mean and standard deviation within 3 σ of the median, σ from the median absolute deviation. */
function clippedSky(values: number[]): Pick<ApertureFlux, 'skyAdu' | 'skyRmsAdu' | 'skyPixels'> | undefined {
  let kept = Float64Array.from(values).sort()
  for (let round = 0; round < clipRounds; round++) {
    if (kept.length < leastSkyPixels) return undefined
    const centre = middleOf(kept)
    // A frame of whole numbers can have a median absolute deviation of zero: the step of the converter is the floor.
    const spread = Math.max(0.3, 1.4826 * middleOf(kept.map((value) => Math.abs(value - centre)).sort()))
    const next = kept.filter((value) => Math.abs(value - centre) <= clipSigma * spread)
    if (next.length === kept.length) break
    kept = next
  }
  if (kept.length < leastSkyPixels) return undefined
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length
  const square = kept.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { skyAdu: mean, skyRmsAdu: Math.sqrt(square / (kept.length - 1)), skyPixels: kept.length }
}

function middleOf(sorted: Float64Array): number {
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** From the origin to the nearest point of the unit pixel whose centre is at (dx, dy). */
function distanceToPixel(dx: number, dy: number): number {
  return Math.hypot(Math.max(0, Math.abs(dx) - 0.5), Math.max(0, Math.abs(dy) - 0.5))
}

/** Area that a circle about the origin shares with the unit pixel whose centre is at (dx, dy); exact. */
export function pixelShare(dx: number, dy: number, radius: number): number {
  const [x, y] = [Math.abs(dx), Math.abs(dy)]
  if (Math.hypot(x + 0.5, y + 0.5) <= radius) return 1
  return (
    cornerArea(x + 0.5, y + 0.5, radius) -
    cornerArea(x - 0.5, y + 0.5, radius) -
    cornerArea(x + 0.5, y - 0.5, radius) +
    cornerArea(x - 0.5, y - 0.5, radius)
  )
}

/** Signed area of the circle's part between the axes and the corner (x, y): odd in both. */
function cornerArea(x: number, y: number, radius: number): number {
  const sign = Math.sign(x) * Math.sign(y)
  const [u, v] = [Math.min(Math.abs(x), radius), Math.min(Math.abs(y), radius)]
  if (u * u + v * v <= radius * radius) return sign * u * v
  // The arc leaves the top edge at x = a; from there to u it is the boundary.
  const a = Math.sqrt(Math.max(0, radius * radius - v * v))
  return sign * (a * v + underArc(u, radius) - underArc(a, radius))
}

/** ∫₀ˣ √(r² − t²) dt. */
function underArc(x: number, radius: number): number {
  return (
    0.5 * (x * Math.sqrt(Math.max(0, radius * radius - x * x)) + radius * radius * Math.asin(Math.min(1, x / radius)))
  )
}
