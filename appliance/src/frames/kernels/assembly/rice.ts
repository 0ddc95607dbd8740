import { ownScratch } from './thread'

// Tiles of compressed images (FITS Standard 4.0, section 10). One row of the table a tile, 96 bytes:
//  0 i32 packed bytes (pointer; 0: the values are at `values` already)   4 i32 how many
//  8 i32 values (pointer to int32, in place of float32 for kind 1)      12 i32 kind: 0 whole numbers, 1 float32, 2 left as stored
// 16 i32 x  20 i32 y  24 i32 width  28 i32 height, of the tile in the plane
// 32 f64 scale  40 f64 zero, of the tile          48 i32 blank  52 i32 has blank
// 56 i32 first seed of the dither                 60 i32 status: 1 when the packed bytes do not hold the pixels
// 64 f64 BSCALE  72 f64 BZERO of quantized floats 80 i32 whether they count
const record: usize = 96

// @ts-ignore: decorator
@inline
function window(base: usize, position: u64): u64 {
  return bswap<u64>(load<u64>(base + <usize>(position >> 3))) << (position & 7)
}

/** Length of the run of zeros at `position`, at most up to `end`. */
function zerosFrom(base: usize, position: u64, end: u64): u64 {
  let zeros: u64 = 0
  while (position + zeros < end) {
    const bits = window(base, position + zeros) >> 7
    if (bits != 0) return zeros + clz<u64>(bits) - 7
    zeros += 57
  }
  return zeros
}

/** A sum in a type of 32 − `spare` bits; `mask` makes bytes unsigned. */
// @ts-ignore: decorator
@inline
function wrap(value: i32, spare: i32, mask: i32): i32 {
  return ((value << spare) >> spare) & mask
}

/** Rice decoding, section 10.4.1: `count` int32 at `out`. False when the bytes end before the pixels do. */
function riceDecode(source: usize, length: i32, out: usize, count: i32, bytes: i32, block: i32): bool {
  const fsBits: u64 = bytes == 4 ? 5 : bytes == 2 ? 4 : 3
  const fsMost: i32 = bytes == 4 ? 25 : bytes == 2 ? 14 : 6
  const rawBits: u64 = <u64>bytes << 3
  const end = <u64>length << 3
  let position = rawBits
  if (position > end) return false
  const spare = 32 - <i32>rawBits
  const mask: i32 = bytes == 1 ? 0xff : -1
  let last: i32 = wrap(<i32>(window(source, 0) >> (64 - rawBits)), spare, mask)
  for (let i = 0; i < count; i += block) {
    const stop = min(count, i + block)
    if (position + fsBits > end) return false
    const fs = <i32>(window(source, position) >> (64 - fsBits)) - 1
    position += fsBits
    if (fs < 0) {
      for (let j = i; j < stop; j++) store<i32>(out + ((<usize>j) << 2), last)
    } else if (fs == fsMost) {
      if (position + rawBits * <u64>(stop - i) > end) return false
      for (let j = i; j < stop; j++) {
        const bits = <u32>(window(source, position) >> (64 - rawBits))
        position += rawBits
        last = wrap(last + <i32>((bits >> 1) ^ (0 - (bits & 1))), spare, mask)
        store<i32>(out + ((<usize>j) << 2), last)
      }
    } else {
      if (fs > fsMost) return false
      const shift = <u64>fs
      const low: u64 = (1 << shift) - 1
      // Pixels are taken from a register of 57 bits until it does not hold the next one.
      let bits: u64 = 0
      let have: u64 = 0
      for (let j = i; j < stop; j++) {
        let zeros = clz<u64>(bits)
        if (zeros + shift >= have) {
          bits = window(source, position)
          have = 57
          zeros = clz<u64>(bits)
        }
        let bottom: u64
        const used = zeros + 1 + shift
        if (used <= have) {
          bottom = (bits >> (63 - zeros - shift)) & low
          bits <<= used
          have -= used
        } else {
          zeros = zerosFrom(source, position, end)
          if (position + zeros >= end) return false
          bottom = (window(source, position + zeros + 1) >> 7 >> (57 - shift)) & low
          have = 0
        }
        position += zeros + 1 + shift
        const value = <u32>((zeros << shift) | bottom)
        last = wrap(last + <i32>((value >> 1) ^ (0 - (value & 1))), spare, mask)
        store<i32>(out + ((<usize>j) << 2), last)
      }
    }
    if (position > end) return false
  }
  return true
}

/** Whole numbers to float32: zero + scale × value in float64, rounded once; the blank value becomes NaN. */
function scaleLine(from: usize, to: usize, width: i32, scale: f64, zero: f64, blank: i32, hasBlank: bool): void {
  let x = 0
  if (!hasBlank) {
    const scales = f64x2.splat(scale)
    const zeros = f64x2.splat(zero)
    for (; x + 2 <= width; x += 2) {
      const at = (<usize>x) << 2
      const values = f64x2.convert_low_i32x4_s(v128.load64_zero(from + at))
      const scaled = f64x2.add(f64x2.mul(values, scales), zeros)
      v128.store64_lane(to + at, f32x4.demote_f64x2_zero(scaled), 0)
    }
  }
  for (; x < width; x++) {
    const at = (<usize>x) << 2
    const value = load<i32>(from + at)
    store<f32>(to + at, hasBlank && value == blank ? <f32>NaN : <f32>(<f64>value * scale + zero))
  }
}

/**
 * Tiles [tileFrom, tileTo) into a float32 plane of `planeWidth`. `bytes` and `block` are those of Rice. `dither` is 0, or 1
 * or 2 for the subtractive ones (section 10.2.2) with `random`, 10,000 float32.
 */
export function decodeTiles(
  tileFrom: i32,
  tileTo: i32,
  table: usize,
  plane: usize,
  planeWidth: i32,
  bytes: i32,
  block: i32,
  dither: i32,
  random: usize,
): void {
  for (let tile = tileFrom; tile < tileTo; tile++) {
    const row = table + (<usize>tile) * record
    const packed = load<u32>(row)
    const values = <usize>load<u32>(row, 8)
    const width = load<i32>(row, 24)
    const height = load<i32>(row, 28)
    if (packed != 0 && !riceDecode(packed, load<i32>(row, 4), values, width * height, bytes, block)) {
      store<i32>(row, 1, 60)
      continue
    }
    const kind = load<i32>(row, 12)
    const scale = load<f64>(row, 32)
    const zero = load<f64>(row, 40)
    const blank = load<i32>(row, 48)
    const hasBlank = load<i32>(row, 52) != 0
    let seed = load<i32>(row, 56)
    let next = dither == 0 ? 0 : <i32>(load<f32>(random + ((<usize>seed) << 2)) * 500)
    for (let y = 0; y < height; y++) {
      const from = values + (<usize>(y * width) << 2)
      const place = (load<i32>(row, 20) + y) * planeWidth + load<i32>(row, 16)
      const to = plane + ((<usize>place) << 2)
      if (kind == 2) {
        memory.copy(to, from, (<usize>width) << 2)
        continue
      }
      if (kind == 1) {
        for (let x = 0; x < width; x++) {
          const at = (<usize>x) << 2
          store<f32>(to + at, <f32>(<f64>load<f32>(from + at) * scale + zero))
        }
      } else if (dither == 0) scaleLine(from, to, width, scale, zero, blank, hasBlank)
      else {
        for (let x = 0; x < width; x++) {
          const at = (<usize>x) << 2
          const value = load<i32>(from + at)
          let result: f32
          if (hasBlank && value == blank) result = <f32>NaN
          else if (dither == 2 && value == -2147483646) result = 0
          else {
            const offset = <f64>load<f32>(random + ((<usize>next) << 2))
            result = <f32>((<f64>value - offset + 0.5) * scale + zero)
          }
          store<f32>(to + at, result)
          if (++next == 10000) {
            if (++seed == 10000) seed = 0
            next = <i32>(load<f32>(random + ((<usize>seed) << 2)) * 500)
          }
        }
      }
      if (load<i32>(row, 80) != 0) {
        for (let x = 0; x < width; x++) {
          const at = to + ((<usize>x) << 2)
          store<f32>(at, <f32>(<f64>load<f32>(at) * load<f64>(row, 64) + load<f64>(row, 72)))
        }
      }
    }
  }
}

// The bit writer. Globals are private to an instance, so to a thread.
let target: usize = 0
let pending: u64 = 0
let pendingBits: u64 = 0

/** Appends the `count` ≤ 32 low bits of `bits`. */
// @ts-ignore: decorator
@inline
function put(bits: u64, count: u64): void {
  pending = (pending << count) | bits
  pendingBits += count
  if (pendingBits >= 32) {
    pendingBits -= 32
    store<u32>(target, bswap<u32>(<u32>(pending >> pendingBits)))
    target += 4
  }
}

/** Appends zeros, a one and the `shift` low bits of `value`. */
// @ts-ignore: decorator
@inline
function putRice(value: u32, shift: u64): void {
  let top: u64 = <u64>value >> shift
  const bottom: u64 = (1 << shift) | (<u64>value & ((1 << shift) - 1))
  if (top + 1 + shift <= 32) {
    put(bottom, top + 1 + shift)
    return
  }
  for (; top >= 32; top -= 32) put(0, 32)
  put(0, top)
  put(bottom, shift + 1)
}

/**
 * Rice coding of tiles [tileFrom, tileTo), the same bytes as cfitsio's. The table has 16 bytes a tile: pointer to int32
 * values, how many, pointer to the packed bytes (with room for all pixels unpacked, their block heads and 16 bytes), and how
 * many those became. `scratch` has 4 × `block` bytes for each thread.
 */
export function encodeTiles(
  tileFrom: i32,
  tileTo: i32,
  table: usize,
  bytes: i32,
  block: i32,
  scratch: usize,
  scratchBytes: i32,
): void {
  const fsBits: u64 = bytes == 4 ? 5 : bytes == 2 ? 4 : 3
  const fsMost: i32 = bytes == 4 ? 25 : bytes == 2 ? 14 : 6
  const rawBits: u64 = <u64>bytes << 3
  const rawMask: u64 = ((<u64>1) << rawBits) - 1
  const differences = ownScratch(scratch, <usize>scratchBytes)
  for (let tile = tileFrom; tile < tileTo; tile++) {
    const row = table + ((<usize>tile) << 4)
    const values = <usize>load<u32>(row)
    const count = load<i32>(row, 4)
    const packed = <usize>load<u32>(row, 8)
    target = packed
    pending = 0
    pendingBits = 0
    let last = load<i32>(values)
    put(<u64>(<u32>last) & rawMask, rawBits)
    for (let i = 0; i < count; i += block) {
      const size = min(block, count - i)
      let sum: u64 = 0
      for (let j = 0; j < size; j++) {
        const value = load<i32>(values + ((<usize>(i + j)) << 2))
        let step = value - last
        if (bytes == 2) step = <i32>(<i16>step)
        else if (bytes == 1) step = <i32>(<i8>step)
        last = value
        const folded = <u32>((step << 1) ^ (step >> 31))
        store<u32>(differences + ((<usize>j) << 2), folded)
        sum += <u64>folded
      }
      const mean = (<f64>sum - <f64>(size / 2) - 1) / <f64>size
      const half = mean < 0 ? <u32>0 : <u32>mean >> 1
      const fs = 32 - <i32>clz<u32>(half)
      if (fs >= fsMost) {
        put(<u64>(fsMost + 1), fsBits)
        for (let j = 0; j < size; j++) put(<u64>load<u32>(differences + ((<usize>j) << 2)) & rawMask, rawBits)
      } else if (sum == 0) put(0, fsBits)
      else {
        put(<u64>(fs + 1), fsBits)
        for (let j = 0; j < size; j++) putRice(load<u32>(differences + ((<usize>j) << 2)), <u64>fs)
      }
    }
    let length = <i32>(target - packed)
    if (pendingBits > 0) {
      store<u32>(target, bswap<u32>(<u32>(pending << (32 - pendingBits))))
      length += <i32>((pendingBits + 7) >> 3)
    }
    store<i32>(row, length, 12)
  }
}
