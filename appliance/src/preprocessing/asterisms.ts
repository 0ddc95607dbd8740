/**
 * Triangles of stars, described by the ratios of their sides: the same for any shift, rotation, scale and mirror image.
 * Stars are given as flat x, y arrays in the order of their brightness.
 */
export interface Triangles {
  readonly count: number
  /** Star numbers of the corners: opposite to the longest, the middle and the shortest side. */
  readonly corners: Uint16Array
  /** Middle ÷ longest and shortest ÷ longest. */
  readonly ratios: Float64Array
  readonly longest: Float64Array
  /** +1 when the corners run counter-clockwise (x to the right, y up). */
  readonly turn: Int8Array
}

/** Nearly equal sides change places with the least noise; flat triangles say little. */
const mostAlike = 0.97
const flattest = 0.12

/** All triangles of the first `stars` stars whose longest side is at least `least`. */
export function trianglesOf(x: Float64Array, y: Float64Array, stars: number, least: number): Triangles {
  const most = (stars * (stars - 1) * (stars - 2)) / 6
  const corners = new Uint16Array(3 * most)
  const ratios = new Float64Array(2 * most)
  const longest = new Float64Array(most)
  const turn = new Int8Array(most)
  let count = 0
  // Math.hypot guards against overflow and is slow.
  const side = (i: number, j: number): number => Math.sqrt((x[i]! - x[j]!) ** 2 + (y[i]! - y[j]!) ** 2)
  for (let i = 0; i < stars; i++) {
    for (let j = i + 1; j < stars; j++) {
      const ij = side(i, j)
      for (let k = j + 1; k < stars; k++) {
        let [a, b, c] = [i, j, k]
        let [la, lb, lc] = [side(j, k), side(i, k), ij]
        if (la < lb) [a, b, la, lb] = [b, a, lb, la]
        if (lb < lc) [b, c, lb, lc] = [c, b, lc, lb]
        if (la < lb) [a, b, la, lb] = [b, a, lb, la]
        const middle = lb / la
        const short = lc / la
        if (la < least || middle > mostAlike || short > mostAlike * middle || short < flattest) continue
        corners[3 * count] = a
        corners[3 * count + 1] = b
        corners[3 * count + 2] = c
        ratios[2 * count] = middle
        ratios[2 * count + 1] = short
        longest[count] = la
        const cross = (x[b]! - x[a]!) * (y[c]! - y[a]!) - (y[b]! - y[a]!) * (x[c]! - x[a]!)
        turn[count++] = cross > 0 ? 1 : -1
      }
    }
  }
  return { count, corners, ratios, longest, turn }
}

const cells = 128

/** Triangles in square cells of their two ratios, so that the similar ones are found at once. */
export class TriangleIndex {
  readonly triangles: Triangles
  readonly #start: Int32Array
  readonly #members: Int32Array

  constructor(triangles: Triangles) {
    this.triangles = triangles
    const counts = new Int32Array(cells * cells + 1)
    const cellOf = new Int32Array(triangles.count)
    for (let t = 0; t < triangles.count; t++) {
      const cell = cellNumber(triangles.ratios[2 * t]!) * cells + cellNumber(triangles.ratios[2 * t + 1]!)
      cellOf[t] = cell
      counts[cell + 1]!++
    }
    for (let cell = 0; cell < cells * cells; cell++) counts[cell + 1]! += counts[cell]!
    this.#start = counts.slice()
    this.#members = new Int32Array(triangles.count)
    for (let t = 0; t < triangles.count; t++) this.#members[counts[cellOf[t]!]!++] = t
  }

  /** Calls `found` for each triangle whose ratios differ by at most `tolerance`, until it returns true. */
  similar(middle: number, short: number, tolerance: number, found: (triangle: number) => boolean): boolean {
    const { ratios } = this.triangles
    for (let u = cellNumber(middle - tolerance); u <= cellNumber(middle + tolerance); u++) {
      for (let v = cellNumber(short - tolerance); v <= cellNumber(short + tolerance); v++) {
        const cell = u * cells + v
        for (let n = this.#start[cell]!; n < this.#start[cell + 1]!; n++) {
          const t = this.#members[n]!
          if (Math.abs(ratios[2 * t]! - middle) > tolerance || Math.abs(ratios[2 * t + 1]! - short) > tolerance)
            continue
          if (found(t)) return true
        }
      }
    }
    return false
  }
}

function cellNumber(ratio: number): number {
  return Math.min(cells - 1, Math.max(0, Math.floor(ratio * cells)))
}
