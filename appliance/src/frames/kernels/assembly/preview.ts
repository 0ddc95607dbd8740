import { ownScratch } from './thread'

/**
 * Rows are output rows: the mean of the good pixels of each `factor` × `factor` block, NaN where there is none. Blocks at the
 * right and bottom may be cut. `scratch`: for each thread 2 × width float32.
 */
export function binMean(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  mask: usize,
  dst: usize,
  width: i32,
  height: i32,
  outWidth: i32,
  factor: i32,
  scratch: usize,
): void {
  const bytes = <usize>width << 2
  const sums = ownScratch(scratch, 2 * bytes)
  const numbers = sums + bytes
  for (let oy = rowFrom; oy < rowTo; oy++) {
    memory.fill(sums, 0, 2 * bytes)
    const bottom = min<i32>(height, (oy + 1) * factor)
    for (let y = oy * factor; y < bottom; y++) {
      const maskRow: usize = mask == 0 ? 0 : mask + ((<usize>y * <usize>width) << 1)
      addRow(src + <usize>y * bytes, maskRow, sums, numbers, width)
    }
    for (let ox = 0; ox < outWidth; ox++) {
      const right = min<i32>(width, (ox + 1) * factor)
      let sum: f32 = 0
      let number: f32 = 0
      for (let x = ox * factor; x < right; x++) {
        sum += load<f32>(sums + ((<usize>x) << 2))
        number += load<f32>(numbers + ((<usize>x) << 2))
      }
      store<f32>(dst + ((<usize>(oy * outWidth + ox)) << 2), number == 0 ? f32.NaN : sum / number)
    }
  }
}

/** Adds the good pixels of a row to `sums` and 1 for each to `numbers`. */
function addRow(src: usize, mask: usize, sums: usize, numbers: usize, width: i32): void {
  const zero = f32x4.splat(0)
  const one = f32x4.splat(1)
  let x = 0
  for (; x + 4 <= width; x += 4) {
    const at = <usize>x << 2
    const v = v128.load(src + at)
    let good = f32x4.eq(f32x4.sub(v, v), zero)
    if (mask != 0) {
      good = v128.and(good, i32x4.eq(i32x4.extend_low_i16x8_u(v128.load64_zero(mask + (at >> 1))), zero))
    }
    v128.store(sums + at, f32x4.add(v128.load(sums + at), v128.and(v, good)))
    v128.store(numbers + at, f32x4.add(v128.load(numbers + at), v128.and(one, good)))
  }
  for (; x < width; x++) {
    const at = <usize>x << 2
    const v = load<f32>(src + at)
    if (v - v != 0 || (mask != 0 && load<u16>(mask + (at >> 1)) != 0)) continue
    store<f32>(sums + at, load<f32>(sums + at) + v)
    store<f32>(numbers + at, load<f32>(numbers + at) + 1)
  }
}

/** dst = table[(value - black) × scale] as bytes; the index is kept inside the table of `entries` bytes; NaN → entry 0. */
export function stretchBytes(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  black: f32,
  scale: f32,
  table: usize,
  entries: i32,
): void {
  const to = rowTo * width
  const top = <f32>(entries - 1)
  for (let i = rowFrom * width; i < to; i++) {
    const t = (load<f32>(src + ((<usize>i) << 2)) - black) * scale
    const index: i32 = t > 0 ? (t < top ? <i32>t : entries - 1) : 0
    store<u8>(dst + <usize>i, load<u8>(table + <usize>index))
  }
}
