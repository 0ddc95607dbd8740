import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { Database } from './database.ts'
import { readReferences } from './frames.ts'
import type { ReferenceRecord } from './store.ts'
import { databaseName } from './verify.ts'

const most = 10_000

/** Every version of every reference of a data folder, newest first, without owning it: also beside a running daemon. */
export function listReferences(folder: string): ReferenceRecord[] {
  const path = join(folder, databaseName)
  if (!existsSync(path))
    throw new NightjarError('store/missing', `${folder} is no data folder: it has no ${databaseName}`)
  using database = new Database(path, { readOnly: true })
  return readReferences(database, most)
}
