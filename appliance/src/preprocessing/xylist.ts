import type { SolveStar } from './solve.ts'

/**
 * A star list as a FITS binary table (FITS 4.0, section 7.3) of X, Y (1-based) and FLUX, float64, brightest first: what
 * astrometry.net calls an xylist.
 */
const blockBytes = 2880
const cardBytes = 80
const columns = ['X', 'Y', 'FLUX'] as const
const rowBytes = 8 * columns.length

/** The bytes of the table's file. */
export function encodeXylist(stars: readonly SolveStar[]): Uint8Array {
  const sorted = [...stars].sort((a, b) => b.fluxAdu - a.fluxAdu)
  const rows = new Uint8Array(padded(sorted.length * rowBytes))
  const view = new DataView(rows.buffer)
  sorted.forEach((star, row) => {
    const cells = [star.x + 1, star.y + 1, star.fluxAdu]
    cells.forEach((value, column) => {
      view.setFloat64(row * rowBytes + 8 * column, value)
    })
  })
  const primary = header(['SIMPLE', 'T'], ['BITPIX', '8'], ['NAXIS', '0'], ['EXTEND', 'T'])
  const table = header(
    ['XTENSION', "'BINTABLE'"],
    ['BITPIX', '8'],
    ['NAXIS', '2'],
    ['NAXIS1', String(rowBytes)],
    ['NAXIS2', String(sorted.length)],
    ['PCOUNT', '0'],
    ['GCOUNT', '1'],
    ['TFIELDS', String(columns.length)],
    ...columns.flatMap((name, n): [string, string][] => [
      [`TTYPE${n + 1}`, `'${name.padEnd(8)}'`],
      [`TFORM${n + 1}`, "'D       '"],
    ]),
  )
  return Buffer.concat([primary, table, rows])
}

function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes
}

/** Text begins in column 11, all else ends in column 30. */
function header(...cards: (readonly [string, string])[]): Buffer {
  const lines = cards.map(([key, value]) => {
    const shown = value.startsWith("'") ? value : value.padStart(20)
    return `${key.padEnd(8)}= ${shown}`.padEnd(cardBytes)
  })
  const text = [...lines, 'END'.padEnd(cardBytes)].join('')
  return Buffer.from(text.padEnd(padded(text.length)), 'latin1')
}
