import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { DetectionRecord, FrameRecord } from '../contract/records.ts'
import { candidatesPath, stampsPath } from '../differencing/run.ts'
import type { StoredCandidate } from '../differencing/runPixels.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store } from '../store/store.ts'
import { modelName, scoreCandidate } from './score.ts'

/** Detection: a frame's candidates in, each judged; those worth a look become detections. A job's subject is the frame. */

export interface DetectionDeps {
  readonly store: Store
  readonly clock: Clock
}

/** Less probable candidates stay in the candidates file and are not shown to anybody. */
const keepProbability = 0.1

export function createDetectionStage(deps: DetectionDeps): Stage {
  return { name: 'detection', run: async (job) => judge(deps, job) }
}

function judge({ store, clock }: DetectionDeps, job: Job): void {
  const frame = store.frame(job.subject)
  if (!frame) throw new NightjarError('detection/unknown', `frame ${job.subject} is not stored`)
  const candidates = JSON.parse(readFileSync(join(store.folder, candidatesPath(frame)), 'utf8')) as StoredCandidate[]
  const scored = candidates.map((candidate, index) => detectionOf(frame, candidate, index, clock.now()))
  const kept = scored.filter(
    (detection) => detection !== undefined && detection.probability >= keepProbability,
  ) as DetectionRecord[]
  const best = kept.reduce<DetectionRecord | undefined>(
    (a, b) => (a && a.probability >= b.probability ? a : b),
    undefined,
  )
  store.commit(clock.now(), (tx) => {
    for (const detection of kept) tx.putDetection(detection)
    tx.updateFrame(frame.frameId, { state: 'scored' })
    tx.event('detections.scored', {
      frameId: frame.frameId,
      model: modelName,
      scored: candidates.length,
      kept: kept.length,
      ...(best && { best: { detectionId: best.detectionId, class: best.class, probability: best.probability } }),
    })
    tx.job('curation', frame.frameId)
    tx.finishJob(job.jobId)
  })
}

/** A candidate without a place on the sky cannot become an alert; it is not a detection. */
function detectionOf(
  frame: FrameRecord,
  candidate: StoredCandidate,
  index: number,
  nowMs: number,
): DetectionRecord | undefined {
  if (candidate.raDeg === undefined || candidate.decDeg === undefined || candidate.scorr <= 0) return undefined
  const { probability, class: judged } = scoreCandidate(candidate)
  const magnitude = magnitudeOf(frame, candidate)
  return {
    detectionId: `${frame.frameId}-${index}`,
    frameId: frame.frameId,
    x: candidate.x,
    y: candidate.y,
    raDeg: candidate.raDeg,
    decDeg: candidate.decDeg,
    scorr: candidate.scorr,
    fluxAdu: candidate.fluxAdu,
    fluxErrorAdu: candidate.fluxErrorAdu,
    ...magnitude,
    probability,
    class: judged,
    model: modelName,
    features: candidate.features,
    flags: [...candidate.flags],
    state: 'pending',
    stampsPath: stampsPath(frame, index),
    detectedAtMs: nowMs,
  }
}

/** m = zero point − 2.5 log₁₀ flux, with the error of the flux alone: 2.5/ln 10 · σ/F. */
function magnitudeOf(
  frame: FrameRecord,
  { fluxAdu, fluxErrorAdu }: StoredCandidate,
): { mag?: number; magError?: number } {
  const zeroPoint = frame.quality?.zeroPointMag
  if (zeroPoint === undefined || fluxAdu <= 0) return {}
  return { mag: zeroPoint - 2.5 * Math.log10(fluxAdu), magError: (1.0857 * fluxErrorAdu) / fluxAdu }
}
