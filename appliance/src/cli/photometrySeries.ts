import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { registerStars } from '../differencing/register.ts'
import { invertAt, type PixelTransform } from '../differencing/transform.ts'
import type { Compute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { skyToPixel, type Wcs, wcsFromHeader } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { type ApertureFlux, type ApertureOptions, measureApertures } from '../preprocessing/aperture.ts'
import { measureBackground } from '../preprocessing/background.ts'
import { hintFrom } from '../preprocessing/headerHint.ts'
import { type DetectorMedian, detectorMedian } from '../preprocessing/hotPixels.ts'
import { airmassOf, exposureMiddleMs, exposureSeconds } from '../preprocessing/lightCurveTime.ts'
import { withoutMosaic } from '../preprocessing/mosaic.ts'
import { typicalOf } from '../preprocessing/photometry.ts'
import { solve } from '../preprocessing/solve.ts'
import { measureStars, type Star, StarFlag } from '../preprocessing/stars.ts'

/** Measures the same stars in every frame of a series, wherever they lie in it. */
export interface SeriesOptions {
  readonly saturateAdu?: number
  /** Subtract the detector's own pattern, found from the series. */
  readonly hotPixels: boolean
}

export interface Target {
  /** ICRS; or a place in the first frame. */
  readonly sky?: { readonly raDeg: number; readonly decDeg: number }
  readonly pixel?: { readonly x: number; readonly y: number }
}

export interface FrameFacts {
  readonly path: string
  readonly middleMs: number
  readonly exposureSeconds: number
  readonly airmass: number | undefined
  readonly skyAdu: number
  readonly skyRmsAdu: number
  readonly fwhmPixels: number
}

export interface MeasuredSeries {
  readonly frames: readonly FrameFacts[]
  readonly width: number
  readonly height: number
  readonly radiiPixels: readonly number[]
  /** In the reference frame; the target first. */
  readonly stars: readonly { readonly x: number; readonly y: number }[]
  /** `[frame][star]`; undefined where the star could not be measured. */
  readonly fluxes: readonly (readonly (StarFlux | undefined)[])[]
  readonly detector: Omit<DetectorMedian, 'ok' | 'offset' | 'mask'> | string
  readonly skipped: readonly string[]
  readonly driftPixels: number
  /** Of the target, when the reference frame's place on the sky is known. */
  readonly targetSky: { readonly raDeg: number; readonly decDeg: number } | undefined
  readonly header: Frame['header']
}

export interface StarFlux extends ApertureFlux {
  readonly x: number
  readonly y: number
}

const registrationStars = 300
const mostComparisons = 150
const leastComparisonSnr = 40
const leastFrames = 5
/** Circles in units of the series' FWHM. */
const radiiFwhm = [0.9, 1.1, 1.35, 1.6, 1.9, 2.25, 2.7, 3.2]
const ringFwhm = { inner: 3.8, outer: 7 }
/** Within this share of the top of the converter a pixel is no longer trusted to be linear. */
const linearShare = 0.85
const notComparable =
  StarFlag.saturated | StarFlag.edge | StarFlag.sharp | StarFlag.extended | StarFlag.unsettled | StarFlag.masked

interface Opened {
  readonly frame: Frame
  readonly stars: readonly Star[]
  readonly skyAdu: number
  readonly skyRmsAdu: number
}

/** Reads, cleans, registers and measures all frames. Throws `photometry/…` with the reason when the series cannot be used. */
export function measureSeries(
  compute: Compute,
  paths: readonly string[],
  target: Target,
  options: SeriesOptions,
): MeasuredSeries {
  using _scratch = compute.scope()
  const detector = options.hotPixels ? detectorMedian(compute, paths) : undefined
  const pattern = detector?.ok ? detector : undefined
  const open = (path: string): Opened => openFrame(compute, path, pattern, options.saturateAdu)
  const reference = open(paths[paths.length >> 1]!)
  const { width, height } = reference.frame
  const fwhm = typicalOf(reference.stars, (star) => star.fwhmPixels)
  if (fwhm === undefined)
    throw new NightjarError('photometry/stars', `${paths[paths.length >> 1]}: no star can be measured`)
  const found = findTarget(compute, reference, target, () => open(paths[0]!))
  const places = [found.place, ...comparisonsOf(reference.stars, found.place)]
  const apertures = {
    radiiPixels: radiiFwhm.map((share) => Number((share * fwhm).toFixed(2))),
    innerPixels: Math.max(6, ringFwhm.inner * fwhm),
    outerPixels: Math.max(11, ringFwhm.outer * fwhm),
  }
  const frames: FrameFacts[] = []
  const fluxes: (StarFlux | undefined)[][] = []
  const skipped: string[] = []
  const shifts: { x: number; y: number }[] = []
  let hint: PixelTransform | undefined
  for (const path of paths) {
    using _frame = compute.scope()
    const opened = open(path)
    const facts = factsOf(path, opened)
    const transform = typeof facts === 'string' ? facts : register(opened, reference, hint)
    if (typeof facts === 'string' || typeof transform === 'string') {
      skipped.push(`${path}: ${typeof facts === 'string' ? facts : transform}`)
      continue
    }
    hint = transform
    const placed = places.map((place) => placeIn(opened.stars, transform, place))
    fluxes.push(measureAt(compute, opened.frame, placed, apertures))
    frames.push(facts)
    shifts.push(placed[0]!)
  }
  if (frames.length < leastFrames) {
    throw new NightjarError(
      'photometry/frames',
      `${frames.length} of ${paths.length} frames can be used, ${leastFrames} are needed${skipped[0] ? `: ${skipped[0]}` : ''}`,
    )
  }
  const range = (values: number[]): number => Math.max(...values) - Math.min(...values)
  return {
    frames,
    width,
    height,
    radiiPixels: apertures.radiiPixels,
    stars: places,
    fluxes,
    detector: detector === undefined ? 'not asked for' : detector.ok ? withoutPlanes(detector) : detector.reason,
    skipped,
    driftPixels: Math.hypot(range(shifts.map((at) => at.x)), range(shifts.map((at) => at.y))),
    targetSky: found.sky,
    header: reference.frame.header,
  }
}

function withoutPlanes({ ok: _ok, offset: _offset, mask: _mask, ...rest }: DetectorMedian): MeasuredSeries['detector'] {
  return rest
}

function openFrame(
  compute: Compute,
  path: string,
  pattern: DetectorMedian | undefined,
  saturateAdu: number | undefined,
): Opened {
  const raw = readFrame(compute, path)
  const limit = saturateAdu ?? linearShare * topOf(raw)
  for (let i = 0; i < raw.science.data.length; i++) {
    if (raw.science.data[i]! >= limit) raw.mask.data[i]! |= MaskFlag.saturated
  }
  const frame = withoutMosaic(compute, raw)
  const { science, mask } = frame
  if (pattern && pattern.offset.data.length !== science.data.length) {
    throw new NightjarError('photometry/size', `${path}: ${frame.width} × ${frame.height} pixels, unlike the others`)
  }
  if (pattern) for (let i = 0; i < science.data.length; i++) science.data[i]! -= pattern.offset.data[i]!
  const background = measureBackground(compute, science, mask)
  const stars = measureStars(compute, science, mask, background, { thresholdSigma: 8, max: 3000 })
  return { frame, stars, skyAdu: background.globalLevelAdu, skyRmsAdu: background.globalRmsAdu }
}

/** Where pixels pile up at the highest value of the frame, that is the end of the converter. */
function topOf({ science }: Frame): number {
  let top = Number.NEGATIVE_INFINITY
  for (const value of science.data) if (value > top) top = value
  let count = 0
  for (const value of science.data) if (value === top) count++
  return count >= 4 ? top : Number.POSITIVE_INFINITY
}

function factsOf(path: string, { frame, stars, skyAdu, skyRmsAdu }: Opened): FrameFacts | string {
  const middleMs = exposureMiddleMs(frame.header)
  if (middleMs === undefined) return 'the header has no DATE-OBS that can be read'
  const seconds = exposureSeconds(frame.header)
  if (seconds === undefined) return 'the header has no EXPTIME'
  const fwhmPixels = typicalOf(stars, (star) => star.fwhmPixels) ?? Number.NaN
  return { path, middleMs, exposureSeconds: seconds, airmass: airmassOf(frame.header), skyAdu, skyRmsAdu, fwhmPixels }
}

function register(opened: Opened, reference: Opened, hint: PixelTransform | undefined): PixelTransform | string {
  const brightest = (stars: readonly Star[]): Star[] =>
    stars.filter((star) => (star.flags & (StarFlag.sharp | StarFlag.unsettled)) === 0).slice(0, registrationStars)
  const result = registerStars({
    science: brightest(opened.stars),
    reference: brightest(reference.stars),
    scienceSize: opened.frame,
    referenceSize: reference.frame,
    ...(hint && { hint }),
  })
  return result.ok ? result.registration.transform : result.reason
}

/** Where a star of the reference lies in a frame: its own centroid where it is well measured, else where the map says. */
function placeIn(
  stars: readonly Star[],
  transform: PixelTransform,
  place: { readonly x: number; readonly y: number },
): { x: number; y: number } {
  const [x, y] = invertAt(transform, place.x, place.y)
  const own = stars.find((star) => Math.hypot(star.x - x, star.y - y) < 1.2)
  return own && own.snr > 30 && (own.flags & StarFlag.unsettled) === 0 ? { x: own.x, y: own.y } : { x, y }
}

/** One for each place; undefined outside the frame. */
function measureAt(
  compute: Compute,
  { science, mask, width, height }: Frame,
  places: readonly { readonly x: number; readonly y: number }[],
  apertures: ApertureOptions,
): (StarFlux | undefined)[] {
  const fluxes = measureApertures(compute, science, mask, places, apertures)
  return places.map(({ x, y }, star) => {
    const flux = fluxes[star]
    const outside = x < 0 || y < 0 || x > width - 1 || y > height - 1
    return outside || !flux ? undefined : { ...flux, x, y }
  })
}

function comparisonsOf(stars: readonly Star[], target: { readonly x: number; readonly y: number }): Star[] {
  const fit = stars.filter((star) => (star.flags & notComparable) === 0 && star.snr > leastComparisonSnr)
  return fit.filter((star) => Math.hypot(star.x - target.x, star.y - target.y) > 5).slice(0, mostComparisons)
}

interface FoundTarget {
  readonly place: { readonly x: number; readonly y: number }
  readonly sky: { readonly raDeg: number; readonly decDeg: number } | undefined
}

function findTarget(compute: Compute, reference: Opened, target: Target, openFirst: () => Opened): FoundTarget {
  if (target.pixel) {
    using _first = compute.scope()
    const first = openFirst()
    const transform = register(reference, first, undefined)
    if (typeof transform === 'string') throw new NightjarError('photometry/target', transform)
    const [x, y] = invertAt(transform, target.pixel.x, target.pixel.y)
    return { place: snapped(reference.stars, { x, y }), sky: target.sky }
  }
  const wcs = wcsOf(reference, target)
  const at = target.sky && skyToPixel(wcs, target.sky.raDeg, target.sky.decDeg)
  const { width, height } = reference.frame
  if (!at || at.x < 0 || at.y < 0 || at.x > width - 1 || at.y > height - 1) {
    throw new NightjarError('photometry/target', 'the target lies outside the middle frame of the series')
  }
  return { place: snapped(reference.stars, at), sky: target.sky }
}

function wcsOf({ frame, stars }: Opened, target: Target): Wcs {
  const known = wcsFromHeader(frame.header)
  if (known) return known
  const hint = hintFrom(frame.header, frame.width, frame.height, { place: target.sky })
  if (!hint)
    throw new NightjarError('photometry/target', 'the frames have no coordinates: name the target with --pixel')
  const solution = solve(stars, frame.width, frame.height, hint, openStarCatalogue())
  if (solution.ok) return solution.wcs
  throw new NightjarError('photometry/target', `${solution.reason}: name the target with --pixel`)
}

/** The nearest star within 3 px. */
function snapped(stars: readonly Star[], at: { readonly x: number; readonly y: number }): { x: number; y: number } {
  let best = { x: at.x, y: at.y, distance: 3 }
  for (const star of stars) {
    const distance = Math.hypot(star.x - at.x, star.y - at.y)
    if (distance < best.distance) best = { x: star.x, y: star.y, distance }
  }
  return { x: best.x, y: best.y }
}
