import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import type { Compute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { applyTransform, identity, jacobian, type PixelTransform } from './transform.ts'

/**
 * A small pair generator with known truth, for tests and benchmarks of this room: stars N(>F) ∝ F^−0.7 as elliptical Moffat
 * profiles (β = 3) whose width and shape vary over the frame, smooth galaxies, sky, photon and read noise, saturation,
 * a registration residual, and transients in the science frame only. Electrons, gain 1.
 */
export interface SceneOptions {
  readonly width: number
  readonly height: number
  readonly seed: string
  /** Seed of noise, registration residual and cosmic rays; `seed` alone decides the sky. Default: `seed`. */
  readonly noiseSeed?: string
  readonly starsPerMpix?: number
  readonly galaxiesPerMpix?: number
  readonly fwhmSciencePixels?: number
  readonly fwhmReferencePixels?: number
  readonly skyElectrons?: number
  readonly readNoiseElectrons?: number
  /** Reference counts for one science count. */
  readonly fluxRatio?: number
  /** Exposures averaged in the reference. */
  readonly referenceExposures?: number
  /** Rms of the smooth registration residual, pixels per axis. */
  readonly distortionPixels?: number
  /** Relative variation of the PSF over the frame. */
  readonly psfVariation?: number
  /** Nominal signal-to-noise ratios of the transients, background-limited in the science frame alone. */
  readonly transientSnr?: readonly number[]
  /** Science to reference pixels. */
  readonly transform?: PixelTransform
  /** Cosmic rays in the science frame. */
  readonly cosmicRays?: number
}

export interface TrueTransient {
  readonly x: number
  readonly y: number
  readonly fluxElectrons: number
  readonly snr: number
}

export interface Scene {
  readonly science: Frame
  readonly reference: Frame
  readonly transients: readonly TrueTransient[]
  readonly stars: readonly { readonly x: number; readonly y: number; readonly flux: number }[]
}

interface Source {
  readonly x: number
  readonly y: number
  readonly flux: number
  /** Added in quadrature to the seeing: 0 for stars. */
  readonly extraFwhm: number
}

const saturation = 60_100
const pedestal = 100

export function makeScene(compute: Compute, options: SceneOptions): Scene {
  const o = {
    starsPerMpix: 1500,
    galaxiesPerMpix: 80,
    fwhmSciencePixels: 3,
    fwhmReferencePixels: 2.6,
    skyElectrons: 500,
    readNoiseElectrons: 6,
    fluxRatio: 1.15,
    referenceExposures: 8,
    distortionPixels: 0.05,
    psfVariation: 0.05,
    transientSnr: [] as readonly number[],
    transform: identity,
    cosmicRays: 0,
    noiseSeed: options.seed,
    ...options,
  }
  const random = createRandom(`scene/${o.seed}`)
  const chance = createRandom(`noise/${o.noiseSeed}`)
  const sources = makeSources(random.fork('sources'), o)
  const stars = sources.filter((source) => source.extraFwhm === 0)
  const transients = makeTransients(random.fork('transients'), o, sources)
  const { width, height } = o
  const signalN = new Float64Array(width * height)
  const signalR = new Float64Array(width * height)
  const field = distortion(chance.fork('distortion'), width, height, o.distortionPixels)
  for (const source of sources) {
    const [dx, dy] = field(source.x, source.y)
    drawScience(signalN, o, { ...source, x: source.x + dx, y: source.y + dy })
    drawReference(signalR, o, source)
  }
  for (const { x, y, fluxElectrons } of transients) {
    const [dx, dy] = field(x, y)
    drawScience(signalN, o, { x: x + dx, y: y + dy, flux: fluxElectrons, extraFwhm: 0 })
  }
  const science = expose(compute, chance.fork('science'), signalN, o, 1, o.skyElectrons)
  addCosmicRays(chance.fork('rays'), science, o.cosmicRays)
  const skyR = 0.9 * o.skyElectrons * o.fluxRatio
  const reference = expose(compute, chance.fork('reference'), signalR, o, o.referenceExposures, skyR)
  return { science, reference, transients, stars }
}

type Complete = Required<SceneOptions>

function makeSources(random: Random, o: Complete): Source[] {
  const mpix = (o.width * o.height) / 1e6
  const place = (): { x: number; y: number } => ({
    x: -20 + (o.width + 40) * random.next(),
    y: -20 + (o.height + 40) * random.next(),
  })
  const stars = Array.from({ length: Math.round(o.starsPerMpix * mpix) }, () => {
    const flux = Math.min(8e6, 150 * Math.max(1e-7, random.next()) ** (-1 / 0.7))
    return { ...place(), flux, extraFwhm: 0 }
  })
  const galaxies = Array.from({ length: Math.round(o.galaxiesPerMpix * mpix) }, () => {
    const flux = Math.min(4e5, 3000 / Math.max(1e-3, random.next()))
    return { ...place(), flux, extraFwhm: Math.min(12, 2.5 * (flux / 3000) ** 0.3 * Math.exp(0.3 * random.normal())) }
  })
  return [...stars, ...galaxies]
}

function makeTransients(random: Random, o: Complete, sources: readonly Source[]): TrueTransient[] {
  const placed: TrueTransient[] = []
  const noise = Math.sqrt(o.skyElectrons + o.readNoiseElectrons ** 2)
  // n_eff of a Moffat profile with β = 3: 35.4 px at FWHM 3.
  const effective = Math.sqrt(35.4) * (o.fwhmSciencePixels / 3)
  for (const snr of o.transientSnr) {
    for (let attempt = 0; attempt < 500; attempt++) {
      const x = 40 + (o.width - 80) * random.next()
      const y = 40 + (o.height - 80) * random.next()
      if (placed.some((other) => Math.hypot(other.x - x, other.y - y) < 30)) continue
      const clear = (s: Source): boolean => Math.hypot(s.x - x, s.y - y) > 6 + 2.5 * Math.log10(1 + s.flux / 100)
      if (!sources.every(clear)) continue
      placed.push({ x, y, snr, fluxElectrons: snr * noise * effective })
      break
    }
  }
  return placed
}

function distortion(random: Random, width: number, height: number, rms: number) {
  const phase = Array.from({ length: 4 }, () => 2 * Math.PI * random.next())
  const amplitude = rms * Math.SQRT2
  return (x: number, y: number): [number, number] => [
    amplitude * Math.sin((2.6 * x) / width + (1.9 * y) / height + phase[0]!) * Math.cos(phase[1]! + (3 * y) / height),
    amplitude * Math.sin((2.2 * y) / height + (2.4 * x) / width + phase[2]!) * Math.cos(phase[3]! + (3 * x) / width),
  ]
}

function drawScience(signal: Float64Array, o: Complete, source: Source): void {
  const [u, v] = [(2 * source.x) / o.width - 1, (2 * source.y) / o.height - 1]
  const t = o.psfVariation
  const fwhm = o.fwhmSciencePixels * (1 + t * (0.6 * u - 0.4 * v + 0.5 * (u * u + v * v - 0.67)))
  drawMoffat(signal, o, source, fwhm, 0.03 + 16 * t * 0.05 * u * v, -0.02 + 12 * t * 0.05 * v)
}

function drawReference(signal: Float64Array, o: Complete, source: Source): void {
  const [u, v] = [(2 * source.x) / o.width - 1, (2 * source.y) / o.height - 1]
  const [x, y] = applyTransform(o.transform, source.x, source.y)
  const [a, b, c, d] = jacobian(o.transform, source.x, source.y)
  const scale = Math.sqrt(Math.abs(a * d - b * c))
  const fwhm = o.fwhmReferencePixels * scale * (1 + 0.5 * o.psfVariation * (-0.5 * u + 0.6 * v))
  const moved = { ...source, x, y, flux: source.flux * o.fluxRatio, extraFwhm: source.extraFwhm * scale }
  drawMoffat(signal, o, moved, fwhm, 0.01 * u, 0.02 * v)
}

/** Elliptical Moffat of β = 3, 3 × 3 points a pixel, cut where it is faint. */
function drawMoffat(signal: Float64Array, o: Complete, source: Source, seeing: number, e1: number, e2: number): void {
  const fwhm = Math.hypot(seeing, source.extraFwhm)
  const reach = Math.ceil(Math.min(70, Math.max(10, 6 * (source.flux / 30) ** (1 / 6) + 4 + 2 * source.extraFwhm)))
  const alpha = fwhm / (2 * Math.sqrt(2 ** (1 / 3) - 1))
  const e = Math.hypot(e1, e2)
  const angle = Math.atan2(e2, e1) / 2
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const stretch = Math.sqrt((1 + e) / (1 - e))
  const [along, across] = [1 / (alpha * stretch), stretch / alpha]
  // Σ over the plane of (1 + r²/α²)^−3 is π α²/2.
  const peak = (2 * source.flux) / (9 * Math.PI * alpha * alpha)
  const [cx, cy] = [Math.round(source.x), Math.round(source.y)]
  for (let y = Math.max(0, cy - reach); y <= Math.min(o.height - 1, cy + reach); y++) {
    for (let x = Math.max(0, cx - reach); x <= Math.min(o.width - 1, cx + reach); x++) {
      let sum = 0
      for (let j = -1; j <= 1; j++) {
        for (let i = -1; i <= 1; i++) {
          const [px, py] = [x - source.x + i / 3, y - source.y + j / 3]
          const p = (c * px + s * py) * along
          const q = (c * py - s * px) * across
          const r = 1 + p * p + q * q
          sum += 1 / (r * r * r)
        }
      }
      signal[y * o.width + x]! += peak * sum
    }
  }
}

function expose(
  compute: Compute,
  random: Random,
  signal: Float64Array,
  o: Complete,
  exposures: number,
  sky: number,
): Frame {
  const { width, height } = o
  const science = compute.float32(width, height)
  const mask = compute.uint16(width, height)
  for (let i = 0; i < signal.length; i++) {
    const [x, y] = [i % width, Math.floor(i / width)]
    const mean = signal[i]! + sky * (1 + (0.03 * x) / width - (0.02 * y) / height)
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
