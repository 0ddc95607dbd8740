import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Star databases of ASTAP, for a solver without its own: 290 files, each an area of the sky, of five bytes a star, brightest
 * first. Debian has the program and no database. The layout is that of the planetarium program HNSKY (H. Kleijn, "290 star
 * database format"): 110 bytes of header that end with the size of a record; then records of 24 bits of right ascension and
 * the lower 16 bits of the declination. A record whose right ascension is all ones begins a section: the upper 8 bits of the
 * declination, plus 128, and ten times the magnitude, plus 16, of the stars that follow.
 */
export interface DatabaseStar {
  readonly raDeg: number
  readonly decDeg: number
  readonly mag: number
}

/** Borders of the nine rings of the southern sky, degrees, and into how many areas each is cut. */
const borders = [
  -90, -85.23224404, -75.66348756, -65.99286637, -56.14497387, -46.03163067, -35.54307745, -24.53348115, -12.79440589,
]
const areas = [1, 4, 8, 12, 16, 20, 24, 28, 32]
const headerBytes = 110
const recordBytes = 5
const raSteps = 256 ** 3 - 1
const decSteps = 128 * 256 ** 2 - 1

/** Writes the files of a database of this name (`d50` …) into a folder; areas without stars have empty files. */
export function writeAstapDatabase(folder: string, name: string, stars: Iterable<DatabaseStar>): void {
  mkdirSync(folder, { recursive: true })
  const files = new Map<string, DatabaseStar[]>()
  for (let ring = 0; ring < 18; ring++) {
    for (let area = 0; area < countOf(ring); area++) files.set(fileOf(ring, area), [])
  }
  for (const star of stars) files.get(areaOf(star))!.push(star)
  for (const [file, members] of files) writeFileSync(join(folder, `${name}_${file}.290`), encode(members))
}

const countOf = (ring: number): number => areas[ring < 9 ? ring : 17 - ring]!

const fileOf = (ring: number, area: number): string =>
  [ring + 1, area + 1].map((number) => String(number).padStart(2, '0')).join('')

function areaOf({ raDeg, decDeg }: DatabaseStar): string {
  const south = borders.findLastIndex((border) => -Math.abs(decDeg) >= border)
  const ring = decDeg <= 0 ? south : 17 - south
  return fileOf(ring, Math.min(countOf(ring) - 1, Math.floor((raDeg / 360) * countOf(ring))))
}

function encode(stars: readonly DatabaseStar[]): Uint8Array {
  const header = Buffer.alloc(headerBytes, ' ')
  header.write('Star database in the 290-5 format', 'latin1')
  header[headerBytes - 1] = recordBytes
  const packed = stars.map(({ raDeg, decDeg, mag }) => ({
    ra: Math.min(raSteps - 1, Math.round((raDeg / 360) * raSteps)),
    dec: Math.round((decDeg / 90) * decSteps),
    mag10: Math.round(10 * mag),
  }))
  packed.sort((a, b) => a.mag10 - b.mag10 || (a.dec >> 16) - (b.dec >> 16) || a.ra - b.ra)
  const records: number[] = []
  let section = ''
  for (const { ra, dec, mag10 } of packed) {
    const high = dec >> 16
    if (section !== `${mag10} ${high}`) records.push(255, 255, 255, high + 128, mag10 + 16)
    section = `${mag10} ${high}`
    records.push(ra & 255, (ra >> 8) & 255, ra >> 16, dec & 255, (dec >> 8) & 255)
  }
  return Buffer.concat([header, Uint8Array.from(records)])
}
