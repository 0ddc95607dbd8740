import { gunzipSync } from 'node:zlib'
import type { Compute } from '../compute.ts'
import type { Plane } from '../plane.ts'
import { FitsHeader } from './header.ts'
import type { FitsFile } from './read.ts'
import { type FitsHdu, fitsError } from './structure.ts'
import { bytesOfElement, ditherTable, type TileColumn, type TiledImage, type TilePacking } from './tiles.ts'

/** Bytes of one tile of the table for the kernel `decodeTiles`. */
const recordBytes = 96
/** When only a look is wanted. */
const tilesLookedAt = 16
/** deflate cannot do better: 258 bytes from 2 bits. */
const mostInflation = 1032
/** So many pixels HCOMPRESS_1 and PLIO_1 may have a byte: a constant tile of 16 rows of a wide chip takes 27 bytes. */
const mostPixelsPerByte = 8192
/** An image this small is always unpacked, however few its bytes. */
const smallPixels = 1 << 20
/** The kernel may look this far beyond a damaged tile: 256 pixels of 57 bits. */
const padBytes = 2048

/** Where the bytes of one tile are and how they are packed. */
interface Piece {
  readonly offset: number
  readonly bytes: number
  readonly how: 'rice' | 'gzip' | 'shuffled' | 'hcompress' | 'plio' | 'plain'
  /** From a column that keeps floats as they are when their noise does not allow quantization. */
  readonly fallback: boolean
}

/** The table and heap of one HDU, in the pixel memory. */
interface Packed {
  readonly file: FitsFile
  readonly hdu: FitsHdu
  readonly image: TiledImage
  readonly pointer: number
  readonly bytes: Buffer
  /** Whole numbers wanted as they are stored, not scaled to float32. */
  readonly asStored: boolean
}

function damaged(packed: Packed, tile: number, what: string): Error {
  return fitsError('tile', packed.file, `HDU ${packed.hdu.index}, tile ${tile + 1}: ${what}: copy the file again`)
}

/** The array that a descriptor points to, checked against the heap; undefined when it is empty or the column is not there. */
function arrayAt(
  packed: Packed,
  tile: number,
  column: TileColumn | undefined,
): Omit<Piece, 'how' | 'fallback'> | undefined {
  if (column === undefined || (column.form !== 'P' && column.form !== 'Q')) return undefined
  const { bytes, image } = packed
  const at = tile * image.rowBytes + column.offset
  const [count, start] =
    column.form === 'P'
      ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
      : [Number(bytes.readBigUInt64BE(at)), Number(bytes.readBigUInt64BE(at + 8))]
  const length = count * bytesOfElement(column.element)
  if (length === 0) return undefined
  const offset = image.heapOffset + start
  if (offset + length <= bytes.length) return { offset, bytes: length }
  const heap = Math.max(0, bytes.length - image.heapOffset)
  throw damaged(packed, tile, `needs bytes ${start} to ${start + length} of a heap of ${heap}`)
}

const howPacked = {
  RICE_1: 'rice',
  GZIP_1: 'gzip',
  GZIP_2: 'shuffled',
  HCOMPRESS_1: 'hcompress',
  PLIO_1: 'plio',
  NOCOMPRESS: 'plain',
} as const

function pieceOf(packed: Packed, tile: number): Piece {
  const { columns, packing } = packed.image
  const main = arrayAt(packed, tile, columns.get('COMPRESSED_DATA'))
  if (main) {
    return { ...main, how: howPacked[packing], fallback: false }
  }
  const gzip = arrayAt(packed, tile, columns.get('GZIP_COMPRESSED_DATA'))
  if (gzip) return { ...gzip, how: 'gzip', fallback: true }
  const plain = arrayAt(packed, tile, columns.get('UNCOMPRESSED_DATA'))
  if (plain) return { ...plain, how: 'plain', fallback: true }
  throw damaged(packed, tile, 'has no data')
}

/** Throws when so few bytes cannot be this many pixels, before anything is made for them. */
function checkDue(packed: Packed, tile: number, piece: Piece, count: number): void {
  const { bytesPerValue, blockPixels, bitpix } = packed.image
  const headBits = bytesPerValue === 4 ? 5 : bytesPerValue === 2 ? 4 : 3
  const least = {
    rice: bytesPerValue + (Math.ceil(count / blockPixels) * headBits) / 8,
    gzip: (count * Math.min(4, Math.abs(bitpix) / 8)) / mostInflation,
    shuffled: (count * Math.min(4, Math.abs(bitpix) / 8)) / mostInflation,
    hcompress: count > smallPixels ? count / mostPixelsPerByte : 0,
    plio: count > smallPixels ? count / mostPixelsPerByte : 0,
    plain: (count * Math.abs(bitpix)) / 8,
  }[piece.how]
  if (piece.bytes < least) throw damaged(packed, tile, `${piece.bytes} bytes cannot hold ${count} pixels`)
}

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

interface Size {
  readonly width: number
  readonly height: number
}

function boxOf(image: TiledImage, tile: number): Box {
  const x = (tile % image.across) * image.tileWidth
  const y = Math.floor(tile / image.across) * image.tileHeight
  return {
    x,
    y,
    width: Math.min(image.tileWidth, image.width - x),
    height: Math.min(image.tileHeight, image.height - y),
  }
}

/** The number of a tile in a plain column, else the keyword of that name. */
function numberOf(packed: Packed, tile: number, name: string): number | undefined {
  const column = packed.image.columns.get(name)
  if (!column) return packed.hdu.header.number(name)
  const at = tile * packed.image.rowBytes + column.offset
  if (column.form === 'D') return packed.bytes.readDoubleBE(at)
  if (column.form === 'E') return packed.bytes.readFloatBE(at)
  if (column.form === 'J') return packed.bytes.readInt32BE(at)
  if (column.form === 'I') return packed.bytes.readInt16BE(at)
  if (column.form === 'B') return packed.bytes.readUInt8(at)
  throw damaged(packed, tile, `column ${name} is no number`)
}

/** Byte planes back to big-endian values: first all most significant bytes, then the next (GZIP_2). */
function unshuffled(bytes: Uint8Array, size: number): Buffer {
  const count = bytes.length / size
  const result = Buffer.from(new ArrayBuffer(bytes.length))
  if (size === 2) {
    const words = new Uint16Array(result.buffer)
    for (let i = 0; i < count; i++) words[i] = (bytes[i] as number) | ((bytes[count + i] as number) << 8)
    return result
  }
  for (let byte = 0; byte < size; byte++) {
    for (let i = 0; i < count; i++) result[i * size + byte] = bytes[byte * count + i] as number
  }
  return result
}

/** The values of a gzip or plain tile, big-endian, of 1, 2, 4 or 8 bytes each. */
function plainBytes(packed: Packed, tile: number, piece: Piece, count: number): Buffer {
  const bytes = packed.bytes.subarray(piece.offset, piece.offset + piece.bytes)
  if (piece.how === 'plain') return bytes
  const most = count * Math.max(4, Math.abs(packed.image.bitpix) / 8)
  try {
    const inflated = gunzipSync(bytes, { maxOutputLength: most })
    return piece.how === 'shuffled' ? unshuffled(inflated, inflated.length / count) : inflated
  } catch (cause) {
    throw damaged(packed, tile, `its gzip data are damaged (${cause instanceof Error ? cause.message : cause})`)
  }
}

/** Writes a tile's values to the pixel memory as int32, or as float32 where they are floats; true when they are. */
function fillValues(packed: Packed, compute: Compute, tile: number, piece: Piece, at: number, count: number): boolean {
  const { image } = packed
  const bytes = plainBytes(packed, tile, piece, count)
  const size = bytes.length / count
  const isFloat = image.bitpix < 0 && (piece.fallback || numberOf(packed, tile, 'ZSCALE') === undefined)
  const floatSize = -image.bitpix / 8
  if (isFloat && size !== floatSize) throw damaged(packed, tile, `${bytes.length} bytes are not ${count} pixels`)
  if (![1, 2, 4, 8].includes(size) || (size === 8 && !isFloat)) {
    throw damaged(packed, tile, `${bytes.length} bytes are not ${count} pixels`)
  }
  const ints = new Int32Array(compute.memory.buffer, at, count)
  const floats = new Float32Array(compute.memory.buffer, at, count)
  // A start that suits every type.
  const native = Buffer.from(new ArrayBuffer(bytes.length))
  native.set(bytes)
  if (size === 2) native.swap16()
  else if (size === 4) native.swap32()
  else if (size === 8) native.swap64()
  const { buffer } = native
  if (isFloat) floats.set(size === 4 ? new Float32Array(buffer) : new Float64Array(buffer))
  else if (size === 4) ints.set(new Int32Array(buffer))
  else if (size === 2) ints.set(new Int16Array(buffer))
  else ints.set(native)
  return isFloat
}

/** One tile as the kernel wants it: where its bytes or values are, where it goes and how its values count. */
function writeRecord(
  packed: Packed,
  compute: Compute,
  record: DataView,
  tile: number,
  piece: Piece,
  box: Box,
  values: number,
): void {
  const { image, hdu } = packed
  const count = box.width * box.height
  // Of these the kernel makes the values.
  const kernels = { rice: 0, hcompress: 1, plio: 2, gzip: undefined, shuffled: undefined, plain: undefined }
  const kernel = kernels[piece.how]
  const isFloat = kernel === undefined && fillValues(packed, compute, tile, piece, values, count)
  const quantized = image.bitpix < 0 && !isFloat
  const blank = numberOf(packed, tile, 'ZBLANK') ?? (image.bitpix > 0 ? hdu.header.number('BLANK') : undefined)
  const hasBlank = blank !== undefined && (blank | 0) === blank && !isFloat
  const scale = image.header.number('BSCALE') ?? 1
  const zero = image.header.number('BZERO') ?? 0
  record.setUint32(0, kernel !== undefined ? packed.pointer + piece.offset : 0, true)
  record.setInt32(4, piece.bytes, true)
  record.setUint32(8, values, true)
  record.setInt32(12, packed.asStored ? 2 : isFloat ? 1 : 0, true)
  ;[box.x, box.y, box.width, box.height].forEach((number, index) => {
    record.setInt32(16 + 4 * index, number, true)
  })
  record.setFloat64(32, quantized ? (numberOf(packed, tile, 'ZSCALE') ?? 1) : scale, true)
  record.setFloat64(40, quantized ? (numberOf(packed, tile, 'ZZERO') ?? 0) : zero, true)
  record.setInt32(48, hasBlank ? blank : 0, true)
  record.setInt32(52, hasBlank ? 1 : 0, true)
  record.setInt32(56, (tile + image.ditherStart - 1) % 10000, true)
  record.setInt32(60, 0, true)
  record.setFloat64(64, scale, true)
  record.setFloat64(72, zero, true)
  record.setInt32(80, quantized && (scale !== 1 || zero !== 0) ? 1 : 0, true)
  record.setInt32(84, kernel ?? 0, true)
}

function load(compute: Compute, file: FitsFile, hdu: FitsHdu, image: TiledImage, asStored = false): Packed {
  const pointer = compute.allocate(hdu.dataBytes + padBytes)
  const bytes = Buffer.from(compute.memory.buffer, pointer, hdu.dataBytes)
  file.readInto(hdu.dataOffset, bytes)
  return { file, hdu, image, pointer, bytes, asStored }
}

/** The values of tiles whose packing has a kernel of its own. */
function unpackByKernel(
  compute: Compute,
  image: TiledImage,
  wanted: readonly (readonly [number, Box])[],
  table: number,
): void {
  if (image.packing === 'PLIO_1') {
    // Pixel lists hold no negative numbers: those of unsigned 16-bit images are true values, not stored ones.
    const unsigned = image.bitpix === 16 && image.header.number('BZERO') === 32768
    compute.rows('plioTiles', wanted.length, [table, unsigned ? -32768 : 0])
  }
  if (image.packing !== 'HCOMPRESS_1') return
  const { tileWidth, tileHeight } = image
  const scratchBytes = 10 * tileWidth * tileHeight + 8 * Math.max(tileWidth, tileHeight) + 64
  const aligned = Math.ceil(scratchBytes / 64) * 64
  const scratch = compute.allocate(aligned * compute.threads)
  compute.rows('hcompressTiles', wanted.length, [table, image.smooth ? 1 : 0, image.bitpix, scratch, aligned])
}

/** Unpacks `wanted` tiles, each to its box of `plane`. */
function decode(
  compute: Compute,
  packed: Packed,
  plane: Plane<Float32Array | Int32Array>,
  wanted: readonly (readonly [number, Box])[],
): void {
  const { image } = packed
  const pieces = wanted.map(([tile, box]) => {
    const piece = pieceOf(packed, tile)
    checkDue(packed, tile, piece, box.width * box.height)
    return piece
  })
  const inPlace = (box: Box): boolean => box.width === plane.width
  const scratchPixels = wanted.reduce((sum, [, box]) => sum + (inPlace(box) ? 0 : box.width * box.height), 0)
  let scratch = compute.allocate(scratchPixels * 4)
  const table = compute.allocate(wanted.length * recordBytes)
  wanted.forEach(([tile, box], index) => {
    const values = inPlace(box) ? plane.pointer + box.y * plane.width * 4 : scratch
    if (!inPlace(box)) scratch += box.width * box.height * 4
    const record = new DataView(compute.memory.buffer, table + index * recordBytes, recordBytes)
    writeRecord(packed, compute, record, tile, pieces[index] as Piece, box, values)
  })
  const random = compute.float32(10_000, 1)
  if (image.dither > 0) random.data.set(ditherTable())
  const { bytesPerValue, blockPixels, dither } = image
  const args = [table, plane.pointer, plane.width, bytesPerValue, blockPixels, dither, random.pointer]
  unpackByKernel(compute, image, wanted, table)
  compute.rows('decodeTiles', wanted.length, args)
  const records = new Int32Array(compute.memory.buffer, table, (wanted.length * recordBytes) / 4)
  const bad = wanted.findIndex((_, index) => records[index * (recordBytes / 4) + 15] !== 0)
  if (bad >= 0) throw damaged(packed, wanted[bad]?.[0] ?? 0, 'its packed data are damaged or end before its pixels do')
}

/** Throws when the file has too few bytes for an image of this size, before anything is made for it. */
function checkWhole(file: FitsFile, hdu: FitsHdu, image: TiledImage): void {
  const dense = image.packing === 'HCOMPRESS_1' || image.packing === 'PLIO_1'
  const due = (hdu.dataBytes - image.heapOffset) * (dense ? mostPixelsPerByte : mostInflation)
  if (image.width * image.height <= Math.max(due, dense ? smallPixels : 0)) return
  const size = `${image.width} × ${image.height}`
  throw fitsError('lying', file, `HDU ${hdu.index} promises ${size} pixels in ${hdu.dataBytes} bytes: it is damaged`)
}

function allTiles(image: TiledImage): (readonly [number, Box])[] {
  return Array.from({ length: image.tiles }, (_, tile) => [image.firstTile + tile, boxOf(image, tile)] as const)
}

/** The packed null pixel masks as an image of their own. FITS Standard 4.0, section 10.2.3. */
function maskOf(packed: Packed, packing: TilePacking): Packed {
  const { image } = packed
  const column = image.columns.get('NULL_PIXEL_MASK')
  const columns = new Map(column ? [['COMPRESSED_DATA', column]] : [])
  const mask = { ...image, columns, packing, bitpix: 8, bytesPerValue: 1, dither: 0, header: FitsHeader.empty } as const
  return { ...packed, image: mask, asStored: true }
}

/** Calls `mark` for every pixel of `wanted` tiles that a null pixel mask says has no value. */
function eachNull(
  compute: Compute,
  packed: Packed,
  { width, height }: Size,
  wanted: readonly (readonly [number, Box])[],
  mark: (index: number) => void,
): void {
  const { maskPacking } = packed.image
  if (maskPacking === undefined) return
  const masks = maskOf(packed, maskPacking)
  const column = masks.image.columns.get('COMPRESSED_DATA')
  const masked = wanted.filter(([tile]) => arrayAt(masks, tile, column) !== undefined)
  if (masked.length === 0) return
  using _scratch = compute.scope()
  const plane = compute.int32(width, height)
  decode(compute, masks, plane, masked)
  for (let i = 0; i < plane.data.length; i++) if (plane.data[i] !== 0) mark(i)
}

/**
 * The pixels of a tile-compressed image as float32, as `readImage` gives those of a plain one. The bytes of each tile are
 * checked against the heap and against what so few bytes can hold. Throws `fits/tile`, `fits/lying`.
 */
export function unpackImage(compute: Compute, file: FitsFile, hdu: FitsHdu, image: TiledImage): Plane {
  checkWhole(file, hdu, image)
  const { width, height } = image
  const plane = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  using _scratch = compute.scope()
  const packed = load(compute, file, hdu, image)
  decode(compute, packed, plane, allTiles(image))
  eachNull(compute, packed, plane, allTiles(image), (index) => {
    plane.data[index] = Number.NaN
  })
  return plane
}

/** The stored whole numbers of an image of BITPIX 8, 16 or 32, without BZERO and BSCALE. Throws as `unpackImage`. */
export function unpackStored(compute: Compute, file: FitsFile, hdu: FitsHdu, image: TiledImage): Plane<Int32Array> {
  checkWhole(file, hdu, image)
  const { width, height } = image
  const plane = compute.view(Int32Array, compute.allocate(width * height * 4), width, height)
  using _scratch = compute.scope()
  const packed = load(compute, file, hdu, image, true)
  decode(compute, packed, plane, allTiles(image))
  const blank = hdu.header.number('BLANK') ?? hdu.header.number('ZBLANK')
  eachNull(compute, packed, plane, allTiles(image), (index) => {
    if (blank === undefined) throw damaged(packed, 0, 'has a null pixel mask but no BLANK to put for its pixels')
    plane.data[index] = blank
  })
  return plane
}

/** The table and heap of an HDU as plain bytes, for a look without unpacking. */
function peek(file: FitsFile, hdu: FitsHdu, image: TiledImage): Packed {
  const bytes = Buffer.alloc(hdu.dataBytes)
  file.readInto(hdu.dataOffset, bytes)
  return { file, hdu, image, pointer: 0, bytes, asStored: true }
}

/** The packed bytes of up to 16 tiles spread over the image. Nothing is unpacked. Throws `fits/tile`. */
export function someTiles(file: FitsFile, hdu: FitsHdu, image: TiledImage): Uint8Array[] {
  const packed = peek(file, hdu, image)
  const count = Math.min(tilesLookedAt, image.tiles)
  return Array.from({ length: count }, (_, index) => {
    const tile = image.firstTile + Math.floor(((index + 0.5) * image.tiles) / count)
    const { offset, bytes } = pieceOf(packed, tile)
    return packed.bytes.subarray(offset, offset + bytes)
  })
}

/**
 * Throws `fits/tile` or `fits/lying` for what can be told without unpacking: the size of the whole, every tile's place and
 * whether so few bytes can be its pixels.
 */
export function checkTiles(file: FitsFile, hdu: FitsHdu, image: TiledImage): void {
  checkWhole(file, hdu, image)
  const packed = peek(file, hdu, image)
  for (const [tile, box] of allTiles(image)) checkDue(packed, tile, pieceOf(packed, tile), box.width * box.height)
}

/** One tile of an image that keeps its pixels as they were: where it goes and its values, big-endian. */
export interface StoredTile extends Box {
  readonly bytes: Buffer
}

/**
 * The tiles of an image packed by gzip or not at all, bit for bit as before packing; undefined when its pixels were
 * quantized or another packing holds them. Throws `fits/tile`, `fits/lying`.
 */
export function storedTiles(file: FitsFile, hdu: FitsHdu, image: TiledImage): StoredTile[] | undefined {
  checkWhole(file, hdu, image)
  const packed = peek(file, hdu, image)
  const size = Math.abs(image.bitpix) / 8
  const tiles: StoredTile[] = []
  for (const [tile, box] of allTiles(image)) {
    const piece = pieceOf(packed, tile)
    const count = box.width * box.height
    checkDue(packed, tile, piece, count)
    if (piece.how === 'rice' || piece.how === 'hcompress' || piece.how === 'plio') return undefined
    if (image.bitpix < 0 && !piece.fallback && numberOf(packed, tile, 'ZSCALE') !== undefined) return undefined
    const bytes = plainBytes(packed, tile, piece, count)
    if (bytes.length !== count * size) return undefined
    tiles.push({ ...box, bytes })
  }
  return tiles
}
