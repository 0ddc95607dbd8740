// FITS data are big-endian. Each kernel reads `width` values a row from `src` and writes float32 rows to `dst`:
// value = raw * scale + zero, in float64 where a float32 sum could round twice.

// @ts-ignore: decorator
@inline
function swap16(v: v128): v128 {
  return i8x16.shuffle(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
}

// @ts-ignore: decorator
@inline
function swap32(v: v128): v128 {
  return i8x16.shuffle(v, v, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
}

// @ts-ignore: decorator
@inline
function swap64(v: v128): v128 {
  return i8x16.shuffle(v, v, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8)
}

// @ts-ignore: decorator
@inline
function scaled(raw: f64, scale: f64, zero: f64): f32 {
  return <f32>(raw * scale + zero)
}

// @ts-ignore: decorator
@inline
/** Four int32 lanes to four float32 through float64: one rounding. */
function scale4(lanes: v128, scale: v128, zero: v128): v128 {
  const low = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(lanes), scale), zero)
  const high = f64x2.convert_low_i32x4_s(i8x16.shuffle(lanes, lanes, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 0, 0))
  const highScaled = f64x2.add(f64x2.mul(high, scale), zero)
  const a = f32x4.demote_f64x2_zero(low)
  const b = f32x4.demote_f64x2_zero(highScaled)
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
}

/** BITPIX 8, unsigned. `blank` outside 0..255 = none. */
export function decodeU8(rowFrom: i32, rowTo: i32, src: usize, dst: usize, width: i32, scale: f64, zero: f64, blank: i32): void {
  const from = rowFrom * width
  const to = rowTo * width
  for (let i = from; i < to; i++) {
    const raw = <i32>load<u8>(src + <usize>i)
    store<f32>(dst + ((<usize>i) << 2), raw == blank ? f32.NaN : scaled(<f64>raw, scale, zero))
  }
}

/** BITPIX 16. `whole` != 0: scale is 1 and zero a whole number below 2^23, so float32 sums are exact. */
export function decodeI16(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  scale: f64,
  zero: f64,
  blank: i32,
  whole: i32,
): void {
  const to = rowTo * width
  let i = rowFrom * width
  const zero4 = f32x4.splat(<f32>zero)
  const scale2 = f64x2.splat(scale)
  const zero2 = f64x2.splat(zero)
  const blank4 = i32x4.splat(blank)
  const nan4 = f32x4.splat(f32.NaN)
  for (; i + 8 <= to; i += 8) {
    const raw = swap16(v128.load(src + ((<usize>i) << 1)))
    const low = i32x4.extend_low_i16x8_s(raw)
    const high = i32x4.extend_high_i16x8_s(raw)
    let a: v128
    let b: v128
    if (whole) {
      a = f32x4.add(f32x4.convert_i32x4_s(low), zero4)
      b = f32x4.add(f32x4.convert_i32x4_s(high), zero4)
    } else {
      a = scale4(low, scale2, zero2)
      b = scale4(high, scale2, zero2)
    }
    const out = dst + ((<usize>i) << 2)
    v128.store(out, v128.bitselect(nan4, a, i32x4.eq(low, blank4)))
    v128.store(out, v128.bitselect(nan4, b, i32x4.eq(high, blank4)), 16)
  }
  for (; i < to; i++) {
    const raw = <i32>bswap<i16>(load<i16>(src + ((<usize>i) << 1)))
    store<f32>(dst + ((<usize>i) << 2), raw == blank ? f32.NaN : scaled(<f64>raw, scale, zero))
  }
}

/** BITPIX 32. `hasBlank` != 0 when `blank` counts. */
export function decodeI32(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  scale: f64,
  zero: f64,
  blank: i32,
  hasBlank: i32,
): void {
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    const raw = bswap<i32>(load<i32>(src + ((<usize>i) << 2)))
    const blanked = hasBlank != 0 && raw == blank
    store<f32>(dst + ((<usize>i) << 2), blanked ? f32.NaN : scaled(<f64>raw, scale, zero))
  }
}

/** BITPIX 64. `blank` as a float64: whole numbers to 2^53 are exact. */
export function decodeI64(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  scale: f64,
  zero: f64,
  blank: f64,
  hasBlank: i32,
): void {
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    const raw = <f64>bswap<i64>(load<i64>(src + ((<usize>i) << 3)))
    const blanked = hasBlank != 0 && raw == blank
    store<f32>(dst + ((<usize>i) << 2), blanked ? f32.NaN : scaled(raw, scale, zero))
  }
}

/** BITPIX -32. May run in place. */
export function decodeF32(rowFrom: i32, rowTo: i32, src: usize, dst: usize, width: i32, scale: f64, zero: f64): void {
  const to = rowTo * width
  let i = rowFrom * width
  const plain = scale == 1 && zero == 0
  if (plain) {
    for (; i + 4 <= to; i += 4) v128.store(dst + ((<usize>i) << 2), swap32(v128.load(src + ((<usize>i) << 2))))
  }
  for (; i < to; i++) {
    const bits = bswap<u32>(load<u32>(src + ((<usize>i) << 2)))
    if (plain) store<u32>(dst + ((<usize>i) << 2), bits)
    else store<f32>(dst + ((<usize>i) << 2), scaled(<f64>reinterpret<f32>(bits), scale, zero))
  }
}

/** BITPIX -64, rounded to float32. */
export function decodeF64(rowFrom: i32, rowTo: i32, src: usize, dst: usize, width: i32, scale: f64, zero: f64): void {
  const to = rowTo * width
  let i = rowFrom * width
  if (scale == 1 && zero == 0) {
    for (; i + 2 <= to; i += 2) {
      const pair = swap64(v128.load(src + ((<usize>i) << 3)))
      v128.store64_lane(dst + ((<usize>i) << 2), f32x4.demote_f64x2_zero(pair), 0)
    }
  }
  for (; i < to; i++) {
    const bits = bswap<u64>(load<u64>(src + ((<usize>i) << 3)))
    store<f32>(dst + ((<usize>i) << 2), scaled(reinterpret<f64>(bits), scale, zero))
  }
}
