// Small convolutions. Beyond the border the nearest pixel is repeated. Kernel taps lie in the order in which they are
// applied: the caller has already turned them round.
import { ownScratch } from './thread'

// @ts-ignore: decorator
@inline
function clampRow(y: i32, height: i32): i32 {
  return y < 0 ? 0 : y >= height ? height - 1 : y
}

/**
 * Separable: columns then rows, fused, one row at a time. `tapsX` and `tapsY` have 2r+1 float32. `scratch`: for each thread
 * width + 2 radiusX + 16 float32.
 */
export function convolveSeparable(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  height: i32,
  tapsX: usize,
  radiusX: i32,
  tapsY: usize,
  radiusY: i32,
  scratch: usize,
): void {
  const bytes = (<usize>(width + 2 * radiusX + 16)) << 2
  const buffer = ownScratch(scratch, bytes)
  const middle = buffer + ((<usize>radiusX) << 2)
  for (let y = rowFrom; y < rowTo; y++) {
    if (y >= radiusY && y + radiusY < height) {
      columnTaps(src + (((<usize>(y - radiusY)) * <usize>width) << 2), middle, width, tapsY, radiusY)
    } else columnTapsBorder(src, middle, width, height, y, tapsY, radiusY)
    const first = load<f32>(middle)
    const last = load<f32>(middle + ((<usize>(width - 1)) << 2))
    for (let i = 0; i < radiusX; i++) {
      store<f32>(buffer + ((<usize>i) << 2), first)
      store<f32>(middle + ((<usize>(width + i)) << 2), last)
    }
    rowTaps(buffer, dst + (((<usize>y) * <usize>width) << 2), width, tapsX, 2 * radiusX + 1)
  }
}

/** Weighted sum of 2r+1 whole rows, the first at `src`. */
function columnTaps(src: usize, dst: usize, width: i32, taps: usize, radius: i32): void {
  const count = 2 * radius + 1
  const stride = (<usize>width) << 2
  let x = 0
  for (; x + 16 <= width; x += 16) {
    let from = src + ((<usize>x) << 2)
    let a = f32x4.splat(0)
    let b = a
    let c = a
    let d = a
    for (let j = 0; j < count; j++) {
      const tap = v128.load32_splat(taps + ((<usize>j) << 2))
      a = f32x4.add(a, f32x4.mul(tap, v128.load(from)))
      b = f32x4.add(b, f32x4.mul(tap, v128.load(from, 16)))
      c = f32x4.add(c, f32x4.mul(tap, v128.load(from, 32)))
      d = f32x4.add(d, f32x4.mul(tap, v128.load(from, 48)))
      from += stride
    }
    const to = dst + ((<usize>x) << 2)
    v128.store(to, a)
    v128.store(to, b, 16)
    v128.store(to, c, 32)
    v128.store(to, d, 48)
  }
  for (; x < width; x++) {
    let sum: f32 = 0
    let from = src + ((<usize>x) << 2)
    for (let j = 0; j < count; j++) {
      sum += load<f32>(taps + ((<usize>j) << 2)) * load<f32>(from)
      from += stride
    }
    store<f32>(dst + ((<usize>x) << 2), sum)
  }
}

function columnTapsBorder(src: usize, dst: usize, width: i32, height: i32, y: i32, taps: usize, radius: i32): void {
  for (let x = 0; x < width; x++) {
    let sum: f32 = 0
    for (let j = -radius; j <= radius; j++) {
      const at = <usize>clampRow(y + j, height) * <usize>width + <usize>x
      sum += load<f32>(taps + ((<usize>(j + radius)) << 2)) * load<f32>(src + (at << 2))
    }
    store<f32>(dst + ((<usize>x) << 2), sum)
  }
}

/** dst[x] = sum of taps[i] src[x + i]; `src` is the left end of the padded row. */
function rowTaps(src: usize, dst: usize, width: i32, taps: usize, count: i32): void {
  let x = 0
  for (; x + 16 <= width; x += 16) {
    let from = src + ((<usize>x) << 2)
    let a = f32x4.splat(0)
    let b = a
    let c = a
    let d = a
    for (let i = 0; i < count; i++) {
      const tap = v128.load32_splat(taps + ((<usize>i) << 2))
      a = f32x4.add(a, f32x4.mul(tap, v128.load(from)))
      b = f32x4.add(b, f32x4.mul(tap, v128.load(from, 16)))
      c = f32x4.add(c, f32x4.mul(tap, v128.load(from, 32)))
      d = f32x4.add(d, f32x4.mul(tap, v128.load(from, 48)))
      from += 4
    }
    const to = dst + ((<usize>x) << 2)
    v128.store(to, a)
    v128.store(to, b, 16)
    v128.store(to, c, 32)
    v128.store(to, d, 48)
  }
  for (; x < width; x++) {
    let sum: f32 = 0
    const from = src + ((<usize>x) << 2)
    for (let i = 0; i < count; i++) sum += load<f32>(taps + ((<usize>i) << 2)) * load<f32>(from + ((<usize>i) << 2))
    store<f32>(dst + ((<usize>x) << 2), sum)
  }
}

/** Copies a plane into one with `radiusX` columns and `radiusY` rows more on each side, repeating the border. Rows: padded. */
export function padRepeat(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  height: i32,
  radiusX: i32,
  radiusY: i32,
): void {
  const padded = width + 2 * radiusX
  for (let y = rowFrom; y < rowTo; y++) {
    const from = src + (((<usize>clampRow(y - radiusY, height)) * <usize>width) << 2)
    const to = dst + (((<usize>y) * <usize>padded) << 2)
    memory.copy(to + ((<usize>radiusX) << 2), from, (<usize>width) << 2)
    const first = load<f32>(from)
    const last = load<f32>(from + ((<usize>(width - 1)) << 2))
    for (let i = 0; i < radiusX; i++) {
      store<f32>(to + ((<usize>i) << 2), first)
      store<f32>(to + ((<usize>(radiusX + width + i)) << 2), last)
    }
  }
}

/** dst = `taps` (countX × countY) applied to a padded plane of width + countX - 1 columns. */
export function convolvePadded(
  rowFrom: i32,
  rowTo: i32,
  padded: usize,
  dst: usize,
  width: i32,
  taps: usize,
  countX: i32,
  countY: i32,
): void {
  const stride = (<usize>(width + countX - 1)) << 2
  for (let y = rowFrom; y < rowTo; y++) {
    const top = padded + <usize>y * stride
    const out = dst + (((<usize>y) * <usize>width) << 2)
    let x = 0
    for (; x + 16 <= width; x += 16) {
      let a = f32x4.splat(0)
      let b = a
      let c = a
      let d = a
      let tap = taps
      for (let j = 0; j < countY; j++) {
        let from = top + <usize>j * stride + ((<usize>x) << 2)
        for (let i = 0; i < countX; i++) {
          const weight = v128.load32_splat(tap)
          a = f32x4.add(a, f32x4.mul(weight, v128.load(from)))
          b = f32x4.add(b, f32x4.mul(weight, v128.load(from, 16)))
          c = f32x4.add(c, f32x4.mul(weight, v128.load(from, 32)))
          d = f32x4.add(d, f32x4.mul(weight, v128.load(from, 48)))
          from += 4
          tap += 4
        }
      }
      const to = out + ((<usize>x) << 2)
      v128.store(to, a)
      v128.store(to, b, 16)
      v128.store(to, c, 32)
      v128.store(to, d, 48)
    }
    for (; x < width; x++) {
      let sum: f32 = 0
      let tap = taps
      for (let j = 0; j < countY; j++) {
        const from = top + <usize>j * stride + ((<usize>x) << 2)
        for (let i = 0; i < countX; i++) {
          sum += load<f32>(tap) * load<f32>(from + ((<usize>i) << 2))
          tap += 4
        }
      }
      store<f32>(out + ((<usize>x) << 2), sum)
    }
  }
}
