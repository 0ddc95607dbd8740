/**
 * Quintic B-spline interpolation of small square stamps in float64: sub-pixel shifts of a PSF with its derivatives. Whole
 * planes are resampled by the kernels behind warp.ts, with the same spline.
 */
const poles = [-0.4305753470999738, -0.04309628820326465] as const
const gain = 120

/** The six taps at −2 … 3 for a place `t` (0 ≤ t < 1) to the right of tap 0, and their derivatives by t. */
export function quinticTaps(t: number): { readonly value: readonly number[]; readonly slope: readonly number[] } {
  const s = 1 - t
  const [t2, t3, t4] = [t * t, t ** 3, t ** 4]
  const value = [
    s ** 5,
    26 - 50 * t + 20 * t2 + 20 * t3 - 20 * t4 + 5 * t4 * t,
    66 - 60 * t2 + 30 * t4 - 10 * t4 * t,
    26 + 50 * t + 20 * t2 - 20 * t3 - 20 * t4 + 10 * t4 * t,
    1 + 5 * t + 10 * t2 + 10 * t3 + 5 * t4 - 5 * t4 * t,
    t4 * t,
  ]
  const slope = [
    -5 * s ** 4,
    -50 + 40 * t + 60 * t2 - 80 * t3 + 25 * t4,
    -120 * t + 120 * t3 - 50 * t4,
    50 + 40 * t - 60 * t2 - 80 * t3 + 50 * t4,
    5 + 20 * t + 30 * t2 + 20 * t3 - 25 * t4,
    5 * t4,
  ]
  return { value: value.map((w) => w / 120), slope: slope.map((w) => w / 120) }
}

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

function mirrored(index: number, n: number): number {
  if (index < 0) return Math.min(n - 1, -index)
  return index >= n ? Math.max(0, 2 * n - 2 - index) : index
}

export interface ShiftedStamp {
  readonly value: Float64Array
  /** Derivatives by the shift in x and in y. */
  readonly byX: Float64Array
  readonly byY: Float64Array
}

/** A square stamp that can be shifted and read between its pixels. */
export class StampSpline {
  readonly size: number
  readonly #coefficients: Float64Array
  readonly #across: Float64Array
  readonly #acrossSlope: Float64Array

  constructor(stamp: ArrayLike<number>, size: number) {
    this.size = size
    this.#coefficients = new Float64Array(stamp)
    this.#across = new Float64Array(size * size)
    this.#acrossSlope = new Float64Array(size * size)
    for (let y = 0; y < size; y++) prefilterLine(this.#coefficients, y * size, size, 1)
    for (let x = 0; x < size; x++) prefilterLine(this.#coefficients, x, size, size)
  }

  /**
   * The stamp moved by (dx, dy) pixels: value at pixel (i, j) is the stamp's at (i − dx, j − dy). Only pixels at most
   * `reach` rows and columns from the middle are worked out; the others are 0.
   */
  shifted(dx: number, dy: number, reach = (this.size - 1) / 2): ShiftedStamp {
    const n = this.size
    const half = (n - 1) / 2
    const [first, last] = [Math.max(0, half - reach), Math.min(n - 1, half + reach)]
    const floor = Math.floor(-dy)
    this.#along(-dx, first, last, first + floor - 2, last + floor + 3)
    const [across, acrossSlope] = [this.#across, this.#acrossSlope]
    const value = new Float64Array(n * n)
    const byX = new Float64Array(n * n)
    const byY = new Float64Array(n * n)
    const taps = quinticTaps(-dy - floor)
    for (let tap = 0; tap < 6; tap++) {
      const w = taps.value[tap]!
      const slope = taps.slope[tap]!
      for (let y = first; y <= last; y++) {
        const from = mirrored(y + floor + tap - 2, n) * n
        const to = y * n
        for (let x = first; x <= last; x++) {
          const held = across[from + x]!
          value[to + x]! += w * held
          byX[to + x]! -= w * acrossSlope[from + x]!
          byY[to + x]! -= slope * held
        }
      }
    }
    return { value, byX, byY }
  }

  /** Rows of coefficients read at x + move, for the columns and rows that `shifted` needs. */
  #along(move: number, first: number, last: number, rowFrom: number, rowTo: number): void {
    const n = this.size
    const floor = Math.floor(move)
    const taps = quinticTaps(move - floor)
    // Mirrored rows lie inside the stamp, perhaps beyond the range: then all rows are needed.
    const whole = rowFrom < 0 || rowTo > n - 1
    const [low, high] = whole ? [0, n - 1] : [rowFrom, rowTo]
    const [value, slope] = [this.#across, this.#acrossSlope]
    value.fill(0)
    slope.fill(0)
    for (let tap = 0; tap < 6; tap++) {
      const [w, d] = [taps.value[tap]!, taps.slope[tap]!]
      for (let x = first; x <= last; x++) {
        const from = mirrored(x + floor + tap - 2, n)
        for (let y = low; y <= high; y++) {
          const c = this.#coefficients[y * n + from]!
          value[y * n + x]! += w * c
          slope[y * n + x]! += d * c
        }
      }
    }
  }

  /** Value at a place given in stamp pixels, (0, 0) the centre of the first pixel. */
  at(x: number, y: number): number {
    const n = this.size
    const [floorX, floorY] = [Math.floor(x), Math.floor(y)]
    const wx = quinticTaps(x - floorX).value
    const wy = quinticTaps(y - floorY).value
    let sum = 0
    for (let j = 0; j < 6; j++) {
      const row = mirrored(floorY + j - 2, n) * n
      let line = 0
      for (let i = 0; i < 6; i++) line += wx[i]! * this.#coefficients[row + mirrored(floorX + i - 2, n)]!
      sum += wy[j]! * line
    }
    return sum
  }
}
