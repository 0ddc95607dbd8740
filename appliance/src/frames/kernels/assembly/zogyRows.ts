// Rows of a ZOGY tile: loading, the variance of sources, the sky's variance from its mesh, and the score.

/** Copies `rows` rows of `columns` floats from (left, top) of a plane; zeros beyond its edges. */
export function loadRows(
  plane: usize,
  width: i32,
  height: i32,
  left: i32,
  top: i32,
  rows: i32,
  columns: i32,
  to: usize,
): void {
  const from = max(0, left)
  const end = min(width, left + columns)
  const line = <usize>columns << 2
  for (let row = 0; row < rows; row++, to += line) {
    const y = top + row
    if (y < 0 || y >= height || end <= from) {
      memory.fill(to, 0, line)
      continue
    }
    if (from > left) memory.fill(to, 0, <usize>(from - left) << 2)
    memory.copy(to + (<usize>(from - left) << 2), plane + (<usize>(y * width + from) << 2), <usize>(end - from) << 2)
    if (end < left + columns) memory.fill(to + (<usize>(end - left) << 2), 0, <usize>(left + columns - end) << 2)
  }
}

// @ts-ignore: decorator
@inline
/** Gaussian of sigma 1 px in five taps (2.5 sigma), not yet divided by its sum. */
function fiveTaps(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  const outer = f32x4.mul(f32x4.add(a, e), f32x4.splat(0.13533528))
  const inner = f32x4.mul(f32x4.add(b, d), f32x4.splat(0.60653066))
  return f32x4.add(f32x4.add(outer, inner), c)
}

/**
 * Eight rows of the variance that sources add: the image smoothed by sigma = 1 px, not below 0, times `perSignal` (1 / gain).
 * Smoothing takes a third off the peak of a star and costs nothing where noise rules; where a pixel stands further than `clear`
 * (3 rms) above what is smoothed away, it speaks for itself. Twelve rows of `columns` floats from `lines`, the first being two
 * above; two columns at each side are not written.
 */
export function smoothedVariance(lines: usize, columns: i32, out: usize, perSignal: f32, clear: f32): void {
  const line = <usize>columns << 2
  // 2.48373188 = 1 + 2 (0.60653066 + 0.13533528)
  const scale = f32x4.splat(perSignal * <f32>(1.0 / (2.48373188 * 2.48373188)))
  const zero = f32x4.splat(0)
  const vertical = out + 8 * line
  const least = f32x4.splat(clear)
  const own = f32x4.splat(perSignal)
  for (let row = 0; row < 8; row++) {
    const top = lines + <usize>row * line
    for (let x: usize = 0; x < line; x += 16) {
      const p = top + x
      const e = v128.load(p + 4 * line)
      const middle = v128.load(p + 2 * line)
      v128.store(vertical + x, fiveTaps(v128.load(p), v128.load(p + line), middle, v128.load(p + 3 * line), e))
    }
    const to = out + <usize>row * line
    for (let x: usize = 16; x < line - 16; x += 16) {
      const p = vertical + x
      const e = v128.load(p + 8)
      const smooth = fiveTaps(v128.load(p - 8), v128.load(p - 4), v128.load(p), v128.load(p + 4), e)
      const alone = f32x4.mul(own, f32x4.sub(v128.load(top + 2 * line + x), least))
      v128.store(to + x, f32x4.pmax(f32x4.pmax(f32x4.mul(smooth, scale), alone), zero))
    }
  }
}

/** Makes room for eight rows after the last two of ten. */
export function dropRing(rows: usize, line: usize): void {
  memory.copy(rows, rows + 8 * line, 2 * line)
}

/**
 * A mesh along a row of the frame, bilinear between the middles of its cells: pointer, columns, rows, pixels of a cell (f32).
 * Writes up to three floats too many.
 */
export function meshLine(mesh: usize, x: i32, y: i32, count: i32, out: usize): void {
  const nodes = <usize>load<u32>(mesh)
  const columns = load<i32>(mesh, 4)
  const rows = load<i32>(mesh, 8)
  const cell = load<f32>(mesh, 12)
  const v = max<f32>(0, min<f32>(<f32>(rows - 1), (<f32>y + 0.5) / cell - 0.5))
  const j = min(<i32>v, max(0, rows - 2))
  const share = v - <f32>j
  const upper = nodes + (<usize>(j * columns) << 2)
  const lower = nodes + (<usize>(min(j + 1, rows - 1) * columns) << 2)
  const steps = f32x4(0, 1, 2, 3)
  let at = 0
  while (at < count) {
    const u = (<f32>(x + at) + 0.5) / cell - 0.5
    const i = <i32>floor<f32>(u)
    // The first pixel whose u is i + 1 or more.
    const next = min(count, max(at + 1, <i32>ceil<f32>((<f32>(i + 1) + 0.5) * cell - 0.5) - x))
    const left = node(upper, lower, min(max(i, 0), columns - 1), share)
    const right = node(upper, lower, min(max(i + 1, 0), columns - 1), share)
    const slope = (right - left) / cell
    let value = f32x4.add(f32x4.splat(left + (u - <f32>i) * (right - left)), f32x4.mul(steps, f32x4.splat(slope)))
    const step = f32x4.splat(4 * slope)
    for (let k = at; k < next; k += 4) {
      v128.store(out + (<usize>k << 2), value)
      value = f32x4.add(value, step)
    }
    at = next
  }
}

// @ts-ignore: decorator
@inline
function node(upper: usize, lower: usize, column: i32, share: f32): f32 {
  const at = <usize>column << 2
  return (1 - share) * load<f32>(upper + at) + share * load<f32>(lower + at)
}

/**
 * S_corr (eq. 25) along a row, with V_ast of eq. 30-33 from central differences: `astX` and `astY` are variances of the
 * position, pixels². The sky adds the square of its rms times the sum of the squares of the noise kernel. `relative` is the error of the flux ratio and the PSF as a share of S_r. Adds to `counts`: pixels below
 * 0, and pixels within 0.6745 of 0 (half of all when the noise is Gaussian and its model right).
 */
export function scoreRow(
  sN: usize,
  sR: usize,
  variance: usize,
  rmsN: usize,
  rmsR: usize,
  squareN: f32,
  squareR: f32,
  line: usize,
  columns: i32,
  scorr: usize,
  astX: f32,
  astY: f32,
  relative: f32,
  counts: usize,
): void {
  let negative = i32x4.splat(0)
  let within = i32x4.splat(0)
  const quarter = f32x4.splat(0.25)
  const ax = f32x4.mul(quarter, f32x4.splat(astX))
  const ay = f32x4.mul(quarter, f32x4.splat(astY))
  const share = f32x4.splat(relative)
  const sumN = f32x4.splat(squareN)
  const sumR = f32x4.splat(squareR)
  const zero = f32x4.splat(0)
  const tiny = f32x4.splat(1e-30)
  const quartile = f32x4.splat(0.6744898)
  const lanes = i32x4(0, 1, 2, 3)
  for (let column = 0; column < columns; column += 4) {
    const at = <usize>column << 2
    const n = v128.load(sN + at)
    const r = v128.load(sR + at)
    const nx = f32x4.sub(v128.load(sN + at, 4), v128.load(sN + at - 4))
    const ny = f32x4.sub(v128.load(sN + at + line), v128.load(sN + at - line))
    const rx = f32x4.sub(v128.load(sR + at, 4), v128.load(sR + at - 4))
    const ry = f32x4.sub(v128.load(sR + at + line), v128.load(sR + at - line))
    const alongX = f32x4.add(f32x4.mul(nx, nx), f32x4.mul(rx, rx))
    const alongY = f32x4.add(f32x4.mul(ny, ny), f32x4.mul(ry, ry))
    const noiseN = v128.load(rmsN + at)
    const noiseR = v128.load(rmsR + at)
    const sky = f32x4.add(f32x4.mul(sumN, f32x4.mul(noiseN, noiseN)), f32x4.mul(sumR, f32x4.mul(noiseR, noiseR)))
    const noise = f32x4.add(f32x4.pmax(v128.load(variance + at), zero), sky)
    const shape = f32x4.mul(share, r)
    const astrometric = f32x4.add(f32x4.mul(ax, alongX), f32x4.mul(ay, alongY))
    const total = f32x4.add(f32x4.add(noise, astrometric), f32x4.mul(shape, shape))
    const value = f32x4.div(f32x4.sub(n, r), f32x4.sqrt(f32x4.pmax(total, tiny)))
    const inside = i32x4.lt_s(lanes, i32x4.splat(columns - column))
    negative = i32x4.sub(negative, v128.and(inside, f32x4.lt(value, zero)))
    within = i32x4.sub(within, v128.and(inside, f32x4.lt(f32x4.abs(value), quartile)))
    storeUpTo(scorr + at, value, columns - column)
  }
  addLanes(counts, negative)
  addLanes(counts + 4, within)
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

function addLanes(counter: usize, lanes: v128): void {
  const sum = i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1)
  store<i32>(counter, load<i32>(counter) + sum + i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3))
}
