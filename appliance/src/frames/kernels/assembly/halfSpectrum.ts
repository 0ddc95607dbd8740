// Eight real rows to and from their half spectra. In the spectrum of a W × H plane columns 0..W/2 lie in blocks of four:
// block b, row v holds [re4 im4] of columns 4b..4b+3, so that the row pass and the column pass both run along memory.
// Blocks are `blockBytes` apart, at least 32 H.
import { transform } from './transform'

// @ts-ignore: decorator
@inline
function zipLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23)
}

// @ts-ignore: decorator
@inline
function zipHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31)
}

// @ts-ignore: decorator
@inline
function low64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
}

// @ts-ignore: decorator
@inline
function high64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
}

// @ts-ignore: decorator
@inline
/** Transposes four vectors and stores them `stride` bytes apart. */
function storeTransposed(a: v128, b: v128, c: v128, d: v128, to: usize, stride: usize): void {
  const ab0 = zipLow(a, b)
  const ab1 = zipHigh(a, b)
  const cd0 = zipLow(c, d)
  const cd1 = zipHigh(c, d)
  v128.store(to, low64(ab0, cd0))
  v128.store(to + stride, high64(ab0, cd0))
  v128.store(to + 2 * stride, low64(ab1, cd1))
  v128.store(to + 3 * stride, high64(ab1, cd1))
}

// @ts-ignore: decorator
@inline
/** Loads four vectors `stride` bytes apart, transposes them and stores them `outStride` apart. */
function moveTransposed(from: usize, stride: usize, to: usize, outStride: usize): void {
  storeTransposed(
    v128.load(from),
    v128.load(from + stride),
    v128.load(from + 2 * stride),
    v128.load(from + 3 * stride),
    to,
    outStride,
  )
}

// @ts-ignore: decorator
@inline
function half(v: v128): v128 {
  return f32x4.mul(v, f32x4.splat(0.5))
}

/** Eight real rows, `stride` bytes apart, to row y of a half spectrum; `out` points at (block 0, row y). `a`: 3 `width` elements. */
export function rowsToSpectrum(
  from: usize,
  stride: usize,
  out: usize,
  blockBytes: usize,
  width: i32,
  plan: usize,
  a: usize,
): void {
  const bytes = <usize>width << 5
  const b = a + bytes
  for (let x = 0; x < width; x += 4) {
    const at = from + (<usize>x << 2)
    const to = a + (<usize>x << 5)
    moveTransposed(at, stride, to, 32)
    moveTransposed(at + 4 * stride, stride, to + 16, 32)
  }
  transform(a, a, b, b + bytes, plan, width)
  v128.store(b, v128.load(a))
  v128.store(b, v128.load(a, 16), 16)
  const halfWidth = width >> 1
  for (let k = 0; k < halfWidth; k += 4) {
    splitBlock(a, k, width, out)
    out += blockBytes
  }
  splitLast(a, halfWidth, out)
}

/**
 * Columns k..k+3 of eight rows: separates the pairs of rows (A = (Z[k] + conj Z[W-k]) / 2, B = (Z[k] - conj Z[W-k]) / 2i) and
 * writes [re4 im4] for each row. Element W is a copy of element 0.
 */
function splitBlock(z: usize, k: i32, width: i32, out: usize): void {
  const p = z + (<usize>k << 5)
  const q = z + (<usize>(width - k - 3) << 5)
  const p0r = v128.load(p)
  const p1r = v128.load(p, 32)
  const p2r = v128.load(p, 64)
  const p3r = v128.load(p, 96)
  const q0r = v128.load(q, 96)
  const q1r = v128.load(q, 64)
  const q2r = v128.load(q, 32)
  const q3r = v128.load(q)
  storeTransposed(
    half(f32x4.add(p0r, q0r)),
    half(f32x4.add(p1r, q1r)),
    half(f32x4.add(p2r, q2r)),
    half(f32x4.add(p3r, q3r)),
    out,
    32,
  )
  storeTransposed(
    half(f32x4.sub(q0r, p0r)),
    half(f32x4.sub(q1r, p1r)),
    half(f32x4.sub(q2r, p2r)),
    half(f32x4.sub(q3r, p3r)),
    out + 144,
    32,
  )
  const p0i = v128.load(p, 16)
  const p1i = v128.load(p, 48)
  const p2i = v128.load(p, 80)
  const p3i = v128.load(p, 112)
  const q0i = v128.load(q, 112)
  const q1i = v128.load(q, 80)
  const q2i = v128.load(q, 48)
  const q3i = v128.load(q, 16)
  storeTransposed(
    half(f32x4.sub(p0i, q0i)),
    half(f32x4.sub(p1i, q1i)),
    half(f32x4.sub(p2i, q2i)),
    half(f32x4.sub(p3i, q3i)),
    out + 16,
    32,
  )
  storeTransposed(
    half(f32x4.add(p0i, q0i)),
    half(f32x4.add(p1i, q1i)),
    half(f32x4.add(p2i, q2i)),
    half(f32x4.add(p3i, q3i)),
    out + 128,
    32,
  )
}

/** Column W/2, where Z is its own mirror: A = (re, 0), B = (im, 0). The three columns after it are zero. */
function splitLast(z: usize, halfWidth: i32, out: usize): void {
  const zero = f32x4.splat(0)
  const p = z + (<usize>halfWidth << 5)
  storeTransposed(v128.load(p), zero, zero, zero, out, 32)
  storeTransposed(zero, zero, zero, zero, out + 16, 32)
  storeTransposed(v128.load(p, 16), zero, zero, zero, out + 128, 32)
  storeTransposed(zero, zero, zero, zero, out + 144, 32)
}

// @ts-ignore: decorator
@inline
/** The spectrum row whose forward column transform is the inverse transform's row y. */
function mirrored(y: i32, height: i32): i32 {
  return y == 0 ? 0 : height - y
}

/**
 * Rows y..y+7 of the inverse: half spectra to real rows `stride` bytes apart, times `scale`. The column pass before it was a
 * forward one, so row y is taken from row H - y. The inverse along x is the forward transform with real and imaginary parts
 * swapped. `a`: 3 `width` elements.
 */
export function spectrumToRows(
  spectrum: usize,
  blockBytes: usize,
  y: i32,
  height: i32,
  to: usize,
  stride: usize,
  width: i32,
  plan: usize,
  scale: f32,
  a: usize,
): void {
  spectrumToLines(spectrum, blockBytes, y, height, to, to + 7 * stride, stride, width, plan, scale, a)
}

/** As `spectrumToRows`, the eighth row at `last`. y may be H - 7 too: then that is row 0. */
export function spectrumToLines(
  spectrum: usize,
  blockBytes: usize,
  y: i32,
  height: i32,
  to: usize,
  last: usize,
  stride: usize,
  width: i32,
  plan: usize,
  scale: f32,
  a: usize,
): void {
  const bytes = <usize>width << 5
  const halfWidth = width >> 1
  let block = spectrum
  for (let k = 0; k < halfWidth; k += 4) {
    joinBlock(block, y, height, k, width, a)
    block += blockBytes
  }
  joinZero(a, width)
  joinLast(block, y, height, a, halfWidth)
  transform(a, a, a + bytes, a + 2 * bytes, plan, width)
  storeRows(a, to, last, width, stride, f32x4.splat(scale))
}

/**
 * Z = A + iB of eight rows from columns k..k+3, swapped (im, re): at k is (A.im + B.re, A.re - B.im), at W - k is
 * (B.re - A.im, A.re + B.im). Columns 0 and W/2 are put right by `joinReal`.
 */
function joinBlock(block: usize, y: i32, height: i32, k: i32, width: i32, z: usize): void {
  const a0 = block + (<usize>mirrored(y, height) << 5)
  const a1 = block + (<usize>(height - y - 1) << 5)
  const p = z + (<usize>k << 5)
  const q = z + (<usize>(width - k - 3) << 5)
  joinHalf(a0 + 16, a1 + 16, a1 - 96, p, q, true)
  joinHalf(a0, a1, a1 - 80, p + 16, q + 16, false)
}

// @ts-ignore: decorator
@inline
/**
 * `a0` holds the first row's four columns of A, `a1` the second's; the rows after it lie 32 bytes lower each; `b` is the fifth
 * row, of B. Sum and difference go to p and q; the first half has its difference turned round.
 */
function joinHalf(a0: usize, a1: usize, b: usize, p: usize, q: usize, first: bool): void {
  const ra = v128.load(a0)
  const rb = v128.load(a1)
  const rc = v128.load(a1 - 32)
  const rd = v128.load(a1 - 64)
  const ab0 = zipLow(ra, rb)
  const ab1 = zipHigh(ra, rb)
  const cd0 = zipLow(rc, rd)
  const cd1 = zipHigh(rc, rd)
  const sa = v128.load(b)
  const sb = v128.load(b - 32)
  const sc = v128.load(b - 64)
  const sd = v128.load(b - 96)
  const tu0 = zipLow(sa, sb)
  const tu1 = zipHigh(sa, sb)
  const vw0 = zipLow(sc, sd)
  const vw1 = zipHigh(sc, sd)
  joinColumn(low64(ab0, cd0), low64(tu0, vw0), p, q + 96, first)
  joinColumn(high64(ab0, cd0), high64(tu0, vw0), p + 32, q + 64, first)
  joinColumn(low64(ab1, cd1), low64(tu1, vw1), p + 64, q + 32, first)
  joinColumn(high64(ab1, cd1), high64(tu1, vw1), p + 96, q, first)
}

// @ts-ignore: decorator
@inline
function joinColumn(a: v128, b: v128, p: usize, q: usize, first: bool): void {
  if (first) {
    v128.store(p, f32x4.add(a, b))
    v128.store(q, f32x4.sub(b, a))
  } else {
    v128.store(p, f32x4.sub(a, b))
    v128.store(q, f32x4.add(a, b))
  }
}

/** Column 0 after `joinBlock`: half of what was put at 0 and at W is (B.re, A.re). */
function joinZero(z: usize, width: i32): void {
  const end = z + (<usize>width << 5)
  v128.store(z, half(f32x4.add(v128.load(z), v128.load(end))))
  v128.store(z, half(f32x4.add(v128.load(z, 16), v128.load(end, 16))), 16)
}

/** Column W/2: (B.re, A.re) of the first column of the last block. */
function joinLast(block: usize, y: i32, height: i32, z: usize, halfWidth: i32): void {
  const to = z + (<usize>halfWidth << 5)
  for (let row = 0; row < 4; row++) {
    const a = load<f32>(block + (<usize>mirrored(y + row, height) << 5))
    const b = load<f32>(block + (<usize>mirrored(y + row + 4, height) << 5))
    store<f32>(to + (<usize>row << 2), b)
    store<f32>(to + (<usize>row << 2), a, 16)
  }
}

/** Four complex transforms (swapped) to eight real rows, the eighth at `last`. */
function storeRows(z: usize, dst: usize, last: usize, width: i32, stride: usize, scale: v128): void {
  for (let x = 0; x < width; x += 4) {
    const at = z + (<usize>x << 5)
    const to = dst + (<usize>x << 2)
    storeTransposed(
      f32x4.mul(v128.load(at, 16), scale),
      f32x4.mul(v128.load(at, 48), scale),
      f32x4.mul(v128.load(at, 80), scale),
      f32x4.mul(v128.load(at, 112), scale),
      to,
      stride,
    )
    const p = f32x4.mul(v128.load(at), scale)
    const q = f32x4.mul(v128.load(at, 32), scale)
    const r = f32x4.mul(v128.load(at, 64), scale)
    const s = f32x4.mul(v128.load(at, 96), scale)
    const pq0 = zipLow(p, q)
    const pq1 = zipHigh(p, q)
    const rs0 = zipLow(r, s)
    const rs1 = zipHigh(r, s)
    v128.store(to + 4 * stride, low64(pq0, rs0))
    v128.store(to + 5 * stride, high64(pq0, rs0))
    v128.store(to + 6 * stride, low64(pq1, rs1))
    v128.store(last + (<usize>x << 2), high64(pq1, rs1))
  }
}
