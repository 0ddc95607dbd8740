import { pixelScaleArcsec, pixelToSky, type Wcs } from '../frames/wcs.ts'
import type { StarCatalogue } from '../observations/starCatalogue.ts'
import { TriangleIndex, trianglesOf } from './asterisms.ts'
import { verdictOf } from './chance.ts'
import { type FieldFit, onPlane, tangentPlane } from './fieldFit.ts'
import { PointGrid } from './pointGrid.ts'
import { refineField } from './refineField.ts'
import { SkyPatch } from './skyPatch.ts'
import { type Star, StarFlag } from './stars.ts'
import { measureZeroPoint, type ZeroPoint } from './zeroPoint.ts'

/**
 * Where a frame points, from its stars and a catalogue, near a hint. Triangles of the brightest stars are compared with
 * those of the brightest catalogue stars on overlapping tiles of the sky, nearest to the hint first, in both parities.
 * A triangle that fits proposes a place; other stars must confirm it far beyond chance, before and after the fit. The work
 * is bounded: a frame that cannot be solved says so soon.
 */
export type SkyCatalogue = Pick<StarCatalogue, 'starsNear'>

export interface SolveHint {
  readonly raDeg: number
  readonly decDeg: number
  /** How far the centre of the frame may be from the hint. */
  readonly radiusDeg: number
  /** Default: tries 0.3 to 15. */
  readonly scaleArcsecPerPixel?: number
  /** Relative; 0.1. */
  readonly scaleTolerance?: number
  /** 1: as seen on the sky (East is left of North in the file); −1: mirrored. Default: both. */
  readonly parity?: 1 | -1
}

export type SolveStar = Pick<Star, 'x' | 'y' | 'fluxAdu'> & { readonly flags?: number }

export type Solution =
  | {
      readonly ok: true
      readonly wcs: Wcs
      readonly matched: number
      readonly rmsPixels: number
      /** Of the centre of the frame. */
      readonly raDeg: number
      readonly decDeg: number
      readonly scaleArcsecPerPixel: number
      /** Of the direction of growing y, from North through East. */
      readonly rotationDeg: number
      readonly parity: 1 | -1
      /** Catalogue magnitude of a star of 1 ADU, when enough stars match. */
      readonly zeroPointMag?: number
      /** With its scatter and the number of stars. */
      readonly zeroPoint?: ZeroPoint
      /** log10 of the chance that unrelated stars agree as well. */
      readonly logChance: number
    }
  | { readonly ok: false; readonly reason: string }

/** How many stars of each side make triangles, from quick to thorough. */
const depths = [
  { image: 12, catalogue: 16, fromTile: 0, toTile: 25 },
  { image: 12, catalogue: 16, fromTile: 25, toTile: 400 },
  { image: 24, catalogue: 32, fromTile: 0, toTile: 120 },
  { image: 36, catalogue: 50, fromTile: 0, toTile: 9 },
] as const
/** Fewer prove nothing. */
export const leastStars = 6
/** Bounds the whole search: proposals looked at, and those that are fitted. */
const mostProposals = 150_000
const mostFits = 40
/** The circle in which the catalogue's density is counted to say why there was no match. */
const countRadiusDeg = 2
const mostCounted = 20_000
const scaleRange = { from: 0.3, to: 15, step: 1.4 } as const
const unfit = StarFlag.sharp | StarFlag.unsettled

/** One solving: what all its steps share. */
interface Search {
  readonly stars: Stars
  readonly width: number
  readonly height: number
  readonly hint: SolveHint
  readonly catalogue: SkyCatalogue
  proposals: number
  fits: number
}

/** Usable stars of the frame, brightest first. */
interface Stars {
  readonly x: Float64Array
  readonly y: Float64Array
  readonly flux: Float64Array
  readonly flags: readonly number[]
}

/** Pixels to plane: xi = a·x − p·b·y + c, eta = b·x + p·a·y + d for a parity p. */
interface Similarity {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly handed: 1 | -1
}

/**
 * Finds the world coordinates of a frame of `width` × `height` pixels from its `stars`. Expected failures are values with a
 * reason. A false answer is refused: the stars that agree must be less likely than 1e-9 by chance after all that was tried.
 */
export function solve(
  stars: readonly SolveStar[],
  width: number,
  height: number,
  hint: SolveHint,
  catalogue: SkyCatalogue,
): Solution {
  const usable = chooseStars(stars)
  if (usable.x.length < leastStars) {
    return { ok: false, reason: `only ${usable.x.length} usable stars; solving needs ${leastStars}` }
  }
  const search: Search = { stars: usable, width, height, hint, catalogue, proposals: 0, fits: 0 }
  let empty = true
  for (const depth of depths) {
    for (const range of scalesOf(hint, width, height)) {
      const patch = new SkyPatch(catalogue, hint, range, width, height)
      if (patch.count >= leastStars) empty = false
      const solution = searchPatch(search, patch, range, depth)
      if (solution) return solution
    }
    if (search.proposals >= mostProposals || search.fits >= mostFits) break
  }
  if (empty) return { ok: false, reason: 'the catalogue has too few stars near the hint' }
  return { ok: false, reason: noMatch(search) }
}

function noMatch({ stars, width, height, hint, catalogue }: Search): string {
  const near = `${hint.raDeg.toFixed(3)} ${hint.decDeg.toFixed(3)}`
  const none = `no match within ${hint.radiusDeg}° of ${near} among ${stars.x.length} stars`
  if (hint.scaleArcsecPerPixel === undefined) return none
  const around = catalogue.starsNear(hint.raDeg, hint.decDeg, countRadiusDeg, { max: mostCounted }).length
  const fieldDeg2 = width * height * (hint.scaleArcsecPerPixel / 3600) ** 2
  const expected = (around * fieldDeg2) / (Math.PI * countRadiusDeg ** 2)
  if (expected >= leastStars) return none
  const few = `the catalogue has about ${expected.toPrecision(1)} stars in so small a field, and ${leastStars} are needed`
  return `${none}: ${few}`
}

/** Stars that may be real, brightest first. Doubtful ones are used only when there are too few others. */
function chooseStars(stars: readonly SolveStar[]): Stars {
  const good = stars.filter((star) => ((star.flags ?? 0) & unfit) === 0)
  const chosen = good.length >= leastStars ? good : stars
  const sorted = [...chosen].sort((a, b) => b.fluxAdu - a.fluxAdu).slice(0, 2000)
  return {
    x: Float64Array.from(sorted, (star) => star.x),
    y: Float64Array.from(sorted, (star) => star.y),
    flux: Float64Array.from(sorted, (star) => star.fluxAdu),
    flags: sorted.map((star) => star.flags ?? 0),
  }
}

/** Degrees per pixel, from … to. */
export interface ScaleRange {
  readonly from: number
  readonly to: number
}

function scalesOf(hint: SolveHint, width: number, height: number): ScaleRange[] {
  const { scaleArcsecPerPixel: scale, scaleTolerance = 0.1 } = hint
  if (scale !== undefined) {
    return [{ from: scale / (1 + scaleTolerance) / 3600, to: (scale * (1 + scaleTolerance)) / 3600 }]
  }
  const ranges: ScaleRange[] = []
  const half = Math.sqrt(scaleRange.step)
  for (let at = scaleRange.from * half; at / half < scaleRange.to; at *= scaleRange.step) {
    // A field wider than 40° is no plane any more.
    if ((at * Math.hypot(width, height)) / 3600 < 40) ranges.push({ from: at / half / 3600, to: (at * half) / 3600 })
  }
  // Ordinary telescopes first: 1.5″ a pixel.
  const odd = (range: ScaleRange): number => Math.abs(Math.log((Math.sqrt(range.from * range.to) * 3600) / 1.5))
  return ranges.sort((a, b) => odd(a) - odd(b))
}

function searchPatch(
  search: Search,
  patch: SkyPatch,
  range: ScaleRange,
  depth: (typeof depths)[number],
): Solution | undefined {
  const { stars, width, height } = search
  const used = Math.min(depth.image, stars.x.length)
  const index = new TriangleIndex(trianglesOf(stars.x, stars.y, used, 0.1 * Math.min(width, height)))
  for (const tile of patch.tiles(depth.fromTile, depth.toTile)) {
    const solution = searchTile(search, patch, tile, index, range, depth.catalogue)
    if (solution) return solution
    if (search.proposals >= mostProposals || search.fits >= mostFits) return undefined
  }
  return undefined
}

/** Catalogue stars of one tile on its own tangent plane, brightest first. */
export interface Tile {
  readonly raDeg: number
  readonly decDeg: number
  readonly xi: Float64Array
  readonly eta: Float64Array
}

function searchTile(
  search: Search,
  patch: SkyPatch,
  tile: Tile,
  index: TriangleIndex,
  range: ScaleRange,
  depth: number,
): Solution | undefined {
  const inTile = tile.xi.length
  if (inTile < leastStars) return undefined
  const { x, y } = search.stars
  // As many of the frame's stars as the tile can confirm, and some more for those that the catalogue lacks.
  const confirming = Math.min(x.length, Math.max(30, 3 * Math.min(inTile, 100)))
  const grid = new PointGrid(x, y, confirming)
  const density = confirming / (search.width * search.height)
  const sky = trianglesOf(tile.xi, tile.eta, Math.min(depth, inTile), 0)
  const { triangles } = index
  let solution: Solution | undefined
  const parity = search.hint.parity
  for (let t = 0; t < sky.count && !solution; t++) {
    const tolerance = ratioTolerance(sky.longest[t]! / Math.sqrt(range.from * range.to))
    index.similar(sky.ratios[2 * t]!, sky.ratios[2 * t + 1]!, tolerance, (s) => {
      const scale = sky.longest[t]! / triangles.longest[s]!
      if (scale < range.from || scale > range.to) return false
      const sameTurn = sky.turn[t]! === triangles.turn[s]!
      // On the plane East is +xi, so a frame that shows the sky as it is seen turns the other way.
      if (parity !== undefined && sameTurn === (parity === 1)) return false
      if (++search.proposals > mostProposals) return true
      const guess = similarityOf(search.stars, triangles.corners, 3 * s, tile, sky.corners, 3 * t, sameTurn ? 1 : -1)
      if (!confirmed(search, guess, tile, grid, density)) return false
      if (++search.fits > mostFits) return true
      solution = finish(search, patch, tile, guess)
      return solution !== undefined
    })
    if (search.proposals > mostProposals || search.fits > mostFits) break
  }
  return solution
}

/** How far side ratios may differ: a pixel and a half of a side, and what a lens bends. */
function ratioTolerance(longestPixels: number): number {
  return Math.min(0.008, 0.003 + 1.5 / longestPixels)
}

/** Least squares for three pairs: a rotation, a scale and a shift. */
function similarityOf(
  stars: Stars,
  corners: Uint16Array,
  firstCorner: number,
  tile: Tile,
  catalogued: Uint16Array,
  firstCatalogued: number,
  handed: 1 | -1,
): Similarity {
  let [mx, my, mxi, meta] = [0, 0, 0, 0]
  for (let k = 0; k < 3; k++) {
    mx += stars.x[corners[firstCorner + k]!]! / 3
    my += (handed * stars.y[corners[firstCorner + k]!]!) / 3
    mxi += tile.xi[catalogued[firstCatalogued + k]!]! / 3
    meta += tile.eta[catalogued[firstCatalogued + k]!]! / 3
  }
  let [dot, cross, norm] = [0, 0, 0]
  for (let k = 0; k < 3; k++) {
    const x = stars.x[corners[firstCorner + k]!]! - mx
    const y = handed * stars.y[corners[firstCorner + k]!]! - my
    const xi = tile.xi[catalogued[firstCatalogued + k]!]! - mxi
    const eta = tile.eta[catalogued[firstCatalogued + k]!]! - meta
    dot += x * xi + y * eta
    cross += x * eta - y * xi
    norm += x * x + y * y
  }
  const a = dot / norm
  const b = cross / norm
  return { a, b, c: mxi - a * mx + b * my, d: meta - b * mx - a * my, handed }
}

/** Whether more stars agree with a guess than chance explains; looks at the brightest catalogue stars inside the frame. */
function confirmed(search: Search, guess: Similarity, tile: Tile, grid: PointGrid, density: number): boolean {
  const { a, b, c, d, handed } = guess
  const norm = a * a + b * b
  const { width, height } = search
  const radius = Math.max(3, 0.004 * Math.hypot(width, height))
  const most = Math.min(tile.xi.length, 100)
  let inside = 0
  let agreeing = 0
  for (let i = 0; i < most; i++) {
    const xi = tile.xi[i]! - c
    const eta = tile.eta[i]! - d
    const x = (a * xi + b * eta) / norm
    const y = (handed * (a * eta - b * xi)) / norm
    if (x < 0 || y < 0 || x > width - 1 || y > height - 1) continue
    inside++
    if (grid.nearest(x, y, radius) >= 0) agreeing++
    // Hopeless guesses are dropped early; the triangle's own stars agree in any case.
    if ((inside === 8 && agreeing < 4) || (inside === 16 && agreeing < 6)) return false
  }
  if (agreeing < 5) return false
  const share = Math.min(0.5, density * Math.PI * radius * radius)
  return verdictOf(inside - 3, agreeing - 3, share) < -3
}

/** Fits all stars to a confirmed guess and judges the result. */
function finish(search: Search, patch: SkyPatch, tile: Tile, guess: Similarity): Solution | undefined {
  const { stars, width, height } = search
  const centre: readonly [number, number] = [(width - 1) / 2, (height - 1) / 2]
  const unit = Math.max(width, height) / 2
  const { a, b, c, d, handed } = guess
  const start = {
    bending: 'linear' as const,
    order: 1 as const,
    centre,
    unit,
    xi: Float64Array.of(a * centre[0] - b * handed * centre[1] + c, a * unit, -b * handed * unit),
    eta: Float64Array.of(b * centre[0] + a * handed * centre[1] + d, b * unit, a * handed * unit),
  }
  const solution = solutionFrom(stars, width, height, tangentPlane(tile.raDeg, tile.decDeg), start, search.catalogue)
  return solution && patch.allows(solution, solution.scaleArcsecPerPixel / 3600) ? solution : undefined
}

/**
 * A solution from another's: `guess` is fitted to the stars and judged as our own guesses are, so what the catalogue does not
 * confirm is refused.
 */
export function solveFrom(
  guess: Wcs,
  stars: readonly SolveStar[],
  width: number,
  height: number,
  catalogue: SkyCatalogue,
): Solution {
  const usable = chooseStars(stars)
  if (usable.x.length < leastStars) {
    return { ok: false, reason: `only ${usable.x.length} usable stars; solving needs ${leastStars}` }
  }
  const [x, y] = [(width - 1) / 2, (height - 1) / 2]
  const { raDeg, decDeg } = pixelToSky(guess, x, y)
  const plane = tangentPlane(raDeg, decDeg)
  const unit = Math.max(width, height) / 2
  const slope = (dx: number, dy: number): readonly [number, number] => {
    const sky = pixelToSky(guess, x + dx, y + dy)
    return onPlane(plane, sky.raDeg, sky.decDeg) ?? [0, 0]
  }
  const [alongX, alongY] = [slope(unit / 4, 0), slope(0, unit / 4)]
  const start = {
    bending: 'linear' as const,
    order: 1 as const,
    centre: [x, y] as const,
    unit,
    xi: Float64Array.of(0, 4 * alongX[0], 4 * alongY[0]),
    eta: Float64Array.of(0, 4 * alongX[1], 4 * alongY[1]),
  }
  const solution = solutionFrom(usable, width, height, plane, start, catalogue)
  const place = `${raDeg.toFixed(3)} ${decDeg.toFixed(3)}`
  return solution ?? { ok: false, reason: `the catalogue does not confirm ${place} among ${usable.x.length} stars` }
}

/** All stars fitted from a first guess; undefined when they do not agree beyond chance. */
function solutionFrom(
  stars: Stars,
  width: number,
  height: number,
  plane: Wcs,
  start: FieldFit,
  catalogue: SkyCatalogue,
): Extract<Solution, { ok: true }> | undefined {
  const refined = refineField(stars, width, height, plane, start, catalogue)
  if (!refined) return undefined
  const { wcs, matches, rmsPixels, logChance } = refined
  const zero = measureZeroPoint(
    matches.map((match) => ({
      fluxAdu: stars.flux[match.star]!,
      mag: match.mag,
      bvMag: match.bvMag,
      flags: stars.flags[match.star]!,
    })),
  )
  return {
    ok: true,
    wcs,
    matched: matches.length,
    rmsPixels,
    ...pixelToSky(wcs, (width - 1) / 2, (height - 1) / 2),
    scaleArcsecPerPixel: pixelScaleArcsec(wcs),
    rotationDeg: (Math.atan2(wcs.cd[1], wcs.cd[3]) * 180) / Math.PI,
    parity: wcs.cd[0] * wcs.cd[3] - wcs.cd[1] * wcs.cd[2] < 0 ? 1 : -1,
    ...(zero && { zeroPointMag: zero.zeroPointMag, zeroPoint: zero }),
    logChance,
  }
}
