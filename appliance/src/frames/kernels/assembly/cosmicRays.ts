import { ownScratch } from './thread'

// The parts of L.A.Cosmic (van Dokkum 2001, PASP 113, 1420); see preprocessing/cosmicRays.ts.

// @ts-ignore: decorator
@inline
function middle3(a: v128, b: v128, c: v128): v128 {
  return f32x4.max(f32x4.min(a, b), f32x4.min(f32x4.max(a, b), c))
}

// @ts-ignore: decorator
@inline
function middle5(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  const lowHigh = f32x4.max(f32x4.min(a, b), f32x4.min(c, d))
  const highLow = f32x4.min(f32x4.max(a, b), f32x4.max(c, d))
  return middle3(e, lowHigh, highLow)
}

// @ts-ignore: decorator
@inline
function middle7(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128): v128 {
  // Drops the least and the greatest of six, then of the five that are left, and so on.
  let low = f32x4.min(a, b)
  let high = f32x4.max(a, b)
  const c1 = f32x4.min(c, d)
  const d1 = f32x4.max(c, d)
  const e1 = f32x4.min(e, f)
  const f1 = f32x4.max(e, f)
  // Least of the three lows and greatest of the three highs leave the game.
  const l1 = f32x4.min(low, c1)
  const l2 = f32x4.max(low, c1)
  const l3 = f32x4.max(l1, e1)
  const h1 = f32x4.max(high, d1)
  const h2 = f32x4.min(high, d1)
  const h3 = f32x4.min(h1, f1)
  // Five are left: l2, l3, h2, h3 and g.
  return middle5(l2, l3, h2, h3, g)
}

/** Median of 3, 5 or 7 pixels along x or y; at the borders the nearest pixel is repeated. */
export function medianLine(
  rowFrom: i32, rowTo: i32, source: usize, out: usize, width: i32, height: i32, size: i32, alongY: i32, scratch: usize,
  scratchBytes: usize,
): void {
  const reach = size >> 1
  const padded = ownScratch(scratch, scratchBytes) + 64
  for (let y = rowFrom; y < rowTo; y++) {
    const target = out + ((<usize>y * <usize>width) << 2)
    if (alongY != 0) {
      for (let x = 0; x < width; x += 4) {
        const at = <usize>max(0, min(x, width - 4)) << 2
        v128.store(target + at, medianDown(source, at, y, width, height, size))
      }
    } else {
      const row = source + ((<usize>y * <usize>width) << 2)
      memory.copy(padded, row, (<usize>width) << 2)
      for (let k = 1; k <= reach; k++) {
        store<f32>(padded - ((<usize>k) << 2), load<f32>(row))
        store<f32>(padded + ((<usize>(width - 1 + k)) << 2), load<f32>(row + ((<usize>(width - 1)) << 2)))
      }
      for (let x = 0; x < width; x += 4) {
        const at = <usize>max(0, min(x, width - 4)) << 2
        v128.store(target + at, medianAlong(padded + at, 4, size))
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function rowOf(source: usize, y: i32, width: i32, height: i32): usize {
  return source + ((<usize>max(0, min(height - 1, y)) * <usize>width) << 2)
}

function medianDown(source: usize, at: usize, y: i32, width: i32, height: i32, size: i32): v128 {
  const b = v128.load(rowOf(source, y - 1, width, height) + at)
  const c = v128.load(rowOf(source, y, width, height) + at)
  const d = v128.load(rowOf(source, y + 1, width, height) + at)
  if (size == 3) return middle3(b, c, d)
  const a = v128.load(rowOf(source, y - 2, width, height) + at)
  const e = v128.load(rowOf(source, y + 2, width, height) + at)
  if (size == 5) return middle5(a, b, c, d, e)
  const f = v128.load(rowOf(source, y - 3, width, height) + at)
  const g = v128.load(rowOf(source, y + 3, width, height) + at)
  return middle7(a, b, c, d, e, f, g)
}

function medianAlong(at: usize, step: usize, size: i32): v128 {
  const b = v128.load(at - step)
  const c = v128.load(at)
  const d = v128.load(at + step)
  if (size == 3) return middle3(b, c, d)
  const a = v128.load(at - 2 * step)
  const e = v128.load(at + 2 * step)
  if (size == 5) return middle5(a, b, c, d, e)
  return middle7(a, b, c, d, e, v128.load(at - 3 * step), v128.load(at + 3 * step))
}

/**
 * The Laplacian of an image whose pixels were halved, its negative parts cut off, gathered back (van Dokkum 2001, eq. 6–9):
 * the mean over a pixel's four corners of max(0, 2·pixel − its two neighbours there). `score` = Laplacian / (2 · noise) with
 * noise² = median5 · perElectron + readVariance, or the variance plane where there is one.
 */
export function cosmicLaplacian(
  rowFrom: i32, rowTo: i32, image: usize, median5: usize, variance: usize, laplacian: usize, score: usize, width: i32,
  height: i32, perElectron: f32, readVariance: f32,
): void {
  const zero = f32x4.splat(0)
  const quarter = f32x4.splat(0.25)
  for (let y = rowFrom; y < rowTo; y++) {
    const row = rowOf(image, y, width, height)
    const above = rowOf(image, y - 1, width, height)
    const below = rowOf(image, y + 1, width, height)
    const offset = (<usize>y * <usize>width) << 2
    for (let x = 0; x < width; x += 4) {
      const x0 = max(1, min(x, width - 5))
      const at = (<usize>x0) << 2
      const v = v128.load(row + at)
      const twice = f32x4.add(v, v)
      const left = f32x4.sub(twice, v128.load(row + at - 4))
      const right = f32x4.sub(twice, v128.load(row + at + 4))
      const up = v128.load(above + at)
      const down = v128.load(below + at)
      let sum = f32x4.max(zero, f32x4.sub(left, up))
      sum = f32x4.add(sum, f32x4.max(zero, f32x4.sub(left, down)))
      sum = f32x4.add(sum, f32x4.max(zero, f32x4.sub(right, up)))
      sum = f32x4.add(sum, f32x4.max(zero, f32x4.sub(right, down)))
      const l = f32x4.mul(sum, quarter)
      let noise = v128.load(median5 + offset + at)
      noise = f32x4.add(f32x4.mul(f32x4.max(zero, noise), f32x4.splat(perElectron)), f32x4.splat(readVariance))
      if (variance != 0) noise = v128.load(variance + offset + at)
      v128.store(laplacian + offset + at, l)
      v128.store(score + offset + at, f32x4.div(l, f32x4.mul(f32x4.splat(2), f32x4.sqrt(noise))))
    }
    // The outermost columns have no neighbour on one side.
    store<f32>(score + offset, 0)
    store<f32>(score + offset + ((<usize>(width - 1)) << 2), 0)
    store<f32>(laplacian + offset, 0)
    store<f32>(laplacian + offset + ((<usize>(width - 1)) << 2), 0)
  }
}

/**
 * candidates: 2 where score − its median exceeds `limit`, 3 where the Laplacian exceeds `contrast` times the fine structure
 * (median3 − its median7, at least `leastFine`) as well; 1 where only score − median > `lowLimit`; else 0.
 */
export function cosmicCandidates(
  rowFrom: i32, rowTo: i32, score: usize, scoreMedian: usize, laplacian: usize, median3: usize, median37: usize,
  mask: usize, guard: i32, out: usize, width: i32, limit: f32, lowLimit: f32, contrast: f32, leastFine: f32,
): void {
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    const at = (<usize>i) << 2
    const s = load<f32>(score + at) - load<f32>(scoreMedian + at)
    let found: u8 = 0
    if (s > lowLimit && (<i32>load<u16>(mask + (at >> 1)) & guard) == 0) {
      found = 1
      const fine = Mathf.max(leastFine, load<f32>(median3 + at) - load<f32>(median37 + at))
      if (s > limit) found = load<f32>(laplacian + at) > contrast * fine ? 3 : 2
    }
    store<u8>(out + <usize>i, found)
  }
}
