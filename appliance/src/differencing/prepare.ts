import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import { type Mesh, subtractSpline } from '../frames/mesh.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { loudPixels, type PlaneFacts, planeFacts } from '../frames/planes.ts'
import { type Wcs, wcsFromHeader } from '../frames/wcs.ts'
import { type Measured, measureFrame, readMeasured } from '../preprocessing/measuredFrame.ts'
import { type Star, StarFlag } from '../preprocessing/stars.ts'
import { gainFromHeader } from './gain.ts'
import { stellarFwhm } from './starWidth.ts'
import { replaceSpoilt } from './warp.ts'

/** A frame ready for differencing: sky subtracted, pixels without a value replaced, stars measured. */
export interface Prepared {
  /** ADU above the sky. */
  readonly plane: Plane
  readonly mask: MaskPlane
  readonly rms: Mesh
  readonly rmsAdu: number
  readonly levelAdu: number
  readonly stars: readonly Star[]
  /** Of the stars, not the galaxies; NaN without any. */
  readonly fwhmPixels: number
  /** As the header says. */
  readonly gainElectronsPerAdu: number | undefined
  readonly wcs: Wcs | undefined
}

export interface PrepareOptions {
  /** Pixels at or above are saturated. */
  readonly saturateAdu?: number | undefined
  /** Else the frame is measured. */
  readonly measured?: Measured | undefined
  /** The frame's own planes are used up; else they stay as they are. */
  readonly inPlace?: boolean
  /** In errors; "science" or "reference". */
  readonly name?: string
}

/** Allocates its planes from `compute`. Throws `differencing/empty` when the frame holds nothing but one value. */
export function prepare(compute: Compute, frame: Frame, options: PrepareOptions = {}): Prepared {
  const { width, height } = frame
  const facts = planeFacts(compute, frame.science, frame.mask)
  refuseEmpty(facts, options.name ?? 'given')
  const { plane, mask } = options.inPlace ? { plane: frame.science, mask: frame.mask } : copyOf(compute, frame)
  const saturateAdu = options.saturateAdu ?? pileUp(compute, frame, facts)
  if (saturateAdu !== undefined) {
    compute.rows('maskValues', height, [frame.science.pointer, mask.pointer, width, saturateAdu])
  }
  const { background, stars } = options.measured ?? measureFrame(compute, { ...frame, mask })
  limitDepth(background.rms.data, facts.greatest)
  subtractSpline(compute, background.level, frame.science, plane)
  replaceSpoilt(compute, plane, mask)
  return {
    plane,
    mask,
    rms: background.rms,
    rmsAdu: Math.max(background.globalRmsAdu, background.rms.data[0]! * 1e-3),
    levelAdu: background.globalLevelAdu,
    stars,
    fwhmPixels: frameFwhm(stars),
    gainElectronsPerAdu: gainFromHeader(frame.header),
    wcs: wcsFromHeader(frame.header),
  }
}

/** A file's frame, with the sky and the stars that the file holds. Throws also what `readFrame` throws. */
export function readPrepared(compute: Compute, path: string, name = 'given'): Prepared {
  const { frame, ...measured } = readMeasured(compute, path)
  return prepare(compute, frame, { measured, name, inPlace: true })
}

/** Room for the plane, and a copy of the mask. */
function copyOf(compute: Compute, { mask: given, width, height }: Frame): { plane: Plane; mask: MaskPlane } {
  const plane = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const mask = compute.view(Uint16Array, compute.allocate(width * height * 2), width, height)
  mask.data.set(given.data)
  return { plane, mask }
}

function refuseEmpty({ least, greatest }: PlaneFacts, name: string): void {
  if (least < greatest) return
  const what = least === greatest ? `holds nothing but the value ${least}` : 'has no pixel with a value'
  throw new NightjarError('differencing/empty', `the ${name} frame ${what}`)
}

/** A simulated frame may have no noise at all; a hundred-thousandth of its highest pixel keeps the arithmetic sound. */
function limitDepth(rms: Float32Array, greatest: number): void {
  const least = Math.fround(1e-5 * Math.max(0, Math.min(greatest, 1e30)))
  for (let i = 0; i < rms.length; i++) rms[i] = Math.max(rms[i]!, least)
}

/** Median width of clean, bright stars; NaN without any. */
export function frameFwhm(stars: readonly Star[]): number {
  return stellarFwhm(stars.filter((star) => star.flags === 0 && star.snr > 15))
}

/** Stars whose position can be trusted for a match; all of them when hardly any can. */
export function registrationStars(stars: readonly Star[]): readonly Star[] {
  const bad = StarFlag.edge | StarFlag.sharp | StarFlag.unsettled
  const good = stars.filter((star) => (star.flags & bad) === 0)
  return good.length >= 5 ? good : stars
}

/** Stars fit for photometry and the PSF; masks are looked at again where they are used. */
export function photometricStars(stars: readonly Star[]): readonly Star[] {
  const bad = StarFlag.saturated | StarFlag.edge | StarFlag.sharp | StarFlag.extended | StarFlag.unsettled
  return stars.filter((star) => (star.flags & bad) === 0)
}

/**
 * A frame that does not say where it saturates shows it: many pixels share the very highest value. Undefined when they do
 * not, or when the frame marks saturated pixels itself.
 */
function pileUp(compute: Compute, { science }: Frame, { greatest, saturated }: PlaneFacts): number | undefined {
  if (saturated > 0 || greatest <= 100 || !Number.isInteger(greatest)) return undefined
  return loudPixels(compute, science, greatest).length >= 4 ? 0.98 * greatest : undefined
}
