import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { CurationSettings } from '../contract/config.ts'
import type { DetectionRecord } from '../contract/records.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store } from '../store/store.ts'
import { judgeName, shouldAutoValidate } from './autoValidate.ts'

/**
 * Curation: a frame's scored detections in, sure ones validated and sent on to the catalogue, the rest left for people.
 * A job's subject is the frame.
 */

/** More than any frame holds. */
const detectionLimit = 100_000

export interface CurationDeps {
  readonly store: Store
  readonly clock: Clock
  readonly settings: () => { readonly curation: CurationSettings }
}

export function createCurationStage(deps: CurationDeps): Stage {
  return { name: 'curation', run: async (job) => curateFrame(deps, job) }
}

function curateFrame({ store, clock, settings }: CurationDeps, job: Job): void {
  const pending = store.detections({ frameId: job.subject, state: 'pending', limit: detectionLimit })
  const sure = pending.filter((detection) => shouldAutoValidate(detection, settings().curation))
  store.commit(clock.now(), (tx) => {
    for (const { detectionId, frameId, model } of sure.sort(byId)) {
      tx.updateDetection(detectionId, { state: 'validated' })
      tx.event('detection.validated', { detectionId, frameId, by: judgeName(model) })
      tx.job('catalog', detectionId)
    }
    tx.finishJob(job.jobId)
  })
}

function byId(a: DetectionRecord, b: DetectionRecord): number {
  return a.detectionId < b.detectionId ? -1 : 1
}
