import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { FluxModel } from './candidateFlux.ts'
import { FeatureMeter, type Measured } from './features.ts'
import { type ChangeKind, kindsOf, type Partner } from './kinds.ts'
import type { PsfStar } from './psfStars.ts'
import { findRegions, peakBetweenPixels, type Region } from './regions.ts'
import type { StampSpline } from './spline.ts'
import { StarGrid } from './starGrid.ts'
import { findStreaks, markStreaks, type Streak } from './streaks.ts'
import type { ZogyResult } from './zogy.ts'

/**
 * Candidates: connected regions of |S_corr| above 2.5 whose peak exceeds the threshold, one each, of either sign. Trails are
 * found first (streaks.ts) and only what stands out of them is listed. Position and flux come from a fit of P_D to D, whose
 * noise is white; what a rule or a network needs to judge them is measured by features.ts, and kinds.ts keeps variable and
 * moving sources apart.
 */
export interface Candidate {
  /** 0-based science pixels, from the PSF fit (or the peak where it failed). */
  readonly x: number
  readonly y: number
  /** At the peak pixel (of undersampled stars: at the peak between pixels), rescaled; negative for a source that faded. */
  readonly scorr: number
  readonly fluxAdu: number
  readonly fluxErrorAdu: number
  readonly kind: ChangeKind
  /** The other end of what moved. */
  readonly partner?: Partner
  readonly flags: readonly string[]
  readonly features: Record<string, number>
}

export interface CandidateInput {
  readonly zogy: ZogyResult
  /** Background-subtracted science frame and aligned reference, before repair; ADU. */
  readonly science: Plane
  readonly reference: Plane
  /** Bits of either frame; trails are added. */
  readonly mask: MaskPlane
  readonly referenceMask: MaskPlane
  readonly sciencePsfAt: (x: number, y: number) => StampSpline
  readonly fluxModel: FluxModel
  readonly fwhmPixels: number
  readonly fluxRatio: number
  readonly scienceRmsAdu: number
  /** All sources of the reference in science pixels, with its fluxes. */
  readonly stars: readonly PsfStar[]
  /** Indices of the pixels of `scorr` that reach the threshold. */
  readonly loud: Int32Array
  /**
   * |S_corr| of a candidate between the pixels, where stars are so narrow that the pixels miss their peaks; `loud` then begins
   * at a lower value. Else the highest pixel counts.
   */
  readonly leastPeak?: number | undefined
  /** Regions nearer than this to the border are dropped. */
  readonly edgePixels: number
  readonly maximum: number
}

export interface CandidateList {
  readonly candidates: readonly Candidate[]
  readonly streaks: readonly Streak[]
  /** Regions found before masks, borders and the maximum. */
  readonly regions: number
  /** False when the difference is so full of residuals that a part was left unsearched. */
  readonly complete: boolean
}

/** Candidates this near count as neighbours of each other. */
const crowdPixels = 50

/** Brightest |S_corr| first. Sets the streak bit of `mask` along trails. */
export function findCandidates(input: CandidateInput): CandidateList {
  const { zogy, mask, loud, leastPeak } = input
  const { scorr } = zogy
  const loudest = leastPeak === undefined ? loud : loud.filter((at) => Math.abs(scorr.data[at]!) >= leastPeak)
  const streaks = findStreaks({ scorr, difference: zogy.difference, mask, loud: loudest })
  const quiet = streaks.length > 0 ? markStreaks({ scorr, mask }, streaks) : undefined
  const found = findRegions(scorr, loud, quiet)
  const { complete } = found
  const regions = leastPeak === undefined ? found.regions : betweenPixels(scorr, found.regions, leastPeak)
  const meter = new FeatureMeter(input, streaks)
  const kept = regions.filter((region) => meter.usable(region)).sort(louder)
  const measured = kept.slice(0, input.maximum).map((region) => meter.measure(region))
  return { candidates: finish(input, measured), streaks, regions: regions.length, complete }
}

/** The regions with their peaks between the pixels, where those reach `least`. */
function betweenPixels(scorr: Plane, regions: readonly Region[], least: number): readonly Region[] {
  return regions
    .map((region) => ({ ...region, peak: peakBetweenPixels(scorr, region) }))
    .filter(({ peak }) => Math.abs(peak) >= least)
}

const louder = (a: Region, b: Region): number => Math.abs(b.peak) - Math.abs(a.peak) || a.y - b.y || a.x - b.x

/** What needs the whole list: kinds and neighbours. */
function finish({ mask, fwhmPixels }: CandidateInput, measured: readonly Measured[]): Candidate[] {
  const grid = new StarGrid(measured, mask, 64)
  const kinds = kindsOf(measured, fwhmPixels, mask)
  return measured.map(({ x, y, scorr, fluxAdu, fluxErrorAdu, flags, features }, index) => {
    const kind = kinds[index]!
    const crowd = {
      candidatesWithin50Pixels: grid.within(x, y, crowdPixels).length - 1,
      moveSeparationPixels: kind.partner?.separationPixels ?? 0,
    }
    return { x, y, scorr, fluxAdu, fluxErrorAdu, ...kind, flags, features: { ...features, ...crowd } }
  })
}
