import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, unlinkSync } from 'node:fs'
import { access, mkdir, open, rename, rm, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { full } from './database.ts'

/**
 * Files that survive a power cut: written beside as `.part`, synced, renamed, and the folder synced. A file that has its
 * name is whole, and is never written again.
 */

/** Ends the name of a file that is not whole yet. */
export const partSuffix = '.part'
const safeName = /^(?!\.+$)[A-Za-z0-9._-]{1,120}$/

export interface OpenFile {
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when the disk has it. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** What we ask of a file system; tests pass one with faults. */
export interface Files {
  /** A new file; `EEXIST` when there is one. */
  create(path: string): Promise<OpenFile>
  read(path: string): AsyncIterable<Uint8Array>
  exists(path: string): Promise<boolean>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes the folder and those above it; returns the first that was made. */
  makeFolder(path: string): Promise<string | undefined>
  /** Resolves when the disk has the folder's list of names. */
  syncFolder(path: string): Promise<void>
}

/** The machine's own file system. */
export const diskFiles: Files = {
  async create(path) {
    const file = await open(path, 'wx', 0o640)
    return {
      write: async (bytes) => writeWhole(file, bytes),
      sync: () => file.sync(),
      close: () => file.close(),
    }
  },
  read: (path) => createReadStream(path, { highWaterMark: 1 << 20 }),
  exists: (path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  rename,
  remove: (path) => rm(path, { force: true }),
  makeFolder: (path) => mkdir(path, { recursive: true, mode: 0o750 }),
  async syncFolder(path) {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
}

export interface WrittenFile {
  readonly bytes: number
  /** Lower-case hex, of what was written. */
  readonly sha256: string
}

/**
 * Writes a whole new file and resolves once a power cut cannot take it. The same bytes under the same name again are
 * accepted (a job that was killed after the rename runs again); other bytes throw `files/exists`. A full disk throws
 * `store/full` and leaves nothing behind. The file's name must match `[A-Za-z0-9._-]{1,120}` (`files/name`).
 */
export async function writeDurably(
  path: string,
  data: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  files: Files = diskFiles,
): Promise<WrittenFile> {
  checkName(path)
  const part = `${path}${partSuffix}`
  try {
    await makeFolderDurably(dirname(path), files)
    const written = await writePart(part, data, files)
    if (await files.exists(path)) return await acceptSame(path, part, written, files)
    await files.rename(part, path)
    await files.syncFolder(dirname(path))
    return written
  } catch (error) {
    throw nameFileFailure(error, path)
  }
}

/**
 * Writes a file that is kept up to date in place of the one before: after a crash there is the old one or the new one,
 * whole. Only one at a time may write it. A full disk throws `store/full` and leaves the old one.
 */
export async function replaceDurably(
  path: string,
  data: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  files: Files = diskFiles,
): Promise<WrittenFile> {
  checkName(path)
  const part = `${path}${partSuffix}`
  try {
    await makeFolderDurably(dirname(path), files)
    await files.remove(part)
    const written = await writePart(part, data, files)
    await files.rename(part, path)
    await files.syncFolder(dirname(path))
    return written
  } catch (error) {
    throw nameFileFailure(error, path)
  }
}

/** sha256 and length of a stored file. Throws `files/missing` when it is not there. */
export async function hashFile(path: string, files: Files = diskFiles): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of files.read(path)) {
      hash.update(chunk)
      bytes += chunk.length
    }
  } catch (error) {
    throw nameFileFailure(error, path)
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** sha256 of bytes in memory, lower-case hex. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that this user may still write on the file system that holds `folder`. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** Removes what a killed process left half-written anywhere under `folder`; returns the names. */
export function removeParts(folder: string): string[] {
  const parts = listFiles(folder).filter((name) => name.endsWith(partSuffix))
  for (const name of parts) unlinkSync(join(folder, name))
  return parts
}

/** Every plain file under `folder`, relative to it, sorted. Links are not followed. */
export function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const plain = entries.filter((entry) => entry.isFile())
  return plain.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

async function writeWhole(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at)
    at += bytesWritten
  }
}

function checkName(path: string): void {
  const name = basename(path)
  if (safeName.test(name) && !name.endsWith(partSuffix)) return
  const rule = '1 to 120 letters, digits, dots, dashes or underscores, not only dots, not ending in .part'
  throw new NightjarError('files/name', `${JSON.stringify(name)} cannot be a file name here: ${rule}`)
}

async function makeFolderDurably(folder: string, files: Files): Promise<void> {
  const first = await files.makeFolder(folder)
  if (first === undefined) return
  for (let made = folder; ; made = dirname(made)) {
    await files.syncFolder(dirname(made))
    if (made === first || made === dirname(made)) return
  }
}

async function writePart(
  part: string,
  data: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  files: Files,
): Promise<WrittenFile> {
  const file = await files.create(part)
  const hash = createHash('sha256')
  let bytes = 0
  try {
    try {
      for await (const chunk of data instanceof Uint8Array ? [data] : data) {
        await file.write(chunk)
        hash.update(chunk)
        bytes += chunk.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await files.remove(part)
    throw error
  }
  return { bytes, sha256: hash.digest('hex') }
}

async function acceptSame(path: string, part: string, written: WrittenFile, files: Files): Promise<WrittenFile> {
  await files.remove(part)
  const there = await hashFile(path, files)
  if (there.sha256 !== written.sha256) {
    throw new NightjarError(
      'files/exists',
      `${path} exists with other bytes; stored files are never changed, use a new name`,
    )
  }
  await files.syncFolder(dirname(path))
  return written
}

function nameFileFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof NightjarError) return error
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return full(path, error)
  if (error.code === 'ENOENT') return new NightjarError('files/missing', `${path} is not there`, { cause: error })
  if (error.code === 'EEXIST') {
    return new NightjarError('files/busy', `${path} is being written already; wait for that to end`, { cause: error })
  }
  return new NightjarError('files/failed', `${path}: ${error.message}`, { cause: error })
}
