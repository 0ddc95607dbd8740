import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { FrameRecord, FrameType } from '../contract/records.ts'
import { frameFromCamera } from '../frames/fits/ingest.ts'
import type { Field } from '../observations/fields.ts'
import { hashBytes, writeDurably } from '../store/frameFiles.ts'
import type { Store } from '../store/store.ts'

/** What to take. */
export interface ExposurePlan {
  readonly type: FrameType
  readonly exposureSeconds: number
  readonly filter: string
  readonly nightId: string
  /** `calibration` for frames that show no sky. */
  readonly field: Pick<Field, 'fieldId' | 'raDeg' | 'decDeg'> | undefined
  /** Facts for the header that only the observatory knows: keyword → value. */
  readonly facts: Readonly<Record<string, string | number | boolean>>
}

export type Captured =
  | { readonly ok: true; readonly frame: FrameRecord }
  | { readonly ok: false; readonly reason: string }

/**
 * One exposure, from the shutter to a durable file and a line in the journal. The camera's bytes are checked against
 * their own header, written beside, synced and renamed; only then is `frame.captured` committed. A file whose journal
 * line never came is adopted at the next start (`night/resume.ts`).
 */
export async function captureFrame(
  deps: { readonly store: Store; readonly clock: Clock; readonly camera: Camera },
  plan: ExposurePlan,
  signal: AbortSignal,
): Promise<Captured> {
  const { store, clock, camera } = deps
  const frameId = frameIdAt(plan.nightId, clock.now())
  const fieldId = plan.field?.fieldId ?? 'calibration'
  store.commit(clock.now(), (tx) => {
    tx.event('exposure.started', { frameId, type: plan.type, exposureSeconds: plan.exposureSeconds, fieldId })
  })
  const exposure = await camera.expose({ seconds: plan.exposureSeconds, frameType: plan.type, signal })
  if (!exposure.ok) return failed(store, clock, frameId, exposure.reason)
  const ingested = frameFromCamera(exposure.bytes, {
    ...plan.facts,
    FRAMEID: frameId,
    NIGHTID: plan.nightId,
    IMAGETYP: imageTypes[plan.type],
    OBJECT: fieldId,
    EXPTIME: plan.exposureSeconds,
    FILTER: plan.filter,
    'DATE-OBS': new Date(exposure.startedAtMs).toISOString().slice(0, 23),
  })
  if (!ingested.ok) return failed(store, clock, frameId, ingested.reason)
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
    })
    if (frame.type === 'light') tx.job('preprocessing', frame.frameId)
  })
}

/** IMAGETYP values of SBFITSEXT 1.0. */
export const imageTypes: Readonly<Record<FrameType, string>> = {
  light: 'Light Frame',
  dark: 'Dark Frame',
  bias: 'Bias Frame',
  flat: 'Flat Frame',
}

/** Night and UTC time of day to the millisecond: unique on one camera, sorts by time, needs no counter to survive. */
export function frameIdAt(nightId: string, atMs: number): string {
  return `${nightId}-${new Date(atMs).toISOString().slice(11, 23).replaceAll(/[:.]/g, '')}`
}

function failed(store: Store, clock: Clock, frameId: string, reason: string): Captured {
  store.commit(clock.now(), (tx) => tx.event('exposure.failed', { frameId, reason, willRetry: true }))
  return { ok: false, reason }
}
