import { crc32, deflateSync } from 'node:zlib'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/**
 * An 8-bit grey PNG (ISO/IEC 15948) of `pixels`, row-major, first row on top. Meant for stamps of a few thousand pixels:
 * it deflates on the calling thread. Throws `png/shape` when the array does not hold width × height pixels.
 */
export function encodeGreyPng(pixels: Uint8Array, width: number, height: number): Uint8Array {
  if (width < 1 || height < 1 || pixels.length !== width * height) {
    throw new NightjarError(
      'png/shape',
      `a ${width} x ${height} picture needs ${width * height} pixels, not ${pixels.length}`,
    )
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8 // bits per sample; colour type 0 (grey), deflate, adaptive filters and no interlace are all 0
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(filtered(pixels, width, height))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Rows with filter 2 (Up): smooth pictures deflate to about half of what unfiltered rows need. */
function filtered(pixels: Uint8Array, width: number, height: number): Buffer {
  const rows = Buffer.alloc((width + 1) * height)
  for (let y = 0; y < height; y++) {
    const to = y * (width + 1)
    rows[to] = 2
    for (let x = 0; x < width; x++) {
      const here = pixels[y * width + x]!
      const above = y === 0 ? 0 : pixels[(y - 1) * width + x]!
      rows[to + 1 + x] = here - above
    }
  }
  return rows
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length)
  bytes.writeUInt32BE(data.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(data, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length)
  return bytes
}
