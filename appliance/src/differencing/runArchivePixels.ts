import { join } from 'node:path'
import type { Compute } from '../frames/compute.ts'
import type { HeaderEntries } from '../frames/fits/header.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { measuredExtensions } from '../preprocessing/measuredFrame.ts'
import { hashBytes, writeDurably } from '../store/frameFiles.ts'
import { archiveFrame } from './archiveFrame.ts'
import type { PictureRequest } from './archives/archive.ts'

/** What `runArchives.ts` asks of the pixel worker. */
export interface ArchivePixelsInput {
  readonly bytes: Uint8Array
  readonly request: PictureRequest
  /** What the picture is called in reasons. */
  readonly name: string
  /** The data folder; without it nothing is written. */
  readonly folder: string
  /** REFID, and where the picture came from. */
  readonly cards: HeaderEntries
}

export type ArchivePixels =
  | {
      readonly ok: true
      /** Relative to the data folder; named by its content. */
      readonly path: string
      readonly sha256: string
      readonly fwhmPixels: number
      readonly scaleArcsecPerPixel: number
      readonly bin: number
      readonly coverage: number
      readonly stars: number
    }
  | { readonly ok: false; readonly reason: string }

/** Makes a reference of an archive's picture and writes it under the name of its sha256. */
export async function keepArchivePicture(compute: Compute, input: ArchivePixelsInput): Promise<ArchivePixels> {
  const made = archiveFrame(compute, input.bytes, input.request, input.name)
  if (!made.ok) return made
  const header = made.frame.header.withAll(input.cards)
  const bytes = encodeFrame({ ...made.frame, header }, { extensions: measuredExtensions(made) })
  const path = `references/${hashBytes(bytes)}.fits`
  const { sha256 } = await writeDurably(join(input.folder, path), bytes)
  const { fwhmPixels, scaleArcsecPerPixel, bin, coverage, stars } = made
  return { ok: true, path, sha256, fwhmPixels, scaleArcsecPerPixel, bin, coverage, stars: stars.length }
}
