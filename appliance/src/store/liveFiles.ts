import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably } from './frameFiles.ts'

/**
 * Files of the live stacks, below `live/` of the data folder: one folder for the night that goes on, a stack and a picture for
 * each field and filter, and `newest.json`, which says what grew last. They are replaced as the night goes on and belong to
 * no row and no event: what they hold can be made again from the frames.
 */
const liveFolder = 'live'
const newestName = 'newest.json'

/** Paths of one stack's files, relative to the data folder. */
export interface LivePaths {
  readonly stack: string
  readonly picture: string
}

export function livePaths(nightId: string, fieldId: string, filter: string): LivePaths {
  const name = createHash('sha256').update(`${fieldId}/${filter}`).digest('hex').slice(0, 16)
  const path = `${liveFolder}/${nightId}/${name}`
  return { stack: `${path}.stack`, picture: `${path}.png` }
}

/** Writes the pixels of a stack in place of those before; each is whole, the old or the new, after a crash. */
export async function replaceLivePixels(folder: string, path: string, bytes: Uint8Array | Iterable<Uint8Array>) {
  await replaceDurably(join(folder, path), bytes)
}

/** Says what grew last. */
export async function replaceNewest(folder: string, newest: object): Promise<void> {
  await replaceDurably(join(folder, liveFolder, newestName), Buffer.from(JSON.stringify(newest)))
}

/** What `replaceNewest` wrote; undefined when there is none. */
export async function readNewest(folder: string): Promise<unknown> {
  const text = await readFile(join(folder, liveFolder, newestName), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : JSON.parse(text)
}

/** A stack takes sixteen bytes a pixel: only the night that goes on keeps its own. */
export async function removeEarlierNights(folder: string, nightId: string): Promise<void> {
  const live = join(folder, liveFolder)
  const entries = await readdir(live, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (entry.isDirectory() && entry.name < nightId) await rm(join(live, entry.name), { recursive: true, force: true })
  }
}
