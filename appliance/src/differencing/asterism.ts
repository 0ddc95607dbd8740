import type { StarPosition } from './register.ts'
import { affine, type PixelTransform } from './transform.ts'

/** Three stars ordered by the length of the side opposite to each: longest first. */
export interface Triangle {
  readonly a: number
  readonly b: number
  readonly c: number
  /** Middle side ÷ longest, shortest ÷ longest: the same after any shift, turn, scaling or mirroring. */
  readonly middle: number
  readonly shortest: number
  /** +1 or −1: which way round a, b, c run. A mirrored frame turns it. */
  readonly sense: 1 | -1
  readonly longestPixels: number
}

/** Labels of nearly equal sides are ambiguous and a flat triangle says little: neither is used. */
const mostAlike = 0.98
const flattest = 0.12

function triangleOf(stars: readonly StarPosition[], i: number, j: number, k: number): Triangle | undefined {
  const [p, q, r] = [stars[i]!, stars[j]!, stars[k]!]
  const sides = [
    { index: i, length: Math.hypot(q.x - r.x, q.y - r.y) },
    { index: j, length: Math.hypot(p.x - r.x, p.y - r.y) },
    { index: k, length: Math.hypot(p.x - q.x, p.y - q.y) },
  ].sort((one, other) => other.length - one.length)
  const [first, second, third] = [sides[0]!, sides[1]!, sides[2]!]
  const longest = first.length
  if (longest < 12) return undefined
  const middle = second.length / longest
  const shortest = third.length / longest
  if (middle > mostAlike || shortest / middle > mostAlike || shortest < flattest) return undefined
  const [a, b, c] = [stars[first.index]!, stars[second.index]!, stars[third.index]!]
  const cross = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
  if (Math.abs(cross) < 0.05 * longest * longest * shortest) return undefined
  return {
    a: first.index,
    b: second.index,
    c: third.index,
    middle,
    shortest,
    sense: cross < 0 ? -1 : 1,
    longestPixels: longest,
  }
}

/** Triangles among the `brightest` first stars, and of each of the first `local` stars with pairs of its `neighbours` nearest. */
export function trianglesOf(
  stars: readonly StarPosition[],
  { brightest, local, neighbours }: { brightest: number; local: number; neighbours: number },
): Triangle[] {
  const found = new Map<number, Triangle>()
  const add = (i: number, j: number, k: number): void => {
    const [low, mid, high] = [i, j, k].sort((one, other) => one - other) as [number, number, number]
    const key = (low * 4096 + mid) * 4096 + high
    if (found.has(key)) return
    const triangle = triangleOf(stars, low, mid, high)
    if (triangle) found.set(key, triangle)
  }
  const top = Math.min(brightest, stars.length)
  for (let k = 2; k < top; k++) for (let j = 1; j < k; j++) for (let i = 0; i < j; i++) add(i, j, k)
  const near = Math.min(local, stars.length)
  for (let i = 0; i < near; i++) {
    const nearest = nearestTo(stars, i, near, neighbours)
    for (let m = 1; m < nearest.length; m++) for (let l = 0; l < m; l++) add(i, nearest[l]!, nearest[m]!)
  }
  return [...found.values()]
}

function nearestTo(stars: readonly StarPosition[], index: number, among: number, count: number): number[] {
  const centre = stars[index]!
  const others: { index: number; distance: number }[] = []
  for (let j = 0; j < among; j++) {
    const other = stars[j]!
    if (j !== index) others.push({ index: j, distance: (other.x - centre.x) ** 2 + (other.y - centre.y) ** 2 })
  }
  return others
    .sort((one, other) => one.distance - other.distance)
    .slice(0, count)
    .map((other) => other.index)
}

/** Finds the triangles of the same shape: a grid over (middle, shortest) with cells of the widest tolerance. */
export class TriangleIndex {
  readonly #triangles: readonly Triangle[]
  readonly #cells = new Map<number, number[]>()
  static readonly cell = 0.012

  constructor(triangles: readonly Triangle[]) {
    this.#triangles = triangles
    triangles.forEach((triangle, index) => {
      const key = TriangleIndex.#key(
        Math.floor(triangle.middle / TriangleIndex.cell),
        Math.floor(triangle.shortest / TriangleIndex.cell),
      )
      const cell = this.#cells.get(key)
      if (cell) cell.push(index)
      else this.#cells.set(key, [index])
    })
  }

  static #key(column: number, row: number): number {
    return row * 128 + column
  }

  /** Triangles whose two ratios agree within what `positionErrorPixels` can do to them. */
  *alike(triangle: Triangle, positionErrorPixels: number): Generator<Triangle> {
    const column = Math.floor(triangle.middle / TriangleIndex.cell)
    const row = Math.floor(triangle.shortest / TriangleIndex.cell)
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        for (const index of this.#cells.get(TriangleIndex.#key(column + dx, row + dy)) ?? []) {
          const other = this.#triangles[index]!
          const shorter = Math.min(triangle.longestPixels, other.longestPixels)
          const tolerance = Math.min(TriangleIndex.cell, Math.max(0.0015, (2 * positionErrorPixels) / shorter))
          if (Math.abs(other.middle - triangle.middle) > tolerance) continue
          if (Math.abs(other.shortest - triangle.shortest) <= tolerance) yield other
        }
      }
    }
  }
}

/** The similarity (turn, scale, shift, mirrored when the senses differ) that brings one triangle onto the other. */
export function similarityOf(
  from: readonly StarPosition[],
  source: Triangle,
  to: readonly StarPosition[],
  target: Triangle,
): { readonly transform: PixelTransform; readonly scale: number } | undefined {
  const mirror = source.sense === target.sense ? 1 : -1
  const fromPoints = [from[source.a]!, from[source.b]!, from[source.c]!]
  const toPoints = [to[target.a]!, to[target.b]!, to[target.c]!]
  const meanX = (points: readonly StarPosition[]): number => points.reduce((sum, p) => sum + p.x, 0) / points.length
  const meanY = (points: readonly StarPosition[]): number => points.reduce((sum, p) => sum + p.y, 0) / points.length
  const [fx, fy, tx, ty] = [meanX(fromPoints), meanY(fromPoints), meanX(toPoints), meanY(toPoints)]
  let [real, imaginary, norm] = [0, 0, 0]
  for (let n = 0; n < 3; n++) {
    const x = fromPoints[n]!.x - fx
    const y = mirror * (fromPoints[n]!.y - fy)
    const u = toPoints[n]!.x - tx
    const v = toPoints[n]!.y - ty
    real += u * x + v * y
    imaginary += v * x - u * y
    norm += x * x + y * y
  }
  if (norm <= 0) return undefined
  const [c, s] = [real / norm, imaginary / norm]
  const xy = -s * mirror
  const yy = c * mirror
  const transform = affine([tx - c * fx - xy * fy, c, xy, ty - s * fx - yy * fy, s, yy])
  return { transform, scale: Math.hypot(c, s) }
}
