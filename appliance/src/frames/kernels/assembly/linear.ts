// Small dense linear systems and order statistics in float64.

// @ts-ignore: decorator
@inline
function at(base: usize, index: i32): usize {
  return base + (<usize>index << 3)
}

/** Solves matrix · x = right (row-major n × n) by elimination with partial pivoting; both are written over. False when singular. */
export function solveLinear(matrix: usize, right: usize, n: i32): bool {
  for (let column = 0; column < n; column++) {
    let pivot = column
    for (let row = column + 1; row < n; row++) {
      if (abs<f64>(load<f64>(at(matrix, row * n + column))) > abs<f64>(load<f64>(at(matrix, pivot * n + column)))) pivot = row
    }
    const head = load<f64>(at(matrix, pivot * n + column))
    if (!(abs<f64>(head) > 1e-300)) return false
    if (pivot != column) {
      for (let k = 0; k < n; k++) swap(at(matrix, column * n + k), at(matrix, pivot * n + k))
      swap(at(right, column), at(right, pivot))
    }
    for (let row = column + 1; row < n; row++) {
      const factor = load<f64>(at(matrix, row * n + column)) / head
      if (factor == 0) continue
      for (let k = column; k < n; k++) {
        const to = at(matrix, row * n + k)
        store<f64>(to, load<f64>(to) - factor * load<f64>(at(matrix, column * n + k)))
      }
      store<f64>(at(right, row), load<f64>(at(right, row)) - factor * load<f64>(at(right, column)))
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    let sum = load<f64>(at(right, row))
    for (let k = row + 1; k < n; k++) sum -= load<f64>(at(matrix, row * n + k)) * load<f64>(at(right, k))
    const value = sum / load<f64>(at(matrix, row * n + row))
    if (!(abs<f64>(value) < Infinity)) return false
    store<f64>(at(right, row), value)
  }
  return true
}

// @ts-ignore: decorator
@inline
function swap(one: usize, other: usize): void {
  const held = load<f64>(one)
  store<f64>(one, load<f64>(other))
  store<f64>(other, held)
}

/** Median of `n` > 0 float64 (mean of the two middle ones), which are reordered. No NaN. */
export function medianInPlace(values: usize, n: i32): f64 {
  const half = n >> 1
  const upper = selectRank(values, n, half)
  if (n & 1) return upper
  let lower = -Infinity
  for (let i = 0; i < half; i++) lower = max<f64>(lower, load<f64>(at(values, i)))
  return (lower + upper) / 2
}

/** Hoare's selection with the median of three as pivot. */
function selectRank(values: usize, n: i32, rank: i32): f64 {
  let left = 0
  let right = n - 1
  while (right > left) {
    const pivot = middleOf(load<f64>(at(values, left)), load<f64>(at(values, (left + right) >> 1)), load<f64>(at(values, right)))
    let i = left
    let j = right
    while (i <= j) {
      while (load<f64>(at(values, i)) < pivot) i++
      while (load<f64>(at(values, j)) > pivot) j--
      if (i > j) break
      swap(at(values, i++), at(values, j--))
    }
    if (rank <= j) right = j
    else if (rank >= i) left = i
    else break
  }
  return load<f64>(at(values, rank))
}

// @ts-ignore: decorator
@inline
function middleOf(a: f64, b: f64, c: f64): f64 {
  return max<f64>(min<f64>(a, b), min<f64>(max<f64>(a, b), c))
}
