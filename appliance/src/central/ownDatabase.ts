import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { sqliteName } from './sqliteStorage.ts'
import { findPostgres, letPostgresThrough, type PostgresServer, startPostgres } from './startPostgres.ts'

/**
 * A PostgreSQL of the catalogue's own where Debian's packages are installed, else undefined: SQLite. A folder keeps the
 * storage that it began with, so that packages that come or go never hide its alerts. Throws `postgres/missing` when the
 * folder's alerts are in PostgreSQL and that is gone.
 */
export async function openOwnDatabase(
  folder: string,
  clock: Clock,
  tell: (words: string) => void,
): Promise<PostgresServer | undefined> {
  const postgresFolder = join(folder, 'postgres')
  const began = existsSync(join(postgresFolder, 'data'))
  if (began) return startPostgres(postgresFolder, clock)
  if (existsSync(join(folder, sqliteName)) || !findPostgres()) return undefined
  try {
    await letPostgresThrough(folder)
    return await startPostgres(postgresFolder, clock)
  } catch (error) {
    if (!(error instanceof NightjarError) || error.code !== 'postgres/failed') throw error
    tell(`${error.message}; going on with SQLite`)
    return undefined
  }
}
