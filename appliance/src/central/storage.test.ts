import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../store/testing/samples.ts'
import { openPostgresStorage } from './postgresStorage.ts'
import { openSqliteStorage } from './sqliteStorage.ts'
import { startPostgres } from './startPostgres.ts'
import type { AlertStorage } from './storage.ts'
import { hasPostgres, sampleEnvelope } from './testing/receivers.ts'

const id = (n: number): string => n.toString(16).padStart(64, '0')
const stack = new AsyncDisposableStack()
let folder: string
let postgresUrl = ''

beforeAll(async () => {
  folder = stack.use(temporaryFolder()).path
  if (hasPostgres) postgresUrl = stack.use(await startPostgres(stack.use(temporaryFolder()).path, systemClock)).url
})
afterAll(() => stack.disposeAsync())

const kinds: [string, boolean, (test: number) => Promise<AlertStorage>][] = [
  ['SQLite', true, async (test) => openSqliteStorage(join(folder, `sqlite-${test}`))],
  [
    'PostgreSQL',
    hasPostgres,
    async (test) => {
      const { default: pg } = await import('pg')
      const admin = new pg.Client({ connectionString: postgresUrl })
      await admin.connect()
      await admin.query(`CREATE DATABASE test_${test}`)
      await admin.end()
      return openPostgresStorage(postgresUrl.replace('/postgres?', `/test_${test}?`))
    },
  ],
]
let test = 0

describe.each(kinds)('%s', (_, installed, open) => {
  const on = it.skipIf(!installed)

  on('keeps one row for an event sent twice, and says so in the receipt', async () => {
    await using storage = await open(test++)
    const [stored] = await storage.ingest([sampleEnvelope()], 5)
    expect(stored).toMatchObject({ eventId: sampleEnvelope().eventId, rev: 1, outcome: 'stored', receivedAtMs: 5 })
    const [known] = await storage.ingest([sampleEnvelope()], 6)
    expect(known).toEqual({ ...stored, outcome: 'known' })
    expect(await storage.counts()).toEqual({ alerts: 1, objects: 1 })
  })

  on('keeps the highest revision, in whatever order they come', async () => {
    await using storage = await open(test++)
    const rev = (n: number) => sampleEnvelope({ rev: n, class: `c${n}` })
    const outcomes = []
    for (const n of [2, 1, 4, 3, 4]) outcomes.push((await storage.ingest([rev(n)], n))[0]!.outcome)
    expect(outcomes).toEqual(['stored', 'known', 'stored', 'known', 'known'])
    expect(await storage.alert(sampleEnvelope().eventId)).toEqual(rev(4))
    expect(await storage.counts()).toEqual({ alerts: 1, objects: 1 })
  })

  on('takes a batch as a whole, with the same event twice in it', async () => {
    await using storage = await open(test++)
    const receipts = await storage.ingest([sampleEnvelope(), sampleEnvelope({ rev: 2 }), sampleEnvelope()], 5)
    expect(receipts.map(({ rev, outcome }) => [rev, outcome])).toEqual([
      [1, 'stored'],
      [2, 'stored'],
      [1, 'known'],
    ])
  })

  on(
    'makes one object of what lies within two arc seconds, from any site, also across 0h and at the pole',
    async () => {
      await using storage = await open(test++)
      const second = 1 / 3600
      const places: [number, number][] = [
        [10, 20],
        [10, 20 + 1.9 * second],
        [10, 20 + 2.5 * second],
        [360 - 0.5 * second, 0],
        [0.5 * second, 0],
        [0, 90 - 0.5 * second],
        [180, 90 - 0.5 * second],
      ]
      await storage.ingest(
        places.map(([raDeg, decDeg], n) =>
          sampleEnvelope({ eventId: id(n), raDeg, decDeg, site: `s${n}`, observedAtMs: n }),
        ),
        1,
      )
      expect(await storage.counts()).toEqual({ alerts: 7, objects: 4 })
      const near = await storage.objectsNear(10, 20, 10 * second, 10)
      expect(near.map(({ eventIds }) => eventIds)).toEqual([[id(0), id(1)], [id(2)]])
      expect(near[0]).toMatchObject({ alerts: 2, firstObservedAtMs: 0, lastObservedAtMs: 1, raDeg: 10, decDeg: 20 })
      expect(await storage.objectsNear(0, 0, second, 10)).toMatchObject([{ alerts: 2 }])
      expect(await storage.objectsNear(77, 90, second, 10)).toMatchObject([{ alerts: 2 }])
      expect(await storage.objectsNear(10, 20, 10 * second, 1)).toHaveLength(1)
      expect(await storage.objectsNear(200, -20, 1, 10)).toEqual([])
    },
  )

  on('makes one object when two batches about it arrive at once', async () => {
    await using storage = await open(test++)
    await Promise.all(Array.from({ length: 8 }, (_, n) => storage.ingest([sampleEnvelope({ eventId: id(n) })], 1)))
    expect(await storage.counts()).toEqual({ alerts: 8, objects: 1 })
  })

  on('keeps everything over a restart', async () => {
    const n = test++
    {
      await using storage = await open(n)
      await storage.ingest([sampleEnvelope()], 1)
    }
    await using again =
      _ === 'SQLite' ? await open(n) : await openPostgresStorage(postgresUrl.replace('/postgres?', `/test_${n}?`))
    expect(await again.alert(sampleEnvelope().eventId)).toEqual(sampleEnvelope())
    expect(await again.alert(id(5))).toBeUndefined()
  })
})

describe('PostgreSQL that is not there', () => {
  it('is named, with what went wrong', async () => {
    const url = `postgres://postgres@/postgres?host=${encodeURIComponent(join(folder, 'nowhere'))}`
    await expect(openPostgresStorage(url)).rejects.toMatchObject({ code: 'central/unavailable' })
  })
})
