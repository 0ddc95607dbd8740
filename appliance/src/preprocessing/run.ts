import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Settings } from '../contract/config.ts'
import type { FrameRecord, MasterUse } from '../contract/records.ts'
import { type Offload, taskIn } from '../frames/offload.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store } from '../store/store.ts'
import { expectedOf, historyLimit } from './history.ts'
import type { MasterPaths, UsedMaster } from './masterFiles.ts'

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
  const { quality, sha256, used } = await clock.during(
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
    tx.event('frame.calibrated', { frameId: frame.frameId, path, sha256, quality, masters: used.map(toldOf) })
    if (rejected) tx.event('frame.rejected', { frameId: frame.frameId, reasons: quality.reasons })
    else tx.job('differencing', frame.frameId)
    tx.finishJob(job.jobId)
  })
}

function toldOf({ type, rung, masterId, note }: UsedMaster): MasterUse {
  return { type, rung, ...(masterId !== undefined && { masterId }), ...(note !== undefined && { note }) }
}

/** Masters of each kind that are looked at for a frame. */
const mostCandidates = 16

/** The masters of this frame's shape and filter, those of the nearest exposure time first; paths are absolute. */
function mastersFor(store: Store, frame: FrameRecord): MasterPaths {
  const { width, height, exposureSeconds, filter } = frame
  const paths = (want: Parameters<Store['masters']>[0]): string[] =>
    store.masters(want, mostCandidates).map(({ path }) => join(store.folder, path))
  return {
    bias: paths({ type: 'bias', width, height }),
    dark: paths({ type: 'dark', width, height, exposureSeconds }),
    flat: paths({ type: 'flat', width, height, filter }),
  }
}
