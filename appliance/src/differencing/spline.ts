/**
 * Quintic B-spline interpolation of small square stamps in float64: sub-pixel shifts of a PSF with its derivatives. Whole
 * planes are resampled by the kernels behind warp.ts, with the same spline.
 */
const poles = [-0.4305753470999738, -0.04309628820326465] as const
const gain = 120

/**
 * The six taps at −2 … 3 for a place `t` (0 ≤ t < 1) to the right of tap 0, then their derivatives by t; written over by the
 * next call.
 */
function quinticTaps(t: number): Float64Array {
  const s = 1 - t
  const t2 = t * t
  const t3 = t2 * t
  const t4 = t2 * t2
  const s4 = s * s * s * s
  taps[0] = (s4 * s) / gain
  taps[1] = (26 - 50 * t + 20 * t2 + 20 * t3 - 20 * t4 + 5 * t4 * t) / gain
  taps[2] = (66 - 60 * t2 + 30 * t4 - 10 * t4 * t) / gain
  taps[3] = (26 + 50 * t + 20 * t2 - 20 * t3 - 20 * t4 + 10 * t4 * t) / gain
  taps[4] = (1 + 5 * t + 10 * t2 + 10 * t3 + 5 * t4 - 5 * t4 * t) / gain
  taps[5] = (t4 * t) / gain
  taps[6] = (-5 * s4) / gain
  taps[7] = (-50 + 40 * t + 60 * t2 - 80 * t3 + 25 * t4) / gain
  taps[8] = (-120 * t + 120 * t3 - 50 * t4) / gain
  taps[9] = (50 + 40 * t - 60 * t2 - 80 * t3 + 50 * t4) / gain
  taps[10] = (5 + 20 * t + 30 * t2 + 20 * t3 - 25 * t4) / gain
  taps[11] = (5 * t4) / gain
  return taps
}

const taps = new Float64Array(12)

/** Spline coefficients of `n` samples `step` apart, in place, with mirror boundaries (Unser, Aldroubi & Eden 1993). */
function prefilterLine(c: Float64Array, start: number, n: number, step: number): void {
  if (n < 2) return
  for (let k = 0; k < n; k++) c[start + k * step]! *= gain
  for (const z of poles) {
    let sum = 0
    for (let k = 0, power = 1; k < Math.min(n, 40); k++, power *= z) sum += power * c[start + k * step]!
    c[start] = sum
    for (let k = 1; k < n; k++) c[start + k * step]! += z * c[start + (k - 1) * step]!
    const last = start + (n - 1) * step
    c[last] = (z / (z * z - 1)) * (c[last]! + z * c[last - step]!)
    for (let k = n - 2; k >= 0; k--) {
      const at = start + k * step
      c[at] = z * (c[at + step]! - c[at]!)
    }
  }
}

/** Spline coefficients of an n × n grid. Linear: those of a sum are the sum of those. */
export function splineCoefficients(grid: ArrayLike<number>, n: number): Float64Array {
  const out = new Float64Array(grid)
  for (let y = 0; y < n; y++) prefilterLine(out, y * n, n, 1)
  for (let x = 0; x < n; x++) prefilterLine(out, x, n, n)
  return out
}

/** The node that a node beyond the rim of `n` repeats. */
export function mirrored(index: number, n: number): number {
  const period = Math.max(1, 2 * n - 2)
  const at = ((index % period) + period) % period
  return at < n ? at : period - at
}

export interface ShiftedStamp {
  readonly value: Float64Array
  /** Derivatives by the shift in x and in y. */
  readonly byX: Float64Array
  readonly byY: Float64Array
}

/** Nodes along a side of a stamp of `size` pixels with `oversampling` nodes a pixel: one on the centre of each pixel. */
export function gridSide(size: number, oversampling: number): number {
  return oversampling * (size - 1) + 1
}

/** A square stamp that can be shifted and read between its pixels. It may be sampled more finely than the pixels. */
export class StampSpline {
  readonly size: number
  readonly #oversampling: number
  readonly #nodes: number
  /** Coefficients with a mirrored rim, `#pad` nodes wide. */
  #padded: Float64Array
  #pad = 0
  #across = new Float64Array(0)
  #acrossSlope = new Float64Array(0)
  #window: ShiftedStamp | undefined
  readonly #lines = new Float64Array(6)

  /**
   * `stamp`: `gridSide(size, oversampling)` squared nodes; their coefficients already (`splineCoefficients`) when `filtered`.
   */
  constructor(stamp: ArrayLike<number>, size: number, oversampling = 1, filtered = false) {
    this.size = size
    this.#oversampling = oversampling
    this.#nodes = gridSide(size, oversampling)
    this.#padded = filtered ? new Float64Array(stamp) : splineCoefficients(stamp, this.#nodes)
    this.#widen(3 * oversampling + 4)
  }

  #widen(pad: number): void {
    const n = this.#nodes
    const [before, after] = [n + 2 * this.#pad, n + 2 * pad]
    const out = new Float64Array(after * after)
    for (let y = 0; y < after; y++) {
      const from = (mirrored(y - pad, n) + this.#pad) * before + this.#pad
      const to = y * after
      out.set(this.#padded.subarray(from, from + n), to + pad)
      for (let x = 1; x <= pad; x++) {
        out[to + pad - x] = this.#padded[from + mirrored(-x, n)]!
        out[to + pad + n - 1 + x] = this.#padded[from + mirrored(n - 1 + x, n)]!
      }
    }
    this.#padded = out
    this.#pad = pad
  }

  /**
   * The stamp moved by (dx, dy) pixels: value at pixel (i, j) is the stamp's at (i − dx, j − dy). Only pixels at most
   * `reach` rows and columns from the middle are worked out; the others are 0.
   */
  shifted(dx: number, dy: number, reach = (this.size - 1) / 2): ShiftedStamp {
    const n = this.size
    const window = this.window(dx, dy, reach)
    const side = 2 * Math.min(reach, (n - 1) / 2) + 1
    const edge = (n - side) / 2
    const whole = (compact: Float64Array): Float64Array => {
      const out = new Float64Array(n * n)
      for (let y = 0; y < side; y++) out.set(compact.subarray(y * side, (y + 1) * side), (y + edge) * n + edge)
      return out
    }
    return { value: whole(window.value), byX: whole(window.byX), byY: whole(window.byY) }
  }

  /**
   * The middle (2 reach + 1)² pixels of the stamp moved by (dx, dy), row by row, in buffers that the next call writes over.
   */
  window(dx: number, dy: number, reach: number): ShiftedStamp {
    const s = this.#oversampling
    const half = Math.min(reach, (this.size - 1) / 2)
    const side = 2 * half + 1
    const need = Math.ceil(s * Math.max(Math.abs(dx), Math.abs(dy))) + 4
    if (need > this.#pad) this.#widen(need)
    if (this.#window?.value.length !== side * side) {
      const grid = (): Float64Array => new Float64Array(side * side)
      this.#window = { value: grid(), byX: grid(), byY: grid() }
    }
    const first = s * ((this.size - 1) / 2 - half) + this.#pad
    const floor = Math.floor(-s * dy)
    const rows = s * (side - 1) + 6
    this.#along(-s * dx, first, first + floor - 2, rows, side)
    this.#down(-s * dy - floor, side, this.#window)
    return this.#window
  }

  /** `rows` rows of nodes from `top`, read at `side` places a pixel apart, the first at node `left` + `move`. */
  #along(move: number, left: number, top: number, rows: number, side: number): void {
    const s = this.#oversampling
    const floor = Math.floor(move)
    const w = quinticTaps(move - floor)
    const v0 = w[0]!
    const v1 = w[1]!
    const v2 = w[2]!
    const v3 = w[3]!
    const v4 = w[4]!
    const v5 = w[5]!
    const d0 = w[6]!
    const d1 = w[7]!
    const d2 = w[8]!
    const d3 = w[9]!
    const d4 = w[10]!
    const d5 = w[11]!
    const c = this.#padded
    const stride = this.#nodes + 2 * this.#pad
    if (this.#across.length < rows * side) {
      this.#across = new Float64Array(rows * side)
      this.#acrossSlope = new Float64Array(rows * side)
    }
    const [across, acrossSlope] = [this.#across, this.#acrossSlope]
    for (let row = 0; row < rows; row++) {
      let at = (top + row) * stride + left + floor - 2
      for (let to = row * side; to < (row + 1) * side; to++) {
        const c0 = c[at]!
        const c1 = c[at + 1]!
        const c2 = c[at + 2]!
        const c3 = c[at + 3]!
        const c4 = c[at + 4]!
        const c5 = c[at + 5]!
        across[to] = v0 * c0 + v1 * c1 + v2 * c2 + v3 * c3 + v4 * c4 + v5 * c5
        acrossSlope[to] = d0 * c0 + d1 * c1 + d2 * c2 + d3 * c3 + d4 * c4 + d5 * c5
        at += s
      }
    }
  }

  #down(t: number, side: number, { value, byX, byY }: ShiftedStamp): void {
    const s = this.#oversampling
    const w = quinticTaps(t)
    const v0 = w[0]!
    const v1 = w[1]!
    const v2 = w[2]!
    const v3 = w[3]!
    const v4 = w[4]!
    const v5 = w[5]!
    const d0 = w[6]!
    const d1 = w[7]!
    const d2 = w[8]!
    const d3 = w[9]!
    const d4 = w[10]!
    const d5 = w[11]!
    const a = this.#across
    const b = this.#acrossSlope
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const p0 = s * y * side + x
        const p1 = p0 + side
        const p2 = p1 + side
        const p3 = p2 + side
        const p4 = p3 + side
        const p5 = p4 + side
        const a0 = a[p0]!
        const a1 = a[p1]!
        const a2 = a[p2]!
        const a3 = a[p3]!
        const a4 = a[p4]!
        const a5 = a[p5]!
        const to = y * side + x
        value[to] = v0 * a0 + v1 * a1 + v2 * a2 + v3 * a3 + v4 * a4 + v5 * a5
        byX[to] = -s * (v0 * b[p0]! + v1 * b[p1]! + v2 * b[p2]! + v3 * b[p3]! + v4 * b[p4]! + v5 * b[p5]!)
        byY[to] = -s * (d0 * a0 + d1 * a1 + d2 * a2 + d3 * a3 + d4 * a4 + d5 * a5)
      }
    }
  }

  /** Value at a place given in stamp pixels, (0, 0) the centre of the first pixel; 0 more than a pixel outside. */
  at(x: number, y: number): number {
    const s = this.#oversampling
    if (!(x > -1 && y > -1 && x < this.size && y < this.size)) return 0
    const floorX = Math.floor(s * x)
    const floorY = Math.floor(s * y)
    const stride = this.#nodes + 2 * this.#pad
    const base = (floorY - 2 + this.#pad) * stride + floorX - 2 + this.#pad
    const w = quinticTaps(s * x - floorX)
    const lines = this.#lines
    for (let j = 0; j < 6; j++) {
      let line = 0
      for (let i = 0; i < 6; i++) line += w[i]! * this.#padded[base + j * stride + i]!
      lines[j] = line
    }
    quinticTaps(s * y - floorY)
    let sum = 0
    for (let j = 0; j < 6; j++) sum += w[j]! * lines[j]!
    return sum
  }
}
