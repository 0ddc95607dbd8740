import { ownScratch } from './thread'

// HCOMPRESS_1 tiles (FITS Standard 4.0, section 10.4.4; White, Postman & Lattanzi 1992, "Compression of the Guide Star Digitised
// Schmidt Plates"): quadtree-coded bit planes of an H-transform. Records are those of rice.ts; a tile whose record says
// how = 1 is unpacked to the int32 at its `values`, and its packed bytes then count as done.
const record: usize = 96
const headBytes: i32 = 25
const magic: i32 = 0xdd99
const mostBitPlanes: i32 = 62

// The bit reader. Globals are private to an instance, so to a thread. Beyond the end come zeros, and `short` is set.
let next: usize = 0
let end: usize = 0
let held: u32 = 0
let heldBits: i32 = 0
let short: bool = false

/** The next `count` ≤ 8 bits. */
// @ts-ignore: decorator
@inline
function bits(count: i32): i32 {
  if (heldBits < count) {
    let byte: u32 = 0
    if (next < end) byte = load<u8>(next)
    else short = true
    next++
    held = (held << 8) | byte
    heldBits += 8
  }
  heldBits -= count
  return <i32>((held >> heldBits) & ((1 << count) - 1))
}

/** One value of 4 bits by the fixed Huffman code of the quadtree. */
function huffman(): i32 {
  let code = bits(3)
  if (code < 4) return 1 << code
  code = (code << 1) | bits(1)
  if (code == 8) return 3
  if (code == 9) return 5
  if (code == 10) return 10
  if (code == 11) return 12
  if (code == 12) return 15
  code = (code << 1) | bits(1)
  if (code == 26) return 6
  if (code == 27) return 7
  if (code == 28) return 9
  if (code == 29) return 11
  if (code == 30) return 13
  code = (code << 1) | bits(1)
  return code == 62 ? 0 : 14
}

/** The least power of two's exponent that is not below `n`. */
function levelsOf(n: i32): i32 {
  let levels = 0
  while (1 << levels < n) levels++
  return levels
}

/** Length of an axis of `n` at quadtree level `level`, the finest 0. */
// @ts-ignore: decorator
@inline
function lengthAt(n: i32, level: i32): i32 {
  return (n + (1 << level) - 1) >> level
}

/** Splits the 4-bit nodes of one level (at `from`) into one byte a bit (at `to`), and reads a node for each that is 1. */
function expand(from: usize, to: usize, rows: i32, columns: i32): void {
  const nodes = (columns + 1) >> 1
  for (let y = 0; y < rows; y++) {
    const line = from + <usize>((y >> 1) * nodes)
    const above = (y & 1) == 0 ? 2 : 0
    const out = to + <usize>(y * columns)
    for (let x = 0; x < columns; x++) {
      store<u8>(out + <usize>x, (load<u8>(line + <usize>(x >> 1)) >> <u8>(above + ((x & 1) == 0 ? 1 : 0))) & 1)
    }
  }
  // Nodes come last first.
  for (let at = to + <usize>(rows * columns); at > to; ) {
    at--
    if (load<u8>(at) != 0) store<u8>(at, <u8>huffman())
  }
}

/** Adds the bits of the finest nodes as bit plane `plane` of the coefficients. */
function insert(nodes: usize, into: usize, stride: i32, rows: i32, columns: i32, plane: i32): void {
  const across = (columns + 1) >> 1
  for (let y = 0; y < rows; y++) {
    const line = nodes + <usize>((y >> 1) * across)
    const above = (y & 1) == 0 ? 2 : 0
    const out = into + (<usize>(y * stride) << 3)
    for (let x = 0; x < columns; x++) {
      const bit = <u64>((load<u8>(line + <usize>(x >> 1)) >> <u8>(above + ((x & 1) == 0 ? 1 : 0))) & 1)
      const at = out + (<usize>x << 3)
      store<u64>(at, load<u64>(at) | (bit << <u64>plane))
    }
  }
}

/** The bit planes of one quadrant, highest first. False for what no encoder writes. */
function quadrant(into: usize, stride: i32, rows: i32, columns: i32, planes: i32, nodes: usize, half: usize): bool {
  const levels = levelsOf(max(rows, columns))
  const finest = ((rows + 1) >> 1) * ((columns + 1) >> 1)
  for (let plane = planes - 1; plane >= 0; plane--) {
    if (short) return false
    const how = bits(4)
    let from = nodes
    let to = half
    if (how == 0) for (let i = 0; i < finest; i++) store<u8>(from + <usize>i, <u8>bits(4))
    else if (how == 15) {
      store<u8>(from, <u8>huffman())
      for (let level = levels - 1; level > 0; level--) {
        expand(from, to, lengthAt(rows, level), lengthAt(columns, level))
        const swap = from
        from = to
        to = swap
      }
    } else return false
    if (rows > 0 && columns > 0) insert(from, into, stride, rows, columns, plane)
  }
  return !short
}

// @ts-ignore: decorator
@inline
function at(base: usize, index: i32): i64 {
  return load<i64>(base + (<usize>index << 3))
}

// @ts-ignore: decorator
@inline
function put(base: usize, index: i32, value: i64): void {
  store<i64>(base + (<usize>index << 3), value)
}

/** To a multiple of 2 × `half`, halves away from −∞ for 0 and above, towards it below. */
// @ts-ignore: decorator
@inline
function rounded(value: i64, half: i64, mask: i64): i64 {
  return (value + (value >= 0 || half == 0 ? half : half - 1)) & mask
}

/** Sums from the first half of a line to its even places, differences from the second half to the odd ones. */
function interleave(line: usize, count: i32, stride: i32, scratch: usize): void {
  const half = (count + 1) >> 1
  for (let i = half; i < count; i++) put(scratch, i - half, at(line, i * stride))
  for (let i = half - 1; i > 0; i--) put(line, 2 * i * stride, at(line, i * stride))
  for (let i = half; i < count; i++) put(line, (2 * (i - half) + 1) * stride, at(scratch, i - half))
}

// @ts-ignore: decorator
@inline
function clamped(value: i64, low: i64, high: i64): i64 {
  return max(min(value, high), low)
}

/** What a difference is moved by towards the slope `wanted`: in steps of 2^`shift`, at most `most`. */
// @ts-ignore: decorator
@inline
function nudge(wanted: i64, difference: i64, shift: i64, most: i64): i64 {
  const step = wanted - (difference << shift)
  return clamped((step >= 0 ? step : step + ((<i64>1 << shift) - 1)) >> shift, -most, most)
}

/** Moves the differences of one axis towards those of a smooth image; neighbours are `far` apart, the difference lies at `near`. */
function smoothAxis(a: usize, place: i32, far: i32, near: i32, most: i64): void {
  const before = at(a, place - far)
  const here = at(a, place)
  const after = at(a, place + far)
  const highest = max(min(after - here, here - before), 0) << 2
  const lowest = min(max(after - here, here - before), 0) << 2
  if (lowest >= highest) return
  const difference = at(a, place + near)
  put(a, place + near, difference + nudge(clamped(after - before, lowest, highest), difference, 3, most))
}

function smoothCurvature(a: usize, place: i32, stride: i32, most: i64): void {
  const far = stride << 1
  const mm = at(a, place - far - 2)
  const pm = at(a, place + far - 2)
  const mp = at(a, place - far + 2)
  const pp = at(a, place + far + 2)
  const here = at(a, place)
  const x2 = at(a, place + stride) << 1
  const y2 = at(a, place + 1) << 1
  const highest = min(
    min(max(pp - here, 0) - x2 - y2, max(here - pm, 0) + x2 - y2),
    min(max(here - mp, 0) - x2 + y2, max(mm - here, 0) + x2 + y2),
  ) << 4
  const lowest = max(
    max(min(pp - here, 0) - x2 - y2, min(here - pm, 0) + x2 - y2),
    max(min(here - mp, 0) - x2 + y2, min(mm - here, 0) + x2 + y2),
  ) << 4
  if (lowest >= highest) return
  const difference = at(a, place + stride + 1)
  put(a, place + stride + 1, difference + nudge(clamped(pp + mm - mp - pm, lowest, highest), difference, 6, most))
}

/** Takes the blocks out of an image of few bits by moving each difference by at most half of what its rounding lost. */
function smooth(a: usize, rows: i32, columns: i32, stride: i32, scale: i32): void {
  const most = <i64>(scale >> 1)
  if (most <= 0) return
  for (let y = 2; y < rows - 2; y += 2) {
    for (let x = 0; x < columns; x += 2) smoothAxis(a, y * stride + x, stride << 1, stride, most)
  }
  for (let y = 0; y < rows; y += 2) {
    for (let x = 2; x < columns - 2; x += 2) smoothAxis(a, y * stride + x, 2, 1, most)
  }
  for (let y = 2; y < rows - 2; y += 2) {
    for (let x = 2; x < columns - 2; x += 2) smoothCurvature(a, y * stride + x, stride, most)
  }
}

/** The inverse H-transform in place: rows × columns coefficients become pixels. */
function inverse(a: usize, rows: i32, columns: i32, smoothed: bool, scale: i32, scratch: usize): void {
  const levels = levelsOf(max(rows, columns))
  if (levels == 0) return
  const stride = columns
  let bit: i64 = <i64>1 << (levels - 1)
  put(a, 0, rounded(at(a, 0), bit << 1, -(bit << 2)))
  for (let level = levels - 1; level >= 0; level--) {
    const height = lengthAt(rows, level)
    const width = lengthAt(columns, level)
    const shift: i64 = level == 0 ? 2 : 1
    for (let y = 0; y < height; y++) interleave(a + (<usize>(y * stride) << 3), width, 1, scratch)
    for (let x = 0; x < width; x++) interleave(a + (<usize>x << 3), height, stride, scratch)
    if (smoothed) smooth(a, height, width, stride, scale)
    const double = bit << 1
    const mask = -bit
    const half = bit >> 1
    for (let y = 0; y < height; y += 2) {
      const pairY = y + 1 < height
      for (let x = 0; x < width; x += 2) {
        const pairX = x + 1 < width
        const place = y * stride + x
        const sum = at(a, place)
        if (pairY && pairX) {
          const cross = rounded(at(a, place + stride + 1), half, mask)
          const low = cross & bit
          let dx = rounded(at(a, place + stride), bit, -double)
          let dy = rounded(at(a, place + 1), bit, -double)
          dx += dx >= 0 ? -low : low
          dy += dy >= 0 ? -low : low
          const low1 = (cross ^ dx ^ dy) & double
          const total = sum + (sum >= 0 ? low - low1 : low == 0 ? low1 : low - low1)
          put(a, place + stride + 1, (total + dx + dy + cross) >> shift)
          put(a, place + stride, (total + dx - dy - cross) >> shift)
          put(a, place + 1, (total - dx + dy - cross) >> shift)
          put(a, place, (total - dx - dy + cross) >> shift)
        } else if (pairY || pairX) {
          const other = place + (pairY ? stride : 1)
          const difference = rounded(at(a, other), bit, -double)
          const low1 = difference & double
          const total = sum >= 0 ? sum - low1 : sum + low1
          put(a, other, (total + difference) >> shift)
          put(a, place, (total - difference) >> shift)
        } else put(a, place, sum >> shift)
      }
    }
    bit >>= 1
  }
}

/** Unpacks one tile; false when its bytes do not hold it. `work`: see `hcompressTiles`. */
function decode(
  source: usize,
  length: i32,
  out: usize,
  width: i32,
  height: i32,
  smoothed: bool,
  bitpix: i32,
  work: usize,
): bool {
  if (length < headBytes || bswap<u16>(load<u16>(source)) != magic) return false
  if (<i32>bswap<u32>(load<u32>(source, 2)) != height || <i32>bswap<u32>(load<u32>(source, 6)) != width) return false
  const scale = <i32>bswap<u32>(load<u32>(source, 10))
  const count = width * height
  const a = work
  const line = a + (<usize>count << 3)
  const nodes = line + (<usize>max(width, height) << 3)
  const half = nodes + <usize>count + 8
  const top = load<u8>(source, 22)
  const side = load<u8>(source, 23)
  const corner = load<u8>(source, 24)
  if (<i32>top > mostBitPlanes || <i32>side > mostBitPlanes || <i32>corner > mostBitPlanes) return false
  next = source + <usize>headBytes
  end = source + <usize>length
  held = 0
  heldBits = 0
  short = false
  memory.fill(a, 0, <usize>count << 3)
  const w2 = (width + 1) >> 1
  const h2 = (height + 1) >> 1
  const below = a + (<usize>(h2 * width) << 3)
  const beside = <usize>w2 << 3
  if (!quadrant(a, width, h2, w2, top, nodes, half)) return false
  if (!quadrant(a + beside, width, h2, width - w2, side, nodes, half)) return false
  if (!quadrant(below, width, height - h2, w2, side, nodes, half)) return false
  if (!quadrant(below + beside, width, height - h2, width - w2, corner, nodes, half)) return false
  if (bits(4) != 0) return false
  // The signs start at a whole byte.
  heldBits = 0
  for (let i = 0; i < count; i++) {
    const value = at(a, i)
    if (value != 0 && bits(1) != 0) put(a, i, -value)
  }
  if (short) return false
  put(a, 0, <i64>bswap<u64>(load<u64>(source, 14)))
  if (scale > 1) for (let i = 0; i < count; i++) put(a, i, at(a, i) * <i64>scale)
  inverse(a, height, width, smoothed, scale, line)
  // Lossy coding may overshoot the type.
  const lowest: i64 = bitpix == 8 ? 0 : bitpix == 16 ? -32768 : i32.MIN_VALUE
  const highest: i64 = bitpix == 8 ? 255 : bitpix == 16 ? 32767 : i32.MAX_VALUE
  for (let i = 0; i < count; i++) store<i32>(out + (<usize>i << 2), <i32>clamped(at(a, i), lowest, highest))
  return true
}

/**
 * Unpacks those of tiles [tileFrom, tileTo) that are HCOMPRESS_1. `scratch` has for each thread, for a tile of n pixels and a
 * longer side of s: 10 n + 8 s + 16 bytes. `bitpix` is that of the image, 32 for quantized floats. Whole numbers of 64 bits within, so that no image of 32 bits overflows.
 */
export function hcompressTiles(
  tileFrom: i32,
  tileTo: i32,
  table: usize,
  smoothed: i32,
  bitpix: i32,
  scratch: usize,
  scratchBytes: i32,
): void {
  const work = ownScratch(scratch, <usize>scratchBytes)
  for (let tile = tileFrom; tile < tileTo; tile++) {
    const row = table + <usize>tile * record
    if (load<i32>(row, 84) != 1) continue
    const width = load<i32>(row, 24)
    const height = load<i32>(row, 28)
    const source = <usize>load<u32>(row)
    const values = <usize>load<u32>(row, 8)
    const good = decode(source, load<i32>(row, 4), values, width, height, smoothed != 0, bitpix, work)
    if (good) store<u32>(row, 0)
    else store<i32>(row, 1, 60)
  }
}
