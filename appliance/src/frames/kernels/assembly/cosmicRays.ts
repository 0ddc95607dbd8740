import { ownScratch } from './thread'

// L.A.Cosmic (van Dokkum 2001, PASP 113, 1420); see preprocessing/cosmicRays.ts. A cheap bound on the Laplacian's
// significance is looked at everywhere; the medians are taken only where it is passed, for four pixels of a row at a time.
// The image is a copy with a margin, in which a star that is cut by the border goes on as stars do: `image` points at its pixel (0, 0), `stride` is bytes a row.
// Found pixels are bits: rows of `words` 32-bit words, pixel x in bit x & 31 of word x >> 5.

/** Rows and columns of a tile with one bound. A multiple of 4 columns. */
const tileRows: i32 = 16
const tileColumns: i32 = 64
/** Bytes of scratch that `cosmicSure` and `cosmicGrow` use for each thread: a 9 × 12 patch and rows of medians. */
const patchBytes: usize = 448
const patchStride: usize = 48

// f32x4.min and .max keep NaN and signed zeros apart, which costs several instructions each; these two do not.
// @ts-ignore: decorator
@inline
function lesser(a: v128, b: v128): v128 {
  return f32x4.pmin(a, b)
}

// @ts-ignore: decorator
@inline
function greater(a: v128, b: v128): v128 {
  return f32x4.pmax(a, b)
}

// @ts-ignore: decorator
@inline
function middle3(a: v128, b: v128, c: v128): v128 {
  return greater(lesser(a, b), lesser(greater(a, b), c))
}

// @ts-ignore: decorator
@inline
function middle5(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  const lowHigh = greater(lesser(a, b), lesser(c, d))
  const highLow = lesser(greater(a, b), greater(c, d))
  return middle3(e, lowHigh, highLow)
}

/** The least and the greatest of six leave the game; the middle of seven is that of the five that are left. */
// @ts-ignore: decorator
@inline
function middle7(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128): v128 {
  const low = lesser(a, b)
  const high = greater(a, b)
  const low2 = lesser(c, d)
  const high2 = greater(c, d)
  const low3 = lesser(e, f)
  const high3 = greater(e, f)
  const p = greater(low, low2)
  const q = greater(lesser(low, low2), low3)
  const r = lesser(high, high2)
  return middle5(p, q, r, lesser(greater(high, high2), high3), g)
}

/** As `middle7`: seven are left. */
function middle9(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, i: v128): v128 {
  const low = lesser(a, b)
  const high = greater(a, b)
  const low2 = lesser(c, d)
  const high2 = greater(c, d)
  const low3 = lesser(e, f)
  const high3 = greater(e, f)
  const p = greater(low, low2)
  const q = greater(lesser(low, low2), low3)
  const r = lesser(high, high2)
  return middle7(p, q, r, lesser(greater(high, high2), high3), g, h, i)
}

// @ts-ignore: decorator
@inline
function along5(at: usize): v128 {
  return middle5(v128.load(at - 8), v128.load(at - 4), v128.load(at), v128.load(at + 4), v128.load(at + 8))
}

// @ts-ignore: decorator
@inline
function along3(at: usize): v128 {
  return middle3(v128.load(at - 4), v128.load(at), v128.load(at + 4))
}

// @ts-ignore: decorator
@inline
function along7(at: usize): v128 {
  const a = v128.load(at - 12)
  const b = v128.load(at - 8)
  const c = v128.load(at - 4)
  const e = v128.load(at + 4)
  return middle7(a, b, c, v128.load(at), e, v128.load(at + 8), v128.load(at + 12))
}

function along9(at: usize): v128 {
  const a = v128.load(at - 16)
  const b = v128.load(at - 12)
  const c = v128.load(at - 8)
  const d = v128.load(at - 4)
  const f = v128.load(at + 4)
  const g = v128.load(at + 8)
  return middle9(a, b, c, d, v128.load(at), f, g, v128.load(at + 12), v128.load(at + 16))
}

/** Medians of 5 along x, then along y, of the four pixels from `at` on. */
function median5(at: usize, stride: usize): v128 {
  const a = along5(at - 2 * stride)
  const b = along5(at - stride)
  const c = along5(at)
  const d = along5(at + stride)
  return middle5(a, b, c, d, along5(at + 2 * stride))
}

// @ts-ignore: decorator
@inline
function median3(at: usize, stride: usize): v128 {
  return middle3(along3(at - stride), along3(at), along3(at + stride))
}

/**
 * The Laplacian of an image whose pixels were halved, its negative parts cut off, gathered back (van Dokkum 2001, eq. 6–9):
 * the mean over a pixel's four corners of max(0, 2·pixel − its two neighbours there).
 */
// @ts-ignore: decorator
@inline
function laplacian(at: usize, stride: usize): v128 {
  const zero = f32x4.splat(0)
  const v = v128.load(at)
  const twice = f32x4.add(v, v)
  const left = f32x4.sub(twice, v128.load(at - 4))
  const right = f32x4.sub(twice, v128.load(at + 4))
  const up = v128.load(at - stride)
  const down = v128.load(at + stride)
  const above = f32x4.add(greater(zero, f32x4.sub(left, up)), greater(zero, f32x4.sub(right, up)))
  const below = f32x4.add(greater(zero, f32x4.sub(left, down)), greater(zero, f32x4.sub(right, down)))
  return f32x4.mul(f32x4.add(above, below), f32x4.splat(0.25))
}

/** What a star leaves and a narrow track does not: the median of 3 − its median of 7. Reaches four pixels. */
function fineStructure3(at: usize, stride: usize, line: usize): v128 {
  const column = line + 48
  for (let r: usize = 0; r < 7; r++) {
    const row = at + r * stride - 3 * stride
    v128.store(line, median3(row - 16, stride))
    v128.store(line, median3(row, stride), 16)
    v128.store(line, median3(row + 16, stride), 32)
    v128.store(column + (r << 4), along7(line + 16))
  }
  const a = v128.load(column)
  const b = v128.load(column, 16)
  const c = v128.load(column, 32)
  const d = v128.load(column, 48)
  const e = v128.load(column, 64)
  const median = middle7(a, b, c, d, e, v128.load(column, 80), v128.load(column, 96))
  return f32x4.sub(median3(at, stride), median)
}

/** What a star leaves and a track three pixels wide does not: the median of 5 − its median of 9. Reaches six pixels. */
function fineStructure5(at: usize, stride: usize, line: usize): v128 {
  const column = line + 48
  for (let r: usize = 0; r < 9; r++) {
    const row = at + r * stride - 4 * stride
    v128.store(line, median5(row - 16, stride))
    v128.store(line, median5(row, stride), 16)
    v128.store(line, median5(row + 16, stride), 32)
    v128.store(column + (r << 4), along9(line + 16))
  }
  const a = v128.load(column)
  const b = v128.load(column, 16)
  const c = v128.load(column, 32)
  const d = v128.load(column, 48)
  const e = v128.load(column, 64)
  const f = v128.load(column, 80)
  const g = v128.load(column, 96)
  const median = middle9(a, b, c, d, e, f, g, v128.load(column, 112), v128.load(column, 128))
  return f32x4.sub(median5(at, stride), median)
}

/** Noise² of the four pixels: medians of the variance, or of the image as perElectron · median + readVariance. */
// @ts-ignore: decorator
@inline
function noise2(at: usize, stride: usize, fromImage: bool, perElectron: f32, readVariance: f32): v128 {
  const m = median5(at, stride)
  if (!fromImage) return greater(m, f32x4.splat(1e-12))
  return modelled(m, perElectron, readVariance)
}

// @ts-ignore: decorator
@inline
function modelled(level: v128, perElectron: f32, readVariance: f32): v128 {
  const shot = f32x4.mul(greater(f32x4.splat(0), level), f32x4.splat(perElectron))
  return f32x4.add(shot, f32x4.splat(readVariance))
}

// @ts-ignore: decorator
@inline
function scoreOf(l: v128, n2: v128): v128 {
  return f32x4.div(l, f32x4.mul(f32x4.splat(2), f32x4.sqrt(n2)))
}

/**
 * The median of 5 of the significance Laplacian / (2 · noise), along x and then y, of the four pixels from `at` on. `from`
 * and `fromStride` are where the noise is read. Reaches four pixels.
 */
function scoreMedian(
  at: usize, stride: usize, from: usize, fromStride: usize, fromImage: bool, perElectron: f32, readVariance: f32,
  scratch: usize,
): v128 {
  for (let r: usize = 0; r < 5; r++) {
    const row = at + r * stride - 2 * stride
    const noiseRow = from + r * fromStride - 2 * fromStride
    for (let k: usize = 0; k < 2; k++) {
      // Columns −2 … 1 and 2 … 5.
      const step = (k << 4) - 8
      const n2 = noise2(noiseRow + step, fromStride, fromImage, perElectron, readVariance)
      v128.store(scratch + (k << 4), scoreOf(laplacian(row + step, stride), n2))
    }
    v128.store(scratch + 32 + (r << 4), along5(scratch + 8))
  }
  const m = scratch + 32
  return middle5(v128.load(m), v128.load(m, 16), v128.load(m, 32), v128.load(m, 48), v128.load(m, 64))
}

/** Row or column `i` of `n`, mirrored at the first and the last one. */
// @ts-ignore: decorator
@inline
function mirrored(i: i32, n: i32): i32 {
  const inside = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i
  return max(0, min(n - 1, inside))
}

/** Copies the 9 × 12 patch around four pixels, mirrored at the border, into scratch; returns where pixel (x, y) is in it. */
function borderPatch(plane: usize, width: i32, height: i32, x: i32, y: i32, scratch: usize): usize {
  for (let r = 0; r < 9; r++) {
    const row = plane + ((<usize>mirrored(y + r - 4, height) * <usize>width) << 2)
    for (let c = 0; c < 12; c++) {
      const value = load<f32>(row + ((<usize>mirrored(x + c - 4, width)) << 2))
      store<f32>(scratch + <usize>r * patchStride + ((<usize>c) << 2), value)
    }
  }
  return scratch + 4 * patchStride + 16
}

// What the kernels below were called with, and the noise patch of the four pixels that are looked at. Each thread has
// its own instance of the module, and with it its own of these.
let image: usize = 0
let stride: usize = 0
let variance: usize = 0
let width: i32 = 0
let height: i32 = 0
let perElectron: f32 = 0
let readVariance: f32 = 0
let scratch: usize = 0
let noiseAt: usize = 0
let noiseStride: usize = 0

/** Settings: image, stride, variance (0: none), width, height, perElectron, readVariance, scratch, bytesPerThread: f64. */
function take(settings: usize): void {
  image = <usize>load<f64>(settings)
  stride = <usize>load<f64>(settings, 8)
  variance = <usize>load<f64>(settings, 16)
  width = <i32>load<f64>(settings, 24)
  height = <i32>load<f64>(settings, 32)
  perElectron = <f32>load<f64>(settings, 40)
  readVariance = <f32>load<f64>(settings, 48)
  scratch = ownScratch(<usize>load<f64>(settings, 56), <usize>load<f64>(settings, 64))
}

// @ts-ignore: decorator
@inline
function pixel(x: i32, y: i32): usize {
  return image + <usize>y * stride + ((<usize>x) << 2)
}

/** Says where the noise of the four pixels from (x, y) on is read. */
function chooseNoise(x: i32, y: i32): void {
  if (variance == 0) {
    noiseAt = pixel(x, y)
    noiseStride = stride
  } else if (x >= 4 && y >= 4 && x + 8 <= width && y + 4 < height) {
    noiseAt = variance + ((<usize>y * <usize>width + <usize>x) << 2)
    noiseStride = (<usize>width) << 2
  } else {
    noiseAt = borderPatch(variance, width, height, x, y, scratch)
    noiseStride = patchStride
  }
}

/** Which of the four pixels from (x, y) on have score − its median above `limit`. */
function strongLanes(x: i32, y: i32, limit: f32): i32 {
  const at = pixel(x, y)
  chooseNoise(x, y)
  const fromImage = variance == 0
  const score = scoreOf(laplacian(at, stride), noise2(noiseAt, noiseStride, fromImage, perElectron, readVariance))
  if (!v128.any_true(f32x4.gt(score, f32x4.splat(limit)))) return 0
  const rows = scratch + patchBytes
  const median = scoreMedian(at, stride, noiseAt, noiseStride, fromImage, perElectron, readVariance, rows)
  return i32x4.bitmask(f32x4.gt(f32x4.sub(score, median), f32x4.splat(limit)))
}

/**
 * Which of the four pixels from (x, y) on are sure hits: score − its median exceeds both `limit` and
 * contrast · fine structure / noise + `margin`.
 */
function sureLanes(x: i32, y: i32, limit: f32, core: i32, contrast: f32, margin: f32): i32 {
  const at = pixel(x, y)
  chooseNoise(x, y)
  const fromImage = variance == 0
  const n2 = noise2(noiseAt, noiseStride, fromImage, perElectron, readVariance)
  const score = scoreOf(laplacian(at, stride), n2)
  // The median is not negative: what fails without it fails with it.
  if (!v128.any_true(f32x4.gt(score, f32x4.splat(limit)))) return 0
  const rows = scratch + patchBytes
  const structure = core == 5 ? fineStructure5(at, stride, rows) : fineStructure3(at, stride, rows)
  const fine = greater(f32x4.div(structure, f32x4.sqrt(n2)), f32x4.splat(0.01))
  const least = greater(f32x4.splat(limit), f32x4.add(f32x4.mul(fine, f32x4.splat(contrast)), f32x4.splat(margin)))
  if (!v128.any_true(f32x4.gt(score, least))) return 0
  const median = scoreMedian(at, stride, noiseAt, noiseStride, fromImage, perElectron, readVariance, rows)
  return i32x4.bitmask(f32x4.gt(f32x4.sub(score, median), least))
}

// Mask bits (frames/mask.ts).
const noData: i32 = 1
const bad: i32 = 2
const saturated: i32 = 4
const bloom: i32 = 8
/** How far the edge of a saturated star reaches. */
const guardPixels: i32 = 5

// @ts-ignore: decorator
@inline
function bitsAt(mask: usize, x: i32, y: i32): i32 {
  return <i32>load<u16>(mask + ((<usize>y * <usize>width + <usize>x) << 1))
}

/** Whether all three pixels of a line are saturated; (dx, dy) is the line's step. */
function run3(mask: usize, x: i32, y: i32, dx: i32, dy: i32): bool {
  if (x < dx || y < dy || x + dx >= width || y + dy >= height) return false
  return (bitsAt(mask, x - dx, y - dy) & bitsAt(mask, x + dx, y + dy) & saturated) != 0
}

/** A saturated pixel belongs to a star when its surroundings are bright as well, or when its charge bled. */
function starSaturated(mask: usize, science: usize, x: i32, y: i32): bool {
  if (run3(mask, x, y, 1, 0) || run3(mask, x, y, 0, 1)) return true
  const around = f32x4.extract_lane(median3(pixel(x, y), stride), 0)
  return around > 0.1 * load<f32>(science + ((<usize>y * <usize>width + <usize>x) << 2))
}

/** Neither unusable nor near a saturated star, whose edges are as sharp as any. */
function allowed(mask: usize, science: usize, x: i32, y: i32): bool {
  if ((bitsAt(mask, x, y) & (noData | bad)) != 0) return false
  const toX = min(width - 1, x + guardPixels)
  const toY = min(height - 1, y + guardPixels)
  for (let v = max(0, y - guardPixels); v <= toY; v++) {
    for (let u = max(0, x - guardPixels); u <= toX; u++) {
      const bits = bitsAt(mask, u, v)
      if ((bits & (saturated | bloom)) == 0) continue
      if ((bits & bloom) != 0 || starSaturated(mask, science, u, v)) return false
    }
  }
  return true
}

/** Sets the bits of allowed lanes in the row's words. */
function keep(lanes: i32, x: i32, y: i32, mask: usize, science: usize, row: usize): void {
  for (let k = 0; k < 4; k++) {
    if ((lanes & (1 << k)) == 0 || x + k >= width || !allowed(mask, science, x + k, y)) continue
    const word = row + (<usize>((x + k) >> 5) << 2)
    store<u32>(word, load<u32>(word) | (1 << ((x + k) & 31)))
  }
}

/**
 * Copies rows of the frame into the image with its margin (rowFrom counts from the margin's first row). Unusable pixels
 * (`mask` & `bits`, NaN, ±∞) become the mean of the usable ones in 5 × 5, 0 without any. The first row or column beyond a
 * border mirrors the frame; those further out have the level inside of it: what a star at the border would leave there.
 */
export function cosmicPrepare(
  rowFrom: i32, rowTo: i32, science: usize, mask: usize, bits: i32, out: usize, width: i32, height: i32, margin: i32,
): void {
  const stride = (<usize>(width + 2 * margin)) << 2
  for (let r = rowFrom; r < rowTo; r++) {
    const y = r - margin
    const to = out + <usize>r * stride + ((<usize>margin) << 2)
    if (y < -1 || y > height) levelRow(science, mask, bits, to, width, height, y)
    else usableRow(science, mask, bits, to, width, height, mirrored(y, height))
    const left = levelOf(to, width, 0)
    const right = levelOf(to, width, width - 1)
    store<f32>(to - 4, load<f32>(to + ((<usize>mirrored(-1, width)) << 2)))
    store<f32>(to + ((<usize>width) << 2), load<f32>(to + ((<usize>mirrored(width, width)) << 2)))
    for (let k = 2; k <= margin; k++) {
      store<f32>(to - ((<usize>k) << 2), left)
      store<f32>(to + ((<usize>(width - 1 + k)) << 2), right)
    }
  }
}

/** How far inside of a border the five samples of its level lie: 6, 10, 14, 18 and 22 pixels. */
// @ts-ignore: decorator
@inline
function depth(k: i32): i32 {
  return 6 + 4 * k
}

// @ts-ignore: decorator
@inline
function middleOf(a: f32, b: f32, c: f32, d: f32, e: f32): f32 {
  const four = middle5(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c), f32x4.splat(d), f32x4.splat(e))
  return f32x4.extract_lane(four, 0)
}

// @ts-ignore: decorator
@inline
function inRow(row: usize, width: i32, edge: i32, k: i32): f32 {
  const x = edge == 0 ? depth(k) : edge - depth(k)
  return load<f32>(row + ((<usize>max(0, min(width - 1, x))) << 2))
}

/** The level of a row inside its end `edge`. */
function levelOf(row: usize, width: i32, edge: i32): f32 {
  const a = inRow(row, width, edge, 0)
  const b = inRow(row, width, edge, 1)
  const c = inRow(row, width, edge, 2)
  return middleOf(a, b, c, inRow(row, width, edge, 3), inRow(row, width, edge, 4))
}

/** The level of each column inside the border that row `y` is beyond. */
function levelRow(science: usize, mask: usize, bits: i32, to: usize, width: i32, height: i32, y: i32): void {
  for (let x = 0; x < width; x++) {
    const a = inColumn(science, mask, bits, width, height, x, y, 0)
    const b = inColumn(science, mask, bits, width, height, x, y, 1)
    const c = inColumn(science, mask, bits, width, height, x, y, 2)
    const d = inColumn(science, mask, bits, width, height, x, y, 3)
    store<f32>(to + ((<usize>x) << 2), middleOf(a, b, c, d, inColumn(science, mask, bits, width, height, x, y, 4)))
  }
}

function inColumn(science: usize, mask: usize, bits: i32, width: i32, height: i32, x: i32, y: i32, k: i32): f32 {
  const inside = max(0, min(height - 1, y < 0 ? depth(k) : height - 1 - depth(k)))
  return usableValue(science, mask, bits, width, height, x, inside)
}

function usableRow(science: usize, mask: usize, bits: i32, to: usize, width: i32, height: i32, y: i32): void {
  const most = f32x4.splat(3e38)
  const bits4 = i32x4.splat(bits)
  const from = science + ((<usize>y * <usize>width) << 2)
  const flags = mask + ((<usize>y * <usize>width) << 1)
  let x = 0
  for (; x + 4 <= width; x += 4) {
    const v = v128.load(from + ((<usize>x) << 2))
    v128.store(to + ((<usize>x) << 2), v)
    const m = i32x4.extend_low_i16x8_u(v128.load64_zero(flags + ((<usize>x) << 1)))
    const finite = f32x4.lt(f32x4.abs(v), most)
    if (v128.any_true(v128.or(v128.not(finite), v128.and(m, bits4)))) {
      for (let u = x; u < x + 4; u++) {
        store<f32>(to + ((<usize>u) << 2), usableValue(science, mask, bits, width, height, u, y))
      }
    }
  }
  for (; x < width; x++) store<f32>(to + ((<usize>x) << 2), usableValue(science, mask, bits, width, height, x, y))
}

// @ts-ignore: decorator
@inline
function usableAt(science: usize, mask: usize, bits: i32, i: usize): bool {
  return Mathf.abs(load<f32>(science + (i << 2))) < 3e38 && (<i32>load<u16>(mask + (i << 1)) & bits) == 0
}

// @ts-ignore: decorator
@inline
function usableValue(science: usize, mask: usize, bits: i32, width: i32, height: i32, x: i32, y: i32): f32 {
  const i = <usize>y * <usize>width + <usize>x
  if (usableAt(science, mask, bits, i)) return load<f32>(science + (i << 2))
  return meanAround(science, mask, bits, width, height, x, y)
}

function meanAround(science: usize, mask: usize, bits: i32, width: i32, height: i32, x: i32, y: i32): f32 {
  let sum: f32 = 0
  let count: f32 = 0
  for (let v = max(0, y - 2); v <= min(height - 1, y + 2); v++) {
    for (let u = max(0, x - 2); u <= min(width - 1, x + 2); u++) {
      const i = <usize>v * <usize>width + <usize>u
      if (!usableAt(science, mask, bits, i)) continue
      sum += load<f32>(science + (i << 2))
      count += 1
    }
  }
  return count > 0 ? sum / count : 0
}

/** The least Laplacian that can be a sure hit in a tile: the noise is nowhere less than that of the least pixel. */
function leastLaplacian(x0: i32, x1: i32, y0: i32, y1: i32, limit: f32): f32 {
  const plane = variance == 0 ? image : variance
  const step = variance == 0 ? stride : (<usize>width) << 2
  // The image has a margin; a variance plane has none.
  const fromX = variance == 0 ? x0 - 4 : max(0, min(x0 - 4, width - 4))
  const toX = variance == 0 ? x1 + 4 : min(width - 3, x1 + 4)
  const fromY = variance == 0 ? y0 - 2 : max(0, y0 - 2)
  const toY = variance == 0 ? y1 + 2 : min(height, y1 + 2)
  let least = f32x4.splat(f32.MAX_VALUE)
  for (let y = fromY; y < toY; y++) {
    let at = plane + <usize>y * step + (<usize>(fromX) << 2)
    for (let x = fromX; x < toX; x += 4) {
      least = lesser(least, v128.load(at))
      at += 16
    }
    // The last columns of a variance plane whose width is no multiple of 4.
    if (variance != 0 && width >= 4) {
      least = lesser(least, v128.load(plane + <usize>y * step + (<usize>min(width - 4, max(0, x1)) << 2)))
    }
  }
  const ab = Mathf.min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1))
  const cd = Mathf.min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3))
  const value = Mathf.max(0, Mathf.min(ab, cd))
  const n2 = variance == 0 ? value * perElectron + readVariance : value
  // A little less, for rounding.
  return 1.9999 * limit * Mathf.sqrt(n2)
}

/**
 * Writes the sure hits of rows [rowFrom, rowTo), which begin at a multiple of 16, to the bit rows `found`. With `near` only
 * pixels within two of its bits are looked at.
 */
export function cosmicSure(
  rowFrom: i32, rowTo: i32, settings: usize, science: usize, mask: usize, near: usize, found: usize, words: i32,
  limit: f32, core: i32, contrast: f32, margin: f32,
): void {
  take(settings)
  const rowBytes = (<usize>words) << 2
  for (let at = found + <usize>rowFrom * rowBytes; at < found + <usize>rowTo * rowBytes; at += 4) store<u32>(at, 0)
  if (near != 0) {
    for (let y = rowFrom; y < rowTo; y++) sureNear(y, science, mask, near, found, words, limit, core, contrast, margin)
    return
  }
  for (let y0 = rowFrom; y0 < rowTo; y0 += tileRows) {
    const y1 = min(rowTo, y0 + tileRows)
    for (let x0 = 0; x0 < width; x0 += tileColumns) {
      const x1 = min(width, x0 + tileColumns)
      const least = f32x4.splat(leastLaplacian(x0, x1, y0, y1, limit))
      for (let y = y0; y < y1; y++) {
        const row = pixel(0, y)
        for (let x = x0; x < x1; x += 4) {
          if (!v128.any_true(f32x4.gt(laplacian(row + ((<usize>x) << 2), stride), least))) continue
          const lanes = sureLanes(x, y, limit, core, contrast, margin)
          if (lanes != 0) keep(lanes, x, y, mask, science, found + <usize>y * rowBytes)
        }
      }
    }
  }
}

/** The bits of word `w` in rows y − reach … y + reach, each spread by `reach` pixels to both sides. */
function spread(bits: usize, words: i32, w: i32, y: i32, reach: i32): u32 {
  const rowBytes = (<usize>words) << 2
  let before: u32 = 0
  let here: u32 = 0
  let after: u32 = 0
  for (let v = max(0, y - reach); v <= min(height - 1, y + reach); v++) {
    const at = bits + <usize>v * rowBytes + ((<usize>w) << 2)
    here |= load<u32>(at)
    if (w > 0) before |= load<u32>(at - 4)
    if (w + 1 < words) after |= load<u32>(at + 4)
  }
  let result = here
  for (let k = 1; k <= reach; k++) {
    result |= (here << k) | (here >> k) | (before >> (32 - k)) | (after << (32 - k))
  }
  return result
}

function sureNear(
  y: i32, science: usize, mask: usize, near: usize, found: usize, words: i32, limit: f32, core: i32, contrast: f32, margin: f32,
): void {
  const row = found + ((<usize>y * <usize>words) << 2)
  for (let w = 0; w < words; w++) {
    const bits = spread(near, words, w, y, 2)
    if (bits == 0) continue
    for (let k = 0; k < 8; k++) {
      const x = (w << 5) + (k << 2)
      const nibble = <i32>((bits >> (k << 2)) & 15)
      if (nibble == 0 || x >= width) continue
      const lanes = sureLanes(x, y, limit, core, contrast, margin) & nibble
      if (lanes != 0) keep(lanes, x, y, mask, science, row)
    }
  }
}

/** `grown` = the bits of `found` and of those pixels that touch one and have score − its median above `limit`. */
export function cosmicGrow(
  rowFrom: i32, rowTo: i32, settings: usize, science: usize, mask: usize, found: usize, grown: usize, words: i32,
  limit: f32,
): void {
  take(settings)
  for (let y = rowFrom; y < rowTo; y++) {
    const offset = (<usize>y * <usize>words) << 2
    for (let w = 0; w < words; w++) {
      const known = load<u32>(found + offset + ((<usize>w) << 2))
      store<u32>(grown + offset + ((<usize>w) << 2), known)
      const bits = spread(found, words, w, y, 1) & ~known
      if (bits == 0) continue
      for (let k = 0; k < 8; k++) {
        const x = (w << 5) + (k << 2)
        const nibble = <i32>((bits >> (k << 2)) & 15)
        if (nibble == 0 || x >= width) continue
        const lanes = strongLanes(x, y, limit) & nibble
        if (lanes != 0) keep(lanes, x, y, mask, science, grown + offset)
      }
    }
  }
}

/** Adds `fresh` to `all`; what was in both before leaves `fresh`. `counts`: the bits left in each row of `fresh`, i32. */
export function cosmicCollect(rowFrom: i32, rowTo: i32, fresh: usize, all: usize, words: i32, counts: usize): void {
  for (let y = rowFrom; y < rowTo; y++) {
    let count = 0
    for (let w = 0; w < words; w++) {
      const at = (<usize>y * <usize>words + <usize>w) << 2
      const old = load<u32>(all + at)
      const bits = load<u32>(fresh + at) & ~old
      store<u32>(fresh + at, bits)
      if (bits == 0) continue
      store<u32>(all + at, old | bits)
      count += <i32>popcnt<u32>(bits)
    }
    store<i32>(counts + ((<usize>y) << 2), count)
  }
}

// @ts-ignore: decorator
@inline
function isSet(bits: usize, words: i32, x: i32, y: i32): bool {
  return (load<u32>(bits + ((<usize>y * <usize>words + <usize>(x >> 5)) << 2)) & (1 << (x & 31))) != 0
}

/** Replaces the pixels of `fresh` by the mean of those around them that are not in `all`: 5 × 5, wider where there are none. */
export function cosmicFill(rowFrom: i32, rowTo: i32, settings: usize, fresh: usize, all: usize, words: i32): void {
  take(settings)
  for (let y = rowFrom; y < rowTo; y++) {
    for (let w = 0; w < words; w++) {
      let bits = load<u32>(fresh + ((<usize>y * <usize>words + <usize>w) << 2))
      while (bits != 0) {
        fill((w << 5) + <i32>ctz<u32>(bits), y, all, words)
        bits &= bits - 1
      }
    }
  }
}

function fill(x: i32, y: i32, all: usize, words: i32): void {
  for (let reach = 2; reach <= 8; reach *= 2) {
    let sum: f32 = 0
    let count: f32 = 0
    for (let v = max(0, y - reach); v <= min(height - 1, y + reach); v++) {
      for (let u = max(0, x - reach); u <= min(width - 1, x + reach); u++) {
        if (isSet(all, words, u, v)) continue
        sum += load<f32>(pixel(u, v))
        count += 1
      }
    }
    if (count == 0) continue
    store<f32>(pixel(x, y), sum / count)
    return
  }
}

/** Copies an even number of bytes. */
function copyRow(from: usize, to: usize, bytes: usize): void {
  let at: usize = 0
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at))
  for (; at < bytes; at += 2) store<u16>(to + at, load<u16>(from + at))
}

/** out = mask, with `bit` set where `found` is. */
export function cosmicMark(
  rowFrom: i32, rowTo: i32, mask: usize, out: usize, width: i32, found: usize, words: i32, bit: i32,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const row = out + ((<usize>y * <usize>width) << 1)
    copyRow(mask + ((<usize>y * <usize>width) << 1), row, (<usize>width) << 1)
    for (let w = 0; w < words; w++) {
      let bits = load<u32>(found + ((<usize>y * <usize>words + <usize>w) << 2))
      while (bits != 0) {
        const at = row + ((<usize>((w << 5) + <i32>ctz<u32>(bits))) << 1)
        store<u16>(at, load<u16>(at) | <u16>bit)
        bits &= bits - 1
      }
    }
  }
}
