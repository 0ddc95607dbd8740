import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FrameRecord, FrameType } from '../contract/records.ts'
import { imageTypes } from '../frames/fits/facts.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { firstImage, imageSize, openFits } from '../frames/fits/read.ts'
import { hashFile } from '../store/frameFiles.ts'
import type { Store } from '../store/store.ts'
import { recordCaptured } from './capture.ts'

/**
 * A frame whose file became durable but whose journal line did not, because the power went in between, is not lost: it is
 * found again here, at the start of the daemon, and recorded as if nothing had happened. Returns how many there were.
 */
export async function adoptFrames(store: Store, atMs: number): Promise<number> {
  let adopted = 0
  for (const path of rawFrames(store.folder)) {
    const frameId = path.slice(path.lastIndexOf('/') + 1, -'.fits'.length)
    if (store.frame(frameId)) continue
    const frame = await recordOf(store.folder, path, frameId)
    recordCaptured(store, atMs, frame)
    adopted++
  }
  return adopted
}

/** `frames/<night>/<frame id>.fits`, sorted. */
function rawFrames(folder: string): string[] {
  const root = join(folder, 'frames')
  const nights = listing(root)
  return nights.flatMap((night) =>
    listing(join(root, night))
      .filter((name) => name.endsWith('.fits'))
      .map((name) => `frames/${night}/${name}`),
  )
}

function listing(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

async function recordOf(folder: string, path: string, frameId: string): Promise<FrameRecord> {
  const file = openFits(join(folder, path))
  const hdu = firstImage(file)
  const { bytes, sha256 } = await hashFile(join(folder, path))
  return { ...factsOf(hdu.header), ...imageSize(file, hdu), frameId, state: 'captured', path, bytes, sha256 }
}

function factsOf(
  header: FitsHeader,
): Pick<FrameRecord, 'nightId' | 'fieldId' | 'type' | 'capturedAtMs' | 'exposureSeconds' | 'filter'> {
  const type = (Object.keys(imageTypes) as FrameType[]).find((key) => imageTypes[key] === header.text('IMAGETYP'))
  return {
    nightId: header.text('NIGHTID') ?? '',
    fieldId: header.text('OBJECT') ?? '',
    type: type ?? 'light',
    capturedAtMs: Date.parse(`${header.text('DATE-OBS') ?? '1970-01-01T00:00:00'}Z`),
    exposureSeconds: header.number('EXPTIME') ?? 0,
    filter: header.text('FILTER') ?? '',
  }
}
