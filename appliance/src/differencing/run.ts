import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Settings } from '../contract/config.ts'
import type { FrameRecord } from '../contract/records.ts'
import { type Offload, taskIn } from '../frames/offload.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, ReferenceRecord, Store } from '../store/store.ts'

/**
 * Differencing: a calibrated frame in; what changed since the field's reference out, as candidates and their stamps. Where
 * a field has no reference yet, its good frames are gathered until they make one. A job's subject is the frame.
 */

export interface DifferencingDeps {
  readonly store: Store
  readonly clock: Clock
  readonly offload: Offload
  readonly settings: () => Pick<Settings, 'references'>
}

/** Frames looked through for a reference. */
const recentFrames = 500

const tasks = import.meta.resolve('./runPixels.ts')
const differenceFiles = taskIn<typeof import('./runPixels.ts'), 'differenceFiles'>(tasks, 'differenceFiles')
const stackReference = taskIn<typeof import('./runPixels.ts'), 'stackReference'>(tasks, 'stackReference')

export function createDifferencingStage(deps: DifferencingDeps): Stage {
  return { name: 'differencing', run: (job) => run(deps, job) }
}

/** Where a frame's candidates wait for the detection stage, relative to the data folder. */
export const candidatesPath = (frame: Pick<FrameRecord, 'nightId' | 'frameId'>): string =>
  `candidates/${frame.nightId}/${frame.frameId}.json`

/** The folder of a detection's stamps, relative to the data folder. */
export const stampsPath = (frame: Pick<FrameRecord, 'nightId' | 'frameId'>, index: number): string =>
  `stamps/${frame.nightId}/${frame.frameId}-${index}`

async function run(deps: DifferencingDeps, job: Job): Promise<void> {
  const frame = deps.store.frame(job.subject)
  if (!frame?.calibratedPath) throw new NightjarError('differencing/unknown', `frame ${job.subject} is not calibrated`)
  const reference = deps.store.reference(frame.fieldId, frame.filter)
  if (reference) return difference(deps, job, frame, reference)
  return gather(deps, job, frame)
}

async function difference(
  deps: DifferencingDeps,
  job: Job,
  frame: FrameRecord,
  reference: ReferenceRecord,
): Promise<void> {
  const { store, clock, offload } = deps
  const found = await clock.during(
    offload.run(differenceFiles, {
      folder: store.folder,
      sciencePath: join(store.folder, frame.calibratedPath!),
      referencePath: join(store.folder, reference.path),
      candidatesPath: candidatesPath(frame),
      stampsPrefix: `stamps/${frame.nightId}/${frame.frameId}`,
    }),
  )
  store.commit(clock.now(), (tx) => {
    tx.updateFrame(frame.frameId, { state: 'differenced' })
    const { referenceId } = reference
    tx.event('candidates.found', {
      frameId: frame.frameId,
      referenceId,
      candidates: found.candidates,
      engine: found.engine,
    })
    tx.job('detection', frame.frameId)
    tx.finishJob(job.jobId)
  })
}

/** A frame of a field without a reference is material for one; the frame that completes it stacks them all. */
async function gather(deps: DifferencingDeps, job: Job, frame: FrameRecord): Promise<void> {
  const { store, clock, offload } = deps
  const wanted = deps.settings().references.frames
  const good = store
    .frames({ fieldId: frame.fieldId, type: 'light', limit: recentFrames })
    .filter(
      (other) =>
        other.filter === frame.filter &&
        other.calibratedPath &&
        other.quality?.grade === 'good' &&
        other.quality.solved,
    )
  if (good.length < wanted) return store.commit(clock.now(), (tx) => tx.finishJob(job.jobId))
  const inputs = good.sort((a, b) => a.capturedAtMs - b.capturedAtMs).slice(0, wanted)
  const referenceId = `${frame.fieldId}-${frame.filter}-${inputs.at(-1)?.frameId}`
  const path = `references/${referenceId}.fits`
  const { sha256 } = await clock.during(
    offload.run(stackReference, {
      paths: inputs.map((input) => join(store.folder, input.calibratedPath!)),
      outPath: join(store.folder, path),
      referenceId,
    }),
  )
  store.commit(clock.now(), (tx) => {
    tx.putReference({
      referenceId,
      fieldId: frame.fieldId,
      filter: frame.filter,
      path,
      sha256,
      frames: inputs.length,
      builtAtMs: clock.now(),
    })
    tx.event('reference.built', { referenceId, fieldId: frame.fieldId, frames: inputs.length, path, sha256 })
    tx.finishJob(job.jobId)
  })
}
