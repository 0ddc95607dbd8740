import type { Compute } from '../compute.ts'
import type { Frame } from '../frame.ts'
import { MaskFlag } from '../mask.ts'
import type { MaskPlane, Plane } from '../plane.ts'
import type { FitsHeader } from './header.ts'
import { defaultMaximumBytes, openSource, readFileInto } from './source.ts'
import { type ByteSource, type FitsHdu, fitsError, readStructure } from './structure.ts'
import { planesOf, type TiledImage, tiledImage, unpackedHeader } from './tiles.ts'
import { unpackImage, unpackStored } from './unpack.ts'

export type { FitsHdu } from './structure.ts'

/** An opened FITS file: headers are read and checked, data are read on demand. Nothing to close. */
export interface FitsFile {
  readonly name: string
  readonly sizeBytes: number
  readonly hdus: readonly FitsHdu[]
  /** Copies the bytes at `offset` into `target`. Throws `fits/truncated` when the file has become shorter. */
  readInto(offset: number, target: Uint8Array): void
}

export interface OpenOptions {
  /** For messages when the source is bytes. */
  readonly name?: string
  /** Limit of one image's data and of what a gzip file unpacks to; 512 MiB. */
  readonly maximumBytes?: number
}

const limits = new WeakMap<FitsFile, number>()

/**
 * Opens a FITS file (also .gz) from a path or bytes. Every size in every header is checked against the file before
 * anything is allocated. Throws `fits/unreadable`, `fits/not-fits`, `fits/header`, `fits/truncated`, `fits/lying`,
 * `fits/gzip`, `fits/too-large`; each names the file and the fix.
 */
export function openFits(from: string | Uint8Array, options: OpenOptions = {}): FitsFile {
  const maximumBytes = options.maximumBytes ?? defaultMaximumBytes
  const { source, path } = openSource(from, options.name, maximumBytes)
  const file: FitsFile = {
    name: source.name,
    sizeBytes: source.sizeBytes,
    hdus: readStructure(source),
    readInto: (offset, target) => readInto(source, path, offset, target),
  }
  limits.set(file, maximumBytes)
  return file
}

function readInto(source: ByteSource, path: string | undefined, offset: number, target: Uint8Array): void {
  if (path !== undefined) {
    if (readFileInto(path, offset, target) < target.length) {
      throw fitsError('truncated', source, 'the file became shorter while it was read: copy it again')
    }
    return
  }
  target.set(source.read(offset, target.length))
}

/** Width and height of an image HDU, plain or tile-compressed. Throws for tables, empty HDUs, and cubes without a `plane`. */
export function imageSize(
  file: FitsFile,
  hdu: FitsHdu,
  plane?: number,
): { readonly width: number; readonly height: number } {
  if (hdu.kind === 'compressed') {
    const { width, height } = tiledImage(file, hdu, plane)
    return { width, height }
  }
  if (hdu.kind !== 'image') throw fitsError('not-image', file, `HDU ${hdu.index} is a table, not an image`)
  const [width = 0, height = hdu.shape.length === 1 ? 1 : 0] = hdu.shape
  if (width * height === 0) throw fitsError('not-image', file, `HDU ${hdu.index} has no pixels`)
  planesOf(file, hdu.index, hdu.shape, plane)
  return { width, height }
}

/** True for an HDU that holds pixels of two or more axes. */
function hasPixels(hdu: FitsHdu): boolean {
  if (hdu.kind === 'compressed') return (hdu.header.number('ZNAXIS') ?? 0) >= 2
  return hdu.kind === 'image' && hdu.shape.length >= 2 && hdu.dataBytes > 0
}

/** The first HDU with pixels: where the primary is empty, the first extension that has any, plain or compressed. */
export function firstImage(file: FitsFile): FitsHdu {
  const found = file.hdus.find(hasPixels) ?? file.hdus.find((hdu) => hdu.kind === 'compressed')
  if (found) return found
  throw fitsError('not-image', file, 'has no image in any HDU')
}

/** The keywords of an image; of a compressed one, as they are when it is unpacked. */
export function imageHeader(hdu: FitsHdu): FitsHeader {
  return hdu.kind === 'compressed' ? unpackedHeader(hdu.header) : hdu.header
}

/** BLANK counts for whole-number images only. */
export function blankOf(hdu: FitsHdu): number | undefined {
  const blank = hdu.bitpix > 0 ? hdu.header.number('BLANK') : undefined
  return blank !== undefined && Number.isInteger(blank) ? blank : undefined
}

/** Outside every 8- and 16-bit value. */
const noBlank = 0x40000000

function decode(compute: Compute, hdu: FitsHdu, raw: number, plane: Plane): void {
  const scale = hdu.header.number('BSCALE') ?? 1
  const zero = hdu.header.number('BZERO') ?? 0
  const blank = blankOf(hdu)
  const base = [raw, plane.pointer, plane.width, scale, zero]
  const hasBlank = blank === undefined ? 0 : 1
  if (hdu.bitpix === 8) compute.rows('decodeU8', plane.height, [...base, blank ?? noBlank])
  else if (hdu.bitpix === 16) {
    // Sums of a 16-bit value and a whole number below 2^23 are exact in float32.
    const whole = scale === 1 && Number.isInteger(zero) && Math.abs(zero) < 8388608 ? 1 : 0
    compute.rows('decodeI16', plane.height, [...base, blank ?? noBlank, whole])
  } else if (hdu.bitpix === 32) compute.rows('decodeI32', plane.height, [...base, blank ?? 0, hasBlank])
  else if (hdu.bitpix === 64) compute.rows('decodeI64', plane.height, [...base, blank ?? 0, hasBlank])
  else if (hdu.bitpix === -32) compute.rows('decodeF32', plane.height, base)
  else compute.rows('decodeF64', plane.height, base)
}

export function checkLimit(file: FitsFile, hdu: FitsHdu, bytes: number): void {
  const maximum = limits.get(file) ?? defaultMaximumBytes
  if (bytes <= maximum) return
  const megabytes = Math.ceil(bytes / 1048576)
  const allowed = Math.floor(maximum / 1048576)
  throw fitsError('too-large', file, `HDU ${hdu.index} has ${megabytes} MiB, more than the ${allowed} allowed`)
}

function readTiled<T>(file: FitsFile, hdu: FitsHdu, plane: number | undefined, unpack: (image: TiledImage) => T): T {
  const image = tiledImage(file, hdu, plane)
  checkLimit(file, hdu, Math.max(hdu.dataBytes, (image.width * image.height * Math.abs(image.bitpix)) / 8))
  return unpack(image)
}

/**
 * The pixels of one HDU (default: the first with an image) as float32, BZERO + BSCALE × value, BLANK → NaN. Rows are in
 * file order whatever ROWORDER says: row 0 is the first in the file, and a WCS in the header fits as it is.
 * Of a cube `planeIndex` (from 0) is read. Throws as `openFits`, and `fits/too-large`, `fits/compressed`, `fits/tile`, `fits/cube`
 * (no plane chosen), `fits/not-image`.
 */
export function readImage(compute: Compute, file: FitsFile, hduIndex?: number, planeIndex?: number): Plane {
  const hdu = hduIndex === undefined ? firstImage(file) : file.hdus[hduIndex]
  if (!hdu) throw fitsError('not-image', file, `has no HDU ${hduIndex}: it has ${file.hdus.length}`)
  if (hdu.kind === 'compressed') {
    return readTiled(file, hdu, planeIndex, (image) => unpackImage(compute, file, hdu, image))
  }
  const { width, height } = imageSize(file, hdu, planeIndex)
  const bytes = (width * height * Math.abs(hdu.bitpix)) / 8
  checkLimit(file, hdu, bytes)
  const plane = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  using _scratch = compute.scope()
  // Float32 is turned round in place; every other type needs its own bytes.
  const raw = hdu.bitpix === -32 ? plane.pointer : compute.allocate(bytes)
  file.readInto(hdu.dataOffset + bytes * (planeIndex ?? 0), new Uint8Array(compute.memory.buffer, raw, bytes))
  decode(compute, hdu, raw, plane)
  return plane
}

/** ROWORDER: whether the first row in the file is the top or the bottom of the picture. Undefined when not said. */
export function rowOrder(file: FitsFile, hduIndex = 0): 'TOP-DOWN' | 'BOTTOM-UP' | undefined {
  const order = file.hdus[hduIndex]?.header.text('ROWORDER')?.trim().toUpperCase()
  return order === 'TOP-DOWN' || order === 'BOTTOM-UP' ? order : undefined
}

/**
 * Names of mask planes in `MP_…` keywords (the bit's number), as LSST writes them and as we do, and our bit for each.
 * A bit with a name that is not here says nothing bad of the pixel.
 */
export const maskPlaneNames: Readonly<Record<string, MaskFlag>> = {
  MP_NODAT: MaskFlag.noData,
  MP_NO_DATA: MaskFlag.noData,
  MP_BAD: MaskFlag.bad,
  MP_SAT: MaskFlag.saturated,
  MP_BLOOM: MaskFlag.bloom,
  MP_CR: MaskFlag.cosmicRay,
  MP_STRK: MaskFlag.streak,
  MP_STREAK: MaskFlag.streak,
  MP_EDGE: MaskFlag.edge,
  MP_INTRP: MaskFlag.interpolated,
}

/** Our bits for each of 32 bits on disk. Without any MP_ keyword every bit means a bad pixel. */
function maskTable(header: FitsHeader): Uint16Array {
  const table = new Uint16Array(32)
  const named = header.cards.filter((card) => card.key.startsWith('MP_') && typeof card.value === 'number')
  if (named.length === 0) return table.fill(MaskFlag.bad)
  for (const card of named) {
    const bit = Number(card.value)
    if (bit >= 0 && bit < 32) table[bit] = maskPlaneNames[card.key] ?? 0
  }
  return table
}

/** A mask's values in the pixel memory, big-endian. */
function maskBytes(compute: Compute, file: FitsFile, hdu: FitsHdu): { readonly raw: number; readonly bitpix: number } {
  if (hdu.kind === 'compressed') {
    const plane = readTiled(file, hdu, undefined, (image) => unpackStored(compute, file, hdu, image))
    Buffer.from(plane.data.buffer, plane.pointer, plane.data.length * 4).swap32()
    return { raw: plane.pointer, bitpix: 32 }
  }
  const raw = compute.allocate(hdu.dataBytes)
  file.readInto(hdu.dataOffset, new Uint8Array(compute.memory.buffer, raw, hdu.dataBytes))
  return { raw, bitpix: hdu.bitpix }
}

function readMask(compute: Compute, file: FitsFile, hdu: FitsHdu, mask: MaskPlane): void {
  using _scratch = compute.scope()
  const { raw, bitpix } = maskBytes(compute, file, hdu)
  const table = compute.uint16(32, 1)
  table.data.set(maskTable(hdu.header))
  const zero = hdu.header.number('BZERO') ?? 0
  compute.rows('decodeMask', mask.height, [raw, mask.pointer, mask.width, bitpix / 8, zero, table.pointer])
}

/** NAXISn of an image; of a compressed one, of what is in it. */
function shapeOf(hdu: FitsHdu): readonly number[] {
  if (hdu.kind !== 'compressed') return hdu.shape
  const axes = Math.min(hdu.header.number('ZNAXIS') ?? 0, 3)
  return Array.from({ length: axes }, (_, axis) => hdu.header.number(`ZNAXIS${axis + 1}`) ?? 0)
}

function bitpixOf(hdu: FitsHdu): number {
  return hdu.kind === 'compressed' ? (hdu.header.number('ZBITPIX') ?? 0) : hdu.bitpix
}

/** An extension of the image's size by one of these names. */
export function companion(file: FitsFile, image: FitsHdu, names: readonly string[]): FitsHdu | undefined {
  const shape = shapeOf(image)
  return file.hdus.find(
    (hdu) =>
      hdu !== image &&
      (hdu.kind === 'image' || hdu.kind === 'compressed') &&
      names.includes(hdu.name.toUpperCase()) &&
      shapeOf(hdu).length === 2 &&
      shapeOf(hdu).every((length, axis) => length === shape[axis]),
  )
}

/** SATURATE; else the top of the converter for unsigned 16-bit frames, where a full pixel reads 65535. */
export function saturationLevel(image: FitsHdu): number {
  const stated = image.header.number('SATURATE')
  if (stated !== undefined) return stated
  return bitpixOf(image) === 16 && image.header.number('BZERO') === 32768 ? 65535 : Number.POSITIVE_INFINITY
}

/** What an extension adds to the primary header: a frame has one header. */
export function frameHeaderOf(file: FitsFile, image: FitsHdu): FitsHeader {
  const primary = file.hdus[0]?.header
  const header = imageHeader(image)
  // With SIMPLE it was the primary of a file that fpack packed: the empty primary before it says nothing.
  if (!primary || header.cards[0]?.key === 'SIMPLE') return header
  return primary.withCardsOf(header)
}

/**
 * A whole frame from a path, bytes or an opened file: the first image with pixels, its mask and its variance. The mask
 * comes from a MASK extension (bits named by MP_ keywords are translated), else saturated pixels are marked: at or above
 * SATURATE, or 65535 in unsigned 16-bit frames. NaN, infinite and BLANK pixels are marked `noData` in either case.
 * Variance comes from VARIANCE or VAR. Throws as `readImage`.
 */
export function readFrame(compute: Compute, from: string | Uint8Array | FitsFile, options: OpenOptions = {}): Frame {
  const file = typeof from === 'string' || from instanceof Uint8Array ? openFits(from, options) : from
  const image = firstImage(file)
  const science = readImage(compute, file, image.index)
  const { width, height } = science
  const mask = compute.uint16(width, height)
  const maskHdu = companion(file, image, ['MASK'])
  const masked = maskHdu !== undefined && [8, 16, 32].includes(bitpixOf(maskHdu))
  if (masked) readMask(compute, file, maskHdu, mask)
  const saturation = masked ? Number.POSITIVE_INFINITY : saturationLevel(image)
  compute.rows('maskValues', height, [science.pointer, mask.pointer, width, saturation])
  const varianceHdu = companion(file, image, ['VARIANCE', 'VAR'])
  const variance = varianceHdu ? readImage(compute, file, varianceHdu.index) : undefined
  return { header: frameHeaderOf(file, image), width, height, science, mask, variance }
}
