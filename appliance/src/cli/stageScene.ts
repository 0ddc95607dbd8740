import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { SimulatedExposure } from '@nightjar/firmware-bridge/simulators/camera.ts'
import { createCatalogStage } from '../catalog/run.ts'
import { defaultSettings, type Settings } from '../contract/config.ts'
import type { FrameType } from '../contract/records.ts'
import { createCurationStage } from '../curation/run.ts'
import { createDetectionStage } from '../detection/run.ts'
import { createDifferencingStage } from '../differencing/run.ts'
import type { Destination } from '../forwarding/destination.ts'
import { createForwardingStage } from '../forwarding/run.ts'
import { createCompute } from '../frames/compute.ts'
import { frameHeader } from '../frames/fits/facts.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { type Offload, offloadInline } from '../frames/offload.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { recordCaptured } from '../observatory/capture.ts'
import { createPreprocessingStage } from '../preprocessing/run.ts'
import { buildMasters } from '../preprocessing/runMasters.ts'
import { defaultOptics } from '../simulation/observatory.ts'
import { renderFrame, trueWcs } from '../simulation/renderFrame.ts'
import { simulatedField, simulatedSite, simulatedTransients } from '../simulation/scenario.ts'
import { createSensor, defaultSensor } from '../simulation/sensor.ts'
import { createSky } from '../simulation/sky.ts'
import { hashBytes, writeDurably } from '../store/frameFiles.ts'
import { openStore } from '../store/openStore.ts'
import type { Stage } from '../store/stage.ts'
import type { Store } from '../store/store.ts'

/** The data folders of a daemon as each stage finds it: one simulated frame with transients, waiting for that stage. */

export const stageNames = ['preprocessing', 'differencing', 'detection', 'curation', 'catalog', 'forwarding'] as const

/** 2026-11-21, 18:00 UTC; the second moment is when the frame that is measured was taken. */
const referenceMs = Date.UTC(2026, 10, 21, 18)
export const sceneMs = referenceMs + 2 * 3_600_000
const nightId = '20261121'
const exposureSeconds = 120
const seed = 7
const sets = { bias: 2, dark: 2, flat: 2 } as const
const referenceFrames = 2

/** Stands still at the moment of the scene, so that its jobs are due. */
export const sceneClock: Clock = { ...systemClock, now: () => sceneMs }

/** Beside the data folders, so that a measurement need not open the star catalogue. */
export const settingsName = 'settings.json'

/** Site, field, camera and destination of the scene. */
function sceneSettings(): Settings {
  const site = simulatedSite(sceneMs)
  return {
    ...defaultSettings,
    site,
    fields: [simulatedField(site, sceneMs, exposureSeconds, openStarCatalogue())],
    camera: {
      gainElectronsPerAdu: defaultSensor.gainElectronsPerAdu,
      readNoiseElectrons: defaultSensor.readNoiseElectrons,
      saturationAdu: 58_000,
      pixelMicrometres: defaultSensor.pixelMicrometres,
      focalLengthMillimetres: defaultOptics.focalLengthMillimetres,
    },
    calibration: { biasFrames: sets.bias, darkFrames: sets.dark, flatFrames: sets.flat, flatSeconds: 2 },
    references: { frames: referenceFrames },
    catalog: { matchRadiusArcsec: 3 },
    forwarding: { destinations: [{ name: 'central', url: 'https://central.invalid/', tokenFile: '-' }] },
  }
}

/** The stages of the daemon up to the catalogue; forwarding needs a receiver and is made where there is one. */
export function stagesOf(store: Store, offload: Offload, settings: Settings): readonly Stage[] {
  const deps = { store, clock: sceneClock, offload, settings: () => settings }
  return [
    createPreprocessingStage(deps),
    createDifferencingStage(deps),
    createDetectionStage(deps),
    createCurationStage(deps),
    createCatalogStage({ ...deps, pipelineVersion: '0' }),
  ]
}

/** Runs every job that is due for a stage; returns how many there were. */
export async function runDue(store: Store, stage: Stage): Promise<number> {
  let jobs = 0
  for (let job = store.nextJob(stage.name, sceneMs); job; job = store.nextJob(stage.name, sceneMs)) {
    await stage.run(job)
    jobs++
  }
  return jobs
}

/**
 * Makes `folder/<stage>` for each stage: what that stage finds when a frame of `side` × `side` pixels comes to it. Throws
 * `bench/scene` when the frame does not come through.
 */
export async function makeScenes(folder: string, side: number): Promise<void> {
  const settings = sceneSettings()
  const work = join(folder, 'work')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, settingsName), JSON.stringify(settings))
  await using offload = offloadInline(createCompute({ threads: 2 }))
  {
    using store = openStore(work)
    const shoot = createShutter(store, settings, side)
    for (const type of ['bias', 'dark', 'flat'] as const)
      for (let n = 0; n < sets[type]; n++) await shoot(type, referenceMs - 600_000 + n * 1000)
    await buildMasters({ store, clock: sceneClock, offload, settings: () => settings }, nightId)
    for (let n = 0; n < referenceFrames; n++) await shoot('light', referenceMs + n * 300_000)
    const forwarding = { store, clock: sceneClock, random: createRandom('scene'), destinations: [acceptsAll] }
    const stages = [...stagesOf(store, offload, settings), createForwardingStage(forwarding)]
    for (const stage of stages) await runDue(store, stage)
    await shoot('light', sceneMs)
  }
  for (const name of stageNames) {
    execFileSync('cp', ['-a', '--reflink=auto', work, join(folder, name)])
    using store = openStore(work)
    if (store.nextJob(name, sceneMs) === undefined)
      throw new NightjarError('bench/scene', `the simulated frame of ${side} pixels did not come as far as ${name}`)
    const stage = stagesOf(store, offload, settings).find((one) => one.name === name)
    if (stage) await runDue(store, stage)
  }
}

/** Whatever the first frames gave has arrived: only the alerts of the frame that is measured wait. */
const acceptsAll: Destination = {
  name: 'central',
  async send(envelopes) {
    const receipts = envelopes.map((text) => {
      const { eventId, rev } = JSON.parse(text) as { eventId: string; rev: number }
      return { eventId, rev, receipt: 'scene', receivedAtMs: sceneMs, outcome: 'stored' as const }
    })
    return { kind: 'receipts', receipts }
  },
}

/** Takes a frame of the simulated sky without waiting for it. */
function createShutter(store: Store, settings: Settings, side: number) {
  const field = settings.fields[0]!
  const catalogue = openStarCatalogue()
  const scaleArcsec = (206.264806 * defaultSensor.pixelMicrometres) / defaultOptics.focalLengthMillimetres
  const radiusDeg = (side / 2) * (scaleArcsec / 3600)
  const transients = simulatedTransients(field, referenceMs + 3_600_000, 600, radiusDeg)
  const sky = createSky({ seed, catalogue, transients })
  const sensor = createSensor({ ...defaultSensor, width: side, height: side }, seed)
  const wcs = trueWcs(defaultOptics, sensor, field.raDeg, field.decDeg)
  return async (type: FrameType, startedAtMs: number): Promise<void> => {
    const seconds = { bias: 0, dark: exposureSeconds, flat: 2, light: exposureSeconds }[type]
    const view = { raDeg: field.raDeg, decDeg: field.decDeg, radiusDeg: 1.5 * radiusDeg, atMs: startedAtMs, seconds }
    const random = createRandom(`${seed}/${type}/${startedAtMs}`)
    const exposure = exposureOf(type, startedAtMs, seconds, side)
    const data = renderFrame(sky.sceneAt(view), wcs, defaultOptics, sensor, exposure, random)
    const filter = type === 'bias' || type === 'dark' ? '' : field.filter
    const frameId = `${nightId}-${startedAtMs}-${type}`
    const facts = { imageType: type, startedAtMs, exposureSeconds: seconds, software: 'bench', filter }
    const pointing = { raDeg: field.raDeg, decDeg: field.decDeg, pixelMicrometres: pixelOf(sensor) }
    const header = frameHeader({ ...facts, ...pointing, focalLengthMm: defaultOptics.focalLengthMillimetres })
    const bytes = encodeFits([{ header, data: { width: side, height: side, data } }])
    const path = `frames/${nightId}/${frameId}.fits`
    await writeDurably(join(store.folder, path), bytes)
    const fieldId = type === 'light' ? field.fieldId : 'calibration'
    const shape = { width: side, height: side, path, bytes: bytes.length, sha256: hashBytes(bytes) }
    const record = { frameId, nightId, fieldId, type, state: 'captured', capturedAtMs: startedAtMs } as const
    recordCaptured(store, startedAtMs, { ...record, exposureSeconds: seconds, filter, ...shape })
  }
}

const pixelOf = ({ pixelMicrometres: pixel }: { readonly pixelMicrometres: number }): [number, number] => [pixel, pixel]

function exposureOf(type: FrameType, startedAtMs: number, seconds: number, side: number): SimulatedExposure {
  const roi = { x: 0, y: 0, width: side, height: side }
  const set = { gainSetting: 0, offsetSetting: 50, temperatureC: -10, filterSlot: 1 }
  return { frameType: type, startedAtMs, seconds, binX: 1, binY: 1, roi, ...set }
}
