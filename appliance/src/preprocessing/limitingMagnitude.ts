import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { measureApertures } from './aperture.ts'
import { measureBackground } from './background.ts'
import { measureStars, type Star, StarFlag } from './stars.ts'

/**
 * How faint a star this frame shows, found out by trying: bright stars of the frame itself, scaled down to many
 * brightnesses, are put on open sky in small tiles all over it and looked for as stars always are. Trails, bad focus,
 * uneven sky and noise count without being modelled.
 */
export interface InjectedLimit {
  /** Flux (as `Star.fluxAdu`) at which half of the injected stars are found. */
  readonly fluxAdu: number
  /** Of that, magnitudes, from the likelihood. */
  readonly errorMag: number
  readonly injected: number
  readonly recovered: number
}

export interface InjectionOptions {
  readonly fwhmPixels: number
  /** Flux to try around: 5 σ of the sky under a Gaussian PSF, say. */
  readonly aboutFluxAdu: number
  /** 5. */
  readonly thresholdSigma?: number
}

const wantedInjections = 256
const tileColumns = 4
const mostRounds = 8
const donorSnr = 100
const mostDonors = 12
/** Injected fluxes run from 1/3 to 3 times the guess. */
const rangeFactor = 3
/** Fractional parts of its multiples fill an interval evenly. */
const golden = 0.6180339887498949
const unfit =
  StarFlag.blended |
  StarFlag.saturated |
  StarFlag.edge |
  StarFlag.masked |
  StarFlag.unsettled |
  StarFlag.sharp |
  StarFlag.extended

/** A star's light without its sky, for a flux of 1. */
interface Donor {
  readonly light: Float64Array
  readonly radius: number
  /** Of the star's centre from the stamp's middle pixel. */
  readonly dx: number
  readonly dy: number
}

interface Trial {
  readonly x: number
  readonly y: number
  readonly lnFlux: number
  found: boolean
}

/**
 * The 50 % limit of a frame whose `stars` were measured already. Undefined without a bright star that stands alone, or
 * when there is too little open sky to try 60 stars. Takes about 1 megapixel's worth of star detection whatever the frame.
 */
export function injectedLimit(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  stars: readonly Star[],
  options: InjectionOptions,
): InjectedLimit | undefined {
  const { fwhmPixels, aboutFluxAdu } = options
  if (!(fwhmPixels > 0.5 && fwhmPixels < 20 && aboutFluxAdu > 0)) return undefined
  const donors = donorsOf(compute, science, mask, stars, fwhmPixels)
  if (donors.length === 0) return undefined
  const trials: Trial[] = []
  for (let round = 0; round < mostRounds && trials.length < wantedInjections; round++) {
    for (const corner of tilesOf(science, tileSide(fwhmPixels), round)) {
      trials.push(...tryTile(compute, science, mask, stars, donors, corner, options, trials.length))
    }
  }
  return trials.length < 60 ? undefined : halfLimit(trials)
}

/** Of a tile's pixels, without any bit of the mask. */
const leastUsableShare = 0.6

function spacingOf(fwhmPixels: number): number {
  return Math.max(16, Math.ceil(6 * fwhmPixels))
}

function tileSide(fwhmPixels: number): number {
  return 4 * spacingOf(fwhmPixels)
}

/** Corners of up to 4 × 4 tiles, elsewhere in each round. */
function tilesOf({ width, height }: Plane, side: number, round: number): { x: number; y: number }[] {
  if (width < side || height < side) return []
  const columns = Math.min(tileColumns, Math.floor(width / side))
  const rows = Math.min(tileColumns, Math.floor(height / side))
  return Array.from({ length: columns * rows }, (_, i) => {
    const [u, v] = [(i * golden + round * 0.37) % 1, (i * golden * golden + round * 0.71) % 1]
    const [cellX, cellY] = [(width - side) / columns, (height - side) / rows]
    return { x: Math.floor(((i % columns) + u) * cellX), y: Math.floor((Math.floor(i / columns) + v) * cellY) }
  })
}

function donorsOf(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  stars: readonly Star[],
  fwhm: number,
): Donor[] {
  const radius = Math.min(24, Math.ceil(2.5 * fwhm))
  const alone = (star: Star): boolean =>
    !stars.some((other) => {
      const away = Math.hypot(other.x - star.x, other.y - star.y)
      return away > 0 && away < 1.5 * radius && other.fluxAdu > 0.02 * star.fluxAdu
    })
  const bright = stars.filter((star) => (star.flags & unfit) === 0 && star.snr > donorSnr).slice(0, 200)
  const donors: Donor[] = []
  for (const star of bright) {
    if (donors.length === mostDonors) break
    const donor = alone(star) ? donorOf(compute, science, mask, star, radius) : undefined
    if (donor) donors.push(donor)
  }
  return donors
}

function donorOf(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  star: Star,
  radius: number,
): Donor | undefined {
  const ring = { radiiPixels: [radius], innerPixels: radius + 1, outerPixels: radius + 8 }
  const measured = measureApertures(compute, science, mask, [star], ring)[0]
  if (measured?.maskBits !== 0 || Number.isNaN(measured.fluxAdu[0])) return undefined
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  const size = 2 * radius + 1
  const light = new Float64Array(size * size)
  for (let v = -radius; v <= radius; v++) {
    for (let u = -radius; u <= radius; u++) {
      if (Math.hypot(u, v) > radius) continue
      const value = science.data[(cy + v) * science.width + cx + u]
      if (value === undefined) return undefined
      light[(v + radius) * size + u + radius] = (value - measured.skyAdu) / star.fluxAdu
    }
  }
  return { light, radius, dx: star.x - cx, dy: star.y - cy }
}

/** Puts up to 16 stars into a copy of a tile and looks for them. */
function tryTile(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  stars: readonly Star[],
  donors: readonly Donor[],
  corner: { readonly x: number; readonly y: number },
  { fwhmPixels, aboutFluxAdu, thresholdSigma = 5 }: InjectionOptions,
  already: number,
): Trial[] {
  using _scratch = compute.scope()
  const spacing = spacingOf(fwhmPixels)
  const side = tileSide(fwhmPixels)
  const tile = compute.float32(side, side)
  const tileMask = compute.uint16(side, side)
  for (let y = 0; y < side; y++) {
    const from = (corner.y + y) * science.width + corner.x
    tile.data.set(science.data.subarray(from, from + side), y * side)
    if (mask) tileMask.data.set(mask.data.subarray(from, from + side), y * side)
  }
  // Behind a wide streak or bloom there is no sky to measure.
  const usable = tileMask.data.reduce((count, bits) => count + (bits === 0 ? 1 : 0), 0)
  if (usable < leastUsableShare * side * side) return []
  const background = measureBackground(compute, tile, tileMask, { meshPixels: Math.max(32, Math.min(64, side / 2)) })
  const near = stars.filter(
    ({ x, y }) => x > corner.x - 40 && x < corner.x + side + 40 && y > corner.y - 40 && y < corner.y + side + 40,
  )
  const trials: Trial[] = []
  for (let slot = 0; slot < 16; slot++) {
    const n = already + slot
    const donor = donors[n % donors.length]!
    const jitter = (share: number): number => Math.floor((share % 1) * (spacing / 2)) - Math.floor(spacing / 4)
    const x = Math.floor(((slot % 4) + 0.5) * spacing) + jitter(n * 0.7548776662)
    const y = Math.floor((Math.floor(slot / 4) + 0.5) * spacing) + jitter(n * 0.5698402909)
    const clear = Math.max(4, 2.5 * fwhmPixels)
    if (near.some((star) => Math.hypot(star.x - corner.x - x, star.y - corner.y - y) < clear)) continue
    if ((tileMask.data[y * side + x]! & ~MaskFlag.interpolated) !== 0) continue
    const lnFlux = Math.log(aboutFluxAdu) + (2 * ((n * golden) % 1) - 1) * Math.log(rangeFactor)
    addStar(tile, donor, x, y, Math.exp(lnFlux))
    trials.push({ x: x + donor.dx, y: y + donor.dy, lnFlux, found: false })
  }
  const seen = measureStars(compute, tile, tileMask, background, { thresholdSigma })
  const reach = Math.max(1.5, 0.6 * fwhmPixels)
  for (const trial of trials) trial.found = seen.some((star) => Math.hypot(star.x - trial.x, star.y - trial.y) < reach)
  return trials
}

function addStar(tile: Plane, { light, radius }: Donor, x: number, y: number, fluxAdu: number): void {
  const size = 2 * radius + 1
  for (let v = -radius; v <= radius; v++) {
    for (let u = -radius; u <= radius; u++) {
      const [px, py] = [x + u, y + v]
      if (px < 0 || py < 0 || px >= tile.width || py >= tile.height) continue
      tile.data[py * tile.width + px]! += fluxAdu * light[(v + radius) * size + u + radius]!
    }
  }
}

/** Maximum likelihood of P(found) = 1 / (1 + exp(−(ln f − ln f₅₀)/s)) on a grid; undefined when it ends at a border. */
function halfLimit(trials: readonly Trial[]): InjectedLimit | undefined {
  const low = Math.min(...trials.map(({ lnFlux }) => lnFlux))
  const high = Math.max(...trials.map(({ lnFlux }) => lnFlux))
  const steps = 160
  const middles = Array.from({ length: steps + 1 }, (_, i) => low + (i / steps) * (high - low))
  const profiles = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4].map((width) => likelihoods(trials, middles, width))
  const profile = middles.map((middle, i) => ({ middle, lnLikelihood: Math.max(...profiles.map((own) => own[i]!)) }))
  const best = profile.reduce((a, b) => (b.lnLikelihood > a.lnLikelihood ? b : a))
  if (best === profile[0] || best === profile[steps]) return undefined
  const inside = profile.filter(({ lnLikelihood }) => lnLikelihood > best.lnLikelihood - 0.5)
  const width = (inside.at(-1)!.middle - inside[0]!.middle) / 2
  return {
    fluxAdu: Math.exp(best.middle),
    errorMag: 1.0857362 * Math.max(width, (high - low) / steps / 2),
    injected: trials.length,
    recovered: trials.filter(({ found }) => found).length,
  }
}

/** So many shares of at least 0.005 have a product that is still a normal number. */
const sharesPerLogarithm = 64

/** ln of the likelihood with each of `middles` as ln f₅₀, and the width s. */
function likelihoods(trials: readonly Trial[], middles: readonly number[], width: number): number[] {
  const origin = middles[0]!
  const found = Uint8Array.from(trials, (trial) => (trial.found ? 1 : 0))
  const faintness = Float64Array.from(trials, ({ lnFlux }) => Math.exp((origin - lnFlux) / width))
  return middles.map((middle) => {
    const scale = Math.exp((middle - origin) / width)
    let sum = 0
    let product = 1
    for (let k = 0; k < found.length; k++) {
      // A hundredth of all trials is decided by chance: a neighbour, a hot pixel.
      const share = 0.005 + 0.99 / (1 + scale * faintness[k]!)
      product *= found[k] === 1 ? share : 1 - share
      if (k % sharesPerLogarithm !== sharesPerLogarithm - 1) continue
      sum += Math.log(product)
      product = 1
    }
    return sum + Math.log(product)
  })
}
