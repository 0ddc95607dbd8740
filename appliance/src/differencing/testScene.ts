import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import type { Compute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { type Canvas, drawGalaxy, drawStar, type Galaxy, type PointSource, type Seeing } from './quality/profiles.ts'
import { applyTransform, identity, jacobian, type PixelTransform } from './transform.ts'

/**
 * Pairs of frames with known truth: stars N(>F) ∝ F^−0.7 as elliptical Moffat profiles (β = 3) whose width and shape vary
 * over the frame, Sérsic galaxies N(>F) ∝ F^−1, sky with a gradient, photon and read noise, saturation, a smooth registration
 * residual, and transients in the science frame only. Electrons, gain 1.
 */
export interface SceneOptions {
  readonly width: number
  readonly height: number
  readonly seed: string
  /** Seed of noise, registration residual and cosmic rays; `seed` alone decides the sky. Default: `seed`. */
  readonly noiseSeed?: string
  readonly starsPerMpix?: number
  /** No star of these is brighter; 8e6 electrons. */
  readonly brightestStarElectrons?: number
  readonly galaxiesPerMpix?: number
  /** More galaxies of 4e5 electrons, as hosts are. */
  readonly brightGalaxiesPerMpix?: number
  readonly fwhmSciencePixels?: number
  readonly fwhmReferencePixels?: number
  readonly skyElectrons?: number
  /** The science sky rises by this share from one corner to the other, as under a moon. */
  readonly skyGradient?: number
  readonly readNoiseElectrons?: number
  /** Reference counts for one science count, under a clear sky. */
  readonly fluxRatio?: number
  /** Extinction of the science frame. */
  readonly cloudMag?: number
  /** Exposures averaged in the reference. */
  readonly referenceExposures?: number
  /** Rms of the smooth registration residual, pixels per axis. */
  readonly distortionPixels?: number
  /** Relative variation of the PSF over the frame. */
  readonly psfVariation?: number
  /** Nominal signal-to-noise ratios of transients on empty sky, background-limited in the science frame alone. */
  readonly transientSnr?: readonly number[]
  /** Transients of all brightnesses on sky (60 %), galaxies (30 %) and stars (10 %). */
  readonly transientsPerMpix?: number
  /** Science to reference pixels. */
  readonly transform?: PixelTransform
  /** Cosmic rays in the science frame. */
  readonly cosmicRays?: number
  /** Stars at given places besides the others: those of a catalogue, so that the frame can be solved. */
  readonly addedStars?: readonly PointSource[]
  /** Straight trails across the science frame, 3 sigma of the sky a pixel. */
  readonly streaks?: number
}

export type Host = 'sky' | 'galaxy' | 'star'

export interface TrueTransient extends PointSource {
  readonly fluxElectrons: number
  readonly snr: number
  readonly host: Host
}

export interface Scene {
  readonly science: Frame
  readonly reference: Frame
  readonly transients: readonly TrueTransient[]
  readonly stars: readonly PointSource[]
  /** Reference counts for one science count. */
  readonly fluxRatio: number
}

const saturation = 60_100
const pedestal = 100
const transientSnrs = [3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50] as const
const transientSpacingPixels = 30
/** n_eff = 1/Σ P² of the Moffat profile at FWHM 3. */
const effectivePixelsAtFwhm3 = 35.4

const defaults = {
  starsPerMpix: 1500,
  brightestStarElectrons: 8e6,
  galaxiesPerMpix: 80,
  brightGalaxiesPerMpix: 0,
  fwhmSciencePixels: 3,
  fwhmReferencePixels: 2.6,
  skyElectrons: 500,
  skyGradient: 0,
  readNoiseElectrons: 6,
  fluxRatio: 1.15,
  cloudMag: 0,
  referenceExposures: 8,
  distortionPixels: 0.05,
  psfVariation: 0.05,
  transientSnr: [] as readonly number[],
  transientsPerMpix: 0,
  transform: identity,
  cosmicRays: 0,
  addedStars: [] as readonly PointSource[],
  streaks: 0,
}

type Complete = Required<SceneOptions>

export function makeScene(compute: Compute, options: SceneOptions): Scene {
  const o: Complete = { ...defaults, noiseSeed: options.seed, ...options }
  const random = createRandom(`scene/${o.seed}`)
  const chance = createRandom(`noise/${o.noiseSeed}`)
  const stars = [...makeStars(random.fork('stars'), o), ...o.addedStars]
  const galaxies = makeGalaxies(random.fork('galaxies'), o)
  const transients = makeTransients(random.fork('transients'), o, stars, galaxies)
  const { width, height } = o
  const [canvasN, canvasR] = [blank(width, height), blank(width, height)]
  const cloud = 10 ** (-0.4 * o.cloudMag)
  const moved = residual(chance.fork('distortion'), o)
  for (const star of stars) {
    drawStar(canvasN, dimmed(moved(star), cloud), scienceSeeing(o, star))
    drawStar(canvasR, onReference(o, star), referenceSeeing(o, star))
  }
  for (const galaxy of galaxies) {
    drawGalaxy(canvasN, dimmed(moved(galaxy), cloud), scienceSeeing(o, galaxy))
    drawGalaxy(canvasR, galaxyOnReference(o, galaxy), referenceSeeing(o, galaxy))
  }
  const shown = transients.map(moved)
  for (const transient of shown) drawStar(canvasN, transient, scienceSeeing(o, transient))
  addStreaks(chance.fork('streaks'), canvasN, o)
  const science = expose(compute, chance.fork('science'), canvasN, o, { exposures: 1, sky: o.skyElectrons })
  addCosmicRays(chance.fork('rays'), science, o.cosmicRays)
  const skyR = 0.9 * o.skyElectrons * o.fluxRatio
  const reference = expose(
    compute,
    chance.fork('reference'),
    canvasR,
    { ...o, skyGradient: 0 },
    {
      exposures: o.referenceExposures,
      sky: skyR,
    },
  )
  return { science, reference, transients: shown, stars, fluxRatio: o.fluxRatio / cloud }
}

function blank(width: number, height: number): Canvas {
  return { data: new Float64Array(width * height), width, height }
}

function dimmed<T extends PointSource>(source: T, share: number): T {
  return { ...source, flux: share * source.flux }
}

function place(random: Random, { width, height }: Complete): { x: number; y: number } {
  return { x: -20 + (width + 40) * random.next(), y: -20 + (height + 40) * random.next() }
}

const megapixels = ({ width, height }: Complete): number => (width * height) / 1e6

function makeStars(random: Random, o: Complete): PointSource[] {
  return Array.from({ length: Math.round(o.starsPerMpix * megapixels(o)) }, () => ({
    ...place(random, o),
    flux: Math.min(o.brightestStarElectrons, 150 * Math.max(1e-7, random.next()) ** (-1 / 0.7)),
  }))
}

function makeGalaxies(random: Random, o: Complete): Galaxy[] {
  const [many, bright] = [o.galaxiesPerMpix, o.brightGalaxiesPerMpix].map((n) => Math.round(n * megapixels(o)))
  return Array.from({ length: many! + bright! }, (_, index) => {
    const flux = index < many! ? Math.min(4e5, 3000 / Math.max(1e-3, random.next())) : 4e5
    const radius = 2 * (flux / 3000) ** 0.3 * Math.exp(0.3 * random.normal())
    return {
      ...place(random, o),
      flux,
      effectiveRadiusPixels: Math.max(1.2, Math.min(14, radius)),
      index: random.next() < 0.7 ? 1 : 4,
      axisRatio: 0.35 + 0.65 * random.next(),
      angle: Math.PI * random.next(),
    }
  })
}

/** S/N in the science frame alone, limited by the sky, to electrons. */
function transientFlux(o: Complete, snr: number): number {
  const noise = Math.sqrt(o.skyElectrons + o.readNoiseElectrons ** 2)
  return snr * noise * Math.sqrt(effectivePixelsAtFwhm3) * (o.fwhmSciencePixels / 3)
}

function makeTransients(
  random: Random,
  o: Complete,
  stars: readonly PointSource[],
  galaxies: readonly Galaxy[],
): TrueTransient[] {
  const field = Math.round(o.transientsPerMpix * megapixels(o))
  const wanted = [
    ...o.transientSnr.map((snr) => ({ snr, host: 'sky' as Host })),
    ...Array.from({ length: field }, (_, index) => ({
      snr: transientSnrs[index % transientSnrs.length]!,
      host: hostOf(random.next()),
    })),
  ]
  const sources = [...stars, ...galaxies]
  const places: Record<Host, () => { x: number; y: number } | undefined> = {
    sky: () => ({ x: 40 + (o.width - 80) * random.next(), y: 40 + (o.height - 80) * random.next() }),
    galaxy: () => onGalaxy(random, galaxies),
    star: () => onStar(random, stars),
  }
  const placed: TrueTransient[] = []
  const crowded = o.starsPerMpix > 5000
  for (const { snr, host } of wanted) {
    for (let attempt = 0; attempt < 500; attempt++) {
      const at = places[host]()
      if (!at || at.x < 40 || at.y < 40 || at.x > o.width - 40 || at.y > o.height - 40) continue
      if (placed.some((other) => Math.hypot(other.x - at.x, other.y - at.y) < transientSpacingPixels)) continue
      if (host === 'sky' && !isClear(at, sources, crowded)) continue
      const flux = transientFlux(o, snr)
      placed.push({ ...at, flux, fluxElectrons: flux, snr, host })
      break
    }
  }
  return placed
}

function hostOf(chance: number): Host {
  if (chance < 0.6) return 'sky'
  return chance < 0.9 ? 'galaxy' : 'star'
}

function onGalaxy(random: Random, galaxies: readonly Galaxy[]): { x: number; y: number } | undefined {
  const galaxy = galaxies[random.integer(galaxies.length)]
  if (!galaxy) return undefined
  const distance = 1.5 * random.next() * galaxy.effectiveRadiusPixels
  const angle = 2 * Math.PI * random.next()
  return { x: galaxy.x + distance * Math.cos(angle), y: galaxy.y + distance * Math.sin(angle) }
}

function onStar(random: Random, stars: readonly PointSource[]): { x: number; y: number } | undefined {
  const star = stars[random.integer(stars.length)]
  return star && star.flux < 2e5 ? { x: star.x, y: star.y } : undefined
}

function isClear(at: { x: number; y: number }, sources: readonly PointSource[], crowded: boolean): boolean {
  const share = crowded ? 0.5 : 1
  return sources.every((s) => {
    const [dx, dy] = [Math.abs(s.x - at.x), Math.abs(s.y - at.y)]
    return dx > 30 || dy > 30 || Math.hypot(dx, dy) > share * (6 + 2.5 * Math.log10(1 + s.flux / 100))
  })
}

/** Moves sources by a smooth field whose rms per axis is the one asked. */
function residual(random: Random, o: Complete): <T extends PointSource>(source: T) => T {
  const phase = Array.from({ length: 4 }, () => 2 * Math.PI * random.next())
  const { width, height } = o
  const field = (x: number, y: number): readonly [number, number] => [
    Math.sin((2.6 * x) / width + (1.9 * y) / height + phase[0]!) * Math.cos(phase[1]! + (3 * y) / height),
    Math.sin((2.2 * y) / height + (2.4 * x) / width + phase[2]!) * Math.cos(phase[3]! + (3 * x) / width),
  ]
  const squares = [0, 0]
  for (let k = 0; k < 400; k++) {
    const [dx, dy] = field(((k % 20) * width) / 20, (Math.floor(k / 20) * height) / 20)
    squares[0]! += (dx * dx) / 400
    squares[1]! += (dy * dy) / 400
  }
  const [ax, ay] = squares.map((square) => o.distortionPixels / Math.sqrt(square))
  return (source) => {
    const [dx, dy] = field(source.x, source.y)
    return { ...source, x: source.x + ax! * dx, y: source.y + ay! * dy }
  }
}

function scienceSeeing(o: Complete, { x, y }: PointSource): Seeing {
  const [u, v] = [(2 * x) / o.width - 1, (2 * y) / o.height - 1]
  const t = o.psfVariation
  const fwhmPixels = o.fwhmSciencePixels * (1 + t * (0.6 * u - 0.4 * v + 0.5 * (u * u + v * v - 0.67)))
  return { fwhmPixels, e1: 0.03 + 0.8 * u * t, e2: -0.02 + 0.6 * v * t }
}

function scaleAt(o: Complete, { x, y }: PointSource): number {
  const [a, b, c, d] = jacobian(o.transform, x, y)
  return Math.sqrt(Math.abs(a * d - b * c))
}

function referenceSeeing(o: Complete, source: PointSource): Seeing {
  const [u, v] = [(2 * source.x) / o.width - 1, (2 * source.y) / o.height - 1]
  const fwhm = o.fwhmReferencePixels * (1 + 0.5 * o.psfVariation * (-0.5 * u + 0.6 * v))
  return { fwhmPixels: fwhm * scaleAt(o, source), e1: 0.01 * u, e2: 0.02 * v }
}

function onReference(o: Complete, source: PointSource): PointSource {
  const [x, y] = applyTransform(o.transform, source.x, source.y)
  return { x, y, flux: source.flux * o.fluxRatio }
}

function galaxyOnReference(o: Complete, galaxy: Galaxy): Galaxy {
  const [a, b, c, d] = jacobian(o.transform, galaxy.x, galaxy.y)
  const [dx, dy] = [Math.cos(galaxy.angle), Math.sin(galaxy.angle)]
  const angle = Math.atan2(c * dx + d * dy, a * dx + b * dy)
  const effectiveRadiusPixels = galaxy.effectiveRadiusPixels * scaleAt(o, galaxy)
  return { ...galaxy, ...onReference(o, galaxy), angle, effectiveRadiusPixels }
}

function addStreaks(random: Random, { data, width, height }: Canvas, o: Complete): void {
  const level = 3 * Math.sqrt(o.skyElectrons + o.readNoiseElectrons ** 2)
  const sigma = o.fwhmSciencePixels / 2.3548
  for (let n = 0; n < o.streaks; n++) {
    const [x, y] = [width * random.next(), height * random.next()]
    const angle = Math.PI * random.next()
    const [c, s] = [Math.cos(angle), Math.sin(angle)]
    for (let i = 0; i < data.length; i++) {
      const across = -s * ((i % width) - x) + c * (Math.floor(i / width) - y)
      if (Math.abs(across) < 5 * sigma) data[i]! += level * Math.exp(-0.5 * (across / sigma) ** 2)
    }
  }
}

interface Exposure {
  readonly exposures: number
  readonly sky: number
}

function expose(compute: Compute, random: Random, signal: Canvas, o: Complete, { exposures, sky }: Exposure): Frame {
  const { width, height } = o
  const science = compute.float32(width, height)
  const mask = compute.uint16(width, height)
  for (let i = 0; i < signal.data.length; i++) {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height]
    const light = sky * (1 + 0.03 * x - 0.02 * y + 0.5 * o.skyGradient * (x + y))
    const mean = signal.data[i]! + light
    const noise = Math.sqrt((mean + o.readNoiseElectrons ** 2) / exposures)
    const exact =
      exposures === 1 ? random.poisson(mean) + o.readNoiseElectrons * random.normal() : mean + noise * random.normal()
    const value = pedestal + (exposures === 1 ? Math.round(exact) : exact)
    science.data[i] = Math.min(saturation, value)
    if (value >= saturation) mask.data[i] = MaskFlag.saturated
  }
  const header = FitsHeader.from({ EGAIN: [exposures, 'electrons per ADU'], SATURATE: saturation })
  return { header, width, height, science, mask, variance: undefined }
}

function addCosmicRays(random: Random, { science }: Frame, count: number): void {
  for (let n = 0; n < count; n++) {
    let [x, y] = [20 + (science.width - 40) * random.next(), 20 + (science.height - 40) * random.next()]
    const angle = 2 * Math.PI * random.next()
    const length = 1 + random.integer(4)
    for (let k = 0; k < length; k++) {
      science.data[Math.round(y) * science.width + Math.round(x)]! += 400 * Math.exp(0.5 + 0.5 * random.normal())
      x += Math.cos(angle)
      y += Math.sin(angle)
    }
  }
}
