// Rows of a mesh drawn out to pixels, for the kernels that need them; none is a kernel itself.

/** Interval of a mesh's axis that holds `at` (in cells, 0 = the middle of the first): its left node. */
// @ts-ignore: decorator
@inline
function meshCell(at: f64, nodes: i32): i32 {
  return max(0, min(nodes - 2, <i32>Math.floor(at)))
}

/** First pixel of interval `cell` along x; the last interval ends with the frame. */
// @ts-ignore: decorator
@inline
function intervalStart(cell: i32, cellPixels: i32): i32 {
  return cell <= 0 ? 0 : cell * cellPixels + (cellPixels >> 1)
}

/**
 * The spline of a mesh (`SplineMesh` in mesh.ts) for pixels [x0, x1) of row y, taken from `source` (0: painted) into
 * `out`; both point at pixel x0.
 */
export function splineRow(
  source: usize, spline: usize, columns: i32, rows: i32, cellPixels: i32, y: i32, x0: i32, x1: i32, out: usize,
): void {
  const at = (<f64>y + 0.5) / <f64>cellPixels - 0.5
  const row = meshCell(at, rows)
  const t = at - <f64>row
  const u = 1 - t
  const wt = (t * t * t - t) * (1 / 6.0)
  const wu = (u * u * u - u) * (1 / 6.0)
  const stride = (<usize>columns) << 5
  const p = spline + <usize>row * stride
  const q = rows > 1 ? p + stride : p
  let cell = meshCell((<f64>x0 + 0.5) / <f64>cellPixels - 0.5, columns)
  while (cell > 0 && intervalStart(cell, cellPixels) > x0) cell--
  let from = x0
  while (from < x1) {
    while (cell < columns - 2 && intervalStart(cell + 1, cellPixels) <= from) cell++
    const to = cell >= columns - 2 ? x1 : min(x1, intervalStart(cell + 1, cellPixels))
    const k = (<usize>cell) << 5
    const k1 = columns > 1 ? k + 32 : k
    const v0 = u * load<f64>(p + k) + t * load<f64>(q + k) + wu * load<f64>(p + k, 8) + wt * load<f64>(q + k, 8)
    const v1 = u * load<f64>(p + k1) + t * load<f64>(q + k1) + wu * load<f64>(p + k1, 8) + wt * load<f64>(q + k1, 8)
    const s0 = u * load<f64>(p + k, 16) + t * load<f64>(q + k, 16) + wu * load<f64>(p + k, 24) + wt * load<f64>(q + k, 24)
    const s1 = u * load<f64>(p + k1, 16) + t * load<f64>(q + k1, 16) + wu * load<f64>(p + k1, 24) + wt * load<f64>(q + k1, 24)
    const part = (<usize>(from - x0)) << 2
    cubicRun(v0, v1, s0, s1, cell, cellPixels, from, to, source == 0 ? 0 : source + part, out + part)
    from = to
  }
}

/** One interval of the spline as a polynomial in t = 0 … 1, for pixels [from, to). */
function cubicRun(
  v0: f64, v1: f64, s0: f64, s1: f64, cell: i32, cellPixels: i32, from: i32, to: i32, source: usize, out: usize,
): void {
  const b1 = v1 - v0 - (2 * s0 + s1) * (1 / 6.0)
  const c1 = s0 * 0.5
  const d1 = (s1 - s0) * (1 / 6.0)
  const a = f32x4.splat(<f32>v0)
  const b = f32x4.splat(<f32>b1)
  const c = f32x4.splat(<f32>c1)
  const d = f32x4.splat(<f32>d1)
  const step = <f32>(1 / <f64>cellPixels)
  // Exact halves of whole numbers: the same value for a pixel wherever the run begins.
  const start = f32x4(0, 1, 2, 3)
  const origin = <f32>(0.5 - (<f64>cell + 0.5) * <f64>cellPixels)
  let x = from
  for (; x + 4 <= to; x += 4) {
    const t = f32x4.mul(f32x4.add(f32x4.add(start, f32x4.splat(<f32>x)), f32x4.splat(origin)), f32x4.splat(step))
    const v = f32x4.add(a, f32x4.mul(t, f32x4.add(b, f32x4.mul(t, f32x4.add(c, f32x4.mul(t, d))))))
    const k = (<usize>(x - from)) << 2
    v128.store(out + k, source == 0 ? v : f32x4.sub(v128.load(source + k), v))
  }
  for (; x < to; x++) {
    const t = (<f32>x + origin) * step
    const v = <f32>v0 + t * (<f32>b1 + t * (<f32>c1 + t * <f32>d1))
    const k = (<usize>(x - from)) << 2
    store<f32>(out + k, source == 0 ? v : load<f32>(source + k) - v)
  }
}

/** Bilinear values of a mesh of f32 (`meshAt` in mesh.ts) for pixels [x0, x1) of row y; `out` points at pixel x0. */
export function meshRow(
  mesh: usize, columns: i32, rows: i32, cellPixels: i32, y: i32, x0: i32, x1: i32, out: usize,
): void {
  const step = <f32>(1 / <f64>cellPixels)
  const last = <f32>(columns - 1)
  const j = meshCell((<f64>y + 0.5) / <f64>cellPixels - 0.5, rows)
  const fv = <f32>Math.max(0, Math.min(<f64>(rows - 1), (<f64>y + 0.5) / <f64>cellPixels - 0.5)) - <f32>j
  const p = mesh + ((<usize>(j * columns)) << 2)
  const q = rows > 1 ? p + ((<usize>columns) << 2) : p
  let cell = 0
  let from = x0
  while (from < x1) {
    while (cell < columns - 2 && intervalStart(cell + 1, cellPixels) <= from) cell++
    const to = cell >= columns - 2 ? x1 : min(x1, intervalStart(cell + 1, cellPixels))
    const k = (<usize>cell) << 2
    const k1 = columns > 1 ? k + 4 : k
    const v0 = (<f32>1 - fv) * load<f32>(p + k) + fv * load<f32>(q + k)
    const v1 = (<f32>1 - fv) * load<f32>(p + k1) + fv * load<f32>(q + k1)
    let x = from
    for (; x + 4 <= to; x += 4) {
      const at = f32x4.sub(f32x4.mul(f32x4.add(f32x4(0.5, 1.5, 2.5, 3.5), f32x4.splat(<f32>x)), f32x4.splat(step)), f32x4.splat(0.5))
      const inside = f32x4.pmin(f32x4.splat(last), f32x4.pmax(f32x4.splat(0), at))
      const fu = f32x4.sub(inside, f32x4.splat(<f32>cell))
      v128.store(out + ((<usize>(x - x0)) << 2), f32x4.add(f32x4.splat(v0), f32x4.mul(fu, f32x4.splat(v1 - v0))))
    }
    for (; x < to; x++) {
      const fu = min(max((<f32>x + 0.5) * step - 0.5, <f32>0), last) - <f32>cell
      store<f32>(out + ((<usize>(x - x0)) << 2), v0 + fu * (v1 - v0))
    }
    from = to
  }
}
