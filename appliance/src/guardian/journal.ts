/**
 * The guardian's own record: one JSON object a line, each synced to the disk, in a file that two sizes bound. It needs
 * neither the daemon nor its database, and a disk that hangs or is full holds nothing up but the record itself.
 */

import { readFileSync } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'

export interface JournalEntry {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly event: string
  readonly [detail: string]: unknown
}

export interface GuardianJournal extends AsyncDisposable {
  /** Never waits and never throws. */
  write(event: string, details?: Readonly<Record<string, unknown>>): void
  /** Entries that were lost: the disk was slower than they came, or refused them. */
  readonly lost: number
}

export interface JournalLimits {
  /** At this size the file becomes `<name>.1`, and the one before that goes. */
  readonly fileBytes: number
  /** So many entries wait for a slow disk; more are lost, and counted. */
  readonly waiting: number
}

export const journalLimits: JournalLimits = { fileBytes: 1024 * 1024, waiting: 500 }

export function openGuardianJournal(path: string, clock: Clock, limits = journalLimits): GuardianJournal {
  let waiting: string[] = []
  let lost = 0
  let writing: Promise<void> | undefined
  let file: { handle: FileHandle; bytes: number } | undefined

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await put(batch.join(''))
      } catch {
        lost += batch.length
        await shut()
      }
    }
  }

  async function put(text: string): Promise<void> {
    file ??= await openForAppend(path)
    if (file.bytes > 0 && file.bytes + text.length > limits.fileBytes) {
      await shut()
      await rename(path, `${path}.1`)
      file = await openForAppend(path)
    }
    const { bytesWritten } = await file.handle.write(text)
    file.bytes += bytesWritten
    await file.handle.datasync()
  }

  async function shut(): Promise<void> {
    const handle = file?.handle
    file = undefined
    await handle?.close().catch(() => undefined)
  }

  return {
    get lost() {
      return lost
    },
    write(event, details = {}) {
      if (waiting.length >= limits.waiting) return void lost++
      waiting.push(`${JSON.stringify({ at: new Date(clock.now()).toISOString(), event, ...details })}\n`)
      writing ??= flush().finally(() => {
        writing = undefined
      })
    },
    async [Symbol.asyncDispose]() {
      await writing
      await shut()
    },
  }
}

/** A line that a power cut left unfinished is ended first, so that it spoils no other. */
async function openForAppend(path: string): Promise<{ handle: FileHandle; bytes: number }> {
  const handle = await open(path, 'a+', 0o600)
  const { size } = await handle.stat()
  const last = Buffer.alloc(1)
  if (size > 0) await handle.read(last, 0, 1, size - 1)
  if (size > 0 && last.toString() !== '\n') await handle.write('\n')
  return { handle, bytes: size }
}

/** The entries on the disk, oldest first; lines that are not whole are left out. */
export function readGuardianJournal(path: string): JournalEntry[] {
  return [`${path}.1`, path].flatMap((file) => readLines(file)).flatMap(parseEntry)
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function parseEntry(line: string): JournalEntry[] {
  try {
    const value = JSON.parse(line) as JournalEntry | null
    return typeof value === 'object' && typeof value?.event === 'string' ? [value] : []
  } catch {
    return []
  }
}
