import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { sqliteName } from '../../src/central/sqliteStorage.ts'
import { startPostgres } from '../../src/central/startPostgres.ts'
import { hasPostgres } from '../../src/central/testing/receivers.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { databaseName, verifyFolder } from '../../src/store/verify.ts'
import { phaseOf, startLife, survivorsOf, unadoptedFrames } from './lives.ts'

const kills = 20
/** Of a plain start, which tells how soon it was ready. */
const plainKills = 4
/** Lives that end by themselves before their kill are not counted, up to so many. */
const mostLives = 60
/** The smallest sensor whose frames the catalogue's stars solve. */
const sky = ['--seed', '7', '--size', '768', '--time-factor', '0.03'] as const
const lastLives = 8

const hasSetpriv = spawnSync('setpriv', ['--version']).status === 0
if (!hasSetpriv) console.warn('kills of the daemon are skipped: apt-get install util-linux')

type Rows = Record<string, string | number>[]

function rowsOf(path: string, sql: string): Rows {
  using database = new DatabaseSync(path, { readOnly: true })
  return database.prepare(sql).all() as Rows
}

const waitingAlerts = (store: string): number =>
  rowsOf(store, "SELECT event_id FROM outbox WHERE state = 'waiting'").length

/** Values of `column` that more than one row has. */
const doubles = (path: string, table: string, column: string): Rows =>
  rowsOf(path, `SELECT ${column} AS value FROM ${table} GROUP BY ${column} HAVING count(*) > 1`)

const eventsTwice = (store: string, type: string, key: string): Rows =>
  doubles(store, `(SELECT ${key} AS key FROM journal WHERE type = '${type}')`, 'key')

/** Everything that a journal, its rows, its files and the receiver could disagree about. */
async function expectWhole(folder: string): Promise<{ readonly frames: number; readonly alerts: number }> {
  const store = join(folder, databaseName)
  expect(await verifyFolder(folder)).toMatchObject({ ok: true, problems: [] })
  const captured = rowsOf(store, "SELECT body ->> 'path' AS path FROM journal WHERE type = 'frame.captured'")
  expect(captured.filter(({ path }) => !existsSync(join(folder, String(path))))).toEqual([])
  {
    using database = new DatabaseSync(store, { readOnly: true })
    expect(unadoptedFrames(folder, database)).toEqual([])
  }
  expect(rowsOf(store, 'SELECT frame_id FROM frames')).toHaveLength(captured.length)
  for (const type of ['frame.captured', 'frame.calibrated', 'candidates.found', 'detections.scored'])
    expect(eventsTwice(store, type, "body ->> 'frameId'")).toEqual([])
  for (const type of ['detection.validated', 'entry.catalogued'])
    expect(eventsTwice(store, type, "body ->> 'detectionId'")).toEqual([])
  expect(doubles(store, 'detections', "frame_id || ' ' || (record ->> 'x') || ' ' || (record ->> 'y')")).toEqual([])
  expect(doubles(store, 'entries', 'name')).toEqual([])
  return { frames: captured.length, alerts: await expectDeliveredOnce(folder, store) }
}

/** Returns how many alerts there are. */
async function expectDeliveredOnce(folder: string, store: string): Promise<number> {
  const outbox = rowsOf(
    store,
    "SELECT event_id, rev, state, record ->> 'receipt' AS receipt FROM outbox ORDER BY event_id",
  )
  expect(outbox.filter(({ state }) => state !== 'delivered')).toEqual([])
  expect(eventsTwice(store, 'alert.forwarded', "(body ->> 'eventId') || ' ' || (body ->> 'rev')")).toEqual([])
  const forwarded = rowsOf(
    store,
    "SELECT body ->> 'eventId' AS event_id, body ->> 'receipt' AS receipt FROM journal WHERE type = 'alert.forwarded' ORDER BY 1",
  )
  const received = await receivedRows(join(folder, 'central'))
  expect(received).toEqual(forwarded)
  expect(outbox.map(({ event_id, receipt }) => ({ event_id, receipt }))).toEqual(received)
  return received.length
}

const receivedSql = 'SELECT event_id, CAST(receipt AS TEXT) AS receipt FROM alerts ORDER BY event_id'

/** From PostgreSQL where the receiver found it, from SQLite elsewhere. */
async function receivedRows(folder: string): Promise<Rows> {
  if (!hasPostgres) return rowsOf(join(folder, sqliteName), receivedSql)
  await using server = await startPostgres(join(folder, 'postgres'), systemClock)
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    return (await client.query(receivedSql)).rows as Rows
  } finally {
    await client.end()
  }
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

describe.skipIf(!hasSetpriv)('a daemon that is killed', () => {
  it(`${kills} times at random moments of --once loses nothing, doubles nothing and leaves no process`, async () => {
    using folder = temporaryFolder()
    const store = join(folder.path, databaseName)
    const random = createRandom(20261121)
    const mine = `kills-${process.pid}`
    const phases: string[] = []
    const startsSeconds: number[] = []
    /** False when the life had ended by itself. */
    const liveAndDie = async (name: string, args: readonly string[], delayMs: number): Promise<boolean> => {
      const life = startLife(name, ['--data', folder.path, ...args, ...sky])
      await systemClock.sleep(delayMs)
      await life.kill()
      const { complaints, status } = await life.ended()
      expect(complaints).toEqual('')
      const readySeconds = life.readySeconds()
      if (readySeconds !== undefined) startsSeconds.push(readySeconds)
      if (status === null) phases.push(`${args[0]} after ${(delayMs / 1000).toFixed(1)} s: ${phaseOf(folder.path)}`)
      return status === null
    }
    for (let life = 1, killed = 0; killed < kills && life <= mostLives; life++) {
      // Every fourth dies while it starts, recovering what the one before left.
      const delayMs = life % 4 === 0 ? 200 + random.next() * 1_800 : 2_000 + random.next() * 5_000
      if (await liveAndDie(`${mine}-${life}`, ['--once'], delayMs)) killed++
    }
    expect(phases).toHaveLength(kills)
    for (let kill = 1; kill <= plainKills; kill++)
      await liveAndDie(`${mine}-plain${kill}`, ['--port', '0'], 2_500 + random.next() * 2_000)
    // Lives that end by themselves, until what was waiting has arrived.
    for (let last = 1; last === 1 || (waitingAlerts(store) > 0 && last <= lastLives); last++) {
      const name = `${mine}-last${last}`
      const { status, said, complaints } = await startLife(name, ['--data', folder.path, '--once', ...sky]).ended()
      expect({ status, complaints }, said).toEqual({ status: 0, complaints: '' })
      expect(JSON.parse(said)).toMatchObject({ ok: true })
    }
    // What a killed life leaves behind is its guardian, which parks and closes and ends, and the simulator it does that with.
    expect(await survivorsOf(mine, folder.path)).toEqual([])
    const { frames, alerts } = await expectWhole(folder.path)
    console.log(
      [
        ...phases.map((phase, index) => `kill ${index + 1} of start ${phase}`),
        `${frames} frames, ${alerts} alerts; ready after ${middle(startsSeconds).toFixed(1)} s (median), ${Math.max(...startsSeconds).toFixed(1)} s (longest)`,
      ].join('\n'),
    )
    expect(alerts).toBeGreaterThan(0)
    expect(middle(startsSeconds)).toBeLessThan(5)
  }, 400_000)
})
