import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { type Line, linesThrough, lineThrough, type Point } from './lines.ts'
import { PixelSet } from './regions.ts'

/** A trail that a satellite, an aircraft or a meteor left in one of the two frames. */
export interface Streak {
  /** Its ends: 0-based science pixels, to a block of 16 px. */
  readonly from: { readonly x: number; readonly y: number }
  readonly to: { readonly x: number; readonly y: number }
  readonly lengthPixels: number
  /** Full width at half maximum of its mean profile in the difference. */
  readonly widthPixels: number
  /** Full width of what is marked. */
  readonly markedPixels: number
  /** Middle of the mean profile, ADU of the science frame; negative when the reference has the trail. */
  readonly peakAdu: number
  /** S_corr there. */
  readonly peak: number
  /** |S_corr| that 90 % of the trail stays below: what stands out of the trail is more than twice as high. */
  readonly loud: number
}

/** A trail is looked at in blocks of this length. */
const blockPixels = 16
const leastBlocks = 4
/** A block is lit when this share of its pixels on the line has S_corr above 1: 0.16 of them do by chance. */
const litShare = 0.75
/** Dark blocks bridged between lit ones: stars, masks and glints. */
const gapBlocks = 8
/** Share of the blocks from end to end that must be lit. */
const leastLit = 0.7
/** Offsets across the line that are looked at; a trail whose wings go further is no trail but a galaxy or a reflection. */
const reachPixels = 24
/** A trail is at least this many times longer than wide. */
const leastAspect = 6
/** The mean profile is followed until it falls below this S_corr. */
const profileFloor = 1
const mostPoints = 6000
const mostStreaks = 32
const cellPixels = 4

const unseen = MaskFlag.noData | MaskFlag.saturated | MaskFlag.bloom

export interface StreakInput {
  readonly scorr: Plane
  readonly difference: Plane
  readonly mask: MaskPlane
  /** Indices of the pixels of `scorr` that reach the threshold. */
  readonly loud: Int32Array
}

/**
 * Long thin trails of either sign: straight lines through many of the loud pixels (a Hough transform, lines.ts), of which
 * those stay that are lit along their length and narrow across it. A trail may be fainter than the threshold a pixel: a tenth
 * of its pixels suffices to propose it.
 */
export function findStreaks(input: StreakInput): Streak[] {
  return [1, -1].flatMap((sign) => streaksOf(input, sign)).slice(0, mostStreaks)
}

function streaksOf(input: StreakInput, sign: number): Streak[] {
  const points = thinned(input, sign)
  return linesThrough(points, input.scorr, (line) => {
    const trail = new Trail(input, sign, line)
    return trail.streaks().map((streak) => ({ found: streak, ...streak, reach: streak.markedPixels / 2 + cellPixels }))
  })
}

/** One loud pixel for each cell of 4 × 4, so that a bright spot does not outvote a trail; at most 6000 of them. */
function thinned({ scorr, mask, loud }: StreakInput, sign: number): Point[] {
  const { width, height } = scorr
  const columns = Math.ceil(width / cellPixels)
  const taken = new PixelSet(columns * Math.ceil(height / cellPixels))
  const points: Point[] = []
  for (const index of loud) {
    if (!(sign * scorr.data[index]! > 0) || (mask.data[index]! & unseen) !== 0) continue
    const y = Math.floor(index / width)
    const x = index - y * width
    const cell = Math.floor(y / cellPixels) * columns + Math.floor(x / cellPixels)
    if (taken.has(cell)) continue
    taken.add(cell)
    points.push({ x, y })
  }
  const step = Math.ceil(points.length / mostPoints)
  return step > 1 ? points.filter((_, k) => k % step === 0) : points
}

/** A line through the frame and what S_corr shows along it. */
class Trail {
  readonly #input: StreakInput
  readonly #sign: number
  #line: Line

  constructor(input: StreakInput, sign: number, line: Line) {
    this.#input = input
    this.#sign = sign
    this.#line = line
  }

  streaks(): Streak[] {
    // The proposal may be 4 px off at the ends of a long trail: it is moved onto the ridge, from the brightest part outwards.
    // Most proposals are a row of unrelated spots, and show no run after the first move.
    if (!this.#centre(6) || this.#runs(this.#lit()).length === 0) return []
    for (const reach of [6, 4]) if (!this.#centre(reach)) return []
    return this.#runs(this.#lit()).flatMap(([first, last]) => this.#measure(first, last) ?? [])
  }

  /** S_corr with the sign of the trail, NaN where nothing is known. */
  #value(along: number, across: number, plane = this.#input.scorr): number {
    const { x, y, cos, sin } = this.#line
    const u = Math.round(x + along * cos - across * sin)
    const v = Math.round(y + along * sin + across * cos)
    const { width, height } = plane
    if (u < 0 || v < 0 || u >= width || v >= height) return Number.NaN
    const index = v * width + u
    return (this.#input.mask.data[index]! & unseen) !== 0 ? Number.NaN : this.#sign * plane.data[index]!
  }

  /** For each block whether it is lit; undefined where it is outside the frame or masked. */
  #lit(): (boolean | undefined)[] {
    const { from, to } = this.#line
    return Array.from({ length: Math.max(0, Math.floor((to - from) / blockPixels)) }, (_, block) => {
      let [lit, known] = [0, 0]
      for (let k = 0; k < blockPixels; k++) {
        const along = from + block * blockPixels + k
        const value = this.#value(along, 0)
        if (Number.isNaN(value)) continue
        known++
        if (value > 1) lit++
      }
      return known < blockPixels / 2 ? undefined : lit >= litShare * known
    })
  }

  /** First and last block of each stretch that is lit nearly throughout. */
  #runs(lit: readonly (boolean | undefined)[]): (readonly [number, number])[] {
    const runs: (readonly [number, number])[] = []
    let [first, last, count, dark] = [-1, -1, 0, 0]
    const close = (): void => {
      if (count >= leastBlocks && count >= leastLit * (count + dark)) runs.push([first, last])
      ;[first, last, count, dark] = [-1, -1, 0, 0]
    }
    let pending = 0
    lit.forEach((on, block) => {
      if (on) {
        if (first < 0) first = block
        else dark += pending
        pending = 0
        last = block
        count++
        return
      }
      if (on === false) pending++
      if (first >= 0 && block - last > gapBlocks) close()
      if (first < 0) pending = 0
    })
    close()
    return runs
  }

  /** Moves the line onto the ridge of S_corr: centroids across it in each bright block. False when nothing is bright. */
  #centre(reach: number): boolean {
    const { from, to } = this.#line
    const ridge: Point[] = []
    for (let start = from; start + blockPixels <= to; start += blockPixels) {
      const sums = new Float64Array(2 * reach + 1)
      for (let k = 0; k < blockPixels; k += 2) {
        for (let o = -reach; o <= reach; o++) sums[o + reach]! += Math.min(60, this.#value(start + k, o) || 0)
      }
      const [at, height] = centroid(sums)
      if (height > blockPixels) ridge.push({ x: start + blockPixels / 2, y: at - reach })
    }
    if (ridge.length < leastBlocks) return false
    this.#line = lineThrough(this.#line, ridge, this.#input.scorr)
    return true
  }

  #measure(first: number, last: number): Streak | undefined {
    const { from, to, x, y, cos, sin } = this.#line
    const start = from + first * blockPixels
    // What is left beyond the last whole block belongs to a trail that runs out of the frame.
    const end = to - from < (last + 2) * blockPixels ? to : from + (last + 1) * blockPixels
    const profile = this.#profile(start, end, this.#input.scorr, 60)
    const half = halfWidth(profile)
    if (half === undefined) return undefined
    const flux = this.#profile(start, end, this.#input.difference, Number.POSITIVE_INFINITY)
    const widthPixels = fullWidth(flux)
    const lengthPixels = end - start
    if (lengthPixels < leastAspect * widthPixels) return undefined
    return {
      from: { x: x + start * cos, y: y + start * sin },
      to: { x: x + end * cos, y: y + end * sin },
      lengthPixels,
      widthPixels,
      markedPixels: 2 * half + 1,
      peakAdu: this.#sign * flux[reachPixels]!,
      peak: this.#sign * profile[reachPixels]!,
      loud: this.#quantile(start, end),
    }
  }

  /** Median across offsets −24 … 24 of up to 400 places along the trail; values are cut at `most`. */
  #profile(start: number, end: number, plane: Plane, most: number): Float64Array {
    const step = Math.max(1, (end - start) / 400)
    return Float64Array.from({ length: 2 * reachPixels + 1 }, (_, k) => {
      const values: number[] = []
      for (let t = start; t < end; t += step) {
        const value = this.#value(t, k - reachPixels, plane)
        if (!Number.isNaN(value)) values.push(value)
      }
      return Math.min(most, Float64Array.from(values).sort()[values.length >> 1] ?? 0)
    })
  }

  #quantile(start: number, end: number): number {
    const values: number[] = []
    for (let t = start; t < end; t++) {
      const value = this.#value(t, 0)
      if (!Number.isNaN(value)) values.push(value)
    }
    return Float64Array.from(values).sort()[Math.floor(0.9 * values.length)] ?? 0
  }
}

/** Place of the highest of the values to a part of one, and its height. */
function centroid(values: Float64Array): readonly [number, number] {
  let best = 0
  for (let k = 1; k < values.length; k++) if (values[k]! > values[best]!) best = k
  let [sum, weight] = [0, 0]
  for (let k = Math.max(0, best - 2); k <= Math.min(values.length - 1, best + 2); k++) {
    const value = Math.max(0, values[k]!)
    sum += value * k
    weight += value
  }
  return [weight > 0 ? sum / weight : best, values[best]!]
}

/** Pixels from the middle to where the profile has fallen to the noise, with one to spare; undefined when it does not fall. */
function halfWidth(profile: Float64Array): number | undefined {
  let [left, right] = [reachPixels, reachPixels]
  while (left >= 0 && profile[left]! > profileFloor) left--
  while (right < profile.length && profile[right]! > profileFloor) right++
  if (left < 0 || right >= profile.length || right - left < 2) return undefined
  return Math.max(reachPixels - left, right - reachPixels) + 1
}

/** Full width at half maximum about the middle, linear between pixels. */
function fullWidth(profile: Float64Array): number {
  const half = profile[reachPixels]! / 2
  const side = (step: number): number => {
    let k = reachPixels
    while (k + step >= 0 && k + step < profile.length && profile[k + step]! > half) k += step
    const [inside, outside] = [profile[k]!, profile[k + step] ?? 0]
    return Math.abs(k - reachPixels) + (inside > outside ? (inside - half) / (inside - outside) : 0)
  }
  return side(1) + side(-1)
}

/**
 * Sets the streak bit along the trails, half a block beyond their ends, and returns their pixels but for those that stand out
 * of the trail: what is more than twice as high as it is not explained by it.
 */
export function markStreaks(
  { scorr, mask }: Pick<StreakInput, 'scorr' | 'mask'>,
  streaks: readonly Streak[],
): PixelSet {
  const { width, height } = scorr
  const quiet = new PixelSet(width * height)
  for (const { from, to, lengthPixels, markedPixels, loud } of streaks) {
    const [cos, sin] = [(to.x - from.x) / lengthPixels, (to.y - from.y) / lengthPixels]
    const [reach, beyond] = [markedPixels / 2, blockPixels / 2]
    const bar = 2 * loud + 5
    // Steps of half a pixel both ways leave no pixel out.
    for (let along = -beyond; along <= lengthPixels + beyond; along += 0.5) {
      for (let across = -reach; across <= reach; across += 0.5) {
        const u = Math.round(from.x + along * cos - across * sin)
        const v = Math.round(from.y + along * sin + across * cos)
        if (u < 0 || v < 0 || u >= width || v >= height) continue
        const index = v * width + u
        mask.data[index]! |= MaskFlag.streak
        if (Math.abs(scorr.data[index]!) < bar) quiet.add(index)
      }
    }
  }
  return quiet
}

/** Distance in pixels from a place to the middle of the nearest trail, at most `limit`. */
export function distanceToStreaks(
  streaks: readonly Streak[],
  place: { readonly x: number; readonly y: number },
  limit: number,
): number {
  let nearest = limit
  for (const { from, to, lengthPixels } of streaks) {
    const [cos, sin] = [(to.x - from.x) / lengthPixels, (to.y - from.y) / lengthPixels]
    const [dx, dy] = [place.x - from.x, place.y - from.y]
    const along = Math.max(0, Math.min(lengthPixels, dx * cos + dy * sin))
    nearest = Math.min(nearest, Math.hypot(dx - along * cos, dy - along * sin))
  }
  return nearest
}
