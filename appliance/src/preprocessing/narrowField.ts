import { pixelScaleArcsec, skyToPixel, type Wcs } from '../frames/wcs.ts'
import { leastStars, type SkyCatalogue, type Solution, type SolveStar, solveFrom } from './solve.ts'

/**
 * A field too small for our catalogue: it cannot confirm what a blind solver found with deeper index files, so the solver's
 * word is taken, refined with the stars of its index, unless our catalogue speaks against it.
 */

/** A blind solver's answer. */
export interface BlindAnswer {
  readonly wcs: Wcs
  /** The stars of its index that it recognised; only where the solver vouches for its answer. */
  readonly recognised?: SkyCatalogue
}

/** Tycho-2 is 99 % complete to V = 11.0 (Høg et al. 2000, A&A 355, L27). */
const completeMag = 11
/** What a bright star may be off: the answer's linear WCS, and the catalogue. */
const tolerancePixels = 3
const toleranceArcsec = 2
/** The chance of a false answer that solve-field takes by itself: odds of 10⁹. */
const solverLogChance = -9

/** The solution of a small field by the solver's own stars; undefined where our catalogue could have judged, or disagrees. */
export function solveNarrowField(
  { wcs, recognised }: BlindAnswer,
  stars: readonly SolveStar[],
  width: number,
  height: number,
  catalogue: SkyCatalogue,
): Solution | undefined {
  if (!recognised) return undefined
  const known = starsInside(wcs, width, height, catalogue)
  if (known.length >= leastStars) return undefined
  const reach = tolerancePixels + toleranceArcsec / pixelScaleArcsec(wcs)
  const isSeen = (x: number, y: number): boolean => stars.some((star) => Math.hypot(star.x - x, star.y - y) <= reach)
  if (known.some(({ x, y, mag }) => mag <= completeMag && !isSeen(x, y))) return undefined
  const solution = solveFrom(wcs, stars, width, height, recognised)
  if (!solution.ok) return undefined
  // The index knows no magnitudes of a band that we know.
  const { zeroPoint: _, zeroPointMag: __, ...place } = solution
  return { ...place, logChance: solverLogChance }
}

/** Catalogue stars inside the inner 96 % of the frame's width and height. */
function starsInside(
  wcs: Wcs,
  width: number,
  height: number,
  catalogue: SkyCatalogue,
): { x: number; y: number; mag: number }[] {
  const radiusDeg = (0.55 * Math.hypot(width, height) * pixelScaleArcsec(wcs)) / 3600
  return catalogue.starsNear(wcs.raDeg, wcs.decDeg, radiusDeg + offCentreDeg(wcs, width, height)).flatMap((star) => {
    const at = skyToPixel(wcs, star.raDeg, star.decDeg)
    const inside = at && at.x > 0.02 * width && at.x < 0.98 * width && at.y > 0.02 * height && at.y < 0.98 * height
    return inside ? [{ ...at, mag: star.mag }] : []
  })
}

/** The solver's reference point need not be the frame's centre. */
function offCentreDeg(wcs: Wcs, width: number, height: number): number {
  const [x, y] = wcs.referencePixel
  return (Math.hypot(x - width / 2, y - height / 2) * pixelScaleArcsec(wcs)) / 3600
}
