import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { Background } from './background.ts'

/**
 * Finding stars: a matched filter over science − sky, the hills of its score above a threshold (each pixel belongs to the
 * peak that it rises to), and the joining of hills that do not stand far enough above the saddle between them. This is the
 * multi-threshold deblending of Bertin & Arnouts (1996, section 8) with every level tried. No plane is allocated that every
 * pixel would be written to.
 */
export interface Segment {
  /** Pixel of the highest score. */
  readonly x: number
  readonly y: number
  readonly peakScore: number
  readonly areaPixels: number
  /** Touches another segment. */
  readonly blended: boolean
  /** Its name in `Segments.names`. */
  readonly hill: number
}

export interface Segments {
  readonly list: readonly Segment[]
  /** In standard deviations of the filtered noise; above what was asked for when the frame was too full for its tables. */
  readonly threshold: number
  /** Tables for the measuring kernels: rows of runs, runs, pixels' hills, and the segment that each hill belongs to. */
  readonly table: number
  readonly runs: number
  readonly parents: number
  readonly names: number
}

export interface SegmentOptions {
  readonly thresholdSigma: number
  readonly filterFwhmPixels: number
}

/** Pixels whose value is no measurement. Saturated ones stay: a hole in a bright star would make a ring of stars. */
export const unusable = MaskFlag.noData | MaskFlag.bad | MaskFlag.cosmicRay

/** A peak must rise above the saddle by this many standard deviations … */
const leastRise = 3
/** … and by this share of the saddle, so that noise on a bright star's wings makes no stars. */
const leastShare = 0.05
/** Runs of pixels that a row may have on average: one for this many pixels. The filter leaves no shorter waves in noise. */
const pixelsPerRun = 6
/** A frame whose runs do not fit is tried again with twice the threshold, this often. */
const mostTries = 30
const mostLinks = 2 ** 21
const runBytes = 12
const rowBytes = 12
const hillBytes = 16
const linkBytes = 16

/** Leaves its tables in the compute's memory: call it within a scope. */
export function findSegments(
  compute: Compute,
  science: Plane,
  mask: MaskPlane | undefined,
  background: Background,
  options: SegmentOptions,
): Segments {
  const { width, height } = science
  const table = compute.allocate(height * rowBytes)
  const runsPerRow = Math.max(16, Math.ceil(width / pixelsPerRun))
  const runs = compute.allocate(height * runsPerRow * runBytes)
  // Only the pages of pixels above the threshold are ever touched.
  const scores = compute.allocate(width * height * 4)
  const parents = compute.allocate(width * height * 4)
  const tables = { table, runs, runsPerRow, scores, parents }
  const threshold = detect(compute, science, mask, background, options, tables)
  compute.rows('linkRows', height, [table, runs, parents, height])
  const hills = numberPeaks(compute, table, height)
  const named = compute.allocate(Math.max(1, hills) * hillBytes)
  compute.rows('nameHills', height, [table, runs, scores, parents, named])
  compute.rows('climbRows', height, [table, runs, parents, named])
  const { names, list } = joinHills(compute, tables, height, named, hills)
  return { list, threshold, table, runs, parents, names }
}

interface Tables {
  readonly table: number
  readonly runs: number
  readonly runsPerRow: number
  readonly scores: number
  readonly parents: number
}

/** The threshold that was used. */
function detect(
  compute: Compute,
  { pointer, width, height }: Plane,
  mask: MaskPlane | undefined,
  { level, rms }: Background,
  { thresholdSigma, filterFwhmPixels }: SegmentOptions,
  { table, runs, runsPerRow, scores, parents }: Tables,
): number {
  using _scratch = compute.scope()
  const half = matchedTaps(filterFwhmPixels)
  const taps = compute.float32(half.length, 1)
  taps.data.set(half)
  const status = compute.int32(1, 1)
  const radius = half.length - 1
  const scratchBytes = (Math.ceil(width / 4) * 16 + 128) * (2 * radius + 6)
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const sky = [level.spline, rms.pointer, rms.columns, rms.rows, rms.cellPixels]
  const frame = [pointer, mask?.pointer ?? 0, unusable, width, height, ...sky, taps.pointer, radius]
  let threshold = thresholdSigma
  for (let attempt = 0; attempt < mostTries; attempt++) {
    status.data[0] = 0
    const found = [table, runs, runsPerRow, scores, parents, status.pointer]
    compute.rows('detectRows', height, [...frame, threshold, ...found, scratch, scratchBytes])
    if (status.data[0] === 0) return threshold
    threshold *= 2
  }
  new Int32Array(compute.memory.buffer, table, (height * rowBytes) / 4).fill(0)
  return threshold
}

/** Half of a symmetric Gaussian line whose squares sum to 1: the matched filter's noise is then that of one pixel. */
function matchedTaps(fwhmPixels: number): Float32Array {
  const sigma = fwhmPixels / 2.354820045
  const radius = Math.min(15, Math.ceil(2.5 * sigma))
  const half = Array.from({ length: radius + 1 }, (_, k) => Math.exp((-0.5 * k * k) / (sigma * sigma)))
  const squares = half.reduce((sum, tap, k) => sum + (k === 0 ? 1 : 2) * tap * tap, 0)
  return Float32Array.from(half, (tap) => tap / Math.sqrt(squares))
}

/** Turns each row's count of peaks into the number of its first; returns how many there are. */
function numberPeaks(compute: Compute, table: number, height: number): number {
  const rows = new Int32Array(compute.memory.buffer, table, height * 3)
  let count = 0
  for (let y = 0; y < height; y++) {
    const peaks = rows[3 * y + 2]!
    rows[3 * y + 2] = count
    count += peaks
  }
  return count
}

/** Two hills that touch, and the highest pass between them. */
interface Links {
  readonly a: Int32Array
  readonly b: Int32Array
  readonly saddle: Float32Array
  /** Highest pass first. */
  readonly order: readonly number[]
}

function joinHills(
  compute: Compute,
  tables: Tables,
  height: number,
  named: number,
  hills: number,
): { readonly names: number; readonly list: Segment[] } {
  const table = new Float32Array(compute.memory.buffer, named, hills * 4)
  const whole = new Int32Array(compute.memory.buffer, named, hills * 4)
  const pointer = compute.allocate(Math.max(1, hills) * 4)
  const names = new Int32Array(compute.memory.buffer, pointer, hills)
  for (let i = 0; i < hills; i++) names[i] = i
  const links = findLinks(compute, tables, height, hills)
  const heightOf = (hill: number): number => table[4 * hill]!
  const blends: (readonly [number, number])[] = []
  for (const k of links.order) {
    const [a, b] = [rootOf(names, links.a[k]!), rootOf(names, links.b[k]!)]
    if (a === b) continue
    const [high, low] = heightOf(a) > heightOf(b) || (heightOf(a) === heightOf(b) && a < b) ? [a, b] : [b, a]
    const rise = heightOf(low) - links.saddle[k]!
    if (rise >= leastRise && rise >= leastShare * links.saddle[k]!) blends.push([a, b])
    else names[low] = high
  }
  const blended = new Uint8Array(hills)
  for (const [a, b] of blends) blended[rootOf(names, a)] = blended[rootOf(names, b)] = 1
  return { names: pointer, list: listSegments(names, table, whole, blended) }
}

function listSegments(names: Int32Array, table: Float32Array, whole: Int32Array, blended: Uint8Array): Segment[] {
  const area = new Int32Array(names.length)
  for (let i = 0; i < names.length; i++) {
    const root = rootOf(names, i)
    names[i] = root
    area[root]! += whole[4 * i + 3]!
  }
  const list: Segment[] = []
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== i) continue
    list.push({
      x: whole[4 * i + 1]!,
      y: whole[4 * i + 2]!,
      peakScore: table[4 * i]!,
      areaPixels: area[i]!,
      blended: blended[i] === 1,
      hill: i,
    })
  }
  return list
}

function rootOf(names: Int32Array, hill: number): number {
  let root = hill
  while (names[root] !== root) root = names[root]!
  while (names[hill] !== root) {
    const next = names[hill]!
    names[hill] = root
    hill = next
  }
  return root
}

function findLinks(compute: Compute, { table, runs, scores, parents }: Tables, height: number, hills: number): Links {
  using _scratch = compute.scope()
  const capacity = Math.min(mostLinks, 2 ** Math.ceil(Math.log2(4 * hills + 1024)))
  const bytes = capacity * compute.threads * linkBytes
  const pointer = compute.allocate(bytes)
  const whole = new Int32Array(compute.memory.buffer, pointer, bytes / 4).fill(-1)
  const passes = new Float32Array(compute.memory.buffer, pointer, bytes / 4)
  compute.rows('saddleRows', height, [table, runs, scores, parents, height, pointer, capacity])
  const used: number[] = []
  for (let k = 0; k < whole.length; k += 4) if (whole[k] !== -1) used.push(k)
  const a = Int32Array.from(used, (k) => whole[k]!)
  const b = Int32Array.from(used, (k) => whole[k + 1]!)
  const saddle = Float32Array.from(used, (k) => passes[k + 2]!)
  return { a, b, saddle, order: highestFirst(a, b, saddle) }
}

/** Equal saddles in the order of the hills' numbers, so that the tables' order does not matter. */
function highestFirst(a: Int32Array, b: Int32Array, saddle: Float32Array): number[] {
  // Bits of a positive f32 sort as its value; with the index below them a double holds both.
  const bits = new Int32Array(saddle.buffer, saddle.byteOffset, saddle.length)
  const keys = Float64Array.from(bits, (value, k) => value * mostLinks + (k % mostLinks)).sort()
  const order = new Array<number>(keys.length)
  for (let i = 0; i < keys.length; i++) order[keys.length - 1 - i] = keys[i]! % mostLinks
  const before = (j: number, k: number): number => a[j]! - a[k]! || b[j]! - b[k]!
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && saddle[order[to]!] === saddle[order[from]!]) to++
    if (to - from > 1) order.splice(from, to - from, ...order.slice(from, to).sort(before))
    from = to
  }
  return order
}
