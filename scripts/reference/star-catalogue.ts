/**
 * Makes appliance/catalogue/tycho2.njc, the star catalogue that ships with Nightjar, from Debian's package
 * astrometry-data-tycho2-07-littleendian (Tycho-2, Høg et al. 2000, A&A 355, L27; BSD-2-Clause). Run by hand:
 *
 *   node scripts/reference/star-catalogue.ts [INDEX.fits] [OUT.njc]
 *
 * The index is a FITS file: HDU `kdtree_data_stars` holds each star's unit vector as 3 uint32 (x = lo + u / scale, both
 * from `kdtree_range_stars`), HDU `MAG_VT` its V_T magnitude as a big-endian float32.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import {
  cellInZone,
  cellsInZone,
  packMag,
  packOffset,
  STAR_BYTES,
  STAR_FILE_HEADER_BYTES,
  STAR_FILE_MAGIC,
  zoneOf,
  zoneStarts,
} from '../../appliance/src/observations/starFile.ts'

const BLOCK = 2880

interface Table {
  readonly offset: number
  readonly rowBytes: number
  readonly rows: number
}

/** The binary tables of a FITS file by the name of their first column. */
function tables(file: number): Map<string, Table> {
  const found = new Map<string, Table>()
  const block = Buffer.alloc(BLOCK)
  for (let position = 0; ; ) {
    const cards = new Map<string, string>()
    for (let last = false; !last; ) {
      if (readSync(file, block, 0, BLOCK, position) < BLOCK) return found
      position += BLOCK
      last = readCards(block, cards)
    }
    const number = (key: string): number => Number(cards.get(key) ?? 0)
    let bytes = number('NAXIS') > 0 ? Math.abs(number('BITPIX')) / 8 : 0
    for (let axis = 1; axis <= number('NAXIS'); axis++) bytes *= number(`NAXIS${axis}`)
    const name = cards.get('TTYPE1')
    if (name) found.set(name, { offset: position, rowBytes: number('NAXIS1'), rows: number('NAXIS2') })
    position += Math.ceil(bytes / BLOCK) * BLOCK
  }
}

/** Adds one header block's cards; true at END. */
function readCards(block: Buffer, into: Map<string, string>): boolean {
  for (let at = 0; at < BLOCK; at += 80) {
    const card = block.toString('latin1', at, at + 80)
    const key = card.slice(0, 8).trim()
    if (key === 'END') return true
    if (card[8] !== '=') continue
    const value = card.slice(10).trim()
    into.set(key, value.startsWith("'") ? value.slice(1).split("'")[0]!.trim() : value.split('/')[0]!.trim())
  }
  return false
}

function readTable(file: number, all: Map<string, Table>, name: string): { bytes: Buffer; rows: number } {
  const table = all.get(name)
  if (!table) throw new Error(`no table ${name}: is this astrometry.net's Tycho-2 index?`)
  const bytes = Buffer.allocUnsafeSlow(table.rowBytes * table.rows)
  if (readSync(file, bytes, 0, bytes.length, table.offset) < bytes.length) throw new Error(`table ${name} is cut short`)
  return { bytes, rows: table.rows }
}

interface Stars {
  readonly cell: Uint32Array
  readonly packed: Uint16Array
}

function readStars(path: string): Stars {
  const file = openSync(path, 'r')
  const all = tables(file)
  const range = readTable(file, all, 'kdtree_range_stars').bytes
  const low = [0, 8, 16].map((at) => range.readDoubleLE(at))
  const scale = range.readDoubleLE(48)
  const vectors = readTable(file, all, 'kdtree_data_stars')
  const mags = readTable(file, all, 'MAG_VT').bytes
  closeSync(file)
  const starts = zoneStarts()
  const cell = new Uint32Array(vectors.rows)
  const packed = new Uint16Array(vectors.rows * 3)
  for (let i = 0; i < vectors.rows; i++) {
    const [x, y, z] = low.map((lo, axis) => lo + vectors.bytes.readUInt32LE(i * 12 + axis * 4) / scale) as [
      number,
      number,
      number,
    ]
    const decDeg = (Math.atan2(z, Math.hypot(x, y)) * 180) / Math.PI
    const turn = Math.atan2(y, x) / (2 * Math.PI)
    const raDeg = 360 * (turn < 0 ? turn + 1 : turn)
    const zone = zoneOf(decDeg)
    const column = cellInZone(zone, raDeg)
    cell[i] = starts[zone]! + column
    packed[i * 3] = packOffset((raDeg / 360) * cellsInZone(zone) - column)
    packed[i * 3 + 1] = packOffset(decDeg + 90 - zone)
    packed[i * 3 + 2] = packMag(mags.readFloatBE(i * 4))
  }
  return { cell, packed }
}

function write(path: string, stars: Stars): void {
  const count = stars.cell.length
  const cells = zoneStarts().at(-1)!
  const order = new Uint32Array(count).map((_, i) => i)
  const { cell, packed } = stars
  order.sort(
    (a, b) => cell[a]! - cell[b]! || packed[a * 3 + 2]! - packed[b * 3 + 2]! || packed[a * 3]! - packed[b * 3]!,
  )
  const out = Buffer.alloc(STAR_FILE_HEADER_BYTES + 4 * (cells + 1) + count * STAR_BYTES)
  const firsts = new Uint32Array(cells + 1)
  for (const star of cell) firsts[star + 1]!++
  for (let i = 0; i < cells; i++) firsts[i + 1]! += firsts[i]!
  let at = STAR_FILE_HEADER_BYTES
  for (const first of firsts) at = out.writeUInt32LE(first, at)
  for (const i of order) for (let part = 0; part < 3; part++) at = out.writeUInt16LE(packed[i * 3 + part]!, at)
  out.write(STAR_FILE_MAGIC, 0, 'latin1')
  out.writeUInt32LE(count, 8)
  out.writeUInt32LE(cells, 12)
  createHash('sha256').update(out.subarray(STAR_FILE_HEADER_BYTES)).digest().copy(out, 16)
  writeFileSync(path, out)
  console.log(`${path}: ${count} stars in ${cells} cells, ${out.length} bytes`)
}

const source = process.argv[2] ?? '/usr/share/astrometry/index-tycho2-07.littleendian.fits'
write(process.argv[3] ?? `${import.meta.dirname}/../../appliance/catalogue/tycho2.njc`, readStars(source))
