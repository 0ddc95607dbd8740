import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { withChecksums } from './checksum.ts'
import { blockBytes, FitsHeader, type HeaderEntries } from './header.ts'
import type { FitsFile } from './read.ts'
import { type FitsHdu, fitsError } from './structure.ts'
import { bytesOfElement } from './tiles.ts'

/** One row's value: a number, a text, a logical (undefined: neither T nor F), or several of them. Complex ones are [re, im]. */
export type Cell = number | bigint | string | boolean | undefined | readonly Cell[]

/** One column of a binary table. */
export interface TableColumn {
  readonly name: string
  readonly unit: string
  /** TFORM as it is written. */
  readonly form: string
  readonly values: readonly Cell[]
}

const mostColumns = 999
/** Of all columns of one table together: what is read is kept as JavaScript values. */
const mostCells = 50_000_000

type Scalar = (view: DataView, at: number) => Cell

const scalars: Readonly<Record<string, Scalar>> = {
  L: (view, at) => ({ 84: true, 70: false })[view.getUint8(at)],
  B: (view, at) => view.getUint8(at),
  I: (view, at) => view.getInt16(at),
  J: (view, at) => view.getInt32(at),
  K: (view, at) => view.getBigInt64(at),
  E: (view, at) => view.getFloat32(at),
  D: (view, at) => view.getFloat64(at),
  C: (view, at) => [view.getFloat32(at), view.getFloat32(at + 4)],
  M: (view, at) => [view.getFloat64(at), view.getFloat64(at + 8)],
}

/** A column's place in a row and how its numbers count. */
interface Field {
  readonly name: string
  readonly unit: string
  readonly form: string
  readonly letter: string
  readonly repeat: number
  /** Of what a P or Q descriptor points to. */
  readonly element: string
  readonly offset: number
  readonly scale: number
  readonly zero: number
  readonly blank: number | undefined
}

function fieldBytes(letter: string, repeat: number): number {
  return letter === 'X' ? Math.ceil(repeat / 8) : repeat * bytesOfElement(letter)
}

function fieldOf(file: FitsFile, hdu: FitsHdu, number: number, offset: number): Field {
  const { header } = hdu
  const form = header.text(`TFORM${number}`)?.trim() ?? ''
  const match = /^(\d{0,9})([LXBIJKAEDCMPQ])(?:([LXBIJKAEDCM]))?/.exec(form)
  const letter = match?.[2] ?? ''
  const descriptor = letter === 'P' || letter === 'Q'
  if (!match || (descriptor && match[3] === undefined)) {
    throw fitsError('header', file, `HDU ${hdu.index}: TFORM${number} is "${form}": the header is damaged`)
  }
  return {
    name: header.text(`TTYPE${number}`)?.trim() ?? '',
    unit: header.text(`TUNIT${number}`)?.trim() ?? '',
    form,
    letter,
    repeat: match[1] === '' ? 1 : Number(match[1]),
    element: match[3] ?? '',
    offset,
    scale: header.number(`TSCAL${number}`) ?? 1,
    zero: header.number(`TZERO${number}`) ?? 0,
    blank: header.number(`TNULL${number}`),
  }
}

function fieldsOf(file: FitsFile, hdu: FitsHdu): Field[] {
  const count = hdu.header.number('TFIELDS') ?? -1
  if (!Number.isInteger(count) || count < 0 || count > mostColumns) {
    throw fitsError('header', file, `HDU ${hdu.index}: TFIELDS is ${count} and should be 0 to ${mostColumns}`)
  }
  const fields: Field[] = []
  let offset = 0
  for (let number = 1; number <= count; number++) {
    const field = fieldOf(file, hdu, number, offset)
    fields.push(field)
    offset += fieldBytes(field.letter, field.repeat)
  }
  if (offset === hdu.shape[0]) return fields
  throw fitsError('header', file, `HDU ${hdu.index}: its columns take ${offset} bytes but NAXIS1 is ${hdu.shape[0]}`)
}

/** TNULL becomes undefined; TSCAL and TZERO make numbers. Unsigned 64-bit integers (TZERO 2⁶³) stay exact. */
function physical(value: Cell, { letter, element, scale, zero, blank }: Field): Cell {
  const kind = element === '' ? letter : element
  if (Array.isArray(value)) {
    return scale === 1 && zero === 0
      ? value
      : value.map((part, index) => Number(part) * scale + (index === 0 ? zero : 0))
  }
  if (typeof value === 'bigint') {
    if (blank !== undefined && value === BigInt(blank)) return undefined
    if (scale === 1 && zero === 2 ** 63) return value + 2n ** 63n
    const plain = scale === 1 && zero === 0
    const safe = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    if (plain) return safe ? Number(value) : value
    return Number(value) * scale + zero
  }
  if (typeof value !== 'number') return value
  if (value === blank && 'BIJ'.includes(kind)) return undefined
  return scale === 1 && zero === 0 ? value : value * scale + zero
}

/** Text up to the first zero byte, without trailing blanks. Section 7.3.3.1. */
function textAt(view: DataView, at: number, length: number): string {
  const text = Buffer.from(view.buffer, view.byteOffset + at, length).toString('latin1')
  const end = text.indexOf('\0')
  return (end < 0 ? text : text.slice(0, end)).trimEnd()
}

/** `count` values of one letter, one after another. */
function valuesAt(view: DataView, at: number, letter: string, count: number, field: Field): Cell {
  if (letter === 'A') return textAt(view, at, count)
  if (letter === 'X') {
    return Array.from({ length: count }, (_, bit) => ((view.getUint8(at + (bit >> 3)) >> (7 - (bit & 7))) & 1) === 1)
  }
  const read = scalars[letter] as Scalar
  const size = bytesOfElement(letter)
  return Array.from({ length: count }, (_, index) => physical(read(view, at + index * size), field))
}

function cellAt(file: FitsFile, hdu: FitsHdu, view: DataView, heap: number, row: number, field: Field): Cell {
  const at = row * (hdu.shape[0] ?? 0) + field.offset
  const { letter, element, repeat } = field
  if (letter !== 'P' && letter !== 'Q') {
    const scalar = repeat === 1 ? scalars[letter] : undefined
    return scalar ? physical(scalar(view, at), field) : valuesAt(view, at, letter, repeat, field)
  }
  if (repeat === 0) return []
  const [count, start] =
    letter === 'P'
      ? [view.getUint32(at), view.getUint32(at + 4)]
      : [Number(view.getBigUint64(at)), Number(view.getBigUint64(at + 8))]
  const bytes = fieldBytes(element, count)
  if (heap + start + bytes <= hdu.dataBytes) return valuesAt(view, heap + start, element, count, field)
  const where = `HDU ${hdu.index}, row ${row + 1}, column ${field.name}`
  throw fitsError('tile', file, `${where}: needs bytes ${start} to ${start + bytes} of the heap, beyond its end`)
}

/** Throws when the table has more values than `mostCells`: overlapping arrays in the heap can promise any number. */
function checkCells(file: FitsFile, hdu: FitsHdu, cells: number): void {
  if (cells <= mostCells) return
  throw fitsError('too-large', file, `HDU ${hdu.index} has more than ${mostCells} values, more than is read at once`)
}

/**
 * The columns of a binary table: TSCAL and TZERO applied, TNULL as undefined, variable-length arrays (P, Q) from the heap.
 * 64-bit integers beyond 2⁵³ are bigints. FITS Standard 4.0, section 7.3. All arrays together may not exceed what the heap can
 * hold 16 times over, nor 50 million values. Throws `fits/header`, `fits/tile`, `fits/too-large`, `fits/not-table`.
 */
export function readTable(file: FitsFile, hduIndex: number): TableColumn[] {
  const hdu = file.hdus[hduIndex]
  if (hdu?.header.text('XTENSION')?.trim() !== 'BINTABLE' || hdu.shape.length !== 2 || hdu.bitpix !== 8) {
    throw fitsError('not-table', file, `HDU ${hduIndex} is not a binary table`)
  }
  const [rowBytes = 0, rows = 0] = hdu.shape
  const fields = fieldsOf(file, hdu)
  const heap = hdu.header.number('THEAP') ?? rowBytes * rows
  if (!Number.isInteger(heap) || heap < rowBytes * rows) {
    throw fitsError('header', file, `HDU ${hdu.index}: THEAP is ${heap}, within the table: the header is damaged`)
  }
  checkCells(file, hdu, rows * (fields.length + rowBytes))
  // Columns without width cost no bytes and still a value a row.
  if (rows * fields.length > heapSharing * hdu.dataBytes) {
    throw fitsError('lying', file, `HDU ${hdu.index} promises ${rows} rows in ${hdu.dataBytes} bytes: it is damaged`)
  }
  const bytes = new Uint8Array(hdu.dataBytes)
  file.readInto(hdu.dataOffset, bytes)
  const view = new DataView(bytes.buffer)
  const arraysDue = heapSharing * Math.max(0, hdu.dataBytes - heap) + rows
  let arrayValues = 0
  return fields.map((field) => {
    const values: Cell[] = []
    for (let row = 0; row < rows; row++) {
      const cell = cellAt(file, hdu, view, heap, row, field)
      if (field.element !== '' && cell !== undefined) arrayValues += (cell as string | readonly Cell[]).length
      if (arrayValues > arraysDue * (field.element === 'X' ? 8 : 1)) {
        throw fitsError('lying', file, `HDU ${hdu.index}: its arrays overlap in the heap beyond measure: it is damaged`)
      }
      values.push(cell)
    }
    return { name: field.name, unit: field.unit, form: field.form, values }
  })
}

/** Rows may share arrays in the heap, but not so often. */
const heapSharing = 16

/** A column to write: numbers, logicals or texts, one a row. */
export interface ColumnToWrite {
  readonly name: string
  readonly unit?: string
  /** L, B, I, J, K, E, D, or A (as wide as the longest text). Default: A for texts, L for logicals, else D. */
  readonly kind?: 'L' | 'B' | 'I' | 'J' | 'K' | 'E' | 'D' | 'A'
  readonly values: readonly (number | bigint | string | boolean)[]
}

/** A binary table to write, with its header and data unit (padded). */
export interface EncodedTable {
  readonly header: FitsHeader
  readonly data: Uint8Array
}

const ranges: Readonly<Record<string, readonly [number, number]>> = {
  B: [0, 255],
  I: [-32768, 32767],
  J: [-2147483648, 2147483647],
  K: [-(2 ** 63), 2 ** 63 - 1024],
}

interface Layout {
  readonly column: ColumnToWrite
  readonly kind: string
  readonly width: number
  readonly offset: number
}

function kindOf({ kind, values }: ColumnToWrite): string {
  if (kind) return kind
  if (typeof values[0] === 'string') return 'A'
  return typeof values[0] === 'boolean' ? 'L' : 'D'
}

function layoutOf(columns: readonly ColumnToWrite[]): Layout[] {
  let offset = 0
  return columns.map((column) => {
    const kind = kindOf(column)
    const longest =
      kind === 'A' ? column.values.reduce((most: number, text) => Math.max(most, String(text).length), 1) : 1
    const layout = { column, kind, width: longest, offset }
    offset += longest * bytesOfElement(kind)
    return layout
  })
}

function fits(kind: string, value: unknown): boolean {
  if (kind === 'A') return typeof value === 'string' && /^[ -~]*$/.test(value)
  if (kind === 'L') return typeof value === 'boolean'
  if (kind === 'K' && typeof value === 'bigint') return BigInt.asIntN(64, value) === value
  if (typeof value !== 'number') return false
  const range = ranges[kind]
  return range === undefined || (Number.isInteger(value) && value >= range[0] && value <= range[1])
}

function put(
  view: DataView,
  at: number,
  { kind, width, column }: Layout,
  value: number | bigint | string | boolean,
): void {
  if (!fits(kind, value)) {
    throw new NightjarError('fits/value', `column ${column.name} of kind ${kind} cannot hold ${String(value)}`)
  }
  if (kind === 'A') Buffer.from(view.buffer, at, width).write(String(value).padEnd(width), 'latin1')
  else if (kind === 'L') view.setUint8(at, value ? 84 : 70)
  else if (kind === 'B') view.setUint8(at, Number(value))
  else if (kind === 'I') view.setInt16(at, Number(value))
  else if (kind === 'J') view.setInt32(at, Number(value))
  else if (kind === 'K') view.setBigInt64(at, BigInt(value))
  else if (kind === 'E') view.setFloat32(at, Number(value))
  else view.setFloat64(at, Number(value))
}

function columnEntries(layouts: readonly Layout[]): HeaderEntries {
  return Object.fromEntries(
    layouts.flatMap(({ column, kind, width }, index) => [
      [`TTYPE${index + 1}`, column.name],
      [`TFORM${index + 1}`, `${kind === 'A' ? width : 1}${kind}`],
      ...(column.unit === undefined ? [] : [[`TUNIT${index + 1}`, column.unit]]),
    ]),
  ) as HeaderEntries
}

/**
 * A BINTABLE extension of plain columns with checksums, for `extensions` of what is written. `header` adds its cards. NaN
 * stands for an undefined E or D. Throws `fits/value` for a value that its column cannot hold and `fits/size` when columns
 * differ in length.
 */
export function tableHdu(name: string, columns: readonly ColumnToWrite[], header = FitsHeader.empty): EncodedTable {
  const rows = columns[0]?.values.length ?? 0
  const odd = columns.find(({ values }) => values.length !== rows)
  if (odd)
    throw new NightjarError('fits/size', `column ${odd.name} has ${odd.values.length} rows and should have ${rows}`)
  const layouts = layoutOf(columns)
  const rowBytes = layouts.reduce((sum, { kind, width }) => sum + width * bytesOfElement(kind), 0)
  const data = new Uint8Array(Math.ceil((rowBytes * rows) / blockBytes) * blockBytes)
  const view = new DataView(data.buffer)
  for (const layout of layouts) {
    layout.column.values.forEach((value, row) => {
      put(view, row * rowBytes + layout.offset, layout, value)
    })
  }
  const structure = FitsHeader.from({
    XTENSION: ['BINTABLE', 'binary table'],
    BITPIX: 8,
    NAXIS: 2,
    NAXIS1: [rowBytes, 'bytes of a row'],
    NAXIS2: [rows, 'rows'],
    PCOUNT: 0,
    GCOUNT: 1,
    TFIELDS: columns.length,
    ...columnEntries(layouts),
    EXTNAME: name,
  })
  return { header: withChecksums(new FitsHeader([...structure.cards, ...header.cards]), data), data }
}
