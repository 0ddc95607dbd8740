/** Straight lines through points of a frame: a Hough transform over angle and distance from the middle. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** A point (x, y) and a direction; `from` and `to` are where it leaves the frame, in pixels along it from (x, y). */
export interface Line {
  readonly x: number
  readonly y: number
  readonly cos: number
  readonly sin: number
  readonly from: number
  readonly to: number
}

interface Size {
  readonly width: number
  readonly height: number
}

/** A stretch that a line explains: points within `reach` of it vote no more. */
export interface Explained<T> {
  readonly found: T
  readonly from: Point
  readonly to: Point
  readonly reach: number
}

const angles = 256
const binPixels = 4
/** Points in a bin that make it worth a look, whatever the frame: 4-px cells of a trail of 60 px. */
const leastVotes = 12
/** Proposals looked at in one frame. */
const mostProposals = 64

/**
 * Proposes lines, the most voted first, to `explain`, which says what it finds on each. The work is bounded: 256 votes for
 * each point and at most 64 proposals.
 */
export function linesThrough<T>(
  points: readonly Point[],
  size: Size,
  explain: (line: Line) => readonly Explained<T>[],
): T[] {
  if (points.length < leastVotes) return []
  const votes = new Votes(points, size)
  // A bin crosses the frame: this many points lie in it by chance, and 6 of its standard deviations more hardly ever do.
  const chance = (points.length * 1.5 * binPixels) / Math.min(size.width, size.height)
  const least = Math.max(leastVotes, chance + 6 * Math.sqrt(chance))
  const found: T[] = []
  let waiting = points
  let looked = 0
  for (const bin of votes.above(least)) {
    if (looked === mostProposals) break
    const line = votes.line(bin)
    if (spreadVotes(line, waiting) < least) continue
    looked++
    const parts = explain(line)
    for (const part of parts) {
      found.push(part.found)
      waiting = waiting.filter((point) => !explains(part, point))
    }
    // Points that made nothing of their best line would only propose its neighbours.
    if (parts.length === 0) waiting = waiting.filter((point) => Math.abs(across(line, point)) > binPixels)
  }
  return found
}

/** Points on the line, at most four for each 16 px along it: a bright spot on the line is no trail. */
function spreadVotes(line: Line, points: readonly Point[]): number {
  const counts = new Map<number, number>()
  let votes = 0
  for (const point of points) {
    if (Math.abs(across(line, point)) > binPixels) continue
    const block = Math.floor(((point.x - line.x) * line.cos + (point.y - line.y) * line.sin) / (4 * binPixels))
    const count = counts.get(block) ?? 0
    counts.set(block, count + 1)
    if (count < 4) votes++
  }
  return votes
}

class Votes {
  readonly #size: Size
  readonly #bins: number
  readonly #counts: Uint16Array
  readonly #cos = Float64Array.from({ length: angles }, (_, k) => Math.cos((Math.PI * k) / angles))
  readonly #sin = Float64Array.from({ length: angles }, (_, k) => Math.sin((Math.PI * k) / angles))

  constructor(points: readonly Point[], size: Size) {
    this.#size = size
    this.#bins = Math.ceil(Math.hypot(size.width, size.height) / binPixels) + 2
    this.#counts = new Uint16Array(angles * this.#bins)
    const counts = this.#counts
    const bins = this.#bins
    const xs = Float64Array.from(points, (point) => point.x)
    const ys = Float64Array.from(points, (point) => point.y)
    for (let k = 0; k < angles; k++) {
      const [c, s] = [this.#cos[k]! / binPixels, this.#sin[k]! / binPixels]
      const zero = k * bins + (bins >> 1) + 0.5 - (c * size.width + s * size.height) / 2
      for (let n = 0; n < xs.length; n++) counts[(zero + c * xs[n]! + s * ys[n]!) | 0]!++
    }
  }

  /** Bins with at least so many votes, the most voted first. */
  above(least: number): number[] {
    const counts = this.#counts
    const bins: number[] = []
    for (let bin = 0; bin < counts.length; bin++) if (counts[bin]! >= least) bins.push(bin)
    return bins.sort((a, b) => counts[b]! - counts[a]! || a - b)
  }

  line(bin: number): Line {
    const angle = Math.floor(bin / this.#bins)
    const distance = (bin - angle * this.#bins - (this.#bins >> 1)) * binPixels
    const { width, height } = this.#size
    const [c, s] = [this.#cos[angle]!, this.#sin[angle]!]
    return clipped({ x: width / 2 + distance * c, y: height / 2 + distance * s }, -s, c, this.#size)
  }
}

/** The line through a point with a direction, cut at the border of the frame. */
export function clipped({ x, y }: Point, cos: number, sin: number, { width, height }: Size): Line {
  let [from, to] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (const [start, step, most] of [
    [x, cos, width - 1],
    [y, sin, height - 1],
  ] as const) {
    if (Math.abs(step) < 1e-9) continue
    const [a, b] = [-start / step, (most - start) / step]
    from = Math.max(from, Math.min(a, b))
    to = Math.min(to, Math.max(a, b))
  }
  return { x, y, cos, sin, from, to }
}

/** Distance of a point from the line, positive to the left of its direction when y points up. */
function across({ x, y, cos, sin }: Line, point: Point): number {
  return cos * (point.y - y) - sin * (point.x - x)
}

function explains({ from, to, reach }: Explained<unknown>, point: Point): boolean {
  const length = Math.hypot(to.x - from.x, to.y - from.y)
  const [cos, sin] = [(to.x - from.x) / length, (to.y - from.y) / length]
  const along = (point.x - from.x) * cos + (point.y - from.y) * sin
  return (
    along > -reach && along < length + reach && Math.abs(across({ ...from, cos, sin, from: 0, to: 0 }, point)) < reach
  )
}

/** The line moved onto points given in its own coordinates (along, across): least squares without those 2 px off. */
export function lineThrough(line: Line, points: readonly Point[], size: Size): Line {
  let kept = points
  let [offset, slope] = regression(kept)
  for (let round = 0; round < 3; round++) {
    const close = points.filter(({ x, y }) => Math.abs(y - offset - slope * x) < 2)
    if (close.length < 3) break
    kept = close
    ;[offset, slope] = regression(kept)
  }
  const turn = Math.atan(slope)
  const [cos, sin] = [
    line.cos * Math.cos(turn) - line.sin * Math.sin(turn),
    line.sin * Math.cos(turn) + line.cos * Math.sin(turn),
  ]
  return clipped({ x: line.x - offset * line.sin, y: line.y + offset * line.cos }, cos, sin, size)
}

function regression(points: readonly Point[]): readonly [offset: number, slope: number] {
  let [n, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0]
  for (const { x, y } of points) {
    n++
    sx += x
    sy += y
    sxx += x * x
    sxy += x * y
  }
  const spread = n * sxx - sx * sx
  const slope = spread > 0 ? (n * sxy - sx * sy) / spread : 0
  return [(sy - slope * sx) / n, slope]
}
