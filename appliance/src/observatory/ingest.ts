import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { withChecksums } from '../frames/fits/checksum.ts'
import { blockBytes, type HeaderEntries } from '../frames/fits/header.ts'
import { firstImage, imageSize, openFits } from '../frames/fits/read.ts'

export type Ingested =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly width: number; readonly height: number }
  | { readonly ok: false; readonly reason: string }

/**
 * Turns what the camera sent into the file that is kept: the pixels byte for byte, the camera's own keywords, and the
 * facts only the observatory knows, with DATASUM and CHECKSUM (FITS Standard 4.0, section 4.4.2.7). Anything but one
 * whole image is a reason, not a frame: a driver that ran out of disk or memory says "Ok" all the same.
 */
export function frameFromCamera(bytes: Uint8Array, facts: HeaderEntries): Ingested {
  try {
    const file = openFits(bytes, { name: 'the frame from the camera', maximumBytes: 2 ** 30 })
    const hdu = firstImage(file)
    const { width, height } = imageSize(file, hdu)
    if (hdu.index !== 0) return { ok: false, reason: 'the camera sent its image in an extension, not as the primary image' }
    const data = new Uint8Array(Math.ceil(hdu.dataBytes / blockBytes) * blockBytes)
    file.readInto(hdu.dataOffset, data.subarray(0, hdu.dataBytes))
    const header = withChecksums(hdu.header.withAll(facts), data)
    return { ok: true, bytes: Buffer.concat([header.encode(), data]), width, height }
  } catch (error) {
    if (error instanceof NightjarError) return { ok: false, reason: error.message }
    throw error
  }
}
