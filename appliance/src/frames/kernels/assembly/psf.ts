// What stars leave of a model of the PSF, and the polynomial of the place at every node of it: see differencing/psfResidual.ts.
// A star, then a row of nodes, is one thread's work.
import { medianInPlace, solveLinear } from './linear'
import { ownScratch } from './thread'
import { setWord, word } from './words'

/** Float64 words of a star: its place in its cut, the basis of its place in the frame; then what was found. */
const starWords = 16
const starX = 0
const starY = 1
/** Of a pixel of the star divided by its flux. */
const starError = 2
/** 1 when the star could be placed, else 0. */
const starState = 3
const starBasis = 4
/** Which of the cuts is the star's. */
const starCut = 15

// @ts-ignore: decorator
@inline
function upToFour(n: i32): i32 {
  return (n + 3) & ~3
}

// ---- quintic B-spline ----

/** Six taps at −2 … 3 for a place `t` (0 ≤ t < 1) to the right of tap 0, then their derivatives; float32. */
function quinticTaps(t: f64, out: usize): void {
  const s = 1 - t
  const t2 = t * t
  const t3 = t2 * t
  const t4 = t2 * t2
  const s4 = s * s * s * s
  setTap(out, 0, s4 * s)
  setTap(out, 1, 26 - 50 * t + 20 * t2 + 20 * t3 - 20 * t4 + 5 * t4 * t)
  setTap(out, 2, 66 - 60 * t2 + 30 * t4 - 10 * t4 * t)
  setTap(out, 3, 26 + 50 * t + 20 * t2 - 20 * t3 - 20 * t4 + 10 * t4 * t)
  setTap(out, 4, 1 + 5 * t + 10 * t2 + 10 * t3 + 5 * t4 - 5 * t4 * t)
  setTap(out, 5, t4 * t)
  setTap(out, 6, -5 * s4)
  setTap(out, 7, -50 + 40 * t + 60 * t2 - 80 * t3 + 25 * t4)
  setTap(out, 8, -120 * t + 120 * t3 - 50 * t4)
  setTap(out, 9, 50 + 40 * t - 60 * t2 - 80 * t3 + 50 * t4)
  setTap(out, 10, 5 + 20 * t + 30 * t2 + 20 * t3 - 25 * t4)
  setTap(out, 11, 5 * t4)
}

// @ts-ignore: decorator
@inline
function setTap(out: usize, index: i32, value: f64): void {
  store<f32>(out + (<usize>index << 2), <f32>(value / 120))
}

// @ts-ignore: decorator
@inline
function tap(taps: usize, index: i32): v128 {
  return f32x4.splat(load<f32>(taps + (<usize>index << 2)))
}

/** Coefficients of `n` float64 samples `step` apart, in place, with mirror boundaries (Unser, Aldroubi & Eden 1993). */
function prefilterLine(line: usize, n: i32, step: usize): void {
  for (let k = 0; k < n; k++) store<f64>(line + <usize>k * step, 120 * load<f64>(line + <usize>k * step))
  for (let pole = 0; pole < 2; pole++) {
    const z = pole == 0 ? -0.4305753470999738 : -0.04309628820326465
    let sum: f64 = 0
    let power: f64 = 1
    for (let k = 0; k < min(n, 40); k++) {
      sum += power * load<f64>(line + <usize>k * step)
      power *= z
    }
    store<f64>(line, sum)
    for (let k = 1; k < n; k++) {
      const at = line + <usize>k * step
      store<f64>(at, load<f64>(at) + z * load<f64>(at - step))
    }
    const last = line + <usize>(n - 1) * step
    store<f64>(last, (z / (z * z - 1)) * (load<f64>(last) + z * load<f64>(last - step)))
    for (let k = n - 2; k >= 0; k--) {
      const at = line + <usize>k * step
      store<f64>(at, z * (load<f64>(at + step) - load<f64>(at)))
    }
  }
}

function mirrored(index: i32, n: i32): i32 {
  const period = max(1, 2 * n - 2)
  const at = ((index % period) + period) % period
  return at < n ? at : period - at
}

/**
 * The middle (2 reach + 1)² pixels of a stamp of `size` pixels moved by (dx, dy), and their derivatives by it, each row in
 * `upToFour` floats. `nodes` holds rows of coefficients, `oversampling` of them a pixel, with a mirrored rim of `pad`; a row has
 * those of phase 0 first, then those of phase 1, …, each in `phase` floats (a multiple of 4). `lines`: two rows of scratch.
 */
function window(
  nodes: usize,
  phase: i32,
  oversampling: i32,
  pad: i32,
  size: i32,
  dx: f64,
  dy: f64,
  reach: i32,
  value: usize,
  byX: usize,
  byY: usize,
  lines: usize,
  taps: usize,
): void {
  const s = oversampling
  const side = 2 * reach + 1
  const first = s * (((size - 1) >> 1) - reach) + pad - 2
  const floorX = <i32>floor<f64>(-<f64>s * dx)
  const floorY = <i32>floor<f64>(-<f64>s * dy)
  const tapsX = taps
  const tapsY = taps + 48
  quinticTaps(-<f64>s * dx - <f64>floorX, tapsX)
  quinticTaps(-<f64>s * dy - <f64>floorY, tapsY)
  const row = <usize>(phase * s) << 2
  const slopes = lines + row
  const minus = f32x4.splat(-<f32>s)
  for (let j = 0; j < side; j++) {
    const from = nodes + <usize>(s * j + first + floorY) * row
    for (let x: usize = 0; x < row; x += 16) {
      let sum = f32x4.splat(0)
      let slope = sum
      for (let k = 0; k < 6; k++) {
        const c = v128.load(from + <usize>k * row + x)
        sum = f32x4.add(sum, f32x4.mul(tap(tapsY, k), c))
        slope = f32x4.add(slope, f32x4.mul(tap(tapsY, k + 6), c))
      }
      v128.store(lines + x, sum)
      v128.store(slopes + x, slope)
    }
    const to = <usize>(j * upToFour(side)) << 2
    for (let i = 0; i < side; i += 4) {
      let sum = f32x4.splat(0)
      let alongX = sum
      let alongY = sum
      for (let k = 0; k < 6; k++) {
        const node = first + floorX + k
        const at = <usize>((node % s) * phase + node / s + i) << 2
        const v = v128.load(lines + at)
        sum = f32x4.add(sum, f32x4.mul(tap(tapsX, k), v))
        alongX = f32x4.add(alongX, f32x4.mul(tap(tapsX, k + 6), v))
        alongY = f32x4.add(alongY, f32x4.mul(tap(tapsX, k), v128.load(slopes + at)))
      }
      const at = to + (<usize>i << 2)
      v128.store(value + at, sum)
      v128.store(byX + at, f32x4.mul(minus, alongX))
      v128.store(byY + at, f32x4.mul(minus, alongY))
    }
  }
}

// ---- rests ----

/**
 * Places each star with the model of its place in the frame (a polynomial whose `terms` are planes of coefficients, laid as
 * `window` reads them), and writes what it leaves of the model, for a flux of 1, to `samples`: for each node as many float32 as
 * there are stars, NaN where a star says nothing. With one node a pixel the rest is moved to the middle by the spline; with more
 * each pixel counts for the nearest node. `pixels`, `use` as in `moffatFits`.
 */
export function psfRests(
  from: i32,
  to: i32,
  count: i32,
  stars: usize,
  pixels: usize,
  use: usize,
  size: i32,
  terms: usize,
  termCount: i32,
  termBytes: usize,
  phase: i32,
  oversampling: i32,
  pad: i32,
  reach: i32,
  rms: f64,
  perSignal: f64,
  samples: usize,
  scratch: usize,
  scratchBytes: usize,
): void {
  const own = ownScratch(scratch, scratchBytes)
  const nodes = oversampling * (size - 1) + 1
  const area = <usize>(size * size)
  const plane = <usize>(upToFour(size) * size + 4) << 2
  const value = own + termBytes + 64
  const byX = value + plane
  const byY = byX + plane
  const lines = byY + plane
  const rest = lines + (<usize>(2 * phase * oversampling) << 2)
  for (let k = from; k < to; k++) {
    const star = stars + (<usize>k * starWords << 3)
    const cut = <usize>word(star, starCut) * area
    const seen = pixels + (cut << 2)
    const used = use + cut
    for (let node = 0; node < nodes * nodes; node++) store<f32>(samples + (<usize>(node * count + k) << 2), NaN)
    combine(terms, termCount, termBytes, star, own)
    const flux = place(star, seen, used, size, own, phase, oversampling, pad, reach, rms, perSignal, value, byX, byY, lines, rest)
    if (!(flux > 0)) continue
    const half = (size - 1) >> 1
    window(own, phase, oversampling, pad, size, word(star, starX), word(star, starY), half, value, byX, byY, lines, rest)
    setWord(star, starError, restError(seen, used, size, reach, flux, rms, value, rest))
    const out = samples + (<usize>k << 2)
    if (oversampling == 1) moveRest(star, used, size, rest, value, byX, byY, count, out)
    else nearestNodes(star, used, size, oversampling, rest, count, out)
    setWord(star, starState, 1)
  }
}

function combine(terms: usize, count: i32, bytes: usize, star: usize, out: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    let sum = f32x4.splat(0)
    for (let k = 0; k < count; k++) {
      sum = f32x4.add(sum, f32x4.mul(f32x4.splat(<f32>word(star, starBasis + k)), v128.load(terms + <usize>k * bytes + at)))
    }
    v128.store(out + at, sum)
  }
}

/** Three steps of Gauss-Newton for flux and place; the flux, or 0 when the star cannot be placed. */
function place(
  star: usize,
  pixels: usize,
  use: usize,
  size: i32,
  nodes: usize,
  phase: i32,
  oversampling: i32,
  pad: i32,
  reach: i32,
  rms: f64,
  perSignal: f64,
  value: usize,
  byX: usize,
  byY: usize,
  lines: usize,
  scratch: usize,
): f64 {
  const startX = word(star, starX)
  const startY = word(star, starY)
  const matrix = scratch
  const right = scratch + 72
  let flux: f64 = 0
  for (let step = 0; step < 3; step++) {
    const dx = word(star, starX)
    const dy = word(star, starY)
    window(nodes, phase, oversampling, pad, size, dx, dy, reach, value, byX, byY, lines, scratch)
    sumUp(pixels, use, size, reach, flux, rms, perSignal, value, byX, byY, matrix, right)
    if (!solveLinear(matrix, right, 3) || !(load<f64>(right) > 0)) return 0
    flux = load<f64>(right)
    setWord(star, starX, dx + limited(load<f64>(right, 8) / flux))
    setWord(star, starY, dy + limited(load<f64>(right, 16) / flux))
  }
  const x = word(star, starX) - startX
  const y = word(star, starY) - startY
  return x * x + y * y > 1 ? 0 : flux
}

// @ts-ignore: decorator
@inline
function limited(move: f64): f64 {
  return max<f64>(-0.5, min<f64>(0.5, move))
}

function sumUp(
  pixels: usize,
  use: usize,
  size: i32,
  reach: i32,
  flux: f64,
  rms: f64,
  perSignal: f64,
  value: usize,
  byX: usize,
  byY: usize,
  matrix: usize,
  right: usize,
): void {
  const side = 2 * reach + 1
  const edge = ((size - 1) >> 1) - reach
  const floor4 = f32x4.splat(<f32>(rms * rms))
  const photons = f32x4.splat(<f32>(perSignal * flux))
  const profile = f32x4.splat(<f32>(1e-6 * flux * flux))
  const zero = f32x4.splat(0)
  let vv = zero
  let vx = zero
  let vy = zero
  let xx = zero
  let xy = zero
  let yy = zero
  let dv = zero
  let dx = zero
  let dy = zero
  for (let j = 0; j < side; j++) {
    for (let i = 0; i < side; i += 4) {
      const at = <usize>((j + edge) * size + i + edge)
      const m = <usize>(j * upToFour(side) + i) << 2
      const bytes = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(use + at)))
      const inside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(side - i))
      const good = v128.andnot(inside, i32x4.eq(bytes, zero))
      const v = v128.load(value + m)
      const gx = v128.load(byX + m)
      const gy = v128.load(byY + m)
      const d = v128.and(v128.load(pixels + (at << 2)), good)
      const noise = f32x4.add(f32x4.add(floor4, f32x4.pmax(f32x4.mul(photons, v), zero)), f32x4.mul(profile, f32x4.mul(v, v)))
      const w = v128.and(f32x4.div(f32x4.splat(1), noise), good)
      const wv = f32x4.mul(w, v)
      const wx = f32x4.mul(w, gx)
      const wy = f32x4.mul(w, gy)
      vv = f32x4.add(vv, f32x4.mul(wv, v))
      vx = f32x4.add(vx, f32x4.mul(wv, gx))
      vy = f32x4.add(vy, f32x4.mul(wv, gy))
      xx = f32x4.add(xx, f32x4.mul(wx, gx))
      xy = f32x4.add(xy, f32x4.mul(wx, gy))
      yy = f32x4.add(yy, f32x4.mul(wy, gy))
      dv = f32x4.add(dv, f32x4.mul(wv, d))
      dx = f32x4.add(dx, f32x4.mul(wx, d))
      dy = f32x4.add(dy, f32x4.mul(wy, d))
    }
  }
  setWord(matrix, 0, laneSum(vv))
  setWord(matrix, 1, laneSum(vx))
  setWord(matrix, 2, laneSum(vy))
  setWord(matrix, 3, laneSum(vx))
  setWord(matrix, 4, laneSum(xx))
  setWord(matrix, 5, laneSum(xy))
  setWord(matrix, 6, laneSum(vy))
  setWord(matrix, 7, laneSum(xy))
  setWord(matrix, 8, laneSum(yy))
  setWord(right, 0, laneSum(dv))
  setWord(right, 1, laneSum(dx))
  setWord(right, 2, laneSum(dy))
}

function laneSum(v: v128): f64 {
  return (
    <f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1) + (<f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3))
  )
}

/** Writes what the star leaves of the model, as float64 for the spline's filter; its error in the core. */
function restError(pixels: usize, use: usize, size: i32, reach: i32, flux: f64, rms: f64, value: usize, rest: usize): f64 {
  const half = (size - 1) >> 1
  let square: f64 = 0
  let core = 0
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) {
      const k = <usize>(j * size + i)
      const model = <f64>load<f32>(value + (<usize>(j * upToFour(size) + i) << 2))
      const left = load<u8>(use + k) == 0 ? 0 : <f64>load<f32>(pixels + (k << 2)) / flux - model
      store<f64>(rest + (k << 3), left)
      const r = (i - half) * (i - half) + (j - half) * (j - half)
      if (r > reach * reach || load<u8>(use + k) == 0) continue
      square += left * left
      core++
    }
  }
  const peak = 0.002 * <f64>load<f32>(value + (<usize>(half * upToFour(size) + half) << 2))
  const noise = rms / flux
  return sqrt<f64>(square / <f64>max(1, core) + noise * noise + peak * peak)
}

/** Pixels around the rest, for its own spline. */
const restPad = 8

/** The rest moved to the middle of its cut. Writes over the model's window and slopes. */
function moveRest(star: usize, use: usize, size: i32, rest: usize, value: usize, byX: usize, byY: usize, count: i32, out: usize): void {
  for (let y = 0; y < size; y++) prefilterLine(rest + (<usize>(y * size) << 3), size, 8)
  for (let x = 0; x < size; x++) prefilterLine(rest + (<usize>x << 3), size, <usize>size << 3)
  const phase = upToFour(size + 2 * restPad + 4)
  const nodes = rest + (<usize>(size * size) << 3) + 64
  for (let j = 0; j < size + 2 * restPad; j++) {
    const from = rest + (<usize>(mirrored(j - restPad, size) * size) << 3)
    for (let i = 0; i < size + 2 * restPad; i++) {
      store<f32>(nodes + (<usize>(j * phase + i) << 2), <f32>load<f64>(from + (<usize>mirrored(i - restPad, size) << 3)))
    }
  }
  const lines = nodes + (<usize>((size + 2 * restPad + 1) * phase) << 2)
  const half = (size - 1) >> 1
  const taps = lines + (<usize>(2 * phase) << 2)
  window(nodes, phase, 1, restPad, size, -word(star, starX), -word(star, starY), half, value, byX, byY, lines, taps)
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) {
      if (load<u8>(use + <usize>(j * size + i)) == 0) continue
      const read = load<f32>(value + (<usize>(j * upToFour(size) + i) << 2))
      store<f32>(out + (<usize>((j * size + i) * count) << 2), read)
    }
  }
}

function nearestNodes(star: usize, use: usize, size: i32, oversampling: i32, rest: usize, count: i32, out: usize): void {
  const nodes = oversampling * (size - 1) + 1
  for (let j = 0; j < size; j++) {
    const y = <i32>floor<f64>(<f64>oversampling * (<f64>j - word(star, starY)) + 0.5)
    if (y < 0 || y >= nodes) continue
    for (let i = 0; i < size; i++) {
      const x = <i32>floor<f64>(<f64>oversampling * (<f64>i - word(star, starX)) + 0.5)
      if (x < 0 || x >= nodes || load<u8>(use + <usize>(j * size + i)) == 0) continue
      const left = <f32>load<f64>(rest + (<usize>(j * size + i) << 3))
      store<f32>(out + (<usize>((y * nodes + x) * count) << 2), left)
    }
  }
}

// ---- nodes ----

/**
 * At each node, the weighted least squares polynomial through the stars' samples without those 3.5 sigma from their median.
 * `solution` and `variance` are float64, a plane of nodes for each term; 0 and infinite where too few stars say anything, and
 * where `window` (float64) is 0.
 */
export function psfNodes(
  rowFrom: i32,
  rowTo: i32,
  nodes: i32,
  count: i32,
  stars: usize,
  samples: usize,
  terms: i32,
  window: usize,
  solution: usize,
  variance: usize,
  scratch: usize,
  scratchBytes: usize,
): void {
  const own = ownScratch(scratch, scratchBytes)
  const area = nodes * nodes
  for (let node = rowFrom * nodes; node < rowTo * nodes; node++) {
    for (let k = 0; k < terms; k++) {
      store<f64>(solution + (<usize>(k * area + node) << 3), 0)
      store<f64>(variance + (<usize>(k * area + node) << 3), Infinity)
    }
    if (load<f64>(window + (<usize>node << 3)) == 0) continue
    solveNode(count, stars, samples + (<usize>(node * count) << 2), terms, area, solution + (<usize>node << 3), variance + (<usize>node << 3), own)
  }
}

function solveNode(count: i32, stars: usize, samples: usize, n: i32, area: i32, solution: usize, variance: usize, own: usize): void {
  const values = own
  let known = 0
  for (let k = 0; k < count; k++) {
    const value = load<f32>(samples + (<usize>k << 2))
    if (value != value) continue
    setWord(values, known++, value)
  }
  if (known < 2 * n) return
  const centre = medianInPlace(values, known)
  known = 0
  for (let k = 0; k < count; k++) {
    const value = load<f32>(samples + (<usize>k << 2))
    if (value != value) continue
    setWord(values, known++, abs<f64>(<f64>value - centre) / word(stars + (<usize>(k * starWords) << 3), starError))
  }
  const limit = max<f64>(1e-300, 3.5 * 1.4826 * medianInPlace(values, known))
  const matrix = own
  const right = matrix + (<usize>(n * n) << 3)
  const diagonal = right + (<usize>n << 3)
  const solved = diagonal + (<usize>n << 3)
  memory.fill(matrix, 0, solved - matrix)
  let square: f64 = 0
  let kept = 0
  for (let k = 0; k < count; k++) {
    const value = <f64>load<f32>(samples + (<usize>k << 2))
    if (value != value) continue
    const star = stars + (<usize>(k * starWords) << 3)
    const error = word(star, starError)
    if (abs<f64>(value - centre) > limit * error) continue
    const w = 1 / (error * error)
    for (let i = 0; i < n; i++) {
      const scaled = w * word(star, starBasis + i)
      setWord(right, i, word(right, i) + scaled * value)
      for (let j = 0; j <= i; j++) setWord(matrix, i * n + j, word(matrix, i * n + j) + scaled * word(star, starBasis + j))
    }
    square += w * value * value
    kept++
  }
  if (kept < 2 * n) return
  for (let i = 0; i < n; i++) {
    setWord(diagonal, i, word(matrix, i * n + i))
    setWord(solved, i, word(right, i))
    for (let j = i + 1; j < n; j++) setWord(matrix, i * n + j, word(matrix, j * n + i))
  }
  if (!solveLinear(matrix, solved, n)) return
  let explained: f64 = 0
  for (let i = 0; i < n; i++) explained += word(solved, i) * word(right, i)
  const perWeight = max<f64>(0, square - explained) / <f64>(kept - n)
  for (let i = 0; i < n; i++) {
    const to = <usize>(i * area) << 3
    store<f64>(solution + to, word(solved, i))
    store<f64>(variance + to, max<f64>(1e-300, perWeight / word(diagonal, i)))
  }
}
