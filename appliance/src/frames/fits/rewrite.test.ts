import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createCompute } from '../compute.ts'
import { FitsHeader } from './header.ts'
import { frameFromCamera } from './ingest.ts'
import { packFits } from './pack.ts'
import { type FitsFile, openFits, readImage } from './read.ts'
import { encodeFits } from './write.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

const padded = (bytes: Uint8Array, fill: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((2880 - (bytes.length % 2880)) % 2880, fill)])

/** Foreign cards of every kind, in a foreign layout. */
const foreign = [
  'TELESCOP=     "odd quotes"',
  "OBJECT  = 'M 31' /no blank before the comment",
  'EXPTIME =   1.50000D+01 / a D exponent',
  'HIERARCH ESO DET CHIP1 GAIN = 1.25 / e-/ADU',
  "NOTE    = 'a long string that goes on after this card, as FITS 4.0 &'",
  "CONTINUE  'says &' / first",
  "CONTINUE  'here' / last",
  "CONTINUE  'an orphan'",
  '',
  'COMMENT   three blanks and\x7fa foreign byte',
  'EXPTIME =                   99 / a second one',
].map((card) => card.padEnd(80))

/** 3 rows of a name and a variable array in the heap. */
const binaryTable = Buffer.concat([
  FitsHeader.from({
    XTENSION: 'BINTABLE',
    BITPIX: 8,
    NAXIS: 2,
    NAXIS1: 12,
    NAXIS2: 3,
    PCOUNT: 7,
    GCOUNT: 1,
    TFIELDS: 2,
    TTYPE1: 'NAME',
    TFORM1: '4A',
    TTYPE2: 'LIST',
    TFORM2: '1PB(7)',
  }).encode(),
  padded(
    Buffer.from('61626364000000030000000065666768000000000000000069696969000000040000000301020304050607', 'hex'),
    0,
  ),
])
/** Padded with blanks. FITS Standard 4.0, section 7.2.3. */
const asciiTable = Buffer.concat([
  FitsHeader.from({
    XTENSION: 'TABLE',
    BITPIX: 8,
    NAXIS: 2,
    NAXIS1: 11,
    NAXIS2: 2,
    PCOUNT: 0,
    GCOUNT: 1,
    TFIELDS: 2,
    TTYPE1: 'STAR',
    TBCOL1: 1,
    TFORM1: 'A4',
    TTYPE2: 'MAG',
    TBCOL2: 6,
    TFORM2: 'F6.2',
  }).encode(),
  padded(Buffer.from('Vega   0.03Sun  -26.74'), 0x20),
])

function file(): Buffer {
  const image = Buffer.from(
    encodeFits([{ data: { width: 4, height: 3, data: Uint16Array.from({ length: 12 }, (_, i) => i * 99) } }], {
      checksum: false,
    }),
  )
  const end = image.indexOf('END'.padEnd(80))
  const header = padded(
    Buffer.from(`${image.toString('latin1', 0, end)}${foreign.join('')}${'END'.padEnd(80)}`, 'latin1'),
    0x20,
  )
  return Buffer.concat([header, image.subarray(2880), binaryTable, asciiTable])
}

/** Of all HDUs but the checksums that the writer adds. */
function cardsOf(from: FitsFile, index: number): string {
  const cards = from.hdus[index]?.header.cards ?? []
  return cards.map(({ key, raw }) => (/^(CHECKSUM|DATASUM)$/.test(key) ? '' : raw)).join('')
}

function dataOf(from: FitsFile, index: number): string {
  const hdu = from.hdus[index]
  const bytes = Buffer.alloc(Math.ceil((hdu?.dataBytes ?? 0) / 2880) * 2880)
  from.readInto(hdu?.dataOffset ?? 0, bytes)
  return bytes.toString('latin1')
}

describe('a file with tables and foreign cards', () => {
  it('keeps every byte of them when facts are added', () => {
    const before = openFits(file())
    const taken = frameFromCamera(file(), { FRAMEID: 'f1', EXPTIME: 15 })
    expect(taken.ok).toBe(true)
    if (!taken.ok) return
    const after = openFits(taken.bytes)
    expect(after.hdus.map(({ kind }) => kind)).toEqual(['image', 'table', 'table'])
    expect(cardsOf(after, 0)).toBe(`${cardsOf(before, 0)}${"FRAMEID = 'f1      '".padEnd(80)}`)
    for (const index of [1, 2]) expect(cardsOf(after, index)).toBe(cardsOf(before, index))
    for (const index of [0, 1, 2]) expect(dataOf(after, index)).toBe(dataOf(before, index))
  })

  it('keeps them when its image is packed, and the packed header has every foreign card', () => {
    const before = openFits(file())
    const after = openFits(packFits(compute, file()))
    expect(after.hdus.map(({ kind }) => kind)).toEqual(['image', 'compressed', 'table', 'table'])
    expect(cardsOf(after, 1)).toContain(foreign.join(''))
    for (const index of [1, 2]) {
      expect(cardsOf(after, index + 1)).toBe(cardsOf(before, index))
      expect(dataOf(after, index + 1)).toBe(dataOf(before, index))
    }
    expect(readImage(compute, after).data).toEqual(readImage(compute, before).data)
  })

  it('is read as its cards say', () => {
    const header = openFits(file()).hdus[0]?.header
    expect(header?.get('NOTE')).toBe('a long string that goes on after this card, as FITS 4.0 says here')
    expect(header?.number('ESO DET CHIP1 GAIN')).toBe(1.25)
    expect(header?.number('EXPTIME')).toBe(15)
    expect(header?.comment('OBJECT')).toBe('no blank before the comment')
  })
})

const tools = spawnSync('sh', ['-c', 'command -v funpack']).status === 0
if (!tools) console.log('skipped: tables through funpack (Debian: apt install libcfitsio-bin)')

it.skipIf(!tools)('tables of a packed file come back from funpack as they were', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-rewrite-'))
  try {
    const path = join(folder, 'a.fits.fz')
    writeFileSync(path, packFits(compute, file()))
    const { stdout } = spawnSync('funpack', ['-S', path])
    const [before, after] = [openFits(file()), openFits(stdout)]
    expect(after.hdus.length).toBe(3)
    for (const index of [0, 1, 2]) expect(dataOf(after, index)).toBe(dataOf(before, index))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
