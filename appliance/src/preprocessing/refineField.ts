import { pixelToSky, type Wcs } from '../frames/wcs.ts'
import type { CatalogueStar } from '../observations/starCatalogue.ts'
import { verdictOf } from './chance.ts'
import {
  type Bending,
  type FieldFit,
  fitField,
  freeTermsOf,
  onPlane,
  planeAt,
  planeAtCentre,
  wcsOfFit,
} from './fieldFit.ts'
import { PointGrid } from './pointGrid.ts'
import type { SkyCatalogue } from './solve.ts'

/** A star of the frame and the catalogue star that it is. */
export interface Match {
  readonly star: number
  readonly mag: number
  readonly bvMag?: number | undefined
}

export interface RefinedField {
  readonly wcs: Wcs
  readonly matches: readonly Match[]
  readonly rmsPixels: number
  /** log10 of the chance that unrelated stars agree as well. */
  readonly logChance: number
}

interface FrameStars {
  readonly x: Float64Array
  readonly y: Float64Array
}

/** Pairs of star numbers, the catalogue's places and the residuals of the fit that matched them. */
interface Pairs {
  readonly stars: number[]
  readonly catalogued: number[]
  readonly residualPixels: number[]
}

const leastMatched = 6
/** A fit may bend only with this many stars: twice its freedom and some. */
const leastFor: Readonly<Record<Bending, number>> = { linear: leastMatched, radial: 9, quadratic: 16, cubic: 26 }
const bendings = ['linear', 'radial', 'quadratic', 'cubic'] as const
/** Stars further off than this are not of the fit. */
const clipSigma = 4
/** No measurement of a position is better. */
const leastSigmaPixels = 0.01
/**
 * log10 of the chance at which a field is taken for solved: the tail of a binomial distribution for unrelated stars (see
 * chance.ts). astrometry.net asks for odds of 1e9 by a Bayesian ratio (Lang et al. 2010, AJ 139, 1782, section 3); 1e-15
 * leaves room for the at most 150,000 guesses of one search, which are as many chances.
 */
const acceptedLogChance = -15

/**
 * Improves a first linear fit: matches all stars, fits, clips, and repeats with a shrinking radius; then chooses how much
 * the field bends. Undefined when the stars do not agree beyond chance.
 */
export function refineField(
  stars: FrameStars,
  width: number,
  height: number,
  startPlane: Wcs,
  start: FieldFit,
  catalogue: SkyCatalogue,
): RefinedField | undefined {
  const radiusDeg = 0.53 * Math.hypot(width, height) * scaleOf(start)
  const middle = planeAtCentre(startPlane, start)
  const known = catalogue.starsNear(middle.raDeg, middle.decDeg, radiusDeg, { max: 3000 })
  const field = new Field(stars, width, height, known)
  let state: { plane: Wcs; fit: FieldFit } | undefined = { plane: startPlane, fit: start }
  let radius = Math.max(4, 0.005 * Math.hypot(width, height))
  for (let round = 0; round < 12; round++) {
    const pairs: Pairs = field.match(state.plane, state.fit, radius)
    if (pairs.stars.length < leastMatched) return undefined
    // While the circle shrinks a bent fit keeps the corners; how many terms stay is decided at the end.
    const count = pairs.stars.length
    const bending = count >= 40 ? 'cubic' : count >= leastFor.radial ? 'radial' : 'linear'
    const next = field.fit(state.plane, pairs, bending)
    if (!next) return undefined
    state = next
    const typical = median(pairs.residualPixels)
    const shrunk = Math.max(1.2, Math.min(0.7 * radius, 5 * typical))
    if (round > 3 && Math.abs(shrunk - radius) < 0.05 * radius) break
    radius = Math.max(shrunk, 1.2)
  }
  return field.judge(field.simplest(state.plane, state.fit, radius), radius)
}

function scaleOf(fit: FieldFit): number {
  return Math.sqrt(Math.abs(fit.xi[1]! * fit.eta[2]! - fit.xi[2]! * fit.eta[1]!)) / fit.unit
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}

interface Fitted {
  readonly plane: Wcs
  readonly fit: FieldFit
}

interface Simplest extends Fitted {
  readonly pairs: Pairs
  /** Sum of the squared residuals, pixels². */
  readonly squares: number
  readonly rmsPixels: number
}

/** The stars of one frame beside the catalogue's. */
class Field {
  readonly #stars: FrameStars
  readonly #width: number
  readonly #height: number
  readonly #known: readonly CatalogueStar[]

  constructor(stars: FrameStars, width: number, height: number, known: readonly CatalogueStar[]) {
    this.#stars = stars
    this.#width = width
    this.#height = height
    this.#known = known
  }

  /** Pairs nearest neighbours on the plane within `radius` pixels; each catalogue star is used once. */
  match(plane: Wcs, fit: FieldFit, radius: number): Pairs {
    const { x, y } = this.#stars
    const { xi, eta, numbers } = this.#onPlane(plane)
    const grid = new PointGrid(xi, eta)
    const scale = scaleOf(fit)
    const best = new Map<number, readonly [number, number]>()
    for (let i = 0; i < x.length; i++) {
      const [u, v] = planeAt(fit, x[i]!, y[i]!)
      const found = grid.nearest(u, v, radius * scale)
      if (found < 0) continue
      const residual = Math.hypot(xi[found]! - u, eta[found]! - v) / scale
      const earlier = best.get(found)
      if (!earlier || residual < earlier[1]) best.set(found, [i, residual])
    }
    const entries = [...best.entries()]
    return {
      stars: entries.map(([, [star]]) => star),
      catalogued: entries.map(([found]) => numbers[found]!),
      residualPixels: entries.map(([, [, residual]]) => residual),
    }
  }

  #onPlane(plane: Wcs): { xi: Float64Array; eta: Float64Array; numbers: number[] } {
    const places = this.#known.flatMap((star, number) => {
      const at = onPlane(plane, star.raDeg, star.decDeg)
      return at ? [[at[0], at[1], number] as const] : []
    })
    return {
      xi: Float64Array.from(places, (place) => place[0]),
      eta: Float64Array.from(places, (place) => place[1]),
      numbers: places.map((place) => place[2]),
    }
  }

  /** Fits pairs, moving the plane until it touches the sky at the frame's centre. */
  fit(from: Wcs, pairs: Pairs, bending: Bending): Fitted | undefined {
    const centre: readonly [number, number] = [(this.#width - 1) / 2, (this.#height - 1) / 2]
    const unit = Math.max(this.#width, this.#height) / 2
    let plane = from
    for (let round = 0; round < 4; round++) {
      const sky = pairs.catalogued.map((number) => this.#known[number]!)
      const places = sky.map((star) => onPlane(plane, star.raDeg, star.decDeg) ?? [0, 0])
      const fit = fitField(
        {
          x: pairs.stars.map((star) => this.#stars.x[star]!),
          y: pairs.stars.map((star) => this.#stars.y[star]!),
          xi: places.map((place) => place[0]!),
          eta: places.map((place) => place[1]!),
        },
        bending,
        centre,
        unit,
      )
      if (!fit) return undefined
      const offCentre = Math.hypot(fit.xi[0]!, fit.eta[0]!) / scaleOf(fit)
      if (offCentre < 1e-6 || round === 3) return { plane, fit }
      plane = planeAtCentre(plane, fit)
    }
    return undefined
  }

  /**
   * The bending that explains the pairs with the least freedom: the lowest Bayesian information criterion (Schwarz 1978,
   * Annals of Statistics 6, 461), where a star that only another fit explains costs as much as one at the clipping limit.
   */
  simplest(plane: Wcs, fit: FieldFit, radius: number): Simplest | undefined {
    const fits = bendings.flatMap((bending) => this.#clipped(plane, fit, radius, bending) ?? [])
    const most = Math.max(...fits.map(({ pairs }) => pairs.stars.length))
    const sigma = Math.max(leastSigmaPixels, Math.min(...fits.map(({ rmsPixels }) => rmsPixels)) / Math.SQRT2)
    const criterion = ({ fit: { bending }, pairs, squares }: Simplest): number =>
      squares / sigma ** 2 +
      (most - pairs.stars.length) * clipSigma ** 2 +
      2 * freeTermsOf[bending] * Math.log(2 * most)
    let chosen: Simplest | undefined
    for (const next of fits) if (!chosen || criterion(next) < criterion(chosen)) chosen = next
    return chosen
  }

  /** Matches with the best fit so far, then fits with `bending` and drops what lies beyond the clipping limit. */
  #clipped(plane: Wcs, best: FieldFit, radius: number, bending: Bending): Simplest | undefined {
    let pairs = this.match(plane, best, radius)
    for (let round = 0; round < 6; round++) {
      if (pairs.stars.length < leastFor[bending]) return undefined
      const fitted = this.fit(plane, pairs, bending)
      if (!fitted) return undefined
      const residuals = this.#residuals(fitted, pairs)
      const limit = Math.max(0.15, clipSigma * 0.8493 * median(residuals))
      const keep = residuals.map((residual) => residual <= limit)
      if (keep.every(Boolean) || round === 5) {
        const squares = residuals.reduce((sum, residual) => sum + residual * residual, 0)
        const freedom = Math.max(1, pairs.stars.length - freeTermsOf[bending])
        return { ...fitted, pairs, squares, rmsPixels: Math.sqrt(squares / freedom) }
      }
      pairs = {
        stars: pairs.stars.filter((_, i) => keep[i]),
        catalogued: pairs.catalogued.filter((_, i) => keep[i]),
        residualPixels: residuals.filter((_, i) => keep[i]),
      }
    }
    return undefined
  }

  #residuals({ plane, fit }: Fitted, pairs: Pairs): number[] {
    const scale = scaleOf(fit)
    return pairs.stars.map((star, i) => {
      const known = this.#known[pairs.catalogued[i]!]!
      const [xi, eta] = onPlane(plane, known.raDeg, known.decDeg) ?? [0, 0]
      const [u, v] = planeAt(fit, this.#stars.x[star]!, this.#stars.y[star]!)
      return Math.hypot(xi - u, eta - v) / scale
    })
  }

  /**
   * Accepts a fit when the agreement is far beyond chance: of the catalogue stars inside the frame, those within three
   * standard deviations, less the ones that the fit's freedom can place at will.
   */
  judge(field: Simplest | undefined, radius: number): RefinedField | undefined {
    if (!field || field.pairs.stars.length < leastMatched) return undefined
    const { plane, fit, pairs, rmsPixels } = field
    const wcs = wcsOfFit(plane, fit)
    const reach = Math.min(radius, Math.max(1, 3 * rmsPixels))
    const inside = this.#inside(wcs)
    const density = this.#stars.x.length / (this.#width * this.#height)
    const share = Math.min(0.5, density * Math.PI * reach * reach)
    const free = Math.ceil(freeTermsOf[fit.bending])
    const logChance = verdictOf(inside - free, pairs.stars.length - free, share)
    if (logChance > acceptedLogChance && !this.#sparseButSure(field, inside, logChance)) return undefined
    const matches = pairs.stars.map((star, i) => {
      const { mag, bvMag } = this.#known[pairs.catalogued[i]!]!
      return { star, mag, bvMag }
    })
    return { wcs, matches, rmsPixels, logChance }
  }

  /** Few catalogue stars: most of them must be there, to a fraction of a pixel. */
  #sparseButSure(field: Simplest, inside: number, logChance: number): boolean {
    return logChance < -10 && field.pairs.stars.length >= 0.7 * inside && field.rmsPixels < 0.7
  }

  /** Catalogue stars that fall on the frame. */
  #inside(wcs: Wcs): number {
    const corners = [0, this.#width - 1].flatMap((x) => [0, this.#height - 1].map((y) => pixelToSky(wcs, x, y)))
    if (corners.some((corner) => Number.isNaN(corner.raDeg))) return 0
    const { referencePixel, cd } = wcs
    const determinant = cd[0] * cd[3] - cd[1] * cd[2]
    let count = 0
    for (const star of this.#known) {
      const at = onPlane(
        { referencePixel: [0, 0], raDeg: wcs.raDeg, decDeg: wcs.decDeg, cd: [1, 0, 0, 1] },
        star.raDeg,
        star.decDeg,
      )
      if (!at) continue
      const x = referencePixel[0] + (cd[3] * at[0] - cd[1] * at[1]) / determinant
      const y = referencePixel[1] + (cd[0] * at[1] - cd[2] * at[0]) / determinant
      if (x >= 0 && y >= 0 && x < this.#width && y < this.#height) count++
    }
    return count
  }
}
