import { MaskFlag } from '../frames/mask.ts'
import { placeFactor } from './candidateFlux.ts'
import type { CandidateInput } from './candidates.ts'
import { dipoleOf, expectedArea, residualShape, scatterAround } from './featureShapes.ts'
import type { Change } from './kinds.ts'
import type { PsfStar } from './psfStars.ts'
import type { Region } from './regions.ts'
import { median } from './robust.ts'
import { StampSpline } from './spline.ts'
import { fitStar, type StarFit } from './starFit.ts'
import { StarGrid } from './starGrid.ts'
import { stellarFwhm } from './starWidth.ts'
import { distanceToStreaks, type Streak } from './streaks.ts'
import { fluxErrorAt } from './zogy.ts'
import type { ZogyTile } from './zogyInput.ts'

/**
 * What a rule or a network is told of a candidate, beside the cut-outs.
 *
 * | feature | what it is | from |
 * | --- | --- | --- |
 * | scorr | S_corr at the peak, with sign | S_corr |
 * | snr | fitted flux over its error, sources' noise included | D, S_corr |
 * | chi2 | of the PSF fit per degree of freedom; 99 without one | D |
 * | fitted | 1 when the PSF fit settled, else 0 | D |
 * | shiftPixels | from the peak pixel to the fit; 2 without one | D |
 * | xErrorPixels, yErrorPixels | errors of the place; one pixel without a fit | D |
 * | elongation, majorPixels, minorPixels, thetaDegrees | ratio and axes (standard deviations) of the region above 2.5 sigma, angle from +x to +y; 1 for less than 5 pixels | S_corr |
 * | areaPixels, areaRatio | pixels of the region, and over those of a point source of that peak | S_corr |
 * | residualMajorPixels, residualMinorPixels, residualThetaDegrees | axes of what changed; 0 where they cannot be had | N − R/F_r |
 * | dipoleRatio, dipoleSeparationPixels | strongest peak of the other sign within 2 FWHM, over this one, and its distance | S_corr |
 * | negativeShare | share of the pixels within 2 FWHM beyond 2.5 sigma of the other sign | S_corr |
 * | scorrScatter | standard deviation around the candidate, 1 where the noise model holds | S_corr |
 * | sharpness | of the brightest pixel over that of the PSF: 1 a star, 3 and more a cosmic ray | N − R/F_r |
 * | peakSnr | of the peak pixel, against the sky | N − R/F_r |
 * | maskFraction | share of marked pixels within a FWHM | masks of both |
 * | saturatedPixels, edgePixels, streakPixels | distance to saturation or bloom (at most 20), the border, a trail (at most 50) | masks, streaks |
 * | starPixels, starFluxAdu, starFwhmPixels, starEllipticity | distance (at most 30), flux and shape of the nearest source of the reference | reference's stars |
 * | galaxyPixels, galaxyFluxAdu, galaxyFwhmPixels, galaxyEllipticity | the same of the nearest one 1.3 times as wide as stars (at most 60) | reference's stars |
 * | starRatio | size of the change over the flux of that nearest source; 99 without one | D, stars |
 * | starChangeSigma | the same over its error, 2 % of the star's flux included | D, stars |
 * | hostRatio | change over the flux that the reference has at the place | D, R |
 * | wingRatio | size of the change over the light of the neighbours' wings there; at most 99 | D, stars, PSF |
 * | fwhmPixels | of the science frame | PSF |
 * | candidatesWithin50Pixels | other candidates that near | the list |
 * | moveSeparationPixels | to the other end of what moved, else 0 | the list |
 */
export interface Measured extends Change {
  readonly flags: readonly string[]
  readonly features: Record<string, number>
}

const unusable =
  MaskFlag.noData | MaskFlag.bad | MaskFlag.saturated | MaskFlag.bloom | MaskFlag.cosmicRay | MaskFlag.streak
const overfull = MaskFlag.saturated | MaskFlag.bloom

const saturationReach = 20
const streakReach = 50
const starReach = 30
const galaxyReach = 60
/** Wider than stars by this factor: a galaxy, or stars not told apart. */
const galaxyWidth = 1.3
/** The width of stars is that of so many sources of the reference, the first in its list. */
const widthSources = 400
/** PSF, flat field and flux ratio leave this share of a star. */
const starShare = 0.02

interface Neighbour {
  readonly distancePixels: number
  /** Of the science frame. */
  readonly fluxAdu: number
  readonly fwhmPixels: number
  readonly ellipticity: number
}

interface DirectPsf {
  readonly spline: StampSpline
  /** The middle (2 reach + 1)² pixels. */
  readonly core: Float64Array
  readonly reach: number
}

/** Measures candidates of one difference. */
export class FeatureMeter {
  readonly #input: CandidateInput
  readonly #streaks: readonly Streak[]
  readonly #stars: StarGrid
  readonly #galaxyList: readonly PsfStar[]
  readonly #galaxies: StarGrid
  readonly #splines = new Map<ZogyTile, StampSpline>()
  readonly #tilePsfs = new Map<ZogyTile, StampSpline>()
  readonly #cores = new Map<StampSpline, DirectPsf>()
  #tile: ZogyTile | undefined

  constructor(input: CandidateInput, streaks: readonly Streak[]) {
    this.#input = input
    this.#streaks = streaks
    this.#stars = new StarGrid(input.stars, input.mask, 32)
    const width = galaxyWidth * stellarFwhm(input.stars.slice(0, widthSources))
    this.#galaxyList = input.stars.filter((star) => star.fwhmPixels > width)
    this.#galaxies = new StarGrid(this.#galaxyList, input.mask, 64)
  }

  /** Off the border, with a value in both frames; what saturates the reference already cannot be seen to change. */
  usable({ x, y }: Region): boolean {
    const { mask, referenceMask, edgePixels } = this.#input
    if (x < edgePixels || y < edgePixels || x >= mask.width - edgePixels || y >= mask.height - edgePixels) return false
    const at = y * mask.width + x
    return (mask.data[at]! & MaskFlag.noData) === 0 && (referenceMask.data[at]! & overfull) === 0
  }

  measure(region: Region): Measured {
    const { zogy, fwhmPixels, fluxModel } = this.#input
    const tile = this.#tileOf(region)
    const radiusPixels = Math.max(2.5, 1.5 * fwhmPixels)
    const fit = fitStar(zogy.difference, this.#differencePsf(tile), region.x, region.y, {
      radiusPixels,
      variance: () => tile.sigmaAdu * tile.sigmaAdu,
      maximumMovePixels: Math.max(1.5, 0.7 * fwhmPixels),
    })
    const noiseAdu = fluxModel.noiseScale * fluxErrorAt(zogy, tile, region.x, region.y)
    const place = { x: fit?.x ?? region.x, y: fit?.y ?? region.y }
    const own = fluxModel.coreAt(place.x, place.y, Math.ceil(radiusPixels))
    const factor = placeFactor(own, this.#tileSciencePsf(tile), place, radiusPixels)
    const fluxAdu = factor * (fit?.fluxAdu ?? region.peak * noiseAdu)
    const fluxErrorAdu = Math.hypot(factor * noiseAdu, fluxModel.psfError * fluxAdu)
    const psf = this.#sciencePsf(region)
    const star = this.#nearest(this.#stars, this.#input.stars, region, starReach)
    const referenceFluxAdu = this.#referenceFlux(region, psf) / this.#input.fluxRatio
    const change = { ...place, scorr: region.peak, fluxAdu, fluxErrorAdu, referenceFluxAdu, star }
    const features = {
      scorr: region.peak,
      snr: fluxAdu / fluxErrorAdu,
      ...fitFeatures(region, fit, fluxAdu, noiseAdu),
      ...this.#shapeFeatures(region, place),
      ...this.#pixelFeatures(region, psf, fluxAdu),
      ...this.#neighbourFeatures(region, psf, change, star),
      fwhmPixels,
    }
    return { ...change, flags: flagsOf(features, region, this.#onStreak(region)), features }
  }

  #tileOf({ x, y }: Region): ZogyTile {
    const holds = (t: ZogyTile): boolean => x >= t.x && x < t.x + t.width && y >= t.y && y < t.y + t.height
    const { tiles } = this.#input.zogy
    if (!this.#tile || !holds(this.#tile)) this.#tile = tiles.find(holds) ?? tiles[0]
    return this.#tile as ZogyTile
  }

  #differencePsf(tile: ZogyTile): StampSpline {
    let spline = this.#splines.get(tile)
    if (!spline) {
      spline = new StampSpline(tile.psf, Math.round(Math.sqrt(tile.psf.length)))
      this.#splines.set(tile, spline)
    }
    return spline
  }

  /** The science frame's PSF of which the tile's P_D is made. */
  #tileSciencePsf(tile: ZogyTile): StampSpline {
    let spline = this.#tilePsfs.get(tile)
    if (!spline) {
      const stamp = this.#input.fluxModel.stampAt(tile.x + tile.width / 2, tile.y + tile.height / 2)
      spline = new StampSpline(stamp, Math.round(Math.sqrt(stamp.length)))
      this.#tilePsfs.set(tile, spline)
    }
    return spline
  }

  #sciencePsf({ x, y }: Region): DirectPsf {
    const spline = this.#input.sciencePsfAt(x, y)
    let psf = this.#cores.get(spline)
    if (!psf) {
      const reach = Math.min((spline.size - 1) / 2, Math.max(1, Math.ceil(this.#input.fwhmPixels)))
      psf = { spline, core: spline.window(0, 0, reach).value.slice(), reach }
      this.#cores.set(spline, psf)
    }
    return psf
  }

  #shapeFeatures(region: Region, place: { x: number; y: number }): Features {
    const { zogy, fwhmPixels, science, reference, fluxRatio } = this.#input
    const { majorPixels, minorPixels, thetaDegrees, areaPixels, peak } = region
    const residual = residualShape(science, reference, fluxRatio, place, Math.sign(peak), fwhmPixels)
    const opposite = dipoleOf(region, zogy.scorr, Math.max(3, 2 * fwhmPixels))
    return {
      elongation: areaPixels < 5 ? 1 : majorPixels / Math.max(1e-3, minorPixels),
      majorPixels,
      minorPixels,
      thetaDegrees,
      residualMajorPixels: residual?.majorPixels ?? 0,
      residualMinorPixels: residual?.minorPixels ?? 0,
      residualThetaDegrees: residual?.thetaDegrees ?? 0,
      areaPixels,
      areaRatio: areaPixels / expectedArea(peak, fwhmPixels),
      dipoleRatio: opposite.ratio,
      dipoleSeparationPixels: opposite.separationPixels,
      negativeShare: opposite.share,
      scorrScatter: scatterAround(zogy.scorr, this.#input.mask, unusable, region, 2.5 * fwhmPixels),
    }
  }

  #pixelFeatures(region: Region, psf: DirectPsf, fluxAdu: number): Features {
    const { mask, fwhmPixels, scienceRmsAdu } = this.#input
    const { x, y } = region
    return {
      sharpness: this.#sharpness(region, psf, fluxAdu),
      peakSnr: this.#change(x, y) / scienceRmsAdu,
      maskFraction: this.#maskFraction(region, Math.max(2, fwhmPixels)),
      saturatedPixels: this.#distanceTo(region, overfull, saturationReach),
      edgePixels: Math.min(x, y, mask.width - 1 - x, mask.height - 1 - y),
      streakPixels: distanceToStreaks(this.#streaks, region, streakReach),
    }
  }

  #neighbourFeatures(region: Region, psf: DirectPsf, change: Change, star: Neighbour): Features {
    const galaxy = this.#nearest(this.#galaxies, this.#galaxyList, region, galaxyReach)
    const size = Math.abs(change.fluxAdu)
    return {
      wingRatio: this.#wingRatio(region, psf, size),
      starPixels: star.distancePixels,
      starFluxAdu: star.fluxAdu,
      starFwhmPixels: star.fwhmPixels,
      starEllipticity: star.ellipticity,
      galaxyPixels: galaxy.distancePixels,
      galaxyFluxAdu: galaxy.fluxAdu,
      galaxyFwhmPixels: galaxy.fwhmPixels,
      galaxyEllipticity: galaxy.ellipticity,
      hostRatio: change.fluxAdu / Math.max(Math.abs(change.referenceFluxAdu), Math.abs(change.fluxErrorAdu)),
      starRatio: star.fluxAdu > 0 ? size / star.fluxAdu : 99,
      starChangeSigma: size / Math.hypot(change.fluxErrorAdu, starShare * star.fluxAdu),
    }
  }

  /** N − R/F_r at a pixel. */
  #change(x: number, y: number): number {
    const at = y * this.#input.science.width + x
    return this.#input.science.data[at]! - this.#input.reference.data[at]! / this.#input.fluxRatio
  }

  /** How much the brightest of the central pixels stands above its neighbours, over what the PSF of the fitted flux gives. */
  #sharpness({ x, y }: Region, { core, reach }: DirectPsf, fluxAdu: number): number {
    const { width, height } = this.#input.science
    let best = { x, y, value: Number.NEGATIVE_INFINITY }
    const sign = Math.sign(fluxAdu) || 1
    for (let v = Math.max(1, y - 1); v <= Math.min(height - 2, y + 1); v++) {
      for (let u = Math.max(1, x - 1); u <= Math.min(width - 2, x + 1); u++) {
        const value = sign * this.#change(u, v)
        if (value > best.value) best = { x: u, y: v, value }
      }
    }
    const ring: number[] = []
    for (let v = best.y - 1; v <= best.y + 1; v++) {
      for (let u = best.x - 1; u <= best.x + 1; u++) {
        const inside = u >= 0 && v >= 0 && u < width && v < height
        if (inside && (u !== best.x || v !== best.y)) ring.push(sign * this.#change(u, v))
      }
    }
    const side = 2 * reach + 1
    const middle = reach * side + reach
    const around = (core[middle + 1]! + core[middle + side]! + 2 * core[middle + side + 1]!) / 4
    const expected = Math.abs(fluxAdu) * (core[middle]! - around)
    return (best.value - median(ring)) / Math.max(expected, 1e-9)
  }

  /** Flux of what the reference shows there, over the PSF's core, ADU of the reference. */
  #referenceFlux({ x, y }: Region, { core, reach }: DirectPsf): number {
    const { width, height, data } = this.#input.reference
    let sum = 0
    let norm = 0
    for (let v = y - reach, k = 0; v <= y + reach; v++) {
      for (let u = x - reach; u <= x + reach; u++, k++) {
        if (u < 0 || v < 0 || u >= width || v >= height) continue
        const p = core[k]!
        sum += p * data[v * width + u]!
        norm += p * p
      }
    }
    return norm > 0 ? sum / norm : 0
  }

  #maskFraction({ x, y }: Region, radius: number): number {
    const { width, height, data } = this.#input.mask
    const reach = Math.ceil(radius)
    let marked = 0
    let all = 0
    for (let v = y - reach; v <= y + reach; v++) {
      for (let u = x - reach; u <= x + reach; u++) {
        if ((u - x) ** 2 + (v - y) ** 2 > radius * radius) continue
        all++
        if (u < 0 || v < 0 || u >= width || v >= height || (data[v * width + u]! & unusable) !== 0) marked++
      }
    }
    return marked / all
  }

  /** Distance in pixels to the nearest pixel with any of `bits`, at most `limit`. */
  #distanceTo({ x, y }: Region, bits: number, limit: number): number {
    const { width, height, data } = this.#input.mask
    const [left, right] = [Math.max(0, x - limit), Math.min(width - 1, x + limit)]
    const bottom = Math.min(height - 1, y + limit)
    let nearest = limit * limit
    for (let v = Math.max(0, y - limit); v <= bottom; v++) {
      for (let u = left, at = v * width + left; u <= right; u++, at++) {
        if ((data[at]! & bits) === 0) continue
        const square = (u - x) ** 2 + (v - y) ** 2
        if (square < nearest) nearest = square
      }
    }
    return Math.sqrt(nearest)
  }

  #onStreak({ x, y }: Region): boolean {
    const { width, data } = this.#input.mask
    return this.#streaks.length > 0 && (data[y * width + x]! & MaskFlag.streak) !== 0
  }

  /** Size of the change over what the wings of the stars around (not at the place itself) shed into the PSF's area there. */
  #wingRatio({ x, y }: Region, { spline }: DirectPsf, size: number): number {
    const half = (spline.size - 1) / 2
    const { stars, fwhmPixels, fluxRatio } = this.#input
    let wings = 0
    for (const index of this.#stars.within(x, y, half)) {
      const star = stars[index]!
      const distance = Math.hypot(star.x - x, star.y - y)
      if (distance > 0.8 * fwhmPixels)
        wings += (star.fluxAdu / fluxRatio) * Math.max(1e-6, spline.at(half + distance, half))
    }
    // About 1/Σ P²: 35 px at FWHM 3.
    const area = 4 * fwhmPixels ** 2
    return Math.min(99, size / Math.max(1e-9, wings * area))
  }

  #nearest(grid: StarGrid, list: readonly PsfStar[], { x, y }: Region, reach: number): Neighbour {
    const star = list[grid.nearest(x, y, reach)]
    if (!star) return { distancePixels: reach, fluxAdu: 0, fwhmPixels: 0, ellipticity: 0 }
    const { fwhmPixels, ellipticity } = star
    const distancePixels = Math.hypot(star.x - x, star.y - y)
    return { distancePixels, fluxAdu: star.fluxAdu / this.#input.fluxRatio, fwhmPixels, ellipticity }
  }
}

type Features = Record<string, number>

function fitFeatures(region: Region, fit: StarFit | undefined, fluxAdu: number, errorAdu: number): Features {
  if (!fit) return { chi2: 99, fitted: 0, shiftPixels: 2, xErrorPixels: 1, yErrorPixels: 1 }
  const white = fit.fluxErrorAdu
  // The noise of the sources in the place of the background's alone.
  const inflation = Math.max(1, (errorAdu / white) ** 2)
  // A model is never better than 2 % of the flux per pixel's worth.
  const model = (0.02 * fluxAdu) ** 2 / (white * white * Math.max(1, fit.pixels))
  return {
    chi2: fit.chi2 / (inflation + model),
    fitted: 1,
    shiftPixels: Math.hypot(fit.x - region.x, fit.y - region.y),
    xErrorPixels: fit.errorPixels[0] * Math.sqrt(inflation),
    yErrorPixels: fit.errorPixels[1] * Math.sqrt(inflation),
  }
}

function flagsOf(features: Features, region: Region, onStreak: boolean): string[] {
  const f = (name: string): number => features[name] ?? 0
  const rules: readonly (readonly [string, boolean])[] = [
    ['negative', region.peak < 0],
    ['dipole', f('dipoleRatio') > 0.5 && f('negativeShare') > 0.02],
    ['masked', f('maskFraction') > 0],
    ['nearSaturated', f('saturatedPixels') < 10],
    ['sharp', f('sharpness') > 3],
    ['elongated', f('elongation') > 3],
    ['large', region.large],
    ['streak', onStreak],
    ['onStar', f('starPixels') < f('fwhmPixels') && f('starRatio') < 0.3],
    ['residual', f('starPixels') < f('fwhmPixels') && f('starChangeSigma') < 3],
    ['edge', f('edgePixels') < 20],
    ['noFit', f('fitted') === 0],
  ]
  return rules.filter(([, holds]) => holds).map(([name]) => name)
}
