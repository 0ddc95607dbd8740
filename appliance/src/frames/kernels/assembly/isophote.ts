import { exponential } from './exponential'
import { splineRow } from './mesh'
import { ownScratch } from './thread'

// Stars as SExtractor and sep define their shapes: each row of a table is one star. See preprocessing/starMoments.ts.

// One star: 16 f64. 0 x, 1 y, 2 reach (px) in; then what is measured: 3 status, 4 isophotal x, 5 y, 6 a, 7 b, 8 angle (radians
// from +x to +y), 9 flux above the isophote, 10 pixels, 11 half-flux radius, 12 windowed x, 13 y.
const starBytes: usize = 128
const statusWord: usize = 24
const measured: f64 = 0
/** Nothing is above the isophote at the star's place. */
const faint: f64 = 1
/** The isophote holds a higher peak, or leaves the largest stamp or the frame's unmasked part. */
const shared: f64 = 2

const bins: i32 = 64
const mostReach: i32 = 60
const mostSteps: i32 = 16
const halfDiagonal: f64 = 0.7072

// The stamp of the star at hand; globals are private to a thread.
let light: usize = 0
let smooth: usize = 0
let seen: usize = 0
let stack: usize = 0
let curve: usize = 0
let left: i32 = 0
let top: i32 = 0
let side: i32 = 0

/** `threshold`: ADU above the sky of the smoothed frame. Scratch for each thread: 4 × 4 bytes for each of 123² pixels + 512. */
export function isophoteRows(
  starFrom: i32, starTo: i32, table: usize, science: usize, mask: usize, bits: i32, width: i32, height: i32, spline: usize,
  columns: i32, meshRows: i32, cellPixels: i32, threshold: f64, scratches: usize, scratchBytes: usize,
): void {
  const pixels = (2 * <usize>mostReach + 3) * (2 * <usize>mostReach + 3)
  curve = ownScratch(scratches, scratchBytes)
  light = curve + ((<usize>bins) << 3)
  smooth = light + (pixels << 2)
  seen = smooth + (pixels << 2)
  stack = seen + (pixels << 2)
  for (let s = starFrom; s < starTo; s++) {
    const star = table + <usize>s * starBytes
    const ix = <i32>Math.floor(load<f64>(star) + 0.5)
    const iy = <i32>Math.floor(load<f64>(star, 8) + 0.5)
    let reach = min(mostReach, <i32>load<f64>(star, 16))
    while (true) {
      drawLight(science, mask, bits, width, height, spline, columns, meshRows, cellPixels, ix, iy, reach)
      smoothLight()
      if (fill(star, ix, iy, <f32>threshold) || reach >= mostReach) break
      reach = min(mostReach, 2 * reach)
    }
    if (load<f64>(star, statusWord) != measured) continue
    const a = load<f64>(star, 48)
    const wide = Math.min(6 * a, <f64>mostReach)
    if (wide + 2 > <f64>reach) {
      reach = min(mostReach + 1, <i32>Math.ceil(wide) + 2)
      drawLight(science, mask, bits, width, height, spline, columns, meshRows, cellPixels, ix, iy, reach)
    }
    const half = halfLight(load<f64>(star, 32), load<f64>(star, 40), wide)
    store<f64>(star, half, 88)
    windowed(star, (2 / 2.35) * half)
  }
}

/** Science − sky about (ix, iy); 0 where there is no usable pixel. */
function drawLight(
  science: usize, mask: usize, bits: i32, width: i32, height: i32, spline: usize, columns: i32, meshRows: i32,
  cellPixels: i32, ix: i32, iy: i32, reach: i32,
): void {
  side = 2 * reach + 1
  left = ix - reach
  top = iy - reach
  memory.fill(light, 0, (<usize>(side * side)) << 2)
  const x0 = max(0, left)
  const x1 = min(width, left + side)
  if (x0 >= x1) return
  for (let y = max(0, top); y < min(height, top + side); y++) {
    const row = light + ((<usize>((y - top) * side + x0 - left)) << 2)
    const at = <usize>y * <usize>width + <usize>x0
    splineRow(science + (at << 2), spline, columns, meshRows, cellPixels, y, x0, x1, row)
    for (let k: usize = 0; k < <usize>(x1 - x0); k++) {
      const v = load<f32>(row + (k << 2))
      const masked = mask != 0 && (<i32>load<u16>(mask + ((at + k) << 1)) & bits) != 0
      if (masked || !(abs<f32>(v) <= 3.4e38)) store<f32>(row + (k << 2), 0)
    }
  }
}

// @ts-ignore: decorator
@inline
function lightAt(i: i32, j: i32): f32 {
  return i < 0 || j < 0 || i >= side || j >= side ? 0 : load<f32>(light + ((<usize>(j * side + i)) << 2))
}

/** The 3 × 3 pyramid (1 2 1, 2 4 2, 1 2 1) / 16. */
function smoothLight(): void {
  for (let j = 0; j < side; j++) {
    for (let i = 0; i < side; i++) {
      const corners = lightAt(i - 1, j - 1) + lightAt(i + 1, j - 1) + lightAt(i - 1, j + 1) + lightAt(i + 1, j + 1)
      const edges = lightAt(i - 1, j) + lightAt(i + 1, j) + lightAt(i, j - 1) + lightAt(i, j + 1)
      store<f32>(smooth + ((<usize>(j * side + i)) << 2), <f32>0.0625 * (corners + 2 * edges + 4 * lightAt(i, j)))
    }
  }
}

/**
 * Pixels of the smoothed stamp above `threshold` that hang together (8 neighbours) with the star, and their moments weighted
 * by the smoothed light. False when the stamp was too small.
 */
function fill(star: usize, ix: i32, iy: i32, threshold: f32): bool {
  const middle = (iy - top) * side + ix - left
  const own = peakNear(ix - left, iy - top)
  store<f64>(star, faint, statusWord)
  if (!(load<f32>(smooth + ((<usize>middle) << 2)) > threshold)) return true
  memory.fill(seen, 0, <usize>(side * side))
  store<u8>(seen + <usize>middle, 1)
  store<i32>(stack, middle)
  let waiting = 1
  let pixels = 0
  let flux: f64 = 0
  let sum: f64 = 0
  let sx: f64 = 0
  let sy: f64 = 0
  let sxx: f64 = 0
  let syy: f64 = 0
  let sxy: f64 = 0
  while (waiting > 0) {
    waiting--
    const at = load<i32>(stack + ((<usize>waiting) << 2))
    const i = at % side
    const j = at / side
    if (i == 0 || j == 0 || i == side - 1 || j == side - 1) {
      store<f64>(star, shared, statusWord)
      return false
    }
    const v = load<f32>(smooth + ((<usize>at) << 2))
    if (v > own) {
      store<f64>(star, shared, statusWord)
      return true
    }
    const x = <f64>(left + i - ix)
    const y = <f64>(top + j - iy)
    pixels++
    flux += <f64>load<f32>(light + ((<usize>at) << 2))
    sum += v
    sx += v * x
    sy += v * y
    sxx += v * x * x
    syy += v * y * y
    sxy += v * x * y
    for (let dj = -1; dj <= 1; dj++) {
      for (let di = -1; di <= 1; di++) {
        const near = at + dj * side + di
        if (load<u8>(seen + <usize>near) != 0 || !(load<f32>(smooth + ((<usize>near) << 2)) > threshold)) continue
        store<u8>(seen + <usize>near, 1)
        store<i32>(stack + ((<usize>waiting) << 2), near)
        waiting++
      }
    }
  }
  const mx = sx / sum
  const my = sy / sum
  store<f64>(star, <f64>ix + mx, 32)
  store<f64>(star, <f64>iy + my, 40)
  axes(star, sxx / sum - mx * mx, syy / sum - my * my, sxy / sum - mx * my)
  store<f64>(star, flux, 72)
  store<f64>(star, <f64>pixels, 80)
  store<f64>(star, measured, statusWord)
  return true
}

/** Highest smoothed pixel at most 1 px away. */
function peakNear(i: i32, j: i32): f32 {
  let peak = -f32.MAX_VALUE
  for (let dj = -1; dj <= 1; dj++) {
    for (let di = -1; di <= 1; di++) peak = max(peak, load<f32>(smooth + ((<usize>((j + dj) * side + i + di)) << 2)))
  }
  return peak
}

/** Semi-axes and angle of the moments' ellipse; a pixel's own width keeps a line of pixels from having none. */
function axes(star: usize, mxx: f64, myy: f64, mxy: f64): void {
  let xx = mxx
  let yy = myy
  if (xx * yy - mxy * mxy < 0.00694) {
    xx += 0.0833333
    yy += 0.0833333
  }
  const mean = (xx + yy) / 2
  const half = Math.sqrt(((xx - yy) / 2) * ((xx - yy) / 2) + mxy * mxy)
  store<f64>(star, Math.sqrt(mean + half), 48)
  store<f64>(star, Math.sqrt(Math.max(0, mean - half)), 56)
  store<f64>(star, 0.5 * Math.atan2(2 * mxy, xx - yy), 64)
}

/** Radius of half the light within `wide` of (cx, cy): a curve of 64 steps, each pixel as 5 × 5 points. */
function halfLight(cx: f64, cy: f64, wide: f64): f64 {
  memory.fill(curve, 0, (<usize>bins) << 3)
  const perPixel = <f64>bins / wide
  const reach = wide + halfDiagonal
  for (let j = 0; j < side; j++) {
    const dy = <f64>(top + j) - cy
    for (let i = 0; i < side; i++) {
      const dx = <f64>(left + i) - cx
      if (dx * dx + dy * dy >= reach * reach) continue
      const v = 0.04 * <f64>lightAt(i, j)
      for (let sy = -2; sy <= 2; sy++) {
        const y = dy + 0.2 * <f64>sy
        for (let sx = -2; sx <= 2; sx++) {
          const x = dx + 0.2 * <f64>sx
          const bin = <i32>(Math.sqrt(x * x + y * y) * perPixel)
          if (bin < bins) {
            const at = curve + ((<usize>bin) << 3)
            store<f64>(at, load<f64>(at) + v)
          }
        }
      }
    }
  }
  let total: f64 = 0
  for (let b = 0; b < bins; b++) total += load<f64>(curve + ((<usize>b) << 3))
  if (!(total > 0)) return 0
  let within: f64 = 0
  for (let b = 0; b < bins; b++) {
    const v = load<f64>(curve + ((<usize>b) << 3))
    if (within + v >= total / 2) return (<f64>b + (total / 2 - within) / v) / perPixel
    within += v
  }
  return wide
}

/** Centroid under a round Gaussian of `sigma` out to 4 σ, moved by twice its offset until it rests (SExtractor's XWIN, YWIN). */
function windowed(star: usize, sigma: f64): void {
  let cx = load<f64>(star, 32)
  let cy = load<f64>(star, 40)
  const limit = 4 * sigma
  const rate = 0.5 / (sigma * sigma)
  for (let step = 0; step < mostSteps && sigma > 0; step++) {
    let sum: f64 = 0
    let sx: f64 = 0
    let sy: f64 = 0
    for (let j = 0; j < side; j++) {
      const dy = <f64>(top + j) - cy
      if (Math.abs(dy) > limit + 0.5) continue
      for (let i = 0; i < side; i++) {
        const dx = <f64>(left + i) - cx
        const squared = dx * dx + dy * dy
        if (squared > (limit + halfDiagonal) * (limit + halfDiagonal)) continue
        // Where the circle cuts a pixel the weight is 3e-4 of the middle's: its share matters little.
        const share = Math.min(1, Math.max(0, limit + 0.5 - Math.sqrt(squared)))
        const wv = share * exponential(-rate * squared) * <f64>lightAt(i, j)
        sum += wv
        sx += wv * dx
        sy += wv * dy
      }
    }
    if (!(sum > 0)) break
    const mx = (2 * sx) / sum
    const my = (2 * sy) / sum
    cx += mx
    cy += my
    if (mx * mx + my * my < 4e-8) break
  }
  store<f64>(star, cx, 96)
  store<f64>(star, cy, 104)
}
