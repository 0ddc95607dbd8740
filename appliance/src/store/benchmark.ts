import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { JSONFilePreset } from 'lowdb/node'
import type { BenchRow } from '../contract/bench.ts'
import { writeDurably } from './frameFiles.ts'
import { openStore } from './openStore.ts'
import type { Store } from './store.ts'
import { sampleAlert, sampleDetection, sampleEntry, sampleFrame, temporaryFolder } from './testing/samples.ts'

/**
 * What durability costs. The peers do the same work without it: lowdb rewrites its whole JSON file and a plain `writeFile`
 * ends in the page cache, and neither asks the disk, so a power cut takes what they said they had stored.
 */

const runs = 7
const lowdbPeer = 'lowdb 7.0.1 JSONFile, no fsync, 1,000 records kept'
const commitsPerRun = 40
const keptByPeer = 1_000
const alertsPerRun = 500
/** What forwarding sends, and settles, in one go. */
const batchRows = 50
const frameBytes = 8 << 20

export async function benchStore(): Promise<BenchRow[]> {
  return [...(await benchCommits()), ...(await benchFiles()), benchOutbox()]
}

/** A frame, its event and its job: what each capture commits. */
function commitFrame(store: Store, n: number): void {
  const frame = sampleFrame({ frameId: `f${n}`, path: `frames/f${n}.fits`, capturedAtMs: n })
  const { frameId, type, fieldId, path, sha256, bytes, exposureSeconds } = frame
  store.commit(n, (tx) => {
    tx.putFrame(frame)
    tx.event('frame.captured', { frameId, type, fieldId, path, sha256, bytes, exposureSeconds })
    tx.job('preprocessing', frameId)
  })
}

async function benchCommits(): Promise<BenchRow[]> {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  const peer = await JSONFilePreset<{ frames: unknown[] }>(join(folder.path, 'peer.json'), { frames: [] })
  peer.data.frames = Array.from({ length: keptByPeer }, (_, n) => sampleFrame({ frameId: `p${n}` }))
  const ours: number[] = []
  const theirs: number[] = []
  let n = 0
  for (let run = 0; run < runs; run++) {
    ours.push(await perSecond(commitsPerRun, () => commitFrame(store, n++)))
    theirs.push(
      await perSecond(commitsPerRun, async () => {
        peer.data.frames.shift()
        peer.data.frames.push(sampleFrame({ frameId: `p${n++}` }))
        await peer.write()
      }),
    )
  }
  return [
    row('durable commits (frame, event, job)', '1/s', median(ours), { peer: lowdbPeer, peerValue: median(theirs) }),
  ]
}

async function benchFiles(): Promise<BenchRow[]> {
  using folder = temporaryFolder()
  const bytes = randomBytes(frameBytes)
  const ours: number[] = []
  const theirs: number[] = []
  for (let run = 0; run < runs; run++) {
    ours.push(await milliseconds(() => writeDurably(join(folder.path, 'frames', `${run}.fits`), bytes)))
    theirs.push(await milliseconds(() => writeFile(join(folder.path, `${run}.plain`), bytes)))
  }
  const peer = { peer: 'node:fs writeFile, no fsync, no hash', peerValue: median(theirs) }
  return [row('durable 8 MiB frame file with sha256', 'ms', median(ours), peer)]
}

/** Alerts queued and settled as delivered, with their events, in the batches that forwarding uses; no network. */
function benchOutbox(): BenchRow {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  store.commit(1, (tx) => {
    tx.putFrame(sampleFrame())
    tx.putDetection(sampleDetection())
    tx.putEntry(sampleEntry())
  })
  const rates: number[] = []
  for (let run = 0; run < runs; run++) {
    const startMs = systemClock.monotonic()
    for (let first = 0; first < alertsPerRun; first += batchRows) settleBatch(store, run * alertsPerRun + first)
    rates.push((alertsPerRun * 1000) / (systemClock.monotonic() - startMs))
  }
  return row(`alerts through the outbox, batches of ${batchRows}, no network`, '1/s', median(rates))
}

function settleBatch(store: Store, first: number): void {
  store.commit(3_000, (tx) => {
    for (let n = first; n < first + batchRows; n++) {
      const eventId = n.toString(16).padStart(64, '0')
      tx.putAlert(sampleAlert({ eventId, envelope: JSON.stringify(sampleDetection()) }))
      tx.job('forwarding', eventId)
    }
  })
  const due = store.outboxDue(3_000, batchRows, 'central')
  store.commit(4_000, (tx) => {
    for (const { eventId, rev, entryId, destination } of due) {
      tx.updateAlert(eventId, rev, destination, { state: 'delivered', receipt: '1', deliveredAtMs: 4_000 })
      tx.event('alert.forwarded', { eventId, rev, entryId, destination, receipt: '1' })
      tx.finishJobOf('forwarding', eventId)
    }
  })
}

function row(
  figure: string,
  unit: string,
  value: number,
  against: { readonly peer: string; readonly peerValue: number } | undefined = undefined,
): BenchRow {
  const ratio = against ? value / against.peerValue : null
  const { peer, peerValue } = against ?? { peer: null, peerValue: null }
  return { room: 'store', figure, value, unit, threads: 1, frame: null, peer, peerValue, ratio, n: runs }
}

async function perSecond(times: number, work: () => unknown): Promise<number> {
  const elapsedMs = await milliseconds(async () => {
    for (let n = 0; n < times; n++) await work()
  })
  return (times * 1000) / elapsedMs
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const startMs = systemClock.monotonic()
  await work()
  return systemClock.monotonic() - startMs
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
