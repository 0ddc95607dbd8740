import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JournalEvent } from '../contract/events.ts'
import { openStore } from './openStore.ts'
import type { MasterRecord, Store } from './store.ts'
import {
  sampleAlert,
  sampleDetection,
  sampleEntry,
  sampleFrame,
  sampleSha256,
  temporaryFolder,
} from './testing/samples.ts'

let folder: ReturnType<typeof temporaryFolder>
let store: Store

beforeEach(() => {
  folder = temporaryFolder()
  store = openStore(folder.path)
})
afterEach(() => {
  store[Symbol.dispose]()
  folder[Symbol.dispose]()
})

function reopen(): void {
  store[Symbol.dispose]()
  store = openStore(folder.path)
}

const stopped = (reason: string) => store.commit(1, (tx) => tx.event('daemon.stopped', { reason }))

describe('a transaction', () => {
  it('keeps the event, the state and the job together, over a restart', () => {
    store.commit(5, (tx) => {
      tx.putFrame(sampleFrame())
      tx.event('frame.rejected', { frameId: 'f1', reasons: ['clouds'] })
      tx.job('preprocessing', 'f1')
    })
    reopen()
    expect(store.frame('f1')).toEqual(sampleFrame())
    expect(store.events(0, 10)).toMatchObject([{ seq: 1, atMs: 5, type: 'frame.rejected' }])
    expect(store.nextJob('preprocessing', 5)).toMatchObject({ subject: 'f1', causeSeq: 1, attempts: 0 })
  })

  it('leaves nothing of itself when it throws', () => {
    const before = store.headHash()
    const failing = () =>
      store.commit(5, (tx) => {
        tx.putFrame(sampleFrame())
        tx.event('daemon.stopped', { reason: 'x' })
        throw new Error('no')
      })
    expect(failing).toThrow('no')
    expect(store.frame('f1')).toBeUndefined()
    expect(store.events(0, 10)).toEqual([])
    expect(store.headHash()).toBe(before)
    expect(stopped('after')).toBe(1)
  })

  it('refuses an event that is not in the contract, or not in its shape', () => {
    const wrong = (type: string, body: unknown) => () =>
      store.commit(1, (tx) => tx.event(type as 'daemon.stopped', body as { reason: string }))
    expect(wrong('daemon.exploded', {})).toThrow(/daemon.exploded is not in contract/)
    expect(wrong('daemon.stopped', {})).toThrow(/event daemon.stopped: .*reason/)
    expect(wrong('storage.low', { freeBytes: Number.NaN, neededBytes: 1 })).toThrow(/freeBytes/)
    expect(store.lastSeq()).toBe(0)
  })

  it('refuses a record that is not in the shape of the contract, naming the field', () => {
    expect(() => store.commit(1, (tx) => tx.putFrame(sampleFrame({ sha256: 'no' })))).toThrow(/frame: sha256/)
    expect(() => store.commit(1, (tx) => tx.putDetection(sampleDetection()))).toThrow(
      /names another that is not stored/,
    )
  })

  it('cannot be nested and cannot wait', () => {
    expect(() => store.commit(1, () => stopped('inner'))).toThrow(/transaction is open/)
    expect(() => store.commit(1, async () => undefined)).toThrow(/cannot wait/)
    expect(store.lastSeq()).toBe(0)
  })

  it('is told to every listener after the commit, and to none when it failed', () => {
    const told: JournalEvent[] = []
    const heard = store.subscribe((event) => told.push(event))
    stopped('one')
    expect(() =>
      store.commit(1, (tx) => {
        tx.event('daemon.stopped', { reason: 'lost' })
        throw new Error('no')
      }),
    ).toThrow()
    expect(told).toEqual(store.events(0, 10))
    heard[Symbol.dispose]()
    stopped('two')
    expect(told).toHaveLength(1)
  })
})

describe('the journal', () => {
  it('chains every line to the one before', () => {
    stopped('one')
    stopped('two')
    const [first, second] = store.events(0, 10)
    expect(first!.previousHash).toBe('0'.repeat(64))
    expect(second!.previousHash).toBe(first!.hash)
    expect(store.headHash()).toBe(second!.hash)
  })

  it('gives the same hash for the same history', () => {
    stopped('one')
    using elsewhere = temporaryFolder()
    using other = openStore(elsewhere.path)
    other.commit(1, (tx) => tx.event('daemon.stopped', { reason: 'one' }))
    expect(other.headHash()).toBe(store.headHash())
  })

  it('refuses to be changed or shortened, whoever asks', () => {
    stopped('one')
    using raw = new DatabaseSync(join(folder.path, 'nightjar.sqlite'))
    expect(() => raw.exec("UPDATE journal SET body = '{}'")).toThrow(/append-only/)
    expect(() => raw.exec('DELETE FROM journal')).toThrow(/append-only/)
  })
})

describe('jobs', () => {
  const ask = (subject: string) => store.commit(10, (tx) => tx.job('detection', subject))

  it('are asked for once, whatever became of them', () => {
    ask('a')
    ask('a')
    expect(store.jobCounts()).toEqual({ waiting: 1, failed: 0 })
    store.commit(10, (tx) => tx.finishJob(store.nextJob('detection', 10)!.jobId))
    ask('a')
    expect(store.nextJob('detection', 10)).toBeUndefined()
    store.commit(10, (tx) => tx.reopenJob('detection', 'a'))
    expect(store.nextJob('detection', 10)).toMatchObject({ subject: 'a', attempts: 0 })
  })

  it('come oldest first and not before their time', () => {
    ask('a')
    ask('b')
    expect(store.nextJob('detection', 9)).toBeUndefined()
    expect(store.nextJobAtMs('detection')).toBe(10)
    const { jobId } = store.nextJob('detection', 10)!
    store.commit(10, (tx) => tx.retryJob(jobId, 50))
    expect(store.nextJob('detection', 10)!.subject).toBe('b')
    expect(store.nextJob('detection', 50)).toMatchObject({ subject: 'a', attempts: 1 })
  })

  it('stay visible when they are given up, and count by stage', () => {
    ask('a')
    store.commit(10, (tx) => tx.giveUpJob(store.nextJob('detection', 10)!.jobId, 'three times'))
    expect(store.jobCounts('detection')).toEqual({ waiting: 0, failed: 1 })
    expect(store.jobCounts('catalog')).toEqual({ waiting: 0, failed: 0 })
  })

  it('are due at once after a restart, and counted', () => {
    store.commit(10, (tx) => tx.job('detection', 'late', 99_999))
    reopen()
    expect(store.resumedJobs).toBe(1)
    expect(store.nextJob('detection', 0)!.subject).toBe('late')
  })

  it('can be put off together when what they need is away', () => {
    ask('a')
    ask('b')
    store.commit(10, (tx) => {
      tx.postponeJobs('detection', 500)
      tx.finishJobOf('detection', 'b')
    })
    expect(store.nextJobAtMs('detection')).toBe(500)
    expect(store.jobCounts().waiting).toBe(1)
  })

  it('can be put off without counting as a failure', () => {
    ask('a')
    store.commit(10, (tx) => tx.deferJob(store.nextJob('detection', 10)!.jobId, 90))
    expect(store.nextJob('detection', 89)).toBeUndefined()
    expect(store.nextJob('detection', 90)).toMatchObject({ attempts: 0 })
  })

  it('cannot be ended when they were never made', () => {
    expect(() => store.commit(1, (tx) => tx.finishJob(77))).toThrow(/job 77 is not stored/)
  })
})

describe('frames and masters', () => {
  it('are found by night, type, field, state and time, newest first', () => {
    store.commit(1, (tx) => {
      tx.putFrame(sampleFrame({ frameId: 'a', capturedAtMs: 1 }))
      tx.putFrame(sampleFrame({ frameId: 'b', capturedAtMs: 2, type: 'dark' }))
      tx.putFrame(sampleFrame({ frameId: 'c', capturedAtMs: 3, fieldId: 'M33' }))
      tx.updateFrame('a', { state: 'calibrated' })
    })
    const ids = (filter: Parameters<Store['frames']>[0]) => store.frames(filter).map((frame) => frame.frameId)
    expect(ids({ limit: 10 })).toEqual(['c', 'b', 'a'])
    expect(ids({ limit: 10, type: 'light', before: 3 })).toEqual(['a'])
    expect(ids({ limit: 10, fieldId: 'M33', nightId: '2026-11-20' })).toEqual(['c'])
    expect(ids({ limit: 10, state: 'calibrated' })).toEqual(['a'])
    expect(ids({ limit: 1 })).toEqual(['c'])
    expect(store.frameCounts('2026-11-20')).toEqual({ captured: 2, calibrated: 1, rejected: 0 })
  })

  it('cannot be changed before they are put', () => {
    expect(() => store.commit(1, (tx) => tx.updateFrame('z', { state: 'failed' }))).toThrow(/frame z is not stored/)
  })

  it('gives the dark of the nearest exposure and the newest flat of a filter', () => {
    const master = (masterId: string, change: Partial<MasterRecord>): MasterRecord => ({
      masterId,
      type: 'dark',
      exposureSeconds: 0,
      filter: '',
      width: 4,
      height: 4,
      path: `masters/${masterId}.fits`,
      sha256: sampleSha256,
      builtAtMs: 1,
      ...change,
    })
    store.commit(1, (tx) => {
      tx.putMaster(master('d30', { exposureSeconds: 30 }))
      tx.putMaster(master('d60', { exposureSeconds: 60 }))
      tx.putMaster(master('flatL1', { type: 'flat', filter: 'L', builtAtMs: 1 }))
      tx.putMaster(master('flatL2', { type: 'flat', filter: 'L', builtAtMs: 2 }))
    })
    expect(store.master({ type: 'dark', width: 4, height: 4, exposureSeconds: 50 })?.masterId).toBe('d60')
    expect(store.master({ type: 'flat', width: 4, height: 4, filter: 'L' })?.masterId).toBe('flatL2')
    expect(store.master({ type: 'flat', width: 4, height: 4, filter: 'R' })).toBeUndefined()
    expect(store.master({ type: 'bias', width: 8, height: 4 })).toBeUndefined()
  })

  it('gives the newest reference of a field and filter', () => {
    const reference = { fieldId: 'M31', filter: 'L', path: 'r', sha256: sampleSha256, frames: 3 }
    store.commit(1, (tx) => {
      tx.putReference({ ...reference, referenceId: 'old', builtAtMs: 1 })
      tx.putReference({ ...reference, referenceId: 'new', builtAtMs: 2 })
    })
    expect(store.reference('M31', 'L')?.referenceId).toBe('new')
    expect(store.reference('M31', 'R')).toBeUndefined()
  })
})

describe('detections, labels, entries and alerts', () => {
  beforeEach(() => {
    store.commit(1, (tx) => {
      tx.putFrame(sampleFrame())
      tx.putDetection(sampleDetection())
      tx.putDetection(sampleDetection({ detectionId: 'f1-2', probability: 0.99 }))
      tx.putEntry(sampleEntry())
      tx.linkDetection('e1', 'f1-1')
    })
  })

  it('keeps every label, and the detection the last', () => {
    store.commit(7, (tx) => {
      tx.putLabel('f1-1', 'real', 'ann')
      tx.putLabel('f1-1', 'bogus', 'bob')
      tx.updateDetection('f1-1', { state: 'dismissed', label: 'bogus', labelledBy: 'bob' })
    })
    expect(store.labels('f1-1').map((label) => label.label)).toEqual(['real', 'bogus'])
    expect(store.detectionCounts()).toEqual({ pending: 1, validated: 0, dismissed: 1 })
    expect(store.detections({ limit: 9, state: 'pending' }).map((found) => found.detectionId)).toEqual(['f1-2'])
  })

  it('lists the most probable of a frame first', () => {
    expect(store.detections({ limit: 9 }).map((found) => found.detectionId)).toEqual(['f1-2', 'f1-1'])
  })

  it('knows which detections an entry was grown from', () => {
    expect(store.entryOf('f1-1')?.entryId).toBe('e1')
    expect(store.entryOf('f1-2')).toBeUndefined()
    expect(store.detectionsOf('e1')).toEqual(['f1-1'])
    store.commit(1, (tx) => tx.putEntry(sampleEntry({ detections: 2 })))
    expect(store.entries(5)).toEqual([sampleEntry({ detections: 2 })])
  })

  it('sends the urgent first, then the oldest, to a destination that is named', () => {
    store.commit(1, (tx) => {
      tx.putAlert(sampleAlert({ eventId: '1'.repeat(64), queuedAtMs: 2 }))
      tx.putAlert(sampleAlert({ eventId: '2'.repeat(64), queuedAtMs: 1 }))
      tx.putAlert(sampleAlert({ eventId: '3'.repeat(64), queuedAtMs: 9, urgency: 0 }))
      tx.putAlert(sampleAlert({ eventId: '4'.repeat(64), destination: 'other' }))
      tx.putAlert(sampleAlert({ eventId: '5'.repeat(64), nextAttemptAtMs: 99_999 }))
    })
    const due = store.outboxDue(5_000, 10, 'central').map((row) => row.eventId[0])
    expect(due).toEqual(['3', '2', '1'])
    expect(store.outboxDue(5_000, 10)).toHaveLength(4)
    expect(store.nextAttemptAtMs('5'.repeat(64), 'central')).toBe(99_999)
    expect(store.nextAttemptAtMs('5'.repeat(64), 'other')).toBeUndefined()
  })

  it('gives a waiting alert its job back after a restart, whatever had ended it', () => {
    const eventId = sampleAlert().eventId
    store.commit(1, (tx) => {
      tx.putAlert(sampleAlert())
      tx.putAlert(sampleAlert({ eventId: '9'.repeat(64), state: 'delivered' }))
      tx.job('forwarding', eventId)
    })
    store.commit(1, (tx) => tx.giveUpJob(store.nextJob('forwarding', 9)!.jobId, 'a defect'))
    reopen()
    expect(store.resumedJobs).toBe(1)
    expect(store.nextJob('forwarding', 0)).toMatchObject({ subject: eventId, attempts: 0 })
  })

  it('keeps one row for an alert that is queued twice', () => {
    store.commit(1, (tx) => tx.putAlert(sampleAlert()))
    store.commit(1, (tx) => tx.updateAlert(sampleAlert().eventId, 1, 'central', { state: 'delivered', receipt: '7' }))
    store.commit(1, (tx) => tx.putAlert(sampleAlert()))
    expect(store.alertCounts()).toEqual({ waiting: 0, delivered: 1, dead: 0 })
    expect(store.alertsOf('f1-1')).toMatchObject([{ receipt: '7' }])
    expect(store.outboxRow(sampleAlert().eventId, 1, 'central')?.envelope).toBe('{}')
  })
})

describe('accounts and sessions', () => {
  it('come and go', () => {
    const account = { username: 'ann', role: 'admin', passwordHash: 'x', createdAtMs: 1 } as const
    const session = { tokenHash: 't', username: 'ann', csrfToken: 'c', createdAtMs: 1, lastUsedAtMs: 1 }
    store.commit(1, (tx) => {
      tx.putAccount(account)
      tx.putSession(session)
      tx.putSession({ ...session, lastUsedAtMs: 2 })
    })
    expect(store.account('ann')).toEqual(account)
    expect(store.accountCount()).toBe(1)
    expect(store.session('t')?.lastUsedAtMs).toBe(2)
    store.commit(1, (tx) => tx.deleteSession('t'))
    expect(store.session('t')).toBeUndefined()
  })
})

describe('the data folder', () => {
  it('has one owner', () => {
    expect(() => openStore(folder.path)).toThrow(/in use by another Nightjar/)
  })

  it('refuses what a newer Nightjar made, and what is no database', async () => {
    store[Symbol.dispose]()
    const path = join(folder.path, 'nightjar.sqlite')
    using raw = new DatabaseSync(path)
    raw.exec('PRAGMA user_version = 99')
    raw.close()
    expect(() => openStore(folder.path)).toThrow(/made by a newer Nightjar/)
    const { rmSync, writeFileSync } = await import('node:fs')
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
    writeFileSync(path, 'this is not a database, it is a sentence of more than sixteen bytes')
    expect(() => openStore(folder.path)).toThrow(/is damaged/)
    rmSync(path)
    store = openStore(folder.path)
  })
})
