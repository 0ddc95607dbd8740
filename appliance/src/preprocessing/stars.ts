import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import { paintMesh, subtractSpline } from '../frames/mesh.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { Background } from './background.ts'
import { findSegments, type Segment } from './segments.ts'

/**
 * Stars: a matched filter over the background-subtracted frame finds them, connected regions are parted at their saddles,
 * and adaptive moments measure each star's centre and shape. Nothing here throws because of what is in the picture.
 */
export interface Star {
  /** Windowed centroid; 0-based, the centre of the first pixel is (0, 0). */
  readonly x: number
  readonly y: number
  /** In a circle of 1.7 × the frame's median FWHM, background subtracted. */
  readonly fluxAdu: number
  readonly fluxErrorAdu: number
  /** Highest pixel above the background. */
  readonly peakAdu: number
  /** Full width at half maximum: from the star's moments and the shape of this frame's star cores; mean of both axes. */
  readonly fwhmPixels: number
  /** Radius that holds half of the flux. */
  readonly hfrPixels: number
  /** 1 − b/a. */
  readonly ellipticity: number
  /** Of the long axis, from +x towards +y; −90 < … ≤ 90. */
  readonly positionAngleDeg: number
  /** Of the flux under the fitted Gaussian: what a matched filter sees. */
  readonly snr: number
  /** Pixels above the threshold. */
  readonly areaPixels: number
  /** Bits of `StarFlag`. */
  readonly flags: number
}

/** What to know before trusting a star; bits add up, 0 is a good star. */
export const StarFlag = {
  /** Parted from a neighbour. */
  blended: 1,
  /** Saturated or bloomed pixels in the core. */
  saturated: 2,
  /** The aperture reaches over the border. */
  edge: 4,
  /** Unusable pixels inside the aperture were replaced by their mirror images. */
  masked: 8,
  /** The moments did not settle; the position is that of the peak. */
  unsettled: 16,
  /** Narrower than any star of this frame: hot pixel or cosmic ray. */
  sharp: 32,
  /** Much longer or wider than the frame's stars: galaxy, trail, ghost. */
  extended: 64,
} as const

export interface StarOptions {
  /** In standard deviations of the matched filter's noise; 5. */
  readonly thresholdSigma?: number
  /** Keep only this many, brightest first; 20000. */
  readonly max?: number
  /** Electrons per ADU, for the flux error when there is no variance plane. Default: sky noise only. */
  readonly gain?: number
  /** ADU². */
  readonly variance?: Plane | undefined
  /** Width of the matched filter; 2.5 suits stars of 1.5 to 5 px. */
  readonly filterFwhmPixels?: number
}

const fwhmPerSigma = 2.354820045
/** Pixels whose value is no measurement. Saturated ones stay: a hole in a bright star would make a ring of stars. */
const unusable = MaskFlag.noData | MaskFlag.bad | MaskFlag.cosmicRay
/** f64 numbers of one star in the kernels' table. */
const tableColumns = 20
const growthCurveBytes = 4096

/**
 * Measures the stars of `science` (ADU) above its `background`; brightest first. Never throws on crowding or saturation:
 * flags say what is wrong with a star.
 */
export function measureStars(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  background: Background,
  options: StarOptions = {},
): Star[] {
  const { thresholdSigma = 5, max = 20_000, gain, variance, filterFwhmPixels = 2.5 } = options
  const { width, height } = science
  using _scratch = compute.scope()
  const residual = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const masks = [mask?.pointer ?? 0, unusable]
  subtractSpline(compute, background.level, science, residual)
  compute.rows('hideMasked', height, [residual.pointer, ...masks, width])
  const rms = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  paintMesh(compute, background.rms, rms)
  const labels = compute.int32(width, height)
  const segments = detect(compute, residual, rms, labels, thresholdSigma, filterFwhmPixels)
  const chosen = brightest(segments, max)
  const table = openTable(compute, chosen.length)
  const seedVariance = (filterFwhmPixels / fwhmPerSigma) ** 2
  chosen.forEach(([segment, label], row) => {
    const peakX = segment.peak % width
    table.set([peakX, (segment.peak - peakX) / width, label, seedVariance, 0, seedVariance], row * tableColumns)
  })
  const planes = [table.byteOffset, residual.pointer, labels.pointer]
  const noise = [rms.pointer, variance?.pointer ?? 0, gain ? 1 / gain : 0]
  compute.rows('starShapes', chosen.length, [...planes, ...noise, width, height])
  const fwhm = typicalFwhm(table, chosen) ?? filterFwhmPixels
  const radius = Math.min(40, Math.max(2.5, 1.7 * fwhm))
  const bins = compute.allocate(growthCurveBytes * compute.threads)
  const aperture = [radius, width, height, bins, growthCurveBytes]
  compute.rows('starApertures', chosen.length, [...planes, mask?.pointer ?? 0, ...noise, ...aperture])
  const core = coreRatio(table, chosen)
  const stars = chosen.map(([segment], row) => starOf(table, row, segment, fwhm, core))
  return stars.filter((star) => star.fluxAdu > 0).sort((a, b) => b.fluxAdu - a.fluxAdu)
}

/** Half of a symmetric Gaussian line whose squares sum to 1: the matched filter's noise is then that of one pixel. */
function matchedTaps(fwhmPixels: number): Float32Array {
  const sigma = fwhmPixels / fwhmPerSigma
  const radius = Math.min(15, Math.ceil(2.5 * sigma))
  const half = Array.from({ length: radius + 1 }, (_, k) => Math.exp((-0.5 * k * k) / (sigma * sigma)))
  const squares = half.reduce((sum, tap, k) => sum + (k === 0 ? 1 : 2) * tap * tap, 0)
  return Float32Array.from(half, (tap) => tap / Math.sqrt(squares))
}

function detect(
  compute: Compute,
  residual: Plane,
  rms: Plane,
  labels: Plane<Int32Array>,
  thresholdSigma: number,
  fwhmPixels: number,
): Segment[] {
  using _scratch = compute.scope()
  const { width, height } = residual
  const score = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const half = matchedTaps(fwhmPixels)
  const taps = compute.float32(half.length, 1)
  taps.data.set(half)
  const lineBytes = Math.ceil((width * 4 + 512) / 64) * 64
  const lines = compute.allocate(lineBytes * compute.threads)
  const filter = [taps.pointer, half.length - 1, score.pointer, width, height, lines, lineBytes]
  compute.rows('matchedFilter', height, [residual.pointer, rms.pointer, ...filter])
  return findSegments(score, thresholdSigma, labels)
}

/** The `max` segments with the highest peaks, each with its label. */
function brightest(segments: readonly Segment[], max: number): (readonly [Segment, number])[] {
  const all = segments.map((segment, index) => [segment, index + 1] as const)
  return all.sort((a, b) => b[0].peakScore - a[0].peakScore || a[1] - b[1]).slice(0, max)
}

function openTable(compute: Compute, stars: number): Float64Array {
  const pointer = compute.allocate(Math.max(1, stars) * tableColumns * 8)
  return new Float64Array(compute.memory.buffer, pointer, stars * tableColumns).fill(0)
}

/** Column numbers of the kernels' table. */
const column = { x: 0, y: 1, xx: 3, xy: 4, yy: 5, failed: 6, weighted: 7, weightedVariance: 8 } as const
const apertureColumn = { flux: 9, variance: 10, peak: 11, halfRadius: 12, bits: 13, missing: 14, core: 15 } as const

function fwhmOf(table: Float64Array, row: number): number {
  const at = row * tableColumns
  return fwhmPerSigma * Math.sqrt((table[at + column.xx]! + table[at + column.yy]!) / 2)
}

/** Median FWHM of up to 200 bright, settled, unblended stars that are no single pixels; undefined without any. */
function typicalFwhm(table: Float64Array, chosen: readonly (readonly [Segment, number])[]): number | undefined {
  const widths: number[] = []
  for (let row = 0; row < chosen.length && widths.length < 200; row++) {
    const segment = chosen[row]![0]
    if (table[row * tableColumns + column.failed] !== 0 || segment.blended || segment.areaPixels < 5) continue
    const fwhm = fwhmOf(table, row)
    if (fwhm > narrowest) widths.push(fwhm)
  }
  return widths.length === 0 ? undefined : widths.sort((a, b) => a - b)[widths.length >> 1]
}

/**
 * How wide star cores are beside the Gaussians of their moments, which the wings of real stars widen: the median of strong
 * stars; 1 with fewer than five.
 */
function coreRatio(table: Float64Array, chosen: readonly (readonly [Segment, number])[]): number {
  const ratios: number[] = []
  for (let row = 0; row < chosen.length && ratios.length < 200; row++) {
    const at = row * tableColumns
    const signal = table[at + column.weighted]! / Math.sqrt(table[at + column.weightedVariance]!)
    const saturated = table[at + apertureColumn.bits]! & (MaskFlag.saturated | MaskFlag.bloom)
    const ratio = table[at + apertureColumn.core]!
    if (table[at + column.failed] !== 0 || chosen[row]![0].blended || saturated !== 0 || !(signal > 30)) continue
    if (fwhmOf(table, row) > narrowest && ratio > 0.5 && ratio < 1.5) ratios.push(ratio)
  }
  return ratios.length < 5 ? 1 : ratios.sort((a, b) => a - b)[ratios.length >> 1]!
}

/** A star's light falls on more than one pixel; below this FWHM it is a single one. */
const narrowest = 1.1

function starOf(table: Float64Array, row: number, segment: Segment, frameFwhm: number, coreRatio: number): Star {
  const at = row * tableColumns
  const [xx, xy, yy] = [table[at + column.xx]!, table[at + column.xy]!, table[at + column.yy]!]
  const mean = (xx + yy) / 2
  const half = Math.hypot((xx - yy) / 2, xy)
  const momentFwhm = fwhmPerSigma * Math.sqrt(mean)
  const ellipticity = 1 - Math.sqrt(Math.max(0, mean - half) / (mean + half))
  return {
    x: table[at + column.x]!,
    y: table[at + column.y]!,
    fluxAdu: table[at + apertureColumn.flux]!,
    fluxErrorAdu: Math.sqrt(table[at + apertureColumn.variance]!),
    peakAdu: table[at + apertureColumn.peak]!,
    fwhmPixels: coreRatio * momentFwhm,
    hfrPixels: table[at + apertureColumn.halfRadius]!,
    ellipticity,
    positionAngleDeg: (Math.atan2(2 * xy, xx - yy) * 90) / Math.PI,
    snr: table[at + column.weighted]! / Math.sqrt(table[at + column.weightedVariance]! || 1),
    areaPixels: segment.areaPixels,
    flags: flagsOf(table, at, segment, momentFwhm, ellipticity, frameFwhm),
  }
}

function flagsOf(
  table: Float64Array,
  at: number,
  segment: Segment,
  fwhmPixels: number,
  ellipticity: number,
  frameFwhm: number,
): number {
  const bits = table[at + apertureColumn.bits]!
  const missing = table[at + apertureColumn.missing]!
  const unsettled = table[at + column.failed] !== 0
  let flags = segment.blended ? StarFlag.blended : 0
  if ((bits & (MaskFlag.saturated | MaskFlag.bloom)) !== 0) flags |= StarFlag.saturated
  if (missing > 0.002) flags |= StarFlag.edge
  if ((bits & (unusable | MaskFlag.interpolated)) !== 0) flags |= StarFlag.masked
  if (unsettled) flags |= StarFlag.unsettled
  if (fwhmPixels < Math.max(narrowest, 0.6 * frameFwhm)) flags |= StarFlag.sharp
  if (!unsettled && (fwhmPixels > 1.8 * frameFwhm || ellipticity > 0.6)) flags |= StarFlag.extended
  return flags
}
