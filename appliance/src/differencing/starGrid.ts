/** Finds the star nearest to a place: stars in square cells of a frame. */
export class StarGrid {
  readonly #stars: readonly { readonly x: number; readonly y: number }[]
  readonly #cellPixels: number
  readonly #columns: number
  readonly #rows: number
  /** Cell k holds the stars `#order[#starts[k]]` to `#order[#starts[k + 1] - 1]`. */
  readonly #starts: Int32Array
  readonly #order: Int32Array

  constructor(
    stars: readonly { readonly x: number; readonly y: number }[],
    size: { readonly width: number; readonly height: number },
    cellPixels: number,
  ) {
    this.#stars = stars
    this.#cellPixels = cellPixels
    this.#columns = Math.max(1, Math.ceil(size.width / cellPixels))
    this.#rows = Math.max(1, Math.ceil(size.height / cellPixels))
    const cells = Int32Array.from(stars, (star) => this.#row(star.y) * this.#columns + this.#column(star.x))
    this.#starts = new Int32Array(this.#columns * this.#rows + 1)
    for (const cell of cells) this.#starts[cell + 1]!++
    for (let k = 1; k < this.#starts.length; k++) this.#starts[k]! += this.#starts[k - 1]!
    this.#order = new Int32Array(stars.length)
    const next = this.#starts.slice()
    cells.forEach((cell, index) => {
      this.#order[next[cell]!++] = index
    })
  }

  #column(x: number): number {
    return Math.min(this.#columns - 1, Math.max(0, Math.floor(x / this.#cellPixels)))
  }

  #row(y: number): number {
    return Math.min(this.#rows - 1, Math.max(0, Math.floor(y / this.#cellPixels)))
  }

  /** Indices of the stars within `radius` pixels. */
  within(x: number, y: number, radius: number): number[] {
    const found: number[] = []
    const [left, right] = [this.#column(x - radius), this.#column(x + radius)]
    const last = this.#row(y + radius)
    for (let row = this.#row(y - radius); row <= last; row++) {
      const end = this.#starts[row * this.#columns + right + 1]!
      for (let k = this.#starts[row * this.#columns + left]!; k < end; k++) {
        const index = this.#order[k]!
        const star = this.#stars[index]!
        if ((star.x - x) ** 2 + (star.y - y) ** 2 <= radius * radius) found.push(index)
      }
    }
    return found
  }

  /** Index of the nearest star within `radius` pixels, or −1. */
  nearest(x: number, y: number, radius: number): number {
    let best = -1
    let bestSquare = radius * radius
    for (const index of this.within(x, y, radius)) {
      const star = this.#stars[index]!
      const square = (star.x - x) ** 2 + (star.y - y) ** 2
      if (square <= bestSquare) {
        best = index
        bestSquare = square
      }
    }
    return best
  }
}
