/** Small robust statistics on lists of numbers; frames/statistics.ts has those of whole planes. */

/**
 * The element of rank `rank` among the first `n` of `values`, which are reordered: smaller ones before it, larger ones after
 * (Hoare's selection with the median of three as pivot; linear on average). No NaN.
 */
export function selectRank(values: Float64Array | Float32Array, n: number, rank: number): number {
  let left = 0
  let right = n - 1
  while (right > left) {
    const pivot = middleOf(values[left]!, values[(left + right) >> 1]!, values[right]!)
    let i = left
    let j = right
    while (i <= j) {
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
      if (i > j) break
      const held = values[i]!
      values[i++] = values[j]!
      values[j--] = held
    }
    if (rank <= j) right = j
    else if (rank >= i) left = i
    else break
  }
  return values[rank]!
}

function middleOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}

/** Median of the first `n` of `values` (mean of the two middle ones), which are reordered; NaN for none. */
export function medianInPlace(values: Float64Array | Float32Array, n = values.length): number {
  if (n === 0) return Number.NaN
  const half = n >> 1
  const upper = selectRank(values, n, half)
  if (n % 2 === 1) return upper
  let lower = Number.NEGATIVE_INFINITY
  for (let i = 0; i < half; i++) if (values[i]! > lower) lower = values[i]!
  return (lower + upper) / 2
}

/** The middle value (mean of the two middle ones); NaN for an empty list or one with a NaN. The list is not changed. */
export function median(values: ArrayLike<number>): number {
  const copy = new Float64Array(values)
  for (let i = 0; i < copy.length; i++) if (Number.isNaN(copy[i]!)) return Number.NaN
  return medianInPlace(copy)
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
