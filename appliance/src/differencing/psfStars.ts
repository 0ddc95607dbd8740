import type { MaskPlane, Plane } from '../frames/plane.ts'
import { median, robustSigma } from './robust.ts'
import { StarGrid } from './starGrid.ts'
import { stellarFwhm } from './starWidth.ts'

/** What psf.ts needs to know about a star; `preprocessing/stars.ts` measures it. */
export interface PsfStar {
  readonly x: number
  readonly y: number
  readonly fluxAdu: number
  readonly snr: number
  readonly fwhmPixels: number
  readonly ellipticity: number
}

export interface PsfInput {
  /** Background-subtracted, ADU. */
  readonly plane: Plane
  readonly mask: MaskPlane
  readonly stars: readonly PsfStar[]
  /** Background noise, ADU. */
  readonly rmsAdu: number
  /** Half the stamp's side. */
  readonly radius: number
  /** Highest polynomial degree allowed. */
  readonly degree?: 0 | 1 | 2
}

const mostStars = 160
/** Along each side of the frame; the stars are spread over the cells. */
const cellsAcross = 5

/** Bright, round, isolated, untouched by any mask bit near the core, away from the border; spread over the frame. */
export function selectPsfStars({ plane, mask, stars, radius }: PsfInput): PsfStar[] {
  const bright = stars.filter((star) => star.snr >= 20 && star.fluxAdu > 0)
  const pool = bright.length >= 12 ? bright : stars.filter((star) => star.snr >= 8 && star.fluxAdu > 0)
  const width = stellarFwhm(pool)
  const locus = pool.filter((star) => Math.abs(star.fwhmPixels - width) < 0.25 * width)
  const spread = Math.max(0.05 * width, robustSigma(locus.map((star) => star.fwhmPixels)))
  const roundest = median(locus.map((star) => star.ellipticity))
  const grid = new StarGrid(stars, plane, 32)
  const reach = Math.min(radius, Math.ceil(3 * width) + 1)
  const isGood = (star: PsfStar): boolean =>
    Math.abs(star.fwhmPixels - width) <= 2.5 * spread &&
    star.ellipticity <= roundest + 0.15 &&
    inside(star, plane, reach + 1) &&
    isClean(star, mask, Math.max(4, 1.6 * width)) &&
    isAlone(star, stars, grid, reach, width)
  return spreadOut(
    [...pool].sort((a, b) => b.snr - a.snr),
    isGood,
    plane,
  )
}

/** The best good ones: at first only so many of each cell, then the others until there are enough. */
function spreadOut(ranked: readonly PsfStar[], isGood: (star: PsfStar) => boolean, plane: Plane): PsfStar[] {
  const share = Math.ceil((1.5 * mostStars) / cellsAcross ** 2)
  const counts = new Uint32Array(cellsAcross ** 2)
  const cell = (at: number, side: number): number =>
    Math.max(0, Math.min(cellsAcross - 1, Math.floor((at * cellsAcross) / side)))
  const chosen: PsfStar[] = []
  const surplus: PsfStar[] = []
  for (const star of ranked) {
    if (chosen.length >= mostStars) break
    const at = cell(star.y, plane.height) * cellsAcross + cell(star.x, plane.width)
    if (counts[at]! >= share) surplus.push(star)
    else if (isGood(star)) {
      counts[at]!++
      chosen.push(star)
    }
  }
  for (const star of surplus.slice(0, 4 * mostStars)) {
    if (chosen.length >= mostStars) break
    if (isGood(star)) chosen.push(star)
  }
  return chosen.sort((a, b) => b.snr - a.snr)
}

function inside(star: PsfStar, plane: Plane, margin: number): boolean {
  return star.x >= margin && star.y >= margin && star.x < plane.width - margin && star.y < plane.height - margin
}

function isClean(star: PsfStar, mask: MaskPlane, radius: number): boolean {
  const reach = Math.ceil(radius)
  const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
  for (let y = cy - reach; y <= cy + reach; y++)
    for (let x = cx - reach; x <= cx + reach; x++) if (mask.data[y * mask.width + x] !== 0) return false
  return true
}

function isAlone(star: PsfStar, stars: readonly PsfStar[], grid: StarGrid, radius: number, fwhm: number): boolean {
  for (const index of grid.within(star.x, star.y, radius)) {
    const other = stars[index]!
    const distance = Math.hypot(other.x - star.x, other.y - star.y)
    if (distance < 0.5) continue
    if (other.fluxAdu > (distance < 2.5 * fwhm ? 0.02 : 0.1) * star.fluxAdu) return false
  }
  return true
}
