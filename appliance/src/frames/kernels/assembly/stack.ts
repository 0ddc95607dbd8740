import { ownScratch } from './thread'

// Many planes to one, pixel by pixel; see preprocessing/stack.ts. Four pixels at a time: every lane is its own pixel.

// @ts-ignore: decorator
@inline
function lanes(table: usize, k: i32, at: usize, factors: usize): v128 {
  const plane = <usize>load<u32>(table + ((<usize>k) << 2))
  return f32x4.mul(v128.load(plane + at), f32x4.splat(load<f32>(factors + ((<usize>k) << 2))))
}

/** Batcher's merge exchange (Knuth, volume 3, 5.2.2, algorithm M): sorts `count` vectors, each lane by itself. */
function sortLanes(values: usize, count: i32): void {
  let top: i32 = 1
  while (top < count) top <<= 1
  top >>= 1
  for (let p = top; p > 0; p >>= 1) {
    let q = top
    let r: i32 = 0
    let d = p
    while (true) {
      for (let i = 0; i < count - d; i++) {
        if ((i & p) != r) continue
        const low = values + ((<usize>i) << 4)
        const high = values + ((<usize>(i + d)) << 4)
        const a = v128.load(low)
        const b = v128.load(high)
        v128.store(low, f32x4.min(a, b))
        v128.store(high, f32x4.max(a, b))
      }
      if (q == p) break
      d = q - p
      q >>= 1
      r = p
    }
  }
}

// @ts-ignore: decorator
@inline
/** The value at a fraction of the sorted list, linear between neighbours. */
function quantile(values: usize, count: i32, fraction: f32): v128 {
  const place = fraction * <f32>(count - 1)
  const below = <i32>place
  const part = place - <f32>below
  const a = v128.load(values + ((<usize>below) << 4))
  const b = v128.load(values + ((<usize>min(below + 1, count - 1)) << 4))
  return f32x4.add(a, f32x4.mul(f32x4.splat(part), f32x4.sub(b, a)))
}

// @ts-ignore: decorator
@inline
/** Mean of what lies within kappa · sigma of the median; sigma is half of the central 68.27 %. */
function clippedMean(values: usize, count: i32, kappa: f32): v128 {
  const middle = quantile(values, count, 0.5)
  if (count < 5) return middle
  const spread = f32x4.sub(quantile(values, count, 0.8413447), quantile(values, count, 0.1586553))
  const limit = f32x4.mul(f32x4.splat(kappa * 0.5), spread)
  let sum = f32x4.splat(0)
  let kept = f32x4.splat(0)
  const one = f32x4.splat(1)
  for (let k = 0; k < count; k++) {
    const deviation = f32x4.sub(v128.load(values + ((<usize>k) << 4)), middle)
    const keep = f32x4.le(f32x4.abs(deviation), limit)
    sum = f32x4.add(sum, v128.and(deviation, keep))
    kept = f32x4.add(kept, v128.and(one, keep))
  }
  return f32x4.add(middle, f32x4.div(sum, kept))
}

/**
 * Clipped mean of `count` planes (a table of their pointers), each multiplied by its factor. Fewer than five planes give
 * the median. Planes are padded to a multiple of four pixels by the arena, so the last vector may be read whole.
 * Scratch: 16 bytes for each plane and thread.
 */
export function stackClipped(rowFrom: i32, rowTo: i32, table: usize, factors: usize, count: i32, out: usize, width: i32, kappa: f32, scratch: usize): void {
  const values = ownScratch(scratch, (<usize>count) << 4)
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i += 4) {
    const at = (<usize>i) << 2
    for (let k = 0; k < count; k++) v128.store(values + ((<usize>k) << 4), lanes(table, k, at, factors))
    sortLanes(values, count)
    const result = clippedMean(values, count, kappa)
    if (i + 4 <= to) {
      v128.store(out + at, result)
      continue
    }
    store<f32>(out + at, f32x4.extract_lane(result, 0))
    if (i + 1 < to) store<f32>(out + at + 4, f32x4.extract_lane(result, 1))
    if (i + 2 < to) store<f32>(out + at + 8, f32x4.extract_lane(result, 2))
  }
}
