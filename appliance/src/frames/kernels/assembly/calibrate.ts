import { ownScratch } from './thread'

// Raw rows to signals, and raw frame to calibrated frame in one pass; see preprocessing/calibrate.ts. Pointers of 0 mean
// "none". The signal of a pixel is (raw − overscan − bias) made linear, in ADU; it holds the dark current.

const noData: u16 = 1
const bad: u16 = 2
const saturated: u16 = 4

/** Below this share of its mean a flat says nothing about a pixel. */
const leastFlat: f32 = 0.1
/** A pixel within this many σ of its neighbours' mean is taken to differ from them by noise. */
const noiseSigma: f32 = 3
/** Floats before and after a row of signals, for neighbours beyond the edges. */
const margin: i32 = 4

/** Where raw rows come from and what is taken from them before masters are; written by preprocessing/rawSource.ts. */
@unmanaged
class RawSource {
  raw: u32
  /** 0: float32 as it is; 1: big-endian int16 of a FITS file. */
  kind: i32
  /** BZERO of int16. */
  zero: f32
  /** Outside int16: none. */
  blank: i32
  /** Pixels in a raw row, and the place of the first pixel used. */
  stride: i32
  x0: i32
  y0: i32
  /** Overscan, a float32 for each row or each column used. */
  rowLevels: u32
  columnLevels: u32
  bias: u32
  /** Coefficients c₁ … of linear = s · (1 + c₁ s + c₂ s² …), float32. */
  polynomial: u32
  terms: i32
}

// @ts-ignore: decorator
@inline
function swap16(v: v128): v128 {
  return i8x16.shuffle(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
}

// @ts-ignore: decorator
@inline
function linear4(signal: v128, polynomial: usize, terms: i32): v128 {
  let sum = f32x4.splat(0)
  for (let k = terms - 1; k >= 0; k--) {
    sum = f32x4.mul(f32x4.add(sum, v128.load32_splat(polynomial + ((<usize>k) << 2))), signal)
  }
  return f32x4.add(signal, f32x4.mul(signal, sum))
}

// @ts-ignore: decorator
@inline
/** d linear / d signal. */
function slope4(signal: v128, polynomial: usize, terms: i32): v128 {
  let sum = f32x4.splat(0)
  for (let k = terms - 1; k >= 0; k--) {
    const coefficient = f32x4.mul(v128.load32_splat(polynomial + ((<usize>k) << 2)), f32x4.splat(<f32>(k + 2)))
    sum = f32x4.mul(f32x4.add(sum, coefficient), signal)
  }
  return f32x4.add(f32x4.splat(1), sum)
}

function rawValue(source: RawSource, index: usize): f32 {
  if (source.kind == 0) return load<f32>(<usize>source.raw + (index << 2))
  const stored = <i32>bswap<i16>(load<i16>(<usize>source.raw + (index << 1)))
  return stored == source.blank ? f32.NaN : <f32>stored + source.zero
}

/** One raw value less overscan and bias. */
function pedestal(source: RawSource, value: f32, x: i32, y: i32, width: i32): f32 {
  let signal = value - (source.rowLevels ? load<f32>(<usize>source.rowLevels + ((<usize>y) << 2)) : 0)
  if (source.columnLevels) signal -= load<f32>(<usize>source.columnLevels + ((<usize>x) << 2))
  if (source.bias) signal -= load<f32>(<usize>source.bias + (((<usize>y) * width + x) << 2))
  return signal
}

// @ts-ignore: decorator
@inline
/** Whole vectors of one row of `signalRows`; returns how many pixels. */
function litVectors(source: RawSource, raw: usize, level: v128, bias: usize, dark: usize, flat: usize, out: usize, width: i32, darkScale: v128, short: bool, hasColumns: bool, hasBias: bool, hasTerms: bool, hasDark: bool, hasFlat: bool, hasBlanks: bool): i32 {
  const columns = <usize>source.columnLevels
  const polynomial = <usize>source.polynomial
  const terms = source.terms
  const zero = f32x4.splat(source.zero)
  const blank = i32x4.splat(source.blank)
  const nan = f32x4.splat(f32.NaN)
  const whole = width & ~7
  for (let x = 0; x < whole; x += 8) {
    let low: v128
    let high: v128
    if (short) {
      const stored = swap16(v128.load(raw))
      const low32 = i32x4.extend_low_i16x8_s(stored)
      const high32 = i32x4.extend_high_i16x8_s(stored)
      low = f32x4.add(f32x4.convert_i32x4_s(low32), zero)
      high = f32x4.add(f32x4.convert_i32x4_s(high32), zero)
      if (hasBlanks) {
        low = v128.bitselect(nan, low, i32x4.eq(low32, blank))
        high = v128.bitselect(nan, high, i32x4.eq(high32, blank))
      }
      raw += 16
    } else {
      low = v128.load(raw)
      high = v128.load(raw, 16)
      raw += 32
    }
    low = f32x4.sub(low, level)
    high = f32x4.sub(high, level)
    if (hasColumns) {
      low = f32x4.sub(low, v128.load(columns + ((<usize>x) << 2)))
      high = f32x4.sub(high, v128.load(columns + ((<usize>x) << 2), 16))
    }
    if (hasBias) {
      low = f32x4.sub(low, v128.load(bias))
      high = f32x4.sub(high, v128.load(bias, 16))
      bias += 32
    }
    if (hasTerms) {
      low = linear4(low, polynomial, terms)
      high = linear4(high, polynomial, terms)
    }
    if (hasDark) {
      low = f32x4.sub(low, f32x4.mul(darkScale, v128.load(dark)))
      high = f32x4.sub(high, f32x4.mul(darkScale, v128.load(dark, 16)))
      dark += 32
    }
    if (hasFlat) {
      low = f32x4.div(low, v128.load(flat))
      high = f32x4.div(high, v128.load(flat, 16))
      flat += 32
    }
    v128.store(out, low)
    v128.store(out, high, 16)
    out += 32
  }
  return whole
}

/** out = (signal − darkScale · dark) / flat, nothing else: for master frames and previews. BLANK becomes NaN. */
export function signalRows(rowFrom: i32, rowTo: i32, block: usize, dark: usize, flat: usize, out: usize, width: i32, darkScale: f32): void {
  const source = changetype<RawSource>(block)
  const terms = source.terms
  const columns = source.columnLevels != 0
  const scale = f32x4.splat(darkScale)
  const blanks = source.blank >= -32768 && source.blank <= 32767
  const short = source.kind == 1
  const plain = short && source.bias != 0 && dark != 0 && flat != 0 && !blanks && !columns && terms == 0
  for (let y = rowFrom; y < rowTo; y++) {
    const level = f32x4.splat(source.rowLevels ? load<f32>(<usize>source.rowLevels + ((<usize>y) << 2)) : 0)
    const first = <usize>(y + source.y0) * source.stride + source.x0
    const row = ((<usize>y) * width) << 2
    const raw = <usize>source.raw + (first << (short ? 1 : 2))
    const bias = <usize>source.bias + row
    let x: i32
    if (plain) x = litVectors(source, raw, level, bias, dark + row, flat + row, out + row, width, scale, true, false, true, false, true, true, false)
    else x = litVectors(source, raw, level, bias, dark + row, flat + row, out + row, width, scale, short, columns, source.bias != 0, terms > 0, dark != 0, flat != 0, blanks)
    for (; x < width; x++) {
      const at = row + ((<usize>x) << 2)
      let signal = pedestal(source, rawValue(source, first + x), x, y, width)
      if (terms) signal = f32x4.extract_lane(linear4(f32x4.splat(signal), <usize>source.polynomial, terms), 0)
      if (dark) signal = signal - darkScale * load<f32>(dark + at)
      if (flat) signal = signal / load<f32>(flat + at)
      store<f32>(out + at, signal)
    }
  }
}

// @ts-ignore: decorator
@inline
/** Whole vectors of `signalRow`; flags known when compiled leave no branches in the loop. Returns how many pixels. */
function signalVectors(source: RawSource, raw: usize, start: usize, level: v128, width: i32, row: usize, slopes: usize, short: bool, hasColumns: bool, hasBias: bool, hasTerms: bool): i32 {
  const columns = hasColumns ? <usize>source.columnLevels : 0
  const polynomial = <usize>source.polynomial
  const terms = source.terms
  const zero = f32x4.splat(source.zero)
  let bias = hasBias ? <usize>source.bias + start : 0
  const whole = width & ~7
  for (let x = 0; x < whole; x += 8) {
    let low: v128
    let high: v128
    if (short) {
      const stored = swap16(v128.load(raw))
      low = f32x4.add(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(stored)), zero)
      high = f32x4.add(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(stored)), zero)
      raw += 16
    } else {
      low = v128.load(raw)
      high = v128.load(raw, 16)
      raw += 32
    }
    low = f32x4.sub(low, level)
    high = f32x4.sub(high, level)
    if (hasColumns) {
      low = f32x4.sub(low, v128.load(columns + ((<usize>x) << 2)))
      high = f32x4.sub(high, v128.load(columns + ((<usize>x) << 2), 16))
    }
    if (hasBias) {
      low = f32x4.sub(low, v128.load(bias))
      high = f32x4.sub(high, v128.load(bias, 16))
      bias += 32
    }
    if (hasTerms) {
      const slopeLow = slope4(low, polynomial, terms)
      const slopeHigh = slope4(high, polynomial, terms)
      v128.store(slopes, f32x4.mul(slopeLow, slopeLow))
      v128.store(slopes, f32x4.mul(slopeHigh, slopeHigh), 16)
      slopes += 32
      low = linear4(low, polynomial, terms)
      high = linear4(high, polynomial, terms)
    }
    v128.store(row, low)
    v128.store(row, high, 16)
    row += 32
  }
  return whole
}

/** Signals of row `y` to `row`, squared slopes of the linearisation to `slopes`. */
function signalRow(source: RawSource, y: i32, width: i32, row: usize, slopes: usize): void {
  const polynomial = <usize>source.polynomial
  const terms = source.terms
  const level = f32x4.splat(source.rowLevels ? load<f32>(<usize>source.rowLevels + ((<usize>y) << 2)) : 0)
  const first = <usize>(y + source.y0) * source.stride + source.x0
  const short = source.kind == 1
  const raw = <usize>source.raw + (first << (short ? 1 : 2))
  const start = ((<usize>y) * width) << 2
  const columns = source.columnLevels != 0
  const bias = source.bias != 0
  let x: i32
  if (short && bias && !columns && terms == 0) x = signalVectors(source, raw, start, level, width, row, slopes, true, false, true, false)
  else x = signalVectors(source, raw, start, level, width, row, slopes, short, columns, bias, terms > 0)
  for (; x < width; x++) {
    const offset = (<usize>x) << 2
    let signal = pedestal(source, rawValue(source, first + x), x, y, width)
    if (terms) {
      const slope = f32x4.extract_lane(slope4(f32x4.splat(signal), polynomial, terms), 0)
      store<f32>(slopes + offset, slope * slope)
      signal = f32x4.extract_lane(linear4(f32x4.splat(signal), polynomial, terms), 0)
    }
    store<f32>(row + offset, signal)
  }
  for (let k = 1; k <= margin; k++) {
    store<f32>(row - ((<usize>k) << 2), load<f32>(row + ((<usize>min(k, width - 1)) << 2)))
    store<f32>(row + ((<usize>(width - 1 + k)) << 2), load<f32>(row + ((<usize>max(0, width - 1 - k)) << 2)))
  }
}

/** Mask of row `y` from raw values, the raw frame's own mask and the defects. Returns all bits that are in it. */
function maskRow(source: RawSource, y: i32, width: i32, given: usize, defects: usize, mask: usize, saturation: f32): i32 {
  const first = <usize>(y + source.y0) * source.stride + source.x0
  const row = ((<usize>y) * width) << 1
  const from = given + (first << 1)
  let any = v128.splat<i32>(0)
  let x = 0
  if (source.kind == 1) {
    // In whole numbers: raw ≥ saturation where stored ≥ ⌈saturation − zero⌉.
    const limit = ceil<f32>(saturation - source.zero)
    const full = i16x8.splat(limit <= 32767 ? <i16>saturated : 0)
    const blank = i16x8.splat(source.blank >= -32768 && source.blank <= 32767 ? <i16>noData : 0)
    const limit8 = i16x8.splat(<i16>max<f32>(-32768, min<f32>(32767, limit)))
    const blank8 = i16x8.splat(<i16>source.blank)
    const raw = <usize>source.raw + (first << 1)
    for (; x + 8 <= width; x += 8) {
      const offset = (<usize>x) << 1
      const stored = swap16(v128.load(raw + offset))
      const blanks = v128.and(i16x8.eq(stored, blank8), blank)
      const fulls = v128.andnot(v128.and(i16x8.ge_s(stored, limit8), full), i16x8.eq(blanks, i16x8.splat(<i16>noData)))
      let bits = v128.or(fulls, blanks)
      if (given) bits = v128.or(bits, v128.load(from + offset))
      if (defects) bits = v128.or(bits, v128.load(defects + row + offset))
      any = v128.or(any, bits)
      v128.store(mask + row + offset, bits)
    }
  } else {
    const limit4 = f32x4.splat(saturation)
    const infinite = f32x4.splat(f32.POSITIVE_INFINITY)
    const raw = <usize>source.raw + (first << 2)
    for (; x + 8 <= width; x += 8) {
      const offset = (<usize>x) << 1
      const low = v128.load(raw + (offset << 1))
      const high = v128.load(raw + (offset << 1), 16)
      const finite = i16x8.narrow_i32x4_s(f32x4.lt(f32x4.abs(low), infinite), f32x4.lt(f32x4.abs(high), infinite))
      const above = i16x8.narrow_i32x4_s(f32x4.ge(low, limit4), f32x4.ge(high, limit4))
      const fulls = v128.and(above, i16x8.splat(<i16>saturated))
      let bits = v128.or(fulls, v128.andnot(i16x8.splat(<i16>noData), finite))
      if (given) bits = v128.or(bits, v128.load(from + offset))
      if (defects) bits = v128.or(bits, v128.load(defects + row + offset))
      any = v128.or(any, bits)
      v128.store(mask + row + offset, bits)
    }
  }
  const halves = i64x2.extract_lane(any, 0) | i64x2.extract_lane(any, 1)
  const quarters = <i32>halves | <i32>(halves >> 32)
  let found = <u16>(quarters | (quarters >> 16))
  for (; x < width; x++) {
    const offset = (<usize>x) << 1
    const value = rawValue(source, first + x)
    let bits: u16 = isFinite<f32>(value) ? 0 : noData
    if (value >= saturation) bits |= saturated
    if (given) bits |= load<u16>(from + offset)
    if (defects) bits |= load<u16>(defects + row + offset)
    found |= bits
    store<u16>(mask + row + offset, bits)
  }
  return found
}

/** The row `offset` away from `y`, mirrored at the edges; `y` itself in frames too small for that. */
function mirrored(y: i32, offset: i32, height: i32): i32 {
  let row = y + offset
  if (row < 0) row = -row
  if (row >= height) row = 2 * (height - 1) - row
  return row < 0 || row >= height ? y : row
}

/** What stays the same over a frame; a global belongs to one instance, so to one thread. */
let perAdu1: f32
let read1: f32
let fixed1: f32
let darkScale1: f32
let darkShot1: f32
let flatRead1: f32
let flatShot1: f32

// @ts-ignore: decorator
@inline
/**
 * Science and variance of four pixels. The signal that the shot noise is taken from is the mean of the eight neighbours
 * (of the same colour) where the pixel agrees with them, its own value where it does not.
 */
function finish4(signal: v128, around: v128, read: v128, dark4: v128, flat4: v128, out: usize, variance: usize, perAdu: v128, fixed: v128, scale: v128, darkShot: v128, flatRead: v128, flatShot: v128, hasDark: bool, hasFlat: bool, isNoisy: bool): void {
  const zero = f32x4.splat(0)
  const quiet = f32x4.add(f32x4.mul(f32x4.pmax(zero, around), perAdu), read)
  const off = f32x4.sub(signal, around)
  const alike = f32x4.le(f32x4.mul(off, off), f32x4.mul(quiet, f32x4.splat(noiseSigma * noiseSigma * 1.125)))
  const own = f32x4.add(f32x4.mul(f32x4.pmax(zero, signal), perAdu), read)
  let total = f32x4.add(v128.bitselect(quiet, own, alike), fixed)
  let lit = signal
  if (hasDark) {
    lit = f32x4.sub(signal, f32x4.mul(scale, dark4))
    if (isNoisy) total = f32x4.add(total, f32x4.mul(darkShot, f32x4.pmax(zero, dark4)))
  }
  if (!hasFlat) {
    v128.store(out, lit)
    v128.store(variance, total)
    return
  }
  const inverse = f32x4.div(f32x4.splat(1), flat4)
  const result = f32x4.mul(lit, inverse)
  v128.store(out, result)
  if (isNoisy) {
    const ofFlat = f32x4.add(flatRead, f32x4.mul(flatShot, flat4))
    total = f32x4.add(total, f32x4.mul(f32x4.mul(result, result), ofFlat))
  }
  v128.store(variance, f32x4.mul(f32x4.mul(inverse, inverse), total))
}

// @ts-ignore: decorator
@inline
/** Three rows of signals added. */
function column4(above: usize, middle: usize, below: usize, at: usize): v128 {
  return f32x4.add(f32x4.add(v128.load(above + at), v128.load(below + at)), v128.load(middle + at))
}

// @ts-ignore: decorator
@inline
/** Mean of the eight neighbours from the sums of columns before, at and after four pixels. */
function around4(before: v128, own: v128, after: v128, signal: v128, isMosaic: bool): v128 {
  const left = isMosaic
    ? i8x16.shuffle(before, own, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
    : i8x16.shuffle(before, own, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27)
  const right = isMosaic
    ? i8x16.shuffle(own, after, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
    : i8x16.shuffle(own, after, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)
  return f32x4.mul(f32x4.sub(f32x4.add(f32x4.add(left, right), own), signal), f32x4.splat(0.125))
}

// @ts-ignore: decorator
@inline
/**
 * Whole vectors of one row. Flags known when compiled leave no branches in the loop. Returns whether the flat says something
 * about every pixel.
 */
function finishVectors(above: usize, middle: usize, below: usize, slopes: usize, dark: usize, flat: usize, out: usize, variance: usize, width: i32, isMosaic: bool, hasDark: bool, hasFlat: bool, hasTerms: bool, isNoisy: bool): bool {
  const perAdu = f32x4.splat(perAdu1)
  const read = f32x4.splat(read1)
  const fixed = f32x4.splat(fixed1)
  const scale = f32x4.splat(darkScale1)
  const darkShot = f32x4.splat(darkShot1)
  const flatRead = f32x4.splat(flatRead1)
  const flatShot = f32x4.splat(flatShot1)
  const least = f32x4.splat(leastFlat)
  const none = f32x4.splat(0)
  let fair = i32x4.splat(-1)
  let before = column4(above, middle, below, -16)
  let first = column4(above, middle, below, 0)
  const end = middle + ((<usize>(width & ~7)) << 2)
  while (middle < end) {
    const second = column4(above, middle, below, 16)
    const third = column4(above, middle, below, 32)
    const low = v128.load(middle)
    const high = v128.load(middle, 16)
    const readLow = hasTerms ? f32x4.mul(read, v128.load(slopes)) : read
    const readHigh = hasTerms ? f32x4.mul(read, v128.load(slopes, 16)) : read
    const darkLow = hasDark ? v128.load(dark) : none
    const darkHigh = hasDark ? v128.load(dark, 16) : none
    const flatLow = hasFlat ? v128.load(flat) : none
    const flatHigh = hasFlat ? v128.load(flat, 16) : none
    finish4(low, around4(before, first, second, low, isMosaic), readLow, darkLow, flatLow, out, variance, perAdu, fixed, scale, darkShot, flatRead, flatShot, hasDark, hasFlat, isNoisy)
    finish4(high, around4(first, second, third, high, isMosaic), readHigh, darkHigh, flatHigh, out + 16, variance + 16, perAdu, fixed, scale, darkShot, flatRead, flatShot, hasDark, hasFlat, isNoisy)
    if (hasFlat) fair = v128.and(fair, v128.and(f32x4.ge(flatLow, least), f32x4.ge(flatHigh, least)))
    before = second
    first = third
    above += 32
    middle += 32
    below += 32
    if (hasTerms) slopes += 32
    if (hasDark) dark += 32
    if (hasFlat) flat += 32
    out += 32
    variance += 32
  }
  return i32x4.all_true(fair)
}

/** Marks pixels of whole vectors where the flat says nothing, and clears those without data. */
function clearVectors(flat: usize, mask: usize, out: usize, variance: usize, width: i32): void {
  const least = f32x4.splat(leastFlat)
  const unusable = i16x8.splat(<i16>(noData | bad))
  const zero = i16x8.splat(0)
  for (let x = 0; x + 8 <= width; x += 8) {
    let bits = v128.load(mask)
    if (flat) {
      const fair = i16x8.narrow_i32x4_s(f32x4.ge(v128.load(flat), least), f32x4.ge(v128.load(flat, 16), least))
      bits = v128.or(bits, v128.andnot(i16x8.splat(<i16>bad), fair))
      v128.store(mask, bits)
      flat += 32
    }
    if (v128.any_true(v128.and(bits, unusable))) clear8(i16x8.ne(v128.and(bits, unusable), zero), out, variance)
    mask += 16
    out += 32
    variance += 32
  }
}

/** Zeros where the mask's eight lanes are all ones. */
function clear8(useless: v128, out: usize, variance: usize): void {
  const low = i32x4.extend_low_i16x8_s(useless)
  const high = i32x4.extend_high_i16x8_s(useless)
  v128.store(out, v128.andnot(v128.load(out), low))
  v128.store(out, v128.andnot(v128.load(out, 16), high), 16)
  v128.store(variance, v128.andnot(v128.load(variance), low))
  v128.store(variance, v128.andnot(v128.load(variance, 16), high), 16)
}

/**
 * science = (signal − t · dark) / flat; variance = [max(s, 0) / g + r² · slope² + fixed + darkShot · dark + science² ·
 * (flatRead + flatShot · flat)] / flat², s being `finish4`'s signal. The mask: `given`, `defects`, not finite or BLANK as
 * noData, raw at or above `saturation` as saturated, flat below a tenth as bad; noData and bad pixels become 0.
 * `full` (int32 for each row) is not 0 for rows with saturated pixels. `step` is the distance of the nearest pixel of the
 * same colour. Scratch for each thread: (2 · step + 1) · 2 rows of `rowBytes` ≥ 4 · (width + 16).
 */
export function calibrateRows(
  rowFrom: i32,
  rowTo: i32,
  block: usize,
  given: usize,
  dark: usize,
  flat: usize,
  defects: usize,
  mask: usize,
  out: usize,
  variance: usize,
  full: usize,
  width: i32,
  height: i32,
  step: i32,
  darkScale: f32,
  perAdu: f32,
  readVariance: f32,
  fixedVariance: f32,
  darkShot: f32,
  flatRead: f32,
  flatShot: f32,
  saturation: f32,
  scratch: usize,
  rowBytes: usize,
): void {
  const source = changetype<RawSource>(block)
  const slots = 2 * step + 1
  const base = ownScratch(scratch, <usize>(2 * slots) * rowBytes) + (<usize>margin << 2)
  const slopeBase = base + <usize>slots * rowBytes
  perAdu1 = perAdu
  read1 = readVariance
  fixed1 = fixedVariance
  darkScale1 = darkScale
  darkShot1 = darkShot
  flatRead1 = flatRead
  flatShot1 = flatShot
  const terms = source.terms
  const isNoisy = darkShot != 0 || flatRead != 0 || flatShot != 0
  const isUsual = dark != 0 && flat != 0 && terms == 0
  let next = max(0, rowFrom - step)
  for (let y = rowFrom; y < rowTo; y++) {
    for (; next <= min(height - 1, y + step); next++) {
      const slot = <usize>(next % slots) * rowBytes
      signalRow(source, next, width, base + slot, slopeBase + slot)
    }
    const found = maskRow(source, y, width, given, defects, mask, saturation)
    store<i32>(full + ((<usize>y) << 2), found & <i32>saturated)
    const middle = base + <usize>(y % slots) * rowBytes
    const above = base + <usize>(mirrored(y, -step, height) % slots) * rowBytes
    const below = base + <usize>(mirrored(y, step, height) % slots) * rowBytes
    const slopes = slopeBase + <usize>(y % slots) * rowBytes
    const row = ((<usize>y) * width) << 2
    const darkRow = dark ? dark + row : 0
    const flatRow = flat ? flat + row : 0
    let fair: bool
    if (isUsual && step == 1 && !isNoisy) fair = finishVectors(above, middle, below, slopes, darkRow, flatRow, out + row, variance + row, width, false, true, true, false, false)
    else if (isUsual && step == 1) fair = finishVectors(above, middle, below, slopes, darkRow, flatRow, out + row, variance + row, width, false, true, true, false, true)
    else if (isUsual) fair = finishVectors(above, middle, below, slopes, darkRow, flatRow, out + row, variance + row, width, true, true, true, false, true)
    else fair = finishVectors(above, middle, below, slopes, darkRow, flatRow, out + row, variance + row, width, step == 2, dark != 0, flat != 0, terms > 0, true)
    if (!fair || (found & <i32>(noData | bad)) != 0) clearVectors(flatRow, mask + (row >> 1), out + row, variance + row, width)
    for (let x = width & ~7; x < width; x++) {
      finishPixel(above, middle, below, slopes, x, step, terms, dark, flat, row + ((<usize>x) << 2), mask, out, variance)
    }
  }
}

// @ts-ignore: decorator
@inline
function column1(above: usize, middle: usize, below: usize, at: usize): f32 {
  return load<f32>(above + at) + load<f32>(below + at) + load<f32>(middle + at)
}

/** One pixel at the end of a row, as `finish4`. */
function finishPixel(above: usize, middle: usize, below: usize, slopes: usize, x: i32, step: i32, terms: i32, dark: usize, flat: usize, at: usize, mask: usize, out: usize, variance: usize): void {
  const here = (<usize>x) << 2
  const shift = (<usize>step) << 2
  const signal = load<f32>(middle + here)
  const left = column1(above, middle, below, here - shift)
  const right = column1(above, middle, below, here + shift)
  const around = (left + right + column1(above, middle, below, here) - signal) * 0.125
  const perAdu = perAdu1
  const read = read1 * (terms ? load<f32>(slopes + here) : 1)
  const quiet = max<f32>(0, around) * perAdu + read
  const off = signal - around
  const alike = off * off <= quiet * (noiseSigma * noiseSigma * <f32>1.125)
  let total = (alike ? quiet : max<f32>(0, signal) * perAdu + read) + fixed1
  let result = signal
  if (dark) {
    const level = load<f32>(dark + at)
    result = signal - darkScale1 * level
    total += darkShot1 * max<f32>(0, level)
  }
  const maskAt = mask + (at >> 1)
  let bits = load<u16>(maskAt)
  if (flat) {
    const level = load<f32>(flat + at)
    const inverse = <f32>1 / level
    result = result * inverse
    total += result * result * (flatRead1 + flatShot1 * level)
    total = inverse * inverse * total
    if (!(level >= leastFlat)) bits |= bad
  }
  const useless = (bits & (noData | bad)) != 0
  store<u16>(maskAt, bits)
  store<f32>(out + at, useless ? 0 : result)
  store<f32>(variance + at, useless ? 0 : total)
}

/** Sets `bad` where a plane is above `limit`. */
export function markAbove(rowFrom: i32, rowTo: i32, plane: usize, mask: usize, width: i32, limit: f32): void {
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    if (!(load<f32>(plane + ((<usize>i) << 2)) > limit)) continue
    const at = mask + ((<usize>i) << 1)
    store<u16>(at, load<u16>(at) | bad)
  }
}

/** Sets `bad` where a plane is not between `low` and `high` times the mean of the 24 pixels around, or below `least`. */
export function markOdd(rowFrom: i32, rowTo: i32, plane: usize, mask: usize, width: i32, height: i32, low: f32, high: f32, least: f32): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const top = max(0, y - 2)
    const bottom = min(height - 1, y + 2)
    for (let x = 0; x < width; x++) {
      const left = max(0, x - 2)
      const right = min(width - 1, x + 2)
      let sum: f32 = 0
      for (let v = top; v <= bottom; v++) {
        for (let u = left; u <= right; u++) sum += load<f32>(plane + (((<usize>v) * width + u) << 2))
      }
      const i = (<usize>y) * width + x
      const value = load<f32>(plane + (i << 2))
      const mean = (sum - value) / <f32>((bottom - top + 1) * (right - left + 1) - 1)
      if (value >= low * mean && value <= high * mean && value >= least) continue
      const at = mask + (i << 1)
      store<u16>(at, load<u16>(at) | bad)
    }
  }
}
