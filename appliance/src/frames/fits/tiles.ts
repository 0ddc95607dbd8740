import { type Card, cardLength, parseCard } from './card.ts'
import { FitsHeader } from './header.ts'
import type { FitsFile } from './read.ts'
import { type FitsHdu, fitsError } from './structure.ts'

/** How the tiles are packed; those that we read. */
export type TilePacking = 'RICE_1' | 'GZIP_1' | 'GZIP_2' | 'HCOMPRESS_1' | 'PLIO_1' | 'NOCOMPRESS'

/** A column of the table of tiles. */
export interface TileColumn {
  /** Of the field within a row. */
  readonly offset: number
  /** P or Q for a descriptor of an array in the heap, else the letter of a plain number. */
  readonly form: string
  /** Of what a descriptor points to. */
  readonly element: string
}

/** What the header of a tile-compressed image promises. FITS Standard 4.0, section 10.1. */
export interface TiledImage {
  readonly header: FitsHeader
  readonly bitpix: number
  readonly width: number
  readonly height: number
  readonly tileWidth: number
  readonly tileHeight: number
  readonly across: number
  /** Of one plane. */
  readonly tiles: number
  /** Where the wanted plane of a cube starts in the table; 0 for an image. */
  readonly firstTile: number
  readonly packing: TilePacking
  readonly bytesPerValue: number
  readonly blockPixels: number
  /** HCOMPRESS_1: blocks are smoothed out. */
  readonly smooth: boolean
  /** How the null pixel masks are packed, where there are any. */
  readonly maskPacking: TilePacking | undefined
  readonly dither: 0 | 1 | 2
  readonly ditherStart: number
  readonly columns: ReadonlyMap<string, TileColumn>
  readonly rowBytes: number
  readonly heapOffset: number
}

const renamed: Readonly<Record<string, string>> = {
  ZSIMPLE: 'SIMPLE',
  ZTENSION: 'XTENSION',
  ZBITPIX: 'BITPIX',
  ZNAXIS: 'NAXIS',
  ZEXTEND: 'EXTEND',
  ZBLOCKED: 'BLOCKED',
  ZPCOUNT: 'PCOUNT',
  ZGCOUNT: 'GCOUNT',
  ZHECKSUM: 'CHECKSUM',
  ZDATASUM: 'DATASUM',
}
const ofTheTable =
  /^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|THEAP|TFIELDS|T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO|DISP)\d+|CHECKSUM|DATASUM|Z(IMAGE|CMPTYPE|TILE\d+|NAME\d+|VAL\d+|MASKCMP|QUANTIZ|DITHER0|SCALE|ZERO|BLANK))$/

function withKey(card: Card, key: string): Card {
  return { ...card, key, raw: key.padEnd(8) + card.raw.slice(8) }
}

/** The header that the image has when it is unpacked; every card that is not about the packing keeps its bytes. */
export function unpackedHeader(table: FitsHeader): FitsHeader {
  const cards = table.cards.flatMap((card) => {
    const axis = /^ZNAXIS(\d+)$/.exec(card.key)
    const key = axis ? `NAXIS${axis[1]}` : renamed[card.key]
    if (key !== undefined) return [withKey(card, key)]
    if (card.key === 'EXTNAME' && card.value === 'COMPRESSED_IMAGE') return []
    return ofTheTable.test(card.key) ? [] : [card]
  })
  if (cards[0]?.key === 'SIMPLE' || cards[0]?.key === 'XTENSION') return new FitsHeader(cards)
  return new FitsHeader([parseCard("XTENSION= 'IMAGE   '".padEnd(cardLength)), ...cards])
}

const elementBytes: Readonly<Record<string, number>> = {
  L: 1,
  B: 1,
  A: 1,
  I: 2,
  J: 4,
  K: 8,
  E: 4,
  D: 8,
  C: 8,
  M: 16,
  P: 8,
  Q: 16,
}

/** Bytes of one value of a column's letter. Section 7.3.1, table 18. */
export function bytesOfElement(letter: string): number {
  return elementBytes[letter] ?? 1
}

const mostColumns = 999

function readColumns(file: FitsFile, hdu: FitsHdu): Map<string, TileColumn> {
  const columns = new Map<string, TileColumn>()
  const count = whole(file, hdu, 'TFIELDS', 1, mostColumns)
  let offset = 0
  for (let field = 1; field <= count; field++) {
    const text = hdu.header.text(`TFORM${field}`)?.trim() ?? ''
    const match = /^(\d*)([LXBIJKAEDCMPQ])(?:([LXBIJKAEDCM])(?:\(\d*\))?)?/.exec(text)
    if (!match) throw fitsError('header', file, `HDU ${hdu.index}: TFORM${field} is "${text}": the header is damaged`)
    const [, repeat = '', form = '', element = ''] = match
    const times = repeat === '' ? 1 : Number(repeat)
    columns.set(hdu.header.text(`TTYPE${field}`)?.trim().toUpperCase() ?? '', { offset, form, element })
    offset += form === 'X' ? Math.ceil(times / 8) : times * bytesOfElement(form)
  }
  if (offset === hdu.shape[0] && offset >= 8) return columns
  throw fitsError('header', file, `HDU ${hdu.index}: its columns take ${offset} bytes but NAXIS1 is ${hdu.shape[0]}`)
}

function whole(file: FitsFile, hdu: FitsHdu, key: string, least: number, most: number, fallback?: number): number {
  const value = hdu.header.get(key) ?? fallback
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw fitsError(
    'header',
    file,
    `HDU ${hdu.index}: ${key} is ${value} and should be a whole number from ${least} to ${most}: the header is damaged`,
  )
}

const longestAxis = 2 ** 31 - 1

/** ZNAXISn or ZTILEn. */
function lengthsOf(file: FitsFile, hdu: FitsHdu, key: string, fallbacks: readonly number[]): number[] {
  const axes = whole(file, hdu, 'ZNAXIS', 1, 999)
  return Array.from({ length: axes }, (_, axis) =>
    whole(file, hdu, `${key}${axis + 1}`, 1, longestAxis, key === 'ZTILE' ? (fallbacks[axis] ?? 1) : undefined),
  )
}

/** How many planes a cube has, checked for `wanted`, its number from 0. Throws `fits/cube` where one must be chosen. */
export function planesOf(
  file: { readonly name: string },
  index: number,
  shape: readonly number[],
  wanted: number | undefined,
): number {
  const planes = shape.slice(2).reduce((product, length) => product * length, 1)
  if (wanted === undefined ? planes === 1 : Number.isInteger(wanted) && wanted >= 0 && wanted < planes) return planes
  const asked = wanted === undefined ? 'a single plane is needed' : `there is no plane ${wanted}`
  throw fitsError('cube', file, `HDU ${index} is ${shape.join(' × ')}: ${asked} (say which, 0 to ${planes - 1})`)
}

const packings: Readonly<Record<string, TilePacking>> = {
  RICE_1: 'RICE_1',
  RICE_ONE: 'RICE_1',
  GZIP_1: 'GZIP_1',
  GZIP_2: 'GZIP_2',
  HCOMPRESS_1: 'HCOMPRESS_1',
  PLIO_1: 'PLIO_1',
  NOCOMPRESS: 'NOCOMPRESS',
}

function packingOf(file: FitsFile, hdu: FitsHdu, key = 'ZCMPTYPE'): TilePacking {
  const name = hdu.header.text(key)?.trim() ?? ''
  const packing = Object.hasOwn(packings, name) ? packings[name] : undefined
  if (packing) return packing
  const fix = 'unpack it with funpack (Debian: libcfitsio-bin)'
  throw fitsError('compressed', file, `HDU ${hdu.index} is packed as ${name || 'nothing known'}, not read here: ${fix}`)
}

/** A parameter of the packing: ZVALn where ZNAMEn is `name`. */
function parameter(hdu: FitsHdu, name: string): number | undefined {
  const card = hdu.header.cards.find((one) => /^ZNAME\d+$/.test(one.key) && String(one.value).trim() === name)
  return card && hdu.header.number(`ZVAL${card.key.slice(5)}`)
}

function ditherOf(file: FitsFile, hdu: FitsHdu, bitpix: number): 0 | 1 | 2 {
  const name = (bitpix < 0 && hdu.header.text('ZQUANTIZ')?.trim()) || 'NO_DITHER'
  if (name === 'NO_DITHER' || name === 'NONE') return 0
  if (name === 'SUBTRACTIVE_DITHER_1') return 1
  if (name === 'SUBTRACTIVE_DITHER_2') return 2
  throw fitsError('compressed', file, `HDU ${hdu.index}: ZQUANTIZ is ${name}, not read here: unpack it with funpack`)
}

const readableBitpix = new Set([8, 16, 32, -32, -64])
const mostBlockPixels = 256
/** Of HCOMPRESS_1: ten bytes are needed to unpack one. */
const mostTilePixels = 2 ** 25

/**
 * What a compressed HDU promises, checked in itself; of a cube, `plane` (from 0) is meant. Throws `fits/header` for what cannot
 * be, `fits/compressed` for packings that the standard does not know and 64-bit integers, `fits/cube`.
 */
export function tiledImage(file: FitsFile, hdu: FitsHdu, wantedPlane?: number): TiledImage {
  const packing = packingOf(file, hdu)
  const bitpix = Number(hdu.header.get('ZBITPIX'))
  if (!readableBitpix.has(bitpix)) {
    throw fitsError('header', file, `HDU ${hdu.index}: ZBITPIX is ${bitpix} and should be 8, 16, 32, -32 or -64`)
  }
  const shape = lengthsOf(file, hdu, 'ZNAXIS', [])
  const planes = planesOf(file, hdu.index, shape, wantedPlane)
  const [width = 1, height = 1] = shape
  const [tileWidth = 1, tileHeight = 1, ...deep] = lengthsOf(file, hdu, 'ZTILE', [width])
  if (planes > 1 && deep.some((length) => length !== 1)) {
    throw fitsError('compressed', file, `HDU ${hdu.index}: its tiles reach over several planes: unpack it with funpack`)
  }
  if (packing === 'HCOMPRESS_1' && Math.min(tileWidth, width) * Math.min(tileHeight, height) > mostTilePixels) {
    throw fitsError('compressed', file, `HDU ${hdu.index}: a tile has more than ${mostTilePixels} pixels`)
  }
  const across = Math.ceil(width / tileWidth)
  const tiles = across * Math.ceil(height / tileHeight)
  const columns = readColumns(file, hdu)
  const [rowBytes = 0, rows = 0] = hdu.shape
  if (rowBytes * rows > hdu.dataBytes) {
    const has = `has ${hdu.dataBytes} bytes for ${rows} rows of ${rowBytes}: the header is damaged`
    throw fitsError('lying', file, `HDU ${hdu.index} ${has}`)
  }
  if (rows < tiles * planes) {
    throw fitsError(
      'lying',
      file,
      `HDU ${hdu.index} promises ${tiles * planes} tiles but has ${rows}: the header is damaged`,
    )
  }
  const bytesPerValue = parameter(hdu, 'BYTEPIX') ?? 4
  const blockPixels = parameter(hdu, 'BLOCKSIZE') ?? 32
  if (![1, 2, 4].includes(bytesPerValue) || !Number.isInteger(blockPixels) || blockPixels < 1) {
    throw fitsError('header', file, `HDU ${hdu.index}: BYTEPIX ${bytesPerValue}, BLOCKSIZE ${blockPixels}: damaged`)
  }
  if (blockPixels > mostBlockPixels) {
    throw fitsError('compressed', file, `HDU ${hdu.index}: BLOCKSIZE ${blockPixels} is more than ${mostBlockPixels}`)
  }
  return {
    header: unpackedHeader(hdu.header),
    bitpix,
    width,
    height,
    tileWidth: Math.min(tileWidth, width),
    tileHeight: Math.min(tileHeight, height),
    across,
    tiles,
    firstTile: tiles * (wantedPlane ?? 0),
    packing,
    bytesPerValue,
    blockPixels,
    smooth: (parameter(hdu, 'SMOOTH') ?? 0) !== 0,
    maskPacking: hdu.header.has('ZMASKCMP') ? packingOf(file, hdu, 'ZMASKCMP') : undefined,
    dither: ditherOf(file, hdu, bitpix),
    ditherStart: whole(file, hdu, 'ZDITHER0', 1, 10000, 1),
    columns,
    rowBytes,
    heapOffset: whole(file, hdu, 'THEAP', rowBytes * rows, Math.max(rowBytes * rows, hdu.dataBytes), rowBytes * rows),
  }
}

const ditherNumbers = 10_000

/** The 10,000 uniform numbers of the subtractive dither. FITS Standard 4.0, Appendix I (Park & Miller 1988). */
export function ditherTable(): Float32Array {
  const table = new Float32Array(ditherNumbers)
  let seed = 1
  for (let i = 0; i < ditherNumbers; i++) {
    // 16807 × seed stays below 2⁵³.
    seed = (16807 * seed) % 2147483647
    table[i] = seed / 2147483647
  }
  return table
}
