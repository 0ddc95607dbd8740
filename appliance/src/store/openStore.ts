import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { EventBody, EventType, JournalEvent } from '../contract/events.ts'
import type { AlertRecord, DetectionRecord, FrameRecord, Label } from '../contract/records.ts'
import * as accounts from './accounts.ts'
import { Database } from './database.ts'
import * as detections from './detections.ts'
import * as entries from './entries.ts'
import { type Files, removeParts } from './frameFiles.ts'
import * as frames from './frames.ts'
import * as jobs from './jobs.ts'
import { appendEvent, type JournalHead, readEvents, readHead } from './journal.ts'
import * as outbox from './outbox.ts'
import { own, syncFolderNow } from './owner.ts'
import type { StageName, Store, Transaction } from './store.ts'
import { databaseName, verifyStore } from './verify.ts'

/**
 * Opens the data folder, making it when it is not there, and becomes its one owner. Half-written files of a killed process
 * are removed and its unfinished jobs are due at once. Throws `store/busy` when another process owns the folder.
 */
export function openStore(folder: string, options: { readonly files?: Files } = {}): Store {
  const root = resolve(folder)
  mkdirSync(root, { recursive: true, mode: 0o750 })
  const owner = own(root)
  try {
    const database = new Database(join(root, databaseName))
    removeParts(root)
    syncFolderNow(root)
    return new SqliteStore(root, database, owner, options.files)
  } catch (error) {
    owner[Symbol.dispose]()
    throw error
  }
}

class SqliteStore implements Store {
  readonly folder: string
  readonly resumedJobs: number
  readonly #database: Database
  readonly #owner: Disposable
  readonly #files: Files | undefined
  readonly #listeners = new Set<(event: JournalEvent) => void>()
  #head: JournalHead
  #committing = false

  constructor(folder: string, database: Database, owner: Disposable, files: Files | undefined) {
    this.folder = folder
    this.#database = database
    this.#owner = owner
    this.#files = files
    this.#head = readHead(database)
    this.resumedJobs = jobs.resumeJobs(database)
  }

  commit<R>(atMs: number, change: (tx: Transaction) => R): R {
    if (this.#committing) {
      throw new NightjarError('store/nested', 'a transaction is open; do all of it in one commit, or after it')
    }
    this.#committing = true
    const tx = new SqliteTransaction(this.#database, atMs, this.#head)
    let result: R
    try {
      result = this.#database.transaction(() => finished(change(tx)))
    } finally {
      this.#committing = false
    }
    this.#head = tx.head
    this.#tell(tx.events)
    return result
  }

  /** A listener's mistake is its own: the others are told and the commit stands. */
  #tell(events: readonly JournalEvent[]): void {
    for (const event of events) {
      for (const listener of this.#listeners) {
        try {
          listener(event)
        } catch (error) {
          queueMicrotask(() => {
            throw error
          })
        }
      }
    }
  }

  subscribe(listener: (event: JournalEvent) => void): Disposable {
    const own = (event: JournalEvent): void => listener(event)
    this.#listeners.add(own)
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) }
  }

  events = (afterSeq: number, limit: number): JournalEvent[] => readEvents(this.#database, afterSeq, limit)
  lastSeq = (): number => this.#head.seq
  headHash = (): string => this.#head.hash
  nextJob: Store['nextJob'] = (stage, atMs) => jobs.nextJob(this.#database, stage, atMs)
  nextJobAtMs: Store['nextJobAtMs'] = (stage) => jobs.nextJobAtMs(this.#database, stage)
  jobCounts: Store['jobCounts'] = (stage) => jobs.jobCounts(this.#database, stage)
  frame: Store['frame'] = (frameId) => frames.readFrame(this.#database, frameId)
  frames: Store['frames'] = (filter) => frames.readFrames(this.#database, filter)
  frameCounts: Store['frameCounts'] = (nightId) => frames.frameCounts(this.#database, nightId)
  takenFile: Store['takenFile'] = (path) => frames.readTakenFile(this.#database, path)
  master: Store['master'] = (want) => frames.readMaster(this.#database, want)
  masters: Store['masters'] = (want, limit) => frames.readMasters(this.#database, want, limit)
  reference: Store['reference'] = (fieldId, filter) => frames.readReference(this.#database, fieldId, filter)
  references: Store['references'] = (limit) => frames.readReferences(this.#database, limit)
  detection: Store['detection'] = (detectionId) => detections.readDetection(this.#database, detectionId)
  detections: Store['detections'] = (filter) => detections.readDetections(this.#database, filter)
  detectionCounts: Store['detectionCounts'] = () => detections.detectionCounts(this.#database)
  labels: Store['labels'] = (detectionId) => detections.readLabels(this.#database, detectionId)
  entry: Store['entry'] = (entryId) => entries.readEntry(this.#database, entryId)
  entryOf: Store['entryOf'] = (detectionId) => entries.readEntryOf(this.#database, detectionId)
  detectionsOf: Store['detectionsOf'] = (entryId) => entries.readEntryDetections(this.#database, entryId)
  entries: Store['entries'] = (limit) => entries.readEntries(this.#database, limit)
  entriesNear: Store['entriesNear'] = (raDeg, decDeg, radiusDeg) =>
    entries.readEntriesNear(this.#database, raDeg, decDeg, radiusDeg)
  alerts: Store['alerts'] = (limit) => outbox.readAlerts(this.#database, limit)
  alertsOf: Store['alertsOf'] = (detectionId) => outbox.readAlertsOf(this.#database, detectionId)
  alertCounts: Store['alertCounts'] = () => outbox.alertCounts(this.#database)
  outboxRow: Store['outboxRow'] = (eventId, rev, destination) =>
    outbox.readOutboxRow(this.#database, eventId, rev, destination)
  outboxDue: Store['outboxDue'] = (atMs, limit, destination) =>
    outbox.readOutboxDue(this.#database, atMs, limit, destination)
  nextAttemptAtMs: Store['nextAttemptAtMs'] = (eventId, destination) =>
    outbox.nextAttemptAtMs(this.#database, eventId, destination)
  account: Store['account'] = (username) => accounts.readAccount(this.#database, username)
  accountCount: Store['accountCount'] = () => accounts.accountCount(this.#database)
  session: Store['session'] = (tokenHash) => accounts.readSession(this.#database, tokenHash)
  verify: Store['verify'] = () => verifyStore(this.#database, this.folder, this.#files);

  [Symbol.dispose](): void {
    this.#listeners.clear()
    this.#database[Symbol.dispose]()
    this.#owner[Symbol.dispose]()
  }
}

class SqliteTransaction implements Transaction {
  readonly atMs: number
  readonly events: JournalEvent[] = []
  readonly #database: Database
  head: JournalHead

  constructor(database: Database, atMs: number, head: JournalHead) {
    this.#database = database
    this.atMs = atMs
    this.head = head
  }

  event<T extends EventType>(type: T, body: EventBody<T>): number {
    const event = appendEvent(this.#database, this.head, { atMs: this.atMs, type, body })
    this.head = event
    this.events.push(event)
    return event.seq
  }

  job = (stage: StageName, subject: string, notBeforeMs = this.atMs): void =>
    jobs.putJob(this.#database, { stage, subject, notBeforeMs, causeSeq: this.head.seq })
  reopenJob = (stage: StageName, subject: string, notBeforeMs = this.atMs): void =>
    jobs.reopenJob(this.#database, { stage, subject, notBeforeMs, causeSeq: this.head.seq })
  finishJob: Transaction['finishJob'] = (jobId) => jobs.finishJob(this.#database, jobId)
  finishJobOf: Transaction['finishJobOf'] = (stage, subject) => jobs.finishJobOf(this.#database, stage, subject)
  postponeJobs: Transaction['postponeJobs'] = (stage, notBeforeMs) =>
    jobs.postponeJobs(this.#database, stage, notBeforeMs)
  deferJob: Transaction['deferJob'] = (jobId, notBeforeMs) => jobs.deferJob(this.#database, jobId, notBeforeMs)
  retryJob: Transaction['retryJob'] = (jobId, notBeforeMs) => jobs.retryJob(this.#database, jobId, notBeforeMs)
  giveUpJob: Transaction['giveUpJob'] = (jobId, reason) => jobs.giveUpJob(this.#database, jobId, reason)
  putFrame: Transaction['putFrame'] = (frame) => frames.putFrame(this.#database, frame)
  updateFrame = (frameId: string, change: Partial<FrameRecord>): void =>
    frames.updateFrame(this.#database, frameId, change)
  putTakenFile: Transaction['putTakenFile'] = (file) => frames.putTakenFile(this.#database, file)
  putMaster: Transaction['putMaster'] = (master) => frames.putMaster(this.#database, master)
  putReference: Transaction['putReference'] = (reference) => frames.putReference(this.#database, reference)
  putDetection: Transaction['putDetection'] = (detection) => detections.putDetection(this.#database, detection)
  updateDetection = (detectionId: string, change: Partial<DetectionRecord>): void =>
    detections.updateDetection(this.#database, detectionId, change)
  putLabel = (detectionId: string, label: Label, by: string): void =>
    detections.putLabel(this.#database, { detectionId, label, by, atMs: this.atMs })
  putEntry: Transaction['putEntry'] = (entry) => entries.putEntry(this.#database, entry)
  linkDetection: Transaction['linkDetection'] = (entryId, detectionId) =>
    entries.linkDetection(this.#database, entryId, detectionId)
  putAlert: Transaction['putAlert'] = (row) => outbox.putAlert(this.#database, row)
  updateAlert = (eventId: string, rev: number, destination: string, change: Partial<AlertRecord>): void =>
    outbox.updateAlert(this.#database, eventId, rev, destination, change)
  putAccount: Transaction['putAccount'] = (account) => accounts.putAccount(this.#database, account)
  putSession: Transaction['putSession'] = (session) => accounts.putSession(this.#database, session)
  deleteSession: Transaction['deleteSession'] = (tokenHash) => accounts.deleteSession(this.#database, tokenHash)
}

/** A transaction ends when its function returns: one that waits would hold every other writer. */
function finished<R>(result: R): R {
  if (typeof result === 'object' && result !== null && 'then' in result) {
    throw new NightjarError('store/async', 'a transaction cannot wait; do the waiting before the commit')
  }
  return result
}
