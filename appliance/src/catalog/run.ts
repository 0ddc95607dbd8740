import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { AlertEnvelope } from '../contract/alert.ts'
import type { Settings } from '../contract/config.ts'
import type { AlertRecord, DetectionRecord, EntryRecord, FrameRecord } from '../contract/records.ts'
import { canonicalJson } from '../store/canonical.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store, Transaction } from '../store/store.ts'
import { grownEntry, newEntry } from './entry.ts'
import { type AlertSubject, envelopeOf, eventIdOf } from './envelope.ts'

/**
 * Catalogue: a judged detection in; its object found within the match radius or begun, and an alert for each destination
 * in the outbox, all in one transaction. A job's subject is the detection. Run again after a relabel it corrects the entry
 * and, when the alert reads differently, queues its next revision.
 */

export interface CatalogDeps {
  readonly store: Store
  readonly clock: Clock
  readonly settings: () => Pick<Settings, 'site' | 'camera' | 'catalog' | 'forwarding'>
  /** Goes into event ids: another version of the pipeline makes other events. */
  readonly pipelineVersion: string
}

export function createCatalogStage(deps: CatalogDeps): Stage {
  return { name: 'catalog', run: async (job) => catalogue(deps, job) }
}

function catalogue(deps: CatalogDeps, job: Job): void {
  const { store, clock } = deps
  const { detection, frame } = subjectOf(store, job.subject)
  const found =
    store.entryOf(detection.detectionId) ?? (detection.state === 'validated' ? match(deps, detection) : undefined)
  store.commit(clock.now(), (tx) => {
    if (found || detection.state === 'validated') {
      const entry = grow(deps, tx, found ?? newEntry(detection), detection)
      const { entryId, name } = entry
      tx.event('entry.catalogued', { entryId, detectionId: detection.detectionId, name, isNew: !found })
      announce(deps, tx, { frame, detection, entry })
    }
    tx.finishJob(job.jobId)
  })
}

function subjectOf(store: Store, detectionId: string): { detection: DetectionRecord; frame: FrameRecord } {
  const detection = store.detection(detectionId)
  const frame = detection && store.frame(detection.frameId)
  if (!frame) throw new NightjarError('catalog/unknown', `detection ${detectionId} or its frame is not stored`)
  return { detection, frame }
}

function match({ store, settings }: CatalogDeps, detection: DetectionRecord): EntryRecord | undefined {
  return store.entriesNear(detection.raDeg, detection.decDeg, settings().catalog.matchRadiusArcsec / 3600)[0]
}

function grow({ store }: CatalogDeps, tx: Transaction, entry: EntryRecord, detection: DetectionRecord): EntryRecord {
  const others = store.detectionsOf(entry.entryId).filter((detectionId) => detectionId !== detection.detectionId)
  const linked = others.map((detectionId) => store.detection(detectionId)!)
  const grown = grownEntry(entry, [...linked, detection])
  tx.putEntry(grown)
  tx.linkDetection(grown.entryId, detection.detectionId)
  return grown
}

/** Queues the alert when it is the first or reads differently from the last. */
function announce(
  deps: CatalogDeps,
  tx: Transaction,
  what: { readonly frame: FrameRecord; readonly detection: DetectionRecord; readonly entry: EntryRecord },
): void {
  const { site, camera, forwarding } = deps.settings()
  if (forwarding.destinations.length === 0) return
  const subject: AlertSubject = { site: site.name, camera, pipelineVersion: deps.pipelineVersion, ...what }
  const eventId = eventIdOf(subject)
  const last = lastAlert(deps.store, what.detection.detectionId, eventId)
  if (last && says(deps.store, last) === canonicalJson(envelopeOf(subject, 0))) return
  const envelope = envelopeOf(subject, (last?.rev ?? 0) + 1)
  for (const { name } of forwarding.destinations) queue(tx, envelope, what.entry.entryId, what.detection, name)
  tx.reopenJob('forwarding', eventId)
}

function queue(
  tx: Transaction,
  envelope: AlertEnvelope,
  entryId: string,
  detection: DetectionRecord,
  destination: string,
): void {
  tx.putAlert({
    eventId: envelope.eventId,
    rev: envelope.rev,
    entryId,
    detectionId: detection.detectionId,
    destination,
    state: 'waiting',
    attempts: 0,
    queuedAtMs: tx.atMs,
    nextAttemptAtMs: tx.atMs,
    envelope: canonicalJson(envelope),
    urgency: detection.labelledBy === undefined ? 1 : 0,
  })
}

function lastAlert(store: Store, detectionId: string, eventId: string): AlertRecord | undefined {
  return store.alertsOf(detectionId).findLast((alert) => alert.eventId === eventId)
}

/** What a queued alert said, its revision aside. */
function says(store: Store, alert: AlertRecord): string {
  const row = store.outboxRow(alert.eventId, alert.rev, alert.destination)!
  return canonicalJson({ ...(JSON.parse(row.envelope) as AlertEnvelope), rev: 0 })
}
