import { ownScratch } from './thread'

// Many planes to one, pixel by pixel; see preprocessing/stack.ts. Sixteen pixels at a time, every lane its own pixel: the
// values of plane k are the vectors at `values` + 64 · k.

const vectors: i32 = 4

// @ts-ignore: decorator
@inline
function addressOf(values: usize, k: i32, vector: i32): usize {
  return values + ((<usize>k) << 6) + ((<usize>vector) << 4)
}

/** Loads `count` planes scaled, `wide` vectors of each. True when a value is not a number. */
function gather(table: usize, factors: usize, count: i32, at: usize, values: usize, wide: i32): bool {
  let strange = v128.splat<i32>(0)
  for (let k = 0; k < count; k++) {
    const plane = <usize>load<u32>(table + ((<usize>k) << 2)) + at
    const factor = v128.load32_splat(factors + ((<usize>k) << 2))
    for (let v = 0; v < wide; v++) {
      const value = f32x4.mul(v128.load(plane + ((<usize>v) << 4)), factor)
      strange = v128.or(strange, f32x4.ne(value, value))
      v128.store(addressOf(values, k, v), value)
    }
  }
  return v128.any_true(strange)
}

// @ts-ignore: decorator
@inline
function exchange(low: usize, high: usize): void {
  const a = v128.load(low)
  const b = v128.load(high)
  v128.store(low, f32x4.pmin(a, b))
  v128.store(high, f32x4.pmax(a, b))
}

/** Sorts each lane by a network: `pairs` of byte offsets, lower first. */
function sortLanes(values: usize, pairs: usize, pairCount: i32, wide: i32): void {
  const end = pairs + ((<usize>pairCount) << 3)
  for (let at = pairs; at < end; at += 8) {
    const low = values + <usize>load<u32>(at)
    const high = values + <usize>load<u32>(at, 4)
    if (wide == vectors) {
      exchange(low, high)
      exchange(low + 16, high + 16)
      exchange(low + 32, high + 32)
      exchange(low + 48, high + 48)
    } else exchange(low, high)
  }
}

// @ts-ignore: decorator
@inline
/** The value at a fraction of the sorted list, linear between neighbours. */
function quantile(values: usize, count: i32, vector: i32, fraction: f32): v128 {
  const place = fraction * <f32>(count - 1)
  const below = <i32>place
  const a = v128.load(addressOf(values, below, vector))
  const b = v128.load(addressOf(values, min(below + 1, count - 1), vector))
  return f32x4.add(a, f32x4.mul(f32x4.splat(place - <f32>below), f32x4.sub(b, a)))
}

// @ts-ignore: decorator
@inline
/** Mean of what lies within kappa · σ of the median: σ is half of the central 68.27 %, or the noise model's where that is more. */
function clippedMean(values: usize, count: i32, vector: i32, kappa: f32, floor: f32, shot: f32, least: i32): v128 {
  const middle = quantile(values, count, vector, 0.5)
  if (count < least) return middle
  const zero = f32x4.splat(0)
  const spread = f32x4.sub(quantile(values, count, vector, 0.8413447), quantile(values, count, vector, 0.1586553))
  const model = f32x4.sqrt(f32x4.add(f32x4.splat(floor), f32x4.mul(f32x4.splat(shot), f32x4.pmax(zero, middle))))
  const limit = f32x4.mul(f32x4.splat(kappa), f32x4.pmax(f32x4.mul(f32x4.splat(0.5), spread), model))
  let sum = zero
  let kept = zero
  const one = f32x4.splat(1)
  for (let k = 0; k < count; k++) {
    const deviation = f32x4.sub(v128.load(addressOf(values, k, vector)), middle)
    const keep = f32x4.le(f32x4.abs(deviation), limit)
    sum = f32x4.add(sum, v128.and(deviation, keep))
    kept = f32x4.add(kept, v128.and(one, keep))
  }
  return f32x4.add(middle, f32x4.div(sum, f32x4.pmax(one, kept)))
}

/** One pixel of which some planes have no value: the others count. NaN when there are none. */
function clippedPixel(table: usize, factors: usize, count: i32, at: usize, own: usize, kappa: f32, floor: f32, shot: f32, least: i32): f32 {
  let found = 0
  for (let k = 0; k < count; k++) {
    const value = load<f32>(<usize>load<u32>(table + ((<usize>k) << 2)) + at) * load<f32>(factors + ((<usize>k) << 2))
    if (value != value) continue
    let place = found++
    while (place > 0 && load<f32>(addressOf(own, place - 1, 0)) > value) {
      store<f32>(addressOf(own, place, 0), load<f32>(addressOf(own, place - 1, 0)))
      place--
    }
    store<f32>(addressOf(own, place, 0), value)
  }
  return found == 0 ? f32.NaN : f32x4.extract_lane(clippedMean(own, found, 0, kappa, floor, shot, least), 0)
}

/**
 * Clipped mean of `count` planes (a table of their pointers), each multiplied by its factor; values that are not numbers do
 * not count. Fewer than `least` values give the median. `floor` + `shot` · median is the least variance that σ is taken
 * from. Planes are padded to a multiple of four pixels by the arena, so the last vector may be read whole. Scratch:
 * `scratchBytes` ≥ 64 · count for each thread, a multiple of 128 so that threads do not share cache lines.
 */
export function stackClipped(
  rowFrom: i32,
  rowTo: i32,
  table: usize,
  factors: usize,
  count: i32,
  pairs: usize,
  pairCount: i32,
  out: usize,
  width: i32,
  kappa: f32,
  floor: f32,
  shot: f32,
  least: i32,
  scratch: usize,
  scratchBytes: usize,
): void {
  const values = ownScratch(scratch, scratchBytes)
  const to = rowTo * width
  let i = rowFrom * width
  while (i < to) {
    const at = (<usize>i) << 2
    const wide = i + 4 * vectors <= to ? vectors : 1
    const pixels = min(4 * wide, to - i)
    if (gather(table, factors, count, at, values, wide)) {
      for (let j = 0; j < pixels; j++) {
        const here = at + ((<usize>j) << 2)
        store<f32>(out + here, clippedPixel(table, factors, count, here, values, kappa, floor, shot, least))
      }
      i += pixels
      continue
    }
    sortLanes(values, pairs, pairCount, wide)
    for (let v = 0; v < wide; v++) {
      const result = clippedMean(values, count, v, kappa, floor, shot, least)
      const here = out + at + ((<usize>v) << 4)
      if (pixels >= 4) {
        v128.store(here, result)
        continue
      }
      store<f32>(here, f32x4.extract_lane(result, 0))
      if (pixels > 1) store<f32>(here, f32x4.extract_lane(result, 1), 4)
      if (pixels > 2) store<f32>(here, f32x4.extract_lane(result, 2), 8)
    }
    i += pixels
  }
}
