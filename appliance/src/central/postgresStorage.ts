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
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: 5000,
    statement_timeout: 20_000,
    // q3c's cones are slow to plan and always planned alike: planned once, ingest is 7 times and a search 5 times faster.
    options: '-c plan_cache_mode=force_generic_plan',
  })
  // A connection that breaks while it is idle or between two queries says so by an event that nobody else hears; the next
  // query fails and reports what is wrong.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
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
      const rows = await ask(pool, 'SELECT envelope FROM alerts WHERE event_id = $1', [eventId])
      return rows[0]?.envelope as AlertEnvelope | undefined
    },
    objectsNear: (...cone) => objectsNear(pool, ...cone),
    async counts() {
      const sql = 'SELECT (SELECT count(*) FROM alerts) AS alerts, (SELECT count(*) FROM objects) AS objects'
      const rows = await ask(pool, sql, [])
      return { alerts: Number(rows[0]!.alerts), objects: Number(rows[0]!.objects) }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

type Row = Record<string, unknown>

async function ask(pool: pg.Pool, text: string, values: unknown[], name?: string): Promise<Row[]> {
  try {
    return (await pool.query<Row>({ text, values, ...(name !== undefined && { name }) })).rows
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
async function inTransaction<R>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<R>): Promise<R> {
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

async function migrate(client: pg.PoolClient): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [ingestLock])
  await client.query('CREATE TABLE IF NOT EXISTS nightjar_schema (step integer PRIMARY KEY)')
  const { rows } = await client.query<Row>('SELECT coalesce(max(step), 0) AS step FROM nightjar_schema')
  const done = Number(rows[0]!.step)
  if (done > migrations.length) {
    throw new NightjarError('central/newer', `the database was made by a newer Nightjar (step ${done}); start that one`)
  }
  for (let step = done; step < migrations.length; step++) {
    await client.query(migrations[step]!)
    await client.query('INSERT INTO nightjar_schema (step) VALUES ($1)', [step + 1])
  }
}

/** Places the alert under the object that is there, or a new one; an event that is known keeps its object. */
const upsert = {
  // Named, so that it is planned once for each connection.
  name: 'upsert-alert',
  text: `
    WITH known AS (SELECT object_id FROM alerts WHERE event_id = $1),
    near AS (
      SELECT object_id FROM objects
      WHERE NOT EXISTS (SELECT FROM known) AND q3c_radial_query(ra_deg, dec_deg, $3, $4, $5)
      ORDER BY q3c_dist(ra_deg, dec_deg, $3, $4) LIMIT 1
    ),
    made AS (
      INSERT INTO objects (ra_deg, dec_deg)
      SELECT $3, $4 WHERE NOT EXISTS (SELECT FROM known) AND NOT EXISTS (SELECT FROM near)
      RETURNING object_id
    ),
    object AS (SELECT object_id FROM known UNION ALL SELECT object_id FROM near UNION ALL SELECT object_id FROM made)
    INSERT INTO alerts (event_id, rev, receipt, object_id, site, observed_at_ms, received_at_ms, envelope)
    SELECT $1, $2, nextval('receipts'), object_id, $6, $7, $8, $9 FROM object
    ON CONFLICT (event_id) DO UPDATE SET rev = excluded.rev, receipt = excluded.receipt, site = excluded.site,
      observed_at_ms = excluded.observed_at_ms, received_at_ms = excluded.received_at_ms, envelope = excluded.envelope
    WHERE excluded.rev > alerts.rev
    RETURNING event_id, rev, receipt, received_at_ms`,
}

async function ingest(client: pg.PoolClient, alerts: readonly AlertEnvelope[], atMs: number): Promise<AlertReceipt[]> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [ingestLock])
  const known = await knownAlerts(client, alerts)
  const receipts: AlertReceipt[] = []
  for (const alert of alerts) {
    const there = known.get(alert.eventId)
    if (there && Number(there.rev) >= alert.rev) receipts.push(receiptOf(there, alert, 'known'))
    else {
      const stored = await store(client, alert, atMs)
      known.set(alert.eventId, stored)
      receipts.push(receiptOf(stored, alert, 'stored'))
    }
  }
  return receipts
}

async function knownAlerts(client: pg.PoolClient, alerts: readonly AlertEnvelope[]): Promise<Map<string, Row>> {
  const sql = 'SELECT event_id, rev, receipt, received_at_ms FROM alerts WHERE event_id = ANY ($1)'
  const { rows } = await client.query<Row>(sql, [alerts.map((alert) => alert.eventId)])
  return new Map(rows.map((row) => [String(row.event_id), row]))
}

async function store(client: pg.PoolClient, alert: AlertEnvelope, atMs: number): Promise<Row> {
  const { eventId, rev, raDeg, decDeg, site, observedAtMs } = alert
  const radiusDeg = sameObjectArcsec / 3600
  const values = [eventId, rev, raDeg, decDeg, radiusDeg, site, observedAtMs, atMs, JSON.stringify(alert)]
  const { rows } = await client.query<Row>({ ...upsert, values })
  return rows[0]!
}

function receiptOf(row: Row, { eventId, rev }: AlertEnvelope, outcome: AlertReceipt['outcome']): AlertReceipt {
  return { eventId, rev, receipt: String(row.receipt), receivedAtMs: Number(row.received_at_ms), outcome }
}

async function objectsNear(
  pool: pg.Pool,
  raDeg: number,
  decDeg: number,
  radiusDeg: number,
  limit: number,
): Promise<CentralObject[]> {
  const rows = await ask(
    pool,
    `SELECT object_id, ra_deg, dec_deg, count(*) AS alerts, min(observed_at_ms) AS first, max(observed_at_ms) AS last,
       array_agg(event_id ORDER BY observed_at_ms, event_id) AS event_ids
     FROM objects JOIN alerts USING (object_id)
     WHERE q3c_radial_query(ra_deg, dec_deg, $1, $2, $3)
     GROUP BY object_id ORDER BY q3c_dist(ra_deg, dec_deg, $1, $2) LIMIT $4`,
    [raDeg, decDeg, radiusDeg, limit],
    'objects-near',
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
