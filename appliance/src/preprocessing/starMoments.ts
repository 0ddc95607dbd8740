import type { Compute } from '../frames/compute.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { Background } from './background.ts'
import { unusable } from './segments.ts'
import { type Star, StarFlag } from './stars.ts'

/**
 * Stars' shapes as SExtractor and sep define them (Bertin & Arnouts 1996, A&AS 117, 393), for tables that others read:
 * moments of all light above an isophote, the radius of half the light within 6 a, and the windowed position. Isophotal
 * shapes depend on how bright a star is; `Star` has those that do not.
 */
export interface StarMoments {
  /** Isophotal centre, 0-based pixels (X_IMAGE − 1, Y_IMAGE − 1). */
  readonly x: number
  readonly y: number
  /** Standard deviations along and across the long axis, px (A_IMAGE, B_IMAGE). */
  readonly aPixels: number
  readonly bPixels: number
  /** Of the long axis, from +x towards +y (THETA_IMAGE). */
  readonly angleDeg: number
  /** 1 − b/a (ELLIPTICITY). */
  readonly ellipticity: number
  /** Of the Gaussian with these moments: 2 √(ln 2 (a² + b²)). */
  readonly fwhmPixels: number
  /** Above the isophote (FLUX_ISO, ISOAREA_IMAGE). */
  readonly fluxAdu: number
  readonly areaPixels: number
  /** Of half the light within 6 a (FLUX_RADIUS; sep.flux_radius). */
  readonly halfRadiusPixels: number
  /** Under a Gaussian of σ = 2/2.35 half-light radii (XWIN_IMAGE − 1, YWIN_IMAGE − 1; sep.winpos). */
  readonly windowedX: number
  readonly windowedY: number
}

/** SExtractor's DETECT_THRESH. */
const isophoteSigma = 1.5
const words = 16
const stampPixels = 123 * 123
const scratchBytes = 512 + 4 * 4 * stampPixels
const status = { measured: 0 } as const
const leastReach = 10

/**
 * Measures `stars` above 1.5 standard deviations of the unsmoothed sky in the frame smoothed by SExtractor's 3 × 3 pyramid.
 * Undefined for stars that the isophote joins with a brighter peak, that were parted from neighbours, and below it.
 */
export function measureMoments(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  background: Background,
  stars: readonly Star[],
): (StarMoments | undefined)[] {
  if (stars.length === 0) return []
  using _scratch = compute.scope()
  const pointer = compute.allocate(stars.length * words * 8)
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const table = new Float64Array(compute.memory.buffer, pointer, stars.length * words)
  for (const [row, { x, y, areaPixels }] of stars.entries()) {
    table.set([x, y, Math.max(leastReach, Math.ceil(1.5 * Math.sqrt(areaPixels / Math.PI)) + 5)], row * words)
  }
  const { level, globalRmsAdu } = background
  const pixels = [science.pointer, mask?.pointer ?? 0, unusable, science.width, science.height]
  const sky = [level.spline, level.columns, level.rows, level.cellPixels, isophoteSigma * globalRmsAdu]
  compute.rows('isophoteRows', stars.length, [pointer, ...pixels, ...sky, scratch, scratchBytes])
  return stars.map((star, row) => {
    const found = table[row * words + 3] === status.measured && (star.flags & StarFlag.blended) === 0
    return found ? momentsOf(table, row * words) : undefined
  })
}

function momentsOf(table: Float64Array, at: number): StarMoments {
  const [aPixels, bPixels] = [table[at + 6]!, table[at + 7]!]
  return {
    x: table[at + 4]!,
    y: table[at + 5]!,
    aPixels,
    bPixels,
    angleDeg: (table[at + 8]! * 180) / Math.PI,
    ellipticity: 1 - bPixels / aPixels,
    fwhmPixels: 2 * Math.sqrt(Math.LN2 * (aPixels ** 2 + bPixels ** 2)),
    fluxAdu: table[at + 9]!,
    areaPixels: table[at + 10]!,
    halfRadiusPixels: table[at + 11]!,
    windowedX: table[at + 12]!,
    windowedY: table[at + 13]!,
  }
}
