import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { migrations } from './schema.ts'

/** SQLite result codes that mean something to us (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26
const SQLITE_IOERR_SHMSIZE = 4874
const SQLITE_CONSTRAINT_FOREIGNKEY = 787

export type Row = Record<string, string | number | null>

/** One SQLite file with its statements kept compiled, and its failures named. */
export class Database implements Disposable {
  readonly path: string
  readonly #sqlite: DatabaseSync
  readonly #migrations: readonly string[]
  readonly #statements = new Map<string, StatementSync>()

  /** Opens or makes the file. Throws `store/corrupt` when it is not a database, `store/newer` when a later Nightjar made it. */
  constructor(path: string, options: { readonly readOnly?: boolean; readonly migrations?: readonly string[] } = {}) {
    this.path = path
    this.#migrations = options.migrations ?? migrations
    this.#sqlite = this.#named(() => new DatabaseSync(path, { readOnly: options.readOnly ?? false, timeout: 5000 }))
    try {
      if (!options.readOnly) this.#prepareToWrite()
      this.#named(() => this.#sqlite.exec('PRAGMA foreign_keys = ON'))
    } catch (error) {
      this.#sqlite.close()
      throw error
    }
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#named(() => this.#statement(sql).all(...values) as Row[])
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#named(() => this.#statement(sql).get(...values) as Row | undefined)
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#named(() => Number(this.#statement(sql).run(...values).changes))
  }

  /** Runs `work` between BEGIN and COMMIT; whatever throws, nothing of it stays. */
  transaction<R>(work: () => R): R {
    this.#named(() => this.#sqlite.exec('BEGIN IMMEDIATE'))
    try {
      const result = work()
      this.#named(() => this.#sqlite.exec('COMMIT'))
      return result
    } catch (error) {
      if (this.#sqlite.isTransaction) this.#named(() => this.#sqlite.exec('ROLLBACK'))
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    if (this.#sqlite.isOpen) this.#sqlite.close()
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#sqlite.prepare(sql)))
    return statement
  }

  #prepareToWrite(): void {
    this.#named(() => {
      this.#sqlite.exec('PRAGMA journal_mode = WAL')
      this.#sqlite.exec('PRAGMA synchronous = FULL')
      this.#sqlite.exec('PRAGMA journal_size_limit = 16777216')
    })
    this.#migrate()
  }

  #migrate(): void {
    const version = Number(this.get('PRAGMA user_version')?.user_version ?? 0)
    if (version > this.#migrations.length) {
      const fix = 'start the version that made it, or restore a backup from before the change'
      throw new NightjarError('store/newer', `${this.path} was made by a newer Nightjar (shape ${version}); ${fix}`)
    }
    for (let step = version; step < this.#migrations.length; step++) {
      this.transaction(() => this.#sqlite.exec(`${this.#migrations[step]}; PRAGMA user_version = ${step + 1}`))
    }
  }

  #named<R>(work: () => R): R {
    try {
      return work()
    } catch (error) {
      throw nameFailure(error, this.path)
    }
  }
}

/** A SQLite failure as a coded one; anything else unchanged. */
function nameFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error
  const code = Number(error.errcode)
  const failure = (name: string, message: string): NightjarError => new NightjarError(name, message, { cause: error })
  if (code === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE) return full(path, error)
  if (code === SQLITE_BUSY) return failure('store/busy', `${path} is in use by another process; stop it first`)
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
    return failure('store/corrupt', `${path} is damaged (${error.message}); restore it from a backup`)
  }
  if (code === SQLITE_CONSTRAINT_FOREIGNKEY) {
    return failure('store/reference', 'a row names another that is not stored; put the frame, detection or entry first')
  }
  return failure('store/sqlite', `${path}: ${error.message}`)
}

/** The disk is full: nothing was written, and writing works again once there is space. */
export function full(path: string, cause: unknown): NightjarError {
  return new NightjarError('store/full', `no space left for ${path}; free some disk space and it goes on`, { cause })
}

/** Whether `error` is what `full` makes; one that comes from a worker has kept only its code. */
export function isFull(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'store/full'
}
