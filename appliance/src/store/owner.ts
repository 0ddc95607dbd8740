import { closeSync, fsyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/**
 * One process owns a data folder. The lock is SQLite's on a file of its own, so the kernel gives it back however the
 * process ends, and reading the data beside a running daemon stays possible.
 */
export function own(folder: string): Disposable {
  const lock = new DatabaseSync(join(folder, 'owner.lock'), { timeout: 0 })
  try {
    lock.exec('PRAGMA journal_mode = MEMORY')
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    throw new NightjarError('store/busy', `${folder} is in use by another Nightjar; stop that one first`, { cause })
  }
  return { [Symbol.dispose]: () => lock.close() }
}

/** Resolves names in a folder to the disk, so that a new database is found after a power cut. */
export function syncFolderNow(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
