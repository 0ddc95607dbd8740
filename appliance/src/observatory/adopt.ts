import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { FrameRecord, FrameType } from '../contract/records.ts'
import { verifyChecksums } from '../frames/fits/checksum.ts'
import { imageTypes } from '../frames/fits/facts.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { firstImage, imageSize, openFits } from '../frames/fits/read.ts'
import { hashFile } from '../store/frameFiles.ts'
import type { Store } from '../store/store.ts'
import { type Captured, recordCaptured } from './capture.ts'
import { provenanceOf } from './provenance.ts'

/** What was found in the frames' folder that the journal does not know. */
export interface Adoption {
  readonly adopted: number
  /** Files that cannot be vouched for. They stay where they are, and no row speaks of them. */
  readonly refused: readonly { readonly path: string; readonly reason: string }[]
}

/**
 * A frame whose file became durable but whose journal line did not, because the power went in between, is not lost: it is
 * found again here, at the start of the daemon, and recorded as if nothing had happened. Only a file that is whole by its
 * own checksums and that this daemon wrote under this name is taken. Throws `store/full` when the journal takes no line.
 */
export async function adoptFrames(store: Store, atMs: number): Promise<Adoption> {
  let adopted = 0
  const refused: Adoption['refused'][number][] = []
  for (const path of rawFrames(store.folder)) {
    const frameId = basename(path, '.fits')
    if (store.frame(frameId)) continue
    const found = await recordOf(store.folder, path, frameId)
    if (found.ok) {
      recordCaptured(store, atMs, found.frame)
      adopted++
    } else refused.push({ path, reason: found.reason })
  }
  return { adopted, refused }
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

async function recordOf(folder: string, path: string, frameId: string): Promise<Captured> {
  try {
    return await readRecord(folder, path, frameId)
  } catch (error) {
    if (error instanceof NightjarError && /^(fits|files)\//.test(error.code))
      return { ok: false, reason: error.message }
    throw error
  }
}

async function readRecord(folder: string, path: string, frameId: string): Promise<Captured> {
  const file = openFits(join(folder, path))
  const hdu = firstImage(file)
  const size = imageSize(file, hdu)
  const sums = verifyChecksums(file)[hdu.index]
  if (sums?.data !== true || sums.header !== true)
    return { ok: false, reason: 'its bytes do not have the checksums of its header' }
  const facts = factsOf(hdu.header)
  const own = hdu.header.text('FRAMEID') === frameId && path === `frames/${facts?.nightId}/${frameId}.fits`
  if (!facts || !own) return { ok: false, reason: 'its header is not that of a frame taken here under this name' }
  const { bytes, sha256 } = await hashFile(join(folder, path))
  const provenance = provenanceOf(hdu.header)
  const came = provenance && { provenance }
  return { ok: true, frame: { ...facts, ...size, frameId, state: 'captured', path, bytes, sha256, ...came } }
}

/** Undefined when the header lacks what each of our frames has. */
function factsOf(
  header: FitsHeader,
): Pick<FrameRecord, 'nightId' | 'fieldId' | 'type' | 'capturedAtMs' | 'exposureSeconds' | 'filter'> | undefined {
  const type = (Object.keys(imageTypes) as FrameType[]).find((key) => imageTypes[key] === header.text('IMAGETYP'))
  const [nightId, fieldId] = [header.text('NIGHTID'), header.text('OBJECT')]
  const capturedAtMs = Date.parse(`${header.text('DATE-OBS')}Z`)
  const exposureSeconds = header.number('EXPTIME')
  if (!type || !nightId || !fieldId || exposureSeconds === undefined || !Number.isFinite(capturedAtMs)) return undefined
  return { nightId, fieldId, type, capturedAtMs, exposureSeconds, filter: header.text('FILTER') ?? '' }
}
