import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { median } from './robust.ts'
import { StampSpline } from './spline.ts'
import { fitStar, type StarFit } from './starFit.ts'
import { StarGrid } from './starGrid.ts'
import { fluxErrorAt, type ZogyResult } from './zogy.ts'
import type { ZogyTile } from './zogyInput.ts'

/**
 * Candidates: connected regions of |S_corr| above 2.5 whose peak exceeds the threshold, one each, of either sign. Position
 * and flux come from a fit of P_D to D, whose noise is white; what a rule or a network needs to judge them is measured here.
 */
export interface Candidate {
  /** 0-based science pixels, from the PSF fit (or the peak where it failed). */
  readonly x: number
  readonly y: number
  /** At the peak pixel, rescaled; negative for a source that faded. */
  readonly scorr: number
  readonly fluxAdu: number
  readonly fluxErrorAdu: number
  readonly flags: readonly string[]
  readonly features: Record<string, number>
}

export interface CandidateInput {
  readonly zogy: ZogyResult
  /** Background-subtracted science frame and aligned reference, before repair; ADU. */
  readonly science: Plane
  readonly reference: Plane
  readonly scienceMask: MaskPlane
  readonly referenceMask: MaskPlane
  readonly sciencePsfAt: (x: number, y: number) => StampSpline
  readonly fwhmPixels: number
  readonly fluxRatio: number
  readonly scienceRmsAdu: number
  /** All stars of the reference in science pixels. */
  readonly stars: readonly { readonly x: number; readonly y: number; readonly fluxAdu: number }[]
  /** Indices of the pixels of `scorr` that reach the threshold. */
  readonly loud: Int32Array
  /** Regions nearer than this to the border are dropped. */
  readonly edgePixels: number
  readonly maximum: number
}

export interface CandidateList {
  readonly candidates: readonly Candidate[]
  /** Regions found before masks, borders and the maximum. */
  readonly regions: number
}

const floorSigma = 2.5
const unusable =
  MaskFlag.noData | MaskFlag.bad | MaskFlag.saturated | MaskFlag.bloom | MaskFlag.cosmicRay | MaskFlag.streak

/** Brightest |S_corr| first. */
export function findCandidates(input: CandidateInput): CandidateList {
  const regions = findRegions(input.zogy.scorr, input.loud)
  const tools = new Tools(input)
  const kept = regions.filter((region) => tools.usable(region)).sort((a, b) => Math.abs(b.peak) - Math.abs(a.peak))
  return { candidates: kept.slice(0, input.maximum).map((region) => tools.measure(region)), regions: regions.length }
}

interface Region {
  readonly x: number
  readonly y: number
  /** S_corr there. */
  readonly peak: number
  readonly pixels: readonly number[]
}

/** 8-connected pixels of one sign above 2.5 sigma around every one of the pixels `loud`. */
export function findRegions(scorr: Plane, loud: Int32Array): Region[] {
  const { width, height } = scorr
  const seen = new Uint8Array(width * height)
  const regions: Region[] = []
  for (const index of loud) if (!seen[index]) regions.push(grow(index, scorr, seen))
  return regions

  function grow(start: number, { data: values }: Plane, done: Uint8Array): Region {
    const sign = Math.sign(values[start]!)
    const pixels: number[] = []
    const stack = [start]
    done[start] = 1
    let best = start
    while (stack.length > 0) {
      const index = stack.pop()!
      pixels.push(index)
      if (sign * values[index]! > sign * values[best]!) best = index
      const [x, y] = [index % width, Math.floor(index / width)]
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const next = v * width + u
          if (done[next] || !(sign * values[next]! > floorSigma)) continue
          done[next] = 1
          stack.push(next)
        }
      }
    }
    return { x: best % width, y: Math.floor(best / width), peak: values[best]!, pixels }
  }
}

class Tools {
  readonly #input: CandidateInput
  readonly #grid: StarGrid
  readonly #splines = new Map<ZogyTile, StampSpline>()

  constructor(input: CandidateInput) {
    this.#input = input
    this.#grid = new StarGrid(input.stars, input.scienceMask, 32)
  }

  /** Off the border, with a value in both frames; what saturates the reference already cannot be seen to change. */
  usable({ x, y }: Region): boolean {
    const { scorr } = this.#input.zogy
    const edge = this.#input.edgePixels
    if (x < edge || y < edge || x >= scorr.width - edge || y >= scorr.height - edge) return false
    if ((this.#bits(x, y) & MaskFlag.noData) !== 0) return false
    const { referenceMask } = this.#input
    const known = referenceMask.data[y * referenceMask.width + x]!
    return (known & (MaskFlag.saturated | MaskFlag.bloom)) === 0
  }

  #bits(x: number, y: number): number {
    const at = y * this.#input.scienceMask.width + x
    return this.#input.scienceMask.data[at]! | this.#input.referenceMask.data[at]!
  }

  #tileOf(x: number, y: number): ZogyTile {
    const { tiles } = this.#input.zogy
    return tiles.find((t) => x >= t.x && x < t.x + t.width && y >= t.y && y < t.y + t.height) ?? (tiles[0] as ZogyTile)
  }

  #psfD(x: number, y: number): { spline: StampSpline; sigmaAdu: number } {
    const tile = this.#tileOf(x, y)
    let spline = this.#splines.get(tile)
    if (!spline) {
      spline = new StampSpline(tile.psf, Math.round(Math.sqrt(tile.psf.length)))
      this.#splines.set(tile, spline)
    }
    return { spline, sigmaAdu: tile.sigmaAdu }
  }

  measure(region: Region): Candidate {
    const { zogy, fwhmPixels } = this.#input
    const { spline, sigmaAdu } = this.#psfD(region.x, region.y)
    const radiusPixels = Math.max(2.5, 1.5 * fwhmPixels)
    const fit = fitStar(zogy.difference, spline, region.x, region.y, {
      radiusPixels,
      variance: () => sigmaAdu * sigmaAdu,
      maximumMovePixels: Math.max(1.5, 0.7 * fwhmPixels),
    })
    const errorAdu = fluxErrorAt(zogy, this.#tileOf(region.x, region.y), region.x, region.y)
    const fluxAdu = fit?.fluxAdu ?? region.peak * errorAdu
    const features = this.#features(region, fit, fluxAdu, errorAdu)
    const place = fit ?? region
    return {
      x: place.x,
      y: place.y,
      scorr: region.peak,
      fluxAdu,
      fluxErrorAdu: errorAdu,
      flags: flagsOf(features, region, fit),
      features,
    }
  }

  #features(region: Region, fit: StarFit | undefined, fluxAdu: number, errorAdu: number): Record<string, number> {
    const { zogy, fwhmPixels, fluxRatio, scienceRmsAdu } = this.#input
    const shape = shapeOf(region, zogy.scorr)
    const opposite = oppositePeak(region, zogy.scorr, Math.max(3, 2 * fwhmPixels))
    const host = this.#referenceFlux(region) / fluxRatio
    const star = this.#nearestStar(region)
    return {
      scorr: region.peak,
      snr: fluxAdu / errorAdu,
      chi2: this.#scaledChi2(fit, fluxAdu, errorAdu),
      fitted: fit ? 1 : 0,
      shiftPixels: fit ? Math.hypot(fit.x - region.x, fit.y - region.y) : 2,
      elongation: shape.elongation,
      areaPixels: region.pixels.length,
      areaRatio: region.pixels.length / expectedArea(region.peak, fwhmPixels),
      dipoleRatio: opposite.ratio,
      negativeShare: opposite.share,
      sharpness: this.#sharpness(region, fluxAdu),
      peakSnr: this.#directDifference(region.x, region.y) / scienceRmsAdu,
      maskFraction: this.#maskFraction(region, Math.max(2, fwhmPixels)),
      saturatedPixels: this.#distanceTo(region, MaskFlag.saturated | MaskFlag.bloom, 20),
      wingRatio: this.#wingRatio(region, fluxAdu),
      starPixels: star.distance,
      hostRatio: fluxAdu / Math.max(Math.abs(host), Math.abs(errorAdu)),
      starRatio: star.fluxAdu > 0 ? Math.abs(fluxAdu) / star.fluxAdu : 99,
      edgePixels: Math.min(region.x, region.y, zogy.scorr.width - 1 - region.x, zogy.scorr.height - 1 - region.y),
      fwhmPixels,
    }
  }

  /** Chi² of the fit, with the noise of the sources in the place of the background's alone. */
  #scaledChi2(fit: StarFit | undefined, fluxAdu: number, errorAdu: number): number {
    if (!fit) return 99
    const white = fit.fluxErrorAdu
    const inflation = Math.max(1, (errorAdu / white) ** 2)
    // A model is never better than 2 % of the flux per pixel's worth.
    const model = (0.02 * fluxAdu) ** 2 / (white * white * Math.max(1, fit.pixels))
    return fit.chi2 / (inflation + model)
  }

  #directDifference(x: number, y: number): number {
    const at = y * this.#input.science.width + x
    return this.#input.science.data[at]! - this.#input.reference.data[at]! / this.#input.fluxRatio
  }

  /**
   * How much the central pixel stands above its neighbours in N − R/F_r, in units of what the PSF with the fitted flux would
   * give: 1 for a star, 3 and more for a cosmic ray or hot pixel.
   */
  #sharpness({ x, y }: Region, fluxAdu: number): number {
    const { width, height } = this.#input.science
    let best = { x, y, value: Number.NEGATIVE_INFINITY }
    const sign = Math.sign(fluxAdu) || 1
    for (let v = Math.max(1, y - 1); v <= Math.min(height - 2, y + 1); v++) {
      for (let u = Math.max(1, x - 1); u <= Math.min(width - 2, x + 1); u++) {
        const value = sign * this.#directDifference(u, v)
        if (value > best.value) best = { x: u, y: v, value }
      }
    }
    const ring: number[] = []
    for (let v = best.y - 1; v <= best.y + 1; v++) {
      for (let u = best.x - 1; u <= best.x + 1; u++) {
        if ((u !== best.x || v !== best.y) && u >= 0 && v >= 0 && u < width && v < height) {
          ring.push(sign * this.#directDifference(u, v))
        }
      }
    }
    const spline = this.#input.sciencePsfAt(x, y)
    const half = (spline.size - 1) / 2
    const around = (spline.at(half + 1, half) + spline.at(half, half + 1) + 2 * spline.at(half + 1, half + 1)) / 4
    const expected = Math.abs(fluxAdu) * (spline.at(half, half) - around)
    return (best.value - median(ring)) / Math.max(expected, 1e-9)
  }

  /** Flux of what the reference shows there, over the PSF's core, science ADU × F_r. */
  #referenceFlux({ x, y }: Region): number {
    const { reference } = this.#input
    const spline = this.#input.sciencePsfAt(x, y)
    const half = (spline.size - 1) / 2
    const reach = Math.ceil(this.#input.fwhmPixels)
    let [sum, norm] = [0, 0]
    for (let j = -reach; j <= reach; j++) {
      for (let i = -reach; i <= reach; i++) {
        const [u, v] = [x + i, y + j]
        if (u < 0 || v < 0 || u >= reference.width || v >= reference.height) continue
        const p = spline.at(half + i, half + j)
        sum += p * reference.data[v * reference.width + u]!
        norm += p * p
      }
    }
    return norm > 0 ? sum / norm : 0
  }

  #maskFraction({ x, y }: Region, radius: number): number {
    const { width, height } = this.#input.scienceMask
    const reach = Math.ceil(radius)
    let [marked, all] = [0, 0]
    for (let v = y - reach; v <= y + reach; v++) {
      for (let u = x - reach; u <= x + reach; u++) {
        if (Math.hypot(u - x, v - y) > radius) continue
        all++
        if (u < 0 || v < 0 || u >= width || v >= height || (this.#bits(u, v) & unusable) !== 0) marked++
      }
    }
    return marked / all
  }

  /** Distance in pixels to the nearest pixel with any of `bits`, at most `limit`. */
  #distanceTo({ x, y }: Region, bits: number, limit: number): number {
    const { width, height } = this.#input.scienceMask
    let nearest = limit
    for (let v = Math.max(0, y - limit); v <= Math.min(height - 1, y + limit); v++) {
      for (let u = Math.max(0, x - limit); u <= Math.min(width - 1, x + limit); u++) {
        if ((this.#bits(u, v) & bits) !== 0) nearest = Math.min(nearest, Math.hypot(u - x, v - y))
      }
    }
    return nearest
  }

  /** |flux| ÷ what the wings of the stars around (not at the place itself) shed into the PSF's area there; at most 99. */
  #wingRatio({ x, y }: Region, fluxAdu: number): number {
    const spline = this.#input.sciencePsfAt(x, y)
    const half = (spline.size - 1) / 2
    let wings = 0
    for (const index of this.#grid.within(x, y, half)) {
      const star = this.#input.stars[index]!
      const distance = Math.hypot(star.x - x, star.y - y)
      if (distance > 0.8 * this.#input.fwhmPixels)
        wings += star.fluxAdu * Math.max(1e-6, spline.at(half + distance, half))
    }
    // About 1/Σ P²: 35 px at FWHM 3.
    const area = 4 * this.#input.fwhmPixels ** 2
    return Math.min(99, Math.abs(fluxAdu) / Math.max(1e-9, wings * area))
  }

  #nearestStar({ x, y }: Region): { distance: number; fluxAdu: number } {
    const index = this.#grid.nearest(x, y, 30)
    if (index < 0) return { distance: 30, fluxAdu: 0 }
    const star = this.#input.stars[index]!
    return { distance: Math.hypot(star.x - x, star.y - y), fluxAdu: star.fluxAdu }
  }
}

/** Axis ratio from the second moments of |S_corr| above 2.5 sigma; 1 for tiny regions. */
function shapeOf(region: Region, scorr: Plane): { readonly elongation: number } {
  if (region.pixels.length < 5) return { elongation: 1 }
  let [w, sx, sy, xx, yy, xy] = [0, 0, 0, 0, 0, 0]
  for (const index of region.pixels) {
    const [x, y] = [(index % scorr.width) - region.x, Math.floor(index / scorr.width) - region.y]
    const value = Math.abs(scorr.data[index]!)
    w += value
    sx += value * x
    sy += value * y
    xx += value * x * x
    yy += value * y * y
    xy += value * x * y
  }
  const [mx, my] = [sx / w, sy / w]
  const [a, b, c] = [xx / w - mx * mx + 1 / 12, yy / w - my * my + 1 / 12, xy / w - mx * my]
  const root = Math.sqrt(((a - b) / 2) ** 2 + c * c)
  return { elongation: Math.sqrt(((a + b) / 2 + root) / Math.max(1e-6, (a + b) / 2 - root)) }
}

/** S_corr of a point source falls as a Gaussian of √2 × FWHM or so: the area above 2.5 sigma for a peak of this height. */
function expectedArea(peak: number, fwhmPixels: number): number {
  const sigma = (1.3 * fwhmPixels) / 2.3548
  return Math.max(4, 2 * Math.PI * sigma * sigma * Math.log(Math.max(1.5, Math.abs(peak) / floorSigma)))
}

/** The strongest S_corr of the other sign within `radius`, and how many pixels beyond −2.5 sigma are there. */
function oppositePeak(
  region: Region,
  scorr: Plane,
  radius: number,
): { readonly ratio: number; readonly share: number } {
  const sign = Math.sign(region.peak)
  const reach = Math.ceil(radius)
  let [most, count, all] = [0, 0, 0]
  for (let y = Math.max(0, region.y - reach); y <= Math.min(scorr.height - 1, region.y + reach); y++) {
    for (let x = Math.max(0, region.x - reach); x <= Math.min(scorr.width - 1, region.x + reach); x++) {
      if (Math.hypot(x - region.x, y - region.y) > radius) continue
      const value = -sign * scorr.data[y * scorr.width + x]!
      all++
      most = Math.max(most, value)
      if (value > floorSigma) count++
    }
  }
  return { ratio: most / Math.abs(region.peak), share: count / all }
}

function flagsOf(features: Record<string, number>, region: Region, fit: StarFit | undefined): string[] {
  const f = (name: string): number => features[name] ?? 0
  const rules: readonly (readonly [string, boolean])[] = [
    ['negative', region.peak < 0],
    ['dipole', f('dipoleRatio') > 0.5 && f('negativeShare') > 0.02],
    ['masked', f('maskFraction') > 0],
    ['nearSaturated', f('saturatedPixels') < 10],
    ['sharp', f('sharpness') > 3],
    ['elongated', f('elongation') > 3],
    ['onStar', f('starPixels') < f('fwhmPixels') && f('starRatio') < 0.3],
    ['edge', f('edgePixels') < 20],
    ['noFit', !fit],
  ]
  return rules.filter(([, holds]) => holds).map(([name]) => name)
}

/** `size` × `size` pixels around a place, NaN outside the frame; rows from low y to high. */
export function cutout(plane: Plane, x: number, y: number, size = 63): Float32Array {
  const half = (size - 1) / 2
  const [left, top] = [Math.round(x) - half, Math.round(y) - half]
  return Float32Array.from({ length: size * size }, (_, k) => {
    const [u, v] = [left + (k % size), top + Math.floor(k / size)]
    return u < 0 || v < 0 || u >= plane.width || v >= plane.height ? Number.NaN : plane.data[v * plane.width + u]!
  })
}
