// Quintic B-spline resampling, tile by tile, so that all of the work stays in the cache and no full-frame plane of
// coefficients is needed: the part of the source that a tile of the output looks at (its box) is copied with a halo,
// filtered recursively along rows and columns (Unser, Aldroubi & Eden 1993, part II), and read with 6 x 6 taps. Tiles do
// not depend on how threads share them, so neither do the bits.

import { ownScratch } from './thread'

const Z1: f32 = -0.43057534709997379
const Z2: f32 = -0.04309628820326465
// The gain of the filter, (1 - z1)(1 - 1/z1)(1 - z2)(1 - 1/z2) = 120, and the 1/120 of the taps cancel: neither is applied.
// Steady states for a constant signal: the recursions start as if the first value went on for ever.
const START1: f32 = 1 / (1 - Z1)
const START2: f32 = START1 / (1 - Z2)
const END1: f32 = -Z1 / (1 - Z1)
const END2: f32 = -Z2 / (1 - Z2)

// Numbers of a tile in its table, int32 each: see warp.ts of differencing.
const TILE_INTS: i32 = 10

// @ts-ignore: decorator
@inline
function term(p: usize, k: i32): f64 {
  return load<f64>(p + ((<usize>k) << 3))
}

// @ts-ignore: decorator
@inline
function integer(p: usize, k: i32): i32 {
  return load<i32>(p + ((<usize>k) << 2))
}

/** Index in [0, n) of `k` when the samples are mirrored about the first and the last. */
function mirrored(k: i32, n: i32): i32 {
  if (n == 1) return 0
  const period = 2 * (n - 1)
  let m = k % period
  if (m < 0) m += period
  return m < n ? m : period - m
}

// @ts-ignore: decorator
@inline
function isSpoilt(value: f32, bits: u32, replaced: u32): bool {
  return (bits & replaced) != 0 || value - value != 0
}

/** Mean of the good ones among the eight neighbours of a pixel that holds no sky; 0 without any or outside the data. */
function goodMean(science: usize, mask: usize, width: i32, height: i32, x: i32, y: i32, replaced: u32, noData: u32): f32 {
  if ((<u32>load<u16>(mask + ((<usize>(y * width + x)) << 1)) & noData) != 0) return 0
  let sum: f32 = 0
  let count: f32 = 0
  for (let v = max(0, y - 1); v <= min(height - 1, y + 1); v++) {
    for (let u = max(0, x - 1); u <= min(width - 1, x + 1); u++) {
      const index = <usize>(v * width + u)
      const value = load<f32>(science + (index << 2))
      if (isSpoilt(value, <u32>load<u16>(mask + (index << 1)), replaced)) continue
      sum += value
      count += 1
    }
  }
  return count > 0 ? sum / count : 0
}

/**
 * Fills row `r` of the box: columns 0 .. boxWidth of source row `y` from source column `bx` on, mirrored at the frame's
 * edges, turned round when `flip`. Values without sky are replaced. Returns the bits that were met.
 */
function fillRow(
  box: usize,
  boxMask: usize,
  boxVariance: usize,
  boxWidth: i32,
  bx: i32,
  y: i32,
  flip: bool,
  science: usize,
  mask: usize,
  variance: usize,
  width: i32,
  height: i32,
  replaced: u32,
  noData: u32,
): u32 {
  const rowStart = <usize>y * <usize>width
  const replaced8 = i16x8.splat(<i16>replaced)
  let met: u32 = 0
  let met8 = i16x8.splat(0)
  let k = 0
  while (k < boxWidth) {
    const sx = flip ? bx + boxWidth - 1 - k : bx + k
    const lowest = flip ? sx - 7 : sx
    if (lowest >= 0 && lowest + 8 <= width && k + 8 <= boxWidth) {
      const at = rowStart + <usize>lowest
      let bits = v128.load(mask + (at << 1))
      let a = v128.load(science + (at << 2))
      let b = v128.load(science + (at << 2), 16)
      const bad = v128.or(f32x4.ne(f32x4.sub(a, a), f32x4.splat(0)), f32x4.ne(f32x4.sub(b, b), f32x4.splat(0)))
      if (!v128.any_true(v128.or(v128.and(bits, replaced8), bad))) {
        met8 = v128.or(met8, bits)
        if (flip) {
          const c = v128.shuffle<f32>(b, b, 3, 2, 1, 0)
          b = v128.shuffle<f32>(a, a, 3, 2, 1, 0)
          a = c
          bits = v128.shuffle<i16>(bits, bits, 7, 6, 5, 4, 3, 2, 1, 0)
        }
        const out = box + ((<usize>k) << 2)
        v128.store(out, a)
        v128.store(out, b, 16)
        v128.store(boxMask + ((<usize>k) << 1), bits)
        if (boxVariance) {
          a = v128.load(variance + (at << 2))
          b = v128.load(variance + (at << 2), 16)
          if (flip) {
            const c = v128.shuffle<f32>(b, b, 3, 2, 1, 0)
            b = v128.shuffle<f32>(a, a, 3, 2, 1, 0)
            a = c
          }
          v128.store(boxVariance + ((<usize>k) << 2), a)
          v128.store(boxVariance + ((<usize>k) << 2), b, 16)
        }
        k += 8
        continue
      }
    }
    const stop = min(k + 8, boxWidth)
    for (; k < stop; k++) {
      const x = mirrored(flip ? bx + boxWidth - 1 - k : bx + k, width)
      const at = rowStart + <usize>x
      const bits = <u32>load<u16>(mask + (at << 1))
      let value = load<f32>(science + (at << 2))
      if (isSpoilt(value, bits, replaced)) value = goodMean(science, mask, width, height, x, y, replaced, noData)
      met |= bits
      store<f32>(box + ((<usize>k) << 2), value)
      store<u16>(boxMask + ((<usize>k) << 1), <u16>bits)
      if (boxVariance) store<f32>(boxVariance + ((<usize>k) << 2), load<f32>(variance + (at << 2)))
    }
  }
  if (v128.any_true(met8)) met |= 0x10000
  return met
}

// @ts-ignore: decorator
@inline
/** Two steps transpose a 4 x 4 block: lane k of row i becomes lane i of column k. */
function low2(a: v128, b: v128): v128 {
  return v128.shuffle<f32>(a, b, 0, 4, 1, 5)
}

// @ts-ignore: decorator
@inline
function high2(a: v128, b: v128): v128 {
  return v128.shuffle<f32>(a, b, 2, 6, 3, 7)
}

// @ts-ignore: decorator
@inline
function firstHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 0, 2)
}

// @ts-ignore: decorator
@inline
function lastHalves(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 1, 3)
}

// @ts-ignore: decorator
@inline
function causal(previous: v128, input: v128, z: f32): v128 {
  return f32x4.add(input, f32x4.mul(f32x4.splat(z), previous))
}

// @ts-ignore: decorator
@inline
function anticausal(next: v128, input: v128, z: f32): v128 {
  return f32x4.mul(f32x4.splat(z), f32x4.sub(next, input))
}

/** Both poles along eight rows at once; `lanes` holds 8 samples a column between the two directions. `n` is a multiple of 4. */
function filterEightRows(base: usize, line: usize, n: i32, lanes: usize): void {
  const lower = base + 4 * line
  let first = v128.load32_zero(base)
  first = v128.load32_lane(base + line, first, 1)
  first = v128.load32_lane(base + 2 * line, first, 2)
  first = v128.load32_lane(base + 3 * line, first, 3)
  let second = v128.load32_zero(lower)
  second = v128.load32_lane(lower + line, second, 1)
  second = v128.load32_lane(lower + 2 * line, second, 2)
  second = v128.load32_lane(lower + 3 * line, second, 3)
  let p1 = f32x4.mul(first, f32x4.splat(START1))
  let p2 = f32x4.mul(first, f32x4.splat(START2))
  let q1 = f32x4.mul(second, f32x4.splat(START1))
  let q2 = f32x4.mul(second, f32x4.splat(START2))
  for (let k = 0; k < n; k += 4) {
    const p = base + ((<usize>k) << 2)
    const q = lower + ((<usize>k) << 2)
    const out = lanes + ((<usize>k) << 5)
    let a = v128.load(p)
    let b = v128.load(p + line)
    let c = v128.load(p + 2 * line)
    let d = v128.load(p + 3 * line)
    let ab = low2(a, b)
    let cd = low2(c, d)
    let ab2 = high2(a, b)
    let cd2 = high2(c, d)
    const p0 = firstHalves(ab, cd)
    const pA = lastHalves(ab, cd)
    const pB = firstHalves(ab2, cd2)
    const pC = lastHalves(ab2, cd2)
    a = v128.load(q)
    b = v128.load(q + line)
    c = v128.load(q + 2 * line)
    d = v128.load(q + 3 * line)
    ab = low2(a, b)
    cd = low2(c, d)
    ab2 = high2(a, b)
    cd2 = high2(c, d)
    const q0 = firstHalves(ab, cd)
    const qA = lastHalves(ab, cd)
    const qB = firstHalves(ab2, cd2)
    const qC = lastHalves(ab2, cd2)
    p1 = causal(p1, p0, Z1)
    q1 = causal(q1, q0, Z1)
    p2 = causal(p2, p1, Z2)
    q2 = causal(q2, q1, Z2)
    v128.store(out, p2)
    v128.store(out, q2, 16)
    p1 = causal(p1, pA, Z1)
    q1 = causal(q1, qA, Z1)
    p2 = causal(p2, p1, Z2)
    q2 = causal(q2, q1, Z2)
    v128.store(out, p2, 32)
    v128.store(out, q2, 48)
    p1 = causal(p1, pB, Z1)
    q1 = causal(q1, qB, Z1)
    p2 = causal(p2, p1, Z2)
    q2 = causal(q2, q1, Z2)
    v128.store(out, p2, 64)
    v128.store(out, q2, 80)
    p1 = causal(p1, pC, Z1)
    q1 = causal(q1, qC, Z1)
    p2 = causal(p2, p1, Z2)
    q2 = causal(q2, q1, Z2)
    v128.store(out, p2, 96)
    v128.store(out, q2, 112)
  }
  p1 = f32x4.mul(p2, f32x4.splat(END1))
  p2 = f32x4.mul(p1, f32x4.splat(END2))
  q1 = f32x4.mul(q2, f32x4.splat(END1))
  q2 = f32x4.mul(q1, f32x4.splat(END2))
  for (let k = n - 4; k >= 0; k -= 4) {
    const p = base + ((<usize>k) << 2)
    const q = lower + ((<usize>k) << 2)
    const from = lanes + ((<usize>k) << 5)
    p1 = anticausal(p1, v128.load(from, 96), Z1)
    q1 = anticausal(q1, v128.load(from, 112), Z1)
    p2 = anticausal(p2, p1, Z2)
    q2 = anticausal(q2, q1, Z2)
    const pC = p2
    const qC = q2
    p1 = anticausal(p1, v128.load(from, 64), Z1)
    q1 = anticausal(q1, v128.load(from, 80), Z1)
    p2 = anticausal(p2, p1, Z2)
    q2 = anticausal(q2, q1, Z2)
    const pB = p2
    const qB = q2
    p1 = anticausal(p1, v128.load(from, 32), Z1)
    q1 = anticausal(q1, v128.load(from, 48), Z1)
    p2 = anticausal(p2, p1, Z2)
    q2 = anticausal(q2, q1, Z2)
    const pA = p2
    const qA = q2
    p1 = anticausal(p1, v128.load(from), Z1)
    q1 = anticausal(q1, v128.load(from, 16), Z1)
    p2 = anticausal(p2, p1, Z2)
    q2 = anticausal(q2, q1, Z2)
    let ab = low2(p2, pA)
    let cd = low2(pB, pC)
    let ab2 = high2(p2, pA)
    let cd2 = high2(pB, pC)
    v128.store(p, firstHalves(ab, cd))
    v128.store(p + line, lastHalves(ab, cd))
    v128.store(p + 2 * line, firstHalves(ab2, cd2))
    v128.store(p + 3 * line, lastHalves(ab2, cd2))
    ab = low2(q2, qA)
    cd = low2(qB, qC)
    ab2 = high2(q2, qA)
    cd2 = high2(qB, qC)
    v128.store(q, firstHalves(ab, cd))
    v128.store(q + line, lastHalves(ab, cd))
    v128.store(q + 2 * line, firstHalves(ab2, cd2))
    v128.store(q + 3 * line, lastHalves(ab2, cd2))
  }
}

/** Both poles down sixteen columns at once, in place. */
function filterSixteenColumns(base: usize, line: usize, n: i32): void {
  const start1 = f32x4.splat(START1)
  const start2 = f32x4.splat(START2)
  let a = v128.load(base)
  let b = v128.load(base, 16)
  let c = v128.load(base, 32)
  let d = v128.load(base, 48)
  let a1 = f32x4.mul(a, start1)
  let b1 = f32x4.mul(b, start1)
  let c1 = f32x4.mul(c, start1)
  let d1 = f32x4.mul(d, start1)
  let a2 = f32x4.mul(a, start2)
  let b2 = f32x4.mul(b, start2)
  let c2 = f32x4.mul(c, start2)
  let d2 = f32x4.mul(d, start2)
  let p = base
  for (let k = 0; k < n; k++) {
    a1 = causal(a1, v128.load(p), Z1)
    b1 = causal(b1, v128.load(p, 16), Z1)
    c1 = causal(c1, v128.load(p, 32), Z1)
    d1 = causal(d1, v128.load(p, 48), Z1)
    a2 = causal(a2, a1, Z2)
    b2 = causal(b2, b1, Z2)
    c2 = causal(c2, c1, Z2)
    d2 = causal(d2, d1, Z2)
    v128.store(p, a2)
    v128.store(p, b2, 16)
    v128.store(p, c2, 32)
    v128.store(p, d2, 48)
    p += line
  }
  const end1 = f32x4.splat(END1)
  const end2 = f32x4.splat(END2)
  a1 = f32x4.mul(a2, end1)
  b1 = f32x4.mul(b2, end1)
  c1 = f32x4.mul(c2, end1)
  d1 = f32x4.mul(d2, end1)
  a2 = f32x4.mul(a1, end2)
  b2 = f32x4.mul(b1, end2)
  c2 = f32x4.mul(c1, end2)
  d2 = f32x4.mul(d1, end2)
  for (let k = 0; k < n; k++) {
    p -= line
    a1 = anticausal(a1, v128.load(p), Z1)
    b1 = anticausal(b1, v128.load(p, 16), Z1)
    c1 = anticausal(c1, v128.load(p, 32), Z1)
    d1 = anticausal(d1, v128.load(p, 48), Z1)
    a2 = anticausal(a2, a1, Z2)
    b2 = anticausal(b2, b1, Z2)
    c2 = anticausal(c2, c1, Z2)
    d2 = anticausal(d2, d1, Z2)
    v128.store(p, a2)
    v128.store(p, b2, 16)
    v128.store(p, c2, 32)
    v128.store(p, d2, 48)
  }
}

// @ts-ignore: decorator
@inline
/** a + x b */
function axpy(a: v128, x: v128, b: v128): v128 {
  return f32x4.add(a, f32x4.mul(x, b))
}

// @ts-ignore: decorator
@inline
/** 120 times the outermost tap on the side that t grows away from. */
function fifthPower(s: v128): v128 {
  const s2 = f32x4.mul(s, s)
  return f32x4.mul(f32x4.mul(s2, s2), s)
}

// @ts-ignore: decorator
@inline
/** 120 times the second tap: 26 - 50 t + 20 t^2 + 20 t^3 - 20 t^4 + 5 t^5. */
function secondTap(t: v128): v128 {
  let v = axpy(f32x4.splat(-20), t, f32x4.splat(5))
  v = axpy(f32x4.splat(20), t, v)
  v = axpy(f32x4.splat(20), t, v)
  v = axpy(f32x4.splat(-50), t, v)
  return axpy(f32x4.splat(26), t, v)
}

// @ts-ignore: decorator
@inline
/** 120 times the third tap: 66 - 60 t^2 + 30 t^4 - 10 t^5. */
function thirdTap(t: v128): v128 {
  const t2 = f32x4.mul(t, t)
  let v = axpy(f32x4.splat(30), t, f32x4.splat(-10))
  v = axpy(f32x4.splat(-60), t2, v)
  return axpy(f32x4.splat(66), t2, v)
}

// @ts-ignore: decorator
@inline
/** One row of six taps for four neighbouring pixels. */
function sixTaps(p: usize, w0: v128, w1: v128, w2: v128, w3: v128, w4: v128, w5: v128): v128 {
  const left = axpy(f32x4.mul(w0, v128.load(p)), w1, v128.load(p, 4))
  const middle = axpy(f32x4.mul(w2, v128.load(p, 8)), w3, v128.load(p, 12))
  const right = axpy(f32x4.mul(w4, v128.load(p, 16)), w5, v128.load(p, 20))
  return f32x4.add(f32x4.add(left, middle), right)
}

// @ts-ignore: decorator
@inline
function lerp(a: v128, b: v128, t: v128): v128 {
  return f32x4.add(a, f32x4.mul(t, f32x4.sub(b, a)))
}

// @ts-ignore: decorator
@inline
/** Cubic in u for two pixels. */
function cubic(a0: f64, a1: f64, a2: f64, a3: f64, u: v128): v128 {
  let v = f64x2.add(f64x2.splat(a2), f64x2.mul(u, f64x2.splat(a3)))
  v = f64x2.add(f64x2.splat(a1), f64x2.mul(u, v))
  return f64x2.add(f64x2.splat(a0), f64x2.mul(u, v))
}

// @ts-ignore: decorator
@inline
function narrow(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 2)
}

// @ts-ignore: decorator
@inline
function whole(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(i32x4.trunc_sat_f64x2_s_zero(a), i32x4.trunc_sat_f64x2_s_zero(b), 0, 2)
}

/** Weights and places of four pixels, for those that do not lie side by side in the source. */
// @ts-ignore: decorator
@inline
function oneByOne(
  lanes: i32,
  weights: usize,
  box: usize,
  boxMask: usize,
  boxVariance: usize,
  stride: i32,
  lowX: i32,
  highX: i32,
  lowY: i32,
  highY: i32,
  out: usize,
  outMask: usize,
  outVariance: usize,
  noData: i32,
): void {
  const line = (<usize>stride) << 2
  for (let i = 0; i < lanes; i++) {
    const lane = (<usize>i) << 2
    const x0 = load<i32>(weights + lane, 256)
    const y0 = load<i32>(weights + lane, 272)
    const good = load<i32>(weights + lane, 288)
    if (good == 0 || x0 < lowX || x0 > highX || y0 < lowY || y0 > highY) {
      store<f32>(out + lane, 0)
      store<u16>(outMask + ((<usize>i) << 1), <u16>noData)
      if (outVariance) store<f32>(outVariance + lane, 0)
      continue
    }
    let p = box + ((<usize>((y0 - 2) * stride + x0 - 2)) << 2)
    let w = v128.load32_splat(weights + lane, 96)
    let low = f32x4.mul(w, v128.load(p))
    let high = f32x4.mul(w, v128.load(p, 16))
    for (let j = 1; j < 6; j++) {
      p += line
      w = v128.load32_splat(weights + lane + ((<usize>j) << 4), 96)
      low = axpy(low, w, v128.load(p))
      high = axpy(high, w, v128.load(p, 16))
    }
    const head = v128.load(weights + ((<usize>i) << 4))
    const tail = v128.load64_zero(weights + ((<usize>i) << 3), 64)
    const both = axpy(f32x4.mul(low, head), high, tail)
    const sum =
      f32x4.extract_lane(both, 0) + f32x4.extract_lane(both, 1) + (f32x4.extract_lane(both, 2) + f32x4.extract_lane(both, 3))
    const area = load<f32>(weights + lane, 304)
    store<f32>(out + lane, sum * area)
    const m = boxMask + ((<usize>((y0 - 1) * stride + x0 - 1)) << 1)
    const maskLine = line >> 1
    let bits = load<u64>(m) | load<u64>(m + maskLine) | load<u64>(m + 2 * maskLine) | load<u64>(m + 3 * maskLine)
    bits |= bits >> 32
    bits |= bits >> 16
    store<u16>(outMask + ((<usize>i) << 1), <u16>bits)
    if (outVariance) {
      const v = boxVariance + ((<usize>(y0 * stride + x0)) << 2)
      const tx = load<f32>(weights + lane, 320)
      const ty = load<f32>(weights + lane, 336)
      const top = load<f32>(v) + tx * (load<f32>(v, 4) - load<f32>(v))
      const bottom = load<f32>(v + line) + tx * (load<f32>(v + line, 4) - load<f32>(v + line))
      store<f32>(outVariance + lane, (top + ty * (bottom - top)) * area * area)
    }
  }
}

/** Copies the source under a tile with its halo; true when any bit of the mask is set there. */
function fillBox(
  tile: usize,
  box: usize,
  boxMask: usize,
  boxVariance: usize,
  science: usize,
  mask: usize,
  variance: usize,
  width: i32,
  height: i32,
  replaced: i32,
  noData: i32,
): bool {
  const stride = integer(tile, 6)
  const rows = integer(tile, 7)
  const flip = integer(tile, 8) != 0
  let met: u32 = 0
  for (let r = 0; r < rows; r++) {
    const y = mirrored(integer(tile, 5) + r, height)
    const at = <usize>r * <usize>stride
    met |= fillRow(
      box + (at << 2),
      boxMask + (at << 1),
      boxVariance ? boxVariance + (at << 2) : 0,
      stride,
      integer(tile, 4),
      y,
      flip,
      science,
      mask,
      variance,
      width,
      height,
      <u32>replaced,
      <u32>noData,
    )
  }
  return met != 0
}

/**
 * Tiles of the output: value, mask and variance at the place in the source that the map gives. `table` holds ten int32 a
 * tile: first column, first row, columns and rows of the output; first column, first row, columns (a multiple of 16) and
 * rows (of 8) of the box, 1 when the box runs from right to left, and 0. A box of 0 columns: nothing of the source is seen.
 * `map`: 23 float64, centre x, y, scale, ten coefficients for x, ten for y. `bend`: what is added to the polynomials, pairs
 * of float32 at every 32nd pixel, `bendColumns` pairs a row; 0 for none. Values are multiplied by |Jacobian|, so flux is
 * kept. Outside the source: value 0, mask `noData`, variance 0. `variance` and `outVariance` of 0 mean none.
 */
export function warpTiles(
  tileFrom: i32,
  tileTo: i32,
  table: usize,
  map: usize,
  bend: usize,
  bendColumns: i32,
  science: usize,
  mask: usize,
  variance: usize,
  width: i32,
  height: i32,
  out: usize,
  outMask: usize,
  outVariance: usize,
  outWidth: i32,
  scratch: usize,
  scratchBytes: i32,
  boxPixels: i32,
  replaced: i32,
  noData: i32,
): void {
  // Weights of four pixels first, then the lanes of eight rows, then the box: science, mask, variance.
  const weights = ownScratch(scratch, scratchBytes)
  const perPixel = 1.0 / term(map, 2)
  const cx = map + 24
  const cy = map + 104
  const line4 = f32x4(0, 1, 2, 3)
  const steps = i32x4(0, 1, 2, 3)
  for (let t = tileFrom; t < tileTo; t++) {
    const tile = table + ((<usize>(t * TILE_INTS)) << 2)
    const column0 = integer(tile, 0)
    const row0 = integer(tile, 1)
    const columns = integer(tile, 2)
    const rows = integer(tile, 3)
    const stride = integer(tile, 6)
    if (stride == 0) {
      for (let row = row0; row < row0 + rows; row++) {
        for (let column = column0; column < column0 + columns; column++) {
          const index = <usize>(row * outWidth + column)
          store<f32>(out + (index << 2), 0)
          store<u16>(outMask + (index << 1), <u16>noData)
          if (outVariance) store<f32>(outVariance + (index << 2), 0)
        }
      }
      continue
    }
    const boxRows = integer(tile, 7)
    const flip = integer(tile, 8) != 0
    const line = (<usize>stride) << 2
    const lanesOfRows = weights + 512
    const box = lanesOfRows + (<usize>stride << 5)
    const boxMask = box + (<usize>(boxPixels + 16) << 2)
    const boxVariance = outVariance ? boxMask + (<usize>(boxPixels + 16) << 1) : 0
    const marked = fillBox(tile, box, boxMask, boxVariance, science, mask, variance, width, height, replaced, noData)
    for (let r = 0; r < boxRows; r += 8) filterEightRows(box + <usize>r * line, line, stride, lanesOfRows)
    for (let c = 0; c < stride; c += 16) filterSixteenColumns(box + ((<usize>c) << 2), line, boxRows)

    const sign: f64 = flip ? -1 : 1
    const originX = <f64>(flip ? -(integer(tile, 4) + stride - 1) : integer(tile, 4))
    const originY = <f64>integer(tile, 5)
    const edgeA = sign * -0.01 - originX
    const edgeB = sign * (<f64>width - 0.99) - originX
    const left = f64x2.splat(min(edgeA, edgeB))
    const right = f64x2.splat(max(edgeA, edgeB))
    const below = f64x2.splat(-0.01 - originY)
    const above = f64x2.splat(<f64>height - 0.99 - originY)
    const highX = stride - 4
    const highY = boxRows - 4
    for (let row = row0; row < row0 + rows; row++) {
      const v = (<f64>row - term(map, 1)) * perPixel
      const ax0 = sign * (term(cx, 0) + v * (term(cx, 2) + v * (term(cx, 5) + v * term(cx, 9)))) - originX
      const ax1 = sign * (term(cx, 1) + v * (term(cx, 4) + v * term(cx, 8)))
      const ax2 = sign * (term(cx, 3) + v * term(cx, 7))
      const ax3 = sign * term(cx, 6)
      const ay0 = term(cy, 0) + v * (term(cy, 2) + v * (term(cy, 5) + v * term(cy, 9))) - originY
      const ay1 = term(cy, 1) + v * (term(cy, 4) + v * term(cy, 8))
      const ay2 = term(cy, 3) + v * term(cy, 7)
      const ay3 = term(cy, 6)
      const bx0 = sign * (term(cx, 2) + v * (2 * term(cx, 5) + 3 * v * term(cx, 9)))
      const bx1 = sign * (term(cx, 4) + 2 * v * term(cx, 8))
      const bx2 = sign * term(cx, 7)
      const by0 = term(cy, 2) + v * (2 * term(cy, 5) + 3 * v * term(cy, 9))
      const by1 = term(cy, 4) + 2 * v * term(cy, 8)
      const by2 = term(cy, 7)
      const bendRow = bend + ((<usize>((row >> 5) * bendColumns)) << 3)
      const bendNext = bendRow + ((<usize>bendColumns) << 3)
      const bendT = <f32>(row & 31) / 32
      let bendX = f32x4.splat(0)
      let bendY = f32x4.splat(0)
      let stepX: f32 = 0
      let stepY: f32 = 0
      let area0: f32 = 0
      let areaStep: f32 = 0
      for (let column = column0; column < column0 + columns; column += 4) {
        const within = column & 31
        if (within == 0 || column == column0) {
          // Once in 32 pixels: the bend's slope, and the Jacobian at both ends.
          let slopeXx: f64 = 0
          let slopeXy: f64 = 0
          let slopeYx: f64 = 0
          let slopeYy: f64 = 0
          if (bend) {
            const k = (<usize>(column >> 5)) << 3
            const x00 = load<f32>(bendRow + k)
            const y00 = load<f32>(bendRow + k, 4)
            const x10 = load<f32>(bendRow + k, 8)
            const y10 = load<f32>(bendRow + k, 12)
            const x01 = load<f32>(bendNext + k)
            const y01 = load<f32>(bendNext + k, 4)
            const x11 = load<f32>(bendNext + k, 8)
            const y11 = load<f32>(bendNext + k, 12)
            const fromX = x00 + bendT * (x01 - x00)
            const fromY = y00 + bendT * (y01 - y00)
            stepX = (x10 + bendT * (x11 - x10) - fromX) / 32
            stepY = (y10 + bendT * (y11 - y10) - fromY) / 32
            const flipped = <f32>sign
            stepX *= flipped
            bendX = f32x4.splat(flipped * fromX)
            bendY = f32x4.splat(fromY)
            slopeXx = <f64>stepX
            slopeYx = <f64>stepY
            slopeXy = (sign * <f64>(x01 - x00 + (x11 - x10))) / 64
            slopeYy = <f64>(y01 - y00 + (y11 - y10)) / 64
          }
          const first = column & ~31
          let area1: f32 = 0
          for (let end = 0; end < 2; end++) {
            const u = (<f64>(first + 32 * end) - term(map, 0)) * perPixel
            const dxu = (ax1 + u * (2 * ax2 + 3 * u * ax3)) * perPixel + slopeXx
            const dyu = (ay1 + u * (2 * ay2 + 3 * u * ay3)) * perPixel + slopeYx
            const dxv = (bx0 + u * (bx1 + u * bx2)) * perPixel + slopeXy
            const dyv = (by0 + u * (by1 + u * by2)) * perPixel + slopeYy
            const area = <f32>abs(dxu * dyv - dxv * dyu)
            if (end == 0) area0 = area
            else area1 = area
          }
          areaStep = (area1 - area0) / 32
        }
        const index = <usize>(row * outWidth + column)
        const u = (<f64>column - term(map, 0)) * perPixel
        const u01 = f64x2.add(f64x2.splat(u), f64x2(0, perPixel))
        const u23 = f64x2.add(u01, f64x2.splat(2 * perPixel))
        let x01 = cubic(ax0, ax1, ax2, ax3, u01)
        let x23 = cubic(ax0, ax1, ax2, ax3, u23)
        let y01 = cubic(ay0, ay1, ay2, ay3, u01)
        let y23 = cubic(ay0, ay1, ay2, ay3, u23)
        const place = f32x4.add(f32x4.splat(<f32>within), line4)
        if (bend) {
          const moreX = axpy(bendX, place, f32x4.splat(stepX))
          const moreY = axpy(bendY, place, f32x4.splat(stepY))
          x01 = f64x2.add(x01, f64x2.promote_low_f32x4(moreX))
          y01 = f64x2.add(y01, f64x2.promote_low_f32x4(moreY))
          x23 = f64x2.add(x23, f64x2.promote_low_f32x4(v128.shuffle<i64>(moreX, moreX, 1, 1)))
          y23 = f64x2.add(y23, f64x2.promote_low_f32x4(v128.shuffle<i64>(moreY, moreY, 1, 1)))
        }
        const insideA = v128.and(
          v128.and(f64x2.gt(x01, left), f64x2.lt(x01, right)),
          v128.and(f64x2.gt(y01, below), f64x2.lt(y01, above)),
        )
        const insideB = v128.and(
          v128.and(f64x2.gt(x23, left), f64x2.lt(x23, right)),
          v128.and(f64x2.gt(y23, below), f64x2.lt(y23, above)),
        )
        const floorX01 = f64x2.floor(x01)
        const floorX23 = f64x2.floor(x23)
        const floorY01 = f64x2.floor(y01)
        const floorY23 = f64x2.floor(y23)
        const tx = narrow(f64x2.sub(x01, floorX01), f64x2.sub(x23, floorX23))
        const ty = narrow(f64x2.sub(y01, floorY01), f64x2.sub(y23, floorY23))
        const xs = whole(floorX01, floorX23)
        const ys = whole(floorY01, floorY23)
        const x0 = i32x4.extract_lane(xs, 0)
        const y0 = i32x4.extract_lane(ys, 0)
        const sx = f32x4.sub(f32x4.splat(1), tx)
        const sy = f32x4.sub(f32x4.splat(1), ty)
        const wx0 = fifthPower(sx)
        const wx1 = secondTap(tx)
        const wx2 = thirdTap(tx)
        const wx3 = thirdTap(sx)
        const wx4 = secondTap(sx)
        const wx5 = fifthPower(tx)
        const wy0 = fifthPower(sy)
        const wy1 = secondTap(ty)
        const wy2 = thirdTap(ty)
        const wy3 = thirdTap(sy)
        const wy4 = secondTap(sy)
        const wy5 = fifthPower(ty)
        const area = axpy(f32x4.splat(area0), place, f32x4.splat(areaStep))
        const sideBySide = v128.and(
          v128.and(i32x4.eq(xs, i32x4.add(i32x4.splat(x0), steps)), i32x4.eq(ys, i32x4.splat(y0))),
          v128.and(insideA, insideB),
        )
        if (
          i32x4.all_true(sideBySide) &&
          column + 4 <= column0 + columns &&
          x0 >= 2 && x0 + 3 <= highX && y0 >= 2 && y0 <= highY
        ) {
          let p = box + ((<usize>((y0 - 2) * stride + x0 - 2)) << 2)
          let sum = f32x4.mul(wy0, sixTaps(p, wx0, wx1, wx2, wx3, wx4, wx5))
          p += line
          sum = axpy(sum, wy1, sixTaps(p, wx0, wx1, wx2, wx3, wx4, wx5))
          p += line
          sum = axpy(sum, wy2, sixTaps(p, wx0, wx1, wx2, wx3, wx4, wx5))
          p += line
          sum = axpy(sum, wy3, sixTaps(p, wx0, wx1, wx2, wx3, wx4, wx5))
          p += line
          sum = axpy(sum, wy4, sixTaps(p, wx0, wx1, wx2, wx3, wx4, wx5))
          p += line
          sum = axpy(sum, wy5, sixTaps(p, wx0, wx1, wx2, wx3, wx4, wx5))
          v128.store(out + (index << 2), f32x4.mul(sum, area))
          let bits = i16x8.splat(0)
          if (marked) {
            const m = boxMask + ((<usize>((y0 - 1) * stride + x0 - 1)) << 1)
            const maskLine = line >> 1
            bits = v128.or(
              v128.or(v128.load(m), v128.load(m + maskLine)),
              v128.or(v128.load(m + 2 * maskLine), v128.load(m + 3 * maskLine)),
            )
            bits = v128.or(bits, v128.shuffle<i16>(bits, bits, 1, 2, 3, 4, 5, 6, 7, 7))
            bits = v128.or(bits, v128.shuffle<i16>(bits, bits, 2, 3, 4, 5, 6, 7, 7, 7))
          }
          v128.store64_lane(outMask + (index << 1), bits, 0)
          if (outVariance) {
            const q = boxVariance + ((<usize>(y0 * stride + x0)) << 2)
            const top = lerp(v128.load(q), v128.load(q, 4), tx)
            const bottom = lerp(v128.load(q + line), v128.load(q + line, 4), tx)
            v128.store(outVariance + (index << 2), f32x4.mul(lerp(top, bottom, ty), f32x4.mul(area, area)))
          }
          continue
        }
        let ab = low2(wx0, wx1)
        let cd = low2(wx2, wx3)
        v128.store(weights, firstHalves(ab, cd))
        v128.store(weights, lastHalves(ab, cd), 16)
        ab = high2(wx0, wx1)
        cd = high2(wx2, wx3)
        v128.store(weights, firstHalves(ab, cd), 32)
        v128.store(weights, lastHalves(ab, cd), 48)
        v128.store(weights, low2(wx4, wx5), 64)
        v128.store(weights, high2(wx4, wx5), 80)
        v128.store(weights, wy0, 96)
        v128.store(weights, wy1, 112)
        v128.store(weights, wy2, 128)
        v128.store(weights, wy3, 144)
        v128.store(weights, wy4, 160)
        v128.store(weights, wy5, 176)
        v128.store(weights, xs, 256)
        v128.store(weights, ys, 272)
        v128.store(weights, v128.shuffle<i32>(insideA, insideB, 0, 2, 4, 6), 288)
        v128.store(weights, area, 304)
        v128.store(weights, tx, 320)
        v128.store(weights, ty, 336)
        oneByOne(
          min(4, column0 + columns - column),
          weights,
          box,
          boxMask,
          boxVariance,
          stride,
          2,
          highX,
          2,
          highY,
          out + (index << 2),
          outMask + (index << 1),
          outVariance ? outVariance + (index << 2) : 0,
          noData,
        )
      }
    }
  }
}
