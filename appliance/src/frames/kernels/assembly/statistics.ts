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
function counted(mask: usize, i: i32): bool {
  return mask == 0 || load<u16>(mask + ((<usize>i) << 1)) == 0
}

/**
 * Looks at d = value - center, or its magnitude when `magnitude` is not 0. Counts for each row (two int32 at `counts`) how
 * many pixels there are and how many have d below `from`; adds those with from <= d <= to to this thread's histogram of
 * 65536 uint32: bin (key - keyFrom) >> shift, where key is the sortable bits of d.
 */
export function histogramRange(
  rowFrom: i32,
  rowTo: i32,
  data: usize,
  mask: usize,
  width: i32,
  center: f32,
  magnitude: i32,
  low: f32,
  high: f32,
  from: f32,
  to: f32,
  keyFrom: u32,
  shift: i32,
  histograms: usize,
  counts: usize,
): void {
  const own = ownScratch(histograms, bins)
  const keep = magnitude ? 0x7fffffff : -1
  const low4 = f32x4.splat(low)
  const high4 = f32x4.splat(high)
  const from4 = f32x4.splat(from)
  const to4 = f32x4.splat(to)
  const center4 = f32x4.splat(center)
  const keep4 = i32x4.splat(keep)
  const zero4 = i32x4.splat(0)
  for (let y = rowFrom; y < rowTo; y++) {
    let all4 = zero4
    let below4 = zero4
    const end = (y + 1) * width
    let i = y * width
    for (; i + 4 <= end; i += 4) {
      const v = v128.load(data + ((<usize>i) << 2))
      let good = v128.and(f32x4.ge(v, low4), f32x4.le(v, high4))
      if (mask != 0) {
        const bits = v128.load64_zero(mask + ((<usize>i) << 1))
        good = v128.and(good, i32x4.eq(i32x4.extend_low_i16x8_u(bits), zero4))
      }
      // Adding zero makes +0 of -0, whose sortable bits differ.
      const d = f32x4.add(v128.and(f32x4.sub(v, center4), keep4), zero4)
      all4 = i32x4.sub(all4, good)
      below4 = i32x4.sub(below4, v128.and(good, f32x4.lt(d, from4)))
      let lanes = i32x4.bitmask(v128.and(good, v128.and(f32x4.ge(d, from4), f32x4.le(d, to4))))
      while (lanes != 0) {
        addToBin(data, i + ctz<i32>(lanes), center, keep, keyFrom, shift, own)
        lanes &= lanes - 1
      }
    }
    let all = laneSum(all4)
    let below = laneSum(below4)
    for (; i < end; i++) {
      const v = load<f32>(data + ((<usize>i) << 2))
      if (!(v >= low && v <= high) || !counted(mask, i)) continue
      const d = reinterpret<f32>(reinterpret<i32>(v - center) & keep) + 0
      all++
      if (d < from) below++
      else if (d <= to) addToBin(data, i, center, keep, keyFrom, shift, own)
    }
    store<i32>(counts + ((<usize>y) << 3), all)
    store<i32>(counts + ((<usize>y) << 3), below, 4)
  }
}

// @ts-ignore: decorator
@inline
function addToBin(data: usize, i: i32, center: f32, keep: i32, keyFrom: u32, shift: i32, own: usize): void {
  const d = reinterpret<f32>(reinterpret<i32>(load<f32>(data + ((<usize>i) << 2)) - center) & keep) + 0
  const at = own + ((<usize>((sortable(d) - keyFrom) >> shift)) << 2)
  store<u32>(at, load<u32>(at) + 1)
}

// @ts-ignore: decorator
@inline
function laneSum(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3)
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
  let count = laneSum(count4)
  for (; i < end; i++) {
    const v = load<f32>(data + ((<usize>i) << 2))
    if (!(v >= low && v <= high) || !counted(mask, i)) continue
    const d = <f64>(v - center)
    count++
    sum += d
    square += d * d
  }
  store<f64>(out, <f64>count)
  store<f64>(out, sum, 8)
  store<f64>(out, square, 16)
}
