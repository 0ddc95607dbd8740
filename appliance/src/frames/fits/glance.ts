import { createHash } from 'node:crypto'
import { type FitsFile, firstImage } from './read.ts'
import { tiledImage } from './tiles.ts'
import { someTiles } from './unpack.ts'

/** A quick look at some of an image's pixels, in ADU. */
export interface Glance {
  /** 0 for a tile-compressed image: nothing is unpacked for a look, and there are no values. */
  readonly pixels: number
  readonly min?: number
  readonly max?: number
  readonly median?: number
  /** Every pixel looked at has the same value, or every tile the same bytes. */
  readonly uniform: boolean
  /** Of the looked-at pixels in their places, or of the tiles' bytes: noise makes it differ between any two exposures of a real chip. */
  readonly fingerprint: string
}

/** Pixels looked at: enough to tell an image from a constant, cheap on the largest chip. */
const lookedAt = 4096
type Reader = (view: DataView, offset: number) => number
/** FITS 4.0 §5.2–5.3: big-endian; 8 bits unsigned, the rest two's complement or IEEE 754. */
const readers: Readonly<Record<number, Reader>> = {
  8: (view, offset) => view.getUint8(offset),
  16: (view, offset) => view.getInt16(offset),
  32: (view, offset) => view.getInt32(offset),
  [-32]: (view, offset) => view.getFloat32(offset),
  [-64]: (view, offset) => view.getFloat64(offset),
}

/**
 * Looks at up to 4096 pixels of the first image, spread over all of it by steps of the golden ratio, which never fall in
 * with columns or amplifiers. Physical values: BZERO and BSCALE applied (FITS 4.0 §4.4.2.5). Undefined for images of a
 * kind that no camera sends (64-bit integers). Of a tile-compressed image the packed bytes of 16 tiles are taken. Throws as `openFits` and
 * `readImage` for damaged ones.
 */
export function glance(file: FitsFile): Glance | undefined {
  const image = firstImage(file)
  if (image.kind === 'compressed') return packedSummary(someTiles(file, image, tiledImage(file, image)))
  const read = readers[image.bitpix]
  if (image.kind !== 'image' || !read) return undefined
  const bytesPerPixel = Math.abs(image.bitpix) / 8
  const total = image.dataBytes / bytesPerPixel
  const zero = Number(image.header.get('BZERO') ?? 0)
  const scale = Number(image.header.get('BSCALE') ?? 1)
  const one = new Uint8Array(bytesPerPixel)
  const view = new DataView(one.buffer)
  const values = Float64Array.from({ length: Math.min(lookedAt, total) }, (_, index) => {
    const at = total <= lookedAt ? index : Math.floor(((index * goldenRatio) % 1) * total)
    file.readInto(image.dataOffset + at * bytesPerPixel, one)
    return read(view, 0) * scale + zero
  })
  return summaryOf(values)
}

function packedSummary(tiles: readonly Uint8Array[]): Glance {
  const hash = createHash('sha256')
  for (const tile of tiles) hash.update(tile)
  const uniform = tiles.length > 1 && tiles.every((tile) => Buffer.compare(tile, tiles[0]!) === 0)
  return { pixels: 0, uniform, fingerprint: hash.digest('hex') }
}

function summaryOf(values: Float64Array): Glance | undefined {
  if (values.length === 0) return undefined
  const fingerprint = createHash('sha256').update(values).digest('hex')
  values.sort()
  return {
    fingerprint,
    pixels: values.length,
    min: values[0]!,
    max: values.at(-1)!,
    median: values[values.length >> 1]!,
    uniform: values[0] === values.at(-1),
  }
}

const goldenRatio = (Math.sqrt(5) - 1) / 2
