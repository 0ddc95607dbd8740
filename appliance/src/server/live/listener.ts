import type { WebSocket } from 'ws'
import type { LiveMessage, TonightState } from '../../contract/api.ts'
import type { Role } from '../../contract/records.ts'
import type { Store } from '../../store/store.ts'
import { mayHear } from './audience.ts'

/** Above this many unsent bytes a panel gets nothing more until it has read. */
const bufferLimitBytes = 1 << 20
const batch = 200
/** Seconds a panel may leave a full buffer unread before it is cut off; it resumes from its last sequence number. */
const stalledLimit = 30

/**
 * One panel on the live socket. Keeps no queue of its own: the journal is the queue, and `#sentSeq` the place in it, so a
 * slow panel costs nothing but the bytes already handed to the kernel.
 */
export class Listener {
  readonly tokenHash: string
  readonly #socket: WebSocket
  readonly #store: Store
  #role: Role
  #sentSeq: number
  #caughtUp = false
  #stalledSeconds = 0

  constructor(socket: WebSocket, store: Store, person: { tokenHash: string; role: Role }, after: number | undefined) {
    this.tokenHash = person.tokenHash
    this.#socket = socket
    this.#store = store
    this.#role = person.role
    const last = store.lastSeq()
    this.#sentSeq = Math.min(after ?? last, last)
  }

  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  /** Sends what the journal holds beyond the last event sent, as far as the panel reads. */
  pump(): void {
    while (this.open && this.#socket.bufferedAmount < bufferLimitBytes) {
      const events = this.#store.events(this.#sentSeq, batch)
      for (const event of events) {
        this.#sentSeq = event.seq
        if (mayHear(this.#role, event)) this.#send({ kind: 'event', event })
      }
      if (events.length < batch) {
        if (!this.#caughtUp) this.#send({ kind: 'caughtUp', seq: this.#sentSeq })
        this.#caughtUp = true
        return
      }
    }
  }

  /** The message of each second; skipped while the buffer is full. */
  tick(tonight: TonightState, role: Role): void {
    this.#role = role
    this.pump()
    if (this.#socket.bufferedAmount < bufferLimitBytes) {
      this.#stalledSeconds = 0
      this.#send({ kind: 'tonight', tonight })
    } else if (++this.#stalledSeconds > stalledLimit) {
      this.#socket.terminate()
    }
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  #send(message: LiveMessage): void {
    if (this.open) this.#socket.send(JSON.stringify(message))
  }
}
