import { FitsHeader } from '../frames/fits/header.ts'
import { tableHdu } from '../frames/fits/table.ts'
import { encodeFits } from '../frames/fits/write.ts'
import type { SolveStar } from './solve.ts'

/** A star list as a FITS binary table of X, Y (1-based) and FLUX, brightest first: what astrometry.net calls an xylist. */
export function encodeXylist(stars: readonly SolveStar[]): Uint8Array {
  const sorted = [...stars].sort((a, b) => b.fluxAdu - a.fluxAdu)
  const table = tableHdu('STARS', [
    { name: 'X', values: sorted.map((star) => star.x + 1) },
    { name: 'Y', values: sorted.map((star) => star.y + 1) },
    { name: 'FLUX', values: sorted.map((star) => star.fluxAdu) },
  ])
  return encodeFits([{ header: FitsHeader.empty }, { table }])
}
