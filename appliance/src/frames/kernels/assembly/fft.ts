// Real two-dimensional Fourier transforms in row ranges: transform.ts along rows, then along columns. Blocks of a spectrum lie
// height * 32 bytes apart.
import { rowsToSpectrum, spectrumToLines } from './halfSpectrum'
import { ownScratch } from './thread'
import { mulIm, mulRe, transform } from './transform'

/** Row pass, forward. Bands are multiples of 8 rows. `scratch`: for each thread three times width elements. */
export function fftRows(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  spectrum: usize,
  width: i32,
  height: i32,
  plan: usize,
  scratch: usize,
): void {
  const a = ownScratch(scratch, 3 * (<usize>width << 5))
  const stride = <usize>width << 2
  const blockBytes = <usize>height << 5
  for (let y = rowFrom; y < rowTo; y += 8) {
    rowsToSpectrum(src + <usize>y * stride, stride, spectrum + (<usize>y << 5), blockBytes, width, plan, a)
  }
}

/**
 * Column pass: rows are blocks. Forward in either direction of the two-dimensional transform; `from` and `to` may be the
 * same spectrum. `scratch`: for each thread two times height elements.
 */
export function fftColumns(
  rowFrom: i32,
  rowTo: i32,
  from: usize,
  to: usize,
  height: i32,
  plan: usize,
  scratch: usize,
): void {
  const bytes = <usize>height << 5
  const a = ownScratch(scratch, 2 * bytes)
  for (let block = rowFrom; block < rowTo; block++) {
    const at = <usize>block * bytes
    transform(from + at, to + at, a, a + bytes, plan, height)
  }
}

/** Row pass, inverse: half spectra to real rows, times `scale`. Bands and scratch as `fftRows`. */
export function fftRowsInverse(
  rowFrom: i32,
  rowTo: i32,
  spectrum: usize,
  dst: usize,
  width: i32,
  height: i32,
  plan: usize,
  scratch: usize,
  scale: f32,
): void {
  const a = ownScratch(scratch, 3 * (<usize>width << 5))
  const stride = <usize>width << 2
  const blockBytes = <usize>height << 5
  // Rows y + 1 … y + 8 come of eight that share their cache lines; the row after the last is the first.
  for (let y = rowFrom; y < rowTo; y += 8) {
    const to = dst + <usize>(y + 1) * stride
    const last = y + 8 < height ? to + 7 * stride : dst
    spectrumToLines(spectrum, blockBytes, y + 1, height, to, last, stride, width, plan, scale, a)
  }
}

/** out = a × b. Rows are blocks of `height` elements; out may be a or b. */
export function spectrumMultiply(rowFrom: i32, rowTo: i32, a: usize, b: usize, out: usize, height: i32): void {
  const end = <usize>(rowTo * height) << 5
  for (let at = <usize>(rowFrom * height) << 5; at < end; at += 32) {
    const ar = v128.load(a + at)
    const ai = v128.load(a + at, 16)
    const br = v128.load(b + at)
    const bi = v128.load(b + at, 16)
    v128.store(out + at, mulRe(ar, ai, br, bi))
    v128.store(out + at, mulIm(ar, ai, br, bi), 16)
  }
}

/** out = conj(a) × b: the spectrum of the correlation of a with b. */
export function spectrumConjugateMultiply(rowFrom: i32, rowTo: i32, a: usize, b: usize, out: usize, height: i32): void {
  const end = <usize>(rowTo * height) << 5
  for (let at = <usize>(rowFrom * height) << 5; at < end; at += 32) {
    const ar = v128.load(a + at)
    const ai = v128.load(a + at, 16)
    const br = v128.load(b + at)
    const bi = v128.load(b + at, 16)
    v128.store(out + at, f32x4.add(f32x4.mul(ar, br), f32x4.mul(ai, bi)))
    v128.store(out + at, f32x4.sub(f32x4.mul(ar, bi), f32x4.mul(ai, br)), 16)
  }
}

/** out = |a|², imaginary part 0. */
export function spectrumAbs2(rowFrom: i32, rowTo: i32, a: usize, out: usize, height: i32): void {
  const end = <usize>(rowTo * height) << 5
  const zero = f32x4.splat(0)
  for (let at = <usize>(rowFrom * height) << 5; at < end; at += 32) {
    const ar = v128.load(a + at)
    const ai = v128.load(a + at, 16)
    v128.store(out + at, f32x4.add(f32x4.mul(ar, ar), f32x4.mul(ai, ai)))
    v128.store(out + at, zero, 16)
  }
}
