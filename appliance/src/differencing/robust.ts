/** Small robust statistics on lists of numbers; frames/statistics.ts has those of whole planes. */

/** The middle value (mean of the two middle ones); NaN for an empty list. The list is not changed. */
export function median(values: ArrayLike<number>): number {
  const n = values.length
  if (n === 0) return Number.NaN
  const sorted = new Float64Array(values).sort()
  const half = n >> 1
  return n % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** 1.4826 × median absolute deviation about `centre`: the standard deviation of a normal distribution. */
export function robustSigma(values: ArrayLike<number>, centre = median(values)): number {
  const distances = new Float64Array(values)
  for (let i = 0; i < distances.length; i++) distances[i] = Math.abs(distances[i]! - centre)
  return 1.4826 * median(distances)
}

/** Median and 1.4826 × MAD of the pixels where `use` is true, from at most `limit` of them taken at even steps. */
export function pixelMad(
  values: ArrayLike<number>,
  use: (index: number) => boolean,
  limit = 20_000,
): { readonly median: number; readonly sigma: number; readonly count: number } {
  const step = Math.max(1, Math.floor(values.length / limit))
  const kept: number[] = []
  for (let i = 0; i < values.length; i += step) if (use(i)) kept.push(values[i]!)
  const centre = median(kept)
  return { median: centre, sigma: robustSigma(kept, centre), count: kept.length }
}

/** Weighted median: the value at which half of the weight lies below. NaN for an empty list. */
export function weightedMedian(values: readonly number[], weights: readonly number[]): number {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const total = weights.reduce((sum, w) => sum + w, 0)
  let below = 0
  for (const i of order) {
    below += weights[i]!
    if (below >= total / 2) return values[i]!
  }
  return Number.NaN
}

/**
 * Solves `matrix · x = right` (row-major n × n) by Gaussian elimination with partial pivoting; both arguments are
 * overwritten. Returns undefined when the matrix is singular.
 */
export function solveLinear(matrix: Float64Array, right: Float64Array): Float64Array | undefined {
  const n = right.length
  for (let column = 0; column < n; column++) {
    let pivot = column
    for (let row = column + 1; row < n; row++)
      if (Math.abs(matrix[row * n + column]!) > Math.abs(matrix[pivot * n + column]!)) pivot = row
    const head = matrix[pivot * n + column]!
    if (!(Math.abs(head) > 1e-300)) return undefined
    if (pivot !== column) swapRows(matrix, right, n, pivot, column)
    for (let row = column + 1; row < n; row++) {
      const factor = matrix[row * n + column]! / head
      if (factor === 0) continue
      for (let k = column; k < n; k++) matrix[row * n + k]! -= factor * matrix[column * n + k]!
      right[row]! -= factor * right[column]!
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    let sum = right[row]!
    for (let k = row + 1; k < n; k++) sum -= matrix[row * n + k]! * right[k]!
    right[row] = sum / matrix[row * n + row]!
  }
  return right.every(Number.isFinite) ? right : undefined
}

function swapRows(matrix: Float64Array, right: Float64Array, n: number, a: number, b: number): void {
  for (let k = 0; k < n; k++) {
    const held = matrix[a * n + k]!
    matrix[a * n + k] = matrix[b * n + k]!
    matrix[b * n + k] = held
  }
  const held = right[a]!
  right[a] = right[b]!
  right[b] = held
}
