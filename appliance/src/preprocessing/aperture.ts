import type { Compute } from '../frames/compute.ts'
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
/** Words of one star before its fluxes: see kernels/assembly/aperture.ts. */
const wordsBeforeFlux = 7
const histogramBytes = 4096

/**
 * Measures the stars at `places`: x and y are 0-based, the centre of the first pixel at (0, 0). Unusable pixels under a star
 * take the value of their mirror image through its centre. The sky is the mean within 3 σ of the median, σ from the median
 * absolute deviation. Undefined where the ring has fewer than 8 pixels of sky. Planes must be of `compute`.
 */
export function measureApertures(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  places: readonly { readonly x: number; readonly y: number }[],
  { radiiPixels, innerPixels, outerPixels }: ApertureOptions,
): (ApertureFlux | undefined)[] {
  if (places.length === 0) return []
  using _scratch = compute.scope()
  const order = radiiPixels.map((_, k) => k).sort((a, b) => radiiPixels[a]! - radiiPixels[b]!)
  const words = wordsBeforeFlux + radiiPixels.length
  // Pointers first: allocating may replace the buffer.
  const [tableAt, radiiAt] = [compute.allocate(places.length * words * 8), compute.allocate(radiiPixels.length * 8)]
  const scratchBytes = scratchFor(Math.max(...radiiPixels), outerPixels)
  const scratch = [compute.allocate(scratchBytes * compute.threads), scratchBytes]
  const table = new Float64Array(compute.memory.buffer, tableAt, places.length * words)
  for (const [row, { x, y }] of places.entries()) {
    table[row * words] = x
    table[row * words + 1] = y
  }
  const radii = new Float64Array(compute.memory.buffer, radiiAt, radiiPixels.length)
  radii.set(order.map((k) => radiiPixels[k]!))
  const plane = [science.pointer, mask?.pointer ?? 0, science.width, science.height, unusable, notSky]
  const rules = [radii.byteOffset, radii.length, innerPixels, outerPixels]
  compute.rows('measureApertureRows', places.length, [table.byteOffset, words * 8, ...plane, ...rules, ...scratch])
  const areaPixels = radiiPixels.map((radius) => Math.PI * radius * radius)
  const columns = radiiPixels.map((_, k) => order.indexOf(k))
  return places.map((_, row) => fluxOf(table, row * words, columns, areaPixels))
}

/** Ring pixels twice, for sorting, and three numbers for each column of the largest circle. */
function scratchFor(largestPixels: number, outerPixels: number): number {
  const bytes = histogramBytes + 8 * (2 * Math.ceil(outerPixels) + 2) ** 2 + 24 * (2 * Math.ceil(largestPixels) + 4)
  return Math.ceil(bytes / 64) * 64
}

function fluxOf(
  table: Float64Array,
  at: number,
  columns: readonly number[],
  areaPixels: readonly number[],
): ApertureFlux | undefined {
  if (table[at + 4] === 0) return undefined
  return {
    fluxAdu: columns.map((column) => table[at + wordsBeforeFlux + column]!),
    areaPixels,
    skyAdu: table[at + 2]!,
    skyRmsAdu: table[at + 3]!,
    skyPixels: table[at + 4]!,
    peakAdu: table[at + 5]!,
    maskBits: table[at + 6]!,
  }
}
