import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { JournalEvent } from '../contract/events.ts'
import { Database } from './database.ts'
import { type Files, hashFile, listFiles } from './frameFiles.ts'
import { chainHash, genesisHash, readEvents } from './journal.ts'
import { count } from './records.ts'
import type { VerifyReport } from './store.ts'

/** Proves a data folder: the journal's chain unbroken, every file's bytes as they were announced. */

/** The database's name inside the data folder. */
export const databaseName = 'nightjar.sqlite'
const eventsPerRead = 1000

/** Proves the data folder without changing it, also beside a running daemon. Throws `store/none` when there is nothing. */
export async function verifyFolder(folder: string, files?: Files): Promise<VerifyReport> {
  const path = join(folder, databaseName)
  if (!existsSync(path)) {
    throw new NightjarError(
      'store/none',
      `${folder} holds no ${databaseName}; name the folder given to the daemon as --data`,
    )
  }
  using database = new Database(path, { readOnly: true })
  return await verifyStore(database, folder, files)
}

/** Proves an open database and the files that it speaks of. */
export async function verifyStore(database: Database, folder: string, files?: Files): Promise<VerifyReport> {
  const problems = databaseProblems(database)
  const journal = await walkJournal(database)
  problems.push(...journal.problems, ...recordProblems(database, journal.files))
  const known = knownFiles(database, journal.files)
  for (const [path, sha256] of known) problems.push(...(await fileProblems(folder, path, sha256, files)))
  const orphans = orphansOf(folder, known, stampFolders(database))
  return { ok: problems.length === 0, events: journal.events, files: known.size, problems, orphans }
}

function databaseProblems(database: Database): string[] {
  const lines = database.all('PRAGMA integrity_check').map((row) => String(row.integrity_check))
  const references = database
    .all('PRAGMA foreign_key_check')
    .map((row) => `${row.table} row ${row.rowid} names a missing ${row.parent}`)
  return [...lines.filter((line) => line !== 'ok').map((line) => `database: ${line}`), ...references]
}

interface JournalWalk {
  readonly events: number
  readonly problems: string[]
  /** Path → sha256 as announced. */
  readonly files: Map<string, string>
}

async function walkJournal(database: Database): Promise<JournalWalk> {
  const problems: string[] = []
  const files = new Map<string, string>()
  let previous = { seq: 0, hash: genesisHash }
  for (;;) {
    const events = readEvents(database, previous.seq, eventsPerRead)
    if (events.length === 0) break
    for (const event of events) {
      problems.push(...lineProblems(event, previous))
      noteFile(event, files)
      previous = event
    }
    await setImmediate()
  }
  const named = count(database, 'SELECT max(cause_seq) AS n FROM jobs')
  if (named > previous.seq) problems.push(`journal: ends at ${previous.seq}, but a job was caused by line ${named}`)
  return { events: count(database, 'SELECT count(*) AS n FROM journal'), problems, files }
}

function lineProblems(event: JournalEvent, previous: { readonly seq: number; readonly hash: string }): string[] {
  const problems: string[] = []
  if (event.seq !== previous.seq + 1) problems.push(`journal: line ${previous.seq + 1} is missing`)
  if (event.previousHash !== previous.hash)
    problems.push(`journal: line ${event.seq} does not follow line ${previous.seq}`)
  if (chainHash(event.previousHash, event) !== event.hash) problems.push(`journal: line ${event.seq} was changed`)
  return problems
}

function noteFile(event: JournalEvent, files: Map<string, string>): void {
  const { body } = event
  if ('path' in body && 'sha256' in body) files.set(body.path, body.sha256)
}

/** Rows that disagree with what the journal announced about their file. */
function recordProblems(database: Database, announced: ReadonlyMap<string, string>): string[] {
  return fileRows(database)
    .filter((row) => announced.has(row.path) && announced.get(row.path) !== row.sha256)
    .map((row) => `${row.path}: the ${row.table} row and the journal name different bytes`)
}

function knownFiles(database: Database, announced: ReadonlyMap<string, string>): Map<string, string> {
  const known = new Map(announced)
  for (const row of fileRows(database)) if (!known.has(row.path)) known.set(row.path, row.sha256)
  return known
}

function fileRows(database: Database): { readonly table: string; readonly path: string; readonly sha256: string }[] {
  return ['frames', 'masters', 'field_references'].flatMap((table) => {
    const sql = `SELECT record ->> 'path' AS path, record ->> 'sha256' AS sha256 FROM ${table}`
    return database.all(sql).map((row) => ({ table, path: String(row.path), sha256: String(row.sha256) }))
  })
}

async function fileProblems(folder: string, path: string, sha256: string, files?: Files): Promise<string[]> {
  try {
    const found = await hashFile(join(folder, path), files)
    return found.sha256 === sha256 ? [] : [`${path}: its bytes changed since it was announced`]
  } catch (error) {
    if (!(error instanceof NightjarError)) throw error
    return [error.code === 'files/missing' ? `${path}: the file is missing` : `${path}: ${error.message}`]
  }
}

function stampFolders(database: Database): Set<string> {
  return new Set(
    database.all("SELECT DISTINCT record ->> 'stampsPath' AS path FROM detections").map((row) => String(row.path)),
  )
}

/** Files beside the known ones that no row speaks of. */
function orphansOf(folder: string, known: ReadonlyMap<string, string>, stamps: ReadonlySet<string>): string[] {
  const rooms = new Set([...known.keys()].filter((path) => path.includes('/')).map((path) => path.split('/')[0]!))
  return [...rooms]
    .filter((room) => existsSync(join(folder, room)))
    .flatMap((room) => listFiles(join(folder, room)).map((name) => `${room}/${name}`))
    .filter((path) => !known.has(path) && !stamps.has(path.slice(0, path.lastIndexOf('/'))))
}
