import { ownScratch } from './thread'

// Photometry in circles: each row of a table is one star. See preprocessing/aperture.ts.

// One star: f64 words. 0 x, 1 y (pixel centres at whole numbers), then what is measured: 2 sky, 3 its standard deviation, 4
// pixels of sky (0: too few), 5 peak, 6 mask bits, 7… fluxes, one for each radius (NaN where the circle leaves the frame).
const skyWord: usize = 16
const rmsWord: usize = 24
const countWord: usize = 32
const peakWord: usize = 40
const bitsWord: usize = 48
const fluxWord: usize = 56

const quarterPi: f64 = 0.7853981633974483
const clipSigma: f64 = 3
const clipRounds: i32 = 5
const leastSky: i32 = 8
/** A frame of whole numbers can have a median absolute deviation of zero: the step of the converter is the floor, ADU. */
const leastSpread: f64 = 0.3
/** Four histograms of 256 counts. */
const histogramBytes: usize = 4096

// The frame and the rules of a call; globals are private to a thread.
let science: usize = 0
let mask: usize = 0
let width: i32 = 0
let height: i32 = 0
let lostBits: i32 = 0
let darkBits: i32 = 0

/**
 * Stars of `table`: sky in a ring, then the light in `radiusCount` circles (`radii`, f64, the largest last). `lost` are mask
 * bits of pixels that take the value of their mirror image, `notSky` of those that the ring leaves out. Scratch for each
 * thread: `scratchBytes` = 4096 + 8 for each pixel of the ring's square + 24 for each column of the largest circle's square.
 */
export function measureApertureRows(
  starFrom: i32, starTo: i32, table: usize, starBytes: i32, sciencePlane: usize, maskPlane: usize, columns: i32, rows: i32,
  lost: i32, notSky: i32, radii: usize, radiusCount: i32, inner: f64, outer: f64, scratches: usize, scratchBytes: usize,
): void {
  science = sciencePlane
  mask = maskPlane
  width = columns
  height = rows
  lostBits = lost
  darkBits = notSky
  const scratch = ownScratch(scratches, scratchBytes)
  const ringPixels = ringCapacity(outer)
  const list = scratch + histogramBytes
  const corners = list + (<usize>ringPixels << 3)
  for (let s = starFrom; s < starTo; s++) {
    const star = table + <usize>s * <usize>starBytes
    const cx = load<f64>(star)
    const cy = load<f64>(star, 8)
    const count = gatherRing(cx, cy, inner, outer, list)
    const sorted = sortFloats(list, list + (<usize>ringPixels << 2), count, scratch)
    clippedSky(star, sorted, count)
    const sky = load<f64>(star, skyWord)
    store<f64>(star, Number.NEGATIVE_INFINITY, peakWord)
    store<f64>(star, 0, bitsWord)
    for (let k = 0; k < radiusCount; k++) {
      const radius = load<f64>(radii + (<usize>k << 3))
      store<f64>(star + (<usize>k << 3), circle(star, cx, cy, radius, sky, corners, k == radiusCount - 1), fluxWord)
    }
  }
}

function ringCapacity(outer: f64): i32 {
  const across = 2 * <i32>Math.ceil(outer) + 2
  return across * across
}

/** Pixels with centres in the ring that may count as sky, as f32, one after the other; how many. */
function gatherRing(cx: f64, cy: f64, inner: f64, outer: f64, list: usize): i32 {
  let at = list
  const y1 = min(height - 1, <i32>Math.floor(cy + outer))
  for (let y = max(0, <i32>Math.ceil(cy - outer)); y <= y1; y++) {
    const dy = <f64>y - cy
    const reach = Math.sqrt(Math.max(0, outer * outer - dy * dy))
    const x0 = max(0, <i32>Math.ceil(cx - reach))
    const x1 = min(width - 1, <i32>Math.floor(cx + reach))
    if (Math.abs(dy) >= inner) {
      at = gatherRow(y, x0, x1 + 1, at)
      continue
    }
    // Pixels on the inner circle count, those within it do not.
    const hole = Math.sqrt(inner * inner - dy * dy)
    const holeFrom = <i32>Math.floor(cx - hole) + 1
    const holeTo = max(holeFrom, <i32>Math.ceil(cx + hole))
    at = gatherRow(y, x0, min(x1 + 1, holeFrom), at)
    at = gatherRow(y, max(x0, holeTo), x1 + 1, at)
  }
  return <i32>((at - list) >> 2)
}

/** Appends the usable pixels [from, to) of row y. */
function gatherRow(y: i32, from: i32, to: i32, at: usize): usize {
  if (from >= to) return at
  const first = <usize>y * <usize>width
  let p = science + ((first + <usize>from) << 2)
  if (mask == 0) {
    for (const end = p + (<usize>(to - from) << 2); p < end; p += 4) {
      const v = load<f32>(p)
      store<f32>(at, v)
      at += v == v ? 4 : 0
    }
    return at
  }
  let m = mask + ((first + <usize>from) << 1)
  for (const end = p + (<usize>(to - from) << 2); p < end; p += 4, m += 2) {
    const v = load<f32>(p)
    store<f32>(at, v)
    at += v == v && (<i32>load<u16>(m) & darkBits) == 0 ? 4 : 0
  }
  return at
}

/** Sorts `count` f32 (no NaN) by radix; where the sorted ones are: `list` or `other`. */
function sortFloats(list: usize, other: usize, count: i32, histograms: usize): usize {
  memory.fill(histograms, 0, histogramBytes)
  const end = list + (<usize>count << 2)
  for (let p = list; p < end; p += 4) {
    // Negative numbers turn over, positive ones go above them: the bits then sort as the values.
    const bits = load<u32>(p)
    const key = bits ^ ((<u32>(<i32>bits >> 31)) | 0x80000000)
    store<u32>(p, key)
    countDigit(histograms, key & 255)
    countDigit(histograms + 1024, (key >> 8) & 255)
    countDigit(histograms + 2048, (key >> 16) & 255)
    countDigit(histograms + 3072, key >> 24)
  }
  let from = list
  let to = other
  for (let digit: u32 = 0; digit < 4; digit++) {
    const starts = histograms + (<usize>digit << 10)
    const shift = digit << 3
    // All numbers share this digit.
    if (load<u32>(starts + (<usize>((load<u32>(from) >> shift) & 255) << 2)) == <u32>count) continue
    let sum: u32 = 0
    for (let b = starts; b < starts + 1024; b += 4) {
      const n = load<u32>(b)
      store<u32>(b, sum)
      sum += n
    }
    const last = from + (<usize>count << 2)
    for (let p = from; p < last; p += 4) {
      const key = load<u32>(p)
      const slot = starts + (<usize>((key >> shift) & 255) << 2)
      const place = load<u32>(slot)
      store<u32>(slot, place + 1)
      store<u32>(to + (<usize>place << 2), key)
    }
    const swap = from
    from = to
    to = swap
  }
  const stop = from + (<usize>count << 2)
  for (let p = from; p < stop; p += 4) {
    const key = load<u32>(p)
    store<u32>(p, key ^ ((<u32>(<i32>~key >> 31)) | 0x80000000))
  }
  return from
}

// @ts-ignore: decorator
@inline
function countDigit(histogram: usize, digit: u32): void {
  const at = histogram + (<usize>digit << 2)
  store<u32>(at, load<u32>(at) + 1)
}

// @ts-ignore: decorator
@inline
function at(sorted: usize, i: i32): f64 {
  return <f64>load<f32>(sorted + (<usize>i << 2))
}

/** Mean and standard deviation within 3 σ of the median, σ from the median absolute deviation, until nothing is left out. */
function clippedSky(star: usize, sorted: usize, count: i32): void {
  let from = 0
  let to = count
  for (let round = 0; round < clipRounds; round++) {
    if (to - from < leastSky) break
    const half = (from + to) >> 1
    const odd = ((to - from) & 1) == 1
    const centre = odd ? at(sorted, half) : (at(sorted, half - 1) + at(sorted, half)) / 2
    const rank = (to - from) >> 1
    const upper = deviation(sorted, from, to, centre, rank)
    const middle = odd ? upper : (deviation(sorted, from, to, centre, rank - 1) + upper) / 2
    const limit = clipSigma * Math.max(leastSpread, 1.4826 * middle)
    let nextFrom = from
    while (nextFrom < to && centre - at(sorted, nextFrom) > limit) nextFrom++
    let nextTo = to
    while (nextTo > nextFrom && at(sorted, nextTo - 1) - centre > limit) nextTo--
    if (nextFrom == from && nextTo == to) break
    from = nextFrom
    to = nextTo
  }
  const n = to - from
  if (n < leastSky) {
    store<f64>(star, 0, skyWord)
    store<f64>(star, 0, rmsWord)
    store<f64>(star, 0, countWord)
    return
  }
  // About the middle one, so that one pass is precise enough; two sums at a time.
  const origin = at(sorted, (from + to) >> 1)
  const origins = f64x2.splat(origin)
  let sums = f64x2.splat(0)
  let squares = f64x2.splat(0)
  let i = from
  for (; i + 2 <= to; i += 2) {
    const away = f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(sorted + (<usize>i << 2))), origins)
    sums = f64x2.add(sums, away)
    squares = f64x2.add(squares, f64x2.mul(away, away))
  }
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)
  let square = f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1)
  if (i < to) {
    const away = at(sorted, i) - origin
    sum += away
    square += away * away
  }
  const offset = sum / <f64>n
  store<f64>(star, origin + offset, skyWord)
  store<f64>(star, Math.sqrt(Math.max(0, square - sum * offset) / <f64>(n - 1)), rmsWord)
  store<f64>(star, <f64>n, countWord)
}

/** The distance from `centre` of the number that is `rank` places from the nearest to it: those nearer lie side by side. */
function deviation(sorted: usize, from: i32, to: i32, centre: f64, rank: i32): f64 {
  let low = from
  let high = to - 1 - rank
  while (low < high) {
    const middle = (low + high) >> 1
    if (centre - at(sorted, middle) <= at(sorted, middle + rank + 1) - centre) high = middle
    else low = middle + 1
  }
  return Math.max(Math.abs(centre - at(sorted, low)), Math.abs(at(sorted, low + rank) - centre))
}

/**
 * Light above `sky` in a circle: the area that it shares with each pixel is the difference of the areas up to the pixel's four
 * corners, of which neighbours share theirs.
 */
function circle(star: usize, cx: f64, cy: f64, radius: f64, sky: f64, corners: usize, largest: bool): f64 {
  const leaves =
    cx - radius < -0.5 || cy - radius < -0.5 || cx + radius > <f64>width - 0.5 || cy + radius > <f64>height - 0.5
  if (leaves && !largest) return NaN
  const x0 = <i32>Math.floor(cx - radius + 0.5)
  const y0 = <i32>Math.floor(cy - radius + 0.5)
  const x1 = <i32>Math.floor(cx + radius + 0.5) + 1
  const y1 = <i32>Math.floor(cy + radius + 0.5) + 1
  const edges = x1 - x0 + 1
  // Of each column's left edge: its distance from the centre within the circle, the area under the arc, the area above.
  const arcs = corners + (<usize>edges << 3)
  const above = arcs + (<usize>edges << 3)
  for (let i = 0; i < edges; i++) {
    const u = Math.max(-radius, Math.min(radius, <f64>(x0 + i) - 0.5 - cx))
    store<f64>(corners + (<usize>i << 3), u)
    store<f64>(arcs + (<usize>i << 3), underArc(u, radius))
  }
  cornerRow(<f64>y0 - 0.5 - cy, radius, edges, corners, arcs, above)
  let sum: f64 = 0
  let peak = load<f64>(star, peakWord)
  let bits = 0
  for (let y = y0; y < y1; y++) {
    const v = Math.max(-radius, Math.min(radius, <f64>y + 0.5 - cy))
    const a = Math.sqrt(Math.max(0, radius * radius - v * v))
    const arc = underArc(a, radius)
    let leftAbove = load<f64>(above)
    let left = corner(load<f64>(corners), v, a, arc, load<f64>(arcs))
    store<f64>(above, left)
    for (let i = 1; i < edges; i++) {
      const slot = above + (<usize>i << 3)
      const rightAbove = load<f64>(slot)
      const right = corner(load<f64>(corners + (<usize>i << 3)), v, a, arc, load<f64>(arcs + (<usize>i << 3)))
      store<f64>(slot, right)
      const share = right - left - rightAbove + leftAbove
      left = right
      leftAbove = rightAbove
      const x = x0 + i - 1
      if (share <= 1e-12 || x < 0 || y < 0 || x >= width || y >= height) continue
      const value = pixelOrMirror(x, y, cx, cy, sky)
      sum += share * (value - sky)
      if (largest) {
        peak = Math.max(peak, value)
        if (mask != 0) bits |= <i32>load<u16>(mask + ((<usize>y * <usize>width + <usize>x) << 1))
      }
    }
  }
  if (largest) {
    store<f64>(star, peak, peakWord)
    store<f64>(star, <f64>bits, bitsWord)
  }
  return leaves ? NaN : sum
}

/** Areas up to the corners of one line between rows. */
function cornerRow(v: f64, radius: f64, edges: i32, corners: usize, arcs: usize, into: usize): void {
  const within = Math.max(-radius, Math.min(radius, v))
  const a = Math.sqrt(Math.max(0, radius * radius - within * within))
  const arc = underArc(a, radius)
  for (let i = 0; i < edges; i++) {
    const at = <usize>i << 3
    store<f64>(into + at, corner(load<f64>(corners + at), within, a, arc, load<f64>(arcs + at)))
  }
}

/**
 * Signed area of the circle's part between the axes and the corner (u, v), odd in both. `a`: where the arc meets the line v;
 * `arcA` and `arcU`: the areas under the arc up to a and u.
 */
// @ts-ignore: decorator
@inline
function corner(u: f64, v: f64, a: f64, arcA: f64, arcU: f64): f64 {
  const x = Math.abs(u)
  if (x <= a) return u * v
  const area = a * Math.abs(v) + Math.abs(arcU) - arcA
  return (u < 0) != (v < 0) ? -area : area
}

/** ∫₀ˣ √(r² − t²) dt, |x| ≤ r. */
function underArc(x: f64, radius: f64): f64 {
  if (Math.abs(x) >= radius) return (x < 0 ? -1 : 1) * quarterPi * radius * radius
  return 0.5 * (x * Math.sqrt(radius * radius - x * x) + radius * radius * Math.asin(x / radius))
}

/** An unusable pixel takes the value opposite to it across the star; the sky where that is no better. */
// @ts-ignore: decorator
@inline
function pixelOrMirror(x: i32, y: i32, cx: f64, cy: f64, sky: f64): f64 {
  const i = <usize>y * <usize>width + <usize>x
  const v = <f64>load<f32>(science + (i << 2))
  if (v == v && (mask == 0 || (<i32>load<u16>(mask + (i << 1)) & lostBits) == 0)) return v
  return mirror(<i32>Math.floor(2 * cx - <f64>x + 0.5), <i32>Math.floor(2 * cy - <f64>y + 0.5), sky)
}

function mirror(x: i32, y: i32, sky: f64): f64 {
  if (x < 0 || y < 0 || x >= width || y >= height) return sky
  const i = <usize>y * <usize>width + <usize>x
  const v = <f64>load<f32>(science + (i << 2))
  return v == v && (mask == 0 || (<i32>load<u16>(mask + (i << 1)) & lostBits) == 0) ? v : sky
}
