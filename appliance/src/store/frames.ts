import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { FrameRecord } from '../contract/records.ts'
import type { Database } from './database.ts'
import { count, recordOf, recordsOf, shapeCheck } from './records.ts'
import type { MasterRecord, ReferenceRecord, Store, TakenFile } from './store.ts'

/** Frames, masters and references: what is known of each file. */

const checkFrame = shapeCheck(FrameRecord, 'frame')

export function putFrame(database: Database, frame: FrameRecord): void {
  checkFrame(frame)
  database.run('INSERT INTO frames (frame_id, record) VALUES (?, ?)', frame.frameId, JSON.stringify(frame))
}

export function updateFrame(database: Database, frameId: string, change: Partial<FrameRecord>): void {
  const frame = readFrame(database, frameId)
  if (!frame) throw new NightjarError('store/unknown', `frame ${frameId} is not stored; put it before changing it`)
  const changed = checkFrame({ ...frame, ...change, frameId })
  database.run('UPDATE frames SET record = ? WHERE frame_id = ?', JSON.stringify(changed), frameId)
}

export function readFrame(database: Database, frameId: string): FrameRecord | undefined {
  return recordOf(database.get('SELECT record FROM frames WHERE frame_id = ?', frameId))
}

/** Newest first; only the given conditions are asked for. */
export function readFrames(database: Database, filter: Parameters<Store['frames']>[0]): FrameRecord[] {
  const conditions: [string, string | number | undefined][] = [
    ['captured_at_ms < ?', filter.before],
    ['night_id = ?', filter.nightId],
    ['type = ?', filter.type],
    ['field_id = ?', filter.fieldId],
    ['state = ?', filter.state],
  ]
  const given = conditions.filter((condition): condition is [string, string | number] => condition[1] !== undefined)
  const where = given.length ? `WHERE ${given.map(([sql]) => sql).join(' AND ')}` : ''
  const sql = `SELECT record FROM frames ${where} ORDER BY captured_at_ms DESC, frame_id DESC LIMIT ?`
  return recordsOf(database.all(sql, ...given.map(([, value]) => value), filter.limit))
}

/** Light frames of one night: all, those that got through calibration, and those that were rejected or failed. */
export function frameCounts(database: Database, nightId: string): ReturnType<Store['frameCounts']> {
  const rows = database.all(
    "SELECT state, count(*) AS n FROM frames WHERE night_id = ? AND type = 'light' GROUP BY state",
    nightId,
  )
  const sum = (...states: string[]): number =>
    rows.filter((row) => states.includes(String(row.state))).reduce((total, row) => total + Number(row.n), 0)
  return {
    captured: rows.reduce((total, row) => total + Number(row.n), 0),
    calibrated: sum('calibrated', 'differenced', 'scored'),
    rejected: sum('rejected', 'failed'),
  }
}

export function putTakenFile(database: Database, file: TakenFile): void {
  const sql =
    'INSERT OR REPLACE INTO taken_files (path, bytes, modified_at_ms, sha256, frame_id) VALUES (?, ?, ?, ?, ?)'
  database.run(sql, file.path, file.bytes, file.modifiedAtMs, file.sha256, file.frameId)
}

export function readTakenFile(database: Database, path: string): TakenFile | undefined {
  const row = database.get('SELECT * FROM taken_files WHERE path = ?', path)
  return (
    row && {
      path,
      bytes: Number(row.bytes),
      modifiedAtMs: Number(row.modified_at_ms),
      sha256: String(row.sha256),
      frameId: String(row.frame_id),
    }
  )
}

export function putMaster(database: Database, master: MasterRecord): void {
  database.run('INSERT INTO masters (master_id, record) VALUES (?, ?)', master.masterId, JSON.stringify(master))
}

/** The newest of its kind and shape; where exposure matters, the nearest exposure first. */
export function readMaster(database: Database, want: Parameters<Store['master']>[0]): MasterRecord | undefined {
  return readMasters(database, want, 1)[0]
}

/** As `readMaster`, the best first. */
export function readMasters(
  database: Database,
  want: Parameters<Store['masters']>[0],
  limit: Parameters<Store['masters']>[1],
): MasterRecord[] {
  const values: (string | number)[] = [want.type, want.width, want.height]
  let sql = 'SELECT record FROM masters WHERE type = ? AND width = ? AND height = ?'
  if (want.filter !== undefined) {
    sql += ' AND filter = ?'
    values.push(want.filter)
  }
  sql += ' ORDER BY '
  if (want.exposureSeconds !== undefined) {
    sql += 'abs(exposure_seconds - ?), '
    values.push(want.exposureSeconds)
  }
  return recordsOf(database.all(`${sql}built_at_ms DESC, master_id DESC LIMIT ?`, ...values, limit))
}

export function putReference(database: Database, reference: ReferenceRecord): void {
  const text = JSON.stringify(reference)
  database.run('INSERT INTO field_references (reference_id, record) VALUES (?, ?)', reference.referenceId, text)
}

/** The newest picture of a field in one filter. */
export function readReference(database: Database, fieldId: string, filter: string): ReferenceRecord | undefined {
  const sql = `SELECT record FROM field_references WHERE field_id = ? AND filter = ?
    ORDER BY built_at_ms DESC, reference_id DESC LIMIT 1`
  return recordOf(database.get(sql, fieldId, filter))
}

/** Every version of every reference, newest first. */
export function readReferences(database: Database, limit: number): ReferenceRecord[] {
  const sql = 'SELECT record FROM field_references ORDER BY built_at_ms DESC, reference_id DESC LIMIT ?'
  return recordsOf(database.all(sql, limit))
}

/** How many frames there are. */
export function frameTotal(database: Database): number {
  return count(database, 'SELECT count(*) AS n FROM frames')
}
