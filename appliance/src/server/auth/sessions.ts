import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Role } from '../../contract/records.ts'
import type { SessionRecord, Store, Transaction } from '../../store/store.ts'

const hourMs = 3_600_000
export const sessionIdleMs = 12 * hourMs
export const sessionAbsoluteMs = 7 * 24 * hourMs
/** The store is told of use this often at most: each commit is an fsync. */
const touchEveryMs = 5 * 60_000
const ticketMs = 30_000
const ticketLimit = 256

/** Somebody who is logged in. */
export interface Person {
  readonly username: string
  readonly role: Role
  readonly csrfToken: string
  readonly tokenHash: string
}

/**
 * Opaque 256-bit tokens: the cookie holds the token, the store only its sha256, so a stolen database opens nothing. Ends
 * after 12 idle hours or 7 days. The role is read from the account each time, so a change counts at once.
 */
export class Sessions {
  readonly #store: Store
  readonly #clock: Clock
  readonly #tickets = new Map<string, { readonly tokenHash: string; readonly expiresAt: number }>()

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Begins a session inside the caller's transaction and gives the token for the cookie. */
  begin(tx: Transaction, username: string): { readonly token: string; readonly csrfToken: string } {
    const token = randomBytes(32).toString('base64url')
    const csrfToken = randomBytes(24).toString('base64url')
    tx.putSession({ tokenHash: hashToken(token), username, csrfToken, createdAtMs: tx.atMs, lastUsedAtMs: tx.atMs })
    return { token, csrfToken }
  }

  /** Who holds this token, or undefined when it is unknown or has ended. Counts as use. */
  person(token: string): Person | undefined {
    const tokenHash = hashToken(token)
    const person = this.personOf(tokenHash)
    if (person) this.#touch(this.#store.session(tokenHash)!)
    return person
  }

  /** The same without counting as use: an open socket must not keep a forgotten panel logged in. */
  personOf(tokenHash: string): Person | undefined {
    const session = this.#store.session(tokenHash)
    if (!session || this.#ended(session)) return undefined
    const account = this.#store.account(session.username)
    if (!account) return undefined
    return { username: account.username, role: account.role, csrfToken: session.csrfToken, tokenHash }
  }

  /** A ticket that opens one socket within 30 s. */
  ticket(person: Person): string {
    const ticket = randomBytes(24).toString('base64url')
    if (this.#tickets.size >= ticketLimit) this.#tickets.delete(this.#tickets.keys().next().value!)
    this.#tickets.set(ticket, { tokenHash: person.tokenHash, expiresAt: this.#clock.monotonic() + ticketMs })
    return ticket
  }

  /** Uses up the ticket. True when it was given to this very session and is not too old. */
  redeem(ticket: string, person: Person): boolean {
    const known = this.#tickets.get(ticket)
    this.#tickets.delete(ticket)
    return known !== undefined && known.tokenHash === person.tokenHash && known.expiresAt > this.#clock.monotonic()
  }

  #ended(session: SessionRecord): boolean {
    const now = this.#clock.now()
    return now >= session.lastUsedAtMs + sessionIdleMs || now >= session.createdAtMs + sessionAbsoluteMs
  }

  #touch(session: SessionRecord): void {
    const now = this.#clock.now()
    if (now < session.lastUsedAtMs + touchEveryMs) return
    try {
      this.#store.commit(now, (tx) => tx.putSession({ ...session, lastUsedAtMs: now }))
    } catch (error) {
      // A full disk must not lock people out of the panel that tells them so.
      if (!(error instanceof NightjarError && error.code === 'store/full')) throw error
    }
  }
}

/** sha256 of a session token, hex. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** Compares two secrets of any length in constant time. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}
