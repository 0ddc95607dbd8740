import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCompute } from '../compute.ts'
import { verifyChecksums } from './checksum.ts'
import { FitsHeader } from './header.ts'
import { packFits } from './pack.ts'
import { openFits } from './read.ts'
import { type Cell, type ColumnToWrite, readTable, tableHdu } from './table.ts'
import { encodeFits } from './write.ts'

/** Written and read by astropy: scripts/reference/fits_table.py. */
interface Told {
  readonly base64: string
  readonly values: Readonly<Record<string, readonly unknown[]>>
}
const reference = JSON.parse(readFileSync(new URL('../table.reference.json', import.meta.url), 'utf8')) as {
  every: Told
  scaled: Told
  written: { cards: Record<string, string | number>; data: string }
}

/** As the reference says it: integers beyond 2⁵³ as text, NaN and "none" as null, texts in the heap by letters. */
function told(cell: Cell, form: string): unknown {
  if (/^1?PA/.test(form)) return [...String(cell)]
  if (typeof cell === 'bigint') return String(cell)
  if (cell === undefined || Number.isNaN(cell)) return null
  return Array.isArray(cell) ? cell.map((part) => told(part, '')) : cell
}

describe('a binary table of astropy', () => {
  it.each(['every', 'scaled'] as const)('has the values that astropy finds: %s', (name) => {
    const { base64, values } = reference[name]
    const columns = readTable(openFits(Buffer.from(base64, 'base64')), 1)
    expect(columns.map((column) => column.name)).toEqual(Object.keys(values))
    for (const column of columns) {
      expect([column.name, column.values.map((cell) => told(cell, column.form))]).toEqual([
        column.name,
        values[column.name],
      ])
    }
  })

  it('is refused when a descriptor points beyond the heap, or a column is unknown', () => {
    const bytes = Buffer.from(reference.every.base64, 'base64')
    const hdu = openFits(bytes).hdus[1]
    const far = Buffer.from(bytes)
    // The descriptors of RAGGED, FAR and NAMES end the row: 8 + 16 + 8 bytes.
    far.writeUInt32BE(0x7fffffff, (hdu?.dataOffset ?? 0) + (hdu?.shape[0] ?? 0) - 32)
    expect(() => readTable(openFits(far, { name: 'a.fits' }), 1)).toThrow(
      /a.fits: HDU 1, row 1, column RAGGED: needs bytes/,
    )
    const odd = Buffer.from(bytes)
    odd.write('Z', odd.indexOf("TFORM2  = '") + 11)
    expect(() => readTable(openFits(odd), 1)).toThrow(/TFORM2 is "Z/)
    const empty = FitsHeader.from({
      ...{ XTENSION: 'BINTABLE', BITPIX: 8, NAXIS: 2, NAXIS1: 0, NAXIS2: 2e7, PCOUNT: 0, GCOUNT: 1 },
      ...{ TFIELDS: 1, TFORM1: '0A' },
    })
    const nothing = Buffer.concat([encodeFits([{}]), empty.encode()])
    expect(() => readTable(openFits(nothing), 1)).toThrow(/promises 20000000 rows in 0 bytes/)
    expect(() => readTable(openFits(bytes), 0)).toThrow(/HDU 0 is not a binary table/)
  })
})

const columns: readonly ColumnToWrite[] = [
  { name: 'x', unit: 'pix', values: [1.25, -7e-9, Number.NaN] },
  { name: 'flux', kind: 'E', values: [1, 2.5, 1e10] },
  { name: 'flags', kind: 'J', values: [0, -1, 70000] },
  { name: 'id', kind: 'K', values: [1, 2 ** 40, -5n] },
  { name: 'short', kind: 'I', values: [1, 2, -3] },
  { name: 'byte', kind: 'B', values: [1, 2, 255] },
  { name: 'good', values: [true, false, true] },
  { name: 'name', values: ['a', 'M 47', 'NGC 1234'] },
]

describe('a table that we write', () => {
  const noted = FitsHeader.from({ NOTE: 'x'.repeat(200) })
  const plane = { width: 20, height: 10, data: Float32Array.from({ length: 200 }, (_, i) => (i * 7919) % 101) }
  const file = encodeFits([
    { header: noted, data: plane },
    { table: tableHdu('THINGS', columns) },
    { data: { ...plane, data: Uint16Array.from(plane.data) }, extname: 'MASK' },
    { data: plane, extname: 'VARIANCE' },
  ])

  it('has the layout and the data of astropy, but for how texts and NaN are filled up', () => {
    const { header, data } = tableHdu('THINGS', columns)
    for (const [key, value] of Object.entries(reference.written.cards)) {
      expect([key, String(header.get(key)).replace(/^1(?=[A-Z]$)/, '')]).toEqual([key, String(value)])
    }
    const expected = Buffer.from(reference.written.data, 'base64')
    const ours = Buffer.from(data)
    // Blanks or zero bytes: both end a text.
    const textsOf = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => (byte === 32 ? 0 : byte)))
    expect(textsOf(ours).equals(textsOf(expected))).toBe(true)
  })

  it('reads back, with checksums that hold', () => {
    const opened = openFits(file)
    expect(verifyChecksums(opened)[1]).toEqual({ hdu: 1, data: true, header: true })
    const read = readTable(opened, 1)
    expect(read.map(({ name, values }) => ({ name, values: values.map((value) => value) }))).toEqual(
      columns.map(({ name, values }) => ({ name, values: values.map((value) => (value === -5n ? -5 : value)) })),
    )
    expect(read[0]?.unit).toBe('pix')
  })

  it('refuses values that a column cannot hold and columns of different lengths', () => {
    expect(() => tableHdu('T', [{ name: 'n', kind: 'I', values: [40000] }])).toThrow(
      /column n of kind I cannot hold 40000/,
    )
    expect(() => tableHdu('T', [{ name: 'n', values: ['é'] }])).toThrow(/cannot hold é/)
    const two = [
      { name: 'a', values: [1] },
      { name: 'b', values: [] },
    ]
    expect(() => tableHdu('T', two)).toThrow(/column b has 0 rows and should have 1/)
  })

  it('has nothing that fitsverify finds, beside a mask and a variance, plain and packed', ({ skip }) => {
    if (spawnSync('fitsverify').error) skip('fitsverify is missing: apt-get install fitsverify')
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-table-'))
    try {
      using compute = createCompute({ threads: 1 })
      const packings = [{}, { packing: 'GZIP_1' }, { packing: 'GZIP_2', quantizeLevel: 0 }] as const
      const kinds = [file, ...packings.map((options) => packFits(compute, file, options))]
      kinds.forEach((bytes, index) => {
        const path = join(folder, `${index}.fits`)
        writeFileSync(path, bytes)
        const said = spawnSync('fitsverify', ['-q', path], { encoding: 'utf8' }).stdout
        expect([index, said.split(':')[0]]).toEqual([index, 'verification OK'])
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
