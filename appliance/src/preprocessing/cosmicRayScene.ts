import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import type { Compute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'

/**
 * Frames whose cosmic rays are known, to measure how well they are found: electrons (gain 1) on a sky of 500, read noise 6,
 * Moffat stars of β = 3 with N(>F) ∝ F^−0.7, saturated at 60000; tracks of 400 e⁻ a pixel (median, lognormal σ = 0.5).
 */
export interface CosmicRaySceneOptions {
  readonly seed: string
  readonly side: number
  readonly fwhmPixels: number
  readonly starsPerMpix?: number
  readonly tracksPerMpix?: number
  readonly skyElectrons?: number
}

export interface CosmicRayScene {
  readonly frame: Frame
  /** Number of the track at each pixel, from 1; 0 where there is none. */
  readonly track: Int32Array
  readonly tracks: number
  readonly stars: readonly SceneStar[]
  readonly fwhmPixels: number
}

interface SceneStar {
  readonly x: number
  readonly y: number
  /** Of a matched filter on the sky alone. */
  readonly snr: number
}

/** What `cosmicRayScene` frames are made with, for whoever searches them. */
export const sceneCamera = { gainElectronsPerAdu: 1, readNoiseElectrons: 6, saturationElectrons: 60_000 } as const
const faintestElectrons = 150
const brightestElectrons = 8e6

export function cosmicRayScene(compute: Compute, options: CosmicRaySceneOptions): CosmicRayScene {
  const { seed, side, fwhmPixels, starsPerMpix = 1500, tracksPerMpix = 60, skyElectrons = 500 } = options
  const random = createRandom(`cosmic rays ${seed}`)
  const light = new Float32Array(side * side).fill(skyElectrons)
  const noise = Math.sqrt(skyElectrons + sceneCamera.readNoiseElectrons ** 2)
  // Effective area of a Moffat profile with β = 3: 35.4 px at FWHM 3.
  const effective = Math.sqrt(35.4) * (fwhmPixels / 3)
  const stars = Array.from({ length: Math.round((starsPerMpix * side * side) / 1e6) }, () => {
    const electrons = Math.min(brightestElectrons, faintestElectrons * random.next() ** (-1 / 0.7))
    const star = { x: side * random.next() - 0.5, y: side * random.next() - 0.5, snr: electrons / (noise * effective) }
    drawMoffat(light, side, star, electrons, fwhmPixels)
    return star
  })
  const track = new Int32Array(side * side)
  const tracks = Math.round((tracksPerMpix * side * side) / 1e6)
  const charge = new Float32Array(side * side)
  for (let n = 1; n <= tracks; n++) drawTrack(charge, track, side, n, random)
  return { frame: expose(compute, random, light, charge, side), track, tracks, stars, fwhmPixels }
}

/** 4 × 4 points a pixel, cut where it is faint. */
function drawMoffat(light: Float32Array, side: number, star: SceneStar, electrons: number, fwhm: number): void {
  const reach = Math.ceil(Math.min(70, Math.max(8, 6 * (electrons / 30) ** (1 / 6))))
  const alpha = fwhm / (2 * Math.sqrt(2 ** (1 / 3) - 1))
  // Σ over the plane of (1 + r²/α²)^−3 is π α²/2.
  const peak = (2 * electrons) / (16 * Math.PI * alpha * alpha)
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  for (let y = Math.max(0, cy - reach); y <= Math.min(side - 1, cy + reach); y++) {
    for (let x = Math.max(0, cx - reach); x <= Math.min(side - 1, cx + reach); x++) {
      let sum = 0
      for (let k = 0; k < 16; k++) {
        const dx = x - star.x + ((k & 3) - 1.5) / 4
        const dy = y - star.y + ((k >> 2) - 1.5) / 4
        sum += (1 + (dx * dx + dy * dy) / (alpha * alpha)) ** -3
      }
      light[y * side + x]! += peak * sum
    }
  }
}

/** Straight tracks (65 %, mean length 7 px), curling ones (20 %) and spots of one or two pixels. */
function drawTrack(charge: Float32Array, track: Int32Array, side: number, n: number, random: Random): void {
  let [x, y] = [side * random.next(), side * random.next()]
  const kind = random.next()
  let angle = 2 * Math.PI * random.next()
  const curl = kind > 0.65 ? 0.5 : 0
  const length = kind > 0.85 ? 1 + random.integer(2) : 1.5 - 7 * Math.log(1 - random.next())
  const electrons = 400 * Math.exp(0.5 * random.normal())
  for (let step = 0; step < Math.min(60, length); step += 0.5) {
    const [u, v] = [Math.floor(x), Math.floor(y)]
    if (u < 0 || v < 0 || u >= side || v >= side) return
    if (track[v * side + u] === 0) {
      track[v * side + u] = n
      charge[v * side + u] = electrons * Math.exp(0.2 * random.normal())
    }
    angle += curl * random.normal()
    x += 0.5 * Math.cos(angle)
    y += 0.5 * Math.sin(angle)
  }
}

function expose(compute: Compute, random: Random, light: Float32Array, charge: Float32Array, side: number): Frame {
  const science = compute.float32(side, side)
  const mask = compute.uint16(side, side)
  for (let i = 0; i < light.length; i++) {
    const value = random.poisson(light[i]!) + charge[i]! + sceneCamera.readNoiseElectrons * random.normal()
    science.data[i] = Math.min(sceneCamera.saturationElectrons, Math.round(value))
    if (value >= sceneCamera.saturationElectrons) mask.data[i] = MaskFlag.saturated
  }
  return { header: FitsHeader.empty, width: side, height: side, science, mask, variance: undefined }
}

/** How well `marked` agrees with what was drawn. */
export interface CosmicRayScore {
  /** Share of the tracks of which at least half of the pixels were marked. */
  readonly trackRecall: number
  readonly pixelRecall: number
  /** Marked pixels a Mpix that neither are nor touch a track's. */
  readonly falsePerMpix: number
  /** Share of the marked pixels that are or touch a track's. */
  readonly purity: number
  /** Stars above 5 sigma with a marked pixel within 0.6 FWHM (at least 1.5 px) that no track explains. */
  readonly starsTouched: number
  readonly stars: number
}

export function scoreCosmicRays(scene: CosmicRayScene, marked: (at: number) => boolean): CosmicRayScore {
  const { track, tracks, frame } = scene
  const { width } = frame
  const near = (at: number): boolean => {
    for (let v = -width; v <= width; v += width) for (let u = -1; u <= 1; u++) if (track[at + v + u]) return true
    return false
  }
  const [pixels, hits] = [new Int32Array(tracks + 1), new Int32Array(tracks + 1)]
  let [right, wrong] = [0, 0]
  const spurious = new Set<number>()
  track.forEach((n, at) => {
    pixels[n]!++
    if (!marked(at)) return
    hits[n]!++
    if (near(at)) right++
    else {
      wrong++
      spurious.add(at)
    }
  })
  const found = pixels.filter((count, n) => n > 0 && count > 0 && 2 * hits[n]! >= count).length
  const sum = (values: Int32Array): number => values.subarray(1).reduce((total, value) => total + value, 0)
  const bright = scene.stars.filter((star) => star.snr >= 5)
  return {
    trackRecall: found / pixels.subarray(1).filter((count) => count > 0).length,
    pixelRecall: sum(hits) / sum(pixels),
    falsePerMpix: (1e6 * wrong) / track.length,
    purity: right / Math.max(1, right + wrong),
    starsTouched: bright.filter((star) => touched(star, spurious, width, scene.fwhmPixels)).length,
    stars: bright.length,
  }
}

function touched(star: SceneStar, spurious: ReadonlySet<number>, width: number, fwhmPixels: number): boolean {
  const radius = Math.max(1.5, 0.6 * fwhmPixels)
  for (let y = Math.ceil(star.y - radius); y <= star.y + radius; y++) {
    for (let x = Math.ceil(star.x - radius); x <= star.x + radius; x++) {
      if (Math.hypot(x - star.x, y - star.y) <= radius && spurious.has(y * width + x)) return true
    }
  }
  return false
}
