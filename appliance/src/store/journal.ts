import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type EventBody, type EventType, eventBodies, type JournalEvent } from '../contract/events.ts'
import { canonicalJson, sha256Hex } from './canonical.ts'
import type { Database, Row } from './database.ts'
import { shapeCheck } from './records.ts'

/** The journal: every fact in order, each line's hash covering the one before, so that no line can be changed unseen. */

/** `previousHash` of the first line. */
export const genesisHash = '0'.repeat(64)

type Check = (body: unknown) => unknown
const checks = new Map<string, Check>(
  Object.entries(eventBodies).map(([type, schema]) => [type, shapeCheck(schema, `event ${type}`)]),
)

/** What the hash of a line covers, besides the line before. */
export interface ChainLine {
  readonly seq: number
  readonly atMs: number
  readonly type: string
  readonly body: object
}

/** sha256 over the previous line's hash and this line's canonical JSON. */
export function chainHash(previousHash: string, line: ChainLine): string {
  const { seq, atMs, type, body } = line
  return sha256Hex(previousHash, canonicalJson({ seq, atMs, type, body }))
}

/** Where the chain ends. */
export interface JournalHead {
  readonly seq: number
  readonly hash: string
}

/** The chain's last line as stored. */
export function readHead(database: Database): JournalHead {
  const row = database.get('SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1')
  return row ? { seq: Number(row.seq), hash: String(row.hash) } : { seq: 0, hash: genesisHash }
}

/** Checks `body` against the contract and writes the line after `head`. Call inside a transaction. */
export function appendEvent<T extends EventType>(
  database: Database,
  head: JournalHead,
  line: { readonly atMs: number; readonly type: T; readonly body: EventBody<T> },
): JournalEvent {
  checkBody(line.type, line.body)
  // What is announced is what was stored: the body as it comes back from its JSON.
  const text = canonicalJson(line.body)
  const fact = { seq: head.seq + 1, atMs: line.atMs, type: line.type, body: JSON.parse(text) as EventBody<T> }
  const hash = chainHash(head.hash, fact)
  database.run(
    'INSERT INTO journal (seq, at_ms, type, body, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?)',
    fact.seq,
    fact.atMs,
    fact.type,
    text,
    head.hash,
    hash,
  )
  return { ...fact, previousHash: head.hash, hash } as unknown as JournalEvent
}

/** Lines after `afterSeq`, oldest first. */
export function readEvents(database: Database, afterSeq: number, limit: number): JournalEvent[] {
  return database.all('SELECT * FROM journal WHERE seq > ? ORDER BY seq LIMIT ?', afterSeq, limit).map(eventOf)
}

/** A stored line. */
export function eventOf(row: Row): JournalEvent {
  return {
    seq: Number(row.seq),
    atMs: Number(row.at_ms),
    type: row.type,
    body: JSON.parse(String(row.body)),
    previousHash: row.previous_hash,
    hash: row.hash,
  } as JournalEvent
}

function checkBody(type: string, body: unknown): void {
  const check = checks.get(type)
  if (!check) throw new NightjarError('store/shape', `${type} is not in contract/events.ts; add it there first`)
  check(body)
}
