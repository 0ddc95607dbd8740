import type { SkyPosition } from '../frames/wcs.ts'
import type { CatalogueStar } from '../observations/starCatalogue.ts'
import { onPlane, tangentPlane } from './fieldFit.ts'
import type { ScaleRange, SkyCatalogue, SolveHint, Tile } from './solve.ts'

const degree = Math.PI / 180
const starsOfTile = 150
const starsOfPatch = 40_000

/** The catalogue around a hint, cut into overlapping tiles of about the frame's size, nearest to the hint first. */
export class SkyPatch {
  readonly count: number
  readonly #stars: readonly CatalogueStar[]
  /** Unit vectors of the stars, three numbers each. */
  readonly #vectors: Float64Array
  readonly #hint: SolveHint
  readonly #range: ScaleRange
  readonly #stepDeg: number
  readonly #tileRadiusDeg: number

  constructor(catalogue: SkyCatalogue, hint: SolveHint, range: ScaleRange, width: number, height: number) {
    const scale = Math.sqrt(range.from * range.to)
    this.#hint = hint
    this.#range = range
    this.#tileRadiusDeg = 0.5 * Math.hypot(width, height) * scale
    this.#stepDeg = 0.5 * Math.min(width, height) * scale
    const reach = Math.min(60, hint.radiusDeg + this.#tileRadiusDeg)
    this.#stars = catalogue.starsNear(hint.raDeg, hint.decDeg, reach, { max: starsOfPatch })
    this.count = this.#stars.length
    this.#vectors = new Float64Array(3 * this.count)
    this.#stars.forEach((star, i) => {
      this.#vectors.set(vectorOf(star.raDeg, star.decDeg), 3 * i)
    })
  }

  /** Tiles number `from` to `to`, counted from the nearest to the hint. */
  *tiles(from: number, to: number): Generator<Tile> {
    for (const { raDeg, decDeg } of this.#centres().slice(from, to)) yield this.#tile(raDeg, decDeg)
  }

  /** Whether a solution lies where the hint said. */
  allows(centre: SkyPosition, scaleDeg: number): boolean {
    const [a, b] = [vectorOf(centre.raDeg, centre.decDeg), vectorOf(this.#hint.raDeg, this.#hint.decDeg)]
    const apart = 2 * Math.asin(Math.min(1, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) / 2))
    const near = apart / degree <= this.#hint.radiusDeg + this.#stepDeg
    return near && scaleDeg > 0.98 * this.#range.from && scaleDeg < 1.02 * this.#range.to
  }

  /** Centres on a square grid of the hint's tangent plane. */
  #centres(): SkyPosition[] {
    const reach = Math.ceil(this.#hint.radiusDeg / this.#stepDeg)
    if (reach > 60) return [{ raDeg: this.#hint.raDeg, decDeg: this.#hint.decDeg }]
    const places: { readonly distance: number; readonly sky: SkyPosition }[] = []
    for (let j = -reach; j <= reach; j++) {
      for (let i = -reach; i <= reach; i++) {
        const distance = Math.hypot(i, j) * this.#stepDeg
        if (distance > this.#hint.radiusDeg + 0.5 * this.#stepDeg) continue
        places.push({ distance, sky: offset(this.#hint, i * this.#stepDeg, j * this.#stepDeg) })
      }
    }
    return places.sort((a, b) => a.distance - b.distance).map((place) => place.sky)
  }

  #tile(raDeg: number, decDeg: number): Tile {
    const plane = tangentPlane(raDeg, decDeg)
    const [cx, cy, cz] = vectorOf(raDeg, decDeg)
    const least = Math.cos(this.#tileRadiusDeg * degree)
    const xi: number[] = []
    const eta: number[] = []
    for (let i = 0; i < this.count && xi.length < starsOfTile; i++) {
      const dot = this.#vectors[3 * i]! * cx + this.#vectors[3 * i + 1]! * cy + this.#vectors[3 * i + 2]! * cz
      if (dot < least) continue
      const star = this.#stars[i]!
      const at = onPlane(plane, star.raDeg, star.decDeg)
      if (!at) continue
      xi.push(at[0])
      eta.push(at[1])
    }
    return { raDeg, decDeg, xi: Float64Array.from(xi), eta: Float64Array.from(eta) }
  }
}

function vectorOf(raDeg: number, decDeg: number): readonly [number, number, number] {
  const cos = Math.cos(decDeg * degree)
  return [cos * Math.cos(raDeg * degree), cos * Math.sin(raDeg * degree), Math.sin(decDeg * degree)]
}

/** The place `east`, `north` degrees away along great circles through the hint. */
function offset(from: SkyPosition, eastDeg: number, northDeg: number): SkyPosition {
  const distance = Math.hypot(eastDeg, northDeg) * degree
  if (distance === 0) return { raDeg: from.raDeg, decDeg: from.decDeg }
  const bearing = Math.atan2(eastDeg, northDeg)
  const dec = from.decDeg * degree
  const sin = Math.sin(dec) * Math.cos(distance) + Math.cos(dec) * Math.sin(distance) * Math.cos(bearing)
  const turn = Math.atan2(
    Math.sin(bearing) * Math.sin(distance) * Math.cos(dec),
    Math.cos(distance) - Math.sin(dec) * sin,
  )
  const raDeg = (((from.raDeg + turn / degree) % 360) + 360) % 360
  return { raDeg, decDeg: Math.asin(Math.min(1, Math.max(-1, sin))) / degree }
}
