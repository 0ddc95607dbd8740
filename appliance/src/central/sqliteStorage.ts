import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { AlertEnvelope, AlertReceipt, CentralObject } from '../contract/alert.ts'
import { Database, type Row } from '../store/database.ts'
import { coneBoxes, nearestFirst, zoneOf } from '../store/entries.ts'
import { own } from '../store/owner.ts'
import { count } from '../store/records.ts'
import { type AlertStorage, sameObjectArcsec } from './storage.ts'

const migrations = [
  `
  CREATE TABLE objects (
    object_id INTEGER PRIMARY KEY,
    ra_deg REAL NOT NULL,
    dec_deg REAL NOT NULL,
    zone INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX objects_by_zone ON objects (zone, ra_deg);
  CREATE TABLE alerts (
    receipt INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    rev INTEGER NOT NULL,
    object_id INTEGER NOT NULL REFERENCES objects (object_id),
    observed_at_ms REAL NOT NULL,
    received_at_ms REAL NOT NULL,
    envelope TEXT NOT NULL
  ) STRICT;
  CREATE INDEX alerts_by_object ON alerts (object_id, observed_at_ms);
  `,
]

/** In the catalogue's folder. */
export const sqliteName = 'central.sqlite'

/** The central catalogue in one SQLite file: for a single site, or until PostgreSQL is there. */
export function openSqliteStorage(folder: string): AlertStorage {
  mkdirSync(folder, { recursive: true, mode: 0o750 })
  const owner = own(folder)
  const database = new Database(join(folder, sqliteName), { migrations })
  return {
    kind: 'sqlite',
    ingest: async (alerts, atMs) => database.transaction(() => alerts.map((alert) => ingestOne(database, alert, atMs))),
    async alert(eventId) {
      const row = database.get('SELECT envelope FROM alerts WHERE event_id = ?', eventId)
      return row && (JSON.parse(String(row.envelope)) as AlertEnvelope)
    },
    objectsNear: async (...cone) => objectsNear(database, ...cone),
    counts: async () => ({
      alerts: count(database, 'SELECT count(*) AS n FROM alerts'),
      objects: count(database, 'SELECT count(*) AS n FROM objects'),
    }),
    async [Symbol.asyncDispose]() {
      database[Symbol.dispose]()
      owner[Symbol.dispose]()
    },
  }
}

function ingestOne(database: Database, alert: AlertEnvelope, atMs: number): AlertReceipt {
  const { eventId, rev } = alert
  const known = database.get('SELECT receipt, rev, received_at_ms, object_id FROM alerts WHERE event_id = ?', eventId)
  if (known && Number(known.rev) >= rev) return receiptOf(known, alert, 'known')
  const objectId = known ? Number(known.object_id) : objectFor(database, alert)
  // A new number for each revision: a receipt always means one text.
  database.run('DELETE FROM alerts WHERE event_id = ?', eventId)
  database.run(
    'INSERT INTO alerts (event_id, rev, object_id, observed_at_ms, received_at_ms, envelope) VALUES (?, ?, ?, ?, ?, ?)',
    eventId,
    rev,
    objectId,
    alert.observedAtMs,
    atMs,
    JSON.stringify(alert),
  )
  return receiptOf(
    database.get('SELECT receipt, received_at_ms FROM alerts WHERE event_id = ?', eventId)!,
    alert,
    'stored',
  )
}

function receiptOf(row: Row, { eventId, rev }: AlertEnvelope, outcome: AlertReceipt['outcome']): AlertReceipt {
  return { eventId, rev, receipt: String(row.receipt), receivedAtMs: Number(row.received_at_ms), outcome }
}

function objectFor(database: Database, { raDeg, decDeg }: AlertEnvelope): number {
  const near = placesNear(database, raDeg, decDeg, sameObjectArcsec / 3600)[0]
  if (near) return near.objectId
  database.run('INSERT INTO objects (ra_deg, dec_deg, zone) VALUES (?, ?, ?)', raDeg, decDeg, zoneOf(decDeg))
  return count(database, 'SELECT last_insert_rowid() AS n')
}

function placesNear(
  database: Database,
  raDeg: number,
  decDeg: number,
  radiusDeg: number,
): { objectId: number; raDeg: number; decDeg: number }[] {
  const sql = `SELECT object_id AS objectId, ra_deg AS raDeg, dec_deg AS decDeg FROM objects
    WHERE zone BETWEEN ? AND ? AND ra_deg BETWEEN ? AND ?`
  const found = coneBoxes(raDeg, decDeg, radiusDeg).flatMap((box) => database.all(sql, ...box))
  return nearestFirst(found as { objectId: number; raDeg: number; decDeg: number }[], raDeg, decDeg, radiusDeg)
}

function objectsNear(
  database: Database,
  raDeg: number,
  decDeg: number,
  radiusDeg: number,
  limit: number,
): CentralObject[] {
  const sql = 'SELECT event_id, observed_at_ms FROM alerts WHERE object_id = ? ORDER BY observed_at_ms, event_id'
  return placesNear(database, raDeg, decDeg, radiusDeg)
    .slice(0, limit)
    .map((place) => {
      const alerts = database.all(sql, place.objectId)
      return {
        ...place,
        objectId: String(place.objectId),
        firstObservedAtMs: Number(alerts[0]?.observed_at_ms),
        lastObservedAtMs: Number(alerts.at(-1)?.observed_at_ms),
        alerts: alerts.length,
        eventIds: alerts.map((alert) => String(alert.event_id)),
      }
    })
}
