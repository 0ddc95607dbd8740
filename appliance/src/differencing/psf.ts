import type { Plane } from '../frames/plane.ts'
import { fitMoffat, type MoffatShape, moffatStamp } from './moffat.ts'
import { normalised, PolynomialPsf } from './psfModel.ts'
import { type PsfInput, type PsfStar, selectPsfStars } from './psfStars.ts'
import { median, robustSigma, solveLinear } from './robust.ts'
import { StampSpline } from './spline.ts'
import { stampFwhm, windowedCentroid } from './stampShape.ts'
import { fitStar } from './starFit.ts'
import { StarGrid } from './starGrid.ts'
import { stellarFwhm } from './starWidth.ts'

/**
 * The point spread function of a frame, measured from its stars on the pixel grid: a Moffat profile fitted to their mean,
 * plus the residuals that clean stars leave, moved to a common sub-pixel position and averaged with outliers clipped. The
 * correction may vary over the frame as a polynomial of degree 0 to 2, by the number of stars. Every stamp is centred and
 * sums to 1.
 */
export interface PsfModel {
  readonly kind: 'empirical' | 'moffat'
  readonly degree: 0 | 1 | 2
  /** Stars that it was made from. */
  readonly stars: number
  /** Stamps are size × size, odd; the PSF is centred on the middle pixel. */
  readonly size: number
  readonly fwhmPixels: number
  readonly shape: MoffatShape
  /** The stamp at a place in the frame; float64, sums to 1. */
  stampAt(x: number, y: number): Float64Array
  /** As `stampAt`, ready to be shifted; kept per cell of the frame. */
  splineAt(x: number, y: number): StampSpline
}

/** With fewer stars the Moffat profile is used alone, unless three or more are bright enough to show its faults. */
export const fewestEmpiricalStars = 8
const brightSnr = 300

function supportsEmpirical(stars: readonly PsfStar[]): boolean {
  if (stars.length >= fewestEmpiricalStars) return true
  return stars.filter((star) => star.snr > brightSnr).length >= 3
}

/** Half the side of a PSF stamp that holds 99.7 % of a Moffat profile of this width. */
export function psfRadius(fwhmPixels: number): number {
  return Math.max(10, Math.min(30, Math.ceil(5.5 * fwhmPixels)))
}

/** Measures the PSF. With no usable star at all: a round Moffat profile of the median star's width, or of 3 px. */
export function measurePsf(input: PsfInput): PsfModel {
  const size = 2 * input.radius + 1
  const stars = selectPsfStars(input)
  const width = stellarFwhm(stars.length > 0 ? stars : input.stars)
  const guess: MoffatShape = { fwhmPixels: clampWidth(width), e1: 0, e2: 0, beta: 3 }
  if (stars.length === 0) return constantPsf(moffatBase(guess, size), size, guess, 0)
  const radius = Math.max(7, Math.min(input.radius, Math.ceil(3 * guess.fwhmPixels) + 1))
  const core: Core = { ...input, radius, size: 2 * radius + 1, outerSize: size }
  const grid = new StarGrid(input.stars, input.plane, 32)
  const cuts = stars.map((star) => cutStar(core, star, grid))
  const shape = meanShape(core, cuts, guess)
  if (!supportsEmpirical(stars)) return constantPsf(moffatBase(shape, size), size, shape, cuts.length)
  return empiricalPsf(core, cuts, shape)
}

/**
 * The stars are compared within three FWHM of their centres, where they say more than the profile does; the wings beyond
 * are the profile's.
 */
interface Core extends PsfInput {
  readonly size: number
  readonly outerSize: number
}

function clampWidth(fwhm: number): number {
  return Number.isFinite(fwhm) ? Math.max(1.2, Math.min(12, fwhm)) : 3
}

interface Cut {
  readonly star: PsfStar
  /** Pixel at the middle of the cut. */
  readonly cx: number
  readonly cy: number
  readonly data: Float64Array
  /** False where the mask or a neighbour spoils the pixel. */
  readonly use: Uint8Array
}

function cutStar({ plane, mask, stars, radius }: PsfInput, star: PsfStar, grid: StarGrid): Cut {
  const size = 2 * radius + 1
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  const data = new Float64Array(size * size)
  const use = new Uint8Array(size * size)
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) {
      const at = (cy + j - radius) * plane.width + cx + i - radius
      const value = plane.data[at]!
      data[j * size + i] = value
      use[j * size + i] = mask.data[at] === 0 && Number.isFinite(value) ? 1 : 0
    }
  }
  for (const index of grid.within(star.x, star.y, 1.5 * radius + 3)) {
    const other = stars[index]!
    if (Math.hypot(other.x - star.x, other.y - star.y) < 0.5) continue
    hide(use, size, other, other.x - cx + radius, other.y - cy + radius, star.fluxAdu)
  }
  return { star, cx, cy, data, use }
}

/** Leaves out the pixels that a neighbour lights by more than a thousandth of the star's peak or so. */
function hide(use: Uint8Array, size: number, other: PsfStar, x: number, y: number, fluxAdu: number): void {
  const reach = other.fwhmPixels * Math.min(3, 1.2 + 0.6 * Math.log10(1 + (100 * other.fluxAdu) / fluxAdu))
  for (let k = 0; k < use.length; k++) {
    if (Math.hypot((k % size) - x, Math.floor(k / size) - y) < reach) use[k] = 0
  }
}

/** Moffat profile of the stars' mean, each moved to the centre of a pixel by its centroid. */
function meanShape(core: Core, cuts: readonly Cut[], guess: MoffatShape): MoffatShape {
  const { size } = core
  const best = cuts.slice(0, 60)
  let shape = guess
  for (let round = 0; round < 2; round++) {
    const model = new StampSpline(coreOf(moffatBase(shape, core.outerSize), core), size)
    const stack = best
      .map((cut) => placed(core, cut, model))
      .filter((star) => star !== undefined)
      .map((star) => centred(overFlux(star), size, star.dx, star.dy))
    if (stack.length === 0) return shape
    const mean = new Float64Array(size * size)
    for (let k = 0; k < mean.length; k++) mean[k] = median(stack.map((stamp) => stamp[k]!))
    shape = fitMoffat(mean, size, 2.2 * guess.fwhmPixels + 1, shape)
  }
  return shape
}

interface Placed {
  readonly cut: Cut
  readonly flux: number
  /** Of the star from the middle of the cut. */
  readonly dx: number
  readonly dy: number
  /** Sky that the mesh missed here, ADU. */
  readonly level: number
}

/** Fits the model to a cut, with the sky taken from the rim after the star's own wings were subtracted there. */
function placed({ rmsAdu }: PsfInput, cut: Cut, model: StampSpline): Placed | undefined {
  const { size } = model
  const half = (size - 1) / 2
  const radiusPixels = Math.max(2.5, 1.5 * cut.star.fwhmPixels)
  const variance = (x: number, y: number): number => (cut.use[y * size + x] ? rmsAdu * rmsAdu : 0)
  let [x, y, flux] = [half + cut.star.x - cut.cx, half + cut.star.y - cut.cy, cut.star.fluxAdu]
  let level = 0
  for (let round = 0; round < 2; round++) {
    level = rimLevel(cut, model.shifted(x - half, y - half).value, flux, size)
    const data = new Float32Array(cut.data)
    for (let k = 0; k < data.length; k++) data[k]! -= level
    const own: Plane = { width: size, height: size, pointer: 0, data }
    const fit = fitStar(own, model, x, y, { radiusPixels, variance, maximumMovePixels: 1 })
    if (!fit || fit.fluxAdu <= 0) return undefined
    ;[x, y, flux] = [fit.x, fit.y, fit.fluxAdu]
  }
  return { cut, flux, dx: x - half, dy: y - half, level }
}

/** Median of what the model leaves in the outer two pixels of the stamp's circle. */
function rimLevel(cut: Cut, model: Float64Array, flux: number, size: number): number {
  const half = (size - 1) / 2
  const rim: number[] = []
  for (let k = 0; k < cut.data.length; k++) {
    const r = Math.hypot((k % size) - half, Math.floor(k / size) - half)
    if (cut.use[k] && r > half - 3 && r <= half + 0.5) rim.push(cut.data[k]! - flux * model[k]!)
  }
  return rim.length === 0 ? 0 : median(rim)
}

/** The cut without its sky, for a flux of 1; 0 where a pixel may not be used. */
function overFlux({ cut, flux, level }: Placed): Float64Array {
  return cut.data.map((value, k) => (cut.use[k] ? (value - level) / flux : 0))
}

/** A stamp moved so that what lies at (dx, dy) from the middle comes to the middle. */
function centred(data: ArrayLike<number>, size: number, dx: number, dy: number): Float64Array {
  return new StampSpline(data, size).shifted(-dx, -dy).value
}

/** 1 within the share `from` of the radius, falling to 0 at the radius. */
function taper(size: number, from: number): Float64Array {
  const half = (size - 1) / 2
  return Float64Array.from({ length: size * size }, (_, k) => {
    const r = Math.hypot((k % size) - half, Math.floor(k / size) - half) / (half + 0.5)
    if (r >= 1) return 0
    return r < from ? 1 : Math.cos(((r - from) / (1 - from)) * (Math.PI / 2)) ** 2
  })
}

function moffatBase(shape: MoffatShape, size: number): Float64Array {
  const window = taper(size, 0.97)
  return normalised(moffatStamp(shape, size).map((v, k) => v * window[k]!))
}

function basisOf(degree: 0 | 1 | 2, u: number, v: number): readonly number[] {
  if (degree === 0) return [1]
  return degree === 1 ? [1, u, v] : [1, u, v, u * u, u * v, v * v]
}

/** The middle of a stamp of the outer size. */
function coreOf(outer: Float64Array, { size, outerSize }: Core): Float64Array {
  const edge = (outerSize - size) / 2
  return Float64Array.from({ length: size * size }, (_, k) => {
    return outer[(Math.floor(k / size) + edge) * outerSize + (k % size) + edge]!
  })
}

function empiricalPsf(core: Core, cuts: readonly Cut[], shape: MoffatShape): PsfModel {
  const { size, outerSize } = core
  const supported = cuts.length >= 60 ? 2 : cuts.length >= 20 ? 1 : 0
  const degree = Math.min(supported, core.degree ?? 2) as 0 | 1 | 2
  const window = taper(size, 0.8)
  const { width, height } = core.plane
  const place = (x: number, y: number): readonly number[] =>
    basisOf(degree, (2 * x) / Math.max(1, width - 1) - 1, (2 * y) / Math.max(1, height - 1) - 1)
  let wings = moffatBase(shape, outerSize)
  let terms: readonly Float64Array[] = [coreOf(wings, core)]
  let used = 0
  for (let round = 0; round < 3; round++) {
    const model = new PolynomialPsf(terms, degree, size, place)
    const stars = cuts.map((cut) => placed(core, cut, model.splineAt(cut.cx, cut.cy))).filter((s) => s !== undefined)
    used = stars.length
    const residuals = stars.map((star) => residualOf(star, model.splineAt(star.cut.cx, star.cut.cy), size))
    const design = stars.map(({ cut }) => place(cut.cx, cut.cy))
    const weights = stars.map(({ flux }) => 1 / (0.0004 + (core.rmsAdu / flux) ** 2 / 0.003))
    const change = fitPixels(residuals, design, weights, size * size)
    terms = change.map((term, k) => term.map((v, i) => (terms[k]?.[i] ?? 0) + v * window[i]!))
    const off = windowedCentroid(new PolynomialPsf(terms, degree, size, place).stampAt(width / 2, height / 2), size)
    terms = terms.map((term) => centred(term, size, off.dx, off.dy))
    wings = centred(wings, outerSize, off.dx, off.dy)
  }
  const model = new PolynomialPsf(terms, degree, size, place, { stamp: wings, size: outerSize })
  const fwhmPixels = stampFwhm(model.stampAt(width / 2, height / 2), outerSize)
  return Object.assign(model, { kind: 'empirical' as const, degree, stars: used, shape, fwhmPixels })
}

/** What the model leaves of a star of flux 1, moved to the middle; 0 where a pixel may not be used. */
function residualOf(star: Placed, model: StampSpline, size: number): Float64Array {
  const { value } = model.shifted(star.dx, star.dy)
  const rest = overFlux(star).map((v, k) => (star.cut.use[k] ? v - value[k]! : 0))
  return centred(rest, size, star.dx, star.dy)
}

/** Weighted least squares of every pixel against the polynomial, with one round that drops outliers beyond 3.5 sigma. */
function fitPixels(
  residuals: readonly Float64Array[],
  design: readonly (readonly number[])[],
  weights: readonly number[],
  pixels: number,
): Float64Array[] {
  const terms = design[0]?.length ?? 1
  const out = Array.from({ length: terms }, () => new Float64Array(pixels))
  const values = new Float64Array(residuals.length)
  for (let pixel = 0; pixel < pixels; pixel++) {
    residuals.forEach((stamp, star) => {
      values[star] = stamp[pixel]!
    })
    const centre = median(values)
    const limit = 3.5 * robustSigma(values, centre) + 1e-12
    const solved = solvePixel(values, design, weights, terms, (v) => Math.abs(v - centre) <= limit)
    for (let term = 0; term < terms; term++) out[term]![pixel] = solved?.[term] ?? (term === 0 ? centre : 0)
  }
  return out
}

function solvePixel(
  values: Float64Array,
  design: readonly (readonly number[])[],
  weights: readonly number[],
  terms: number,
  keep: (value: number) => boolean,
): Float64Array | undefined {
  const matrix = new Float64Array(terms * terms)
  const right = new Float64Array(terms)
  for (let star = 0; star < values.length; star++) {
    if (!keep(values[star]!)) continue
    const basis = design[star]!
    const w = weights[star]!
    for (let i = 0; i < terms; i++) {
      right[i]! += w * basis[i]! * values[star]!
      for (let j = 0; j < terms; j++) matrix[i * terms + j]! += w * basis[i]! * basis[j]!
    }
  }
  return solveLinear(matrix, right)
}

function constantPsf(stamp: Float64Array, size: number, shape: MoffatShape, stars: number): PsfModel {
  const spline = new StampSpline(stamp, size)
  const fwhmPixels = stampFwhm(stamp, size)
  return { kind: 'moffat', degree: 0, stars, size, fwhmPixels, shape, stampAt: () => stamp, splineAt: () => spline }
}
