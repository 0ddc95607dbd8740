import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { withChecksums } from './checksum.ts'
import { blockBytes, type HeaderEntries } from './header.ts'
import { firstImage, imageSize, openFits } from './read.ts'
import { endOf } from './structure.ts'
import { tiledImage } from './tiles.ts'
import { checkTiles } from './unpack.ts'

/** A camera's file that is fit to keep, or why it is not. */
export type Ingested =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly width: number; readonly height: number }
  | { readonly ok: false; readonly reason: string }

/**
 * Takes a FITS file, plain or tile-compressed (.fits.fz), as a camera driver sent it: checks it against its own header, puts `facts` into the header of its image
 * and adds checksums. The pixels' bytes and every other card stay as they are. What is wrong with the file, which is called
 * `name`, is a value: a camera may send anything.
 */
export function frameFromCamera(
  bytes: Uint8Array,
  facts: HeaderEntries,
  name: string = 'the camera’s frame',
): Ingested {
  try {
    return rewrite(bytes, facts, name)
  } catch (error) {
    if (error instanceof NightjarError && error.code.startsWith('fits/')) return { ok: false, reason: error.message }
    throw error
  }
}

function rewrite(bytes: Uint8Array, facts: HeaderEntries, name: string): Ingested {
  const file = openFits(bytes, { name })
  const image = firstImage(file)
  const { width, height } = imageSize(file, image)
  if (image.kind === 'compressed') {
    checkTiles(file, image, tiledImage(file, image))
  }
  const parts = file.hdus.flatMap((hdu) => {
    const data = new Uint8Array(Math.ceil(hdu.dataBytes / blockBytes) * blockBytes)
    file.readInto(hdu.dataOffset, data.subarray(0, Math.min(data.length, file.sizeBytes - hdu.dataOffset)))
    const header = hdu === image ? hdu.header.withAll(facts) : hdu.header
    return [withChecksums(header, data).encode(), data]
  })
  const end = endOf(file.hdus.at(-1) ?? image)
  const rest = new Uint8Array(Math.max(0, file.sizeBytes - end))
  if (rest.length > 0) file.readInto(end, rest)
  return { ok: true, bytes: Buffer.concat([...parts, rest]), width, height }
}
