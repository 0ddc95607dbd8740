import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { DetectionRecord, Label } from '../contract/records.ts'
import type { Store, Transaction } from '../store/store.ts'

export type LabelOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: string }

const states: Readonly<Record<Label, DetectionRecord['state']>> = {
  real: 'validated',
  bogus: 'dismissed',
  unsure: 'pending',
}

/**
 * Records what a person says of a detection. `real` validates it, `bogus` dismisses it, `unsure` puts it back. What was
 * catalogued before is corrected: the catalogue job runs again and, when the alert reads differently now, raises its
 * revision. The last opinion counts; all are kept.
 */
export function giveLabel(store: Store, clock: Clock, detectionId: string, label: Label, by: string): LabelOutcome {
  const detection = store.detection(detectionId)
  if (!detection) return { ok: false, reason: `there is no detection ${detectionId}` }
  store.commit(clock.now(), (tx) => {
    tx.event('label.given', { detectionId, label, by })
    tx.putLabel(detectionId, label, by)
    judge(tx, detection, label, by)
    if (label === 'real' || store.entryOf(detectionId)) tx.reopenJob('catalog', detectionId)
  })
  return { ok: true }
}

function judge(tx: Transaction, detection: DetectionRecord, label: Label, by: string): void {
  const { detectionId, frameId } = detection
  const state = states[label]
  const isNews = detection.state !== state || detection.labelledBy === undefined
  tx.updateDetection(detectionId, { state, label, labelledBy: by })
  if (!isNews) return
  if (state === 'validated') tx.event('detection.validated', { detectionId, frameId, by })
  if (state === 'dismissed') tx.event('detection.dismissed', { detectionId, frameId, by })
}
