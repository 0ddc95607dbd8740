import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../store/openStore.ts'
import type { Store } from '../store/store.ts'
import { sampleAlert, sampleDetection, sampleEntry, sampleFrame, temporaryFolder } from '../store/testing/samples.ts'
import { backoffMs, longestWaitMs } from './backoff.ts'
import type { Destination, Reply } from './destination.ts'
import { createForwardingStage, type ForwardingStage } from './run.ts'

/** A receiver that can be told how to misbehave; it keeps what it took. */
class Receiver implements Destination {
  readonly name: string
  readonly requests: number[] = []
  readonly taken = new Map<string, number>()
  trouble: ((eventIds: readonly string[]) => Reply | undefined) | undefined

  constructor(name: string) {
    this.name = name
  }

  async send(envelopes: readonly string[]): Promise<Reply> {
    this.requests.push(envelopes.length)
    const alerts = envelopes.map((text) => JSON.parse(text) as { eventId: string; rev: number })
    const trouble = this.trouble?.(alerts.map((alert) => alert.eventId))
    if (trouble) return trouble
    const receipts = alerts.map(({ eventId, rev }) => {
      this.taken.set(eventId, (this.taken.get(eventId) ?? 0) + 1)
      return { eventId, rev, receipt: `r${this.taken.size}`, receivedAtMs: 1, outcome: 'stored' as const }
    })
    return { kind: 'receipts', receipts }
  }
}

let clock: VirtualClock
let folder: ReturnType<typeof temporaryFolder>
let store: Store
let receiver: Receiver
let stage: ForwardingStage
beforeEach(() => {
  clock = new VirtualClock(10_000)
  folder = temporaryFolder()
  store = openStore(folder.path)
  receiver = new Receiver('central')
  stage = createForwardingStage({ store, clock, random: createRandom(7), destinations: [receiver] })
  store.commit(1, (tx) => {
    tx.putFrame(sampleFrame())
    tx.putDetection(sampleDetection())
    tx.putEntry(sampleEntry())
  })
})
afterEach(() => {
  store[Symbol.dispose]()
  folder[Symbol.dispose]()
})

const id = (n: number): string => n.toString(16).padStart(64, '0')

function queue(count: number, destinations = ['central']): void {
  store.commit(clock.now(), (tx) => {
    for (let n = 1; n <= count; n++) {
      const eventId = id(n)
      const envelope = JSON.stringify({ eventId, rev: 1 })
      for (const destination of destinations) tx.putAlert(sampleAlert({ eventId, destination, envelope }))
      tx.job('forwarding', eventId)
    }
  })
}

/** Runs every job that is due now; says how many. */
async function runDue(): Promise<number> {
  let ran = 0
  for (let job = store.nextJob('forwarding', clock.now()); job; job = store.nextJob('forwarding', clock.now())) {
    await stage.run(job)
    ran++
  }
  return ran
}

/** Plays time until no job waits; says at which moments jobs ran. */
async function runUntilDone(limitMs: number): Promise<number[]> {
  const moments: number[] = []
  const endMs = clock.now() + limitMs
  for (let nextMs = store.nextJobAtMs('forwarding'); nextMs !== undefined; nextMs = store.nextJobAtMs('forwarding')) {
    if (nextMs > endMs) break
    await clock.advance(Math.max(0, nextMs - clock.now()))
    moments.push(clock.now())
    await runDue()
  }
  return moments
}

const events = (type: string) => store.events(0, 10_000).filter((event) => event.type === type)

describe('forwarding', () => {
  it('delivers in batches, with one event for each receipt, and ends every job', async () => {
    queue(120)
    expect(await runDue()).toBe(1)
    expect(receiver.requests).toEqual([50, 50, 20])
    expect(store.alertCounts()).toEqual({ waiting: 0, delivered: 120, dead: 0 })
    expect(events('alert.forwarded')).toHaveLength(120)
    expect(store.jobCounts('forwarding')).toEqual({ waiting: 0, failed: 0 })
    expect(store.outboxRow(id(1), 1, 'central')).toMatchObject({ state: 'delivered', attempts: 1, receipt: 'r1' })
  })

  it('tries without end while the receiver is away, and loses and doubles nothing', async () => {
    queue(80)
    const backMs = clock.now() + 72 * 3_600_000
    receiver.trouble = () => (clock.now() < backMs ? { kind: 'later', reason: 'connect ECONNREFUSED' } : undefined)
    const moments = await runUntilDone(73 * 3_600_000)
    expect(store.alertCounts().delivered).toBe(80)
    expect([...receiver.taken.values()].every((times) => times === 1)).toBe(true)
    const waits = moments.slice(1).map((moment, index) => moment - moments[index]!)
    expect(Math.max(...waits)).toBeLessThanOrEqual(longestWaitMs)
    // Full jitter: the mean wait is half the ceiling.
    expect(moments.length).toBeGreaterThan((72 * 3_600_000) / longestWaitMs)
    expect(moments.length).toBeLessThan((4 * 72 * 3_600_000) / longestWaitMs)
  })

  it('does not use up the attempts of its jobs while it waits', async () => {
    queue(1)
    receiver.trouble = () => ({ kind: 'later', reason: 'away' })
    await runUntilDone(3_600_000)
    expect(store.jobCounts('forwarding')).toEqual({ waiting: 1, failed: 0 })
    expect(store.nextJob('forwarding', Number.MAX_SAFE_INTEGER)).toMatchObject({ attempts: 0 })
    expect(store.alerts(1)[0]!.attempts).toBeGreaterThan(10)
  })

  it('waits as long as the receiver asks', async () => {
    queue(1)
    receiver.trouble = () => ({ kind: 'later', reason: '429', retryAfterMs: 120_000 })
    await runDue()
    expect(store.nextJobAtMs('forwarding')).toBeGreaterThanOrEqual(clock.now() + 120_000)
    expect(stage.resting()).toMatchObject([{ destination: 'central', reason: '429', needsAttention: false }])
  })

  it('costs one request while a thousand rows wait for a receiver that is away', async () => {
    queue(1000)
    receiver.trouble = () => ({ kind: 'later', reason: 'away', retryAfterMs: 60_000 })
    expect(await runDue()).toBe(1)
    expect(receiver.requests).toEqual([50])
  })

  it('sets the one bad alert of a batch aside, with an event, and delivers the others', async () => {
    queue(20)
    receiver.trouble = (ids) =>
      ids.includes(id(13)) ? { kind: 'refused', reason: '422 raDeg must be < 360' } : undefined
    await runDue()
    expect(store.alertCounts()).toEqual({ waiting: 0, delivered: 19, dead: 1 })
    expect(events('alert.refused')).toMatchObject([{ body: { eventId: id(13), reason: '422 raDeg must be < 360' } }])
    expect(store.jobCounts('forwarding').waiting).toBe(0)
    expect([...receiver.taken.values()].every((times) => times === 1)).toBe(true)
  })

  it('pauses a destination that does not know us, keeping everything, until somebody acts', async () => {
    queue(3)
    receiver.trouble = () => ({ kind: 'unauthorised', reason: '401' })
    await runDue()
    expect(stage.resting()).toMatchObject([{ needsAttention: true }])
    expect(store.alertCounts()).toEqual({ waiting: 3, delivered: 0, dead: 0 })
    receiver.trouble = undefined
    await runUntilDone(900_000)
    expect(store.alertCounts().delivered).toBe(3)
    expect(stage.resting()).toEqual([])
  })

  it('does not let one destination hold up another', async () => {
    const slow = new Receiver('slow')
    slow.trouble = () => ({ kind: 'later', reason: 'away' })
    stage = createForwardingStage({ store, clock, random: createRandom(7), destinations: [slow, receiver] })
    queue(60, ['slow', 'central'])
    await runDue()
    expect(store.alertCounts()).toEqual({ waiting: 60, delivered: 60, dead: 0 })
    slow.trouble = undefined
    await runUntilDone(600_000)
    expect(store.alertCounts()).toEqual({ waiting: 0, delivered: 120, dead: 0 })
  })

  it.each([
    ['for another event', { eventId: id(99), rev: 1 }],
    ['for another revision', { eventId: id(1), rev: 2 }],
    ['that is empty', { eventId: id(1), rev: 1, receipt: '' }],
  ])('does not take a receipt %s for its own', async (_, wrong) => {
    queue(1)
    const receipt = { receipt: 'r', receivedAtMs: 1, outcome: 'stored' as const, ...wrong }
    receiver.trouble = () => ({ kind: 'receipts', receipts: [receipt] })
    await runDue()
    expect(store.outboxRow(id(1), 1, 'central')).toMatchObject({
      state: 'waiting',
      lastError: 'it sent no receipt for this alert',
    })
    expect(events('alert.forwarded')).toEqual([])
  })
})

describe('backoff', () => {
  it('is uniform up to 1 s, 2 s, 4 s … 5 min', () => {
    const highest = (failures: number) => backoffMs(failures, { ...createRandom(1), next: () => 0.999999999 })
    expect([1, 2, 3, 9, 10, 99].map(highest)).toEqual([1_000, 2_000, 4_000, 256_000, 300_000, 300_000])
    expect(backoffMs(5, { ...createRandom(1), next: () => 0 })).toBe(0)
    expect(backoffMs(1, createRandom(1), 77_000)).toBe(77_000)
  })
})
