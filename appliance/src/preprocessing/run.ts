import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Settings } from '../contract/config.ts'
import type { FrameRecord } from '../contract/records.ts'
import { type Offload, taskIn } from '../frames/offload.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store } from '../store/store.ts'
import { expectedOf, historyLimit } from './history.ts'

/**
 * Preprocessing: a raw light frame in; a calibrated frame with mask and variance, its stars, its place on the sky and its
 * grade out. A job's subject is the frame.
 */

export interface PreprocessingDeps {
  readonly store: Store
  readonly clock: Clock
  readonly offload: Offload
  readonly settings: () => Pick<Settings, 'camera' | 'fields' | 'calibration'>
}

const calibrateFile = taskIn<typeof import('./runPixels.ts'), 'calibrateFile'>(
  import.meta.resolve('./runPixels.ts'),
  'calibrateFile',
)

export function createPreprocessingStage(deps: PreprocessingDeps): Stage {
  return { name: 'preprocessing', run: (job) => calibrateFrame(deps, job) }
}

async function calibrateFrame(deps: PreprocessingDeps, job: Job): Promise<void> {
  const { store, clock, offload } = deps
  const frame = store.frame(job.subject)
  if (!frame) throw new NightjarError('preprocessing/unknown', `frame ${job.subject} is not stored`)
  const path = `calibrated/${frame.nightId}/${frame.frameId}.fits`
  const { quality, sha256 } = await clock.during(
    offload.run(calibrateFile, {
      rawPath: join(store.folder, frame.path),
      outPath: join(store.folder, path),
      masters: mastersFor(store, frame),
      camera: deps.settings().camera,
      expected: expectedOf(
        frame,
        store.frames({ fieldId: frame.fieldId, type: 'light', before: frame.capturedAtMs, limit: historyLimit }),
      ),
      calibration: deps.settings().calibration,
      field: deps.settings().fields.find((field) => field.fieldId === frame.fieldId),
    }),
  )
  store.commit(clock.now(), (tx) => {
    const rejected = quality.grade === 'rejected'
    tx.updateFrame(frame.frameId, { state: rejected ? 'rejected' : 'calibrated', calibratedPath: path, quality })
    tx.event('frame.calibrated', { frameId: frame.frameId, path, sha256, quality })
    if (rejected) tx.event('frame.rejected', { frameId: frame.frameId, reasons: quality.reasons })
    else tx.job('differencing', frame.frameId)
    tx.finishJob(job.jobId)
  })
}

/** The newest master of each kind that fits this frame; paths are absolute. */
function mastersFor(store: Store, frame: FrameRecord): { biasPath?: string; darkPath?: string; flatPath?: string } {
  const { width, height, exposureSeconds, filter } = frame
  const bias = store.master({ type: 'bias', width, height })
  const dark = store.master({ type: 'dark', width, height, exposureSeconds })
  const flat = store.master({ type: 'flat', width, height, filter })
  return {
    ...(bias && { biasPath: join(store.folder, bias.path) }),
    ...(dark && { darkPath: join(store.folder, dark.path) }),
    ...(flat && { flatPath: join(store.folder, flat.path) }),
  }
}
