import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Settings } from '../contract/config.ts'
import type { FrameRecord } from '../contract/records.ts'
import { type Offload, taskIn } from '../frames/offload.ts'
import type { MasterRecord, Store } from '../store/store.ts'
import type { MasterOutput } from './runPixels.ts'

/**
 * Masters from the calibration frames of a night: bias first, since darks and flats are corrected with it, and flats before
 * darks, whose noise is split into reading and dark current by the gain that the flats measured.
 */

export interface MasterDeps {
  readonly store: Store
  readonly clock: Clock
  readonly offload: Offload
  readonly settings: () => Pick<Settings, 'camera' | 'calibration'>
}

const buildMasterFile = taskIn<typeof import('./runPixels.ts'), 'buildMasterFile'>(
  import.meta.resolve('./runPixels.ts'),
  'buildMasterFile',
)

const types = ['bias', 'flat', 'dark'] as const

type Measured = Pick<MasterOutput, 'readNoiseAdu' | 'gainElectronsPerAdu'>

/** Builds every master that this night's frames are enough for and that was not built from them before. */
export async function buildMasters(deps: MasterDeps, nightId: string): Promise<void> {
  const { biasFrames, darkFrames, flatFrames } = deps.settings().calibration
  const wanted = { bias: biasFrames, dark: darkFrames, flat: flatFrames }
  let known: Measured = {}
  for (const type of types) {
    for (const set of setsOf(deps.store.frames({ nightId, type, limit: 1000 }))) {
      if (set.length < Math.max(2, wanted[type]) || wanted[type] === 0) continue
      known = { ...(await build(deps, type, set, known)), ...known }
    }
  }
}

/** Frames that belong together: same shape, exposure time and filter. */
function setsOf(frames: readonly FrameRecord[]): FrameRecord[][] {
  const sets = Map.groupBy(frames, (frame) =>
    [frame.width, frame.height, frame.exposureSeconds, frame.filter].join('|'),
  )
  return [...sets.values()].map((set) => set.sort((a, b) => a.capturedAtMs - b.capturedAtMs))
}

/** Returns what the master's frames told of the camera. */
async function build(
  deps: MasterDeps,
  type: MasterRecord['type'],
  set: readonly FrameRecord[],
  measured: Measured,
): Promise<Measured> {
  const { store, clock, offload } = deps
  const { width, height, exposureSeconds, filter, nightId, frameId } = set[0]!
  const masterId = `${type}-${frameId}-${set.length}`
  const path = `masters/${nightId}/${masterId}.fits`
  const known = store.master({ type, width, height, exposureSeconds, filter })
  if (known?.masterId === masterId) return {}
  const bias = type === 'bias' ? undefined : store.master({ type: 'bias', width, height })
  const { camera } = deps.settings()
  const made = await clock.during(
    offload.run(buildMasterFile, {
      type,
      rawPaths: set.map((frame) => join(store.folder, frame.path)),
      biasPath: bias && join(store.folder, bias.path),
      outPath: join(store.folder, path),
      camera,
      ...measured,
    }),
  )
  const { sha256, gainElectronsPerAdu } = made
  const gain = gainElectronsPerAdu ?? measured.gainElectronsPerAdu ?? camera.gainElectronsPerAdu
  store.commit(clock.now(), (tx) => {
    tx.putMaster({ masterId, type, exposureSeconds, filter, width, height, path, sha256, builtAtMs: clock.now() })
    tx.event('master.built', {
      masterId,
      type,
      frames: made.frames,
      path,
      sha256,
      ...(made.readNoiseAdu !== undefined && { readNoiseElectrons: made.readNoiseAdu * gain }),
      ...(gainElectronsPerAdu !== undefined && { gainElectronsPerAdu }),
    })
  })
  return made
}
