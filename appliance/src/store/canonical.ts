import { createHash } from 'node:crypto'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/**
 * JSON with sorted keys and no white space: the same value gives the same text on every machine. Numbers are written as
 * ECMAScript does; keys whose value is undefined are left out. Throws `store/uncanonical` for what JSON cannot hold.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object') return canonicalObject(value as Record<string, unknown>)
  throw new NightjarError(
    'store/uncanonical',
    `a ${typeof value} has no JSON form; store numbers, text, lists and objects`,
  )
}

function canonicalNumber(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value)
  throw new NightjarError('store/uncanonical', `${value} has no JSON form; leave the field out when it is not known`)
}

function canonicalObject(value: Record<string, unknown>): string {
  const keys = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`
}

/** sha256 of text or bytes, lower-case hex. */
export function sha256Hex(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
