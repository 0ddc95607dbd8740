import { meshRow, splineRow } from './mesh'
import { ownScratch, thread } from './thread'

// Finding stars in one pass over the frame, band by band, without a plane of its own: rows of the matched filter live in a
// ring; pixels above the threshold are kept as runs, each pixel with its score and the neighbour it rises to. Pixels that
// rise to the same peak are one hill, and the highest pass between two hills is their saddle.

// One row: i32 first run, end of runs, peaks (later: the number of its first peak). One run: i32 x from, x to, first pixel.
const rowBytes: usize = 12
const runBytes: usize = 12
/** One hill: f32 score of its peak, i32 x, y, pixels. */
const hillBytes: usize = 16
/** One link of two hills: i32 lower number, higher number, f32 saddle, 4 bytes unused. */
const linkBytes: usize = 16
const mostProbes: i32 = 64
/** Below every score. */
const lowest: f32 = -3.4e38

// @ts-ignore: decorator
@inline
function padded(width: i32): usize {
  return ((<usize>width + 3) & ~(<usize>3)) << 2
}

/** One row of science − sky; 0 outside the frame, where a pixel is masked and where it is no number. */
function residualRow(
  y: i32, science: usize, mask: usize, bits: i32, width: i32, height: i32, spline: usize, columns: i32, rows: i32,
  cellPixels: i32, out: usize,
): void {
  if (y < 0 || y >= height) {
    memory.fill(out, 0, padded(width))
    return
  }
  const at = (<usize>y * <usize>width) << 2
  splineRow(science + at, spline, columns, rows, cellPixels, y, 0, width, out)
  const limit = f32x4.splat(3.4e38)
  for (let x = 0; x < width; x += 4) {
    const p = out + ((<usize>x) << 2)
    const v = v128.load(p)
    v128.store(p, v128.and(v, f32x4.le(f32x4.abs(v), limit)))
  }
  if (mask == 0) return
  const maskRow = mask + (at >> 1)
  const bits4 = i16x8.splat(<i16>bits)
  let x = 0
  for (; x + 8 <= width; x += 8) {
    if (!v128.any_true(v128.and(v128.load(maskRow + ((<usize>x) << 1)), bits4))) continue
    for (let k = x; k < x + 8; k++) {
      if ((<i32>load<u16>(maskRow + ((<usize>k) << 1)) & bits) != 0) store<f32>(out + ((<usize>k) << 2), 0)
    }
  }
  for (; x < width; x++) {
    if ((<i32>load<u16>(maskRow + ((<usize>x) << 1)) & bits) != 0) store<f32>(out + ((<usize>x) << 2), 0)
  }
}

// @ts-ignore: decorator
@inline
function slot(ring: usize, y: i32, rows: i32, bytes: usize): usize {
  return ring + <usize>((y + 64 * rows) % rows) * bytes
}

/** The taps down the rows y − radius … y + radius of the ring. */
function downTaps(ring: usize, ringBytes: usize, y: i32, taps: usize, radius: i32, width: i32, out: usize): void {
  const rows = 2 * radius + 1
  const middle = slot(ring, y, rows, ringBytes)
  const tap0 = f32x4.splat(load<f32>(taps))
  if (radius == 3) {
    const a1 = slot(ring, y - 1, rows, ringBytes)
    const b1 = slot(ring, y + 1, rows, ringBytes)
    const a2 = slot(ring, y - 2, rows, ringBytes)
    const b2 = slot(ring, y + 2, rows, ringBytes)
    const a3 = slot(ring, y - 3, rows, ringBytes)
    const b3 = slot(ring, y + 3, rows, ringBytes)
    const tap1 = f32x4.splat(load<f32>(taps, 4))
    const tap2 = f32x4.splat(load<f32>(taps, 8))
    const tap3 = f32x4.splat(load<f32>(taps, 12))
    for (let x = 0; x < width; x += 4) {
      const k = (<usize>x) << 2
      let v = f32x4.mul(v128.load(middle + k), tap0)
      v = f32x4.add(v, f32x4.mul(f32x4.add(v128.load(a1 + k), v128.load(b1 + k)), tap1))
      v = f32x4.add(v, f32x4.mul(f32x4.add(v128.load(a2 + k), v128.load(b2 + k)), tap2))
      v = f32x4.add(v, f32x4.mul(f32x4.add(v128.load(a3 + k), v128.load(b3 + k)), tap3))
      v128.store(out + k, v)
    }
    return
  }
  for (let x = 0; x < width; x += 4) {
    const k = (<usize>x) << 2
    v128.store(out + k, f32x4.mul(v128.load(middle + k), tap0))
  }
  for (let j = 1; j <= radius; j++) {
    const above = slot(ring, y - j, rows, ringBytes)
    const below = slot(ring, y + j, rows, ringBytes)
    const tap = f32x4.splat(load<f32>(taps + ((<usize>j) << 2)))
    for (let x = 0; x < width; x += 4) {
      const k = (<usize>x) << 2
      const pair = f32x4.add(v128.load(above + k), v128.load(below + k))
      v128.store(out + k, f32x4.add(v128.load(out + k), f32x4.mul(pair, tap)))
    }
  }
}

/** The taps along the line, in standard deviations: divided by `rms`. */
function acrossTaps(line: usize, taps: usize, radius: i32, rms: usize, width: i32, out: usize): void {
  const tap0 = f32x4.splat(load<f32>(taps))
  if (radius == 3) {
    const tap1 = f32x4.splat(load<f32>(taps, 4))
    const tap2 = f32x4.splat(load<f32>(taps, 8))
    const tap3 = f32x4.splat(load<f32>(taps, 12))
    for (let x = 0; x < width; x += 4) {
      const k = (<usize>x) << 2
      const p = line + k
      let v = f32x4.mul(v128.load(p), tap0)
      v = f32x4.add(v, f32x4.mul(f32x4.add(v128.load(p - 4), v128.load(p + 4)), tap1))
      v = f32x4.add(v, f32x4.mul(f32x4.add(v128.load(p - 8), v128.load(p + 8)), tap2))
      v = f32x4.add(v, f32x4.mul(f32x4.add(v128.load(p - 12), v128.load(p + 12)), tap3))
      v128.store(out + k, f32x4.div(v, v128.load(rms + k)))
    }
    return
  }
  for (let x = 0; x < width; x += 4) {
    const k = (<usize>x) << 2
    const p = line + k
    let v = f32x4.mul(v128.load(p), tap0)
    for (let j = 1; j <= radius; j++) {
      const reach = (<usize>j) << 2
      const pair = f32x4.add(v128.load(p - reach), v128.load(p + reach))
      v = f32x4.add(v, f32x4.mul(pair, f32x4.splat(load<f32>(taps + reach))))
    }
    v128.store(out + k, f32x4.div(v, v128.load(rms + k)))
  }
}

/**
 * The neighbour that a pixel rises to, as 3 · (dy + 1) + dx + 1: the highest of the eight when it is higher than the pixel
 * (4: a peak). Of equal ones the first in reading order is higher.
 */
function ascent(above: usize, own: usize, below: usize): i32 {
  let best = lowest
  let code = 4
  for (let k: i32 = -1; k <= 1; k++) {
    const v = load<f32>(above + ((<usize>k) << 2))
    if (v > best) {
      best = v
      code = k + 1
    }
  }
  const left = load<f32>(own - 4)
  if (left > best) {
    best = left
    code = 3
  }
  const self = load<f32>(own)
  // Those before count from equality on, those after from above only.
  if (self > best) {
    best = self
    code = 4
  }
  const right = load<f32>(own, 4)
  if (right > best) {
    best = right
    code = 5
  }
  for (let k: i32 = -1; k <= 1; k++) {
    const v = load<f32>(below + ((<usize>k) << 2))
    if (v > best) {
      best = v
      code = k + 7
    }
  }
  return code
}

/**
 * Runs of pixels whose score (matched filter with `taps`, radius + 1 f32, centre first, squares of the full line summing to
 * 1; over the rms) is above `threshold`. Runs of a band lie from rowFrom · runsPerRow on, their pixels' scores and ascents
 * from rowFrom · width on; `status` becomes 1 when the runs of a band do not fit.
 */
export function detectRows(
  rowFrom: i32, rowTo: i32, science: usize, mask: usize, bits: i32, width: i32, height: i32, spline: usize, rms: usize,
  columns: i32, meshRows: i32, cellPixels: i32, taps: usize, radius: i32, threshold: f32, table: usize, runs: usize,
  runsPerRow: i32, scores: usize, parents: usize, status: usize, scratch: usize, scratchBytes: usize,
): void {
  const bytes = padded(width)
  const wide = bytes + 128
  const ring = ownScratch(scratch, scratchBytes)
  const ringRows = 2 * radius + 1
  memory.fill(ring, 0, scratchBytes)
  const line = ring + <usize>ringRows * wide + 64
  const rmsRow = ring + <usize>(ringRows + 1) * wide
  const hills = ring + <usize>(ringRows + 2) * wide + 64
  for (let k = 0; k < 3; k++) {
    const p = hills + <usize>k * wide
    store<f32>(p - 4, lowest)
  }
  let run = rowFrom * runsPerRow
  const lastRun = rowTo * runsPerRow
  let pixel = rowFrom * width
  for (let y = rowFrom - 1 - radius; y < rowFrom - 1 + radius; y++) {
    residualRow(y, science, mask, bits, width, height, spline, columns, meshRows, cellPixels, slot(ring, y, ringRows, wide))
  }
  const threshold4 = f32x4.splat(threshold)
  for (let y = rowFrom - 1; y <= rowTo; y++) {
    const ahead = y + radius
    residualRow(ahead, science, mask, bits, width, height, spline, columns, meshRows, cellPixels, slot(ring, ahead, ringRows, wide))
    const fresh = slot(hills, y, 3, wide)
    if (y < 0 || y >= height) {
      for (let x = 0; x <= width; x++) store<f32>(fresh + ((<usize>x) << 2), lowest)
    } else {
      downTaps(ring, wide, y, taps, radius, width, line)
      for (let x = width; x < width + 16; x++) store<f32>(line + ((<usize>x) << 2), 0)
      meshRow(rms, columns, meshRows, cellPixels, y, 0, width, rmsRow)
      acrossTaps(line, taps, radius, rmsRow, width, fresh)
      store<f32>(fresh + ((<usize>width) << 2), lowest)
    }
    const row = y - 1
    if (row < rowFrom) continue
    const above = slot(hills, row - 1, 3, wide)
    const own = slot(hills, row, 3, wide)
    const entry = table + <usize>row * rowBytes
    store<i32>(entry, run)
    let open = false
    for (let x = 0; x < width; x += 4) {
      const found = i32x4.bitmask(f32x4.gt(v128.load(own + ((<usize>x) << 2)), threshold4))
      if (found == 0) {
        if (open) {
          store<i32>(runs + <usize>(run - 1) * runBytes, x, 4)
          open = false
        }
        continue
      }
      const end = min(width, x + 4)
      for (let k = x; k < end; k++) {
        if (((found >> (k - x)) & 1) == 0) {
          if (open) {
            store<i32>(runs + <usize>(run - 1) * runBytes, k, 4)
            open = false
          }
          continue
        }
        if (!open) {
          if (run == lastRun) {
            store<i32>(status, 1)
            store<i32>(entry, run, 4)
            return
          }
          const at = runs + <usize>run * runBytes
          store<i32>(at, k)
          store<i32>(at, pixel, 8)
          run++
          open = true
        }
        const p = (<usize>k) << 2
        store<f32>(scores + ((<usize>pixel) << 2), load<f32>(own + p))
        store<i32>(parents + ((<usize>pixel) << 2), ascent(above + p, own + p, fresh + p))
        pixel++
      }
    }
    if (open) store<i32>(runs + <usize>(run - 1) * runBytes, width, 4)
    store<i32>(entry, run, 4)
  }
}

/** Where pixel (x, row) is kept, searching the row's runs from `cursor` on; −1 when it is below the threshold. */
// @ts-ignore: decorator
@inline
function pixelAt(runs: usize, cursor: i32, end: i32, x: i32): i32 {
  let run = cursor
  while (run < end && load<i32>(runs + <usize>run * runBytes, 4) <= x) run++
  if (run >= end) return -1
  const at = runs + <usize>run * runBytes
  const from = load<i32>(at)
  return from <= x ? load<i32>(at, 8) + x - from : -1
}

/** The first run of a row that ends after x, from `cursor` on. */
// @ts-ignore: decorator
@inline
function skip(runs: usize, cursor: i32, end: i32, x: i32): i32 {
  while (cursor < end && load<i32>(runs + <usize>cursor * runBytes, 4) <= x) cursor++
  return cursor
}

/** Ascents become the numbers of the pixels they lead to; a peak leads to itself. Counts the peaks of each row. */
export function linkRows(
  rowFrom: i32, rowTo: i32, table: usize, runs: usize, parents: usize, height: i32,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const entry = table + <usize>y * rowBytes
    let up = y > 0 ? load<i32>(entry - rowBytes) : 0
    const upEnd = y > 0 ? load<i32>(entry - rowBytes, 4) : 0
    let down = y + 1 < height ? load<i32>(entry + rowBytes) : 0
    const downEnd = y + 1 < height ? load<i32>(entry + rowBytes, 4) : 0
    const end = load<i32>(entry, 4)
    let peaks = 0
    for (let run = load<i32>(entry); run < end; run++) {
      const at = runs + <usize>run * runBytes
      const from = load<i32>(at)
      const to = load<i32>(at, 4)
      const first = load<i32>(at, 8)
      up = skip(runs, up, upEnd, from - 1)
      down = skip(runs, down, downEnd, from - 1)
      for (let x = from; x < to; x++) {
        const pixel = first + x - from
        const p = parents + ((<usize>pixel) << 2)
        const code = load<i32>(p)
        let target = pixel
        if (code < 3) target = pixelAt(runs, up, upEnd, x + code - 1)
        else if (code > 5) target = pixelAt(runs, down, downEnd, x + code - 7)
        else target = pixel + code - 4
        if (target < 0) target = pixel
        if (target == pixel) peaks++
        store<i32>(p, target)
      }
    }
    store<i32>(entry, peaks, 8)
  }
}

/** Peaks become −1 − their number; the row's third word says the number of its first peak. Fills the hills' table. */
export function nameHills(
  rowFrom: i32, rowTo: i32, table: usize, runs: usize, scores: usize, parents: usize, hills: usize,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const entry = table + <usize>y * rowBytes
    const end = load<i32>(entry, 4)
    let hill = load<i32>(entry, 8)
    for (let run = load<i32>(entry); run < end; run++) {
      const at = runs + <usize>run * runBytes
      const from = load<i32>(at)
      const to = load<i32>(at, 4)
      const first = load<i32>(at, 8)
      for (let x = from; x < to; x++) {
        const pixel = first + x - from
        const p = parents + ((<usize>pixel) << 2)
        if (load<i32>(p) != pixel) continue
        const h = hills + <usize>hill * hillBytes
        store<f32>(h, load<f32>(scores + ((<usize>pixel) << 2)))
        store<i32>(h, x, 4)
        store<i32>(h, y, 8)
        store<i32>(h, 0, 12)
        store<i32>(p, -1 - hill)
        hill++
      }
    }
  }
}

/** Every pixel gets −1 − the number of its hill, and every hill its number of pixels. */
export function climbRows(
  rowFrom: i32, rowTo: i32, table: usize, runs: usize, parents: usize, hills: usize,
): void {
  for (let y = rowFrom; y < rowTo; y++) {
    const entry = table + <usize>y * rowBytes
    const end = load<i32>(entry, 4)
    for (let run = load<i32>(entry); run < end; run++) {
      const at = runs + <usize>run * runBytes
      const first = load<i32>(at, 8)
      const last = first + load<i32>(at, 4) - load<i32>(at)
      let counted: i32 = -1
      let count = 0
      for (let pixel = first; pixel < last; pixel++) {
        let target = load<i32>(parents + ((<usize>pixel) << 2))
        // Another thread may have shortened the way already: both ways end at the same peak.
        while (target >= 0) target = load<i32>(parents + ((<usize>target) << 2))
        store<i32>(parents + ((<usize>pixel) << 2), target)
        const hill = -1 - target
        if (hill != counted) {
          if (count > 0) atomic.add<i32>(hills + <usize>counted * hillBytes + 12, count)
          counted = hill
          count = 0
        }
        count++
      }
      if (count > 0) atomic.add<i32>(hills + <usize>counted * hillBytes + 12, count)
    }
  }
}

/** Raises the saddle of two hills in this thread's table (open addressing, a power of two of links, −1 = empty). */
function raiseSaddle(links: usize, capacity: i32, a: i32, b: i32, saddle: f32): void {
  const low = min(a, b)
  const high = max(a, b)
  let at = (low * <i32>0x9e3779b1 + high * <i32>0x85ebca6b) & (capacity - 1)
  for (let probe = 0; probe < mostProbes; probe++) {
    const link = links + <usize>at * linkBytes
    const key = load<i32>(link)
    if (key == low && load<i32>(link, 4) == high) {
      if (saddle > load<f32>(link, 8)) store<f32>(link, saddle, 8)
      return
    }
    if (key == -1) {
      store<i32>(link, low)
      store<i32>(link, high, 4)
      store<f32>(link, saddle, 8)
      return
    }
    at = (at + 1) & (capacity - 1)
  }
}

// @ts-ignore: decorator
@inline
function meet(links: usize, capacity: i32, scores: usize, parents: usize, pixel: i32, other: i32): void {
  const a = load<i32>(parents + ((<usize>pixel) << 2))
  const b = load<i32>(parents + ((<usize>other) << 2))
  if (a == b) return
  const saddle = min(load<f32>(scores + ((<usize>pixel) << 2)), load<f32>(scores + ((<usize>other) << 2)))
  raiseSaddle(links, capacity, -1 - a, -1 - b, saddle)
}

/** The highest pass between each pair of hills that touch. `links`: a table of `capacity` links for each thread. */
export function saddleRows(
  rowFrom: i32, rowTo: i32, table: usize, runs: usize, scores: usize, parents: usize, height: i32, links: usize,
  capacity: i32,
): void {
  const own = links + <usize>thread * <usize>capacity * linkBytes
  for (let y = rowFrom; y < rowTo; y++) {
    const entry = table + <usize>y * rowBytes
    let down = y + 1 < height ? load<i32>(entry + rowBytes) : 0
    const downEnd = y + 1 < height ? load<i32>(entry + rowBytes, 4) : 0
    const end = load<i32>(entry, 4)
    for (let run = load<i32>(entry); run < end; run++) {
      const at = runs + <usize>run * runBytes
      const from = load<i32>(at)
      const to = load<i32>(at, 4)
      const first = load<i32>(at, 8)
      for (let pixel = first; pixel < first + to - from - 1; pixel++) meet(own, capacity, scores, parents, pixel, pixel + 1)
      down = skip(runs, down, downEnd, from - 1)
      for (let other = down; other < downEnd; other++) {
        const below = runs + <usize>other * runBytes
        const belowFrom = load<i32>(below)
        const belowTo = load<i32>(below, 4)
        if (belowFrom > to) break
        const belowFirst = load<i32>(below, 8)
        for (let x = max(from, belowFrom - 1); x < min(to, belowTo + 1); x++) {
          const pixel = first + x - from
          for (let u = max(belowFrom, x - 1); u <= min(belowTo - 1, x + 1); u++) {
            meet(own, capacity, scores, parents, pixel, belowFirst + u - belowFrom)
          }
        }
      }
    }
  }
}
