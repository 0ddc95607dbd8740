import { meshRow, splineRow } from './mesh'
import { orderStatistic } from './order'
import { ownScratch } from './thread'

// The background mesh (Bertin & Arnouts 1996, section 7) and the surfaces through it.

const histogramBins: i32 = 4096
/** Histogram reach in clipped standard deviations either side of the clipped mean. */
const reachSigma: f64 = 5
const clipSigma: f64 = 3
/** What is larger is infinite. */
const greatest: f32 = 3.4e38

// @ts-ignore: decorator
@inline
function sumLanes(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1)
}

// @ts-ignore: decorator
@inline
/** Four f32 as two f64: lanes 0 + 2, 1 + 3. */
function halved(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)))
}

/** Copies the good pixels of one cell to `out`; returns how many. `mask` 0: none. */
function gather(
  science: usize, mask: usize, maskBits: i32, width: i32, x0: i32, x1: i32, y0: i32, y1: i32, out: usize,
): i32 {
  const bits = i16x8.splat(<i16>maskBits)
  const limit = f32x4.splat(greatest)
  let count: i32 = 0
  for (let y = y0; y < y1; y++) {
    const row = science + ((<usize>y * <usize>width) << 2)
    const maskRow = mask + ((<usize>y * <usize>width) << 1)
    let x = x0
    for (; x + 8 <= x1; x += 8) {
      const one = v128.load(row + ((<usize>x) << 2))
      const other = v128.load(row + ((<usize>x) << 2), 16)
      const numbers = i32x4.bitmask(v128.and(f32x4.le(f32x4.abs(one), limit), f32x4.le(f32x4.abs(other), limit))) == 15
      if (numbers && (mask == 0 || !v128.any_true(v128.and(v128.load(maskRow + ((<usize>x) << 1)), bits)))) {
        const to = out + ((<usize>count) << 2)
        v128.store(to, one)
        v128.store(to, other, 16)
        count += 8
      } else count = gatherOneByOne(row, maskRow, mask != 0 ? maskBits : 0, x, x + 8, out, count)
    }
    count = gatherOneByOne(row, maskRow, mask != 0 ? maskBits : 0, x, x1, out, count)
  }
  return count
}

/** Pixels [x0, x1) of a row, to place `count` on; returns the place after them. The mask is not looked at without `maskBits`. */
function gatherOneByOne(row: usize, maskRow: usize, maskBits: i32, x0: i32, x1: i32, out: usize, count: i32): i32 {
  for (let x = x0; x < x1; x++) {
    const value = load<f32>(row + ((<usize>x) << 2))
    if (!(abs<f32>(value) <= greatest)) continue
    if (maskBits != 0 && (<i32>load<u16>(maskRow + ((<usize>x) << 1)) & maskBits) != 0) continue
    store<f32>(out + ((<usize>count) << 2), value)
    count++
  }
  return count
}

// Of the values within limits, left by `sumWithin`.
let within: i32 = 0
let withinMean: f64 = 0
let withinSigma: f64 = 0

/**
 * Mean and deviation of the values from `lower` to `upper`. Differences from `pivot`, which lies among them, keep squares
 * small: sums of 64 are f32, sums of those f64.
 */
function sumWithin(values: usize, count: i32, pivot: f32, lower: f32, upper: f32): void {
  let sum = f64x2.splat(0)
  let squares = f64x2.splat(0)
  let kept = i32x4.splat(0)
  const pivot4 = f32x4.splat(pivot)
  const lower4 = f32x4.splat(lower)
  const upper4 = f32x4.splat(upper)
  const end = values + ((<usize>(count & ~7)) << 2)
  let at = values
  while (at < end) {
    const stop = min(end, at + 256)
    let sum4 = f32x4.splat(0)
    let squares4 = sum4
    for (; at < stop; at += 32) {
      const one = v128.load(at)
      const other = v128.load(at, 16)
      const oneIn = v128.and(f32x4.ge(one, lower4), f32x4.le(one, upper4))
      const otherIn = v128.and(f32x4.ge(other, lower4), f32x4.le(other, upper4))
      const v = v128.and(f32x4.sub(one, pivot4), oneIn)
      const w = v128.and(f32x4.sub(other, pivot4), otherIn)
      kept = i32x4.sub(kept, i32x4.add(oneIn, otherIn))
      sum4 = f32x4.add(sum4, f32x4.add(v, w))
      squares4 = f32x4.add(squares4, f32x4.add(f32x4.mul(v, v), f32x4.mul(w, w)))
    }
    sum = f64x2.add(sum, halved(sum4))
    squares = f64x2.add(squares, halved(squares4))
  }
  let total = sumLanes(sum)
  let totalSquares = sumLanes(squares)
  let n = i32x4.extract_lane(kept, 0) + i32x4.extract_lane(kept, 1) + i32x4.extract_lane(kept, 2) + i32x4.extract_lane(kept, 3)
  // Squares of numbers above 1e19 are no f32.
  if (!(totalSquares <= 1e38)) {
    at = values
    total = totalSquares = 0
    n = 0
  }
  for (; at < values + ((<usize>count) << 2); at += 4) {
    const raw = load<f32>(at)
    if (raw < lower || raw > upper) continue
    const v = <f64>raw - <f64>pivot
    total += v
    totalSquares += v * v
    n++
  }
  const mean = total / <f64>n
  within = n
  withinMean = <f64>pivot + mean
  withinSigma = Math.sqrt(Math.max(0, totalSquares / <f64>n - mean * mean))
}

/**
 * Mode and standard deviation of one cell from its `count` values: mean and deviation of all, again within 2 of those
 * deviations, then a histogram whose 3-sigma clipping about the median is iterated. Writes (level, rms) as two f32.
 */
function cellStatistics(values: usize, count: i32, scratch: usize, out: usize): void {
  sumWithin(values, count, load<f32>(values), f32.NEGATIVE_INFINITY, f32.POSITIVE_INFINITY)
  const mean = withinMean
  const sigma = withinSigma
  sumWithin(values, count, <f32>mean, <f32>(mean - 2 * sigma), <f32>(mean + 2 * sigma))
  if (!(withinSigma > 0)) {
    store<f32>(out, <f32>(within > 0 ? withinMean : mean))
    store<f32>(out, 0, 4)
    return
  }
  histogramMode(values, count, withinMean, withinSigma, min(histogramBins, <i32>(0.9973557 * <f64>within + 1)), scratch, out)
}

/** Counts `values` into `bins` bins of i32; what is beyond them goes to the one before the first or after the last. */
function fillHistogram(values: usize, count: i32, zero: f32, perBin: f32, bins: i32, histogram: usize): void {
  memory.fill(histogram - 4, 0, (<usize>bins + 8) << 2)
  const inverse = f32x4.splat(perBin)
  const offset = f32x4.splat(zero)
  const half = f32x4.splat(0.5)
  const before = f32x4.splat(-1)
  const beyond = f32x4.splat(<f32>bins)
  // A whole number from −1 on plus this has the number, less −1, in its last bits.
  const whole = f32x4.splat(8388609)
  const bits = i32x4.splat(0x7fffff)
  const base = i32x4.splat(<i32>(histogram - 4))
  const end = values + ((<usize>(count & ~3)) << 2)
  let at = values
  for (; at < end; at += 16) {
    const v = f32x4.mul(f32x4.sub(v128.load(at), offset), inverse)
    const bin = f32x4.pmin(beyond, f32x4.pmax(before, f32x4.floor(f32x4.add(v, half))))
    const place = i32x4.add(base, i32x4.shl(v128.and(f32x4.add(bin, whole), bits), 2))
    const p0 = <usize>i32x4.extract_lane(place, 0)
    const p1 = <usize>i32x4.extract_lane(place, 1)
    const p2 = <usize>i32x4.extract_lane(place, 2)
    const p3 = <usize>i32x4.extract_lane(place, 3)
    store<i32>(p0, load<i32>(p0) + 1)
    store<i32>(p1, load<i32>(p1) + 1)
    store<i32>(p2, load<i32>(p2) + 1)
    store<i32>(p3, load<i32>(p3) + 1)
  }
  for (; at < values + ((<usize>count) << 2); at += 4) {
    const v = (load<f32>(at) - zero) * perBin
    const place = histogram + ((<usize><i32>min(<f32>bins, max(<f32>-1, floor<f32>(v + 0.5)))) << 2)
    store<i32>(place, load<i32>(place) + 1)
  }
  memory.fill(histogram + ((<usize>bins) << 2), 0, 16)
}

// Bins [windowFrom, windowTo) of a histogram: n, Σ n·i and Σ n·i², whole numbers below 2^53; how many values lie before the
// window, and before a bin that moves to the median.
let windowFrom: i32 = 0
let windowTo: i32 = 0
let windowCount: f64 = 0
let windowFirst: f64 = 0
let windowSecond: f64 = 0
let countBefore: f64 = 0
let medianBin: i32 = 0
let countAtMedian: f64 = 0

// Of some bins, left by `sumBins`.
let binCount: i32 = 0
let binFirst: f64 = 0
let binSecond: f64 = 0

/** n, Σ n·i and Σ n·i² of bins [from, to). */
function sumBins(histogram: usize, from: i32, to: i32): void {
  let counts = i32x4.splat(0)
  let first = i32x4.splat(0)
  let second = i64x2.splat(0)
  let places = i32x4.add(i32x4.splat(from), i32x4(0, 1, 2, 3))
  const four = i32x4.splat(4)
  const stop = to > from ? from + ((to - from) & ~3) : from
  const end = histogram + ((<usize>stop) << 2)
  for (let at = histogram + ((<usize>from) << 2); at < end; at += 16) {
    const n = v128.load(at)
    const product = i32x4.mul(n, places)
    counts = i32x4.add(counts, n)
    first = i32x4.add(first, product)
    second = i64x2.add(second, i64x2.add(i64x2.extmul_low_i32x4_s(product, places), i64x2.extmul_high_i32x4_s(product, places)))
    places = i32x4.add(places, four)
  }
  binCount = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1) + i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3)
  binFirst = <f64>i32x4.extract_lane(first, 0) + <f64>i32x4.extract_lane(first, 1) + <f64>i32x4.extract_lane(first, 2) + <f64>i32x4.extract_lane(first, 3)
  binSecond = <f64>i64x2.extract_lane(second, 0) + <f64>i64x2.extract_lane(second, 1)
  for (let b = stop; b < to; b++) {
    const n = load<i32>(histogram + ((<usize>b) << 2))
    binCount += n
    binFirst += <f64>n * <f64>b
    binSecond += <f64>n * <f64>b * <f64>b
  }
}

/** All bins; the median is sought from the 64 that it lies in on. */
function openWindow(histogram: usize, bins: i32): void {
  windowFrom = 0
  windowTo = bins
  windowCount = windowFirst = windowSecond = countBefore = 0
  for (let from = 0; from < bins; from += 64) {
    sumBins(histogram, from, min(bins, from + 64))
    windowCount += <f64>binCount
    windowFirst += binFirst
    windowSecond += binSecond
  }
  let middle = 0
  let before: f64 = 0
  for (; middle + 64 < bins; middle += 64) {
    sumBins(histogram, middle, middle + 64)
    if (2 * (before + <f64>binCount) >= windowCount) break
    before += <f64>binCount
  }
  medianBin = middle
  countAtMedian = before
}

/** Adds bins [from, to) to the window's sums `sign` times. */
function weigh(histogram: usize, from: i32, to: i32, sign: f64): void {
  if (from >= to) return
  sumBins(histogram, from, to)
  windowCount += sign * <f64>binCount
  windowFirst += sign * binFirst
  windowSecond += sign * binSecond
}

/** The window becomes bins [from, to). */
function moveWindow(histogram: usize, from: i32, to: i32): void {
  if (from > windowFrom) {
    sumBins(histogram, windowFrom, from)
    countBefore += <f64>binCount
  } else {
    sumBins(histogram, from, windowFrom)
    countBefore -= <f64>binCount
  }
  weigh(histogram, windowFrom, min(from, windowTo), -1)
  weigh(histogram, from, min(to, windowFrom), 1)
  weigh(histogram, max(to, windowFrom), windowTo, -1)
  weigh(histogram, max(from, windowTo), to, 1)
  windowFrom = from
  windowTo = to
}

/** Where half of the window's values lie before, in bins, 0 = the centre of the first. */
function windowMedian(histogram: usize): f64 {
  const target = countBefore + windowCount / 2
  let bin = medianBin
  let before = countAtMedian
  while (bin > windowFrom && before >= target) before -= <f64>load<i32>(histogram + ((<usize>--bin) << 2))
  let inside = <f64>load<i32>(histogram + ((<usize>bin) << 2))
  while (bin + 1 < windowTo && before + inside < target) {
    before += inside
    inside = <f64>load<i32>(histogram + ((<usize>++bin) << 2))
  }
  medianBin = bin
  countAtMedian = before
  return <f64>bin - 0.5 + (inside > 0 ? (target - before) / inside : 0.5)
}

/** The last part of `cellStatistics`: clips a histogram about its median until its deviation stays. */
function histogramMode(values: usize, count: i32, mean: f64, sigma: f64, bins: i32, scratch: usize, out: usize): void {
  const scale = (2 * reachSigma * sigma) / <f64>bins
  const zero = mean - reachSigma * sigma
  const histogram = scratch + 16
  fillHistogram(values, count, <f32>zero, <f32>(1 / scale), bins, histogram)
  openWindow(histogram, bins)
  let deviation: f64 = 10 * <f64>bins
  let previous: f64 = 1
  let average: f64 = 0
  let median: f64 = 0
  for (let i = 0; i < 100 && deviation >= 0.1 && Math.abs(deviation / previous - 1) > 1e-4; i++) {
    previous = deviation
    const n = windowCount
    if (n <= 0) break
    average = windowFirst / n
    deviation = Math.sqrt(Math.max(0, windowSecond / n - average * average))
    median = windowMedian(histogram)
    const from = max(0, <i32>Math.floor(median - clipSigma * deviation + 0.5))
    const to = min(bins, <i32>Math.floor(median + clipSigma * deviation + 0.5) + 1)
    moveWindow(histogram, from, to)
  }
  let mode = median
  // Crowding switch: a skewed histogram means many stars, where the median is the better guess.
  if (deviation > 0 && Math.abs(average - median) < 0.3 * deviation) mode = 2.5 * median - 1.5 * average
  store<f32>(out, <f32>(zero + mode * scale))
  store<f32>(out, <f32>(deviation * scale), 4)
}

/**
 * Rows are rows of the mesh. `out`: two f32 for each cell, level and rms; NaN where less than `goodShare` of it is good.
 * Scratch of each thread: the values of one cell (4 bytes each), then 16512 bytes.
 */
export function meshStatistics(
  rowFrom: i32, rowTo: i32, science: usize, mask: usize, maskBits: i32, width: i32, height: i32, meshPixels: i32,
  columns: i32, goodShare: f64, out: usize, scratch: usize, scratchBytes: usize,
): void {
  const values = ownScratch(scratch, scratchBytes)
  const histogram = (values + <usize>(meshPixels * meshPixels * 4) + 15) & ~(<usize>15)
  for (let row = rowFrom; row < rowTo; row++) {
    const y0 = row * meshPixels
    const y1 = min(height, y0 + meshPixels)
    for (let column = 0; column < columns; column++) {
      const x0 = column * meshPixels
      const x1 = min(width, x0 + meshPixels)
      const cell = out + ((<usize>row * <usize>columns + <usize>column) << 3)
      const count = gather(science, mask, maskBits, width, x0, x1, y0, y1, values)
      if (count < 1 || <f64>count < goodShare * <f64>((x1 - x0) * (y1 - y0))) {
        store<f32>(cell, f32.NaN)
        store<f32>(cell, f32.NaN, 4)
      } else cellStatistics(values, count, histogram, cell)
    }
  }
}

/** out = source − spline, or the spline itself with `source` 0. */
export function subtractSpline(
  rowFrom: i32, rowTo: i32, source: usize, spline: usize, columns: i32, rows: i32, cellPixels: i32, out: usize, width: i32,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const at = (<usize>y * <usize>width) << 2
    splineRow(source == 0 ? 0 : source + at, spline, columns, rows, cellPixels, y, 0, width, out + at)
  }
}

/** Draws a mesh out to a plane. */
export function paintMesh(
  rowFrom: i32, rowTo: i32, mesh: usize, columns: i32, rows: i32, cellPixels: i32, out: usize, width: i32,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    meshRow(mesh, columns, rows, cellPixels, y, 0, width, out + ((<usize>y * <usize>width) << 2))
  }
}

/**
 * Means (of nine, times nine) and sizes of the second differences of pixels [x0, x1) of the row that begins at pixel `row`,
 * from place `n` of both arrays on; returns the place after the last.
 */
function differences(
  science: usize, mask: usize, maskBits: i32, row: usize, x0: i32, x1: i32, far: usize, stride: usize, means: usize,
  sizes: usize, n: i32,
): i32 {
  const bits = i16x8.splat(<i16>maskBits)
  const limit = f32x4.splat(3.4e38)
  let x = x0
  for (; x + 4 <= x1; x += 4) {
    const p = science + ((row + <usize>x) << 2)
    const middle = v128.load(p)
    const across = f32x4.add(v128.load(p - far), v128.load(p + far))
    const sides = f32x4.add(f32x4.add(across, v128.load(p - stride)), v128.load(p + stride))
    const above = f32x4.add(v128.load(p - stride - far), v128.load(p - stride + far))
    const corners = f32x4.add(f32x4.add(above, v128.load(p + stride - far)), v128.load(p + stride + far))
    const four = f32x4.mul(middle, f32x4.splat(4))
    const sum = f32x4.add(f32x4.sub(four, f32x4.mul(sides, f32x4.splat(2))), corners)
    const size = f32x4.div(f32x4.abs(sum), f32x4.splat(6))
    const mean = f32x4.add(f32x4.add(middle, sides), corners)
    v128.store(means + ((<usize>n) << 2), mean)
    v128.store(sizes + ((<usize>n) << 2), size)
    let good = f32x4.le(size, limit)
    if (mask != 0) {
      const spoilt = v128.and(v128.load64_zero(mask + ((row + <usize>x) << 1)), bits)
      good = v128.and(good, i32x4.eq(i32x4.extend_low_i16x8_u(spoilt), i32x4.splat(0)))
    }
    const lanes = i32x4.bitmask(good)
    n = lanes == 15 ? n + 4 : packed(means, sizes, n, lanes)
  }
  for (; x < x1; x++) {
    const i = row + <usize>x
    if (mask != 0 && (<i32>load<u16>(mask + (i << 1)) & maskBits) != 0) continue
    const p = science + (i << 2)
    const middle = load<f32>(p)
    const sides = load<f32>(p - far) + load<f32>(p + far) + load<f32>(p - stride) + load<f32>(p + stride)
    const corners = load<f32>(p - stride - far) + load<f32>(p - stride + far) + load<f32>(p + stride - far) + load<f32>(p + stride + far)
    const difference = abs<f32>(4 * middle - 2 * sides + corners) / 6
    if (!(difference <= 3.4e38)) continue
    store<f32>(means + ((<usize>n) << 2), middle + sides + corners)
    store<f32>(sizes + ((<usize>n) << 2), difference)
    n++
  }
  return n
}

/** Keeps those of the four last numbers of both arrays whose lanes are set; returns the place after them. */
function packed(means: usize, sizes: usize, n: i32, lanes: i32): i32 {
  let kept = n
  for (let k = 0; k < 4; k++) {
    if (((lanes >> k) & 1) == 0) continue
    store<f32>(means + ((<usize>kept) << 2), load<f32>(means + ((<usize>(n + k)) << 2)))
    store<f32>(sizes + ((<usize>kept) << 2), load<f32>(sizes + ((<usize>(n + k)) << 2)))
    kept++
  }
  return kept
}

/**
 * Noise of each cell: 1.4826 × the median size of second differences along x and y of pixels `lag` apart (Immerkær 1996,
 * CVIU 64, 300: planes cancel) over the half of the pixels where the mean of those nine is lowest, which is independent of the
 * difference. Every `rowStep`-th row is looked at. `out`: one f32 for each cell, NaN with fewer than 32 pixels. Scratch: 8
 * bytes for each pixel of a cell and thread.
 */
export function meshNoise(
  rowFrom: i32, rowTo: i32, science: usize, mask: usize, maskBits: i32, width: i32, height: i32, meshPixels: i32,
  columns: i32, lag: i32, rowStep: i32, out: usize, scratch: usize, scratchBytes: usize,
): void {
  const means = ownScratch(scratch, scratchBytes)
  const sizes = means + (scratchBytes >> 1)
  const stride = (<usize>(width * lag)) << 2
  const far = (<usize>lag) << 2
  for (let row = rowFrom; row < rowTo; row++) {
    for (let column = 0; column < columns; column++) {
      let n = 0
      const x0 = max(lag, column * meshPixels)
      const x1 = min(width - lag, (column + 1) * meshPixels)
      for (let y = max(lag, row * meshPixels); y < min(height - lag, (row + 1) * meshPixels); y += rowStep) {
        n = differences(science, mask, maskBits, <usize>y * <usize>width, x0, x1, far, stride, means, sizes, n)
      }
      const cell = out + ((<usize>(row * columns + column)) << 2)
      if (n < 32) {
        store<f32>(cell, f32.NaN)
        continue
      }
      store<f32>(cell, <f32>1.4826 * quietMedian(means, sizes, n))
    }
  }
}

/**
 * Quantiles of the means of 3 × 3 pixels in each cell, for fractions `p0` < `p1` < `p2`; means with a masked pixel do not
 * count. Every second column and third row: what lies between is known from them. `out`: three f32 for each cell, NaN with
 * fewer than a quarter of its means. Scratch: 4 bytes for each pixel of a cell and thread.
 */
export function meshQuantiles(
  rowFrom: i32, rowTo: i32, science: usize, mask: usize, maskBits: i32, width: i32, height: i32, meshPixels: i32,
  columns: i32, p0: f64, p1: f64, p2: f64, out: usize, scratch: usize, scratchBytes: usize,
): void {
  const means = ownScratch(scratch, scratchBytes)
  const stride = (<usize>width) << 2
  for (let row = rowFrom; row < rowTo; row++) {
    for (let column = 0; column < columns; column++) {
      let n = 0
      const x0 = max(1, column * meshPixels)
      const x1 = min(width - 1, (column + 1) * meshPixels)
      const y0 = max(1, row * meshPixels)
      const y1 = min(height - 1, (row + 1) * meshPixels)
      for (let y = y0; y < y1; y += 3) n = means9(science, mask, maskBits, <usize>y * <usize>width, x0, x1, stride, means, n)
      const cell = out + (<usize>(row * columns + column)) * 12
      const enough = n >= 16 && n * 24 >= (x1 - x0) * (y1 - y0)
      const last = <f64>(n - 1)
      const spare = means + ((<usize>n) << 2)
      store<f32>(cell, enough ? orderStatistic(means, n, <i32>(p0 * last + 0.5), spare) : f32.NaN)
      store<f32>(cell, enough ? orderStatistic(means, n, <i32>(p1 * last + 0.5), spare) : f32.NaN, 4)
      store<f32>(cell, enough ? orderStatistic(means, n, <i32>(p2 * last + 0.5), spare) : f32.NaN, 8)
    }
  }
}

/**
 * Means of the 3 × 3 pixels about every second one of [x0, x1) of the row that begins at pixel `row`, from place `n` on;
 * returns the place after the last.
 */
function means9(science: usize, mask: usize, maskBits: i32, row: usize, x0: i32, x1: i32, stride: usize, means: usize, n: i32): i32 {
  const limit = f32x4.splat(3.4e38)
  let x = x0
  // Eight pixels in reach, of which the means of four are wanted, none of them the last.
  for (; x + 8 <= x1; x += 8) {
    if (mask != 0 && spoiltLine(mask + ((row + <usize>x - 1) << 1), stride >> 1, maskBits)) {
      n = meansOneByOne(science, mask, maskBits, row, x, x + 8, stride, means, n)
      continue
    }
    const p = science + ((row + <usize>x) << 2)
    const sums = evenLanes(sum9(p, stride), sum9(p + 16, stride))
    if (i32x4.bitmask(f32x4.le(f32x4.abs(sums), limit)) != 15) {
      n = meansOneByOne(science, mask, maskBits, row, x, x + 8, stride, means, n)
      continue
    }
    v128.store(means + ((<usize>n) << 2), f32x4.div(sums, f32x4.splat(9)))
    n += 4
  }
  return meansOneByOne(science, mask, maskBits, row, x, x1, stride, means, n)
}

// @ts-ignore: decorator
@inline
function evenLanes(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
}

// @ts-ignore: decorator
@inline
function sum3(p: usize): v128 {
  return f32x4.add(f32x4.add(v128.load(p - 4), v128.load(p)), v128.load(p, 4))
}

// @ts-ignore: decorator
@inline
function sum9(p: usize, stride: usize): v128 {
  return f32x4.add(f32x4.add(sum3(p - stride), sum3(p)), sum3(p + stride))
}

/** Whether a pixel of three lines of ten, the middle one from `at` on, has one of `bits`. */
function spoiltLine(at: usize, stride: usize, bits: i32): bool {
  const first = v128.or(v128.or(v128.load(at - stride), v128.load(at)), v128.load(at + stride))
  const last = load<u32>(at - stride + 16) | load<u32>(at, 16) | load<u32>(at + stride, 16)
  return v128.any_true(v128.and(first, i16x8.splat(<i16>bits))) || (last & (<u32>bits * 0x10001)) != 0
}

function meansOneByOne(science: usize, mask: usize, maskBits: i32, row: usize, x0: i32, x1: i32, stride: usize, means: usize, n: i32): i32 {
  for (let x = x0; x < x1; x += 2) {
    const i = row + <usize>x
    if (mask != 0 && spoilt9(mask + (i << 1), stride >> 1, maskBits)) continue
    const p = science + (i << 2)
    const above = load<f32>(p - stride - 4) + load<f32>(p - stride) + load<f32>(p - stride + 4)
    const own = load<f32>(p - 4) + load<f32>(p) + load<f32>(p + 4)
    const below = load<f32>(p + stride - 4) + load<f32>(p + stride) + load<f32>(p + stride + 4)
    const sum = above + own + below
    if (!(abs<f32>(sum) <= 3.4e38)) continue
    store<f32>(means + ((<usize>n) << 2), sum / 9)
    n++
  }
  return n
}

// @ts-ignore: decorator
@inline
/** Whether one of the nine pixels about `at` has one of `bits`. */
function spoilt9(at: usize, stride: usize, bits: i32): bool {
  let all: i32 = 0
  for (let k = 0; k < 3; k++) {
    const row = at + <usize>k * stride - stride
    all |= <i32>load<u16>(row - 2) | <i32>load<u16>(row) | <i32>load<u16>(row, 2)
  }
  return (all & bits) != 0
}

/** Median of the sizes whose mean is in the lower half. The upper halves of both arrays are room for sorting. */
function quietMedian(means: usize, sizes: usize, n: i32): f32 {
  const spare = means + ((<usize>n) << 2)
  const few = sizes + ((<usize>n) << 2)
  const limit = orderStatistic(means, n, n >> 1, few)
  let kept = 0
  for (let i = 0; i < n; i++) {
    store<f32>(spare + ((<usize>kept) << 2), load<f32>(sizes + ((<usize>i) << 2)))
    kept += load<f32>(means + ((<usize>i) << 2)) <= limit ? 1 : 0
  }
  return orderStatistic(spare, kept, kept >> 1, few)
}
