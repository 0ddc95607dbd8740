import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { Background } from './background.ts'
import { findSegments, type Segment, type Segments, unusable } from './segments.ts'

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
  /** In the ellipse of 2.5 Kron radii (SExtractor's AUTO); of the brightest stars only. */
  readonly kronFluxAdu?: number | undefined
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
  /** Keep only this many, brightest first; 25000. */
  readonly max?: number
  /** Electrons per ADU, for the flux error when there is no variance plane. Default: sky noise only. */
  readonly gain?: number
  /** ADU². */
  readonly variance?: Plane | undefined
  /** Width of the matched filter; 2.5 suits stars of 1.5 to 5 px. */
  readonly filterFwhmPixels?: number
}

const fwhmPerSigma = 2.354820045
/** Stars kept when the caller does not say: more than photometry, solving and PSFs of any field use. */
const mostStars = 25_000
/** The brightest are measured in full; the others have the half-flux radius of their Gaussian and no Kron flux. */
const mostInFull = 4000
/** Stars that tell how wide stars are in this frame. */
const sampled = 200
/** f64 numbers of one star in the kernels' table, and of the frame's description. */
const tableColumns = 24
const frameWords = 16
/** Of a stamp, from its middle pixel. */
const mostReach = 60
/** Two stamps, each with room for a last vector. */
const stampBytes = 2 * ((2 * mostReach + 1) * (2 * mostReach + 4) * 4 + 64)
/** Bright and faint stars take turns in this many ranks, so that threads share both. */
const ranks = 64

/**
 * Measures the stars of `science` (ADU) above its `background`; brightest first. Never throws on crowding or saturation:
 * flags say what is wrong with a star. The `mostInFull` brightest are measured in full.
 */
export function measureStars(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  background: Background,
  options: StarOptions = {},
): Star[] {
  const { thresholdSigma = 5, max = mostStars, filterFwhmPixels = 2.5 } = options
  using _scratch = compute.scope()
  const segments = findSegments(compute, science, mask, background, { thresholdSigma, filterFwhmPixels })
  const chosen = brightest(segments.list, max)
  const frame = describeFrame(compute, science, mask, background, segments, options)
  const stamps = compute.allocate(stampBytes * compute.threads)
  const seedVariance = (filterFwhmPixels / fwhmPerSigma) ** 2
  const fwhm = frameFwhm(compute, chosen, frame, stamps, seedVariance) ?? filterFwhmPixels
  const table = openTable(compute, chosen, fwhm, seedVariance)
  const radius = Math.min(40, Math.max(2.5, 1.7 * fwhm))
  const rows = ranks * Math.ceil(chosen.length / ranks)
  const work = [radius, mostInFull, ranks, chosen.length, stamps, stampBytes]
  compute.rows('measureStarRows', rows, [table.byteOffset, frame, ...work])
  const core = coreRatio(table, chosen)
  const bright = chosen.map((_, row) => row).filter((row) => table[row * tableColumns + apertureColumn.flux]! > 0)
  const order = descending(bright.length, (k) => table[bright[k]! * tableColumns + apertureColumn.flux]!)
  return order.map((k) => starOf(table, bright[k]!, chosen[bright[k]!]!, fwhm, core))
}

/** What `drawStamp` of the kernels reads, in its order. */
function describeFrame(
  compute: Compute,
  { pointer, width, height }: Plane,
  mask: MaskPlane | undefined,
  { level, rms }: Background,
  segments: Segments,
  { variance, gain }: StarOptions,
): number {
  const words = compute.allocate(frameWords * 8)
  const pixels = [pointer, mask?.pointer ?? 0, unusable, width, height]
  const sky = [level.spline, rms.pointer, rms.columns, rms.rows, rms.cellPixels]
  const found = [segments.table, segments.runs, segments.parents, segments.names]
  const noise = [variance?.pointer ?? 0, gain ? 1 / gain : 0]
  new Float64Array(compute.memory.buffer, words, frameWords).set([...pixels, ...sky, ...found, ...noise])
  return words
}

/** The `max` segments with the highest peaks. */
function brightest(segments: readonly Segment[], max: number): Segment[] {
  const order = descending(segments.length, (i) => segments[i]!.peakScore)
  return Array.from({ length: Math.min(max, order.length) }, (_, k) => segments[order[k]!]!)
}

/** Indices by falling value (as f32, positive); of equal ones the last first. */
function descending(count: number, at: (index: number) => number): number[] {
  const places = 2 ** 21
  const bits = new Int32Array(1)
  const value = new Float32Array(bits.buffer)
  // Bits of a positive f32 sort as its value; with the index below them a double holds both. Native sorting is fast.
  const keys = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    value[0] = at(i)
    keys[i] = bits[0]! * places + i
  }
  keys.sort()
  return Array.from({ length: count }, (_, k) => keys[count - 1 - k]! % places)
}

/** The table with one row for each star. */
function openTable(compute: Compute, stars: readonly Segment[], fwhm: number, seedVariance: number): Float64Array {
  const pointer = compute.allocate(Math.max(1, stars.length) * tableColumns * 8)
  const table = new Float64Array(compute.memory.buffer, pointer, stars.length * tableColumns).fill(0)
  stars.forEach(({ x, y, hill, areaPixels }, row) => {
    const at = row * tableColumns
    const reach = Math.max(8, 3 * fwhm + 3, 1.2 * Math.sqrt(areaPixels / Math.PI) + 4)
    table[at + column.x] = x
    table[at + column.y] = y
    table[at + column.hill] = hill
    table[at + column.xx] = table[at + column.yy] = seedVariance
    table[at + column.reach] = Math.min(mostReach, Math.ceil(reach))
  })
  return table
}

/** Median FWHM of the brightest unblended stars, which are measured for this alone; undefined without any. */
function frameFwhm(
  compute: Compute,
  chosen: readonly Segment[],
  frame: number,
  stamps: number,
  seedVariance: number,
): number | undefined {
  using _scratch = compute.scope()
  const sample = chosen.filter((segment) => !segment.blended && segment.areaPixels >= 5).slice(0, 2 * sampled)
  const table = openTable(compute, sample, 5, seedVariance)
  compute.rows('starShapes', sample.length, [table.byteOffset, frame, stamps, stampBytes])
  return typicalFwhm(table, sample)
}

/** Column numbers of the kernels' table. */
const column = {
  x: 0,
  y: 1,
  hill: 2,
  xx: 3,
  xy: 4,
  yy: 5,
  failed: 6,
  weighted: 7,
  weightedVariance: 8,
  reach: 18,
} as const
const apertureColumn = {
  flux: 9,
  variance: 10,
  peak: 11,
  halfRadius: 12,
  bits: 13,
  missing: 14,
  core: 15,
  kronFlux: 16,
} as const

function fwhmOf(table: Float64Array, row: number): number {
  const at = row * tableColumns
  return fwhmPerSigma * Math.sqrt((table[at + column.xx]! + table[at + column.yy]!) / 2)
}

function typicalFwhm(table: Float64Array, chosen: readonly Segment[]): number | undefined {
  const widths: number[] = []
  for (let row = 0; row < chosen.length && widths.length < sampled; row++) {
    if (table[row * tableColumns + column.failed] !== 0) continue
    const fwhm = fwhmOf(table, row)
    if (fwhm > narrowest) widths.push(fwhm)
  }
  return widths.length === 0 ? undefined : widths.sort((a, b) => a - b)[widths.length >> 1]
}

/**
 * How wide star cores are beside the Gaussians of their moments, which the wings of real stars widen: the median of strong
 * stars; 1 with fewer than five.
 */
function coreRatio(table: Float64Array, chosen: readonly Segment[]): number {
  const ratios: number[] = []
  for (let row = 0; row < chosen.length && ratios.length < sampled; row++) {
    const at = row * tableColumns
    const signal = table[at + column.weighted]! / Math.sqrt(table[at + column.weightedVariance]!)
    const saturated = table[at + apertureColumn.bits]! & (MaskFlag.saturated | MaskFlag.bloom)
    const ratio = table[at + apertureColumn.core]!
    if (table[at + column.failed] !== 0 || chosen[row]!.blended || saturated !== 0 || !(signal > 30)) continue
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
  const half = Math.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
  const momentFwhm = fwhmPerSigma * Math.sqrt(mean)
  const ellipticity = 1 - Math.sqrt(Math.max(0, mean - half) / (mean + half))
  return {
    x: table[at + column.x]!,
    y: table[at + column.y]!,
    fluxAdu: table[at + apertureColumn.flux]!,
    fluxErrorAdu: Math.sqrt(table[at + apertureColumn.variance]!),
    kronFluxAdu: row < mostInFull ? table[at + apertureColumn.kronFlux] : undefined,
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
