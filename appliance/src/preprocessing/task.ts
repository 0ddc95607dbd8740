import type { FrameQuality } from '../contract/records.ts'
import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import type { Wcs } from '../frames/wcs.ts'
import { type Background, measureBackground } from './background.ts'
import { eventsPerSecond, markCosmicRays } from './cosmicRaysFound.ts'
import { type Expected, gradeFrame } from './grade.ts'
import { injectedLimit } from './limitingMagnitude.ts'
import { meshFor } from './measuredFrame.ts'
import { limitingMagnitude, typicalOf } from './photometry.ts'
import { type SkyCatalogue, type Solution, type SolveHint, solve } from './solve.ts'
import { measureStars, type Star } from './stars.ts'

/** What preprocessing learns of a calibrated frame: background, stars, place on the sky, zero point, grade. */
export interface Examination {
  /** As it was given, with its cosmic rays marked in a new mask. */
  readonly frame: Frame
  readonly quality: FrameQuality
  readonly background: Background
  readonly stars: readonly Star[]
  readonly solution: Solution | undefined
  readonly wcs: Wcs | undefined
  /** Undefined when the frame has no variance or its header no exposure time. */
  readonly cosmicRaysPerSecond: number | undefined
}

export interface ExamineOptions {
  /** Where the frame should point; without it nothing is solved. */
  readonly hint?: SolveHint | undefined
  readonly catalogue?: SkyCatalogue | undefined
  /** What good frames of this field and filter showed. */
  readonly expected?: Expected | undefined
  readonly saturationAdu?: number | undefined
  readonly thresholdSigma?: number
  /** For the stars' flux errors when the frame has no variance. */
  readonly gainElectronsPerAdu?: number
}

/** What a frame is graded against. */
export type Expectation = Pick<ExamineOptions, 'hint' | 'expected' | 'saturationAdu'>

/**
 * Marks a frame's cosmic rays and measures it; the frame that was given stays as it is. The marked mask and the background's
 * planes are left in the compute's memory.
 */
export function examineFrame(compute: Compute, given: Frame, options: ExamineOptions = {}): Examination {
  const { hint, catalogue, thresholdSigma, gainElectronsPerAdu } = options
  const struck = markCosmicRays(compute, given, options.expected?.fwhmPixels)
  const { frame } = struck
  const cosmicRaysPerSecond = frame.variance && eventsPerSecond(struck)
  const background = measureBackground(compute, frame.science, frame.mask, { meshPixels: meshFor(frame) })
  const stars = measureStars(compute, frame.science, frame.mask, background, {
    variance: frame.variance,
    ...(thresholdSigma !== undefined && { thresholdSigma }),
    ...(gainElectronsPerAdu !== undefined && { gain: gainElectronsPerAdu }),
  })
  const solution = hint && catalogue ? solve(stars, frame.width, frame.height, hint, catalogue) : undefined
  return judged(compute, frame, { background, stars, solution, cosmicRaysPerSecond }, options)
}

/** The examination of a frame with another solution than its own, graded anew. */
export function examinedWith(
  compute: Compute,
  frame: Frame,
  examination: Examination,
  solution: Solution,
  options: Expectation,
): Examination {
  return judged(compute, frame, { ...examination, solution }, options)
}

function judged(
  compute: Compute,
  frame: Frame,
  { background, stars, solution, cosmicRaysPerSecond }: Omit<Examination, 'frame' | 'quality' | 'wcs'>,
  { hint, expected, saturationAdu }: Expectation,
): Examination {
  const grade = gradeFrame({
    stars,
    skyAdu: background.globalLevelAdu,
    skyRmsAdu: background.globalRmsAdu,
    width: frame.width,
    height: frame.height,
    solution,
    hint,
    expected,
    saturationAdu,
    mask: frame.mask,
    limitFluxAdu: solution?.ok ? limitOf(compute, frame, stars, background) : undefined,
  })
  const quality = { ...grade, ...(cosmicRaysPerSecond !== undefined && { cosmicRaysPerSecond }) }
  return {
    frame,
    quality,
    background,
    stars,
    solution,
    cosmicRaysPerSecond,
    wcs: solution?.ok ? solution.wcs : undefined,
  }
}

/** Flux at which half of the stars put into the frame are found; undefined where it cannot be tried. */
function limitOf(compute: Compute, frame: Frame, stars: readonly Star[], background: Background): number | undefined {
  const fwhmPixels = typicalOf(stars, (star) => star.fwhmPixels)
  if (fwhmPixels === undefined) return undefined
  const aboutFluxAdu = 10 ** (-0.4 * limitingMagnitude(0, background.globalRmsAdu, fwhmPixels))
  return injectedLimit(compute, frame.science, frame.mask, stars, { fwhmPixels, aboutFluxAdu })?.fluxAdu
}
