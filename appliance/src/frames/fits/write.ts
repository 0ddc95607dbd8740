import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Frame } from '../frame.ts'
import type { PixelArray } from '../plane.ts'
import { cardLength } from './card.ts'
import { withChecksums, withEmptyChecksums } from './checksum.ts'
import { blockBytes, FitsHeader, type HeaderEntries } from './header.ts'
import type { EncodedTable } from './table.ts'

export type Bitpix = 8 | 16 | 32 | -32 | -64

/** Pixels to write: a Plane, or any array with its size. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly data: PixelArray | Float64Array
}

/** One HDU to write. */
export interface HduToWrite {
  readonly header?: FitsHeader
  /** Left out: a header without data. */
  readonly data?: Pixels | undefined
  /** Default: by the array's type; Uint16Array is 16 with BZERO 32768. */
  readonly bitpix?: Bitpix
  /** Stored value = pixel − bzero. Default 0, and 32768 for Uint16Array or `bitpix` 16 of float pixels. */
  readonly bzero?: number
  readonly extname?: string
  /** A binary table (`tableHdu`) instead of all of the above; never the first HDU. */
  readonly table?: EncodedTable
}

export interface EncodeOptions {
  /** CHECKSUM and DATASUM; default true. */
  readonly checksum?: boolean
}

const structural =
  /^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BZERO|BSCALE|BLANK|CHECKSUM|DATASUM|ZIMAGE)$/
const ranges: Readonly<Record<number, readonly [number, number]>> = {
  8: [0, 255],
  16: [-32768, 32767],
  32: [-2147483648, 2147483647],
}

function defaultBitpix(data: Pixels['data']): Bitpix {
  if (data instanceof Uint8Array) return 8
  if (data instanceof Uint16Array) return 16
  if (data instanceof Int32Array) return 32
  return data instanceof Float64Array ? -64 : -32
}

function defaultZero(data: Pixels['data'], bitpix: Bitpix): number {
  return bitpix === 16 && !(data instanceof Uint8Array) ? 32768 : 0
}

/** Bytes in whole blocks. */
function paddedLength(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes
}

/** Rounds to the nearest whole number and keeps it inside the type's range; NaN becomes the lowest value. */
function fillWhole(
  target: Uint8Array | Int16Array | Int32Array,
  data: Pixels['data'],
  zero: number,
  bitpix: number,
): void {
  const [low, high] = ranges[bitpix] ?? [0, 0]
  for (let i = 0; i < data.length; i++) {
    const value = Math.round((data[i] as number) - zero)
    target[i] = value >= low ? Math.min(value, high) : low
  }
}

/** Writes pixels to the start of `target`, a zeroed part of the file at a multiple of 8 bytes. */
function encodeData(target: Buffer, data: Pixels['data'], bitpix: Bitpix, zero: number): void {
  const size = Math.abs(bitpix) / 8
  const { buffer, byteOffset } = target
  const bytes = target.subarray(0, data.length * size)
  if (bitpix === -32) new Float32Array(buffer, byteOffset, data.length).set(data)
  else if (bitpix === -64) new Float64Array(buffer, byteOffset, data.length).set(data)
  else if (bitpix === 8) fillWhole(bytes, data, zero, bitpix)
  else if (bitpix === 32) fillWhole(new Int32Array(buffer, byteOffset, data.length), data, zero, bitpix)
  else if (data instanceof Uint16Array && zero === 32768) {
    const stored = new Uint16Array(buffer, byteOffset, data.length)
    for (let i = 0; i < data.length; i++) stored[i] = (data[i] as number) ^ 0x8000
  } else fillWhole(new Int16Array(buffer, byteOffset, data.length), data, zero, bitpix)
  if (size === 2) bytes.swap16()
  else if (size === 4) bytes.swap32()
  else if (size === 8) bytes.swap64()
}

interface Layout {
  readonly bitpix: Bitpix
  readonly zero: number
  readonly shape: readonly number[]
}

/** The mandatory cards in their order, then every other card of the caller's header. A card that says the same is kept. */
function structuralHeader(hdu: HduToWrite, index: number, layout: Layout, extensions: boolean): FitsHeader {
  const given = hdu.header ?? FitsHeader.empty
  const { bitpix, zero, shape } = layout
  const axes = shape.map((length, axis) => [`NAXIS${axis + 1}`, length] as const)
  const entries: HeaderEntries = {
    ...(index === 0 ? { SIMPLE: [true, 'conforms to FITS 4.0'] } : { XTENSION: ['IMAGE', 'image extension'] }),
    BITPIX: [bitpix, 'bits per value; negative is floating point'],
    NAXIS: shape.length,
    ...Object.fromEntries(axes),
    ...(index === 0 ? (extensions ? { EXTEND: true } : {}) : { PCOUNT: 0, GCOUNT: 1 }),
    ...(hdu.extname === undefined ? {} : { EXTNAME: hdu.extname }),
    ...(zero === 0 ? {} : { BZERO: [zero, 'value = stored + BZERO'], BSCALE: 1 }),
  }
  let header = FitsHeader.empty
  for (const [key, entry] of Object.entries(entries)) {
    const made = FitsHeader.from({ [key]: entry }).cards
    const old = given.cards.find((card) => card.key === key)
    header = new FitsHeader([...header.cards, ...(old && old.value === made[0]?.value ? [old] : made)])
  }
  const rest = given.cards.filter(
    (card) => !structural.test(card.key) && !(card.key === 'EXTNAME' && hdu.extname !== undefined),
  )
  // Readers of before FITS 4.0 are told of CONTINUE.
  const continued = rest.some(({ raw }) => raw.length > cardLength) && !given.has('LONGSTRN')
  const warning = continued ? FitsHeader.from({ LONGSTRN: 'OGIP 1.0' }).cards : []
  return new FitsHeader([...header.cards, ...warning, ...rest])
}

/** An HDU whose size and place in the file are known before its pixels are written. */
interface PlacedHdu extends Layout {
  readonly table?: EncodedTable | undefined
  readonly header: FitsHeader
  readonly pixels: Pixels | undefined
  readonly headerBytes: number
  readonly dataBytes: number
}

function place(hdu: HduToWrite, index: number, extensions: boolean, checksum: boolean): PlacedHdu {
  if (hdu.table) {
    if (index === 0)
      throw new NightjarError('fits/table', 'a table cannot be the first HDU: put an image or {} before it')
    const { header, data } = hdu.table
    const sizes = { headerBytes: header.encode().length, dataBytes: data.length }
    return { bitpix: 8, zero: 0, shape: [], header, pixels: undefined, table: hdu.table, ...sizes }
  }
  const pixels = hdu.data
  if (pixels && pixels.data.length !== pixels.width * pixels.height) {
    const size = `${pixels.width} × ${pixels.height}`
    throw new NightjarError('fits/size', `HDU ${index} has ${pixels.data.length} pixels and should have ${size}`)
  }
  const bitpix = hdu.bitpix ?? (pixels ? defaultBitpix(pixels.data) : 8)
  const zero = hdu.bzero ?? (pixels ? defaultZero(pixels.data, bitpix) : 0)
  const shape = pixels ? [pixels.width, pixels.height] : []
  const layout = { bitpix, zero, shape }
  const plain = structuralHeader(hdu, index, layout, extensions)
  const header = checksum ? withEmptyChecksums(plain) : plain
  const dataBytes = paddedLength(((pixels?.data.length ?? 0) * Math.abs(bitpix)) / 8)
  return { ...layout, header, pixels, headerBytes: header.encode().length, dataBytes }
}

/**
 * A FITS file of one or more HDUs, images or tables, the first one primary. Headers keep the caller's cards; SIMPLE … NAXISn, BZERO and
 * BSCALE are made to fit the data. Throws `fits/size` when the array and its size disagree.
 */
export function encodeFits(hdus: readonly HduToWrite[], options: EncodeOptions = {}): Uint8Array {
  const checksum = options.checksum ?? true
  const placed = hdus.map((hdu, index) => place(hdu, index, hdus.length > 1, checksum))
  const total = placed.reduce((sum, hdu) => sum + hdu.headerBytes + hdu.dataBytes, 0)
  // Not from Buffer's pool: typed arrays over it need its start to be aligned.
  const file = Buffer.from(new ArrayBuffer(total))
  let at = 0
  for (const { header, pixels, table, headerBytes, dataBytes, bitpix, zero } of placed) {
    const data = file.subarray(at + headerBytes, at + headerBytes + dataBytes)
    if (table) data.set(table.data)
    else if (pixels) encodeData(data, pixels.data, bitpix, zero)
    file.set((checksum && !table ? withChecksums(header, data) : header).encode(), at)
    at += headerBytes + dataBytes
  }
  return file
}

export interface EncodeFrameOptions extends EncodeOptions {
  /** Of the science plane: -32 (default), or 16 for raw frames (rounded, BZERO 32768). */
  readonly bitpix?: 16 | -32
  /** Write the mask even when no pixel is marked. Default: only when one is. */
  readonly alwaysMask?: boolean
  /** Further extensions, after those of the frame. */
  readonly extensions?: readonly HduToWrite[]
}

const maskBits: HeaderEntries = {
  MP_NODAT: [0, 'bit: no value'],
  MP_BAD: [1, 'bit: defective pixel'],
  MP_SAT: [2, 'bit: saturated'],
  MP_BLOOM: [3, 'bit: bled from a saturated pixel'],
  MP_CR: [4, 'bit: cosmic ray'],
  MP_STRK: [5, 'bit: satellite or aircraft'],
  MP_EDGE: [6, 'bit: too near the border'],
  MP_INTRP: [7, 'bit: interpolated'],
}

/** A frame as FITS: science in the primary HDU, then MASK (uint16, bits named by MP_ keywords) and VARIANCE (float32). */
export function encodeFrame(frame: Frame, options: EncodeFrameOptions = {}): Uint8Array {
  const hdus: HduToWrite[] = [
    { header: frame.header.without('XTENSION', 'EXTTYPE'), data: frame.science, bitpix: options.bitpix ?? -32 },
  ]
  if (options.alwaysMask === true || frame.mask.data.some((bits) => bits !== 0)) {
    hdus.push({ header: FitsHeader.from(maskBits), data: frame.mask, extname: 'MASK' })
  }
  if (frame.variance) hdus.push({ data: frame.variance, extname: 'VARIANCE' })
  return encodeFits([...hdus, ...(options.extensions ?? [])], options)
}
