/** Points of a plane in square cells: finds the nearest one quickly. */
export class PointGrid {
  readonly #x: Float64Array
  readonly #y: Float64Array
  readonly #cell: number
  readonly #columns: number
  readonly #rows: number
  readonly #left: number
  readonly #bottom: number
  readonly #first: Int32Array
  readonly #next: Int32Array

  /** About one point a cell; `count` of the points are used. */
  constructor(x: Float64Array, y: Float64Array, count: number = x.length) {
    this.#x = x
    this.#y = y
    const [left, right] = extent(x, count)
    const [bottom, top] = extent(y, count)
    const area = Math.max(1e-12, (right - left) * (top - bottom))
    this.#cell = Math.sqrt(area / Math.max(1, count)) || 1
    this.#columns = Math.min(4096, Math.floor((right - left) / this.#cell) + 1)
    this.#rows = Math.min(4096, Math.floor((top - bottom) / this.#cell) + 1)
    this.#left = left
    this.#bottom = bottom
    this.#first = new Int32Array(this.#columns * this.#rows).fill(-1)
    this.#next = new Int32Array(count)
    for (let i = count - 1; i >= 0; i--) {
      const cell = this.#row(y[i]!) * this.#columns + this.#column(x[i]!)
      this.#next[i] = this.#first[cell]!
      this.#first[cell] = i
    }
  }

  /** The number of the nearest point within `radius`, or −1. */
  nearest(x: number, y: number, radius: number): number {
    let best = -1
    let bestSquare = radius * radius
    const toColumn = this.#column(x + radius)
    const toRow = this.#row(y + radius)
    for (let row = this.#row(y - radius); row <= toRow; row++) {
      for (let column = this.#column(x - radius); column <= toColumn; column++) {
        for (let i = this.#first[row * this.#columns + column]!; i >= 0; i = this.#next[i]!) {
          const dx = this.#x[i]! - x
          const dy = this.#y[i]! - y
          const square = dx * dx + dy * dy
          if (square > bestSquare) continue
          best = i
          bestSquare = square
        }
      }
    }
    return best
  }

  #column(x: number): number {
    return Math.min(this.#columns - 1, Math.max(0, Math.floor((x - this.#left) / this.#cell)))
  }

  #row(y: number): number {
    return Math.min(this.#rows - 1, Math.max(0, Math.floor((y - this.#bottom) / this.#cell)))
  }
}

function extent(values: Float64Array, count: number): readonly [number, number] {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (let i = 0; i < count; i++) {
    low = Math.min(low, values[i]!)
    high = Math.max(high, values[i]!)
  }
  return count === 0 ? [0, 0] : [low, high]
}
