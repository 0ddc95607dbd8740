import type { Plane } from '../frames/plane.ts'

/**
 * Connected regions of a score plane above a threshold, and their parting into one segment for each peak. Runs of pixels
 * are joined to those of the row before (8 neighbours); a region with several peaks is filled from its highest pixel down,
 * and a peak keeps its own segment when it stands far enough above the saddle to a higher one.
 */
export interface Segment {
  /** Pixel index (y × width + x) of the highest score. */
  readonly peak: number
  readonly peakScore: number
  readonly areaPixels: number
  /** Shares its region with another segment. */
  readonly blended: boolean
}

/** Runs of one image: three numbers each. */
interface Runs {
  readonly y: Int32Array
  readonly from: Int32Array
  readonly to: Int32Array
  readonly parent: Int32Array
  readonly count: number
}

/** A peak must rise above the saddle by this many standard deviations … */
const leastRise = 3
/** … and by this share of the saddle, so that noise on a bright star's wings makes no stars. */
const leastShare = 0.05

/**
 * Finds the segments of `score` above `threshold` and writes the number of each (from 1) into `labels`, 0 elsewhere.
 * Segment n is element n − 1.
 */
export function findSegments(score: Plane, threshold: number, labels: Plane<Int32Array>): Segment[] {
  const runs = joinRuns(score, threshold)
  const segments: Segment[] = []
  for (const region of regionsOf(runs)) partRegion(score, runs, region, labels, segments)
  return segments
}

function grown(array: Int32Array): Int32Array {
  const bigger = new Int32Array(array.length * 2)
  bigger.set(array)
  return bigger
}

function rootOf(parent: Int32Array, run: number): number {
  let root = run
  while (parent[root] !== root) root = parent[root]!
  while (parent[run] !== root) {
    const next = parent[run]!
    parent[run] = root
    run = next
  }
  return root
}

function joinRuns(score: Plane, threshold: number): Runs {
  const { width, height, data } = score
  let [ys, froms, tos, parent] = [1, 2, 3, 4].map(() => new Int32Array(4096)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ]
  let count = 0
  let previousFrom = 0
  let previousTo = 0
  for (let y = 0; y < height; y++) {
    const rowStart = count
    const base = y * width
    let above = previousFrom
    for (let x = 0; x < width; x++) {
      if (!(data[base + x]! > threshold)) continue
      const from = x
      while (x < width && data[base + x]! > threshold) x++
      if (count === ys.length) [ys, froms, tos, parent] = [grown(ys), grown(froms), grown(tos), grown(parent)]
      ys[count] = y
      froms[count] = from
      tos[count] = x
      parent[count] = count
      while (above < previousTo && tos[above]! < from) above++
      for (let other = above; other < previousTo && froms[other]! <= x; other++) {
        const [a, b] = [rootOf(parent, other), rootOf(parent, count)]
        if (a !== b) parent[Math.max(a, b)] = Math.min(a, b)
      }
      count++
    }
    previousFrom = rowStart
    previousTo = count
  }
  return { y: ys, from: froms, to: tos, parent, count }
}

/** The runs of each region, in the order of the regions' first runs. */
function regionsOf(runs: Runs): number[][] {
  const regions = new Map<number, number[]>()
  for (let run = 0; run < runs.count; run++) {
    const root = rootOf(runs.parent, run)
    const list = regions.get(root)
    if (list) list.push(run)
    else regions.set(root, [run])
  }
  return [...regions.values()]
}

function partRegion(
  score: Plane,
  runs: Runs,
  region: readonly number[],
  labels: Plane<Int32Array>,
  segments: Segment[],
): void {
  const { width } = score
  const pixels: number[] = []
  let peaks = 0
  let highest = -1
  for (const run of region) {
    const base = runs.y[run]! * width
    for (let x = runs.from[run]!; x < runs.to[run]!; x++) {
      const at = base + x
      pixels.push(at)
      if (highest < 0 || score.data[at]! > score.data[highest]!) highest = at
      if (isPeak(score, at)) peaks++
    }
  }
  if (peaks > 1) {
    flood(score, pixels, labels, segments)
    return
  }
  const label = segments.push({
    peak: highest,
    peakScore: score.data[highest]!,
    areaPixels: pixels.length,
    blended: false,
  })
  for (const at of pixels) labels.data[at] = label
}

/** Higher than its eight neighbours; of equal ones the first counts. */
function isPeak({ width, height, data }: Plane, at: number): boolean {
  const x = at % width
  const y = (at - x) / width
  const value = data[at]!
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
      const other = v * width + u
      if (other < at ? data[other]! >= value : data[other]! > value) return false
    }
  }
  return true
}

/** One hill of a region while it is filled. */
interface Hill {
  readonly peak: number
  readonly height: number
  area: number
  into: number
}

function flood(score: Plane, pixels: number[], labels: Plane<Int32Array>, segments: Segment[]): void {
  const { data } = score
  pixels.sort((a, b) => data[b]! - data[a]! || a - b)
  const hills: Hill[] = []
  const top = (hill: number): number => {
    while (hills[hill]!.into !== hill) hill = hills[hill]!.into
    return hill
  }
  // Numbers of hills stand in `labels` as negatives until all are known.
  for (const at of pixels) {
    const touched = hillsAround(score, labels, at, top)
    const best = touched[0] ?? hills.push({ peak: at, height: data[at]!, area: 0, into: hills.length }) - 1
    for (const lower of touched) {
      if (lower === best) continue
      const rise = hills[lower]!.height - data[at]!
      if (rise >= leastRise && rise >= leastShare * data[at]!) continue
      hills[lower]!.into = best
      hills[best]!.area += hills[lower]!.area
    }
    hills[best]!.area++
    labels.data[at] = -1 - best
  }
  nameHills(score, pixels, hills, top, labels, segments)
}

/** Hills that touch a pixel, highest first. */
function hillsAround(score: Plane, labels: Plane<Int32Array>, at: number, top: (hill: number) => number): number[] {
  const { width, height } = score
  const x = at % width
  const y = (at - x) / width
  const found: number[] = []
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
      const label = labels.data[v * width + u]!
      if (label >= 0) continue
      const hill = top(-1 - label)
      if (!found.includes(hill)) found.push(hill)
    }
  }
  // Hills are numbered from the highest peak down.
  return found.length > 1 ? found.sort((a, b) => a - b) : found
}

function nameHills(
  score: Plane,
  pixels: readonly number[],
  hills: readonly Hill[],
  top: (hill: number) => number,
  labels: Plane<Int32Array>,
  segments: Segment[],
): void {
  const kept = hills.filter((hill, index) => hill.into === index)
  const names = new Map<number, number>()
  hills.forEach((hill, index) => {
    if (hill.into !== index) return
    const blended = kept.length > 1
    const peakScore = score.data[hill.peak]!
    names.set(index, segments.push({ peak: hill.peak, peakScore, areaPixels: hill.area, blended }))
  })
  for (const at of pixels) labels.data[at] = names.get(top(-1 - labels.data[at]!))!
}
