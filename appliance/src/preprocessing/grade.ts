import type { FrameQuality } from '../contract/records.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane } from '../frames/plane.ts'
import { limitingMagnitude, typicalOf } from './photometry.ts'
import type { Solution, SolveHint } from './solve.ts'
import { type Star, StarFlag } from './stars.ts'

/**
 * Whether a frame is worth differencing, and if not why: few stars, trailed, defocused, clouded, unknown or wrong field.
 * The limits are for a single frame; `expected` adds what this telescope usually does.
 */
export interface GradeInput {
  readonly stars: readonly Star[]
  readonly skyAdu: number
  readonly skyRmsAdu: number
  readonly width: number
  readonly height: number
  /** Undefined when solving was not tried. */
  readonly solution: Solution | undefined
  readonly hint?: SolveHint | undefined
  readonly expected?: Expected | undefined
  /** Where pixels saturate, ADU. */
  readonly saturationAdu?: number | undefined
  /** Flux at which half of injected stars are found; without it the limit comes from the sky's noise and the FWHM. */
  readonly limitFluxAdu?: number | undefined
  /** With it stars that lie on marked streaks (satellites, aircraft) do not count: they say nothing of the night. */
  readonly mask?: MaskPlane | undefined
}

/** What good frames of this field, filter and exposure time showed. */
export interface Expected {
  readonly fwhmPixels?: number
  readonly zeroPointMag?: number
  readonly stars?: number
  readonly skyAdu?: number
}

type Grade = FrameQuality['grade']
interface Verdict {
  readonly grade: Grade
  readonly reason: string
}

/** Limits: poor from the first on, rejected from the second on. */
const limits = {
  stars: { poor: 12, rejected: 5 },
  ellipticity: { poor: 0.35, rejected: 0.6 },
  fwhmPixels: { poor: 9, rejected: 18 },
  fwhmGrowth: { poor: 1.5, rejected: 2.5 },
  extinctionMag: { poor: 0.7, rejected: 2 },
  starShare: { poor: 0.4, rejected: 0.1 },
  /** Of the saturation level. */
  skyShare: { poor: 0.5, rejected: 0.8 },
} as const
/** Without stars and with less than this share of the usual sky, no light came in. */
const darkShare = 0.3
/** A trail turns all stars the same way: the mean of their doubled angles is at least this long. */
const aligned = 0.6
/** A frame is off its field when its centre misses by this share of its smaller side. */
const offField = 0.5
const broken = StarFlag.sharp | StarFlag.unsettled | StarFlag.saturated | StarFlag.edge | StarFlag.masked
const fallback = { fwhmPixels: 0, ellipticity: 0 } as const

/** The measured facts of a calibrated frame with its grade and the reasons for it. */
export function gradeFrame(input: GradeInput): FrameQuality {
  const { solution, skyAdu, skyRmsAdu, mask } = input
  const stars = mask ? input.stars.filter((star) => !onStreak(mask, star)) : input.stars
  const real = stars.filter((star) => (star.flags & (StarFlag.sharp | StarFlag.unsettled)) === 0)
  const shaped = shapedStars(stars)
  const fwhmPixels = typicalOf(shaped, (star) => star.fwhmPixels) ?? fallback.fwhmPixels
  const ellipticity = typicalOf(shaped, (star) => star.ellipticity) ?? fallback.ellipticity
  const trail = trailVerdict(real, ellipticity)
  const zeroPointMag = solution?.ok ? solution.zeroPointMag : undefined
  const verdicts = [
    starsVerdict(real.length, input),
    skyVerdict(input),
    trail,
    // A trail is as wide across as the focus makes it.
    focusVerdict(trail ? widthAcross(fwhmPixels, ellipticity) : fwhmPixels, input.expected),
    cloudVerdict(zeroPointMag, input.expected),
    fieldVerdict(input),
  ].filter((verdict) => verdict !== undefined)
  return {
    stars: real.length,
    fwhmPixels,
    ellipticity,
    skyAdu,
    skyRmsAdu,
    solved: solution?.ok ?? false,
    ...(solution?.ok && { raDeg: solution.raDeg, decDeg: solution.decDeg, solveRmsPixels: solution.rmsPixels }),
    ...(zeroPointMag !== undefined && { zeroPointMag }),
    ...(solution?.ok &&
      solution.zeroPoint && {
        zeroPointScatterMag: solution.zeroPoint.scatterMag,
        zeroPointErrorMag: solution.zeroPoint.errorMag,
        zeroPointStars: solution.zeroPoint.stars,
      }),
    ...(solution?.ok &&
      solution.zeroPoint?.colourTerm && {
        colourTerm: solution.zeroPoint.colourTerm.slope,
        colourTermError: solution.zeroPoint.colourTerm.error,
      }),
    ...(zeroPointMag !== undefined && limitOf(input, zeroPointMag, fwhmPixels)),
    grade: worst(verdicts),
    reasons: verdicts.map((verdict) => verdict.reason),
  }
}

/** Where most stars are long it is the frame that is: then they are its typical ones. */
function shapedStars(stars: readonly Star[]): readonly Star[] {
  const whole = stars.filter((star) => (star.flags & broken) === 0)
  const long = whole.filter((star) => (star.flags & StarFlag.extended) !== 0)
  return long.length > whole.length / 2 ? whole.map((star) => ({ ...star, flags: 0 })) : stars
}

/** FWHM along the short axis, of one that is the root of the mean square of both. */
function widthAcross(fwhmPixels: number, ellipticity: number): number {
  const ratio = 1 - ellipticity
  return (fwhmPixels * Math.SQRT2 * ratio) / Math.hypot(1, ratio)
}

/** Whether a marked streak crosses the star's core: 2 px about its middle, or half its width. */
function onStreak({ data, width, height }: MaskPlane, { x, y, fwhmPixels }: Star): boolean {
  const reach = Math.max(2, Math.min(20, Math.ceil(fwhmPixels / 2)))
  const [x0, x1] = [Math.max(0, Math.round(x) - reach), Math.min(width - 1, Math.round(x) + reach)]
  for (let row = Math.max(0, Math.round(y) - reach); row <= Math.min(height - 1, Math.round(y) + reach); row++) {
    for (let at = row * width + x0; at <= row * width + x1; at++) if ((data[at]! & MaskFlag.streak) !== 0) return true
  }
  return false
}

/** Measured where it was, else calculated. */
function limitOf(
  { limitFluxAdu, skyRmsAdu }: GradeInput,
  zeroPointMag: number,
  fwhmPixels: number,
): { readonly limitingMag?: number } {
  if (limitFluxAdu !== undefined) return { limitingMag: zeroPointMag - 2.5 * Math.log10(limitFluxAdu) }
  return fwhmPixels > 0 ? { limitingMag: limitingMagnitude(zeroPointMag, skyRmsAdu, fwhmPixels) } : {}
}

function worst(verdicts: readonly Verdict[]): Grade {
  if (verdicts.some((verdict) => verdict.grade === 'rejected')) return 'rejected'
  return verdicts.length > 0 ? 'poor' : 'good'
}

/** `poor` or `rejected` when a value has passed a limit. */
function beyond(value: number, limit: { readonly poor: number; readonly rejected: number }): Grade | undefined {
  const rising = limit.rejected > limit.poor
  const passed = (at: number): boolean => (rising ? value >= at : value < at)
  return passed(limit.rejected) ? 'rejected' : passed(limit.poor) ? 'poor' : undefined
}

function starsVerdict(count: number, { expected, skyAdu }: GradeInput): Verdict | undefined {
  const few = beyond(count, limits.stars)
  if (few === 'rejected' && expected?.skyAdu !== undefined && skyAdu < darkShare * expected.skyAdu) {
    return { grade: few, reason: `dome closed or telescope covered: ${count} stars and no light of the sky` }
  }
  if (count === 0) return { grade: 'rejected', reason: 'no stars' }
  if (few) return { grade: few, reason: `few stars: ${count}` }
  if (expected?.stars === undefined || expected.stars === 0) return undefined
  const grade = beyond(count / expected.stars, limits.starShare)
  return grade && { grade, reason: `clouded: ${count} stars of the usual ${Math.round(expected.stars)}` }
}

function skyVerdict({ skyAdu, saturationAdu }: GradeInput): Verdict | undefined {
  if (saturationAdu === undefined || !(saturationAdu > 0)) return undefined
  const share = skyAdu / saturationAdu
  const grade = beyond(share, limits.skyShare)
  return grade && { grade, reason: `saturated sky: ${(100 * share).toFixed(0)} % of the camera's range` }
}

function trailVerdict(stars: readonly Star[], ellipticity: number): Verdict | undefined {
  const grade = beyond(ellipticity, limits.ellipticity)
  if (!grade) return undefined
  const axis = alignmentOf(stars)
  const reason = axis >= aligned ? 'trailed' : 'misshapen stars'
  return { grade, reason: `${reason}: median ellipticity ${ellipticity.toFixed(2)}` }
}

/** Length of the mean of doubled position angles: 1 when all stars point the same way, 0 when at random. */
function alignmentOf(stars: readonly Star[]): number {
  const used = stars.filter((star) => star.snr > 10).slice(0, 200)
  let cos = 0
  let sin = 0
  for (const star of used) {
    cos += Math.cos((star.positionAngleDeg * Math.PI) / 90)
    sin += Math.sin((star.positionAngleDeg * Math.PI) / 90)
  }
  return used.length === 0 ? 0 : Math.hypot(cos, sin) / used.length
}

function focusVerdict(fwhmPixels: number, expected: Expected | undefined): Verdict | undefined {
  const usual = expected?.fwhmPixels
  const grade = usual ? beyond(fwhmPixels / usual, limits.fwhmGrowth) : beyond(fwhmPixels, limits.fwhmPixels)
  if (!grade) return undefined
  const compared = usual ? `, usually ${usual.toFixed(1)}` : ''
  return { grade, reason: `defocused: FWHM ${fwhmPixels.toFixed(1)} px${compared}` }
}

function cloudVerdict(zeroPointMag: number | undefined, expected: Expected | undefined): Verdict | undefined {
  if (zeroPointMag === undefined || expected?.zeroPointMag === undefined) return undefined
  const lost = expected.zeroPointMag - zeroPointMag
  const grade = beyond(lost, limits.extinctionMag)
  return grade && { grade, reason: `clouded: ${lost.toFixed(1)} mag of light lost` }
}

/** Without a place on the sky nothing that changed could be reported. */
function fieldVerdict({ solution, hint, width, height }: GradeInput): Verdict | undefined {
  if (!solution) return undefined
  if (!solution.ok) return { grade: 'rejected', reason: `unknown field: ${solution.reason}` }
  if (!hint) return undefined
  const missed = separationDeg(solution, hint)
  const sideDeg = (Math.min(width, height) * solution.scaleArcsecPerPixel) / 3600
  if (missed <= offField * sideDeg) return undefined
  return { grade: 'poor', reason: `wrong field: ${missed.toFixed(2)}° from where it should point` }
}

interface Place {
  readonly raDeg: number
  readonly decDeg: number
}

/** Haversine formula. */
function separationDeg(a: Place, b: Place): number {
  const degree = Math.PI / 180
  const dDec = Math.sin(((a.decDeg - b.decDeg) * degree) / 2)
  const dRa = Math.sin(((a.raDeg - b.raDeg) * degree) / 2)
  const h = dDec * dDec + Math.cos(a.decDeg * degree) * Math.cos(b.decDeg * degree) * dRa * dRa
  return (2 * Math.asin(Math.min(1, Math.sqrt(h)))) / degree
}
