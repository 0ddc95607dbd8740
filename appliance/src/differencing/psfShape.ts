import type { Compute } from '../frames/compute.ts'
import { formOf, type MoffatShape, moffatVolume, shapeOf } from './moffat.ts'
import { fitMoffats, type MoffatFit, type MoffatFitOptions, type MoffatStart } from './moffatFit.ts'
import { type Cut, type Cuts, levelRim, subtractNeighbours } from './psfCuts.ts'
import { basisOf, type Degree, type Framing, fitPolynomial, termsOf } from './psfField.ts'
import { median, robustSigma } from './robust.ts'

/**
 * The Moffat profile of a frame as a function of place: every star is fitted with a profile of its own, and ln(FWHM), e1 and
 * e2 with a polynomial over the frame from which stars that do not agree (galaxies, pairs, cosmic rays) are dropped.
 */
export interface ShapeField {
  readonly degree: Degree
  readonly beta: number
  shapeAt(x: number, y: number): MoffatShape
  /** The stars that agree with it. */
  readonly stars: readonly ShapedStar[]
  /** Variance for one ADU of signal that the stars' residuals show, ADU. */
  readonly perSignal: number
}

export interface ShapedStar {
  readonly cut: Cut
  readonly fit: MoffatFit
  readonly shape: MoffatShape
}

/** At least so many stars for a polynomial of that degree. */
const leastFor = { 1: 16, 2: 48 } as const

export function degreeFor(stars: number, most: Degree): Degree {
  const supported = stars >= leastFor[2] ? 2 : stars >= leastFor[1] ? 1 : 0
  return Math.min(supported, most) as Degree
}

interface Settings {
  readonly framing: Framing
  readonly rmsAdu: number
  readonly guess: MoffatShape
  readonly mostDegree: Degree
}

/** Undefined when no star can be fitted. */
export function measureShapes(compute: Compute, cuts: Cuts, settings: Settings): ShapeField | undefined {
  const guessed = cuts.list.map((cut) => ({ cut, start: startOf(cut, settings.guess) }))
  const first = round(compute, cuts, guessed, settings, 0)
  if (!first) return undefined
  for (const { cut, fit } of first.stars) {
    const form = formOf(first.shapeAt(cut.cx, cut.cy))
    subtractNeighbours(cut, form, moffatVolume(form))
    levelRim(cut, (x, y) => valueAt(fit, x, y))
  }
  const started = first.stars.map(({ cut, fit }) => ({ cut, start: fit }))
  return round(compute, cuts, started, settings, first.perSignal)
}

interface Started {
  readonly cut: Cut
  readonly start: MoffatStart
}

function valueAt({ amplitude, x, y, form: { a, b, c, beta } }: MoffatFit, px: number, py: number): number {
  const [dx, dy] = [px - x, py - y]
  return amplitude * Math.exp(-beta * Math.log(1 + a * dx * dx + 2 * b * dx * dy + c * dy * dy))
}

function round(
  compute: Compute,
  cuts: Cuts,
  tries: readonly Started[],
  settings: Settings,
  perSignal: number,
): ShapeField | undefined {
  const { fwhmPixels } = settings.guess
  const options: MoffatFitOptions = {
    radiusPixels: 1.8 * fwhmPixels + 1,
    skyVariance: settings.rmsAdu ** 2,
    perSignal,
    perSquare: perSignal > 0 ? 1e-6 : 1e-4,
    freeBeta: false,
    points: fwhmPixels < 2.2 ? 3 : 2,
  }
  const wide = { ...options, radiusPixels: 2.6 * fwhmPixels + 1, freeBeta: true }
  const bright = fitMoffats(compute, cuts, tries.slice(0, brightest), wide)
  const betas = bright.filter((fit) => fit !== undefined).map((fit) => fit.form.beta)
  const beta = betas.length > 0 ? median(betas) : settings.guess.beta
  const again = tries.map(({ cut, start }, k) => ({ cut, start: withBeta(bright[k] ?? start, beta) }))
  const stars: ShapedStar[] = []
  fitMoffats(compute, cuts, again, options).forEach((fit, k) => {
    const shape = fit && shapeOf(fit.form)
    if (fit && shape) stars.push({ cut: tries[k]!.cut, fit, shape })
  })
  return stars.length === 0 ? undefined : fieldOf(stars, beta, settings)
}

/** Stars that β is measured from. */
const brightest = 24

function startOf({ star, cx, cy }: Cut, shape: MoffatShape): MoffatStart {
  const form = formOf(shape)
  const amplitude = star.fluxAdu / moffatVolume(form)
  return { amplitude, x: star.x - cx, y: star.y - cy, form }
}

/** The same width with another β. */
function withBeta(fit: MoffatStart, beta: number): MoffatStart {
  const shape = shapeOf(fit.form)
  return shape ? { ...fit, form: formOf({ ...shape, beta }) } : fit
}

/** No star's shape is trusted better than this. */
const shapeFloor = 0.004

function fieldOf(stars: readonly ShapedStar[], beta: number, settings: Settings): ShapeField {
  const { framing } = settings
  let kept = stars
  let degree: Degree = 0
  let fields: readonly Float64Array[] = []
  for (let pass = 0; pass < 4; pass++) {
    degree = degreeFor(kept.length, settings.mostDegree)
    const design = kept.map(({ cut }) => basisOf(degree, ...framing(cut.cx, cut.cy)))
    const weights = kept.map(({ fit }) => 1 / (shapeFloor ** 2 + 2 / fit.snr ** 2))
    fields = quantities.map((read) =>
      fitPolynomial(
        design,
        kept.map(({ shape }) => read(shape)),
        weights,
        termsOf(degree),
      ),
    )
    const agreeing = agree(stars, fields, degree, framing)
    if (agreeing.length === kept.length) break
    kept = agreeing
  }
  const shapeAt = (x: number, y: number): MoffatShape => {
    const basis = basisOf(degree, ...framing(x, y))
    const [width, e1, e2] = fields.map((field) => dot(field, basis))
    return { fwhmPixels: Math.exp(width!), e1: e1!, e2: e2!, beta }
  }
  return { degree, beta, shapeAt, stars: kept, perSignal: Math.max(0, median(kept.map(({ fit }) => fit.excess))) }
}

const quantities: readonly ((shape: MoffatShape) => number)[] = [
  ({ fwhmPixels }) => Math.log(fwhmPixels),
  ({ e1 }) => e1,
  ({ e2 }) => e2,
]

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** The stars within four sigma of the fields in all three quantities, and not much worse fitted than the rest. */
function agree(
  stars: readonly ShapedStar[],
  fields: readonly Float64Array[],
  degree: Degree,
  framing: Framing,
): readonly ShapedStar[] {
  const pulls = stars.map(({ cut, fit, shape }) => {
    const basis = basisOf(degree, ...framing(cut.cx, cut.cy))
    const error = Math.hypot(shapeFloor, Math.SQRT2 / fit.snr)
    return quantities.map((read, k) => (read(shape) - dot(fields[k]!, basis)) / error)
  })
  const limits = quantities.map((_, k) => {
    const own = pulls.map((pull) => pull[k]!)
    return 4 * Math.max(1, robustSigma(own, 0))
  })
  const chi = stars.map(({ fit }) => fit.chi2)
  const worst = 6 * Math.max(1, median(chi))
  const good = stars.filter((_, i) => pulls[i]!.every((pull, k) => Math.abs(pull) <= limits[k]!) && chi[i]! < worst)
  return good.length > 0 ? good : stars
}
