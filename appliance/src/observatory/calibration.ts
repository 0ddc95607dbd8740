import type { FrameType } from '../contract/records.ts'
import type { Field } from '../observations/fields.ts'
import type { Store } from '../store/store.ts'
import { type CaptureDeps, captureFrame } from './capture.ts'

/** How many frames make a master; 0 leaves that kind out. */
export interface CalibrationPlan {
  readonly biasFrames: number
  readonly darkFrames: number
  readonly flatFrames: number
  readonly flatSeconds: number
  /** Masters that are older are made anew; 30. */
  readonly masterDays?: number
}

const usualMasterDays = 30
const msPerDay = 86_400_000

type CalibrationType = Exclude<FrameType, 'light'>

/** One kind of calibration frame that the fields need. */
export interface CalibrationSet {
  readonly type: CalibrationType
  readonly exposureSeconds: number
  readonly filter: string
  readonly frames: number
}

/** The sets that these fields need: a bias, a dark for each exposure time, a flat for each filter. */
export function neededSets(plan: CalibrationPlan, fields: readonly Field[]): CalibrationSet[] {
  const sets: CalibrationSet[] = [{ type: 'bias', exposureSeconds: 0, filter: '', frames: plan.biasFrames }]
  for (const exposureSeconds of new Set(fields.map((field) => field.exposureSeconds))) {
    sets.push({ type: 'dark', exposureSeconds, filter: '', frames: plan.darkFrames })
  }
  for (const filter of new Set(fields.map((field) => field.filter))) {
    sets.push({ type: 'flat', exposureSeconds: plan.flatSeconds, filter, frames: plan.flatFrames })
  }
  return sets.filter((set) => set.frames > 0)
}

/** The frames of this night that already belong to a set. */
export function framesOfSet(store: Store, nightId: string, set: CalibrationSet): string[] {
  return store
    .frames({ nightId, type: set.type, limit: 1000 })
    .filter((frame) => frame.filter === set.filter && frame.exposureSeconds === set.exposureSeconds)
    .map((frame) => frame.frameId)
}

/** Takes what is missing of every set that has no master yet, or an old one only; frames taken before a crash count. `recover` sees to the camera. */
export async function captureCalibration(
  deps: CaptureDeps,
  plan: CalibrationPlan,
  fields: readonly Field[],
  nightId: string,
  signal: AbortSignal,
  recover: (reason: string) => Promise<void>,
): Promise<void> {
  const { widthPixels: width, heightPixels: height } = deps.camera.state()
  for (const set of neededSets(plan, fields)) {
    const known = deps.store.master({
      type: set.type,
      width,
      height,
      filter: set.filter,
      exposureSeconds: set.exposureSeconds,
    })
    const oldestMs = deps.clock.now() - (plan.masterDays ?? usualMasterDays) * msPerDay
    if (known && known.exposureSeconds === set.exposureSeconds && known.builtAtMs > oldestMs) continue
    let failures = 0
    while (framesOfSet(deps.store, nightId, set).length < set.frames && failures < 3 && !signal.aborted) {
      const captured = await captureFrame(deps, { ...set, nightId, field: undefined, facts: {} }, signal)
      if (captured.ok) continue
      if (captured.denied) throw new Error(captured.reason)
      failures++
      await recover(captured.reason)
    }
    if (failures >= 3) throw new Error(`three ${set.type} frames in a row failed`)
  }
}
