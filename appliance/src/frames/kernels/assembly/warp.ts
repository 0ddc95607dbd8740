// Quintic B-spline resampling: recursive prefilter (Unser, Aldroubi & Eden 1993), then 6 x 6 taps.
// Coefficient planes are padded: pixel (x, y) of the source lies at column x + PAD, row y + PAD.

const PAD: i32 = 4
const Z1: f32 = -0.43057534709997379
const Z2: f32 = -0.04309628820326465
// (1 - z1)(1 - 1/z1)(1 - z2)(1 - 1/z2)
const GAIN: f32 = 120.0

// @ts-ignore: decorator
@inline
function rowsLoad(p: usize, stride: usize): v128 {
  let v = v128.load32_zero(p)
  v = v128.load32_lane(p + stride, v, 1)
  v = v128.load32_lane(p + 2 * stride, v, 2)
  return v128.load32_lane(p + 3 * stride, v, 3)
}

// @ts-ignore: decorator
@inline
function rowsStore(p: usize, stride: usize, v: v128): void {
  v128.store32_lane(p, v, 0)
  v128.store32_lane(p + stride, v, 1)
  v128.store32_lane(p + 2 * stride, v, 2)
  v128.store32_lane(p + 3 * stride, v, 3)
}

// @ts-ignore: decorator
@inline
/** Four neighbouring lines at once: side by side in memory (column pass) or `line` bytes apart (row pass). */
function get(p: usize, line: usize, gather: bool): v128 {
  return gather ? rowsLoad(p, line) : v128.load(p)
}

// @ts-ignore: decorator
@inline
function put(p: usize, line: usize, gather: bool, v: v128): void {
  if (gather) rowsStore(p, line, v)
  else v128.store(p, v)
}

// @ts-ignore: decorator
@inline
/** One pole, forwards and backwards, over `n` samples `step` bytes apart; mirror boundaries. */
function onePole(base: usize, n: i32, step: usize, line: usize, gather: bool, z: f32, gain: f32): void {
  const z4 = f32x4.splat(z)
  const gain4 = f32x4.splat(gain)
  let sum = f32x4.splat(0)
  let power: f32 = 1
  const horizon = min(n, 28)
  for (let k = 0; k < horizon; k++) {
    sum = f32x4.add(sum, f32x4.mul(f32x4.splat(power), get(base + <usize>k * step, line, gather)))
    power *= z
  }
  let previous = f32x4.mul(sum, gain4)
  put(base, line, gather, previous)
  for (let k = 1; k < n; k++) {
    const p = base + <usize>k * step
    previous = f32x4.add(f32x4.mul(get(p, line, gather), gain4), f32x4.mul(z4, previous))
    put(p, line, gather, previous)
  }
  const last = base + <usize>(n - 1) * step
  const before = n > 1 ? get(last - step, line, gather) : previous
  previous = f32x4.mul(f32x4.splat(z / (z * z - 1)), f32x4.add(previous, f32x4.mul(z4, before)))
  put(last, line, gather, previous)
  for (let k = n - 2; k >= 0; k--) {
    const p = base + <usize>k * step
    previous = f32x4.mul(z4, f32x4.sub(previous, get(p, line, gather)))
    put(p, line, gather, previous)
  }
}

/** Row pass in place over groups of four rows, `n` samples each, rows `stride` floats apart. */
export function splineRows(groupFrom: i32, groupTo: i32, base: usize, n: i32, stride: i32): void {
  const line = <usize>stride << 2
  for (let group = groupFrom; group < groupTo; group++) {
    const p = base + <usize>group * 4 * line
    onePole(p, n, 4, line, true, Z1, GAIN)
    onePole(p, n, 4, line, true, Z2, 1)
  }
}

/** Column pass in place over groups of four columns, `n` samples each. */
export function splineColumns(groupFrom: i32, groupTo: i32, base: usize, n: i32, stride: i32): void {
  const line = <usize>stride << 2
  for (let group = groupFrom; group < groupTo; group++) {
    const p = base + ((<usize>group) << 4)
    onePole(p, n, line, 0, false, Z1, GAIN)
    onePole(p, n, line, 0, false, Z2, 1)
  }
}

// @ts-ignore: decorator
@inline
function term(p: usize, k: i32): f64 {
  return load<f64>(p + ((<usize>k) << 3))
}

// @ts-ignore: decorator
@inline
/** The four taps 0..3 of the quintic B-spline at fraction t. */
function headWeights(t: f32): v128 {
  const t2 = t * t
  const t3 = t2 * t
  const t4 = t2 * t2
  const t5 = t4 * t
  const s: f32 = 1 - t
  const s2: f32 = s * s
  const w0: f32 = s2 * s2 * s
  const w1: f32 = 26 - 50 * t + 20 * t2 + 20 * t3 - 20 * t4 + 5 * t5
  const w2: f32 = 66 - 60 * t2 + 30 * t4 - 10 * t5
  const w3: f32 = 26 + 50 * t + 20 * t2 - 20 * t3 - 20 * t4 + 10 * t5
  let v = f32x4.splat(w0)
  v = f32x4.replace_lane(v, 1, w1)
  v = f32x4.replace_lane(v, 2, w2)
  v = f32x4.replace_lane(v, 3, w3)
  return f32x4.mul(v, f32x4.splat(<f32>(1.0 / 120.0)))
}

// @ts-ignore: decorator
@inline
/** Taps 4 and 5 (lanes 0 and 1). */
function tailWeights(t: f32): v128 {
  const t2 = t * t
  const t3 = t2 * t
  const t4 = t2 * t2
  const t5 = t4 * t
  const w4: f32 = 1 + 5 * t + 10 * t2 + 10 * t3 + 5 * t4 - 5 * t5
  let v = f32x4.splat(0)
  v = f32x4.replace_lane(v, 0, w4 * <f32>(1.0 / 120.0))
  return f32x4.replace_lane(v, 1, t5 * <f32>(1.0 / 120.0))
}

// @ts-ignore: decorator
@inline
function maskTouched(mask: usize, width: i32, height: i32, x0: i32, y0: i32): u32 {
  let bits: u64 = 0
  if (x0 >= 1 && x0 + 2 < width && y0 >= 1 && y0 + 2 < height) {
    const p = mask + ((<usize>((y0 - 1) * width + x0 - 1)) << 1)
    const line = (<usize>width) << 1
    bits = load<u64>(p) | load<u64>(p + line) | load<u64>(p + 2 * line) | load<u64>(p + 3 * line)
    bits |= bits >> 32
    bits |= bits >> 16
    return <u32>(bits & 0xffff)
  }
  let found: u32 = 0
  for (let y = max(0, y0 - 1); y <= min(height - 1, y0 + 2); y++)
    for (let x = max(0, x0 - 1); x <= min(width - 1, x0 + 2); x++) found |= <u32>load<u16>(mask + ((<usize>(y * width + x)) << 1))
  return found
}

// @ts-ignore: decorator
@inline
function bilinear(plane: usize, width: i32, height: i32, x0: i32, y0: i32, tx: f32, ty: f32): f32 {
  const xa = max(0, min(width - 1, x0))
  const xb = max(0, min(width - 1, x0 + 1))
  const ya = max(0, min(height - 1, y0)) * width
  const yb = max(0, min(height - 1, y0 + 1)) * width
  const top = load<f32>(plane + ((<usize>(ya + xa)) << 2)) * (1 - tx) + load<f32>(plane + ((<usize>(ya + xb)) << 2)) * tx
  const bottom = load<f32>(plane + ((<usize>(yb + xa)) << 2)) * (1 - tx) + load<f32>(plane + ((<usize>(yb + xb)) << 2)) * tx
  return top * (1 - ty) + bottom * ty
}

/**
 * Rows of the output: value, mask and variance at the place that the polynomial map gives. `map` holds 23 float64:
 * centre x, y, scale, ten coefficients for x, ten for y. Values are multiplied by |Jacobian| so that flux is kept.
 * Outside the source: value 0, mask `noData`, variance 0. `variance` pointers of 0 mean none.
 */
export function warpQuintic(
  rowFrom: i32,
  rowTo: i32,
  coefficients: usize,
  stride: i32,
  sourceMask: usize,
  sourceVariance: usize,
  sourceWidth: i32,
  sourceHeight: i32,
  out: usize,
  outMask: usize,
  outVariance: usize,
  width: i32,
  map: usize,
  noData: i32,
): void {
  const centreX = term(map, 0)
  const centreY = term(map, 1)
  const scale = term(map, 2)
  const perPixel = 1.0 / scale
  const area = perPixel * perPixel
  const cx = map + 24
  const cy = map + 104
  const right = <f64>sourceWidth - 0.99
  const top = <f64>sourceHeight - 0.99
  for (let row = rowFrom; row < rowTo; row++) {
    const v = (<f64>row - centreY) * perPixel
    const ax0 = term(cx, 0) + v * (term(cx, 2) + v * (term(cx, 5) + v * term(cx, 9)))
    const ax1 = term(cx, 1) + v * (term(cx, 4) + v * term(cx, 8))
    const ax2 = term(cx, 3) + v * term(cx, 7)
    const ax3 = term(cx, 6)
    const ay0 = term(cy, 0) + v * (term(cy, 2) + v * (term(cy, 5) + v * term(cy, 9)))
    const ay1 = term(cy, 1) + v * (term(cy, 4) + v * term(cy, 8))
    const ay2 = term(cy, 3) + v * term(cy, 7)
    const ay3 = term(cy, 6)
    const bx0 = term(cx, 2) + v * (2 * term(cx, 5) + 3 * v * term(cx, 9))
    const bx1 = term(cx, 4) + 2 * v * term(cx, 8)
    const bx2 = term(cx, 7)
    const by0 = term(cy, 2) + v * (2 * term(cy, 5) + 3 * v * term(cy, 9))
    const by1 = term(cy, 4) + 2 * v * term(cy, 8)
    const by2 = term(cy, 7)
    for (let column = 0; column < width; column++) {
      const index = <usize>(row * width + column)
      const u = (<f64>column - centreX) * perPixel
      const x = ax0 + u * (ax1 + u * (ax2 + u * ax3))
      const y = ay0 + u * (ay1 + u * (ay2 + u * ay3))
      if (!(x > -0.01 && y > -0.01 && x < right && y < top)) {
        store<f32>(out + (index << 2), 0)
        store<u16>(outMask + (index << 1), <u16>noData)
        if (outVariance) store<f32>(outVariance + (index << 2), 0)
        continue
      }
      const dxu = ax1 + u * (2 * ax2 + 3 * u * ax3)
      const dyu = ay1 + u * (2 * ay2 + 3 * u * ay3)
      const dxv = bx0 + u * (bx1 + u * bx2)
      const dyv = by0 + u * (by1 + u * by2)
      const jacobian = <f32>(abs(dxu * dyv - dxv * dyu) * area)
      const floorX = floor(x)
      const floorY = floor(y)
      const x0 = <i32>floorX
      const y0 = <i32>floorY
      const tx = <f32>(x - floorX)
      const ty = <f32>(y - floorY)
      const headY = headWeights(ty)
      const tailY = tailWeights(ty)
      let p = coefficients + ((<usize>((y0 - 2 + PAD) * stride + x0 - 2 + PAD)) << 2)
      const line = (<usize>stride) << 2
      let w = f32x4.splat(f32x4.extract_lane(headY, 0))
      let low = f32x4.mul(w, v128.load(p))
      let high = f32x4.mul(w, v128.load(p, 16))
      p += line
      w = f32x4.splat(f32x4.extract_lane(headY, 1))
      low = f32x4.add(low, f32x4.mul(w, v128.load(p)))
      high = f32x4.add(high, f32x4.mul(w, v128.load(p, 16)))
      p += line
      w = f32x4.splat(f32x4.extract_lane(headY, 2))
      low = f32x4.add(low, f32x4.mul(w, v128.load(p)))
      high = f32x4.add(high, f32x4.mul(w, v128.load(p, 16)))
      p += line
      w = f32x4.splat(f32x4.extract_lane(headY, 3))
      low = f32x4.add(low, f32x4.mul(w, v128.load(p)))
      high = f32x4.add(high, f32x4.mul(w, v128.load(p, 16)))
      p += line
      w = f32x4.splat(f32x4.extract_lane(tailY, 0))
      low = f32x4.add(low, f32x4.mul(w, v128.load(p)))
      high = f32x4.add(high, f32x4.mul(w, v128.load(p, 16)))
      p += line
      w = f32x4.splat(f32x4.extract_lane(tailY, 1))
      low = f32x4.add(low, f32x4.mul(w, v128.load(p)))
      high = f32x4.add(high, f32x4.mul(w, v128.load(p, 16)))
      const both = f32x4.add(f32x4.mul(low, headWeights(tx)), f32x4.mul(high, tailWeights(tx)))
      const sum =
        f32x4.extract_lane(both, 0) + f32x4.extract_lane(both, 1) + (f32x4.extract_lane(both, 2) + f32x4.extract_lane(both, 3))
      store<f32>(out + (index << 2), sum * jacobian)
      store<u16>(outMask + (index << 1), <u16>maskTouched(sourceMask, sourceWidth, sourceHeight, x0, y0))
      if (outVariance) {
        const variance = bilinear(sourceVariance, sourceWidth, sourceHeight, x0, y0, tx, ty)
        store<f32>(outVariance + (index << 2), variance * jacobian * jacobian)
      }
    }
  }
}
