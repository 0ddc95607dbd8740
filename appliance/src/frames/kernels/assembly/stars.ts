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
    for (let x = x0; x < x1; x++) {
      const v = load<f32>(row + ((<usize>(x - left)) << 2))
      if (!(abs<f32>(v) <= 3.4e38)) clear(row, x - left, x - left + 1)
    }
    if (mask != 0) {
      for (let x = x0; x < x1; x++) {
        if ((<i32>load<u16>(mask + ((<usize>y * <usize>width + <usize>x) << 1)) & bits) != 0) clear(row, x - left, x - left + 1)
      }
    }
    hideOthers(table, runs, parents, names, y, x0, x1, hill, row)
  }
}

function clear(row: usize, from: i32, to: i32): void {
  if (from < to) whole = false
  for (let x = from; x < to; x++) store<f32>(row + ((<usize>x) << 2), f32.NaN)
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

/** A missing pixel is replaced by the one opposite to it across the centre; NaN when that is no better. */
// @ts-ignore: decorator
@inline
function usable(x: i32, y: i32, cx: f64, cy: f64): f32 {
  const v = own(x, y)
  if (v == v) return v
  return own(<i32>Math.floor(2 * cx - <f64>x + 0.5), <i32>Math.floor(2 * cy - <f64>y + 0.5))
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

/**
 * Moments of the light about (cx, cy) under exp(−(a dx² + 2 b dx dy + c dy²) / 2), out to 3.2 σ. The exponent is a
 * quadratic, so weights follow from their neighbours by products of ratios that themselves change by constant factors.
 */
function windowSums(cx: f64, cy: f64, mxx: f64, myy: f64, a: f64, b: f64, c: f64): void {
  sum = sx = sy = sxx = sxy = syy = sumVariance = 0
  const most = side >> 1
  const reachX = min(most, <i32>Math.ceil(3.2 * Math.sqrt(mxx)))
  const reachY = min(most, <i32>Math.ceil(3.2 * Math.sqrt(myy)))
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const inside = whole && ix - reachX >= left && ix + reachX < left + side && iy - reachY >= top && iy + reachY < top + side
  if (!inside) fillSpare(cx, cy, ix, iy, reachX, reachY)
  const pixels = inside ? stamp + ((<usize>((iy - reachY - top) * stride + ix - reachX - left)) << 2) : spare
  if (b * b > 0.5 * a * c || a > 30 || c > 30) {
    slantedSums(pixels, <f64>(ix - reachX) - cx, <f64>(iy - reachY) - cy, reachX, reachY, a, b, c)
    return
  }
  const x0 = <f64>(ix - reachX) - cx
  const y0 = <f64>(iy - reachY) - cy
  const turn = exponential(-a)
  const turnDown = exponential(-c)
  const shear = either(-b)
  let first = exponential(-0.5 * (a * x0 * x0 + 2 * b * x0 * y0 + c * y0 * y0))
  let down = either(-0.5 * (c * (2 * y0 + 1) + 2 * b * x0))
  let along = either(-0.5 * (a * (2 * x0 + 1) + 2 * b * y0))
  const turn4 = <f32>(turn * turn * turn * turn * turn * turn * turn * turn * turn * turn * turn * turn * turn * turn * turn * turn)
  // The noise in units of the sky's, which no f32 overflows with.
  const one = f32x4.splat(1)
  const perFlux4 = f32x4.splat(<f32>(perFlux / (sky * sky)))
  const zero = f32x4.splat(0)
  const columns = 2 * reachX + 1
  for (let j = 0; j <= 2 * reachY; j++) {
    const dy = y0 + <f64>j
    // Four weights, and the factors to the next four.
    const w1 = first * along
    const r1 = along * turn
    const w2 = w1 * r1
    const r2 = r1 * turn
    const w3 = w2 * r2
    let weights = f32x4(<f32>first, <f32>w1, <f32>w2, <f32>w3)
    const r3 = r2 * turn
    const factor = along * r1 * r2 * r3
    const turned = turn * turn * turn * turn
    let factors = f32x4(<f32>factor, <f32>(factor * turned), <f32>(factor * turned * turned), <f32>(factor * turned * turned * turned))
    const turn4s = f32x4.splat(turn4)
    let dx = f32x4(<f32>x0, <f32>(x0 + 1), <f32>(x0 + 2), <f32>(x0 + 3))
    const four = f32x4.splat(4)
    let s0 = zero
    let s1 = zero
    let s2 = zero
    let sv = zero
    const p = pixels + ((<usize>(j * stride)) << 2)
    let x = 0
    for (; x < columns; x += 4) {
      let v = v128.load(p + ((<usize>x) << 2))
      let w = weights
      if (x + 4 > columns) {
        const lanes = i32x4.gt_s(i32x4.splat(columns - x), i32x4(0, 1, 2, 3))
        v = v128.and(v, lanes)
        w = v128.and(w, lanes)
      }
      const known = f32x4.eq(v, v)
      v = v128.and(v, known)
      w = v128.and(w, known)
      const wv = f32x4.mul(w, v)
      s0 = f32x4.add(s0, wv)
      const wvx = f32x4.mul(wv, dx)
      s1 = f32x4.add(s1, wvx)
      s2 = f32x4.add(s2, f32x4.mul(wvx, dx))
      const noisy = f32x4.add(one, f32x4.mul(f32x4.max(zero, v), perFlux4))
      sv = f32x4.add(sv, f32x4.mul(f32x4.mul(w, w), noisy))
      weights = f32x4.mul(weights, factors)
      factors = f32x4.mul(factors, turn4s)
      dx = f32x4.add(dx, four)
    }
    const r0 = <f64>lanesOf(s0)
    const rx = <f64>lanesOf(s1)
    sum += r0
    sx += rx
    sy += r0 * dy
    sxx += <f64>lanesOf(s2)
    sxy += rx * dy
    syy += r0 * dy * dy
    sumVariance += sky * sky * <f64>lanesOf(sv)
    first *= down
    down *= turnDown
    along *= shear
  }
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

/** The window's pixels with missing ones replaced, for `windowSums`. */
function fillSpare(cx: f64, cy: f64, ix: i32, iy: i32, reachX: i32, reachY: i32): void {
  for (let j = 0; j <= 2 * reachY; j++) {
    const row = spare + ((<usize>(j * stride)) << 2)
    for (let i = 0; i <= 2 * reachX; i++) {
      store<f32>(row + ((<usize>i) << 2), usable(ix - reachX + i, iy - reachY + j, cx, cy))
    }
  }
}

/** Adds what the plane of variances says, in place of the noise model. */
function planeVariance(cx: f64, cy: f64, mxx: f64, myy: f64, a: f64, b: f64, c: f64): void {
  const reachX = min(side >> 1, <i32>Math.ceil(3.2 * Math.sqrt(mxx)))
  const reachY = min(side >> 1, <i32>Math.ceil(3.2 * Math.sqrt(myy)))
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  sumVariance = 0
  for (let y = iy - reachY; y <= iy + reachY; y++) {
    for (let x = ix - reachX; x <= ix + reachX; x++) {
      const v = <f64>usable(x, y, cx, cy)
      if (v != v) continue
      const dx = <f64>x - cx
      const dy = <f64>y - cy
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
    mxx = nxx
    mxy = nxy
    myy = nyy
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
  let lines = f32x4.add(f32x4.splat(<f32>dy), f32x4(-0.4375, -0.3125, -0.1875, -0.0625))
  let total = zero
  for (let half = 0; half < 2; half++) {
    const chord = f32x4.sqrt(f32x4.max(zero, f32x4.sub(squared, f32x4.mul(lines, lines))))
    const to = f32x4.min(f32x4.splat(<f32>(dx + 0.5)), chord)
    const from = f32x4.max(f32x4.splat(<f32>(dx - 0.5)), f32x4.neg(chord))
    total = f32x4.add(total, f32x4.max(zero, f32x4.sub(to, from)))
    lines = f32x4.add(lines, f32x4.splat(0.5))
  }
  return <f64>(
    (f32x4.extract_lane(total, 0) + f32x4.extract_lane(total, 1) + f32x4.extract_lane(total, 2) + f32x4.extract_lane(total, 3)) *
    <f32>0.125
  )
}

/**
 * Flux in a circle of `radius` pixels (exact overlap), its variance, the peak, the mask bits met, the radius of half the
 * flux within 2.5 FWHM of the star itself, and the flux in the star's Kron ellipse.
 */
function starAperture(star: usize, frame: usize, radius: f64, curve: usize, curveBytes: usize, full: bool): void {
  const mask = <usize>load<f64>(frame, 8)
  const cx = load<f64>(star)
  const cy = load<f64>(star, 8)
  const sigma = Math.sqrt((load<f64>(star, 24) + load<f64>(star, 40)) / 2)
  const wide = Math.min(<f64>(side >> 1) - 1, Math.max(3, 2.5 * 2.3548 * sigma))
  const reach = min(side >> 1, <i32>Math.ceil(full ? Math.max(radius, wide) : radius) + 1)
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const core = Math.max(1.5, 1.2 * sigma)
  let flux: f64 = 0
  let fluxVariance: f64 = 0
  let peak: f64 = 0
  let bits: i32 = 0
  let missing: f64 = 0
  if (full) memory.fill(curve, 0, curveBytes)
  binsPerPixel = bins / wide
  for (let y = iy - reach; y <= iy + reach; y++) {
    const dy = <f64>y - cy
    for (let x = ix - reach; x <= ix + reach; x++) {
      const dx = <f64>x - cx
      const r = Math.sqrt(dx * dx + dy * dy)
      const share = covered(dx, dy, r, radius)
      if (share == 0 && !(full && r <= wide + 1)) continue
      const inside = x >= 0 && y >= 0 && x < frameWidth && y < frameHeight
      const v = <f64>usable(x, y, cx, cy)
      if (v != v) {
        missing += share
        continue
      }
      if (inside) {
        if (share > 0) fluxVariance += share * noise(x, y, v)
        if (r <= core) {
          peak = Math.max(peak, v)
          if (mask != 0) bits |= <i32>load<u16>(mask + ((<usize>y * <usize>frameWidth + <usize>x) << 1))
        }
      } else missing += share
      flux += share * v
      if (full) spread(curve, dx, dy, r, wide, v)
    }
  }
  store<f64>(star, flux, 72)
  store<f64>(star, fluxVariance, 80)
  store<f64>(star, peak, 88)
  // Half of a Gaussian's light lies within half of its full width.
  store<f64>(star, full ? halfRadius(curve, wide) : 1.17741 * sigma, 96)
  store<f64>(star, <f64>bits, 104)
  store<f64>(star, missing / (pi * radius * radius), 112)
  store<f64>(star, full ? coreWidth(star, peak) : 0, 120)
  if (full) kron(star)
}

/** Rows are stars of the table; the first `fullStars` are measured in full, the others without radii and Kron flux. */
export function measureStarRows(
  starFrom: i32, starTo: i32, table: usize, frame: usize, radius: f64, fullStars: i32, step: i32, count: i32, stamps: usize,
  stampBytes: usize, curveBytes: usize,
): void {
  stamp = ownScratch(stamps, stampBytes)
  spare = stamp + ((stampBytes - curveBytes) >> 1)
  const curve = stamp + stampBytes - curveBytes
  for (let s = starFrom; s < starTo; s++) {
    // Bright and faint stars alternate, so that every thread has its share of both.
    const index = (s % step) * ((count + step - 1) / step) + s / step
    if (index >= count) continue
    const star = table + <usize>index * starBytes
    drawStamp(frame, <i32>load<f64>(star), <i32>load<f64>(star, 8), <i32>load<f64>(star, 144), <i32>load<f64>(star, 16))
    starShape(star)
    starAperture(star, frame, radius, curve, curveBytes, index < fullStars)
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
  const most = side >> 1
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const reachX = min(most, <i32>Math.ceil(6 * Math.sqrt(mxx)))
  const reachY = min(most, <i32>Math.ceil(6 * Math.sqrt(myy)))
  let moment: f64 = 0
  let light: f64 = 0
  for (let y = iy - reachY; y <= iy + reachY; y++) {
    const dy = <f64>y - cy
    for (let x = ix - reachX; x <= ix + reachX; x++) {
      const dx = <f64>x - cx
      const q = a * dx * dx + 2 * b * dx * dy + c * dy * dy
      if (q > 36) continue
      const v = <f64>usable(x, y, cx, cy)
      if (v != v) continue
      moment += Math.sqrt(q) * v
      light += v
    }
  }
  const axis = Math.sqrt(det) > 0 ? Math.sqrt(Math.sqrt(det)) : 1
  let scale = light > 0 && moment > 0 ? 2.5 * Math.min(4, moment / light) : 0
  scale = Math.max(scale, 3.5 / axis)
  store<f64>(star, scale, 136)
  store<f64>(star, ellipseFlux(cx, cy, a, b, c, mxx, myy, scale), 128)
}

/** Sum within the ellipse q ≤ scale²; pixels on its border by 5 × 5 points. */
function ellipseFlux(cx: f64, cy: f64, a: f64, b: f64, c: f64, mxx: f64, myy: f64, scale: f64): f64 {
  const most = side >> 1
  const ix = <i32>Math.floor(cx + 0.5)
  const iy = <i32>Math.floor(cy + 0.5)
  const reachX = min(most, <i32>Math.ceil(scale * Math.sqrt(mxx)) + 1)
  const reachY = min(most, <i32>Math.ceil(scale * Math.sqrt(myy)) + 1)
  // How much √q may differ within a pixel.
  const margin = 0.7072 * Math.sqrt(a + c)
  let flux: f64 = 0
  for (let y = iy - reachY; y <= iy + reachY; y++) {
    const dy = <f64>y - cy
    for (let x = ix - reachX; x <= ix + reachX; x++) {
      const dx = <f64>x - cx
      const q = Math.sqrt(a * dx * dx + 2 * b * dx * dy + c * dy * dy)
      if (q > scale + margin) continue
      const v = <f64>usable(x, y, cx, cy)
      if (v != v) continue
      if (q < scale - margin) {
        flux += v
        continue
      }
      let points = 0
      for (let k = 0; k < 25; k++) {
        const u = dx + <f64>(k % 5) * 0.2 - 0.4
        const w = dy + <f64>(k / 5) * 0.2 - 0.4
        if (a * u * u + 2 * b * u * w + c * w * w <= scale * scale) points++
      }
      flux += v * <f64>points * 0.04
    }
  }
  return flux
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
      const v = <f64>own(x, y)
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

/** Of the curve of growth, as in sep.flux_radius. */
const bins: f64 = 64
/** Of the star at hand. */
let binsPerPixel: f64 = 8

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
  if (r >= wide) return
  const at = curve + ((<usize>(r * binsPerPixel)) << 3)
  store<f64>(at, load<f64>(at) + v)
}

function halfRadius(curve: usize, wide: f64): f64 {
  const last = <i32>bins
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
