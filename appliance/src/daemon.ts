import { statfsSync } from 'node:fs'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { createCatalogStage } from './catalog/run.ts'
import type { Settings } from './contract/config.ts'
import type { EventBody, EventType } from './contract/events.ts'
import type { GateSettings } from './contract/gateSettings.ts'
import { version } from './contract/version.ts'
import { giveLabel } from './curation/giveLabel.ts'
import { createCurationStage } from './curation/run.ts'
import { createDetectionStage } from './detection/run.ts'
import { createDownload } from './differencing/archives/download.ts'
import { createDifferencingStage } from './differencing/run.ts'
import { keepReferences } from './differencing/runArchives.ts'
import type { Destination } from './forwarding/destination.ts'
import { createForwardingStage } from './forwarding/run.ts'
import type { Offload } from './frames/offload.ts'
import { createNight, type Night } from './night/night.ts'
import { createPipeline, queueLimit } from './night/pipeline.ts'
import { tonightState } from './night/tonight.ts'
import type { Site } from './observations/ephemeris.ts'
import { adoptFrames } from './observatory/adopt.ts'
import { type Commander, type CommanderDeps, createCommander } from './observatory/commander.ts'
import { createControl } from './observatory/control.ts'
import type { Hardware } from './observatory/devices.ts'
import { ingestInTurn } from './observatory/ingestFile.ts'
import { createRecovery } from './observatory/recovery.ts'
import { FolderWatch } from './observatory/watchFolder.ts'
import { startWatchman } from './observatory/watchman.ts'
import { createPreprocessingStage } from './preprocessing/run.ts'
import { buildMasters } from './preprocessing/runMasters.ts'
import type { Daemon } from './server/daemon.ts'
import { isFull } from './store/database.ts'
import { openStore } from './store/openStore.ts'
import type { Store } from './store/store.ts'

/** What a daemon is made of. Everything that touches the world is handed in, so a virtual night is the same daemon. */
export interface DaemonParts {
  /** The data folder. */
  readonly folder: string
  readonly settings: Settings
  readonly clock: Clock
  readonly random: Random
  readonly hardware: Hardware
  readonly offload: Offload
  readonly destinations: readonly Destination[]
  readonly simulated: boolean
  readonly guardian?: CommanderDeps['guardian']
  /** How the archives of the settings are reached for references; without it nobody is asked. */
  readonly fetch?: typeof fetch
  /** Called every second while the daemon watches over its site. */
  readonly onLook?: () => void
}

export interface RunningDaemon extends Daemon, AsyncDisposable {
  readonly night: Night
  readonly commander: Commander
  /** Resolves when no job is due. */
  idle(): Promise<void>
}

/** Opens the store, takes up unfinished work and runs the pipeline. The night waits for `startNight`. */
export async function startDaemon(parts: DaemonParts): Promise<RunningDaemon> {
  const { clock, random, settings, offload, hardware } = parts
  const store = openStore(parts.folder)
  const site: Site = settings.site
  const current = (): Settings => settings
  const deps = { store, clock, offload, settings: current }
  const pipeline = createPipeline(store, clock, [
    createPreprocessingStage(deps),
    createDifferencingStage(deps),
    createDetectionStage(deps),
    createCurationStage(deps),
    createCatalogStage({ ...deps, pipelineVersion: version }),
    createForwardingStage({ store, clock, random, destinations: parts.destinations }),
  ])
  const limits = (): GateSettings => settings.gate
  const { devices, patients } = hardware
  const commander = createCommander({
    store,
    clock,
    site,
    devices,
    limits,
    diskFreeBytes: () => diskFreeBytes(parts.folder),
    guardian: parts.guardian,
  })
  const recovery = createRecovery({
    clock,
    tell: (type, body) => tellIfPossible(store, clock, type, body),
    cyclePower: (port) => cyclePower(commander, clock, port),
  })
  const night = createNight({
    store,
    clock,
    site,
    simulated: parts.simulated,
    fields: settings.fields,
    calibration: settings.calibration,
    limits,
    commander,
    recovery,
    patients,
    pipeline,
    buildMasters: (nightId) => buildMasters(deps, nightId),
  })
  store.commit(clock.now(), (tx) => tx.event('daemon.started', { version, resumedJobs: store.resumedJobs }))
  const { refused } = await clock.during(adoptFrames(store, clock.now()))
  for (const { path, reason } of refused) console.error(`nightjar: ${path} is not taken up: ${reason}`)
  const onUnsafe = (reasons: readonly string[]): void => night.unsafe(reasons)
  const watchman = startWatchman({
    commander,
    recovery,
    patients,
    clock,
    store,
    limits,
    onUnsafe,
    onLook: parts.onLook,
  })
  const { indi, indiNames, taps } = hardware
  const control = createControl({
    commander,
    recovery,
    patients,
    site,
    clock,
    store,
    limits,
    night,
    indi,
    indiNames,
    taps,
    guardian: parts.guardian,
  })
  const stopping = new AbortController()
  const running = pipeline.run(stopping.signal)
  const ingest = ingestInTurn(deps)
  const watching =
    settings.ingest &&
    new FolderWatch({
      store,
      clock,
      settings: settings.ingest,
      take: ingest,
      room: (signal) => pipeline.room(signal),
      onTrouble: (reason) => console.error(`nightjar: the folder for frames: ${reason}`),
    }).run(stopping.signal)
  const fetching =
    parts.fetch &&
    keepReferences(
      {
        ...deps,
        download: createDownload({ fetch: parts.fetch, clock, signal: stopping.signal }),
        onTrouble: (reason) => console.error(`nightjar: ${reason}`),
      },
      stopping.signal,
    )
  return {
    version,
    store,
    clock,
    night,
    commander,
    control,
    tonight: () => tonightState(night),
    startNight: async (by) => night.start(by),
    stopNight: (by) => night.stop(by),
    label: (detectionId, label, by) => giveLabel(store, clock, detectionId, label, by),
    hasRoom: () => pipeline.waiting < queueLimit,
    ingest,
    idle: () => pipeline.idle(),
    async [Symbol.asyncDispose]() {
      await control[Symbol.asyncDispose]()
      await night[Symbol.asyncDispose]()
      await watchman[Symbol.asyncDispose]()
      stopping.abort()
      await running
      await watching
      await fetching
      noteStop(store, clock)
      pipeline[Symbol.dispose]()
      await offload[Symbol.asyncDispose]()
      store[Symbol.dispose]()
    },
  }
}

/** A full disk takes no last line; what is open is closed all the same. */
function noteStop(store: Store, clock: Clock): void {
  try {
    store.commit(clock.now(), (tx) => tx.event('daemon.stopped', { reason: 'asked to stop' }))
  } catch (error) {
    if (!isFull(error)) throw error
    console.error(`nightjar: stopped without a line in the journal: ${error.message}`)
  }
}

/** Off long enough for the capacitors of a camera to empty. */
const powerOffMs = 5_000

async function cyclePower(commander: Commander, clock: Clock, port: string): Promise<Outcome> {
  const off = await commander.command({ kind: 'power', port, on: false }, 'night')
  if (!off.ok) return off
  await clock.sleep(powerOffMs)
  return commander.command({ kind: 'power', port, on: true }, 'night')
}

/** A full disk must not keep a device from being recovered. */
function tellIfPossible<T extends EventType>(store: Store, clock: Clock, type: T, body: EventBody<T>): void {
  try {
    store.commit(clock.now(), (tx) => tx.event(type, body))
  } catch {
    // The gate sees the disk.
  }
}

function diskFreeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
