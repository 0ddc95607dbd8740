import type { Database } from './database.ts'
import { count, recordOf } from './records.ts'
import type { AccountRecord, SessionRecord } from './store.ts'

/** Who may log in, and who has. */

/** Stores the account, or its newer state. */
export function putAccount(database: Database, account: AccountRecord): void {
  database.run(
    'INSERT INTO accounts (username, record) VALUES (?, ?) ON CONFLICT (username) DO UPDATE SET record = excluded.record',
    account.username,
    JSON.stringify(account),
  )
}

export function readAccount(database: Database, username: string): AccountRecord | undefined {
  return recordOf(database.get('SELECT record FROM accounts WHERE username = ?', username))
}

export function accountCount(database: Database): number {
  return count(database, 'SELECT count(*) AS n FROM accounts')
}

/** Stores the session, or its newer state. */
export function putSession(database: Database, session: SessionRecord): void {
  database.run(
    `INSERT INTO sessions (token_hash, record) VALUES (?, ?)
     ON CONFLICT (token_hash) DO UPDATE SET record = excluded.record`,
    session.tokenHash,
    JSON.stringify(session),
  )
}

export function readSession(database: Database, tokenHash: string): SessionRecord | undefined {
  return recordOf(database.get('SELECT record FROM sessions WHERE token_hash = ?', tokenHash))
}

export function deleteSession(database: Database, tokenHash: string): void {
  database.run('DELETE FROM sessions WHERE token_hash = ?', tokenHash)
}
