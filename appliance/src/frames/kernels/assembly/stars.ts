import { ownScratch } from './thread'

// Finding and measuring stars. The residual plane is science − background with NaN where a pixel may not be used.

/** NaN where `mask` & `bits`; `mask` 0: nowhere. */
export function hideMasked(rowFrom: i32, rowTo: i32, plane: usize, mask: usize, bits: i32, width: i32): void {
  if (mask == 0) return
  const to = rowTo * width
  let i = rowFrom * width
  const bits4 = i32x4.splat(bits)
  const nan4 = f32x4.splat(f32.NaN)
  const zero4 = i32x4.splat(0)
  for (; i + 4 <= to; i += 4) {
    const at = plane + ((<usize>i) << 2)
    const m = i32x4.extend_low_i16x8_u(v128.load64_zero(mask + ((<usize>i) << 1)))
    v128.store(at, v128.bitselect(v128.load(at), nan4, i32x4.eq(v128.and(m, bits4), zero4)))
  }
  for (; i < to; i++) {
    if ((<i32>load<u16>(mask + ((<usize>i) << 1)) & bits) != 0) store<f32>(plane + ((<usize>i) << 2), f32.NaN)
  }
}

// @ts-ignore: decorator
@inline
function finite4(v: v128): v128 {
  return v128.and(v, f32x4.eq(v, v))
}

/**
 * Matched filter in standard deviations of its own noise: the residual convolved with the separable `taps` (radius + 1
 * f32, centre first, sum of squares of the full line 1), divided by the rms. `line` is one padded row for each thread.
 */
export function matchedFilter(
  rowFrom: i32, rowTo: i32, residual: usize, rms: usize, taps: usize, radius: i32, out: usize, width: i32, height: i32,
  lines: usize, lineBytes: usize,
): void {
  const line = ownScratch(lines, lineBytes)
  const body = line + 64
  memory.fill(line, 0, lineBytes)
  for (let y = rowFrom; y < rowTo; y++) {
    for (let k = 0; k <= radius; k++) {
      const above = y - k >= 0 ? residual + ((<usize>(y - k) * <usize>width) << 2) : 0
      const below = k > 0 && y + k < height ? residual + ((<usize>(y + k) * <usize>width) << 2) : 0
      const tap = load<f32>(taps + ((<usize>k) << 2))
      if (above != 0) addRow(above, body, width, tap, k == 0)
      if (below != 0) addRow(below, body, width, tap, false)
    }
    const target = ((<usize>y * <usize>width) << 2)
    let x = 0
    for (; x + 4 <= width; x += 4) {
      const at = (<usize>x) << 2
      const v = acrossTaps(body + at, taps, radius)
      v128.store(out + target + at, f32x4.div(v, v128.load(rms + target + at)))
    }
    for (; x < width; x++) {
      const at = (<usize>x) << 2
      const v = f32x4.extract_lane(acrossTaps(body + at, taps, radius), 0)
      store<f32>(out + target + at, v / load<f32>(rms + target + at))
    }
  }
}

/** line = or += tap · row; NaN counts as 0. */
function addRow(row: usize, line: usize, width: i32, tap: f32, fresh: bool): void {
  const tap4 = f32x4.splat(tap)
  let x = 0
  for (; x + 4 <= width; x += 4) {
    const at = (<usize>x) << 2
    const v = f32x4.mul(finite4(v128.load(row + at)), tap4)
    v128.store(line + at, fresh ? v : f32x4.add(v128.load(line + at), v))
  }
  for (; x < width; x++) {
    const at = (<usize>x) << 2
    const raw = load<f32>(row + at)
    const v = raw == raw ? raw * tap : 0
    store<f32>(line + at, fresh ? v : load<f32>(line + at) + v)
  }
}

// @ts-ignore: decorator
@inline
function acrossTaps(at: usize, taps: usize, radius: i32): v128 {
  let sum = f32x4.mul(v128.load(at), f32x4.splat(load<f32>(taps)))
  for (let k = 1; k <= radius; k++) {
    const reach = (<usize>k) << 2
    const pair = f32x4.add(v128.load(at - reach), v128.load(at + reach))
    sum = f32x4.add(sum, f32x4.mul(pair, f32x4.splat(load<f32>(taps + reach))))
  }
  return sum
}

/** e^x for x ≤ 0, relative error below 1e-9; 0 below −700. */
function exponential(x: f64): f64 {
  if (x < -700) return 0
  const k = Math.floor(x * 1.4426950408889634 + 0.5)
  const r = x - k * 0.6931471805599453
  let sum = 1 + r / 9
  sum = 1 + (r * sum) / 8
  sum = 1 + (r * sum) / 7
  sum = 1 + (r * sum) / 6
  sum = 1 + (r * sum) / 5
  sum = 1 + (r * sum) / 4
  sum = 1 + (r * sum) / 3
  sum = 1 + (r * sum) / 2
  sum = 1 + r * sum
  return sum * reinterpret<f64>((<i64>k + 1023) << 52)
}

// One star in the table: 20 f64. x, y, label, Mxx, Mxy, Myy, status, weighted flux, its variance, then the aperture's
// flux, variance, peak, half-flux radius, mask bits, share outside the frame or unusable, core width.
const starBytes: usize = 160
const statusGood: f64 = 0
const statusFailed: f64 = 1
/** Smaller than a pixel. Measured as a point of this variance (px²). */
const statusPoint: f64 = 2
const pointVariance: f64 = 0.05

/**
 * The residual at (x, y) for star `label`. A pixel that is unusable or belongs to another star is replaced by the one
 * opposite to it across the centre; NaN when that is no better.
 */
// @ts-ignore: decorator
@inline
function usable(residual: usize, labels: usize, width: i32, height: i32, x: i32, y: i32, label: i32, cx: f64, cy: f64): f32 {
  const v = own(residual, labels, width, height, x, y, label)
  return v == v ? v : opposite(residual, labels, width, height, x, y, label, cx, cy)
}

function opposite(residual: usize, labels: usize, width: i32, height: i32, x: i32, y: i32, label: i32, cx: f64, cy: f64): f32 {
  const mx = <i32>Math.floor(2 * cx - <f64>x + 0.5)
  const my = <i32>Math.floor(2 * cy - <f64>y + 0.5)
  return own(residual, labels, width, height, mx, my, label)
}

// @ts-ignore: decorator
@inline
function own(residual: usize, labels: usize, width: i32, height: i32, x: i32, y: i32, label: i32): f32 {
  if (x < 0 || y < 0 || x >= width || y >= height) return f32.NaN
  const i = (<usize>y * <usize>width + <usize>x) << 2
  const l = load<i32>(labels + i)
  if (l != 0 && l != label) return f32.NaN
  return load<f32>(residual + i)
}

/** Variance of one pixel's noise: from the plane, or rms² + flux / gain. */
// @ts-ignore: decorator
@inline
function noise(variance: usize, rms: usize, i: usize, flux: f32, perFlux: f64): f64 {
  if (variance != 0) return <f64>load<f32>(variance + i)
  const r = <f64>load<f32>(rms + i)
  return r * r + Math.max(0, <f64>flux) * perFlux
}

/**
 * Adaptive moments (Bernstein & Jarvis 2002, section 3.1): the elliptical Gaussian whose shape and centre equal those of
 * the light under it. Rows are stars of the table. Position and Mxx, Mxy, Myy (px²) are improved in place.
 */
export function starShapes(
  starFrom: i32, starTo: i32, table: usize, residual: usize, labels: usize, rms: usize, variance: usize, perFlux: f64,
  width: i32, height: i32,
): void {
  for (let s = starFrom; s < starTo; s++) {
    const star = table + <usize>s * starBytes
    const label = <i32>load<f64>(star, 16)
    const startX = load<f64>(star)
    const startY = load<f64>(star, 8)
    let cx = startX
    let cy = startY
    let mxx = load<f64>(star, 24)
    let mxy = load<f64>(star, 32)
    let myy = load<f64>(star, 40)
    let status = statusFailed
    let flux: f64 = 0
    let fluxVariance: f64 = 0
    for (let iteration = 0; iteration < 30; iteration++) {
      const det = mxx * myy - mxy * mxy
      const a = myy / det
      const b = -mxy / det
      const c = mxx / det
      const reachX = min(80, <i32>Math.ceil(3.2 * Math.sqrt(mxx)))
      const reachY = min(80, <i32>Math.ceil(3.2 * Math.sqrt(myy)))
      const ix = <i32>Math.floor(cx + 0.5)
      const iy = <i32>Math.floor(cy + 0.5)
      let sum: f64 = 0
      let sx: f64 = 0
      let sy: f64 = 0
      let sxx: f64 = 0
      let sxy: f64 = 0
      let syy: f64 = 0
      fluxVariance = 0
      const turn = exponential(-a)
      for (let y = iy - reachY; y <= iy + reachY; y++) {
        const dy = <f64>y - cy
        let dx = <f64>(ix - reachX) - cx
        let weight = exponential(-0.5 * (a * dx * dx + 2 * b * dx * dy + c * dy * dy))
        let ratioExponent = -0.5 * (a * (2 * dx + 1) + 2 * b * dy)
        // The ratio rises above 1 left of the centre: e^x for x > 0 as 1 / e^−x.
        let ratio = ratioExponent > 0 ? 1 / exponential(-ratioExponent) : exponential(ratioExponent)
        for (let x = ix - reachX; x <= ix + reachX; x++) {
          const v = usable(residual, labels, width, height, x, y, label, cx, cy)
          if (v == v) {
            const wv = weight * <f64>v
            sum += wv
            sx += wv * dx
            sy += wv * dy
            sxx += wv * dx * dx
            sxy += wv * dx * dy
            syy += wv * dy * dy
            if (x >= 0 && y >= 0 && x < width && y < height) {
              const i = (<usize>y * <usize>width + <usize>x) << 2
              fluxVariance += weight * weight * noise(variance, rms, i, v, perFlux)
            }
          }
          weight *= ratio
          ratio *= turn
          dx += 1
        }
      }
      flux = sum
      if (!(sum > 0)) break
      const ux = sx / sum
      const uy = sy / sum
      const vxx = sxx / sum - ux * ux
      const vxy = sxy / sum - ux * uy
      const vyy = syy / sum - uy * uy
      const vdet = vxx * vyy - vxy * vxy
      if (!(vdet > 1e-4)) {
        // All the light is in one pixel or one line of them.
        if (vxx + vyy < 0.2) status = statusPoint
        break
      }
      // The light's own shape is what, times the window, gives the weighted moments: T⁻¹ = V⁻¹ − W⁻¹.
      const ta = vyy / vdet - a
      const tb = -vxy / vdet - b
      const tc = vxx / vdet - c
      const tdet = ta * tc - tb * tb
      let nxx = 2 * vxx
      let nxy = 2 * vxy
      let nyy = 2 * vyy
      if (ta > 0 && tc > 0 && tdet > 0) {
        const dxx = tc / tdet
        const dxy = -tb / tdet
        const dyy = ta / tdet
        const growth = (dxx + dyy) / (mxx + myy)
        if (growth > 0.3 && growth < 2 && dxx * dyy - dxy * dxy > 0.04 * dxx * dyy) {
          nxx = dxx
          nxy = dxy
          nyy = dyy
        }
      }
      cx += 2 * ux
      cy += 2 * uy
      if (Math.abs(cx - startX) > 3 + 0.5 * Math.sqrt(mxx) || Math.abs(cy - startY) > 3 + 0.5 * Math.sqrt(myy)) break
      const change = (Math.abs(nxx - mxx) + Math.abs(nyy - myy) + 2 * Math.abs(nxy - mxy)) / (mxx + myy)
      mxx = nxx
      mxy = nxy
      myy = nyy
      if (mxx + myy <= 0.2) {
        status = statusPoint
        break
      }
      if (!(mxx + myy < 1600 && mxx * myy - mxy * mxy > 0.02 * mxx * myy)) break
      // A hundredth of what the noise allows is settled.
      const signal = sum * sum / fluxVariance
      const settled = Math.max(1e-6, (1e-4 * (mxx + myy)) / signal)
      if (change < Math.max(2e-3, 0.1 / Math.sqrt(signal)) && ux * ux + uy * uy < settled) {
        status = statusGood
        break
      }
      // Faint stars wander within their noise: that is good enough after a while.
      if (iteration >= 20 && change < 0.05 && ux * ux + uy * uy < 1e-3) {
        status = statusGood
        break
      }
    }
    if (status == statusGood) {
      store<f64>(star, cx)
      store<f64>(star, cy, 8)
      store<f64>(star, mxx, 24)
      store<f64>(star, mxy, 32)
      store<f64>(star, myy, 40)
    }
    if (status == statusPoint) {
      store<f64>(star, pointVariance, 24)
      store<f64>(star, 0, 32)
      store<f64>(star, pointVariance, 40)
    }
    store<f64>(star, status == statusFailed ? 1 : 0, 48)
    store<f64>(star, flux, 56)
    store<f64>(star, fluxVariance, 64)
  }
}

/**
 * Flux in a circle of `radius` pixels (partly covered pixels count by the share of a one-pixel ramp), its variance, the
 * peak, the mask bits met, and the radius of half the flux within 2.5 FWHM of the star itself.
 */
export function starApertures(
  starFrom: i32, starTo: i32, table: usize, residual: usize, labels: usize, mask: usize, rms: usize, variance: usize,
  perFlux: f64, radius: f64, width: i32, height: i32, bins: usize, binBytes: usize,
): void {
  const curve = ownScratch(bins, binBytes)
  for (let s = starFrom; s < starTo; s++) {
    const star = table + <usize>s * starBytes
    const label = <i32>load<f64>(star, 16)
    const cx = load<f64>(star)
    const cy = load<f64>(star, 8)
    const sigma = Math.sqrt((load<f64>(star, 24) + load<f64>(star, 40)) / 2)
    const wide = Math.min(60, Math.max(3, 2.5 * 2.3548 * sigma))
    const reach = <i32>Math.ceil(Math.max(radius, wide)) + 1
    const ix = <i32>Math.floor(cx + 0.5)
    const iy = <i32>Math.floor(cy + 0.5)
    const core = Math.max(1.5, 1.2 * sigma)
    let flux: f64 = 0
    let fluxVariance: f64 = 0
    let peak: f64 = 0
    let bits: i32 = 0
    let missing: f64 = 0
    memory.fill(curve, 0, binBytes)
    for (let y = iy - reach; y <= iy + reach; y++) {
      const dy = <f64>y - cy
      for (let x = ix - reach; x <= ix + reach; x++) {
        const dx = <f64>x - cx
        const r = Math.sqrt(dx * dx + dy * dy)
        const share = Math.min(1, Math.max(0, radius + 0.5 - r))
        if (share == 0 && r > wide + 1) continue
        const inside = x >= 0 && y >= 0 && x < width && y < height
        const i = (<usize>y * <usize>width + <usize>x) << 2
        const v = usable(residual, labels, width, height, x, y, label, cx, cy)
        if (v != v) {
          missing += share
          continue
        }
        if (inside) {
          if (share > 0) fluxVariance += share * share * noise(variance, rms, i, v, perFlux)
          if (r <= core) {
            peak = Math.max(peak, <f64>v)
            if (mask != 0) bits |= <i32>load<u16>(mask + (i >> 1))
          }
        } else missing += share
        flux += share * <f64>v
        spread(curve, dx, dy, r, wide, <f64>v)
      }
    }
    store<f64>(star, flux, 72)
    store<f64>(star, fluxVariance, 80)
    store<f64>(star, peak, 88)
    store<f64>(star, halfRadius(curve, wide), 96)
    store<f64>(star, <f64>bits, 104)
    store<f64>(star, missing / (3.14159265 * radius * radius), 112)
    store<f64>(star, coreWidth(star, residual, labels, width, height, peak), 120)
  }
}

/**
 * How much wider (in σ) the Gaussian of the star's core is than that of its moments: ln v against the elliptical radius², with
 * weights v², for pixels above a third of the peak. 0 when there are too few.
 */
function coreWidth(star: usize, residual: usize, labels: usize, width: i32, height: i32, peak: f64): f64 {
  const label = <i32>load<f64>(star, 16)
  const cx = load<f64>(star)
  const cy = load<f64>(star, 8)
  const mxx = load<f64>(star, 24)
  const mxy = load<f64>(star, 32)
  const myy = load<f64>(star, 40)
  const det = mxx * myy - mxy * mxy
  const reach = min(40, <i32>Math.ceil(1.6 * Math.sqrt(Math.max(mxx, myy))) + 1)
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  let n: f64 = 0
  let s0: f64 = 0
  let sq: f64 = 0
  let sqq: f64 = 0
  let sl: f64 = 0
  let sql: f64 = 0
  for (let y = iy - reach; y <= iy + reach; y++) {
    for (let x = ix - reach; x <= ix + reach; x++) {
      const v = <f64>own(residual, labels, width, height, x, y, label)
      if (!(v > 0.33 * peak)) continue
      const dx = <f64>x - cx
      const dy = <f64>y - cy
      const q = (myy * dx * dx - 2 * mxy * dx * dy + mxx * dy * dy) / det
      if (q > 6) continue
      const l = naturalLog(v / peak)
      const w = v * v
      n += 1
      s0 += w
      sq += w * q
      sqq += w * q * q
      sl += w * l
      sql += w * q * l
    }
  }
  const spread = sqq * s0 - sq * sq
  if (n < 5 || !(spread > 0)) return 0
  const slope = (sql * s0 - sq * sl) / spread
  return slope < 0 ? Math.sqrt(-0.5 / slope) : 0
}

/** ln x for 0.3 < x < 2: twice the series of artanh((x − 1) / (x + 1)). */
function naturalLog(x: f64): f64 {
  const t = (x - 1) / (x + 1)
  const u = t * t
  return 2 * t * (1 + u * (1 / 3.0 + u * (1 / 5.0 + u * (1 / 7.0 + u * (1 / 9.0 + u * (1 / 11.0 + u / 13))))))
}

const binsPerPixel: f64 = 8

/** Adds one pixel to the curve of growth: inner pixels as 5 × 5 points, outer ones as three along the radius. */
function spread(curve: usize, dx: f64, dy: f64, r: f64, wide: f64, v: f64): void {
  if (r > 3.5) {
    addTo(curve, r - 0.33, wide, v * (1 / 3.0))
    addTo(curve, r, wide, v * (1 / 3.0))
    addTo(curve, r + 0.33, wide, v * (1 / 3.0))
    return
  }
  for (let j = -2; j <= 2; j++) {
    for (let i = -2; i <= 2; i++) {
      const u = dx + <f64>i * 0.2
      const w = dy + <f64>j * 0.2
      addTo(curve, Math.sqrt(u * u + w * w), wide, v * 0.04)
    }
  }
}

// @ts-ignore: decorator
@inline
function addTo(curve: usize, r: f64, wide: f64, v: f64): void {
  if (r > wide) return
  const at = curve + ((<usize>(r * binsPerPixel)) << 3)
  store<f64>(at, load<f64>(at) + v)
}

function halfRadius(curve: usize, wide: f64): f64 {
  const last = <i32>(wide * binsPerPixel)
  let total: f64 = 0
  for (let b = 0; b <= last; b++) total += load<f64>(curve + ((<usize>b) << 3))
  if (!(total > 0)) return 0
  let sum: f64 = 0
  for (let b = 0; b <= last; b++) {
    const v = load<f64>(curve + ((<usize>b) << 3))
    if (sum + v >= total / 2) return (<f64>b + (v > 0 ? (total / 2 - sum) / v : 0.5)) / binsPerPixel
    sum += v
  }
  return wide
}
