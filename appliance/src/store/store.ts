import type { EventBody, EventType, JournalEvent } from '../contract/events.ts'
import type {
  AlertRecord,
  DetectionRecord,
  EntryRecord,
  FrameRecord,
  FrameType,
  Label,
  Role,
} from '../contract/records.ts'

/** The stages whose work is taken from the journal, in the order of a frame's journey. */
export type StageName = 'preprocessing' | 'differencing' | 'detection' | 'curation' | 'catalog' | 'forwarding'

/** Work for one stage, made in the same transaction as the event that caused it. */
export interface Job {
  readonly jobId: number
  readonly stage: StageName
  /** A frame id, a detection id, or an event id. */
  readonly subject: string
  readonly causeSeq: number
  readonly attempts: number
  readonly notBeforeMs: number
}

/** A master bias, dark or flat. */
export interface MasterRecord {
  readonly masterId: string
  readonly type: Exclude<FrameType, 'light'>
  readonly exposureSeconds: number
  readonly filter: string
  readonly width: number
  readonly height: number
  readonly path: string
  readonly sha256: string
  readonly builtAtMs: number
}

/** What a field looked like before. */
export interface ReferenceRecord {
  readonly referenceId: string
  readonly fieldId: string
  readonly filter: string
  readonly path: string
  readonly sha256: string
  readonly frames: number
  readonly builtAtMs: number
  /** 1 for the first of a field and filter. */
  readonly version?: number
  /** The version that this one took the place of, which is kept: alerts name it. */
  readonly replaces?: string
  readonly reason?: string
  /** Frames that it was made from. */
  readonly frameIds?: readonly string[]
  /** As chosen: relative depth for point sources, and the mean width of the frames' stars. */
  readonly depth?: number
  readonly fwhmPixels?: number
  /** Where it was fetched, when it is not made of frames from here; own frames take its place. */
  readonly archive?: ReferenceOrigin
}

/** Where a reference came from that others took. */
export interface ReferenceOrigin {
  readonly service: string
  readonly survey: string
  readonly url: string
  /** The words that the archive asks for in a publication. */
  readonly credit: string
  /** Photographic plates are not linear: what they show subtracts badly. */
  readonly kind: 'ccd' | 'plates' | 'unknown'
  readonly fetchedAtMs: number
  /** Of what was fetched. */
  readonly sha256: string
  readonly bytes: number
  /** Of the reference, after `bin` × `bin` pixels were summed. */
  readonly scaleArcsecPerPixel: number
  readonly bin: number
  /** Share of the field that it has values for. */
  readonly coverage: number
  readonly observedAtMs?: number
}

export interface AccountRecord {
  readonly username: string
  readonly role: Role
  /** PHC string: `$argon2id$v=19$m=…` */
  readonly passwordHash: string
  readonly createdAtMs: number
}

export interface SessionRecord {
  /** sha256 of the cookie's token, hex. */
  readonly tokenHash: string
  readonly username: string
  readonly csrfToken: string
  readonly createdAtMs: number
  readonly lastUsedAtMs: number
}

/** An outbox row: the alert and the bytes to send. */
export interface OutboxRow extends AlertRecord {
  /** JSON of an AlertEnvelope. */
  readonly envelope: string
  /** 0 goes first (a person said so), 1 is ordinary and the default. */
  readonly urgency?: number
}

/** A file of the watched folder that was taken as a frame: it is not taken again while it is the same. */
export interface TakenFile {
  /** Absolute. */
  readonly path: string
  readonly bytes: number
  readonly modifiedAtMs: number
  /** Of the file, not of the frame. */
  readonly sha256: string
  readonly frameId: string
}

/** One opinion on a detection. Later ones do not erase earlier ones. */
export interface LabelRecord {
  readonly detectionId: string
  readonly label: Label
  readonly by: string
  readonly atMs: number
}

/** One transaction: facts and the state they announce become durable together, or not at all. */
export interface Transaction {
  readonly atMs: number
  event<T extends EventType>(type: T, body: EventBody<T>): number
  /** Queues work. `(stage, subject)` is unique: asking twice changes nothing. */
  job(stage: StageName, subject: string, notBeforeMs?: number): void
  /** Queues work again although it ran before (a label was changed, a person pressed retry). */
  reopenJob(stage: StageName, subject: string, notBeforeMs?: number): void
  finishJob(jobId: number): void
  /** Ends the waiting job on this subject, if there is one. */
  finishJobOf(stage: StageName, subject: string): void
  /** No job of `stage` is due before then: what they all need is not there. */
  postponeJobs(stage: StageName, notBeforeMs: number): void
  /** Puts the job back until then without counting an attempt: it did what could be done now. */
  deferJob(jobId: number, notBeforeMs: number): void
  /** Puts the job back with one more attempt. */
  retryJob(jobId: number, notBeforeMs: number): void
  /** Ends the job without success; it stays visible. */
  giveUpJob(jobId: number, reason: string): void
  putFrame(frame: FrameRecord): void
  updateFrame(frameId: string, change: Partial<FrameRecord>): void
  /** What was known of a file of this path is forgotten. */
  putTakenFile(file: TakenFile): void
  putMaster(master: MasterRecord): void
  putReference(reference: ReferenceRecord): void
  putDetection(detection: DetectionRecord): void
  updateDetection(detectionId: string, change: Partial<DetectionRecord>): void
  putLabel(detectionId: string, label: Label, by: string): void
  putEntry(entry: EntryRecord): void
  linkDetection(entryId: string, detectionId: string): void
  putAlert(row: OutboxRow): void
  updateAlert(eventId: string, rev: number, destination: string, change: Partial<AlertRecord>): void
  putAccount(account: AccountRecord): void
  putSession(session: SessionRecord): void
  deleteSession(tokenHash: string): void
}

/** Durable state: one SQLite file (WAL, synchronous=FULL). Reads are synchronous and see the last commit. */
export interface Store extends Disposable {
  /** The data folder; every stored path is relative to it. */
  readonly folder: string
  /** Unfinished jobs found at open; all are due at once. For `daemon.started`. */
  readonly resumedJobs: number
  /** Runs `change` in one transaction, then tells the subscribers. Throws `store/full` when the disk is full. */
  commit<R>(atMs: number, change: (tx: Transaction) => R): R
  /** Events after `seq`, oldest first. */
  events(afterSeq: number, limit: number): JournalEvent[]
  lastSeq(): number
  /** sha256 of the whole chain's last line; 64 zeros for an empty journal. */
  headHash(): string
  subscribe(listener: (event: JournalEvent) => void): Disposable
  /** The oldest job of `stage` that is due, or undefined. Not a claim: one process owns the store. */
  nextJob(stage: StageName, atMs: number): Job | undefined
  /** When the next waiting job of `stage` is due, Unix ms; undefined when none waits. */
  nextJobAtMs(stage: StageName): number | undefined
  /** Of one stage, or of all. */
  jobCounts(stage?: StageName): { readonly waiting: number; readonly failed: number }
  frame(frameId: string): FrameRecord | undefined
  /** Newest first. */
  frames(filter: {
    readonly before?: number
    readonly limit: number
    readonly nightId?: string
    readonly type?: FrameType
    readonly fieldId?: string
    readonly state?: string
  }): FrameRecord[]
  frameCounts(nightId: string): { readonly captured: number; readonly calibrated: number; readonly rejected: number }
  takenFile(path: string): TakenFile | undefined
  /** The newest master of this kind and shape; darks by nearest exposure time. */
  master(want: {
    readonly type: MasterRecord['type']
    readonly width: number
    readonly height: number
    readonly filter?: string
    readonly exposureSeconds?: number
  }): MasterRecord | undefined
  /** As `master`, the best first. */
  masters(want: Parameters<Store['master']>[0], limit: number): MasterRecord[]
  reference(fieldId: string, filter: string): ReferenceRecord | undefined
  /** All of them, every version, newest first. */
  references(limit: number): ReferenceRecord[]
  detection(detectionId: string): DetectionRecord | undefined
  detections(filter: {
    readonly state?: DetectionRecord['state']
    readonly frameId?: string
    readonly limit: number
  }): DetectionRecord[]
  detectionCounts(): { readonly pending: number; readonly validated: number; readonly dismissed: number }
  /** Every label a detection was ever given, oldest first. */
  labels(detectionId: string): LabelRecord[]
  entry(entryId: string): EntryRecord | undefined
  /** The entry that a detection was catalogued under. */
  entryOf(detectionId: string): EntryRecord | undefined
  /** Ids of the detections that an entry was grown from. */
  detectionsOf(entryId: string): string[]
  entries(limit: number): EntryRecord[]
  /** Entries within `radiusDeg` of a place, nearest first. */
  entriesNear(raDeg: number, decDeg: number, radiusDeg: number): EntryRecord[]
  alerts(limit: number): AlertRecord[]
  /** Every revision sent or to be sent about one detection, lowest first. */
  alertsOf(detectionId: string): AlertRecord[]
  alertCounts(): { readonly waiting: number; readonly delivered: number; readonly dead: number }
  outboxRow(eventId: string, rev: number, destination: string): OutboxRow | undefined
  /** Rows to send now, most urgent and oldest first; to one destination when it is named. */
  outboxDue(atMs: number, limit: number, destination?: string): OutboxRow[]
  /** When an event's next waiting row to a destination is due, Unix ms; undefined when none waits. */
  nextAttemptAtMs(eventId: string, destination: string): number | undefined
  account(username: string): AccountRecord | undefined
  accountCount(): number
  session(tokenHash: string): SessionRecord | undefined
  /** Walks the whole journal and every stored file. */
  verify(): Promise<VerifyReport>
}

export interface VerifyReport {
  readonly ok: boolean
  readonly events: number
  readonly files: number
  /** What is wrong, one line each, naming the row or file. */
  readonly problems: readonly string[]
  /** Frame files that no row speaks of: a process died between writing one and committing. Harmless. */
  readonly orphans: readonly string[]
}
