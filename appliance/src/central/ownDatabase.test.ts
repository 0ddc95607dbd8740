import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../store/testing/samples.ts'
import { openOwnDatabase } from './ownDatabase.ts'
import { openSqliteStorage } from './sqliteStorage.ts'
import { startPostgres } from './startPostgres.ts'
import { hasPostgres } from './testing/receivers.ts'

const silent = (words: string): never => {
  throw new Error(words)
}

describe('the database of a central catalogue', () => {
  it('stays SQLite in a folder that began with it, whatever is installed since', async () => {
    using folder = temporaryFolder()
    await openSqliteStorage(folder.path)[Symbol.asyncDispose]()
    expect(await openOwnDatabase(folder.path, systemClock, silent)).toBeUndefined()
  })

  it.skipIf(!hasPostgres)('is a PostgreSQL of its own where Debian has one, and is found again', async () => {
    using folder = temporaryFolder()
    for (let start = 1; start <= 2; start++) {
      await using server = await openOwnDatabase(folder.path, systemClock, silent)
      expect(server?.url).toContain(encodeURIComponent(join(folder.path, 'postgres')))
    }
  })

  it.skipIf(!hasPostgres)('refuses a path too long for a socket at once, and SQLite takes over', async () => {
    using folder = temporaryFolder()
    const deep = join(folder.path, 'd'.repeat(100))
    mkdirSync(deep)
    await expect(startPostgres(deep, systemClock)).rejects.toMatchObject({ code: 'postgres/failed' })
    const told: string[] = []
    expect(await openOwnDatabase(deep, systemClock, (words) => told.push(words))).toBeUndefined()
    expect(told).toEqual([expect.stringMatching(/too long.*going on with SQLite/)])
  })
})
