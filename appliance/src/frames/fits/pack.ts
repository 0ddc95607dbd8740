import { gzipSync } from 'node:zlib'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../compute.ts'
import type { Card } from './card.ts'
import { onesComplementSum, withChecksums } from './checksum.ts'
import { blockBytes, FitsHeader, type HeaderEntries } from './header.ts'
import { nullQuantum, type Quantized, QuantizeScratch, quantizeRow } from './quantize.ts'
import { type FitsFile, imageSize, openFits } from './read.ts'
import type { FitsHdu } from './structure.ts'
import { ditherTable } from './tiles.ts'

export interface PackOptions {
  /** Default RICE_1; `suited` is RICE_1, and GZIP_2 for floats that are kept bit for bit. */
  readonly packing?: 'RICE_1' | 'GZIP_1' | 'GZIP_2' | 'suited'
  /** Steps per standard deviation of the noise for floats; 4, as fpack. 0 keeps floats bit for bit (with GZIP_1 or GZIP_2). */
  readonly quantizeLevel?: number
  /** Subtractive dither 1, or 2, which keeps zeros exactly. Default 1. */
  readonly dither?: 1 | 2
  /** ZDITHER0, 1 to 10,000. Default: from the data, so that the same image is always packed alike. */
  readonly ditherSeed?: number
}

const blockPixels = 32
const primary = FitsHeader.from({ SIMPLE: [true, 'conforms to FITS 4.0'], BITPIX: 8, NAXIS: 0, EXTEND: true })
const renamed: Readonly<Record<string, string>> = {
  SIMPLE: 'ZSIMPLE',
  XTENSION: 'ZTENSION',
  BITPIX: 'ZBITPIX',
  NAXIS: 'ZNAXIS',
  EXTEND: 'ZEXTEND',
  PCOUNT: 'ZPCOUNT',
  GCOUNT: 'ZGCOUNT',
  CHECKSUM: 'ZHECKSUM',
  DATASUM: 'ZDATASUM',
}

/** One tile's arrays in the heap; `gzip` instead of `main` for a row of floats that cannot be quantized. */
interface Tile {
  readonly main?: Uint8Array
  readonly gzip?: Uint8Array
  readonly quantized?: Quantized | undefined
}

/** What the image is made of: rows of whole numbers, or of floats. */
interface Source {
  readonly hdu: FitsHdu
  readonly width: number
  readonly height: number
  /** Big-endian, as in the file. */
  readonly bytes: Buffer
}

function sourceOf(file: FitsFile, hdu: FitsHdu): Source {
  const bytes = Buffer.from(new ArrayBuffer(hdu.dataBytes))
  file.readInto(hdu.dataOffset, bytes)
  return { hdu, ...imageSize(file, hdu), bytes }
}

/** Native byte order. */
function turned({ hdu, bytes }: Source): Buffer {
  const copy = Buffer.from(new ArrayBuffer(bytes.length))
  copy.set(bytes)
  if (hdu.bitpix === 16) copy.swap16()
  else if (Math.abs(hdu.bitpix) === 32) copy.swap32()
  else if (hdu.bitpix === -64) copy.swap64()
  return copy
}

/** The stored whole numbers as int32. */
function wholeNumbers(source: Source, target: Int32Array): void {
  const { buffer } = turned(source)
  const { bitpix } = source.hdu
  if (bitpix === 8) target.set(new Uint8Array(buffer))
  else target.set(bitpix === 16 ? new Int16Array(buffer) : new Int32Array(buffer))
}

/** Rows of int32 in the pixel memory at `values`, Rice-coded as cfitsio does. */
function riceTiles(compute: Compute, values: number, width: number, height: number, bytes: number): Uint8Array[] {
  using _scope = compute.scope()
  const room = Math.ceil((width * (bytes + 1) + Math.ceil(width / blockPixels) + 48) / 16) * 16
  const table = compute.int32(4, height)
  const packed = compute.allocate(room * height)
  for (let row = 0; row < height; row++) {
    table.data.set([values + row * width * 4, width, packed + row * room, 0], row * 4)
  }
  const scratchBytes = blockPixels * 4
  const scratch = compute.allocate(scratchBytes * compute.threads)
  compute.rows('encodeTiles', height, [table.pointer, bytes, blockPixels, scratch, scratchBytes])
  return Array.from({ length: height }, (_, row) =>
    new Uint8Array(compute.memory.buffer, packed + row * room, table.data[row * 4 + 3]).slice(),
  )
}

/** Byte planes: first all most significant bytes, then the next (GZIP_2). */
function shuffled(bytes: Uint8Array, size: number): Uint8Array {
  const count = bytes.length / size
  const result = new Uint8Array(bytes.length)
  for (let byte = 0; byte < size; byte++) {
    for (let i = 0; i < count; i++) result[byte * count + i] = bytes[i * size + byte] as number
  }
  return result
}

function gzipTile(bytes: Uint8Array, size: number, packing: 'GZIP_1' | 'GZIP_2'): Uint8Array {
  return gzipSync(packing === 'GZIP_2' ? shuffled(bytes, size) : bytes, { level: 1 })
}

function losslessTiles(compute: Compute, source: Source, packing: 'RICE_1' | 'GZIP_1' | 'GZIP_2'): Tile[] {
  const { hdu, width, height, bytes } = source
  const size = Math.abs(hdu.bitpix) / 8
  if (packing !== 'RICE_1') {
    return Array.from({ length: height }, (_, row) => ({
      main: gzipTile(bytes.subarray(row * width * size, (row + 1) * width * size), size, packing),
    }))
  }
  using _scope = compute.scope()
  const values = compute.int32(width, height)
  wholeNumbers(source, values.data)
  return riceTiles(compute, values.pointer, width, height, size).map((main) => ({ main }))
}

interface Plan {
  readonly packing: 'RICE_1' | 'GZIP_1' | 'GZIP_2'
  readonly level: number
  readonly dither: 1 | 2
  readonly seed: number
}

function quantizedTiles(compute: Compute, source: Source, plan: Plan): Tile[] {
  const { hdu, width, height, bytes } = source
  using _scope = compute.scope()
  const whole = compute.int32(width, height)
  const { buffer } = turned(source)
  const floats = hdu.bitpix === -32 ? new Float32Array(buffer) : new Float64Array(buffer)
  const scratch = new QuantizeScratch(width)
  const random = ditherTable()
  const steps = Array.from({ length: height }, (_, row) => {
    const seed = (row + plan.seed - 1) % 10_000
    const range = [row * width, (row + 1) * width] as const
    const options = { level: plan.level, seed, random, dither: plan.dither }
    return quantizeRow(floats.subarray(...range), whole.data.subarray(...range), scratch, options)
  })
  const rice = plan.packing === 'RICE_1' ? riceTiles(compute, whole.pointer, width, height, 4) : undefined
  const rowBytes = (width * -hdu.bitpix) / 8
  return steps.map((quantized, row) => {
    if (!quantized) return { gzip: gzipTile(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), 1, 'GZIP_1') }
    if (plan.packing === 'RICE_1') return { main: rice?.[row] ?? new Uint8Array(), quantized }
    const words = Buffer.from(Int32Array.from(whole.data.subarray(row * width, (row + 1) * width)).buffer).swap32()
    return { main: gzipTile(words, 4, plan.packing), quantized }
  })
}

/** Table and heap, padded. */
function dataUnit(tiles: readonly Tile[], rowBytes: number, heapBytes: number): Buffer {
  const tableBytes = tiles.length * rowBytes
  const unit = Buffer.alloc(Math.ceil((tableBytes + heapBytes) / blockBytes) * blockBytes)
  let at = 0
  const descriptor = (bytes: Uint8Array | undefined, offset: number): void => {
    if (!bytes) return
    unit.writeUInt32BE(bytes.length, offset)
    unit.writeUInt32BE(at, offset + 4)
    unit.set(bytes, tableBytes + at)
    at += bytes.length
  }
  tiles.forEach(({ main, gzip, quantized }, row) => {
    const start = row * rowBytes
    descriptor(main, start)
    if (rowBytes === 8) return
    unit.writeDoubleBE(quantized?.scale ?? 0, start + 8)
    unit.writeDoubleBE(quantized?.zero ?? 0, start + 16)
    if (rowBytes === 32) descriptor(gzip, start + 24)
  })
  return unit
}

const longest = (tiles: readonly Tile[], of: (tile: Tile) => Uint8Array | undefined): number =>
  tiles.reduce((most, tile) => Math.max(most, of(tile)?.length ?? 0), 0)

function columnEntries(tiles: readonly Tile[], rowBytes: number): HeaderEntries {
  const main = {
    TTYPE1: ['COMPRESSED_DATA', 'bytes of the tiles'],
    TFORM1: `1PB(${longest(tiles, (tile) => tile.main)})`,
  } as const
  if (rowBytes === 8) return main
  const scales = { TTYPE2: 'ZSCALE', TFORM2: '1D', TTYPE3: 'ZZERO', TFORM3: '1D' }
  if (rowBytes === 24) return { ...main, ...scales }
  return {
    ...main,
    ...scales,
    TTYPE4: ['GZIP_COMPRESSED_DATA', 'rows that cannot be quantized'],
    TFORM4: `1PB(${longest(tiles, (tile) => tile.gzip)})`,
  }
}

/** The image's own cards behind those of the table, renamed where both have them. */
function imageCards(header: FitsHeader): Card[] {
  return header.cards.map((card) => {
    const axis = /^NAXIS(\d+)$/.exec(card.key)
    const key = axis ? `ZNAXIS${axis[1]}` : renamed[card.key]
    return key === undefined ? card : { ...card, key, raw: key.padEnd(8) + card.raw.slice(8) }
  })
}

function packedHdu(source: Source, tiles: readonly Tile[], plan: Plan, quantized: boolean): Uint8Array[] {
  const { hdu, width, height } = source
  const rowBytes = quantized ? (tiles.some((tile) => tile.gzip) ? 32 : 24) : 8
  const heapBytes = tiles.reduce((sum, { main, gzip }) => sum + (main?.length ?? 0) + (gzip?.length ?? 0), 0)
  const entries: HeaderEntries = {
    XTENSION: ['BINTABLE', 'tiles of a compressed image'],
    BITPIX: 8,
    NAXIS: 2,
    NAXIS1: rowBytes,
    NAXIS2: height,
    PCOUNT: [heapBytes, 'bytes of the heap'],
    GCOUNT: 1,
    TFIELDS: rowBytes === 8 ? 1 : rowBytes === 24 ? 3 : 4,
    ...columnEntries(tiles, rowBytes),
    ZIMAGE: [true, 'this is a compressed image'],
    ZTILE1: width,
    ZTILE2: 1,
    ZCMPTYPE: plan.packing,
    ...(quantized ? quantizedEntries(plan) : hdu.bitpix < 0 ? { ZQUANTIZ: 'NONE' } : {}),
    ...(plan.packing === 'RICE_1'
      ? { ZNAME1: 'BLOCKSIZE', ZVAL1: blockPixels, ZNAME2: 'BYTEPIX', ZVAL2: quantized ? 4 : Math.abs(hdu.bitpix) / 8 }
      : {}),
    ...(hdu.header.has('EXTNAME') || hdu.index > 0 ? {} : { EXTNAME: 'COMPRESSED_IMAGE' }),
  }
  const header = new FitsHeader([...FitsHeader.from(entries).cards, ...imageCards(hdu.header)])
  const unit = dataUnit(tiles, rowBytes, heapBytes)
  return [withChecksums(header, unit).encode(), unit]
}

function quantizedEntries(plan: Plan): HeaderEntries {
  return {
    ZQUANTIZ: `SUBTRACTIVE_DITHER_${plan.dither}`,
    ZDITHER0: [plan.seed, 'where the random numbers start'],
    ZBLANK: [nullQuantum, 'stands for NaN'],
  }
}

function packingOf(asked: NonNullable<PackOptions['packing']>, exactFloats: boolean): Plan['packing'] {
  if (asked !== 'suited') return asked
  return exactFloats ? 'GZIP_2' : 'RICE_1'
}

function packHdu(compute: Compute, file: FitsFile, hdu: FitsHdu, options: PackOptions): Uint8Array[] {
  const source = sourceOf(file, hdu)
  const level = options.quantizeLevel ?? 4
  const packing = packingOf(options.packing ?? 'RICE_1', hdu.bitpix < 0 && level === 0)
  const seed = options.ditherSeed ?? 1 + (onesComplementSum(source.bytes) % 10_000)
  const plan = { packing, level, seed, dither: options.dither ?? 1 }
  if (hdu.bitpix > 0 || level === 0) {
    return packedHdu(source, losslessTiles(compute, source, packing), plan, false)
  }
  return packedHdu(source, quantizedTiles(compute, source, plan), plan, true)
}

function checkOptions({ packing = 'RICE_1', quantizeLevel = 4, ditherSeed = 1 }: PackOptions, file: FitsFile): void {
  const floats = file.hdus.some((hdu) => isPackable(hdu) && hdu.bitpix < 0)
  if (packing === 'RICE_1' && quantizeLevel === 0 && floats) {
    throw new NightjarError('fits/pack', 'RICE_1 cannot keep floats bit for bit: use GZIP_2, or a quantizeLevel')
  }
  if (!Number.isFinite(quantizeLevel) || !Number.isInteger(ditherSeed) || ditherSeed < 1 || ditherSeed > 10_000) {
    const given = `quantizeLevel ${quantizeLevel}, ditherSeed ${ditherSeed}`
    throw new NightjarError('fits/pack', `${given}: the level must be a number and the seed 1 to 10,000`)
  }
}

/** A plane of pixels of a type that the tiles can hold, and nothing but pixels; anything else is copied as it is. */
function isPackable(hdu: FitsHdu): boolean {
  const [width = 0, height = 0] = hdu.shape
  const bytes = (width * height * Math.abs(hdu.bitpix)) / 8
  return hdu.kind === 'image' && bytes > 0 && hdu.dataBytes === bytes && hdu.bitpix !== 64
}

function copied(file: FitsFile, hdu: FitsHdu): Uint8Array[] {
  const data = new Uint8Array(Math.ceil(hdu.dataBytes / blockBytes) * blockBytes)
  // With its padding, which is blanks in ASCII tables.
  file.readInto(hdu.dataOffset, data.subarray(0, Math.min(data.length, file.sizeBytes - hdu.dataOffset)))
  return [hdu.header.encode(), data]
}

/**
 * A FITS file with its images packed in tiles of one row each (FITS Standard 4.0, section 10), as fpack does; whole numbers
 * come back bit for bit. Tables, cubes, 64-bit integers and HDUs without pixels are copied, and every card that is not about
 * the packing keeps its bytes. Throws as `openFits`, and `fits/pack` for options that do not go together.
 */
export function packFits(
  compute: Compute,
  from: string | Uint8Array | FitsFile,
  options: PackOptions = {},
): Uint8Array {
  const file = typeof from === 'string' || from instanceof Uint8Array ? openFits(from) : from
  checkOptions(options, file)
  const parts = file.hdus.flatMap((hdu) => {
    if (!isPackable(hdu)) return copied(file, hdu)
    const packed = packHdu(compute, file, hdu, options)
    return hdu.index === 0 ? [primary.encode(), ...packed] : packed
  })
  return Buffer.concat(parts)
}
