import type { Compute } from '../frames/compute.ts'
import { type MoffatShape, moffatStamps } from './moffat.ts'
import { type Cuts, cutStars } from './psfCuts.ts'
import { basisOf, type Degree, fitPolynomial, framingOf, termsOf } from './psfField.ts'
import { middleOf, PolynomialPsf } from './psfModel.ts'
import { measureResidual, type Residual } from './psfResidual.ts'
import { measureShapes, type ShapeField } from './psfShape.ts'
import { type PsfInput, type PsfStar, selectPsfStars } from './psfStars.ts'
import { gridSide, type StampSpline } from './spline.ts'
import { stampFwhm } from './stampShape.ts'
import { StarGrid } from './starGrid.ts'
import { stellarFwhm } from './starWidth.ts'

/**
 * The point spread function of a frame, from its stars: a Moffat profile whose shape is a polynomial of the place, plus what
 * clean stars leave of it at every node of an oversampled stamp, averaged with outliers clipped and noise shrunk. Every
 * stamp is centred and sums to 1.
 */
export interface PsfModel {
  readonly kind: 'empirical' | 'moffat'
  readonly degree: Degree
  /** Stars that it was made from. */
  readonly stars: number
  /** Stamps are size × size, odd; the PSF is centred on the middle pixel. */
  readonly size: number
  /** Nodes per pixel along a side: 1 where stars are sampled well, 2 or 3 where they are not. */
  readonly oversampling: number
  readonly fwhmPixels: number
  readonly shape: MoffatShape
  /** The stamp at a place in the frame; float64, sums to 1. */
  stampAt(x: number, y: number): Float64Array
  /** `stampAt` of the PSF moved by (dx, dy) pixels. */
  movedBy(dx: number, dy: number): (x: number, y: number) => Float64Array
  /** As `stampAt`, ready to be shifted; kept per cell of the frame. */
  splineAt(x: number, y: number): StampSpline
  /** As `splineAt`, its middle alone, for fits that read pixels at most `reach` from the middle and move 1.5 px. */
  coreAt(x: number, y: number, reach: number): StampSpline
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
export function measurePsf(compute: Compute, input: PsfInput): PsfModel {
  using _scratch = compute.scope()
  const size = 2 * input.radius + 1
  const selected = selectPsfStars(input)
  const width = stellarFwhm(selected.length > 0 ? selected : input.stars)
  const guess: MoffatShape = { fwhmPixels: clampWidth(width), e1: 0, e2: 0, beta: 3 }
  const grid = new StarGrid(input.stars, input.plane, 32)
  const radius = Math.max(7, Math.min(input.radius, Math.ceil(3 * guess.fwhmPixels) + 1))
  const cutInput = { ...input, radius, grid, fwhmPixels: guess.fwhmPixels }
  const framing = framingOf(input.plane)
  const cuts = cutStars(compute, cutInput, selected)
  const settings = { framing, rmsAdu: input.rmsAdu, guess, mostDegree: input.degree ?? 2 }
  const field = selected.length > 0 ? measureShapes(compute, cuts, settings) : undefined
  if (!field) return constantPsf(compute, guess, size, 0)
  const stars = field.stars.map(({ cut }) => cut.star)
  const middle = field.shapeAt((input.plane.width - 1) / 2, (input.plane.height - 1) / 2)
  if (!supportsEmpirical(stars)) return constantPsf(compute, middle, size, stars.length)
  return empiricalPsf(compute, input, cuts, field, middle, size)
}

function clampWidth(fwhm: number): number {
  return Number.isFinite(fwhm) ? Math.max(1.2, Math.min(12, fwhm)) : 3
}

/** Below these widths a node a pixel does not hold the profile. */
function oversamplingFor(fwhmPixels: number): number {
  if (fwhmPixels >= 2.3) return 1
  return fwhmPixels >= 1.5 ? 2 : 3
}

const rounds = 2

function empiricalPsf(
  compute: Compute,
  input: PsfInput,
  cuts: Cuts,
  field: ShapeField,
  shape: MoffatShape,
  size: number,
): PsfModel {
  const { degree, stars, perSignal } = field
  const { rmsAdu, plane } = input
  const framing = framingOf(plane)
  const oversampling = oversamplingFor(shape.fwhmPixels)
  const base = moffatTerms(compute, field, plane, size, oversampling)
  const coreSize = cuts.size
  const core = base.terms.map((term) => middleOf(term, size, coreSize, oversampling))
  const modelWith = (terms: readonly Float64Array[], side: number, residual: Residual | undefined): PolynomialPsf =>
    new PolynomialPsf(summed(terms, residual, side, oversampling), base.degree, framing, side, oversampling)
  let residual: Residual | undefined
  for (let round = 0; round < rounds; round++) {
    const model = modelWith(core, coreSize, residual)
    const { fwhmPixels } = shape
    const settings = { degree, rmsAdu, perSignal, fwhmPixels, before: residual }
    residual = measureResidual(compute, { cuts, stars, model, ...settings })
  }
  const model = modelWith(base.terms, size, residual)
  const fwhmPixels = stampFwhm(model.stampAt(plane.width / 2, plane.height / 2), size)
  return Object.assign(model, { kind: 'empirical' as const, degree, stars: stars.length, shape, fwhmPixels })
}

/** The Moffat profile at places all over the frame, and each node as a polynomial through them. */
function moffatTerms(
  compute: Compute,
  field: ShapeField,
  { width, height }: PsfInput['plane'],
  size: number,
  oversampling: number,
): { readonly terms: readonly Float64Array[]; readonly degree: Degree | 3 } {
  // The profile bends more than its shape does: one degree more, from places enough for it.
  const degree = field.degree === 0 ? 0 : field.degree === 1 ? 2 : 3
  const across = degree === 0 ? 1 : degree + 1
  const along = (k: number): number => (k + 0.5) / across
  const places = Array.from({ length: across * across }, (_, k) => [along(k % across), along(Math.floor(k / across))])
  const design = places.map(([x, y]) => basisOf(degree, 2 * x! - 1, 2 * y! - 1))
  const shapes = places.map(([x, y]) => field.shapeAt(x! * width, y! * height))
  const stamps = moffatBases(compute, shapes, size, oversampling)
  const inverse = projection(design, termsOf(degree))
  const terms = inverse.map((row) => {
    const term = new Float64Array(stamps[0]!.length)
    stamps.forEach((stamp, k) => {
      for (let i = 0; i < term.length; i++) term[i]! += row[k]! * stamp[i]!
    })
    return term
  })
  return { terms, degree }
}

/** For each term, the weights with which values at the places make its coefficient by least squares. */
function projection(design: readonly (readonly number[])[], terms: number): readonly (readonly number[])[] {
  const weights = design.map(() => 1e9)
  const columns = design.map((_, k) => {
    const values = design.map((__, i) => (i === k ? 1 : 0))
    return fitPolynomial(design, values, weights, terms)
  })
  return Array.from({ length: terms }, (_, term) => columns.map((column) => column[term]!))
}

/** The terms with the residual's nodes added to the middle of the first ones. */
function summed(
  base: readonly Float64Array[],
  residual: Residual | undefined,
  size: number,
  oversampling: number,
): readonly Float64Array[] {
  if (!residual) return base
  const [outer, inner] = [gridSide(size, oversampling), gridSide(residual.size, oversampling)]
  const edge = (outer - inner) / 2
  return base.map((term, k) => {
    const own = residual.terms[k]
    if (!own) return term
    const out = term.slice()
    for (let j = 0; j < inner; j++)
      for (let i = 0; i < inner; i++) out[(j + edge) * outer + i + edge]! += own[j * inner + i]!
    return out
  })
}

/** Each sums to 1 over the pixels and falls to 0 at the rim of the stamp's circle. */
function moffatBases(
  compute: Compute,
  shapes: readonly MoffatShape[],
  size: number,
  oversampling: number,
): readonly Float64Array[] {
  const side = gridSide(size, oversampling)
  const half = (side - 1) / 2
  const rim = Float64Array.from({ length: side * side }, (_, at) => {
    const r = Math.hypot((at % side) - half, Math.floor(at / side) - half) / (half + 0.5)
    return r >= 1 ? 0 : r <= 0.97 ? 1 : Math.cos(((r - 0.97) / 0.03) * (Math.PI / 2)) ** 2
  })
  return moffatStamps(compute, shapes, size, oversampling).map((stamp) => {
    const base = rim.map((share, at) => share * stamp[at]!)
    let sum = 0
    for (let j = 0; j < side; j += oversampling) for (let i = 0; i < side; i += oversampling) sum += base[j * side + i]!
    return base.map((value) => value / sum)
  })
}

function constantPsf(compute: Compute, shape: MoffatShape, size: number, stars: number): PsfModel {
  const oversampling = oversamplingFor(shape.fwhmPixels)
  const model = new PolynomialPsf(
    moffatBases(compute, [shape], size, oversampling),
    0,
    () => [0, 0],
    size,
    oversampling,
  )
  const fwhmPixels = stampFwhm(model.stampAt(0, 0), size)
  return Object.assign(model, { kind: 'moffat' as const, degree: 0 as const, stars, shape, fwhmPixels })
}
