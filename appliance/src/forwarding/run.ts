import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, OutboxRow, Store, Transaction } from '../store/store.ts'
import { backoffMs, pauseMs } from './backoff.ts'
import { type Delivery, deliver } from './deliver.ts'
import type { Destination } from './destination.ts'

/**
 * Forwarding: outbox rows out, receipts in. A row is delivered when the receiver says that it has committed it, and is
 * tried without end until then; only what the receiver calls wrong ends as dead, with an event. A destination that fails
 * rests as a whole, so that a thousand waiting rows cost one connection attempt. A job's subject is an event id; each run
 * sends whatever is due to destinations that are not resting.
 */

/** Rows in one request. */
const batchRows = 50

export interface ForwardingDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly destinations: readonly Destination[]
}

/** A destination that is left alone for now. */
export interface Rest {
  readonly destination: string
  readonly untilMs: number
  readonly failures: number
  readonly reason: string
  /** It refused our token: somebody must act. */
  readonly needsAttention: boolean
}

export interface ForwardingStage extends Stage {
  readonly name: 'forwarding'
  /** Destinations that failed and have not worked since. */
  resting(): readonly Rest[]
  /** Tries every destination again at the next run: the settings changed, or somebody pressed retry. */
  wake(): void
}

export function createForwardingStage(deps: ForwardingDeps): ForwardingStage {
  const rests = new Map<string, Rest>()
  return {
    name: 'forwarding',
    async run(job) {
      for (const destination of deps.destinations) await sendDue(deps, rests, destination)
      endJob(deps, rests, job)
    },
    resting: () => [...rests.values()],
    wake() {
      for (const [name, rest] of rests) rests.set(name, { ...rest, untilMs: 0 })
    },
  }
}

async function sendDue(deps: ForwardingDeps, rests: Map<string, Rest>, destination: Destination): Promise<void> {
  const { store, clock } = deps
  while ((rests.get(destination.name)?.untilMs ?? 0) <= clock.now()) {
    const rows = store.outboxDue(clock.now(), batchRows, destination.name)
    if (rows.length === 0) return
    const delivery = await clock.during(deliver(destination, rows))
    const rest = restAfter(deps, destination.name, delivery, rests.get(destination.name))
    store.commit(clock.now(), (tx) => {
      record(tx, destination.name, delivery, rest)
      for (const eventId of settledEvents(deps, delivery)) tx.finishJobOf('forwarding', eventId)
    })
    if (rest) rests.set(destination.name, rest)
    else rests.delete(destination.name)
  }
}

/** How long the destination rests after this delivery; undefined when it worked. */
function restAfter(
  { clock, random }: ForwardingDeps,
  destination: string,
  { trouble }: Delivery,
  before: Rest | undefined,
): Rest | undefined {
  if (!trouble) return undefined
  const failures = (before?.failures ?? 0) + 1
  const needsAttention = trouble.kind === 'unauthorised'
  const retryAfterMs = trouble.kind === 'later' ? trouble.retryAfterMs : undefined
  const waitMs = needsAttention ? pauseMs : backoffMs(failures, random, retryAfterMs)
  return { destination, untilMs: clock.now() + waitMs, failures, reason: trouble.reason, needsAttention }
}

function record(tx: Transaction, destination: string, delivery: Delivery, rest: Rest | undefined): void {
  for (const { row, receipt } of delivery.delivered) {
    const { eventId, rev, entryId } = row
    change(tx, row, { state: 'delivered', deliveredAtMs: tx.atMs, receipt: receipt.receipt })
    tx.event('alert.forwarded', { eventId, rev, entryId, destination, receipt: receipt.receipt })
  }
  for (const { row, reason } of delivery.refused) {
    change(tx, row, { state: 'dead', lastError: reason })
    tx.event('alert.refused', { eventId: row.eventId, rev: row.rev, destination, reason })
  }
  if (!rest) return
  for (const row of delivery.left) change(tx, row, { nextAttemptAtMs: rest.untilMs, lastError: rest.reason })
}

function change(tx: Transaction, row: OutboxRow, to: Parameters<Transaction['updateAlert']>[3]): void {
  tx.updateAlert(row.eventId, row.rev, row.destination, { attempts: row.attempts + 1, ...to })
}

/** Events of which no row waits any more. Asked inside the transaction, after the rows were changed. */
function settledEvents({ store, destinations }: ForwardingDeps, delivery: Delivery): string[] {
  const touched = new Set([...delivery.delivered, ...delivery.refused].map(({ row }) => row.eventId))
  const waits = (eventId: string): boolean =>
    destinations.some(({ name }) => store.nextAttemptAtMs(eventId, name) !== undefined)
  return [...touched].filter((eventId) => !waits(eventId))
}

/**
 * The job ends with the event's last waiting row; until then it comes back when that row may go. When every destination
 * rests, so do all jobs.
 */
function endJob({ store, clock, destinations }: ForwardingDeps, rests: Map<string, Rest>, job: Job): void {
  const restUntilMs = (name: string): number => rests.get(name)?.untilMs ?? 0
  const dueAtMs = destinations
    .map(({ name }) => ({ name, nextMs: store.nextAttemptAtMs(job.subject, name) }))
    .filter(({ nextMs }) => nextMs !== undefined)
    .map(({ name, nextMs }) => Math.max(nextMs!, restUntilMs(name)))
  const wakeAtMs = Math.min(...destinations.map(({ name }) => restUntilMs(name)))
  store.commit(clock.now(), (tx) => {
    if (dueAtMs.length === 0) tx.finishJob(job.jobId)
    else tx.deferJob(job.jobId, Math.min(...dueAtMs))
    if (dueAtMs.length > 0 && wakeAtMs > clock.now()) tx.postponeJobs('forwarding', wakeAtMs)
  })
}
