import { meshRow, splineRow } from './mesh'
import { ownScratch } from './thread'

// The background mesh (Bertin & Arnouts 1996, section 7) and the surfaces through it.

const histogramBins: i32 = 4096
/** Histogram reach in clipped standard deviations either side of the clipped mean. */
const reachSigma: f64 = 5
const clipSigma: f64 = 3

// @ts-ignore: decorator
@inline
function sumLanes(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1)
}

/** Copies the good pixels of one cell to `out`; returns how many. `mask` 0: none. */
function gather(
  science: usize, mask: usize, maskBits: i32, width: i32, x0: i32, x1: i32, y0: i32, y1: i32, out: usize,
): i32 {
  const bits4 = i16x8.splat(<i16>maskBits)
  let count: i32 = 0
  for (let y = y0; y < y1; y++) {
    const row = science + ((<usize>y * <usize>width) << 2)
    const maskRow = mask + ((<usize>y * <usize>width) << 1)
    let x = x0
    for (; x + 4 <= x1; x += 4) {
      const v = v128.load(row + ((<usize>x) << 2))
      let good = i32x4.all_true(f32x4.eq(v, v))
      if (mask != 0) {
        const m = v128.and(v128.load64_zero(maskRow + ((<usize>x) << 1)), bits4)
        good = good && !v128.any_true(m)
      }
      if (good) {
        v128.store(out + ((<usize>count) << 2), v)
        count += 4
      } else {
        for (let k = x; k < x + 4; k++) {
          const value = load<f32>(row + ((<usize>k) << 2))
          if (value != value) continue
          if (mask != 0 && (<i32>load<u16>(maskRow + ((<usize>k) << 1)) & maskBits) != 0) continue
          store<f32>(out + ((<usize>count) << 2), value)
          count++
        }
      }
    }
    for (; x < x1; x++) {
      const value = load<f32>(row + ((<usize>x) << 2))
      if (value != value) continue
      if (mask != 0 && (<i32>load<u16>(maskRow + ((<usize>x) << 1)) & maskBits) != 0) continue
      store<f32>(out + ((<usize>count) << 2), value)
      count++
    }
  }
  return count
}

/**
 * Mode and standard deviation of one cell from its `count` values: mean and deviation of all, again within 2 of those
 * deviations, then a histogram whose 3-sigma clipping about the median is iterated. Writes (level, rms) as two f32.
 */
function cellStatistics(values: usize, count: i32, prefix: usize, out: usize): void {
  let sum = f64x2.splat(0)
  let squares = f64x2.splat(0)
  // Differences from the first value keep the squares small.
  const pivot = <f64>load<f32>(values)
  const pivot4 = f32x4.splat(load<f32>(values))
  const whole = count & ~3
  for (let i = 0; i < whole; i += 4) {
    const v = f32x4.sub(v128.load(values + ((<usize>i) << 2)), pivot4)
    const low = f64x2.promote_low_f32x4(v)
    const high = f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7))
    sum = f64x2.add(sum, f64x2.add(low, high))
    squares = f64x2.add(squares, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)))
  }
  let total = sumLanes(sum)
  let totalSquares = sumLanes(squares)
  for (let i = whole; i < count; i++) {
    const v = <f64>load<f32>(values + ((<usize>i) << 2)) - pivot
    total += v
    totalSquares += v * v
  }
  let mean = total / <f64>count
  let sigma = Math.sqrt(Math.max(0, totalSquares / <f64>count - mean * mean))
  const lower = <f32>(pivot + mean - 2 * sigma)
  const upper = <f32>(pivot + mean + 2 * sigma)

  sum = f64x2.splat(0)
  squares = f64x2.splat(0)
  let kept = i32x4.splat(0)
  const lower4 = f32x4.splat(lower)
  const upper4 = f32x4.splat(upper)
  for (let i = 0; i < whole; i += 4) {
    const raw = v128.load(values + ((<usize>i) << 2))
    const inside = v128.and(f32x4.ge(raw, lower4), f32x4.le(raw, upper4))
    const v = v128.and(f32x4.sub(raw, pivot4), inside)
    kept = i32x4.sub(kept, inside)
    const low = f64x2.promote_low_f32x4(v)
    const high = f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7))
    sum = f64x2.add(sum, f64x2.add(low, high))
    squares = f64x2.add(squares, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)))
  }
  total = sumLanes(sum)
  totalSquares = sumLanes(squares)
  let n = i32x4.extract_lane(kept, 0) + i32x4.extract_lane(kept, 1) + i32x4.extract_lane(kept, 2) + i32x4.extract_lane(kept, 3)
  for (let i = whole; i < count; i++) {
    const raw = load<f32>(values + ((<usize>i) << 2))
    if (raw < lower || raw > upper) continue
    const v = <f64>raw - pivot
    total += v
    totalSquares += v * v
    n++
  }
  mean = pivot + total / <f64>n
  sigma = Math.sqrt(Math.max(0, totalSquares / <f64>n - (mean - pivot) * (mean - pivot)))
  if (!(sigma > 0)) {
    store<f32>(out, <f32>mean)
    store<f32>(out, 0, 4)
    return
  }
  histogramMode(values, count, mean, sigma, min(histogramBins, <i32>(0.9973557 * <f64>n + 1)), prefix, out)
}

/** The last part of `cellStatistics`. `prefix` holds running sums of n, n·i and n·i² over the bins, 3 f64 each. */
function histogramMode(
  values: usize, count: i32, mean: f64, sigma: f64, bins: i32, prefix: usize, out: usize,
): void {
  const scale = (2 * reachSigma * sigma) / <f64>bins
  const zero = mean - reachSigma * sigma
  const histogram = prefix + ((<usize>histogramBins + 1) * 24)
  memory.fill(histogram, 0, (<usize>bins) << 2)
  const inverse = f32x4.splat(<f32>(1 / scale))
  const offset = f32x4.splat(<f32>zero)
  const half = f32x4.splat(0.5)
  const whole = count & ~3
  for (let i = 0; i < whole; i += 4) {
    const v = f32x4.mul(f32x4.sub(v128.load(values + ((<usize>i) << 2)), offset), inverse)
    const b = i32x4.trunc_sat_f32x4_s(f32x4.floor(f32x4.add(v, half)))
    const b0 = i32x4.extract_lane(b, 0)
    const b1 = i32x4.extract_lane(b, 1)
    const b2 = i32x4.extract_lane(b, 2)
    const b3 = i32x4.extract_lane(b, 3)
    if (<u32>b0 < <u32>bins) store<i32>(histogram + ((<usize>b0) << 2), load<i32>(histogram + ((<usize>b0) << 2)) + 1)
    if (<u32>b1 < <u32>bins) store<i32>(histogram + ((<usize>b1) << 2), load<i32>(histogram + ((<usize>b1) << 2)) + 1)
    if (<u32>b2 < <u32>bins) store<i32>(histogram + ((<usize>b2) << 2), load<i32>(histogram + ((<usize>b2) << 2)) + 1)
    if (<u32>b3 < <u32>bins) store<i32>(histogram + ((<usize>b3) << 2), load<i32>(histogram + ((<usize>b3) << 2)) + 1)
  }
  for (let i = whole; i < count; i++) {
    const v = <f32>(load<f32>(values + ((<usize>i) << 2)) - <f32>zero) * <f32>(1 / scale)
    const b = <i32>Math.floor(<f64>v + 0.5)
    if (b >= 0 && b < bins) store<i32>(histogram + ((<usize>b) << 2), load<i32>(histogram + ((<usize>b) << 2)) + 1)
  }
  let c0: f64 = 0
  let c1: f64 = 0
  let c2: f64 = 0
  store<f64>(prefix, 0)
  store<f64>(prefix, 0, 8)
  store<f64>(prefix, 0, 16)
  for (let b = 0; b < bins; b++) {
    const n = <f64>load<i32>(histogram + ((<usize>b) << 2))
    const at = <f64>b
    c0 += n
    c1 += n * at
    c2 += n * at * at
    const p = prefix + (<usize>b + 1) * 24
    store<f64>(p, c0)
    store<f64>(p, c1, 8)
    store<f64>(p, c2, 16)
  }

  let from: i32 = 0
  let to: i32 = bins
  let deviation: f64 = 10 * <f64>bins
  let previous: f64 = 1
  let average: f64 = 0
  let median: f64 = 0
  for (let i = 0; i < 100 && deviation >= 0.1 && Math.abs(deviation / previous - 1) > 1e-4; i++) {
    previous = deviation
    const p0 = prefix + <usize>from * 24
    const p1 = prefix + <usize>to * 24
    const n = load<f64>(p1) - load<f64>(p0)
    if (n <= 0) break
    average = (load<f64>(p1, 8) - load<f64>(p0, 8)) / n
    deviation = Math.sqrt(Math.max(0, (load<f64>(p1, 16) - load<f64>(p0, 16)) / n - average * average))
    median = histogramMedian(prefix, from, to, load<f64>(p0) + n / 2)
    from = max(0, <i32>Math.floor(median - clipSigma * deviation + 0.5))
    to = min(bins, <i32>Math.floor(median + clipSigma * deviation + 0.5) + 1)
  }
  let mode = median
  // Crowding switch: a skewed histogram means many stars, where the median is the better guess.
  if (deviation > 0 && Math.abs(average - median) < 0.3 * deviation) mode = 2.5 * median - 1.5 * average
  store<f32>(out, <f32>(zero + mode * scale))
  store<f32>(out, <f32>(deviation * scale), 4)
}

/** Where the running count reaches `target`, in bins, 0 = the centre of the first. */
function histogramMedian(prefix: usize, from: i32, to: i32, target: f64): f64 {
  let low = from
  let high = to
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (load<f64>(prefix + <usize>middle * 24) < target) low = middle
    else high = middle
  }
  const below = load<f64>(prefix + <usize>low * 24)
  const inside = load<f64>(prefix + (<usize>low + 1) * 24) - below
  return <f64>low - 0.5 + (inside > 0 ? (target - below) / inside : 0.5)
}

/**
 * Rows are rows of the mesh. `out`: two f32 for each cell, level and rms; NaN where less than `goodShare` of it is good.
 * Scratch of each thread: the values of one cell (4 bytes each), then 114744 bytes.
 */
export function meshStatistics(
  rowFrom: i32, rowTo: i32, science: usize, mask: usize, maskBits: i32, width: i32, height: i32, meshPixels: i32,
  columns: i32, goodShare: f64, out: usize, scratch: usize, scratchBytes: usize,
): void {
  const values = ownScratch(scratch, scratchBytes)
  const prefix = (values + <usize>(meshPixels * meshPixels * 4) + 15) & ~(<usize>15)
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
      } else cellStatistics(values, count, prefix, cell)
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

/** The k-th smallest of `n` f32 (k from 0), which are put out of order. */
function selectOrder(values: usize, n: i32, k: i32): f32 {
  let low = 0
  let high = n - 1
  while (low < high) {
    const pivot = load<f32>(values + ((<usize>((low + high) >> 1)) << 2))
    let i = low
    let j = high
    while (i <= j) {
      while (load<f32>(values + ((<usize>i) << 2)) < pivot) i++
      while (load<f32>(values + ((<usize>j) << 2)) > pivot) j--
      if (i > j) break
      const a = values + ((<usize>i) << 2)
      const b = values + ((<usize>j) << 2)
      const v = load<f32>(a)
      store<f32>(a, load<f32>(b))
      store<f32>(b, v)
      i++
      j--
    }
    if (k <= j) high = j
    else if (k >= i) low = i
    else break
  }
  return load<f32>(values + ((<usize>k) << 2))
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
      for (let y = max(lag, row * meshPixels); y < min(height - lag, (row + 1) * meshPixels); y += rowStep) {
        for (let x = max(lag, column * meshPixels); x < min(width - lag, (column + 1) * meshPixels); x++) {
          const i = <usize>y * <usize>width + <usize>x
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
      for (let y = y0; y < y1; y += 3) {
        for (let x = x0; x < x1; x += 2) {
          const i = <usize>y * <usize>width + <usize>x
          if (mask != 0 && spoilt9(mask + (i << 1), <usize>width << 1, maskBits)) continue
          const p = science + (i << 2)
          const above = load<f32>(p - stride - 4) + load<f32>(p - stride) + load<f32>(p - stride + 4)
          const own = load<f32>(p - 4) + load<f32>(p) + load<f32>(p + 4)
          const below = load<f32>(p + stride - 4) + load<f32>(p + stride) + load<f32>(p + stride + 4)
          const sum = above + own + below
          if (!(abs<f32>(sum) <= 3.4e38)) continue
          store<f32>(means + ((<usize>n) << 2), sum / 9)
          n++
        }
      }
      const cell = out + (<usize>(row * columns + column)) * 12
      const enough = n >= 16 && n * 24 >= (x1 - x0) * (y1 - y0)
      const last = <f64>(n - 1)
      store<f32>(cell, enough ? selectOrder(means, n, <i32>(p0 * last + 0.5)) : f32.NaN)
      store<f32>(cell, enough ? selectOrder(means, n, <i32>(p1 * last + 0.5)) : f32.NaN, 4)
      store<f32>(cell, enough ? selectOrder(means, n, <i32>(p2 * last + 0.5)) : f32.NaN, 8)
    }
  }
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
  memory.copy(spare, means, (<usize>n) << 2)
  const limit = selectOrder(spare, n, n >> 1)
  let kept = 0
  for (let i = 0; i < n; i++) {
    const size = load<f32>(sizes + ((<usize>i) << 2))
    if (load<f32>(means + ((<usize>i) << 2)) > limit) continue
    store<f32>(spare + ((<usize>kept) << 2), size)
    kept++
  }
  return selectOrder(spare, kept, kept >> 1)
}
