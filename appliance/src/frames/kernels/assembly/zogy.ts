// Pointwise steps of ZOGY (Zackay, Ofek & Gal-Yam 2016) on spectra in the layout of fft.ts: groups of eight floats, four
// real parts then four imaginary parts. The order of groups does not matter here. F_n = 1 throughout.

// @ts-ignore: decorator
@inline
function storePair(p: usize, re: v128, im: v128): void {
  v128.store(p, re)
  v128.store(p, im, 16)
}

/**
 * From the PSF spectra P_n, P_r: the filters of eq. 13 (aN = F_r P_r/sqrt(den), aR = P_n/sqrt(den)), of eq. 28 and 29
 * (kN, kR), and pD = P_n P_r/sqrt(den), which is P_D times F_D/F_r (eq. 14).
 */
export function zogyFilters(
  groupFrom: i32,
  groupTo: i32,
  pN: usize,
  pR: usize,
  aN: usize,
  aR: usize,
  kN: usize,
  kR: usize,
  pD: usize,
  varianceN: f32,
  varianceR: f32,
  fluxR: f32,
): void {
  const vn = f32x4.splat(varianceN * fluxR * fluxR)
  const vr = f32x4.splat(varianceR)
  const fr = f32x4.splat(fluxR)
  const fr2 = f32x4.splat(fluxR * fluxR)
  const one = f32x4.splat(1)
  // Where neither PSF passes anything the filters are 0, not 0/0.
  const tiny = f32x4.splat(1e-30)
  for (let group = groupFrom; group < groupTo; group++) {
    const at = (<usize>group) << 5
    const nr = v128.load(pN + at)
    const ni = v128.load(pN + at, 16)
    const rr = v128.load(pR + at)
    const ri = v128.load(pR + at, 16)
    const n2 = f32x4.add(f32x4.mul(nr, nr), f32x4.mul(ni, ni))
    const r2 = f32x4.add(f32x4.mul(rr, rr), f32x4.mul(ri, ri))
    const den = f32x4.max(f32x4.add(f32x4.mul(vn, r2), f32x4.mul(vr, n2)), tiny)
    const inverse = f32x4.div(one, den)
    const root = f32x4.sqrt(inverse)
    const rootF = f32x4.mul(root, fr)
    storePair(aN + at, f32x4.mul(rr, rootF), f32x4.mul(ri, rootF))
    storePair(aR + at, f32x4.mul(nr, root), f32x4.mul(ni, root))
    const gN = f32x4.mul(f32x4.mul(r2, fr2), inverse)
    storePair(kN + at, f32x4.mul(nr, gN), f32x4.neg(f32x4.mul(ni, gN)))
    const gR = f32x4.mul(f32x4.mul(n2, fr), inverse)
    storePair(kR + at, f32x4.mul(rr, gR), f32x4.neg(f32x4.mul(ri, gR)))
    const re = f32x4.sub(f32x4.mul(nr, rr), f32x4.mul(ni, ri))
    const im = f32x4.add(f32x4.mul(nr, ri), f32x4.mul(ni, rr))
    storePair(pD + at, f32x4.mul(re, root), f32x4.mul(im, root))
  }
}

// @ts-ignore: decorator
@inline
function timesRe(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return f32x4.sub(f32x4.mul(ar, br), f32x4.mul(ai, bi))
}

// @ts-ignore: decorator
@inline
function timesIm(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return f32x4.add(f32x4.mul(ar, bi), f32x4.mul(ai, br))
}

/** D = aN N - aR R into `d`; S_n = kN N over N; S_r = kR R over R. */
export function zogyApply(
  groupFrom: i32,
  groupTo: i32,
  n: usize,
  r: usize,
  aN: usize,
  aR: usize,
  kN: usize,
  kR: usize,
  d: usize,
): void {
  for (let group = groupFrom; group < groupTo; group++) {
    const at = (<usize>group) << 5
    const nr = v128.load(n + at)
    const ni = v128.load(n + at, 16)
    const rr = v128.load(r + at)
    const ri = v128.load(r + at, 16)
    let fr = v128.load(aN + at)
    let fi = v128.load(aN + at, 16)
    const gr = v128.load(aR + at)
    const gi = v128.load(aR + at, 16)
    storePair(
      d + at,
      f32x4.sub(timesRe(nr, ni, fr, fi), timesRe(rr, ri, gr, gi)),
      f32x4.sub(timesIm(nr, ni, fr, fi), timesIm(rr, ri, gr, gi)),
    )
    fr = v128.load(kN + at)
    fi = v128.load(kN + at, 16)
    storePair(n + at, timesRe(nr, ni, fr, fi), timesIm(nr, ni, fr, fi))
    fr = v128.load(kR + at)
    fi = v128.load(kR + at, 16)
    storePair(r + at, timesRe(rr, ri, fr, fi), timesIm(rr, ri, fr, fi))
  }
}

/** a b + c e, over a. */
export function spectrumSumOfProducts(groupFrom: i32, groupTo: i32, a: usize, b: usize, c: usize, e: usize): void {
  for (let group = groupFrom; group < groupTo; group++) {
    const at = (<usize>group) << 5
    const ar = v128.load(a + at)
    const ai = v128.load(a + at, 16)
    const br = v128.load(b + at)
    const bi = v128.load(b + at, 16)
    const cr = v128.load(c + at)
    const ci = v128.load(c + at, 16)
    const er = v128.load(e + at)
    const ei = v128.load(e + at, 16)
    storePair(
      a + at,
      f32x4.add(timesRe(ar, ai, br, bi), timesRe(cr, ci, er, ei)),
      f32x4.add(timesIm(ar, ai, br, bi), timesIm(cr, ci, er, ei)),
    )
  }
}

/** Squares rows of `width` floats in place; width is a multiple of 4. */
export function squareRows(rowFrom: i32, rowTo: i32, plane: usize, width: i32): void {
  const to = ((<usize>(rowTo * width)) << 2) + plane
  for (let p = ((<usize>(rowFrom * width)) << 2) + plane; p < to; p += 16) {
    const v = v128.load(p)
    v128.store(p, f32x4.mul(v, v))
  }
}

// @ts-ignore: decorator
@inline
/** Gaussian of sigma 1 px in five taps (2.5 sigma): enough for a variance. */
function smoothAt(plane: usize, stride: i32, x: i32, y: i32, width: i32, height: i32): f32 {
  let sum: f32 = 0
  let weights: f32 = 0
  for (let dy = -2; dy <= 2; dy++) {
    const yy = y + dy
    if (yy < 0 || yy >= height) continue
    const wy: f32 = dy == 0 ? 1 : dy * dy == 1 ? 0.60653066 : 0.13533528
    const p = plane + ((<usize>(yy * stride)) << 2)
    for (let dx = -2; dx <= 2; dx++) {
      const xx = x + dx
      if (xx < 0 || xx >= width) continue
      const w: f32 = wy * (dx == 0 ? 1 : dx * dx == 1 ? 0.60653066 : <f32>0.13533528)
      sum += w * load<f32>(p + ((<usize>xx) << 2))
      weights += w
    }
  }
  return sum / weights
}

/**
 * Variance of a background-subtracted plane: the image smoothed by sigma = 1 px (clipped at 0) divided by the gain, plus
 * the square of the background rms. `perSignal` = 1/gain.
 */
export function sourceVariance(
  rowFrom: i32,
  rowTo: i32,
  image: usize,
  rms: usize,
  out: usize,
  width: i32,
  height: i32,
  perSignal: f32,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const inside = y >= 2 && y < height - 2
    for (let x = 0; x < width; x++) {
      const index = (<usize>(y * width + x)) << 2
      const noise = load<f32>(rms + index)
      let signal: f32
      if (inside && x >= 2 && x < width - 2) {
        const line = (<usize>width) << 2
        const p = image + index
        const far = fiveTaps(p - 2 * line) + fiveTaps(p + 2 * line)
        const near = fiveTaps(p - line) + fiveTaps(p + line)
        // 2.48373196 = 1 + 2 (0.60653066 + 0.13533528)
        signal = (far * 0.13533528 + near * 0.60653066 + fiveTaps(p)) * <f32>(1.0 / (2.48373188 * 2.48373188))
      } else signal = smoothAt(image, width, x, y, width, height)
      store<f32>(out + index, max<f32>(0, signal) * perSignal + noise * noise)
    }
  }
}

// @ts-ignore: decorator
@inline
function fiveTaps(p: usize): f32 {
  const outer = load<f32>(p - 8) + load<f32>(p + 8)
  const inner = load<f32>(p - 4) + load<f32>(p + 4)
  return outer * 0.13533528 + inner * 0.60653066 + load<f32>(p)
}

/**
 * Eq. 25 and 30-33 for the inner rows of a tile. sN, sR, variance and d are tiles of `size` x `size`; outputs are planes of
 * `outWidth`; the tile's pixel (border, border) goes to (outX, outY). astX, astY are variances of the position, pixels²;
 * `relative` is the error of the flux ratio and the PSF as a share of S_r.
 */
export function zogyScore(
  rowFrom: i32,
  rowTo: i32,
  sN: usize,
  sR: usize,
  variance: usize,
  d: usize,
  size: i32,
  border: i32,
  columns: i32,
  scorr: usize,
  difference: usize,
  fluxError: usize,
  outX: i32,
  outY: i32,
  outWidth: i32,
  astX: f32,
  astY: f32,
  perDifference: f32,
  perScore: f32,
  relative: f32,
): void {
  const line = (<usize>size) << 2
  for (let row = rowFrom; row < rowTo; row++) {
    let at = (<usize>((row + border) * size + border)) << 2
    let to = (<usize>((row + outY) * outWidth + outX)) << 2
    for (let column = 0; column < columns; column++, at += 4, to += 4) {
      const n = load<f32>(sN + at)
      const r = load<f32>(sR + at)
      const nx = load<f32>(sN + at + 4) - load<f32>(sN + at - 4)
      const ny = load<f32>(sN + at + line) - load<f32>(sN + at - line)
      const rx = load<f32>(sR + at + 4) - load<f32>(sR + at - 4)
      const ry = load<f32>(sR + at + line) - load<f32>(sR + at - line)
      const noise = max<f32>(load<f32>(variance + at), 1e-30)
      const astrometric: f32 = 0.25 * (astX * (nx * nx + rx * rx) + astY * (ny * ny + ry * ry))
      const shape = relative * r
      const sigma = sqrt<f32>(noise + astrometric + shape * shape)
      store<f32>(scorr + to, (n - r) / sigma)
      store<f32>(difference + to, load<f32>(d + at) * perDifference)
      store<f32>(fluxError + to, sigma * perScore)
    }
  }
}
