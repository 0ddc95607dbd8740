/** Finds the star nearest to a place: stars in square cells of a frame. */
export class StarGrid {
  readonly #stars: readonly { readonly x: number; readonly y: number }[]
  readonly #cellPixels: number
  readonly #columns: number
  readonly #rows: number
  readonly #cells: number[][]

  constructor(
    stars: readonly { readonly x: number; readonly y: number }[],
    size: { readonly width: number; readonly height: number },
    cellPixels: number,
  ) {
    this.#stars = stars
    this.#cellPixels = cellPixels
    this.#columns = Math.max(1, Math.ceil(size.width / cellPixels))
    this.#rows = Math.max(1, Math.ceil(size.height / cellPixels))
    this.#cells = Array.from({ length: this.#columns * this.#rows }, () => [])
    stars.forEach((star, index) => {
      this.#cells[this.#row(star.y) * this.#columns + this.#column(star.x)]!.push(index)
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
    for (let row = this.#row(y - radius); row <= this.#row(y + radius); row++) {
      for (let column = this.#column(x - radius); column <= this.#column(x + radius); column++) {
        for (const index of this.#cells[row * this.#columns + column]!) {
          const star = this.#stars[index]!
          if ((star.x - x) ** 2 + (star.y - y) ** 2 <= radius * radius) found.push(index)
        }
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
