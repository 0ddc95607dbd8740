import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import pg from 'pg'
import type { AlertEnvelope, AlertReceipt, CentralObject } from '../contract/alert.ts'
import { type AlertStorage, sameObjectArcsec } from './storage.ts'

/** Step n takes `nightjar_schema` from n-1 to n. A released step is never edited. */
const migrations = [
  `
  CREATE EXTENSION IF NOT EXISTS q3c;
  CREATE TABLE objects (
    object_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ra_deg double precision NOT NULL,
    dec_deg double precision NOT NULL
  );
  CREATE INDEX objects_by_place ON objects (q3c_ang2ipix(ra_deg, dec_deg));
  CREATE SEQUENCE receipts;
  CREATE TABLE alerts (
    event_id text PRIMARY KEY,
    rev integer NOT NULL,
    receipt bigint NOT NULL UNIQUE,
    object_id bigint NOT NULL REFERENCES objects (object_id),
    site text NOT NULL,
    observed_at_ms double precision NOT NULL,
    received_at_ms double precision NOT NULL,
    envelope jsonb NOT NULL
  );
  CREATE INDEX alerts_by_object ON alerts (object_id, observed_at_ms);
  CREATE INDEX alerts_by_site ON alerts (site, observed_at_ms);
  `,
]
/** One ingest at a time may look for an object and begin one: two alerts of one object must not make two. */
const ingestLock = 0x6e6a

/** The central catalogue in PostgreSQL with q3c. `url` as in `postgres://user@host/database`. */
export async function openPostgresStorage(url: string): Promise<AlertStorage> {
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 5000, statement_timeout: 20_000 })
  // An idle connection that breaks is replaced by the pool; the query that needs one reports what is wrong.
  pool.on('error', () => undefined)
  try {
    await inTransaction(pool, migrate)
  } catch (error) {
    await pool.end()
    throw error
  }
  return {
    kind: 'postgresql',
    ingest: (alerts, atMs) => inTransaction(pool, (client) => ingest(client, alerts, atMs)),
    async alert(eventId) {
      const { rows } = await ask(pool, 'SELECT envelope FROM alerts WHERE event_id = $1', [eventId])
      return rows[0]?.envelope as AlertEnvelope | undefined
    },
    objectsNear: (...cone) => objectsNear(pool, ...cone),
    async counts() {
      const sql = 'SELECT (SELECT count(*) FROM alerts) AS alerts, (SELECT count(*) FROM objects) AS objects'
      const { rows } = await ask(pool, sql, [])
      return { alerts: Number(rows[0]!.alerts), objects: Number(rows[0]!.objects) }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

type Row = Record<string, unknown>

interface Asker {
  query(sql: string, values: unknown[]): Promise<{ rows: Row[]; rowCount: number | null }>
}

async function ask(asker: Asker, sql: string, values: unknown[]): Promise<{ rows: Row[]; rowCount: number | null }> {
  try {
    return await asker.query(sql, values)
  } catch (error) {
    throw unavailable(error)
  }
}

function unavailable(error: unknown): NightjarError {
  const reason = error instanceof Error ? error.message || error.name : String(error)
  const fix = /q3c/.test(reason) ? '; install the package postgresql-15-q3c and connect as a superuser once' : ''
  return new NightjarError('central/unavailable', `PostgreSQL: ${reason}${fix}`, { cause: error })
}

/** Runs `work` between BEGIN and COMMIT on one connection, which is thrown away when anything fails. */
async function inTransaction<R>(pool: pg.Pool, work: (client: Asker) => Promise<R>): Promise<R> {
  let client: pg.PoolClient | undefined
  try {
    client = await pool.connect()
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (error) {
    client?.release(true)
    throw error instanceof NightjarError ? error : unavailable(error)
  }
}

async function migrate(client: Asker): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [ingestLock])
  await client.query('CREATE TABLE IF NOT EXISTS nightjar_schema (step integer PRIMARY KEY)', [])
  const { rows } = await client.query('SELECT coalesce(max(step), 0) AS step FROM nightjar_schema', [])
  const done = Number(rows[0]!.step)
  if (done > migrations.length) {
    throw new NightjarError('central/newer', `the database was made by a newer Nightjar (step ${done}); start that one`)
  }
  for (let step = done; step < migrations.length; step++) {
    // Several statements go only without parameters.
    await (client as unknown as { query(sql: string): Promise<unknown> }).query(migrations[step]!)
    await client.query('INSERT INTO nightjar_schema (step) VALUES ($1)', [step + 1])
  }
}

async function ingest(client: Asker, alerts: readonly AlertEnvelope[], atMs: number): Promise<AlertReceipt[]> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [ingestLock])
  const receipts: AlertReceipt[] = []
  for (const alert of alerts) receipts.push(await ingestOne(client, alert, atMs))
  return receipts
}

async function ingestOne(client: Asker, alert: AlertEnvelope, atMs: number): Promise<AlertReceipt> {
  const { eventId, rev } = alert
  const known = (await client.query('SELECT rev, receipt, received_at_ms FROM alerts WHERE event_id = $1', [eventId]))
    .rows[0]
  if (known && Number(known.rev) >= rev) return receiptOf(known, alert, 'known')
  const objectId = known ? null : await objectFor(client, alert)
  const { rows } = await client.query(
    `INSERT INTO alerts (event_id, rev, receipt, object_id, site, observed_at_ms, received_at_ms, envelope)
     VALUES ($1, $2, nextval('receipts'),
       coalesce($3::bigint, (SELECT object_id FROM alerts WHERE event_id = $1)), $4, $5, $6, $7)
     ON CONFLICT (event_id) DO UPDATE SET rev = excluded.rev, receipt = excluded.receipt, site = excluded.site,
       observed_at_ms = excluded.observed_at_ms, received_at_ms = excluded.received_at_ms, envelope = excluded.envelope
     WHERE excluded.rev > alerts.rev
     RETURNING receipt, received_at_ms`,
    [eventId, rev, objectId, alert.site, alert.observedAtMs, atMs, JSON.stringify(alert)],
  )
  return receiptOf(rows[0]!, alert, 'stored')
}

function receiptOf(row: Row, { eventId, rev }: AlertEnvelope, outcome: AlertReceipt['outcome']): AlertReceipt {
  return { eventId, rev, receipt: String(row.receipt), receivedAtMs: Number(row.received_at_ms), outcome }
}

async function objectFor(client: Asker, { raDeg, decDeg }: AlertEnvelope): Promise<string> {
  const near = await client.query(
    `SELECT object_id FROM objects WHERE q3c_radial_query(ra_deg, dec_deg, $1, $2, $3)
     ORDER BY q3c_dist(ra_deg, dec_deg, $1, $2) LIMIT 1`,
    [raDeg, decDeg, sameObjectArcsec / 3600],
  )
  if (near.rows[0]) return String(near.rows[0].object_id)
  const sql = 'INSERT INTO objects (ra_deg, dec_deg) VALUES ($1, $2) RETURNING object_id'
  return String((await client.query(sql, [raDeg, decDeg])).rows[0]!.object_id)
}

async function objectsNear(
  pool: pg.Pool,
  raDeg: number,
  decDeg: number,
  radiusDeg: number,
  limit: number,
): Promise<CentralObject[]> {
  const { rows } = await ask(
    pool,
    `SELECT object_id, ra_deg, dec_deg, count(*) AS alerts, min(observed_at_ms) AS first, max(observed_at_ms) AS last,
       array_agg(event_id ORDER BY observed_at_ms, event_id) AS event_ids
     FROM objects JOIN alerts USING (object_id)
     WHERE q3c_radial_query(ra_deg, dec_deg, $1, $2, $3)
     GROUP BY object_id ORDER BY q3c_dist(ra_deg, dec_deg, $1, $2) LIMIT $4`,
    [raDeg, decDeg, radiusDeg, limit],
  )
  return rows.map((row) => ({
    objectId: String(row.object_id),
    raDeg: Number(row.ra_deg),
    decDeg: Number(row.dec_deg),
    firstObservedAtMs: Number(row.first),
    lastObservedAtMs: Number(row.last),
    alerts: Number(row.alerts),
    eventIds: row.event_ids as string[],
  }))
}
