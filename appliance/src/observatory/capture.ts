import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera } from '@nightjar/firmware-bridge/devices/camera.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { FrameRecord, FrameType } from '../contract/records.ts'
import { version } from '../contract/version.ts'
import { type FrameFacts, frameEntries } from '../frames/fits/facts.ts'
import { glance } from '../frames/fits/glance.ts'
import type { HeaderEntries } from '../frames/fits/header.ts'
import { frameFromCamera, type Ingested } from '../frames/fits/ingest.ts'
import { openFits } from '../frames/fits/read.ts'
import type { Field } from '../observations/fields.ts'
import { hashBytes, writeDurably } from '../store/frameFiles.ts'
import type { Store } from '../store/store.ts'
import type { Action } from './gate/command.ts'
import type { Verdict } from './gate.ts'
import { exposureTruth } from './truth.ts'

/** What to take. */
export interface ExposurePlan {
  readonly type: FrameType
  readonly exposureSeconds: number
  readonly filter: string
  readonly nightId: string
  /** `calibration` for frames that show no sky. */
  readonly field: Pick<Field, 'fieldId' | 'raDeg' | 'decDeg'> | undefined
  /** For the header: what only the observatory knows. */
  readonly facts: Partial<FrameFacts>
}

export type Captured =
  | { readonly ok: true; readonly frame: FrameRecord }
  | {
      readonly ok: false
      readonly reason: string
      /** The gate said no: trying again is no use. */
      readonly denied?: boolean
    }

export interface CaptureDeps {
  readonly store: Store
  readonly clock: Clock
  readonly camera: Camera
  /** A simulator may shorten exposures; a camera that does has had its clock stepped. */
  readonly timeIsTrue: boolean
  /** The gate's word on a command. */
  readonly ask: (action: Action) => Verdict
}

/**
 * One exposure, from the shutter to a durable file and a line in the journal. The camera's bytes are checked against
 * their own header and for what a camera may get wrong (`truth.ts`), written beside, synced and renamed; only then is `frame.captured` committed. A file whose journal
 * line never came is adopted at the next start (`adopt.ts`).
 */
export async function captureFrame(deps: CaptureDeps, plan: ExposurePlan, signal: AbortSignal): Promise<Captured> {
  const { store, clock, camera } = deps
  const frameId = freeFrameId(store, plan.nightId, clock.now())
  const fieldId = plan.field?.fieldId ?? 'calibration'
  store.commit(clock.now(), (tx) => {
    tx.event('exposure.started', { frameId, type: plan.type, exposureSeconds: plan.exposureSeconds, fieldId })
  })
  const allowed = deps.ask({ kind: 'expose', seconds: plan.exposureSeconds })
  if (!allowed.allow) return { ...failed(store, clock, frameId, allowed.reason), denied: true }
  const turned = await selectFilter(camera, plan)
  if (!turned.ok) return failed(store, clock, frameId, turned.reason)
  const startedAtMs = clock.monotonic()
  const exposure = await camera.expose({ seconds: plan.exposureSeconds, frameType: plan.type, signal })
  if (!exposure.ok) return failed(store, clock, frameId, exposure.reason)
  const tookSeconds = (clock.monotonic() - startedAtMs) / 1000
  const ingested = frameFromCamera(exposure.bytes, {
    ...entriesOf(plan, frameId, exposure),
    // These the camera knows itself.
    ROWORDER: undefined,
    XBINNING: undefined,
    YBINNING: undefined,
  })
  if (!ingested.ok) return failed(store, clock, frameId, ingested.reason)
  const lie = lieOf(deps, plan, ingested, tookSeconds)
  if (lie !== undefined) return failed(store, clock, frameId, lie)
  const path = `frames/${plan.nightId}/${frameId}.fits`
  await clock.during(writeDurably(`${store.folder}/${path}`, ingested.bytes))
  const frame: FrameRecord = {
    frameId,
    nightId: plan.nightId,
    fieldId,
    type: plan.type,
    state: 'captured',
    capturedAtMs: exposure.startedAtMs,
    exposureSeconds: plan.exposureSeconds,
    filter: plan.filter,
    width: ingested.width,
    height: ingested.height,
    path,
    bytes: ingested.bytes.length,
    sha256: hashBytes(ingested.bytes),
  }
  recordCaptured(store, clock.now(), frame)
  return { ok: true, frame }
}

/** By camera: what its last frame looked like. */
const lastFingerprints = new WeakMap<Camera, string>()

/** What the camera got wrong, if anything; told apart from other failures in the journal. */
function lieOf(
  { store, clock, camera, timeIsTrue }: CaptureDeps,
  { type, exposureSeconds }: ExposurePlan,
  { bytes, width, height }: Extract<Ingested, { ok: true }>,
  tookSeconds: number,
): string | undefined {
  const seen = glance(openFits(bytes))
  const reason = exposureTruth({
    type,
    exposureSeconds,
    tookSeconds,
    timeIsTrue,
    width,
    height,
    camera: camera.state(),
    glance: seen,
    previousFingerprint: lastFingerprints.get(camera),
  })
  if (seen) lastFingerprints.set(camera, seen.fingerprint)
  if (reason !== undefined)
    store.commit(clock.now(), (tx) =>
      tx.event('truth.failed', { device: camera.state().source, check: 'exposure', reason }),
    )
  return reason
}

/** Turns the wheel for frames that see light; a camera without one takes them as they come. */
async function selectFilter(camera: Camera, plan: ExposurePlan): Promise<Outcome> {
  const { filter, filters } = camera.state()
  const dark = plan.type === 'bias' || plan.type === 'dark'
  if (dark || filters.length === 0 || filter === plan.filter) return done
  if (filters.includes(plan.filter)) return camera.setFilter(plan.filter)
  return failure(`the wheel has no filter ${plan.filter}: it has ${filters.join(', ')}`)
}

function entriesOf(
  plan: ExposurePlan,
  frameId: string,
  exposure: { readonly startedAtMs: number; readonly endedAtMs: number },
): HeaderEntries {
  return frameEntries({
    ...plan.facts,
    imageType: plan.type,
    startedAtMs: exposure.startedAtMs,
    endedAtMs: exposure.endedAtMs,
    exposureSeconds: plan.exposureSeconds,
    software: `Nightjar ${version}`,
    object: plan.field?.fieldId ?? 'calibration',
    filter: plan.filter,
    nightId: plan.nightId,
    frameId,
  })
}

/** Commits a frame whose file is durable, with the job that takes it further. */
export function recordCaptured(store: Store, atMs: number, frame: FrameRecord): void {
  store.commit(atMs, (tx) => {
    tx.putFrame(frame)
    tx.event('frame.captured', {
      frameId: frame.frameId,
      type: frame.type,
      fieldId: frame.fieldId,
      path: frame.path,
      sha256: frame.sha256,
      bytes: frame.bytes,
      exposureSeconds: frame.exposureSeconds,
      ...(frame.provenance && { provenance: frame.provenance }),
    })
    if (frame.type === 'light') tx.job('preprocessing', frame.frameId)
  })
}

/** Night and UTC time of day to the millisecond: unique on one camera, sorts by time, needs no counter to survive. */
export function frameIdAt(nightId: string, atMs: number): string {
  return `${nightId}-${new Date(atMs).toISOString().slice(11, 23).replaceAll(/[:.]/g, '')}`
}

/** A clock that was set back, or that stands still, gives the same moment twice: then the next free one. */
function freeFrameId(store: Store, nightId: string, atMs: number): string {
  let frameId = frameIdAt(nightId, atMs)
  for (let at = atMs + 1; store.frame(frameId); at++) frameId = frameIdAt(nightId, at)
  return frameId
}

function failed(store: Store, clock: Clock, frameId: string, reason: string): Captured & { ok: false } {
  store.commit(clock.now(), (tx) => tx.event('exposure.failed', { frameId, reason, willRetry: true }))
  return { ok: false, reason }
}
