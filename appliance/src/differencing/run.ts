import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Settings } from '../contract/config.ts'
import type { FrameRecord } from '../contract/records.ts'
import { type Offload, taskIn } from '../frames/offload.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, ReferenceRecord, Store } from '../store/store.ts'
import { type Choice, chooseFrames, isMaterial, whyReplace } from './referencesChoice.ts'
import type { FrameToStack } from './runPixels.ts'

/**
 * Differencing: a calibrated frame in; what changed since the field's reference out, as candidates and their stamps. Where
 * a field has no reference yet, its good frames are gathered until they make one; better frames later make a better one.
 * A job's subject is the frame.
 */

export interface DifferencingDeps {
  readonly store: Store
  readonly clock: Clock
  readonly offload: Offload
  readonly settings: () => Pick<Settings, 'references'>
}

/** Frames looked through for a reference and a live stack, and detections of one of them. */
const recentFrames = 500
const mostDetections = 1000

const tasks = import.meta.resolve('./runPixels.ts')
const differenceFiles = taskIn<typeof import('./runPixels.ts'), 'differenceFiles'>(tasks, 'differenceFiles')
const stackReference = taskIn<typeof import('./runPixels.ts'), 'stackReference'>(tasks, 'stackReference')
const growLiveStack = taskIn<typeof import('./runPixels.ts'), 'growLiveStack'>(tasks, 'growLiveStack')

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
  const { store, clock } = deps
  const frame = store.frame(job.subject)
  if (!frame?.calibratedPath) throw new NightjarError('differencing/unknown', `frame ${job.subject} is not calibrated`)
  if (frame.quality?.grade === 'good') await stackLive(deps, frame)
  const reference = store.reference(frame.fieldId, frame.filter)
  const plan = planReference(deps, frame, reference)
  // A job that was killed while it built a better reference has its frame differenced already.
  const undone = reference !== undefined && frame.state === 'calibrated'
  if (undone) await difference(deps, job, frame, reference, plan === undefined)
  if (plan) return build(deps, job, frame, plan)
  if (!undone) store.commit(clock.now(), (tx) => tx.finishJob(job.jobId))
}

/** The live stack is for the eye: what goes wrong with it is told, and takes nothing from the frame. */
async function stackLive({ store, clock, offload }: DifferencingDeps, frame: FrameRecord): Promise<void> {
  const { frameId, nightId, fieldId, filter } = frame
  const tell = (reason: string): void => {
    store.commit(clock.now(), (tx) => tx.event('liveStack.failed', { frameId, reason }))
  }
  const frames = stackable(store, frame)
  try {
    const state = await clock.during(
      offload.run(growLiveStack, { folder: store.folder, nightId, fieldId, filter, frames }),
    )
    if (!state) return
    if (state.left) tell(state.left.reason)
    else {
      const { depthGainMag } = state
      const grown = { frameId: state.lastFrameId, fieldId, frames: state.frames, depthGainMag }
      store.commit(clock.now(), (tx) => tx.event('liveStack.grown', grown))
    }
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error))
  }
}

/** Good frames of its night, field and filter up to this one, oldest first. */
function stackable(store: Store, { nightId, fieldId, filter, capturedAtMs }: FrameRecord): FrameToStack[] {
  return store
    .frames({ fieldId, type: 'light', limit: recentFrames })
    .filter((one) => one.nightId === nightId && one.filter === filter && one.capturedAtMs <= capturedAtMs)
    .flatMap(({ frameId, exposureSeconds, calibratedPath, quality }) =>
      calibratedPath && quality?.grade === 'good'
        ? [{ frameId, exposureSeconds, path: join(store.folder, calibratedPath) }]
        : [],
    )
    .reverse()
}

async function difference(
  deps: DifferencingDeps,
  job: Job,
  frame: FrameRecord,
  reference: ReferenceRecord,
  isAll: boolean,
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
      gates: [...found.gates],
    })
    tx.job('detection', frame.frameId)
    if (isAll) tx.finishJob(job.jobId)
  })
}

interface Plan {
  readonly choice: Choice
  readonly version: number
  readonly replaces?: string
  readonly reason?: string
}

/**
 * The first reference of a field as soon as there are frames enough; later a better one when the good frames of the field
 * would make one that is clearly deeper or sharper. Only frames that were searched, and those of the reference in use, are
 * taken, and none with a detection that nobody has dismissed: what was found must not become part of what it is compared
 * with.
 */
function planReference(
  { store, settings }: DifferencingDeps,
  { fieldId, filter }: FrameRecord,
  current: ReferenceRecord | undefined,
): Plan | undefined {
  const wanted = settings().references.frames
  const material = store
    .frames({ fieldId, type: 'light', limit: recentFrames })
    .filter((frame) => isMaterial(frame, filter))
  if (!current) {
    const choice = chooseFrames(material, wanted, wanted)
    return choice && { choice, version: 1 }
  }
  if (current.archive) return ownInstead(store, material, wanted, current)
  if (current.depth === undefined || current.fwhmPixels === undefined) return undefined
  const now = { depth: current.depth, fwhmPixels: current.fwhmPixels }
  const searched = material.filter(
    ({ frameId, state }) => state === 'scored' || current.frameIds?.includes(frameId) === true,
  )
  const atBest = chooseFrames(searched, wanted)
  if (!atBest || whyReplace(atBest, now) === undefined) return undefined
  const quiet = searched.filter((frame) => isQuiet(store, frame))
  const choice = chooseFrames(quiet, wanted)
  const reason = choice && whyReplace(choice, now)
  return reason ? { choice, version: (current.version ?? 1) + 1, replaces: current.referenceId, reason } : undefined
}

/** Own frames have the field's own optics, filter and pixels: enough of them are better than any picture of an archive. */
function ownInstead(
  store: Store,
  material: readonly FrameRecord[],
  wanted: number,
  { referenceId, version = 1, archive }: ReferenceRecord,
): Plan | undefined {
  const quiet = material.filter((frame) => frame.state === 'scored' && isQuiet(store, frame))
  const choice = chooseFrames(quiet, wanted, wanted)
  const reason = `own frames instead of ${archive?.service}`
  return choice && { choice, version: version + 1, replaces: referenceId, reason }
}

function isQuiet(store: Store, { frameId }: FrameRecord): boolean {
  return store.detections({ frameId, limit: mostDetections }).every(({ state }) => state === 'dismissed')
}

async function build(deps: DifferencingDeps, job: Job, frame: FrameRecord, plan: Plan): Promise<void> {
  const { store, clock, offload } = deps
  const { fieldId, filter } = frame
  const { choice, version, replaces, reason } = plan
  const referenceId = `${fieldId}-${filter}-${choice.frames.at(-1)?.frameId}-v${version}`
  const made = await clock.during(
    offload.run(stackReference, {
      paths: choice.frames.map((input) => join(store.folder, input.calibratedPath!)),
      folder: store.folder,
      referenceId,
    }),
  )
  const { path, sha256, frames } = made
  store.commit(clock.now(), (tx) => {
    tx.putReference({
      ...{ referenceId, fieldId, filter, path, sha256, frames, version },
      ...(replaces !== undefined && { replaces }),
      ...(reason !== undefined && { reason }),
      frameIds: choice.frames.map(({ frameId }) => frameId),
      depth: choice.depth,
      fwhmPixels: choice.fwhmPixels,
      builtAtMs: clock.now(),
    })
    tx.event('reference.built', {
      ...{ referenceId, fieldId, frames, path, sha256, version },
      ...(replaces !== undefined && { replaces }),
      ...(reason !== undefined && { reason }),
    })
    tx.finishJob(job.jobId)
  })
}
