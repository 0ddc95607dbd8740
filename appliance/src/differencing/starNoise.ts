import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { PsfStar } from './psfStars.ts'

/**
 * The noise of S_corr around stars, measured. Where stars are undersampled, no PSF of theirs is right between all pixels:
 * what it leaves at and around a star is no noise of the light and lies beyond every term of the model, and each bright star
 * would be a candidate or have one beside it. So S_corr near stars is compared with what it should be, by distance and
 * brightness, and divided by what it is. The frame is worked in bands of rows, so no plane is added.
 */
export interface StarNoiseInput {
  /** Divided in place: its noise away from stars is 1 after. */
  readonly scorr: Plane
  readonly mask: MaskPlane
  /** All sources of the reference in science pixels. */
  readonly stars: readonly PsfStar[]
  readonly fwhmPixels: number
}

export interface StarNoise {
  /** Of S_corr away from stars, before. */
  readonly sigma: number
  /** Pixels around stars that were divided by more than that. */
  readonly pixels: number
}

/** A star fainter than this leaves nothing. */
const leastSnr = 30
/** Classes of brightness: factors of two of the S/N. */
const classes = 12
const reachFwhm = 4
const leastReachPixels = 8
const bandRows = 64
/** Pixels of a cell that tell its noise; with fewer it takes in those of fainter stars. */
const fewestPixels = 60

/** Shares of a normal distribution's |values| and how many σ they lie within. */
const middle = { share: 0.5, sigmas: 0.6745 } as const
/** Residuals are no bell: their tail is what would be listed. */
const tail = { share: 0.98, sigmas: 2.326 } as const
/** While a cell's middle half is not wider by this factor its noise is what it should be, and its tail is what has changed. */
const leastExcess = 1.15

export function divideByStarNoise(input: StarNoiseInput): StarNoise {
  const { scorr, mask } = input
  const cells = new StarCells(input)
  const counts = new Counts(cells.count + 1)
  cells.forEachBand((cellOf, from) => {
    for (let k = 0; k < cellOf.length; k++) {
      if (mask.data[from + k] === 0) counts.add(cellOf[k]!, Math.abs(scorr.data[from + k]!))
    }
  })
  const sigma = counts.total(cells.open) < fewestPixels ? 1 : counts.width([cells.open], middle)
  const factors = factorsOf(counts, cells, sigma)
  let pixels = 0
  cells.forEachBand((cellOf, from) => {
    for (let k = 0; k < cellOf.length; k++) {
      const factor = factors[cellOf[k]!]!
      if (factor > 1) pixels++
      scorr.data[from + k] = scorr.data[from + k]! / (factor * sigma)
    }
  })
  return { sigma, pixels }
}

/** For every cell, how many times wider S_corr is than away from stars; 1 where it is not. */
function factorsOf(counts: Counts, cells: StarCells, sigma: number): Float64Array {
  return Float64Array.from({ length: cells.count + 1 }, (_, cell) => {
    if (cell === cells.open) return 1
    const pool = [cell]
    for (let k = cell - cells.reach; counts.totalOf(pool) < fewestPixels && k >= 0; k -= cells.reach) pool.push(k)
    if (counts.totalOf(pool) < fewestPixels || counts.width(pool, middle) < leastExcess * sigma) return 1
    return Math.max(1, counts.width(pool, tail) / sigma)
  })
}

/** How often each |S_corr| occurs in each cell. */
class Counts {
  static readonly #step = 0.05
  static readonly #bins = 1024
  readonly #counts: Uint32Array

  constructor(cells: number) {
    this.#counts = new Uint32Array(cells * Counts.#bins)
  }

  add(cell: number, value: number): void {
    this.#counts[cell * Counts.#bins + Math.min(Counts.#bins - 1, Math.floor(value / Counts.#step))]!++
  }

  total(cell: number): number {
    let sum = 0
    for (let k = cell * Counts.#bins; k < (cell + 1) * Counts.#bins; k++) sum += this.#counts[k]!
    return sum
  }

  totalOf(cells: readonly number[]): number {
    return cells.reduce((sum, cell) => sum + this.total(cell), 0)
  }

  /** Standard deviation of the normal distribution that has this share within the same value. */
  width(cells: readonly number[], { share, sigmas }: typeof tail | typeof middle): number {
    let left = share * this.totalOf(cells)
    for (let bin = 0; bin < Counts.#bins; bin++) {
      const here = cells.reduce((sum, cell) => sum + this.#counts[cell * Counts.#bins + bin]!, 0)
      if (here >= left) return ((bin + left / Math.max(1, here)) * Counts.#step) / sigmas
      left -= here
    }
    return (Counts.#bins * Counts.#step) / sigmas
  }
}

/** Which pixel is how far from how bright a star: brightness × reach + whole pixels of distance; `open` where none is near. */
class StarCells {
  readonly reach: number
  readonly count: number
  readonly open: number
  readonly #size: Plane
  readonly #stars: readonly PsfStar[]

  constructor({ scorr, stars, fwhmPixels }: StarNoiseInput) {
    this.reach = Math.max(leastReachPixels, Math.ceil(reachFwhm * fwhmPixels))
    this.count = classes * this.reach
    this.open = this.count
    this.#size = scorr
    this.#stars = stars.filter((star) => star.snr >= leastSnr).sort((a, b) => a.y - b.y)
  }

  /** `from` is the index of the band's first pixel in the frame; the array is used again for the next one. */
  forEachBand(work: (cellOf: Uint16Array, from: number) => void): void {
    const { width, height } = this.#size
    const cells = new Uint16Array(width * bandRows)
    const light = new Float32Array(width * bandRows)
    let first = 0
    for (let top = 0; top < height; top += bandRows) {
      const rows = Math.min(bandRows, height - top)
      cells.fill(this.open)
      light.fill(0)
      while (first < this.#stars.length && this.#stars[first]!.y < top - this.reach) first++
      for (let k = first; k < this.#stars.length && this.#stars[k]!.y < top + rows + this.reach; k++)
        this.#paint(this.#stars[k]!, top, rows, cells, light)
      work(cells.subarray(0, rows * width), top * width)
    }
  }

  /** The star whose light is strongest at a pixel has it. */
  #paint({ x, y, snr }: PsfStar, top: number, rows: number, cells: Uint16Array, light: Float32Array): void {
    const { width } = this.#size
    const { reach } = this
    const first = Math.min(classes - 1, Math.floor(Math.log2(snr / leastSnr))) * reach
    for (let v = Math.max(top, Math.ceil(y - reach)); v <= Math.min(top + rows - 1, y + reach); v++) {
      for (let u = Math.max(0, Math.ceil(x - reach)); u <= Math.min(width - 1, x + reach); u++) {
        const distance = Math.hypot(u - x, v - y)
        if (distance >= reach) continue
        // Light falls steeply in the wings.
        const here = snr / (1 + distance ** 3)
        const at = (v - top) * width + u
        if (here <= light[at]!) continue
        light[at] = here
        cells[at] = first + Math.floor(distance)
      }
    }
  }
}
