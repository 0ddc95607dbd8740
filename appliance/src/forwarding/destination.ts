import type { AlertReceipt } from '../contract/alert.ts'

/** Where alerts go. One file per kind of upstream makes one of these; what it does not understand it reports as `later`. */
export interface Destination {
  readonly name: string
  /** Sends envelopes (JSON texts) in one go. Never throws for what the other side or the network does. */
  send(envelopes: readonly string[]): Promise<Reply>
}

export type Reply =
  /** The other side has committed these. */
  | { readonly kind: 'receipts'; readonly receipts: readonly AlertReceipt[] }
  /** It will never take this batch: the content is wrong. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It does not know us: nothing will pass until somebody acts. */
  | { readonly kind: 'unauthorised'; readonly reason: string }
  /** Not now: no connection, too busy, or broken over there. */
  | { readonly kind: 'later'; readonly reason: string; readonly retryAfterMs?: number }
