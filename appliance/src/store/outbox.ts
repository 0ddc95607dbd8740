import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { AlertRecord } from '../contract/records.ts'
import type { Database, Row } from './database.ts'
import { count, recordOf, recordsOf, shapeCheck } from './records.ts'
import type { OutboxRow, Store } from './store.ts'

/** Alerts on their way: a row per event, revision and destination, kept until the receiver says that it has it. */

const checkAlert = shapeCheck(AlertRecord, 'alert')
const ordinaryUrgency = 1

/** Stores a row once: the same event, revision and destination again changes nothing. */
export function putAlert(database: Database, row: OutboxRow): void {
  const { envelope, urgency, ...alert } = row
  checkAlert(alert)
  database.run(
    `INSERT INTO outbox (event_id, rev, destination, urgency, record, envelope) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (event_id, rev, destination) DO NOTHING`,
    alert.eventId,
    alert.rev,
    alert.destination,
    urgency ?? ordinaryUrgency,
    JSON.stringify(alert),
    envelope,
  )
}

export function updateAlert(
  database: Database,
  eventId: string,
  rev: number,
  destination: string,
  change: Partial<AlertRecord>,
): void {
  const row = readOutboxRow(database, eventId, rev, destination)
  if (!row) {
    const name = `alert ${eventId} rev ${rev} to ${destination}`
    throw new NightjarError('store/unknown', `${name} is not stored; put it before changing it`)
  }
  const { envelope: _, urgency: __, ...alert } = row
  const changed = checkAlert({ ...alert, ...change, eventId, rev, destination })
  const sql = 'UPDATE outbox SET record = ? WHERE event_id = ? AND rev = ? AND destination = ?'
  database.run(sql, JSON.stringify(changed), eventId, rev, destination)
}

/** Newest first. */
export function readAlerts(database: Database, limit: number): AlertRecord[] {
  const sql = 'SELECT record FROM outbox ORDER BY queued_at_ms DESC, event_id DESC, rev DESC, destination LIMIT ?'
  return recordsOf(database.all(sql, limit))
}

/** Every revision sent or to be sent about one detection, lowest first. */
export function readAlertsOf(database: Database, detectionId: string): AlertRecord[] {
  const sql = 'SELECT record FROM outbox WHERE detection_id = ? ORDER BY rev, destination'
  return recordsOf(database.all(sql, detectionId))
}

export function alertCounts(database: Database): ReturnType<Store['alertCounts']> {
  const of = (state: string): number => count(database, 'SELECT count(*) AS n FROM outbox WHERE state = ?', state)
  return { waiting: of('waiting'), delivered: of('delivered'), dead: of('dead') }
}

export function readOutboxRow(
  database: Database,
  eventId: string,
  rev: number,
  destination: string,
): OutboxRow | undefined {
  const sql = 'SELECT record, envelope, urgency FROM outbox WHERE event_id = ? AND rev = ? AND destination = ?'
  const row = database.get(sql, eventId, rev, destination)
  return row && rowOf(row)
}

/** Rows whose time has come, most urgent and then oldest first; to one destination when it is named. */
export function readOutboxDue(database: Database, atMs: number, limit: number, destination?: string): OutboxRow[] {
  const where = `state = 'waiting' AND next_attempt_at_ms <= ? ${destination === undefined ? '' : 'AND destination = ?'}`
  const sql = `SELECT record, envelope, urgency FROM outbox WHERE ${where}
    ORDER BY urgency, queued_at_ms, event_id, rev, destination LIMIT ?`
  const values = destination === undefined ? [atMs, limit] : [atMs, destination, limit]
  return database.all(sql, ...values).map(rowOf)
}

/** When an event's next waiting row to a destination is due, Unix ms; undefined when none waits. */
export function nextAttemptAtMs(database: Database, eventId: string, destination: string): number | undefined {
  // Without statistics SQLite would walk every waiting row.
  const sql = `SELECT min(next_attempt_at_ms) AS n FROM outbox INDEXED BY outbox_of_event
    WHERE state = 'waiting' AND event_id = ? AND destination = ?`
  const row = database.get(sql, eventId, destination)
  return typeof row?.n === 'number' ? row.n : undefined
}

function rowOf(row: Row): OutboxRow {
  const alert = recordOf<AlertRecord>(row)!
  return { ...alert, envelope: String(row.envelope), urgency: Number(row.urgency) }
}
