import type { Wire } from '../wire/wire.ts'

export interface OutboxLimits {
  /** So many bytes that the far side has not taken yet close the wire: it does not read. */
  readonly pendingWriteBytes: number
}

/** Commands are some hundred bytes each; only a BLOB that is sent to a driver is large. */
export const outboxLimits: OutboxLimits = { pendingWriteBytes: 64 << 20 }

export interface Outbox {
  /** Bytes written and not taken. */
  readonly pendingBytes: number
  /** Writes, or closes the wire when too much is waiting already. */
  put(bytes: Uint8Array): void
}

/** Bounded writing: what a peer that stops reading can make this process keep. */
export function createOutbox(wire: Wire, limits: OutboxLimits = outboxLimits): Outbox {
  let pendingBytes = 0
  let closing = false
  return {
    get pendingBytes() {
      return pendingBytes
    },
    put(bytes) {
      if (closing) return
      if (pendingBytes + bytes.length > limits.pendingWriteBytes) {
        closing = true
        void wire.close()
        return
      }
      pendingBytes += bytes.length
      const taken = (): void => {
        pendingBytes -= bytes.length
      }
      // A wire that fails here also closes, and the close is what everyone waits on.
      wire.write(bytes).then(taken, taken)
    },
  }
}
