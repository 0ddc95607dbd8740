import type { Compute } from '../compute.ts'
import { onesComplementSum, withChecksums } from './checksum.ts'
import { blockBytes } from './header.ts'
import { type FitsFile, openFits } from './read.ts'
import { type FitsHdu, fitsError } from './structure.ts'
import { type TiledImage, tiledImage } from './tiles.ts'
import { storedTiles, unpackImage, unpackStored } from './unpack.ts'

/**
 * The file that `packFits` or fpack packed, as it was: every image plain again, every other HDU copied, and the empty primary
 * that packing put first taken away. What was packed without loss has the bytes that it had, checksums included; where
 * floats were quantized the checksums are made for the pixels that are there. Throws as `openFits` and `readImage`, and
 * `fits/compressed` for quantized floats with BSCALE or BZERO.
 */
export function unpackFits(compute: Compute, from: string | Uint8Array | FitsFile): Uint8Array {
  const file = typeof from === 'string' || from instanceof Uint8Array ? openFits(from) : from
  const parts = file.hdus.flatMap((hdu) => {
    if (hdu.kind === 'compressed') return plainHdu(compute, file, hdu)
    return isPackingsOwn(file, hdu) ? [] : wholeHdu(file, hdu)
  })
  return Buffer.concat(parts)
}

/** The primary HDU without pixels before an image that was primary itself. */
function isPackingsOwn(file: FitsFile, hdu: FitsHdu): boolean {
  return hdu.index === 0 && hdu.shape.length === 0 && file.hdus[1]?.header.has('ZSIMPLE') === true
}

const paddedLength = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes

function wholeHdu(file: FitsFile, hdu: FitsHdu): Uint8Array[] {
  const data = new Uint8Array(paddedLength(hdu.dataBytes))
  file.readInto(hdu.dataOffset, data.subarray(0, Math.min(data.length, file.sizeBytes - hdu.dataOffset)))
  return [hdu.header.encode(), data]
}

function plainHdu(compute: Compute, file: FitsFile, hdu: FitsHdu): Uint8Array[] {
  const count = planeCount(hdu)
  const images = Array.from({ length: count }, (_, plane) => tiledImage(file, hdu, count > 1 ? plane : undefined))
  const planeBytes = images.map(({ width, height, bitpix }) => (width * height * Math.abs(bitpix)) / 8)
  const data = Buffer.alloc(paddedLength(planeBytes.reduce((sum, bytes) => sum + bytes, 0)))
  let at = 0
  images.forEach((image, plane) => {
    fillPlane(compute, file, hdu, image, data.subarray(at, at + planeBytes[plane]!))
    at += planeBytes[plane]!
  })
  const header = images[0]!.header
  const sum = header.number('DATASUM')
  const changed = sum !== undefined && sum % 0xffffffff !== onesComplementSum(data) % 0xffffffff
  return [(changed ? withChecksums(header, data) : header).encode(), data]
}

function planeCount({ header }: FitsHdu): number {
  const axes = Math.min(header.number('ZNAXIS') ?? 0, 999)
  return Array.from({ length: Math.max(0, axes - 2) }, (_, axis) => header.number(`ZNAXIS${axis + 3}`) ?? 1).reduce(
    (product, length) => product * length,
    1,
  )
}

/** Writes one plane's values, big-endian, as they are stored in a plain image. */
function fillPlane(compute: Compute, file: FitsFile, hdu: FitsHdu, image: TiledImage, target: Buffer): void {
  const tiles = storedTiles(file, hdu, image)
  if (tiles) {
    const size = Math.abs(image.bitpix) / 8
    for (const { x, y, width, height, bytes } of tiles) {
      for (let row = 0; row < height; row++) {
        const line = bytes.subarray(row * width * size, (row + 1) * width * size)
        target.set(line, ((y + row) * image.width + x) * size)
      }
    }
    return
  }
  using _scratch = compute.scope()
  if (image.bitpix > 0) return fillWhole(unpackStored(compute, file, hdu, image).data, image.bitpix, target)
  const scaled = (image.header.number('BSCALE') ?? 1) !== 1 || (image.header.number('BZERO') ?? 0) !== 0
  if (scaled) throw fitsError('compressed', file, `HDU ${hdu.index} is scaled twice: unpack it with funpack`)
  fillFloats(unpackImage(compute, file, hdu, image).data, image.bitpix, target)
}

function fillWhole(values: Int32Array, bitpix: number, target: Buffer): void {
  if (bitpix === 8) {
    target.set(values)
    return
  }
  const words = bitpix === 16 ? Int16Array.from(values) : Int32Array.from(values)
  const bytes = Buffer.from(words.buffer)
  target.set(bitpix === 16 ? bytes.swap16() : bytes.swap32())
}

function fillFloats(values: Float32Array, bitpix: number, target: Buffer): void {
  if (bitpix === -32) target.set(Buffer.from(Float32Array.from(values).buffer).swap32())
  else target.set(Buffer.from(Float64Array.from(values).buffer).swap64())
}
