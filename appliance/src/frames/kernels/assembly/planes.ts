// Passes over whole planes that are nothing but memory traffic. Masks are rows of uint16 bits (frames/mask.ts).

/**
 * Per row, 4 float32: least and greatest finite value off the pixels with any bit of `exclude` (+∞ and −∞ without any), how
 * many pixels have a bit of `first`, how many have a bit of `second`.
 */
export function rowFacts(
  rowFrom: i32,
  rowTo: i32,
  plane: usize,
  mask: usize,
  width: i32,
  exclude: i32,
  first: i32,
  second: i32,
  out: usize,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const row = <usize>y * <usize>width
    let least: f32 = Infinity
    let greatest: f32 = -Infinity
    let firsts = 0
    let seconds = 0
    let lows = f32x4.splat(Infinity)
    let highs = f32x4.splat(-Infinity)
    const zero = f32x4.splat(0)
    let x = 0
    for (; x + 4 <= width; x += 4) {
      const v = v128.load(plane + ((row + <usize>x) << 2))
      const bits = load<u64>(mask + ((row + <usize>x) << 1))
      if (bits == 0 && i32x4.all_true(f32x4.eq(f32x4.sub(v, v), zero))) {
        lows = f32x4.pmin(lows, v)
        highs = f32x4.pmax(highs, v)
        continue
      }
      for (let k = 0; k < 4; k++) {
        const flags = <i32>((bits >> (<u64>k << 4)) & 0xffff)
        if ((flags & first) != 0) firsts++
        if ((flags & second) != 0) seconds++
        const value = load<f32>(plane + ((row + <usize>(x + k)) << 2))
        if ((flags & exclude) != 0 || value - value != 0) continue
        least = min(least, value)
        greatest = max(greatest, value)
      }
    }
    for (; x < width; x++) {
      const flags = <i32>load<u16>(mask + ((row + <usize>x) << 1))
      if ((flags & first) != 0) firsts++
      if ((flags & second) != 0) seconds++
      const value = load<f32>(plane + ((row + <usize>x) << 2))
      if ((flags & exclude) != 0 || value - value != 0) continue
      least = min(least, value)
      greatest = max(greatest, value)
    }
    least = min(least, min(min(f32x4.extract_lane(lows, 0), f32x4.extract_lane(lows, 1)), min(f32x4.extract_lane(lows, 2), f32x4.extract_lane(lows, 3))))
    greatest = max(greatest, max(max(f32x4.extract_lane(highs, 0), f32x4.extract_lane(highs, 1)), max(f32x4.extract_lane(highs, 2), f32x4.extract_lane(highs, 3))))
    const at = out + (<usize>y << 4)
    store<f32>(at, least)
    store<f32>(at, greatest, 4)
    store<f32>(at, <f32>firsts, 8)
    store<f32>(at, <f32>seconds, 12)
  }
}

/** All bits of both masks. */
export function uniteMasks(rowFrom: i32, rowTo: i32, one: usize, other: usize, out: usize, width: i32): void {
  const to = <usize>(rowTo * width) << 1
  let i = <usize>(rowFrom * width) << 1
  for (; i + 16 <= to; i += 16) v128.store(out + i, v128.or(v128.load(one + i), v128.load(other + i)))
  for (; i < to; i += 2) store<u16>(out + i, load<u16>(one + i) | load<u16>(other + i))
}

/** Multiplies `one` by `factor`, and sets `one` and `other` to 0 where the mask has any bit of `missing`. */
export function clearPair(
  rowFrom: i32,
  rowTo: i32,
  one: usize,
  other: usize,
  mask: usize,
  width: i32,
  factor: f32,
  missing: i32,
): void {
  const to = rowTo * width
  let i = rowFrom * width
  const by = f32x4.splat(factor)
  const wanted = i16x8.splat(<i16>missing)
  for (; i + 8 <= to; i += 8) {
    const at = <usize>i << 2
    if (factor != 1) {
      v128.store(one + at, f32x4.mul(v128.load(one + at), by))
      v128.store(one + at, f32x4.mul(v128.load(one + at, 16), by), 16)
    }
    if (!v128.any_true(v128.and(v128.load(mask + (<usize>i << 1)), wanted))) continue
    for (let j = i; j < i + 8; j++) clearPixel(one, other, mask, j, missing)
  }
  for (; i < to; i++) {
    store<f32>(one + (<usize>i << 2), load<f32>(one + (<usize>i << 2)) * factor)
    clearPixel(one, other, mask, i, missing)
  }
}

function clearPixel(one: usize, other: usize, mask: usize, i: i32, missing: i32): void {
  if (((<i32>load<u16>(mask + (<usize>i << 1))) & missing) == 0) return
  store<f32>(one + (<usize>i << 2), 0)
  store<f32>(other + (<usize>i << 2), 0)
}

/** Per row, how many pixels reach `threshold` in magnitude (one int32). */
export function countLoud(rowFrom: i32, rowTo: i32, plane: usize, width: i32, threshold: f32, counts: usize): void {
  const bar = f32x4.splat(threshold)
  for (let y = rowFrom; y < rowTo; y++) {
    const row = plane + ((<usize>y * <usize>width) << 2)
    let count = 0
    let x = 0
    for (; x + 4 <= width; x += 4) {
      count += popcnt<i32>(i32x4.bitmask(f32x4.ge(f32x4.abs(v128.load(row + (<usize>x << 2))), bar)))
    }
    for (; x < width; x++) if (abs(load<f32>(row + (<usize>x << 2))) >= threshold) count++
    store<i32>(counts + (<usize>y << 2), count)
  }
}

/** The indices of the pixels that `countLoud` counted, each row from its place in `out` (`starts`, in items). */
export function listLoud(
  rowFrom: i32,
  rowTo: i32,
  plane: usize,
  width: i32,
  threshold: f32,
  starts: usize,
  out: usize,
): void {
  const bar = f32x4.splat(threshold)
  for (let y = rowFrom; y < rowTo; y++) {
    const first = y * width
    let to = out + (<usize>load<i32>(starts + (<usize>y << 2)) << 2)
    let x = 0
    for (; x + 4 <= width; x += 4) {
      const at = plane + (<usize>(first + x) << 2)
      if (!v128.any_true(f32x4.ge(f32x4.abs(v128.load(at)), bar))) continue
      for (let k = 0; k < 4; k++) {
        if (!(abs(load<f32>(at + (<usize>k << 2))) >= threshold)) continue
        store<i32>(to, first + x + k)
        to += 4
      }
    }
    for (; x < width; x++) {
      const value = load<f32>(plane + (<usize>(first + x) << 2))
      if (!(abs(value) >= threshold)) continue
      store<i32>(to, first + x)
      to += 4
    }
  }
}

/** Per row, how many pixels have a bit of `bits` in the mask or no finite value (one int32). */
export function countSpoilt(
  rowFrom: i32,
  rowTo: i32,
  plane: usize,
  mask: usize,
  width: i32,
  bits: i32,
  counts: usize,
): void {
  for (let y = rowFrom; y < rowTo; y++) store<i32>(counts + (<usize>y << 2), spoiltInRow(plane, mask, y, width, bits, 0))
}

/** The indices of the pixels that `countSpoilt` counted, each row from its place in `out` (`starts`, in items). */
export function listSpoilt(
  rowFrom: i32,
  rowTo: i32,
  plane: usize,
  mask: usize,
  width: i32,
  bits: i32,
  starts: usize,
  out: usize,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    spoiltInRow(plane, mask, y, width, bits, out + (<usize>load<i32>(starts + (<usize>y << 2)) << 2))
  }
}

/** Counts; writes the indices too when `to` is not 0. */
function spoiltInRow(plane: usize, mask: usize, y: i32, width: i32, bits: i32, to: usize): i32 {
  const first = y * width
  const wanted = i16x8.splat(<i16>bits)
  const zero = f32x4.splat(0)
  let count = 0
  let x = 0
  while (x < width) {
    if (x + 8 <= width) {
      const at = plane + (<usize>(first + x) << 2)
      const a = v128.load(at)
      const b = v128.load(at, 16)
      const finite = v128.and(f32x4.eq(f32x4.sub(a, a), zero), f32x4.eq(f32x4.sub(b, b), zero))
      const marked = v128.any_true(v128.and(v128.load(mask + (<usize>(first + x) << 1)), wanted))
      if (!marked && i32x4.all_true(finite)) {
        x += 8
        continue
      }
    }
    const end = min(x + 8, width)
    for (; x < end; x++) {
      const value = load<f32>(plane + (<usize>(first + x) << 2))
      if (((<i32>load<u16>(mask + (<usize>(first + x) << 1))) & bits) == 0 && value - value == 0) continue
      if (to != 0) store<i32>(to + (<usize>count << 2), first + x)
      count++
    }
  }
  return count
}
