import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { notFound } from './refusal.ts'

/** A file of the data folder, opened for reading. */
export interface OpenedFile {
  readonly handle: FileHandle
  readonly bytes: number
}

/**
 * The full path of `path` (relative to `folder`) when its real place is inside `folder`. A symbolic link anywhere on the
 * way is refused: FITS folders are often shared, and a link must not publish the rest of the disk.
 */
export async function resolveInside(folder: string, path: string): Promise<string> {
  const root = await realpath(folder)
  const wanted = join(root, path)
  const real = await realpath(wanted).catch(() => undefined)
  if (real !== wanted || !real.startsWith(root + sep)) throw notFound('such file')
  return wanted
}

/** Opens an ordinary file inside `folder`; see `resolveInside`. */
export async function openInside(folder: string, path: string): Promise<OpenedFile> {
  const wanted = await resolveInside(folder, path)
  const handle = await open(wanted, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined)
  if (!handle) throw notFound('such file')
  const facts = await handle.stat()
  if (!facts.isFile()) {
    await handle.close()
    throw notFound('such file')
  }
  return { handle, bytes: facts.size }
}
