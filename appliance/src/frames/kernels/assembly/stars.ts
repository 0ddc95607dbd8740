import { exponential } from './exponential'
import { meshRow, splineRow } from './mesh'
import { ownScratch } from './thread'

// Measuring stars, each on a stamp of its own: science − sky, NaN where a pixel is outside the frame, unusable or another
// star's.

// One star in the table: 24 f64. 0 x, 1 y, 2 hill, 3 Mxx, 4 Mxy, 5 Myy, 6 status, 7 weighted flux, 8 its variance, 9 flux in
// the aperture, 10 its variance, 11 peak, 12 half-flux radius, 13 mask bits, 14 share outside the frame or unusable, 15 core
// width, 16 Kron flux, 17 Kron radius, 18 reach of the stamp.
const starBytes: usize = 192
const statusGood: f64 = 0
const statusFailed: f64 = 1
/** Smaller than a pixel. Measured as a point of this variance (px²). */
const statusPoint: f64 = 2
const pointVariance: f64 = 0.05
/** Mean variance of a window (px²): sums over the pixels of a narrower one differ from its integrals with the star's place. */
const leastWindow: f64 = 1.2
/** Steps that a shape goes the full way. */
const swings: i32 = 6
const pi: f64 = 3.141592653589793

// The stamp of the star at hand; globals are private to a thread.
let stamp: usize = 0
/** Room for a second one. */
let spare: usize = 0
let stride: i32 = 0
/** Frame pixel of the stamp's first pixel. */
let left: i32 = 0
let top: i32 = 0
let side: i32 = 0
/** No pixel is missing. */
let whole: bool = false
/** Background noise at the star. */
let sky: f64 = 0

// The frame; the same for every star of a call.
let frameWidth: i32 = 0
let frameHeight: i32 = 0
let varianceAt: usize = 0
let perFlux: f64 = 0

/** Draws the stamp of `reach` pixels about (ix, iy). `frame`: the words listed in preprocessing/stars.ts. */
function drawStamp(frame: usize, ix: i32, iy: i32, reach: i32, hill: i32): void {
  const science = <usize>load<f64>(frame)
  const mask = <usize>load<f64>(frame, 8)
  const bits = <i32>load<f64>(frame, 16)
  const width = <i32>load<f64>(frame, 24)
  const height = <i32>load<f64>(frame, 32)
  const spline = <usize>load<f64>(frame, 40)
  const rms = <usize>load<f64>(frame, 48)
  const columns = <i32>load<f64>(frame, 56)
  const meshRows = <i32>load<f64>(frame, 64)
  const cellPixels = <i32>load<f64>(frame, 72)
  const table = <usize>load<f64>(frame, 80)
  const runs = <usize>load<f64>(frame, 88)
  const parents = <usize>load<f64>(frame, 96)
  const names = <usize>load<f64>(frame, 104)
  varianceAt = <usize>load<f64>(frame, 112)
  perFlux = load<f64>(frame, 120)
  frameWidth = width
  frameHeight = height
  side = 2 * reach + 1
  stride = (side + 3) & ~3
  left = ix - reach
  top = iy - reach
  whole = true
  const middleX = max(0, min(width - 1, ix))
  meshRow(rms, columns, meshRows, cellPixels, max(0, min(height - 1, iy)), middleX, middleX + 1, stamp)
  sky = <f64>load<f32>(stamp)
  const x0 = max(0, left)
  const x1 = min(width, left + side)
  for (let j = 0; j < side; j++) {
    const row = stamp + ((<usize>(j * stride)) << 2)
    const y = top + j
    if (y < 0 || y >= height || x0 >= x1) {
      clear(row, 0, side)
      continue
    }
    clear(row, 0, x0 - left)
    clear(row, x1 - left, side)
    const at = <usize>y * <usize>width + <usize>x0
    splineRow(science + (at << 2), spline, columns, meshRows, cellPixels, y, x0, x1, row + ((<usize>(x0 - left)) << 2))
    if (!clearInfinite(row + ((<usize>(x0 - left)) << 2), x1 - x0)) whole = false
    if (mask != 0) hideMasked(mask + (at << 1), bits, x1 - x0, row, x0 - left)
    hideOthers(table, runs, parents, names, y, x0, x1, hill, row)
  }
}

function clear(row: usize, from: i32, to: i32): void {
  if (from < to) whole = false
  for (let x = from; x < to; x++) store<f32>(row + ((<usize>x) << 2), f32.NaN)
}

/** NaN in place of what is infinite or no number among `count` pixels from `at` on; false when there was one. */
function clearInfinite(at: usize, count: i32): bool {
  const limit = f32x4.splat(3.4e38)
  const missing = f32x4.splat(f32.NaN)
  let good = true
  let x = 0
  for (; x + 4 <= count; x += 4) {
    const p = at + ((<usize>x) << 2)
    const v = v128.load(p)
    const known = f32x4.le(f32x4.abs(v), limit)
    if (i32x4.all_true(known)) continue
    v128.store(p, v128.bitselect(v, missing, known))
    good = false
  }
  for (; x < count; x++) {
    const p = at + ((<usize>x) << 2)
    if (abs<f32>(load<f32>(p)) <= 3.4e38) continue
    store<f32>(p, f32.NaN)
    good = false
  }
  return good
}

/** NaN where one of `count` pixels of a mask has one of `bits`; the first is pixel `place` of the stamp's row. */
function hideMasked(mask: usize, bits: i32, count: i32, row: usize, place: i32): void {
  const bits8 = i16x8.splat(<i16>bits)
  let x = 0
  while (x < count) {
    if (x + 8 <= count && !v128.any_true(v128.and(v128.load(mask + ((<usize>x) << 1)), bits8))) {
      x += 8
      continue
    }
    const end = min(count, x + 8)
    for (; x < end; x++) {
      if ((<i32>load<u16>(mask + ((<usize>x) << 1)) & bits) != 0) clear(row, place + x, place + x + 1)
    }
  }
}

/** NaN where a pixel of row y belongs to another star. */
function hideOthers(
  table: usize, runs: usize, parents: usize, names: usize, y: i32, x0: i32, x1: i32, hill: i32, row: usize,
): void {
  const entry = table + <usize>y * 12
  const end = load<i32>(entry, 4)
  let low = load<i32>(entry)
  let high = end
  while (low < high) {
    const middle = (low + high) >> 1
    if (load<i32>(runs + <usize>middle * 12, 4) <= x0) low = middle + 1
    else high = middle
  }
  for (let run = low; run < end; run++) {
    const at = runs + <usize>run * 12
    const from = load<i32>(at)
    if (from >= x1) return
    const first = load<i32>(at, 8) - from
    const to = min(x1, load<i32>(at, 4))
    for (let x = max(x0, from); x < to; x++) {
      const peak = -1 - load<i32>(parents + ((<usize>(first + x)) << 2))
      if (load<i32>(names + ((<usize>peak) << 2)) != hill) clear(row, x - left, x - left + 1)
    }
  }
}

/** The stamp at frame pixel (x, y); NaN beyond it. */
// @ts-ignore: decorator
@inline
function own(x: i32, y: i32): f32 {
  const i = x - left
  const j = y - top
  if (i < 0 || j < 0 || i >= side || j >= side) return f32.NaN
  return load<f32>(stamp + ((<usize>(j * stride + i)) << 2))
}

/** Variance of one pixel's noise: from the plane, or rms² + flux / gain. */
// @ts-ignore: decorator
@inline
function noise(x: i32, y: i32, flux: f64): f64 {
  if (varianceAt != 0 && x >= 0 && y >= 0 && x < frameWidth && y < frameHeight) {
    return <f64>load<f32>(varianceAt + ((<usize>y * <usize>frameWidth + <usize>x) << 2))
  }
  return sky * sky + Math.max(0, flux) * perFlux
}

// Sums under the window, left by `windowSums`.
let sum: f64 = 0
let sx: f64 = 0
let sy: f64 = 0
let sxx: f64 = 0
let sxy: f64 = 0
let syy: f64 = 0
let sumVariance: f64 = 0

/** Rows after which weights are reckoned anew, before the roundings of products in f32 add up. */
const weighedRows: i32 = 16

/**
 * Moments of the light about (cx, cy) under exp(−(a dx² + 2 b dx dy + c dy²) / 2), out to 3.2 σ. The exponent is a
 * quadratic, so weights follow from their neighbours by products of ratios that themselves change by constant factors: four
 * columns go down together.
 */
function windowSums(cx: f64, cy: f64, mxx: f64, myy: f64, a: f64, b: f64, c: f64): void {
  sum = sx = sy = sxx = sxy = syy = sumVariance = 0
  const most = side >> 1
  const reachX = min(most, <i32>Math.ceil(3.2 * Math.sqrt(mxx)))
  const reachY = min(most, <i32>Math.ceil(3.2 * Math.sqrt(myy)))
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const pixels = openWindow(cx, cy, ix, iy, reachX, reachY)
  const x0 = <f64>(ix - reachX) - cx
  const y0 = <f64>(iy - reachY) - cy
  if (b * b > 0.5 * a * c || a > 30 || c > 30) {
    slantedSums(pixels, x0, y0, reachX, reachY, a, b, c)
    return
  }
  const turn = exponential(-a)
  const turnDown = f32x4.splat(<f32>exponential(-c))
  const shear = either(-b)
  // The noise in units of the sky's, which no f32 overflows with.
  const one = f32x4.splat(1)
  const perFlux4 = f32x4.splat(<f32>(perFlux / (sky * sky)))
  const zero = f32x4.splat(0)
  const bytesDown = (<usize>stride) << 2
  let t0 = f64x2.splat(0)
  let tx = t0
  let ty = t0
  let txx = t0
  let txy = t0
  let tyy = t0
  let tv = t0
  for (let top = 0; top < windowRows; top += weighedRows) {
    const rows = min(weighedRows, windowRows - top)
    const dy = y0 + <f64>top
    let first = exponential(-0.5 * (a * x0 * x0 + 2 * b * x0 * dy + c * dy * dy))
    let along = either(-0.5 * (a * (2 * x0 + 1) + 2 * b * dy))
    let down = either(-0.5 * (c * (2 * dy + 1) + 2 * b * x0))
    for (let x = 0; x < windowColumns; x += 4) {
      const w1 = first * along
      const r1 = along * turn
      const w2 = w1 * r1
      const r2 = r1 * turn
      const w3 = w2 * r2
      const r3 = r2 * turn
      const d1 = down * shear
      const d2 = d1 * shear
      const d3 = d2 * shear
      let w = f32x4(<f32>first, <f32>w1, <f32>w2, <f32>w3)
      let factors = f32x4(<f32>down, <f32>d1, <f32>d2, <f32>d3)
      first = w3 * r3
      along = r3 * turn
      down = d3 * shear
      const lanes = i32x4.gt_s(i32x4.splat(windowColumns - x), i32x4(0, 1, 2, 3))
      let dys = f32x4.splat(<f32>dy)
      let s0 = zero
      let s1 = zero
      let s2 = zero
      let sv = zero
      let p = pixels + ((<usize>(top * stride + x)) << 2)
      for (let j = 0; j < rows; j++) {
        const raw = v128.load(p)
        const known = v128.and(f32x4.eq(raw, raw), lanes)
        const v = v128.and(raw, known)
        const wv = f32x4.mul(w, v)
        const wvy = f32x4.mul(wv, dys)
        s0 = f32x4.add(s0, wv)
        s1 = f32x4.add(s1, wvy)
        s2 = f32x4.add(s2, f32x4.mul(wvy, dys))
        const noisy = f32x4.add(one, f32x4.mul(f32x4.pmax(zero, v), perFlux4))
        sv = f32x4.add(sv, v128.and(f32x4.mul(f32x4.mul(w, w), noisy), known))
        w = f32x4.mul(w, factors)
        factors = f32x4.mul(factors, turnDown)
        dys = f32x4.add(dys, one)
        p += bytesDown
      }
      const dx = f32x4.add(f32x4.splat(<f32>(x0 + <f64>x)), f32x4(0, 1, 2, 3))
      const sx4 = f32x4.mul(s0, dx)
      t0 = f64x2.add(t0, halved(s0))
      tx = f64x2.add(tx, halved(sx4))
      ty = f64x2.add(ty, halved(s1))
      txx = f64x2.add(txx, halved(f32x4.mul(sx4, dx)))
      txy = f64x2.add(txy, halved(f32x4.mul(s1, dx)))
      tyy = f64x2.add(tyy, halved(s2))
      tv = f64x2.add(tv, halved(sv))
    }
  }
  sum = both(t0)
  sx = both(tx)
  sy = both(ty)
  sxx = both(txx)
  sxy = both(txy)
  syy = both(tyy)
  sumVariance = sky * sky * both(tv)
}

/** As `windowSums`, for narrow and long slanted windows: there the weights of a row's ends are too small for products of f32. */
function slantedSums(pixels: usize, x0: f64, y0: f64, reachX: i32, reachY: i32, a: f64, b: f64, c: f64): void {
  for (let j = 0; j <= 2 * reachY; j++) {
    const dy = y0 + <f64>j
    for (let i = 0; i <= 2 * reachX; i++) {
      const v = <f64>load<f32>(pixels + ((<usize>(j * stride + i)) << 2))
      const dx = x0 + <f64>i
      const q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
      if (v != v || q > 40) continue
      const weight = exponential(-0.5 * q)
      const wv = weight * v
      sum += wv
      sx += wv * dx
      sy += wv * dy
      sxx += wv * dx * dx
      sxy += wv * dx * dy
      syy += wv * dy * dy
      sumVariance += weight * weight * (sky * sky + Math.max(0, v) * perFlux)
    }
  }
}

/** e^x of either sign. */
// @ts-ignore: decorator
@inline
function either(x: f64): f64 {
  return x > 0 ? 1 / exponential(-x) : exponential(x)
}

// @ts-ignore: decorator
@inline
function lanesOf(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
}

/** Four f32 as two f64: lanes 0 + 2, 1 + 3. */
// @ts-ignore: decorator
@inline
function halved(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)))
}

// @ts-ignore: decorator
@inline
function both(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1)
}

// The window at hand, rows `stride` apart.
let windowAt: usize = 0
let windowLeft: i32 = 0
let windowTop: i32 = 0
let windowColumns: i32 = 0
let windowRows: i32 = 0
/** None of its pixels is missing. */
let windowWhole: bool = false

/** The pixels within (reachX, reachY) of (ix, iy), missing ones replaced by those across (cx, cy): where the first one is. */
function openWindow(cx: f64, cy: f64, ix: i32, iy: i32, reachX: i32, reachY: i32): usize {
  windowLeft = ix - reachX
  windowTop = iy - reachY
  windowColumns = 2 * reachX + 1
  windowRows = 2 * reachY + 1
  windowAt = stamp + ((<usize>((windowTop - top) * stride + windowLeft - left)) << 2)
  windowWhole = windowLeft >= left && ix + reachX < left + side && windowTop >= top && iy + reachY < top + side && (whole || !holes())
  if (!windowWhole) {
    windowAt = spare
    windowWhole = fillSpare(cx, cy)
  }
  return windowAt
}

/** Whether a pixel of the window, which lies within the stamp, is missing. */
function holes(): bool {
  for (let j = 0; j < windowRows; j++) {
    const row = windowAt + ((<usize>(j * stride)) << 2)
    let missing = f32x4.splat(0)
    for (let x = 0; x < windowColumns; x += 4) {
      const v = v128.load(row + ((<usize>x) << 2))
      missing = v128.or(missing, v128.and(f32x4.ne(v, v), i32x4.gt_s(i32x4.splat(windowColumns - x), i32x4(0, 1, 2, 3))))
    }
    if (v128.any_true(missing)) return true
  }
  return false
}

/** The window's pixels, missing ones replaced by those opposite to them across the centre; false when some stay missing. */
function fillSpare(cx: f64, cy: f64): bool {
  const acrossX = <i32>Math.floor(2 * cx + 0.5)
  const acrossY = <i32>Math.floor(2 * cy + 0.5)
  let all = true
  for (let j = 0; j < windowRows; j++) {
    const row = spare + ((<usize>(j * stride)) << 2)
    const y = windowTop + j
    const from = stamp + ((<usize>((y - top) * stride + windowLeft - left)) << 2)
    const known = y >= top && y < top + side
    for (let i = 0; i < windowColumns; i += 4) {
      const x = windowLeft + i
      if (known && x >= left && x + 4 <= left + side) {
        const v = v128.load(from + ((<usize>i) << 2))
        v128.store(row + ((<usize>i) << 2), v)
        if (i32x4.all_true(f32x4.eq(v, v))) continue
      }
      for (let k = i; k < min(windowColumns, i + 4); k++) {
        let v = own(windowLeft + k, y)
        if (v != v) v = own(acrossX - windowLeft - k, acrossY - y)
        store<f32>(row + ((<usize>k) << 2), v)
        if (v != v) all = false
      }
    }
  }
  return all
}

/** What the plane of variances says of the weighted flux, in place of the noise model. */
function planeVariance(cx: f64, cy: f64, mxx: f64, myy: f64, a: f64, b: f64, c: f64): void {
  const reachX = min(side >> 1, <i32>Math.ceil(3.2 * Math.sqrt(mxx)))
  const reachY = min(side >> 1, <i32>Math.ceil(3.2 * Math.sqrt(myy)))
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const pixels = openWindow(cx, cy, ix, iy, reachX, reachY)
  sumVariance = 0
  for (let j = 0; j < windowRows; j++) {
    const y = windowTop + j
    const dy = <f64>y - cy
    for (let i = 0; i < windowColumns; i++) {
      const v = <f64>load<f32>(pixels + ((<usize>(j * stride + i)) << 2))
      if (v != v) continue
      const x = windowLeft + i
      const dx = <f64>x - cx
      sumVariance += exponential(-(a * dx * dx + 2 * b * dx * dy + c * dy * dy)) * noise(x, y, v)
    }
  }
}

/**
 * Adaptive moments (Bernstein & Jarvis 2002, section 3.1): the elliptical Gaussian whose shape and centre equal those of
 * the light under it. Position and Mxx, Mxy, Myy (px²) are improved in place.
 */
function starShape(star: usize): void {
  const startX = load<f64>(star)
  const startY = load<f64>(star, 8)
  let cx = startX
  let cy = startY
  let mxx = load<f64>(star, 24)
  let mxy = load<f64>(star, 32)
  let myy = load<f64>(star, 40)
  let status = statusFailed
  let fluxVariance: f64 = 0
  let flux: f64 = 0
  for (let iteration = 0; iteration < 24; iteration++) {
    // Its window is never narrower than pixels can sample.
    const pad = Math.max(0, leastWindow - (mxx + myy) / 2)
    const wxx = mxx + pad
    const wyy = myy + pad
    const det = wxx * wyy - mxy * mxy
    const a = wyy / det
    const b = -mxy / det
    const c = wxx / det
    windowSums(cx, cy, wxx, wyy, a, b, c)
    fluxVariance = sumVariance
    flux = sum > 0 ? sum : 0
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
    // The window pulls the light's centre towards its own.
    const pull = 1 + (mxx + myy) / (wxx + wyy)
    cx += pull * ux
    cy += pull * uy
    if (Math.abs(cx - startX) > 3 + 0.5 * Math.sqrt(mxx) || Math.abs(cy - startY) > 3 + 0.5 * Math.sqrt(myy)) break
    const change = (Math.abs(nxx - mxx) + Math.abs(nyy - myy) + 2 * Math.abs(nxy - mxy)) / (mxx + myy)
    // Shapes of faint stars swing to and fro: the middle settles.
    const share = iteration < swings ? 1 : 0.5
    mxx += share * (nxx - mxx)
    mxy += share * (nxy - mxy)
    myy += share * (nyy - myy)
    if (mxx + myy <= 0.2) {
      status = statusPoint
      break
    }
    if (!(mxx + myy < 1600 && mxx * myy - mxy * mxy > 0.02 * mxx * myy)) break
    // A fiftieth of what the noise allows is settled.
    const signal = sum * sum / fluxVariance
    const settled = Math.max(1e-6, (3e-4 * (mxx + myy)) / signal)
    if (change < Math.max(2e-3, 0.1 / Math.sqrt(signal)) && ux * ux + uy * uy < settled) {
      status = statusGood
      break
    }
    // Faint stars wander within their noise: that is good enough after a while.
    if (iteration >= 12 && change < 0.05 && ux * ux + uy * uy < 1e-3) {
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
    if (varianceAt != 0) {
      const pad = Math.max(0, leastWindow - (mxx + myy) / 2)
      const det = (mxx + pad) * (myy + pad) - mxy * mxy
      planeVariance(cx, cy, mxx + pad, myy + pad, (myy + pad) / det, -mxy / det, (mxx + pad) / det)
      fluxVariance = sumVariance
    }
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

/** Rows are stars of the table: shapes alone, for a first look at the frame's star width. */
export function starShapes(starFrom: i32, starTo: i32, table: usize, frame: usize, stamps: usize, stampBytes: usize): void {
  stamp = ownScratch(stamps, stampBytes)
  spare = stamp + (stampBytes >> 1)
  for (let s = starFrom; s < starTo; s++) {
    const star = table + <usize>s * starBytes
    drawStamp(frame, <i32>load<f64>(star), <i32>load<f64>(star, 8), <i32>load<f64>(star, 144), <i32>load<f64>(star, 16))
    starShape(star)
  }
}

/**
 * Share of the pixel at (dx, dy) from the centre that lies within `radius`: exact chords of eight lines of it (the area is
 * right to 0.001 of a pixel).
 */
function covered(dx: f64, dy: f64, r: f64, radius: f64): f64 {
  if (r < radius - 0.7072) return 1
  if (r > radius + 0.7072) return 0
  const squared = f32x4.splat(<f32>(radius * radius))
  const zero = f32x4.splat(0)
  const lines = f32x4.add(f32x4.splat(<f32>dy), f32x4(-0.4375, -0.3125, -0.1875, -0.0625))
  const others = f32x4.add(lines, f32x4.splat(0.5))
  const chord = f32x4.sqrt(f32x4.pmax(zero, f32x4.sub(squared, f32x4.mul(lines, lines))))
  const other = f32x4.sqrt(f32x4.pmax(zero, f32x4.sub(squared, f32x4.mul(others, others))))
  return <f64>shareBetween(<f32>dx, f32x4.neg(chord), chord, f32x4.neg(other), other)
}

/** Share of the pixel at dx that lies between the ends of its eight lines. */
// @ts-ignore: decorator
@inline
function shareBetween(dx: f32, from: v128, to: v128, otherFrom: v128, otherTo: v128): f32 {
  const zero = f32x4.splat(0)
  const start = f32x4.splat(dx - 0.5)
  const end = f32x4.splat(dx + 0.5)
  const upper = f32x4.pmax(zero, f32x4.sub(f32x4.pmin(end, to), f32x4.pmax(start, from)))
  const lower = f32x4.pmax(zero, f32x4.sub(f32x4.pmin(end, otherTo), f32x4.pmax(start, otherFrom)))
  return lanesOf(f32x4.add(upper, lower)) * <f32>0.125
}

// @ts-ignore: decorator
@inline
function leastLane(v: v128): f32 {
  const pairs = f32x4.pmin(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7))
  return f32x4.extract_lane(f32x4.pmin(pairs, i8x16.shuffle(pairs, pairs, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3)), 0)
}

// @ts-ignore: decorator
@inline
function mostLane(v: v128): f32 {
  const pairs = f32x4.pmax(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7))
  return f32x4.extract_lane(f32x4.pmax(pairs, i8x16.shuffle(pairs, pairs, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3)), 0)
}

/** Of what is above 0 within the ellipse, left by `ellipseFlux`. */
let positiveFlux: f64 = 0
/** Half-width in pixels above which the border of an ellipse is straight to each of them. */
const leastSoft: f64 = 2.5

/**
 * Flux of the window within a dx² + 2 b dx dy + c dy² ≤ size²: eight lines of each row of pixels, cut exactly where they cross
 * the ellipse. What is missing counts as 0.
 */
function ellipseFlux(cx: f64, cy: f64, a: f64, b: f64, c: f64, size: f64): f64 {
  const det = a * c - b * b
  const height = size * Math.sqrt(a / det)
  const lastRow = min(windowTop + windowRows - 1, <i32>Math.floor(cy + height + 0.5))
  const right = windowLeft + windowColumns
  const widest = f32x4.splat(<f32>((size * size) / a))
  const falling = f32x4.splat(<f32>(det / (a * a)))
  const slope = f32x4.splat(<f32>(-b / a))
  const zero = f32x4.splat(0)
  let flux: f64 = 0
  let positive: f64 = 0
  for (let y = max(windowTop, <i32>Math.ceil(cy - height - 0.5)); y <= lastRow; y++) {
    const lines = f32x4.add(f32x4.splat(<f32>(<f64>y - cy)), f32x4(-0.4375, -0.3125, -0.1875, -0.0625))
    const others = f32x4.add(lines, f32x4.splat(0.5))
    const half = f32x4.sqrt(f32x4.pmax(zero, f32x4.sub(widest, f32x4.mul(falling, f32x4.mul(lines, lines)))))
    const otherHalf = f32x4.sqrt(f32x4.pmax(zero, f32x4.sub(widest, f32x4.mul(falling, f32x4.mul(others, others)))))
    const middle = f32x4.mul(slope, lines)
    const otherMiddle = f32x4.mul(slope, others)
    const from = f32x4.sub(middle, half)
    const to = f32x4.add(middle, half)
    const otherFrom = f32x4.sub(otherMiddle, otherHalf)
    const otherTo = f32x4.add(otherMiddle, otherHalf)
    // Pixels that the ellipse touches, and those that all eight lines cover.
    const first = max(windowLeft, <i32>Math.floor(cx + <f64>leastLane(f32x4.pmin(from, otherFrom)) + 0.5))
    const end = min(right, <i32>Math.ceil(cx + <f64>mostLane(f32x4.pmax(to, otherTo)) + 0.5))
    let inFirst = max(first, <i32>Math.ceil(cx + <f64>mostLane(f32x4.pmax(from, otherFrom)) + 0.5))
    let inEnd = min(end, <i32>Math.floor(cx + <f64>leastLane(f32x4.pmin(to, otherTo)) + 0.5))
    if (inEnd <= inFirst) inFirst = inEnd = end
    const row = windowAt + ((<usize>((y - windowTop) * stride)) << 2)
    let rowFlux: f32 = 0
    let rowPositive: f32 = 0
    for (let x = first; x < end; x++) {
      if (x == inFirst) {
        x = inEnd
        if (x >= end) break
      }
      const v = load<f32>(row + ((<usize>(x - windowLeft)) << 2))
      if (v != v) continue
      const part = v * shareBetween(<f32>(<f64>x - cx), from, to, otherFrom, otherTo)
      rowFlux += part
      if (part > 0) rowPositive += part
    }
    let sums = zero
    let positives = zero
    for (let x = inFirst; x < inEnd; x += 4) {
      let v = v128.load(row + ((<usize>(x - windowLeft)) << 2))
      v = v128.and(v, v128.and(f32x4.eq(v, v), i32x4.gt_s(i32x4.splat(inEnd - x), i32x4(0, 1, 2, 3))))
      sums = f32x4.add(sums, v)
      positives = f32x4.add(positives, f32x4.pmax(zero, v))
    }
    flux += <f64>rowFlux + <f64>lanesOf(sums)
    positive += <f64>rowPositive + <f64>lanesOf(positives)
  }
  positiveFlux = positive
  return flux
}

/**
 * As `ellipseFlux` for ellipses nowhere closer to their centre than `leastSoft`: a pixel's share goes by its distance from the
 * ellipse, from none at half a pixel outside to all at half a pixel inside.
 */
function softFlux(cx: f64, cy: f64, a: f64, b: f64, c: f64, size: f64): f64 {
  // Such a border adds as much to the area as this takes away.
  const inner = Math.sqrt(size * size - (a + c) / 24)
  const det = a * c - b * b
  // The slope of the ellipse's radius is at most √(a + c).
  const reach = size + 0.5 * Math.sqrt(a + c)
  const height = reach * Math.sqrt(a / det)
  const width = reach * Math.sqrt(c / det)
  const y1 = min(windowTop + windowRows - 1, <i32>Math.floor(cy + height))
  const x0 = max(windowLeft, <i32>Math.ceil(cx - width))
  const x1 = min(windowLeft + windowColumns, <i32>Math.floor(cx + width) + 1)
  const a4 = f32x4.splat(<f32>a)
  const b4 = f32x4.splat(<f32>b)
  const size4 = f32x4.splat(<f32>inner)
  const zero = f32x4.splat(0)
  const half = f32x4.splat(0.5)
  const one = f32x4.splat(1)
  const least = f32x4.splat(1e-6)
  let flux: f64 = 0
  for (let y = max(windowTop, <i32>Math.ceil(cy - height)); y <= y1; y++) {
    const dy = <f64>y - cy
    const row = windowAt + ((<usize>((y - windowTop) * stride)) << 2)
    const acrossX = f32x4.splat(<f32>(b * dy))
    const acrossY = f32x4.splat(<f32>(c * dy))
    const dy4 = f32x4.splat(<f32>dy)
    let sums = zero
    for (let x = x0; x < x1; x += 4) {
      const dx = f32x4.add(f32x4.splat(<f32>(<f64>x - cx)), f32x4(0, 1, 2, 3))
      const gx = f32x4.add(f32x4.mul(a4, dx), acrossX)
      const gy = f32x4.add(f32x4.mul(b4, dx), acrossY)
      const q = f32x4.pmax(least, f32x4.add(f32x4.mul(dx, gx), f32x4.mul(dy4, gy)))
      const slopes = f32x4.pmax(least, f32x4.add(f32x4.mul(gx, gx), f32x4.mul(gy, gy)))
      // (size − √q) / (√slopes / √q) + 1/2
      const distance = f32x4.div(f32x4.sub(f32x4.mul(size4, f32x4.sqrt(q)), q), f32x4.sqrt(slopes))
      const share = f32x4.pmin(one, f32x4.pmax(zero, f32x4.add(distance, half)))
      const v = v128.load(row + ((<usize>(x - windowLeft)) << 2))
      const known = v128.and(f32x4.eq(v, v), i32x4.gt_s(i32x4.splat(x1 - x), i32x4(0, 1, 2, 3)))
      sums = f32x4.add(sums, f32x4.mul(v128.and(v, known), share))
    }
    flux += <f64>lanesOf(sums)
  }
  return flux
}

/** As `softFlux`, in a circle. */
function softCircle(cx: f64, cy: f64, radius: f64): f64 {
  const y1 = min(windowTop + windowRows - 1, <i32>Math.floor(cy + radius + 0.5))
  const x0 = max(windowLeft, <i32>Math.ceil(cx - radius - 0.5))
  const x1 = min(windowLeft + windowColumns, <i32>Math.floor(cx + radius + 0.5) + 1)
  const edge = f32x4.splat(<f32>(Math.sqrt(radius * radius - 1 / 12.0) + 0.5))
  const zero = f32x4.splat(0)
  const one = f32x4.splat(1)
  const lane = f32x4(0, 1, 2, 3)
  let flux: f64 = 0
  for (let y = max(windowTop, <i32>Math.ceil(cy - radius - 0.5)); y <= y1; y++) {
    const dy = <f64>y - cy
    const row = windowAt + ((<usize>((y - windowTop) * stride)) << 2)
    const down = f32x4.splat(<f32>(dy * dy))
    let sums = zero
    for (let x = x0; x < x1; x += 4) {
      const dx = f32x4.add(f32x4.splat(<f32>(<f64>x - cx)), lane)
      const distance = f32x4.sub(edge, f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), down)))
      const share = f32x4.pmin(one, f32x4.pmax(zero, distance))
      const v = v128.load(row + ((<usize>(x - windowLeft)) << 2))
      const known = v128.and(f32x4.eq(v, v), i32x4.gt_s(i32x4.splat(x1 - x), i32x4(0, 1, 2, 3)))
      sums = f32x4.add(sums, f32x4.mul(v128.and(v, known), share))
    }
    flux += <f64>lanesOf(sums)
  }
  return flux
}

/**
 * Flux in a circle of `radius` pixels (exact overlap), its variance, the peak, the mask bits met, the radius of half the
 * flux within 2.5 FWHM of the star itself, and the flux in the star's Kron ellipse.
 */
function starAperture(star: usize, frame: usize, radius: f64, full: bool): void {
  const cx = load<f64>(star)
  const cy = load<f64>(star, 8)
  const sigma = Math.sqrt((load<f64>(star, 24) + load<f64>(star, 40)) / 2)
  const wide = Math.min(<f64>(side >> 1) - 1, Math.max(3, 2.5 * 2.3548 * sigma))
  const reach = min(side >> 1, <i32>Math.ceil(full ? Math.max(radius, wide) : radius) + 1)
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  openWindow(cx, cy, ix, iy, reach, reach)
  const outer = <i32>Math.ceil(radius) + 1
  const inside = ix - outer >= 0 && iy - outer >= 0 && ix + outer < frameWidth && iy + outer < frameHeight
  if (windowWhole && inside && varianceAt == 0) {
    store<f64>(star, ellipseFlux(cx, cy, 1, 0, 1, radius), 72)
    store<f64>(star, sky * sky * pi * radius * radius + positiveFlux * perFlux, 80)
    store<f64>(star, 0, 112)
  } else circleByPixels(star, cx, cy, ix, iy, min(reach, outer), radius)
  const peak = starPeak(star, <usize>load<f64>(frame, 8), cx, cy, Math.max(1.5, 1.2 * sigma))
  // Half of a Gaussian's light lies within half of its full width.
  store<f64>(star, full ? halfRadius(cx, cy, sigma, wide) : 1.17741 * sigma, 96)
  store<f64>(star, full ? coreWidth(star, peak) : 0, 120)
  if (full) kron(star)
}

/** Flux, variance and missing share of a circle, where pixels are missing or have variances of their own. */
function circleByPixels(star: usize, cx: f64, cy: f64, ix: i32, iy: i32, reach: i32, radius: f64): void {
  let flux: f64 = 0
  let fluxVariance: f64 = 0
  let missing: f64 = 0
  for (let y = iy - reach; y <= iy + reach; y++) {
    const dy = <f64>y - cy
    const row = windowAt + ((<usize>((y - windowTop) * stride)) << 2)
    for (let x = ix - reach; x <= ix + reach; x++) {
      const dx = <f64>x - cx
      const share = covered(dx, dy, Math.sqrt(dx * dx + dy * dy), radius)
      if (share == 0) continue
      const v = <f64>load<f32>(row + ((<usize>(x - windowLeft)) << 2))
      if (v != v) {
        missing += share
        continue
      }
      flux += share * v
      if (x >= 0 && y >= 0 && x < frameWidth && y < frameHeight) fluxVariance += share * noise(x, y, v)
      else missing += share
    }
  }
  store<f64>(star, flux, 72)
  store<f64>(star, fluxVariance, 80)
  store<f64>(star, missing / (pi * radius * radius), 112)
}

/** The highest pixel within `core` of the centre, and all mask bits there. */
function starPeak(star: usize, mask: usize, cx: f64, cy: f64, core: f64): f64 {
  let peak: f64 = 0
  let bits: i32 = 0
  const y1 = min(min(frameHeight, windowTop + windowRows) - 1, <i32>Math.floor(cy + core))
  const x1 = min(min(frameWidth, windowLeft + windowColumns) - 1, <i32>Math.floor(cx + core))
  for (let y = max(max(0, windowTop), <i32>Math.ceil(cy - core)); y <= y1; y++) {
    const dy = <f64>y - cy
    const row = windowAt + ((<usize>((y - windowTop) * stride)) << 2)
    for (let x = max(max(0, windowLeft), <i32>Math.ceil(cx - core)); x <= x1; x++) {
      const dx = <f64>x - cx
      const v = <f64>load<f32>(row + ((<usize>(x - windowLeft)) << 2))
      if (v != v || dx * dx + dy * dy > core * core) continue
      peak = Math.max(peak, v)
      if (mask != 0) bits |= <i32>load<u16>(mask + ((<usize>y * <usize>frameWidth + <usize>x) << 1))
    }
  }
  store<f64>(star, peak, 88)
  store<f64>(star, <f64>bits, 104)
  return peak
}

/** Radius of half the flux within `wide`: sought from that of the star's Gaussian on, along the curve of growth. */
function halfRadius(cx: f64, cy: f64, sigma: f64, wide: f64): f64 {
  const total = softCircle(cx, cy, wide)
  if (!(total > 0)) return 0
  let low: f64 = 0
  let high = wide
  let r = Math.min(1.17741 * sigma, 0.9 * wide)
  let slope = (0.5887 * total) / sigma
  let last: f64 = 0
  let lastExcess: f64 = 0
  for (let step = 0; step < 24; step++) {
    const excess = ellipseFlux(cx, cy, 1, 0, 1, r) - total / 2
    if (excess < 0) low = r
    else high = r
    if (step > 0) slope = (excess - lastExcess) / (r - last)
    last = r
    lastExcess = excess
    r -= excess / slope
    if (!(r > low && r < high)) r = (low + high) / 2
    // The rest of the way is straight.
    else if (Math.abs(excess) < 3e-3 * total) break
    if (high - low < 1e-4) break
  }
  return r
}

/** Rows are stars of the table; the first `fullStars` are measured in full, the others without radii and Kron flux. */
export function measureStarRows(
  starFrom: i32, starTo: i32, table: usize, frame: usize, radius: f64, fullStars: i32, step: i32, count: i32, stamps: usize,
  stampBytes: usize,
): void {
  stamp = ownScratch(stamps, stampBytes)
  spare = stamp + (stampBytes >> 1)
  for (let s = starFrom; s < starTo; s++) {
    // Bright and faint stars alternate, so that every thread has its share of both.
    const index = (s % step) * ((count + step - 1) / step) + s / step
    if (index >= count) continue
    const star = table + <usize>index * starBytes
    drawStamp(frame, <i32>load<f64>(star), <i32>load<f64>(star, 8), <i32>load<f64>(star, 144), <i32>load<f64>(star, 16))
    starShape(star)
    starAperture(star, frame, radius, index < fullStars)
  }
}

/**
 * Flux in the ellipse of 2.5 Kron radii (Kron 1980; SExtractor's AUTO): the first moment of the light within 6 σ along
 * the star's own ellipse, at least 3.5 px.
 */
function kron(star: usize): void {
  const cx = load<f64>(star)
  const cy = load<f64>(star, 8)
  const mxx = load<f64>(star, 24)
  const mxy = load<f64>(star, 32)
  const myy = load<f64>(star, 40)
  const det = mxx * myy - mxy * mxy
  const a = myy / det
  const b = -mxy / det
  const c = mxx / det
  openEllipse(cx, cy, mxx, myy, 6)
  ellipseMoment(cx, cy, a, b, c)
  const axis = Math.sqrt(det) > 0 ? Math.sqrt(Math.sqrt(det)) : 1
  let scale = light > 0 && moment > 0 ? 2.5 * Math.min(4, moment / light) : 0
  scale = Math.max(scale, 3.5 / axis)
  store<f64>(star, scale, 136)
  openEllipse(cx, cy, mxx, myy, scale)
  const half = Math.sqrt(0.25 * (mxx - myy) * (mxx - myy) + mxy * mxy)
  const narrow = scale * Math.sqrt(Math.max(0, (mxx + myy) / 2 - half)) < leastSoft
  store<f64>(star, narrow ? ellipseFlux(cx, cy, a, b, c, scale) : softFlux(cx, cy, a, b, c, scale), 128)
}

/** A window that has room for the ellipse of `size` σ, as far as the stamp has. */
function openEllipse(cx: f64, cy: f64, mxx: f64, myy: f64, size: f64): void {
  const reach = min(side >> 1, <i32>Math.ceil(size * Math.sqrt(Math.max(mxx, myy))) + 1)
  if (2 * reach < windowRows) return
  openWindow(cx, cy, <i32>Math.floor(cx + 0.5), <i32>Math.floor(cy + 0.5), reach, reach)
}

// Left by `ellipseMoment`.
let light: f64 = 0
let moment: f64 = 0

/** Light of the window within 6 σ along the ellipse, and its first moment there. */
function ellipseMoment(cx: f64, cy: f64, a: f64, b: f64, c: f64): void {
  const det = a * c - b * b
  const height = 6 * Math.sqrt(a / det)
  const width = 6 * Math.sqrt(c / det)
  const y1 = min(windowTop + windowRows - 1, <i32>Math.floor(cy + height))
  const x0 = max(windowLeft, <i32>Math.ceil(cx - width))
  const x1 = min(windowLeft + windowColumns, <i32>Math.floor(cx + width) + 1)
  const a4 = f32x4.splat(<f32>a)
  const limit = f32x4.splat(36)
  light = moment = 0
  for (let y = max(windowTop, <i32>Math.ceil(cy - height)); y <= y1; y++) {
    const dy = <f64>y - cy
    const row = windowAt + ((<usize>((y - windowTop) * stride)) << 2)
    const across = f32x4.splat(<f32>(2 * b * dy))
    const down = f32x4.splat(<f32>(c * dy * dy))
    let sums = f32x4.splat(0)
    let moments = sums
    for (let x = x0; x < x1; x += 4) {
      const dx = f32x4.add(f32x4.splat(<f32>(<f64>x - cx)), f32x4(0, 1, 2, 3))
      // Never below 0, which rounding would allow at the centre.
      const q = f32x4.pmax(f32x4.splat(0), f32x4.add(f32x4.mul(dx, f32x4.add(f32x4.mul(a4, dx), across)), down))
      let v = v128.load(row + ((<usize>(x - windowLeft)) << 2))
      const counted = v128.and(f32x4.le(q, limit), i32x4.gt_s(i32x4.splat(x1 - x), i32x4(0, 1, 2, 3)))
      v = v128.and(v, v128.and(f32x4.eq(v, v), counted))
      sums = f32x4.add(sums, v)
      moments = f32x4.add(moments, f32x4.mul(v, f32x4.sqrt(q)))
    }
    light += <f64>lanesOf(sums)
    moment += <f64>lanesOf(moments)
  }
}

/**
 * How much wider (in σ) the Gaussian of the star's core is than that of its moments: ln v against the elliptical radius², with
 * weights v², for pixels above a third of the peak. 0 when there are too few.
 */
function coreWidth(star: usize, peak: f64): f64 {
  const cx = load<f64>(star)
  const cy = load<f64>(star, 8)
  const mxx = load<f64>(star, 24)
  const mxy = load<f64>(star, 32)
  const myy = load<f64>(star, 40)
  const perDet = 1 / (mxx * myy - mxy * mxy)
  const a = f32x4.splat(<f32>(myy * perDet))
  const b = -2 * mxy * perDet
  const c = mxx * perDet
  const reach = min(40, <i32>Math.ceil(1.6 * Math.sqrt(Math.max(mxx, myy))) + 1)
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const x0 = max(left, ix - reach)
  const x1 = min(left + side, ix + reach + 1)
  const perPeak = f32x4.splat(<f32>(1 / peak))
  const third = f32x4.splat(0.33)
  const six = f32x4.splat(6)
  const zero = f32x4.splat(0)
  let counts = i32x4.splat(0)
  let t0 = zero
  let tq = zero
  let tqq = zero
  let tl = zero
  let tql = zero
  for (let y = max(top, iy - reach); y <= min(top + side - 1, iy + reach); y++) {
    const dy = <f64>y - cy
    const row = stamp + ((<usize>((y - top) * stride)) << 2)
    const across = f32x4.splat(<f32>(b * dy))
    const down = f32x4.splat(<f32>(c * dy * dy))
    for (let x = x0; x < x1; x += 4) {
      // Of what is no number nothing is greater.
      const v = f32x4.mul(v128.load(row + ((<usize>(x - left)) << 2)), perPeak)
      const bright = v128.and(f32x4.gt(v, third), i32x4.gt_s(i32x4.splat(x1 - x), i32x4(0, 1, 2, 3)))
      if (!v128.any_true(bright)) continue
      const dx = f32x4.add(f32x4.splat(<f32>(<f64>x - cx)), f32x4(0, 1, 2, 3))
      const q = f32x4.add(f32x4.mul(dx, f32x4.add(f32x4.mul(a, dx), across)), down)
      const counted = v128.and(bright, f32x4.le(q, six))
      counts = i32x4.sub(counts, counted)
      const w = v128.and(f32x4.mul(v, v), counted)
      const wl = v128.and(f32x4.mul(w, naturalLog(v)), counted)
      const wq = f32x4.mul(w, q)
      t0 = f32x4.add(t0, w)
      tq = f32x4.add(tq, wq)
      tqq = f32x4.add(tqq, f32x4.mul(wq, q))
      tl = f32x4.add(tl, wl)
      tql = f32x4.add(tql, f32x4.mul(wl, q))
    }
  }
  const n = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1) + i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3)
  const s0 = both(halved(t0))
  const sq = both(halved(tq))
  const sqq = both(halved(tqq))
  const sl = both(halved(tl))
  const sql = both(halved(tql))
  const spread = sqq * s0 - sq * sq
  if (n < 5 || !(spread > 0)) return 0
  const slope = (sql * s0 - sq * sl) / spread
  return slope < 0 ? Math.sqrt(-0.5 / slope) : 0
}

/** ln x for 0.3 < x < 2: twice the series of artanh((x − 1) / (x + 1)). */
// @ts-ignore: decorator
@inline
function naturalLog(x: v128): v128 {
  const one = f32x4.splat(1)
  const t = f32x4.div(f32x4.sub(x, one), f32x4.add(x, one))
  const u = f32x4.mul(t, t)
  let series = f32x4.splat(<f32>(1 / 13.0))
  series = f32x4.add(f32x4.splat(<f32>(1 / 11.0)), f32x4.mul(u, series))
  series = f32x4.add(f32x4.splat(<f32>(1 / 9.0)), f32x4.mul(u, series))
  series = f32x4.add(f32x4.splat(<f32>(1 / 7.0)), f32x4.mul(u, series))
  series = f32x4.add(f32x4.splat(<f32>(1 / 5.0)), f32x4.mul(u, series))
  series = f32x4.add(f32x4.splat(<f32>(1 / 3.0)), f32x4.mul(u, series))
  return f32x4.mul(f32x4.add(t, t), f32x4.add(one, f32x4.mul(u, series)))
}
