import type { AlertReceipt } from '../contract/alert.ts'
import type { OutboxRow } from '../store/store.ts'
import type { Destination, Reply } from './destination.ts'

/** What became of each row of a batch. */
export interface Delivery {
  readonly delivered: readonly { readonly row: OutboxRow; readonly receipt: AlertReceipt }[]
  /** Never to be tried again. */
  readonly refused: readonly { readonly row: OutboxRow; readonly reason: string }[]
  /** To be tried again, and why; the destination rests meanwhile. */
  readonly left: readonly OutboxRow[]
  readonly trouble: Extract<Reply, { kind: 'unauthorised' | 'later' }> | undefined
}

/**
 * Sends a batch. When the other side refuses one of several the batch is halved until the bad row stands alone, so one bad
 * alert cannot hold the others. A row counts as delivered only with a receipt of its own event and revision.
 */
export async function deliver(destination: Destination, rows: readonly OutboxRow[]): Promise<Delivery> {
  const reply = await destination.send(rows.map((row) => row.envelope))
  if (reply.kind === 'receipts') return withReceipts(rows, reply.receipts)
  if (reply.kind !== 'refused') return { delivered: [], refused: [], left: rows, trouble: reply }
  if (rows.length === 1) return { ...nothing, refused: [{ row: rows[0]!, reason: reply.reason }] }
  const half = rows.length >> 1
  const first = await deliver(destination, rows.slice(0, half))
  if (first.trouble) return { ...first, left: [...first.left, ...rows.slice(half)] }
  const second = await deliver(destination, rows.slice(half))
  return {
    delivered: [...first.delivered, ...second.delivered],
    refused: [...first.refused, ...second.refused],
    left: second.left,
    trouble: second.trouble,
  }
}

const nothing: Delivery = { delivered: [], refused: [], left: [], trouble: undefined }

function withReceipts(rows: readonly OutboxRow[], receipts: readonly AlertReceipt[]): Delivery {
  const byAlert = new Map(receipts.map((receipt) => [`${receipt.eventId} ${receipt.rev}`, receipt]))
  const answered = rows.map((row) => ({ row, receipt: byAlert.get(`${row.eventId} ${row.rev}`) }))
  const delivered = answered.filter((pair): pair is { row: OutboxRow; receipt: AlertReceipt } =>
    Boolean(pair.receipt?.receipt),
  )
  const left = answered.filter((pair) => !pair.receipt?.receipt).map((pair) => pair.row)
  return {
    delivered,
    refused: [],
    left,
    trouble: left.length > 0 ? { kind: 'later', reason: 'it sent no receipt for this alert' } : undefined,
  }
}
