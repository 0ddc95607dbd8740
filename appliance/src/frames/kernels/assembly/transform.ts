// One-dimensional Fourier transforms of four signals at once, float32: Stockham autosort, mixed radix. A complex element is
// 32 bytes, four real parts then four imaginary parts.
//
// A plan is int32 words: number of stages, then for each stage its radix and the byte address of its twiddles
// (for each p: (re, im) of w^p, w^2p … w^(radix-1)p). Radix 8 is for the last stage alone.

// @ts-ignore: decorator
@inline
export function mulRe(ar: v128, ai: v128, wr: v128, wi: v128): v128 {
  return f32x4.sub(f32x4.mul(ar, wr), f32x4.mul(ai, wi))
}

// @ts-ignore: decorator
@inline
export function mulIm(ar: v128, ai: v128, wr: v128, wi: v128): v128 {
  return f32x4.add(f32x4.mul(ar, wi), f32x4.mul(ai, wr))
}

/** y0 = a + b, y1 = (a - b) w. */
function radix2(src: usize, dst: usize, twiddles: usize, m: i32, s: i32): void {
  const half = <usize>(m * s) << 5
  const step = <usize>s << 5
  let tw = twiddles
  for (let p = 0; p < m; p++) {
    const wr = v128.load32_splat(tw)
    const wi = v128.load32_splat(tw, 4)
    tw += 8
    const end = src + step
    let out = dst
    while (src < end) {
      const ar = v128.load(src)
      const ai = v128.load(src, 16)
      const br = v128.load(src + half)
      const bi = v128.load(src + half, 16)
      v128.store(out, f32x4.add(ar, br))
      v128.store(out, f32x4.add(ai, bi), 16)
      const dr = f32x4.sub(ar, br)
      const di = f32x4.sub(ai, bi)
      v128.store(out + step, mulRe(dr, di, wr, wi))
      v128.store(out + step, mulIm(dr, di, wr, wi), 16)
      src += 32
      out += 32
    }
    dst += step << 1
  }
}

function radix3(src: usize, dst: usize, twiddles: usize, m: i32, s: i32): void {
  const third = <usize>(m * s) << 5
  const step = <usize>s << 5
  const half = f32x4.splat(-0.5)
  const sine = f32x4.splat(0.8660254037844386)
  let tw = twiddles
  for (let p = 0; p < m; p++) {
    const w1r = v128.load32_splat(tw)
    const w1i = v128.load32_splat(tw, 4)
    const w2r = v128.load32_splat(tw, 8)
    const w2i = v128.load32_splat(tw, 12)
    tw += 16
    const end = src + step
    let out = dst
    while (src < end) {
      const ar = v128.load(src)
      const ai = v128.load(src, 16)
      const br = v128.load(src + third)
      const bi = v128.load(src + third, 16)
      const cr = v128.load(src + 2 * third)
      const ci = v128.load(src + 2 * third, 16)
      const sr = f32x4.add(br, cr)
      const si = f32x4.add(bi, ci)
      const dr = f32x4.mul(sine, f32x4.sub(br, cr))
      const di = f32x4.mul(sine, f32x4.sub(bi, ci))
      const mr = f32x4.add(ar, f32x4.mul(half, sr))
      const mi = f32x4.add(ai, f32x4.mul(half, si))
      v128.store(out, f32x4.add(ar, sr))
      v128.store(out, f32x4.add(ai, si), 16)
      // minus i times (dr, di) is (di, -dr)
      const yr = f32x4.add(mr, di)
      const yi = f32x4.sub(mi, dr)
      const zr = f32x4.sub(mr, di)
      const zi = f32x4.add(mi, dr)
      v128.store(out + step, mulRe(yr, yi, w1r, w1i))
      v128.store(out + step, mulIm(yr, yi, w1r, w1i), 16)
      v128.store(out + 2 * step, mulRe(zr, zi, w2r, w2i))
      v128.store(out + 2 * step, mulIm(zr, zi, w2r, w2i), 16)
      src += 32
      out += 32
    }
    dst += 3 * step
  }
}

function radix4(src: usize, dst: usize, twiddles: usize, m: i32, s: i32): void {
  const quarter = <usize>(m * s) << 5
  const step = <usize>s << 5
  let tw = twiddles
  for (let p = 0; p < m; p++) {
    const w1r = v128.load32_splat(tw)
    const w1i = v128.load32_splat(tw, 4)
    const w2r = v128.load32_splat(tw, 8)
    const w2i = v128.load32_splat(tw, 12)
    const w3r = v128.load32_splat(tw, 16)
    const w3i = v128.load32_splat(tw, 20)
    tw += 24
    const end = src + step
    let out = dst
    while (src < end) {
      const ar = v128.load(src)
      const ai = v128.load(src, 16)
      const br = v128.load(src + quarter)
      const bi = v128.load(src + quarter, 16)
      const cr = v128.load(src + 2 * quarter)
      const ci = v128.load(src + 2 * quarter, 16)
      const dr = v128.load(src + 3 * quarter)
      const di = v128.load(src + 3 * quarter, 16)
      const apcR = f32x4.add(ar, cr)
      const apcI = f32x4.add(ai, ci)
      const amcR = f32x4.sub(ar, cr)
      const amcI = f32x4.sub(ai, ci)
      const bpdR = f32x4.add(br, dr)
      const bpdI = f32x4.add(bi, di)
      const bmdR = f32x4.sub(br, dr)
      const bmdI = f32x4.sub(bi, di)
      v128.store(out, f32x4.add(apcR, bpdR))
      v128.store(out, f32x4.add(apcI, bpdI), 16)
      const y1r = f32x4.add(amcR, bmdI)
      const y1i = f32x4.sub(amcI, bmdR)
      v128.store(out + step, mulRe(y1r, y1i, w1r, w1i))
      v128.store(out + step, mulIm(y1r, y1i, w1r, w1i), 16)
      const y2r = f32x4.sub(apcR, bpdR)
      const y2i = f32x4.sub(apcI, bpdI)
      v128.store(out + 2 * step, mulRe(y2r, y2i, w2r, w2i))
      v128.store(out + 2 * step, mulIm(y2r, y2i, w2r, w2i), 16)
      const y3r = f32x4.sub(amcR, bmdI)
      const y3i = f32x4.add(amcI, bmdR)
      v128.store(out + 3 * step, mulRe(y3r, y3i, w3r, w3i))
      v128.store(out + 3 * step, mulIm(y3r, y3i, w3r, w3i), 16)
      src += 32
      out += 32
    }
    dst += step << 2
  }
}

/** The last stage: m = 1, all twiddles are one, so source and result lie at the same places. */
function radix4Last(src: usize, dst: usize, s: i32): void {
  const step = <usize>s << 5
  const end = src + step
  while (src < end) {
    const ar = v128.load(src)
    const ai = v128.load(src, 16)
    const br = v128.load(src + step)
    const bi = v128.load(src + step, 16)
    const cr = v128.load(src + 2 * step)
    const ci = v128.load(src + 2 * step, 16)
    const dr = v128.load(src + 3 * step)
    const di = v128.load(src + 3 * step, 16)
    const apcR = f32x4.add(ar, cr)
    const apcI = f32x4.add(ai, ci)
    const amcR = f32x4.sub(ar, cr)
    const amcI = f32x4.sub(ai, ci)
    const bpdR = f32x4.add(br, dr)
    const bpdI = f32x4.add(bi, di)
    const bmdR = f32x4.sub(br, dr)
    const bmdI = f32x4.sub(bi, di)
    v128.store(dst, f32x4.add(apcR, bpdR))
    v128.store(dst, f32x4.add(apcI, bpdI), 16)
    v128.store(dst + step, f32x4.add(amcR, bmdI))
    v128.store(dst + step, f32x4.sub(amcI, bmdR), 16)
    v128.store(dst + 2 * step, f32x4.sub(apcR, bpdR))
    v128.store(dst + 2 * step, f32x4.sub(apcI, bpdI), 16)
    v128.store(dst + 3 * step, f32x4.sub(amcR, bmdI))
    v128.store(dst + 3 * step, f32x4.add(amcI, bmdR), 16)
    src += 32
    dst += 32
  }
}

// @ts-ignore: decorator
@inline
/** Transform of four elements, stored 2 · `step` apart. */
function storeFour(
  dst: usize, step: usize, ar: v128, ai: v128, br: v128, bi: v128, cr: v128, ci: v128, dr: v128, di: v128,
): void {
  const apcR = f32x4.add(ar, cr)
  const apcI = f32x4.add(ai, ci)
  const amcR = f32x4.sub(ar, cr)
  const amcI = f32x4.sub(ai, ci)
  const bpdR = f32x4.add(br, dr)
  const bpdI = f32x4.add(bi, di)
  const bmdR = f32x4.sub(br, dr)
  const bmdI = f32x4.sub(bi, di)
  v128.store(dst, f32x4.add(apcR, bpdR))
  v128.store(dst, f32x4.add(apcI, bpdI), 16)
  v128.store(dst + 2 * step, f32x4.add(amcR, bmdI))
  v128.store(dst + 2 * step, f32x4.sub(amcI, bmdR), 16)
  v128.store(dst + 4 * step, f32x4.sub(apcR, bpdR))
  v128.store(dst + 4 * step, f32x4.sub(apcI, bpdI), 16)
  v128.store(dst + 6 * step, f32x4.sub(amcR, bmdI))
  v128.store(dst + 6 * step, f32x4.add(amcI, bmdR), 16)
}

/**
 * The last stage as eight, without twiddles: sums of opposite elements give the even results, differences times powers of
 * (1 - i) / sqrt 2 the odd ones. Elements are loaded for each: sixteen vectors are more than there are registers.
 */
function radix8Last(src: usize, dst: usize, s: i32): void {
  const step = <usize>s << 5
  const far = 4 * step
  const end = src + step
  const root = f32x4.splat(0.7071067811865476)
  while (src < end) {
    const b = src + step
    const c = b + step
    const d = c + step
    storeFour(
      dst, step,
      f32x4.add(v128.load(src), v128.load(src + far)),
      f32x4.add(v128.load(src, 16), v128.load(src + far, 16)),
      f32x4.add(v128.load(b), v128.load(b + far)),
      f32x4.add(v128.load(b, 16), v128.load(b + far, 16)),
      f32x4.add(v128.load(c), v128.load(c + far)),
      f32x4.add(v128.load(c, 16), v128.load(c + far, 16)),
      f32x4.add(v128.load(d), v128.load(d + far)),
      f32x4.add(v128.load(d, 16), v128.load(d + far, 16)),
    )
    const br = f32x4.sub(v128.load(b), v128.load(b + far))
    const bi = f32x4.sub(v128.load(b, 16), v128.load(b + far, 16))
    const dr = f32x4.sub(v128.load(d), v128.load(d + far))
    const di = f32x4.sub(v128.load(d, 16), v128.load(d + far, 16))
    storeFour(
      dst + step, step,
      f32x4.sub(v128.load(src), v128.load(src + far)),
      f32x4.sub(v128.load(src, 16), v128.load(src + far, 16)),
      f32x4.mul(root, f32x4.add(br, bi)),
      f32x4.mul(root, f32x4.sub(bi, br)),
      f32x4.sub(v128.load(c, 16), v128.load(c + far, 16)),
      f32x4.sub(v128.load(c + far), v128.load(c)),
      f32x4.mul(root, f32x4.sub(di, dr)),
      f32x4.neg(f32x4.mul(root, f32x4.add(dr, di))),
    )
    src += 32
    dst += 32
  }
}

function radix5(src: usize, dst: usize, twiddles: usize, m: i32, s: i32): void {
  const fifth = <usize>(m * s) << 5
  const step = <usize>s << 5
  const c1 = f32x4.splat(0.30901699437494745)
  const c2 = f32x4.splat(-0.8090169943749475)
  const s1 = f32x4.splat(0.9510565162951535)
  const s2 = f32x4.splat(0.5877852522924731)
  let tw = twiddles
  for (let p = 0; p < m; p++) {
    const w1r = v128.load32_splat(tw)
    const w1i = v128.load32_splat(tw, 4)
    const w2r = v128.load32_splat(tw, 8)
    const w2i = v128.load32_splat(tw, 12)
    const w3r = v128.load32_splat(tw, 16)
    const w3i = v128.load32_splat(tw, 20)
    const w4r = v128.load32_splat(tw, 24)
    const w4i = v128.load32_splat(tw, 28)
    tw += 32
    const end = src + step
    let out = dst
    while (src < end) {
      const ar = v128.load(src)
      const ai = v128.load(src, 16)
      const br = v128.load(src + fifth)
      const bi = v128.load(src + fifth, 16)
      const er = v128.load(src + 4 * fifth)
      const ei = v128.load(src + 4 * fifth, 16)
      const cr = v128.load(src + 2 * fifth)
      const ci = v128.load(src + 2 * fifth, 16)
      const dr = v128.load(src + 3 * fifth)
      const di = v128.load(src + 3 * fifth, 16)
      const beR = f32x4.add(br, er)
      const beI = f32x4.add(bi, ei)
      const cdR = f32x4.add(cr, dr)
      const cdI = f32x4.add(ci, di)
      const bmeR = f32x4.sub(br, er)
      const bmeI = f32x4.sub(bi, ei)
      const cmdR = f32x4.sub(cr, dr)
      const cmdI = f32x4.sub(ci, di)
      v128.store(out, f32x4.add(ar, f32x4.add(beR, cdR)))
      v128.store(out, f32x4.add(ai, f32x4.add(beI, cdI)), 16)
      const m1r = f32x4.add(ar, f32x4.add(f32x4.mul(c1, beR), f32x4.mul(c2, cdR)))
      const m1i = f32x4.add(ai, f32x4.add(f32x4.mul(c1, beI), f32x4.mul(c2, cdI)))
      const n1r = f32x4.add(f32x4.mul(s1, bmeR), f32x4.mul(s2, cmdR))
      const n1i = f32x4.add(f32x4.mul(s1, bmeI), f32x4.mul(s2, cmdI))
      const y1r = f32x4.add(m1r, n1i)
      const y1i = f32x4.sub(m1i, n1r)
      const y4r = f32x4.sub(m1r, n1i)
      const y4i = f32x4.add(m1i, n1r)
      v128.store(out + step, mulRe(y1r, y1i, w1r, w1i))
      v128.store(out + step, mulIm(y1r, y1i, w1r, w1i), 16)
      v128.store(out + 4 * step, mulRe(y4r, y4i, w4r, w4i))
      v128.store(out + 4 * step, mulIm(y4r, y4i, w4r, w4i), 16)
      const m2r = f32x4.add(ar, f32x4.add(f32x4.mul(c2, beR), f32x4.mul(c1, cdR)))
      const m2i = f32x4.add(ai, f32x4.add(f32x4.mul(c2, beI), f32x4.mul(c1, cdI)))
      const n2r = f32x4.sub(f32x4.mul(s2, bmeR), f32x4.mul(s1, cmdR))
      const n2i = f32x4.sub(f32x4.mul(s2, bmeI), f32x4.mul(s1, cmdI))
      const y2r = f32x4.add(m2r, n2i)
      const y2i = f32x4.sub(m2i, n2r)
      const y3r = f32x4.sub(m2r, n2i)
      const y3i = f32x4.add(m2i, n2r)
      v128.store(out + 2 * step, mulRe(y2r, y2i, w2r, w2i))
      v128.store(out + 2 * step, mulIm(y2r, y2i, w2r, w2i), 16)
      v128.store(out + 3 * step, mulRe(y3r, y3i, w3r, w3i))
      v128.store(out + 3 * step, mulIm(y3r, y3i, w3r, w3i), 16)
      src += 32
      out += 32
    }
    dst += 5 * step
  }
}

// @ts-ignore: decorator
@inline
/** Sum of three vectors by weights. */
function weighted(a: v128, wa: v128, b: v128, wb: v128, c: v128, wc: v128): v128 {
  return f32x4.add(f32x4.add(f32x4.mul(wa, a), f32x4.mul(wb, b)), f32x4.mul(wc, c))
}

// @ts-ignore: decorator
@inline
/** y_k = m - i n and y_(7-k) = m + i n, times their twiddles. */
function storeMirrored(
  out: usize,
  mirror: usize,
  tw: usize,
  mirrorTw: usize,
  mr: v128,
  mi: v128,
  nr: v128,
  ni: v128,
): void {
  storeTimes(out, tw, f32x4.add(mr, ni), f32x4.sub(mi, nr))
  storeTimes(mirror, mirrorTw, f32x4.sub(mr, ni), f32x4.add(mi, nr))
}

// @ts-ignore: decorator
@inline
function storeTimes(out: usize, tw: usize, re: v128, im: v128): void {
  const wr = v128.load32_splat(tw)
  const wi = v128.load32_splat(tw, 4)
  v128.store(out, mulRe(re, im, wr, wi))
  v128.store(out, mulIm(re, im, wr, wi), 16)
}

function radix7(src: usize, dst: usize, twiddles: usize, m: i32, s: i32): void {
  const part = <usize>(m * s) << 5
  const step = <usize>s << 5
  const c1 = f32x4.splat(0.6234898018587336)
  const c2 = f32x4.splat(-0.2225209339563144)
  const c3 = f32x4.splat(-0.9009688679024191)
  const s1 = f32x4.splat(0.7818314824680298)
  const s2 = f32x4.splat(0.9749279121818236)
  const s3 = f32x4.splat(0.4338837391175581)
  const minusS1 = f32x4.neg(s1)
  const minusS3 = f32x4.neg(s3)
  let tw = twiddles
  for (let p = 0; p < m; p++) {
    const end = src + step
    let out = dst
    while (src < end) {
      const ar = v128.load(src)
      const ai = v128.load(src, 16)
      const br = v128.load(src + part)
      const bi = v128.load(src + part, 16)
      const cr = v128.load(src + 2 * part)
      const ci = v128.load(src + 2 * part, 16)
      const dr = v128.load(src + 3 * part)
      const di = v128.load(src + 3 * part, 16)
      const er = v128.load(src + 4 * part)
      const ei = v128.load(src + 4 * part, 16)
      const fr = v128.load(src + 5 * part)
      const fi = v128.load(src + 5 * part, 16)
      const gr = v128.load(src + 6 * part)
      const gi = v128.load(src + 6 * part, 16)
      const t1r = f32x4.add(br, gr)
      const u1r = f32x4.sub(br, gr)
      const t1i = f32x4.add(bi, gi)
      const u1i = f32x4.sub(bi, gi)
      const t2r = f32x4.add(cr, fr)
      const u2r = f32x4.sub(cr, fr)
      const t2i = f32x4.add(ci, fi)
      const u2i = f32x4.sub(ci, fi)
      const t3r = f32x4.add(dr, er)
      const u3r = f32x4.sub(dr, er)
      const t3i = f32x4.add(di, ei)
      const u3i = f32x4.sub(di, ei)
      v128.store(out, f32x4.add(f32x4.add(ar, t1r), f32x4.add(t2r, t3r)))
      v128.store(out, f32x4.add(f32x4.add(ai, t1i), f32x4.add(t2i, t3i)), 16)
      storeMirrored(out + 1 * step, out + 6 * step, tw + 0, tw + 40, f32x4.add(ar, weighted(t1r, c1, t2r, c2, t3r, c3)), f32x4.add(ai, weighted(t1i, c1, t2i, c2, t3i, c3)), weighted(u1r, s1, u2r, s2, u3r, s3), weighted(u1i, s1, u2i, s2, u3i, s3))
      storeMirrored(out + 2 * step, out + 5 * step, tw + 8, tw + 32, f32x4.add(ar, weighted(t1r, c2, t2r, c3, t3r, c1)), f32x4.add(ai, weighted(t1i, c2, t2i, c3, t3i, c1)), weighted(u1r, s2, u2r, minusS3, u3r, minusS1), weighted(u1i, s2, u2i, minusS3, u3i, minusS1))
      storeMirrored(out + 3 * step, out + 4 * step, tw + 16, tw + 24, f32x4.add(ar, weighted(t1r, c3, t2r, c1, t3r, c2)), f32x4.add(ai, weighted(t1i, c3, t2i, c1, t3i, c2)), weighted(u1r, s3, u2r, minusS1, u3r, s2), weighted(u1i, s3, u2i, minusS1, u3i, s2))
      src += 32
      out += 32
    }
    tw += 48
    dst += 7 * step
  }
}

/**
 * Four forward transforms of length n from `src` to `dst` (may be the same); s1 and s2 are scratch of n elements each.
 * Stages alternate between s1 and dst so that the last one ends in dst.
 */
export function transform(src: usize, dst: usize, s1: usize, s2: usize, plan: usize, n: i32): void {
  const stages = load<i32>(plan)
  let length = n
  let s = 1
  let from = src
  for (let stage = 0; stage < stages; stage++) {
    const radix = load<i32>(plan + (<usize>stage << 3), 4)
    const twiddles = <usize>load<u32>(plan + (<usize>stage << 3), 8)
    const m = length / radix
    let to = ((stages - 1 - stage) & 1) == 0 ? dst : s1
    if (to == from) to = s2
    if (radix == 4) {
      if (m == 1) radix4Last(from, to, s)
      else radix4(from, to, twiddles, m, s)
    } else if (radix == 8) radix8Last(from, to, s)
    else if (radix == 2) radix2(from, to, twiddles, m, s)
    else if (radix == 3) radix3(from, to, twiddles, m, s)
    else if (radix == 5) radix5(from, to, twiddles, m, s)
    else radix7(from, to, twiddles, m, s)
    from = to
    length = m
    s *= radix
  }
}
