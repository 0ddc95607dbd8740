import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Database, Row } from './database.ts'

/** A check of values against a contract shape: throws `store/shape` with the field and the reason. */
export function shapeCheck<T extends TSchema>(schema: T, what: string): (value: unknown) => Static<T> {
  const validator = Compile(schema)
  return (value) => {
    if (validator.Check(value)) return value as Static<T>
    const error = validator.Errors(value)[0]
    const field = error?.instancePath.slice(1).replaceAll('/', '.') || 'the record'
    throw new NightjarError('store/shape', `${what}: ${field} ${error?.message ?? 'has the wrong shape'}`)
  }
}

/** The JSON in a row's `record` column, or undefined when there was no row. */
export function recordOf<T>(row: Row | undefined): T | undefined {
  return row && (JSON.parse(String(row.record)) as T)
}

/** The records of many rows. */
export function recordsOf<T>(rows: readonly Row[]): T[] {
  return rows.map((row) => JSON.parse(String(row.record)) as T)
}

/** One number from a query that gives one row and one column named `n`. */
export function count(database: Database, sql: string, ...values: (string | number)[]): number {
  return Number(database.get(sql, ...values)?.n ?? 0)
}

/** A change that must hit a row. */
export function mustChange(changes: number, what: string): void {
  if (changes === 0) throw new NightjarError('store/unknown', `${what} is not stored; put it before changing it`)
}
