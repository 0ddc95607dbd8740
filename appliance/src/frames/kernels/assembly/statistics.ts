// Order statistics by counting and sums by rows: whole-number counts and row-ordered float64 sums are the same for any
// number of threads. A pixel counts when low <= value <= high (so never NaN) and its mask, if there is one, is 0.
import { ownScratch } from './thread'

const bins: usize = 65536 * 4

// @ts-ignore: decorator
@inline
/** Bits of a float32 in an order that sorts as the numbers do. */
function sortable(value: f32): u32 {
  const bits = reinterpret<u32>(value)
  return bits ^ (<u32>(<i32>bits >> 31) | 0x80000000)
}

// @ts-ignore: decorator
@inline
function counts(mask: usize, i: i32): bool {
  return mask == 0 || load<u16>(mask + ((<usize>i) << 1)) == 0
}

/**
 * Adds to this thread's histogram (65536 uint32 at `histograms`) the upper 16 sortable bits of value - center, or of its
 * magnitude when `magnitude` is not 0.
 */
export function histogramUpper(
  rowFrom: i32,
  rowTo: i32,
  data: usize,
  mask: usize,
  width: i32,
  center: f32,
  magnitude: i32,
  low: f32,
  high: f32,
  histograms: usize,
): void {
  const own = ownScratch(histograms, bins)
  const keep = magnitude ? 0x7fffffff : -1
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    const v = load<f32>(data + ((<usize>i) << 2))
    if (v < low || v > high || v != v || !counts(mask, i)) continue
    const d = reinterpret<f32>(reinterpret<i32>(v - center) & keep)
    const at = own + ((<usize>(sortable(d) >> 16)) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

/** As `histogramUpper`, for the lower 16 bits of values whose upper 16 bits are `upper`. */
export function histogramLower(
  rowFrom: i32,
  rowTo: i32,
  data: usize,
  mask: usize,
  width: i32,
  center: f32,
  magnitude: i32,
  low: f32,
  high: f32,
  histograms: usize,
  upper: i32,
): void {
  const own = ownScratch(histograms, bins)
  const keep = magnitude ? 0x7fffffff : -1
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    const v = load<f32>(data + ((<usize>i) << 2))
    if (v < low || v > high || v != v || !counts(mask, i)) continue
    const key = sortable(reinterpret<f32>(reinterpret<i32>(v - center) & keep))
    if (<i32>(key >> 16) != upper) continue
    const at = own + ((<usize>(key & 0xffff)) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

/** Count, sum and sum of squares of value - center for each row: three float64 a row at `sums`. */
export function rowSums(
  rowFrom: i32,
  rowTo: i32,
  data: usize,
  mask: usize,
  width: i32,
  center: f32,
  low: f32,
  high: f32,
  sums: usize,
): void {
  for (let y = rowFrom; y < rowTo; y++) sumRow(data, mask, y * width, width, center, low, high, sums + <usize>y * 24)
}

function sumRow(data: usize, mask: usize, from: i32, width: i32, center: f32, low: f32, high: f32, out: usize): void {
  const low4 = f32x4.splat(low)
  const high4 = f32x4.splat(high)
  const center4 = f32x4.splat(center)
  const zero = i32x4.splat(0)
  let count4 = zero
  let sum0 = f64x2.splat(0)
  let sum1 = f64x2.splat(0)
  let square0 = f64x2.splat(0)
  let square1 = f64x2.splat(0)
  const end = from + width
  let i = from
  for (; i + 4 <= end; i += 4) {
    const v = v128.load(data + ((<usize>i) << 2))
    let good = v128.and(f32x4.ge(v, low4), f32x4.le(v, high4))
    if (mask != 0) {
      const bits = v128.load64_zero(mask + ((<usize>i) << 1))
      good = v128.and(good, i32x4.eq(i32x4.extend_low_i16x8_u(bits), zero))
    }
    const d = v128.and(f32x4.sub(v, center4), good)
    count4 = i32x4.sub(count4, good)
    const d0 = f64x2.promote_low_f32x4(d)
    const d1 = f64x2.promote_low_f32x4(i8x16.shuffle(d, d, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15))
    sum0 = f64x2.add(sum0, d0)
    sum1 = f64x2.add(sum1, d1)
    square0 = f64x2.add(square0, f64x2.mul(d0, d0))
    square1 = f64x2.add(square1, f64x2.mul(d1, d1))
  }
  const sum2 = f64x2.add(sum0, sum1)
  const square2 = f64x2.add(square0, square1)
  let sum = f64x2.extract_lane(sum2, 0) + f64x2.extract_lane(sum2, 1)
  let square = f64x2.extract_lane(square2, 0) + f64x2.extract_lane(square2, 1)
  let count =
    i32x4.extract_lane(count4, 0) +
    i32x4.extract_lane(count4, 1) +
    i32x4.extract_lane(count4, 2) +
    i32x4.extract_lane(count4, 3)
  for (; i < end; i++) {
    const v = load<f32>(data + ((<usize>i) << 2))
    if (!(v >= low && v <= high) || !counts(mask, i)) continue
    const d = <f64>(v - center)
    count++
    sum += d
    square += d * d
  }
  store<f64>(out, <f64>count)
  store<f64>(out, sum, 8)
  store<f64>(out, square, 16)
}
