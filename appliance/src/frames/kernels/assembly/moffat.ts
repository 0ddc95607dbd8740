// Moffat profiles: fitted to stars, and drawn as stamps. See differencing/moffatFit.ts and differencing/moffat.ts. A star or a
// stamp is one thread's work.
import { solveLinear } from './linear'
import { exp4, log4 } from './power'
import { ownScratch } from './thread'
import { setWord, word } from './words'

// ---- points of the Gauss-Legendre rules over a pixel ----

// @ts-ignore: decorator
@inline
function pointOf(points: i32, index: i32): f32 {
  if (points == 2) return index == 0 ? -0.28867513459481287 : 0.28867513459481287
  if (points == 3) return <f32>(index - 1) * <f32>0.3872983346207417
  const inner: f32 = 0.16999052179242816
  const outer: f32 = 0.4305681557970263
  return index == 0 ? -outer : index == 1 ? -inner : index == 2 ? inner : outer
}

// @ts-ignore: decorator
@inline
function weightOf(points: i32, index: i32): f32 {
  if (points == 2) return 0.5
  if (points == 3) return index == 1 ? <f32>(4.0 / 9.0) : <f32>(5.0 / 18.0)
  return index == 1 || index == 2 ? <f32>0.3260725774312731 : <f32>0.1739274225687269
}

// ---- the fit ----

/** Float64 words of a star: what it starts with, and then what was found. */
const starWords = 16
const starAmplitude = 0
const starX = 1
const starY = 2
const starA = 3
const starB = 4
const starC = 5
const starBeta = 6
const starSnr = 7
const starChi2 = 8
const starExcess = 9
/** 1 when the fit settled, else 0. */
const starState = 10
/** Which of the cuts is the star's. */
const starCut = 11

const most = 7
const mostSteps = 8

/** Offsets in the scratch: sums of four lanes each, the float64 sums, the system that is solved. */
const sumMatrix: usize = 0
const sumRight: usize = 49 * 16
const sumSquare: usize = 56 * 16
const sumAbove: usize = 57 * 16
const sumBelow: usize = 58 * 16
const sumCount: usize = 59 * 16
const sumBytes: usize = 60 * 16
const slopes: usize = 60 * 16
const matrix: usize = 67 * 16
const right: usize = matrix + 49 * 8
const system: usize = right + 8 * 8
const change: usize = system + 49 * 8

/**
 * Fits an elliptical Moffat profile to each star by Gauss-Newton: amplitude, place, ellipse and, when asked, β. `pixels` (float32)
 * and `use` (bytes) hold size × size of each star; both may be read 16 bytes beyond their end.
 */
export function moffatFits(
  from: i32,
  to: i32,
  stars: usize,
  pixels: usize,
  use: usize,
  size: i32,
  radius: f64,
  skyVariance: f64,
  perSignal: f64,
  perSquare: f64,
  freeBeta: i32,
  points: i32,
  scratch: usize,
  scratchBytes: usize,
): void {
  const own = ownScratch(scratch, scratchBytes)
  const area = <usize>(size * size)
  const n = freeBeta ? most : most - 1
  for (let k = from; k < to; k++) {
    const star = stars + (<usize>k * starWords << 3)
    const cut = <usize>word(star, starCut) * area
    let settled = false
    setWord(star, starState, 0)
    for (let step = 0; step <= mostSteps; step++) {
      const used = accumulate(star, pixels + (cut << 2), use + cut, size, <f32>radius, <f32>skyVariance, <f32>perSignal, <f32>perSquare, n, points, own)
      if (used < 2 * n) break
      if (settled || step == mostSteps) {
        setWord(star, starSnr, word(star, starAmplitude) * sqrt<f64>(load<f64>(own + matrix)))
        setWord(star, starChi2, laneSum(own + sumSquare) / <f64>(used - n))
        setWord(star, starExcess, laneSum(own + sumAbove) / laneSum(own + sumBelow))
        setWord(star, starState, 1)
        break
      }
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          const value = load<f64>(own + matrix + (<usize>(i * most + j) << 3))
          store<f64>(own + system + (<usize>(i * n + j) << 3), i == j ? value * (1 + 1e-6) : value)
        }
        store<f64>(own + change + (<usize>i << 3), load<f64>(own + right + (<usize>i << 3)))
      }
      if (n < most) store<f64>(own + change + 48, 0)
      if (!solveLinear(own + system, own + change, n)) break
      settled = isSmall(star, own + change)
      if (!move(star, own + change)) break
    }
  }
}

function laneSum(p: usize): f64 {
  const v = v128.load(p)
  return (
    <f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1) + (<f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3))
  )
}

/** Less than a hundredth of a pixel in place and two hundredths in the ellipse: the next step is as good as the last. */
function isSmall(star: usize, moves: usize): bool {
  const ellipse = 0.02 * sqrt<f64>(word(star, starA) * word(star, starC))
  for (let k = 1; k < most; k++) {
    const limit = k < 3 ? 0.01 : k < 6 ? ellipse : 0.1
    if (!(abs<f64>(word(moves, k)) < limit)) return false
  }
  return true
}

/** No more than 40 % of the ellipse or half a pixel at a time. False when it leaves the middle or runs out of sense. */
function move(star: usize, moves: usize): bool {
  const size = sqrt<f64>(word(star, starA) * word(star, starC))
  const ellipse = max<f64>(max<f64>(abs<f64>(word(moves, 3)), abs<f64>(word(moves, 4))), max<f64>(abs<f64>(word(moves, 5)), 1e-300))
  const place = max<f64>(max<f64>(abs<f64>(word(moves, 1)), abs<f64>(word(moves, 2))), 1e-300)
  const exponent = max<f64>(abs<f64>(word(moves, 6)), 1e-300)
  const share = min<f64>(min<f64>(1, (0.4 * size) / ellipse), min<f64>(0.5 / place, 0.6 / exponent))
  const amplitude = word(star, starAmplitude) + word(moves, 0)
  const x = word(star, starX) + share * word(moves, 1)
  const y = word(star, starY) + share * word(moves, 2)
  const a = word(star, starA) + share * word(moves, 3)
  const b = word(star, starB) + share * word(moves, 4)
  const c = word(star, starC) + share * word(moves, 5)
  if (!(amplitude > 0 && a > 0 && a * c - b * b > 1e-6 * a * a && x * x + y * y < 4)) return false
  setWord(star, starAmplitude, amplitude)
  setWord(star, starX, x)
  setWord(star, starY, y)
  setWord(star, starA, a)
  setWord(star, starB, b)
  setWord(star, starC, c)
  setWord(star, starBeta, max<f64>(1.5, min<f64>(8, word(star, starBeta) + share * word(moves, 6))))
  return true
}

// @ts-ignore: decorator
@inline
function addTo(p: usize, value: v128): void {
  v128.store(p, f32x4.add(v128.load(p), value))
}

/** Normal equations about the present fit, into the scratch; how many pixels were used. */
function accumulate(
  star: usize,
  pixels: usize,
  use: usize,
  size: i32,
  radius: f32,
  skyVariance: f32,
  perSignal: f32,
  perSquare: f32,
  n: i32,
  points: i32,
  own: usize,
): i32 {
  const amplitude = f32x4.splat(<f32>word(star, starAmplitude))
  const a = f32x4.splat(<f32>word(star, starA))
  const b = f32x4.splat(<f32>word(star, starB))
  const c = f32x4.splat(<f32>word(star, starC))
  const beta = f32x4.splat(<f32>word(star, starBeta))
  const one = f32x4.splat(1)
  const x = f32x4.splat(<f32>word(star, starX))
  const y = <f32>word(star, starY)
  const half = (size - 1) >> 1
  const reach = min(half, <i32>ceil<f32>(radius))
  const square = radius * radius
  memory.fill(own, 0, sumBytes)
  for (let j = -reach; j <= reach; j++) {
    const line = (j + half) * size + half - reach
    const dy = <f32>j - y
    for (let i = -reach; i <= reach; i += 4) {
      const column = f32x4.add(f32x4.splat(<f32>i), f32x4(0, 1, 2, 3))
      const off = f32x4.add(f32x4.mul(column, column), f32x4.splat(<f32>(j * j)))
      const at = <usize>(line + i + reach)
      const bytes = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(use + at)))
      const inside = v128.and(f32x4.le(off, f32x4.splat(square)), f32x4.le(column, f32x4.splat(<f32>reach)))
      const good = v128.andnot(inside, i32x4.eq(bytes, i32x4.splat(0)))
      if (!v128.any_true(good)) continue
      const dx = f32x4.sub(column, x)
      let value = f32x4.splat(0)
      let byX = value
      let byY = value
      let byA = value
      let byB = value
      let byC = value
      let byBeta = value
      for (let v = 0; v < points; v++) {
        const py = f32x4.splat(dy + pointOf(points, v))
        const cyy = f32x4.add(f32x4.mul(c, f32x4.mul(py, py)), one)
        const by = f32x4.mul(b, py)
        for (let u = 0; u < points; u++) {
          const px = f32x4.add(dx, f32x4.splat(pointOf(points, u)))
          const ax = f32x4.mul(a, px)
          // 1 + a x² + 2 b x y + c y²
          const t = f32x4.add(f32x4.mul(px, f32x4.add(ax, f32x4.add(by, by))), cyy)
          const log = log4(t)
          const g = f32x4.mul(f32x4.splat(weightOf(points, u) * weightOf(points, v)), exp4(f32x4.neg(f32x4.mul(beta, log))))
          const h = f32x4.div(f32x4.mul(beta, g), t)
          const hx = f32x4.mul(h, px)
          const hy = f32x4.mul(h, py)
          value = f32x4.add(value, g)
          byX = f32x4.add(byX, f32x4.mul(h, f32x4.add(ax, by)))
          byY = f32x4.add(byY, f32x4.add(f32x4.mul(b, hx), f32x4.mul(c, hy)))
          byA = f32x4.add(byA, f32x4.mul(hx, px))
          byB = f32x4.add(byB, f32x4.mul(hx, py))
          byC = f32x4.add(byC, f32x4.mul(hy, py))
          byBeta = f32x4.add(byBeta, f32x4.mul(g, log))
        }
      }
      const signal = f32x4.mul(amplitude, value)
      const variance = f32x4.add(
        f32x4.splat(skyVariance),
        f32x4.mul(signal, f32x4.add(f32x4.splat(perSignal), f32x4.mul(f32x4.splat(perSquare), signal))),
      )
      const w = v128.and(f32x4.div(one, variance), good)
      const seen = v128.and(f32x4.sub(v128.load(pixels + (at << 2)), signal), good)
      const minus = f32x4.neg(amplitude)
      const twice = f32x4.add(amplitude, amplitude)
      v128.store(own + slopes, value)
      v128.store(own + slopes, f32x4.mul(twice, byX), 16)
      v128.store(own + slopes, f32x4.mul(twice, byY), 32)
      v128.store(own + slopes, f32x4.mul(minus, byA), 48)
      v128.store(own + slopes, f32x4.neg(f32x4.mul(twice, byB)), 64)
      v128.store(own + slopes, f32x4.mul(minus, byC), 80)
      v128.store(own + slopes, f32x4.mul(minus, byBeta), 96)
      for (let p = 0; p < n; p++) {
        const scaled = f32x4.mul(w, v128.load(own + slopes + (<usize>p << 4)))
        addTo(own + sumRight + (<usize>p << 4), f32x4.mul(scaled, seen))
        const row = own + sumMatrix + (<usize>(p * most) << 4)
        for (let q = p; q < n; q++) {
          addTo(row + (<usize>q << 4), f32x4.mul(scaled, v128.load(own + slopes + (<usize>q << 4))))
        }
      }
      const rest = f32x4.mul(seen, seen)
      const light = v128.and(signal, good)
      addTo(own + sumSquare, f32x4.mul(w, rest))
      addTo(own + sumAbove, f32x4.mul(light, f32x4.sub(rest, f32x4.splat(skyVariance))))
      addTo(own + sumBelow, f32x4.mul(light, light))
      addTo(own + sumCount, v128.and(one, good))
    }
  }
  for (let p = 0; p < n; p++) {
    store<f64>(own + right + (<usize>p << 3), laneSum(own + sumRight + (<usize>p << 4)))
    for (let q = p; q < n; q++) {
      const sum = laneSum(own + sumMatrix + (<usize>(p * most + q) << 4))
      store<f64>(own + matrix + (<usize>(p * most + q) << 3), sum)
      store<f64>(own + matrix + (<usize>(q * most + p) << 3), sum)
    }
  }
  return <i32>laneSum(own + sumCount)
}

// ---- stamps ----

/** Float64 words of a shape: a, b, c and β of its form, and the squared radius within which four points a side serve. */
const shapeWords = 8

/** Stamps of n × n nodes, `oversampling` of them a pixel, each node integrated over a pixel about it; float32. */
export function moffatStamps(from: i32, to: i32, shapes: usize, out: usize, n: i32, oversampling: i32): void {
  for (let k = from; k < to; k++) {
    const shape = shapes + (<usize>k * shapeWords << 3)
    const stamp = out + (<usize>k * <usize>(n * n) << 2)
    const near = word(shape, 4)
    const half = <f64>(n - 1) / 2
    for (let j = 0; j < n; j++) {
      const y = (<f64>j - half) / <f64>oversampling
      for (let i = 0; i < n; i += 4) {
        const column = f32x4.mul(f32x4.splat(<f32>(1 / <f64>oversampling)), f32x4.add(f32x4.splat(<f32>(<f64>i - half)), f32x4(0, 1, 2, 3)))
        const x = max<f64>(0, abs<f64>(<f64>i + 1.5 - half) - 1.5) / <f64>oversampling
        const value = overPixels(shape, column, <f32>y, x * x + y * y < near ? 4 : 2)
        storeUpTo(stamp + (<usize>(j * n + i) << 2), value, n - i)
      }
    }
  }
}

function overPixels(shape: usize, x: v128, y: f32, points: i32): v128 {
  const a = f32x4.splat(<f32>word(shape, 0))
  const b = f32x4.splat(<f32>word(shape, 1))
  const c = f32x4.splat(<f32>word(shape, 2))
  const minusBeta = f32x4.splat(-(<f32>word(shape, 3)))
  let sum = f32x4.splat(0)
  for (let v = 0; v < points; v++) {
    const py = f32x4.splat(y + pointOf(points, v))
    const cyy = f32x4.add(f32x4.mul(c, f32x4.mul(py, py)), f32x4.splat(1))
    const by = f32x4.mul(b, py)
    for (let u = 0; u < points; u++) {
      const px = f32x4.add(x, f32x4.splat(pointOf(points, u)))
      const t = f32x4.add(f32x4.mul(px, f32x4.add(f32x4.mul(a, px), f32x4.add(by, by))), cyy)
      const weight = f32x4.splat(weightOf(points, u) * weightOf(points, v))
      sum = f32x4.add(sum, f32x4.mul(weight, exp4(f32x4.mul(minusBeta, log4(t)))))
    }
  }
  return sum
}

// @ts-ignore: decorator
@inline
/** Stores four lanes, or as many as are left. */
function storeUpTo(to: usize, value: v128, left: i32): void {
  if (left >= 4) {
    v128.store(to, value)
    return
  }
  store<f32>(to, f32x4.extract_lane(value, 0))
  if (left > 1) store<f32>(to, f32x4.extract_lane(value, 1), 4)
  if (left > 2) store<f32>(to, f32x4.extract_lane(value, 2), 8)
}
