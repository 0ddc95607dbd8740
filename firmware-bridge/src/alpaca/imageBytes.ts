/**
 * An image of an Alpaca camera, as ImageBytes (Alpaca API reference, "ImageBytes") or as JSON. Both are arrays [x][y] with y
 * fastest, from the top left; a FITS file wants x fastest.
 */

import type { FitsImage } from './fits.ts'
import { type AlpacaFailure, alpacaFailure, explainError, parseReply } from './reply.ts'

export const imageBytesType = 'application/imagebytes'

const headerBytes = 44
const mostPixels = 400_000_000

type Place = [buffer: ArrayBufferLike, at: number, count: number]

/** Little-endian readers by the number of the element type; types of 64 bits are not sent by cameras. */
const elements = {
  1: { bytes: 2, make: (...from: Place) => new Int16Array(...from) },
  2: { bytes: 4, make: (...from: Place) => new Int32Array(...from) },
  3: { bytes: 8, make: (...from: Place) => new Float64Array(...from) },
  4: { bytes: 4, make: (...from: Place) => new Float32Array(...from) },
  6: { bytes: 1, make: (...from: Place) => new Uint8Array(...from) },
  8: { bytes: 2, make: (...from: Place) => new Uint16Array(...from) },
  9: { bytes: 4, make: (...from: Place) => new Uint32Array(...from) },
} as const
type ElementType = keyof typeof elements

export type ReadImage = { readonly ok: true; readonly image: FitsImage } | AlpacaFailure

/** Reads the binary form. Never throws. */
export function readImageBytes(bytes: Uint8Array, transactionId: number): ReadImage {
  if (bytes.length < headerBytes) return alpacaFailure('the image is shorter than its header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = (at: number): number => view.getUint32(at, true)
  const dataStart = word(16)
  if (word(0) !== 1) return alpacaFailure(`ImageBytes of version ${word(0)} are unknown`)
  if (dataStart < headerBytes || dataStart > bytes.length) return alpacaFailure('the image says that it begins outside')
  if (word(4) !== 0) return explainError(word(4), Buffer.from(bytes.subarray(dataStart)).toString('utf8'))
  if (word(8) !== transactionId) {
    return alpacaFailure(`it answered question ${word(8)} instead of ${transactionId}`)
  }
  const [width, height, planes] = [word(32), word(36), word(28) === 3 ? word(40) : 1]
  const element = elements[word(24) as ElementType]
  if (!element) return alpacaFailure(`pixels of type ${word(24)} are unknown`)
  const count = width * height * planes
  if (count === 0 || count > mostPixels) return alpacaFailure(`an image of ${width} × ${height} × ${planes} pixels`)
  if (bytes.length - dataStart !== count * element.bytes) {
    return alpacaFailure(`the image has ${bytes.length - dataStart} bytes instead of ${count * element.bytes}`)
  }
  const data = element.make(...aligned(bytes.subarray(dataStart), element.bytes), count)
  return { ok: true, image: toRows(data, width, height, planes) }
}

/** Reads the JSON form of servers that know no ImageBytes. Never throws. */
export function readImageJson(text: string, transactionId: number): ReadImage {
  const reply = parseReply(text, transactionId)
  if (!reply.ok) return reply
  const columns = reply.value
  const first = Array.isArray(columns) ? (columns[0] as unknown) : undefined
  if (!Array.isArray(columns) || !Array.isArray(first) || first.length === 0) return alpacaFailure('the image is empty')
  const planes = Array.isArray(first[0]) ? first[0].length : 1
  const flat = new Float64Array((columns as unknown[]).flat(2) as number[])
  if (flat.length !== columns.length * first.length * planes || flat.some((value) => !Number.isFinite(value))) {
    return alpacaFailure('the image’s columns differ in length, or hold something else than numbers')
  }
  return { ok: true, image: toRows(flat, columns.length, first.length, planes) }
}

/** Typed arrays may begin only at multiples of their element's size: a copy where these bytes do not. */
function aligned(bytes: Uint8Array, size: number): [buffer: ArrayBufferLike, at: number] {
  if (bytes.byteOffset % size === 0) return [bytes.buffer, bytes.byteOffset]
  return [Uint8Array.prototype.slice.call(bytes).buffer, 0]
}

type Columns = Int16Array | Int32Array | Float64Array | Float32Array | Uint8Array | Uint16Array | Uint32Array

/** Sixteen bits where the values fit, else thirty-two; floats where a value is no integer. */
function rowsFor(data: Columns): Uint16Array | Int32Array | Float32Array {
  if (data instanceof Uint8Array || data instanceof Uint16Array) return new Uint16Array(data.length)
  let small = true
  let whole = true
  for (const value of data) {
    if (value < 0 || value > 65_535) small = false
    if (value !== (value | 0)) whole = false
  }
  if (!whole) return new Float32Array(data.length)
  return small ? new Uint16Array(data.length) : new Int32Array(data.length)
}

/** The side of a square that stays in the processor's cache while it is turned. */
const tile = 64

function toRows(data: Columns, width: number, height: number, planes: number): FitsImage {
  const pixels = rowsFor(data)
  if (planes === 1) turnPlane(data, pixels, width, height)
  else turnColours(data, pixels, width, height, planes)
  return { widthPixels: width, heightPixels: height, planes, pixels }
}

function turnPlane(data: Columns, pixels: FitsImage['pixels'], width: number, height: number): void {
  for (let x0 = 0; x0 < width; x0 += tile) {
    const x1 = Math.min(x0 + tile, width)
    for (let y0 = 0; y0 < height; y0 += tile) {
      const y1 = Math.min(y0 + tile, height)
      for (let y = y0; y < y1; y++) {
        for (let x = x0, from = x0 * height + y; x < x1; x++, from += height) pixels[y * width + x] = data[from]!
      }
    }
  }
}

function turnColours(data: Columns, pixels: FitsImage['pixels'], width: number, height: number, planes: number): void {
  for (let x0 = 0; x0 < width; x0 += tile) {
    for (let y0 = 0; y0 < height; y0 += tile) {
      for (let x = x0; x < Math.min(x0 + tile, width); x++) {
        for (let y = y0; y < Math.min(y0 + tile, height); y++) {
          for (let plane = 0; plane < planes; plane++) {
            pixels[(plane * height + y) * width + x] = data[(x * height + y) * planes + plane]!
          }
        }
      }
    }
  }
}

/** For servers: header and columns of 16-bit pixels given as rows. */
export function writeImageBytes(
  image: { readonly widthPixels: number; readonly heightPixels: number; readonly pixels: Uint16Array },
  ids: { readonly client: number; readonly server: number },
): Uint8Array {
  const { widthPixels, heightPixels, pixels } = image
  const bytes = Buffer.alloc(headerBytes + pixels.length * 2)
  const words = [1, 0, ids.client, ids.server, headerBytes, 2, 8, 2, widthPixels, heightPixels, 0]
  words.forEach((word, index) => void bytes.writeUInt32LE(word, index * 4))
  for (let x = 0; x < widthPixels; x++) {
    for (let y = 0; y < heightPixels; y++) {
      bytes.writeUInt16LE(pixels[y * widthPixels + x]!, headerBytes + (x * heightPixels + y) * 2)
    }
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
