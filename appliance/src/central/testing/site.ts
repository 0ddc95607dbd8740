import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { createCatalogStage } from '../../catalog/run.ts'
import { type DestinationSettings, defaultSettings, type Settings } from '../../contract/config.ts'
import { createCurationStage } from '../../curation/run.ts'
import { createHttpsDestination } from '../../forwarding/http.ts'
import { createForwardingStage, type ForwardingStage } from '../../forwarding/run.ts'
import { openStore } from '../../store/openStore.ts'
import type { Stage } from '../../store/stage.ts'
import type { Store } from '../../store/store.ts'
import { sampleDetection, sampleFrame } from '../../store/testing/samples.ts'
import type { TestCentral } from './receivers.ts'

/** One appliance from its scored detections on: the real stages, the real store, real HTTPS. */
export interface Site extends AsyncDisposable {
  readonly store: Store
  readonly forwarding: ForwardingStage
  /** Puts a frame with this many sure detections, each at a place of its own, and its curation job. */
  scored(frameId: string, detections: number): void
  /** Runs every job that is due. */
  run(): Promise<void>
  /** Runs until no alert waits. Throws after `limitMs`. */
  runUntilDelivered(limitMs: number): Promise<void>
}

export function destinationOf(receiver: TestCentral, url = receiver.central.url): DestinationSettings {
  return { name: 'central', url: `${url}/v1/alerts`, tokenFile: receiver.tokenFile, caFile: receiver.caFile }
}

export function openSite(folder: string, name: string, destination: DestinationSettings): Site {
  const clock: Clock = systemClock
  const settings: Settings = {
    ...defaultSettings,
    site: { ...defaultSettings.site, name },
    forwarding: { destinations: [destination] },
  }
  const store = openStore(folder)
  const https = createHttpsDestination(destination, () => clock.now())
  const forwarding = createForwardingStage({ store, clock, random: createRandom(name), destinations: [https] })
  const stages: Stage[] = [
    createCurationStage({ store, clock, settings: () => settings }),
    createCatalogStage({ store, clock, settings: () => settings, pipelineVersion: '0.1.0' }),
    forwarding,
  ]
  let places = 0
  const site: Site = {
    store,
    forwarding,
    scored(frameId, detections) {
      store.commit(clock.now(), (tx) => {
        tx.putFrame(sampleFrame({ frameId, sha256: sha256Like(`${name}/${frameId}`) }))
        for (let n = 1; n <= detections; n++) {
          const decDeg = -60 + 0.01 * places++
          tx.putDetection(sampleDetection({ detectionId: `${frameId}-${n}`, frameId, decDeg }))
        }
        tx.job('curation', frameId)
      })
    },
    async run() {
      for (const stage of stages) {
        for (let job = store.nextJob(stage.name, clock.now()); job; job = store.nextJob(stage.name, clock.now())) {
          await stage.run(job)
        }
      }
    },
    async runUntilDelivered(limitMs) {
      const deadline = clock.monotonic() + limitMs
      for (await site.run(); store.alertCounts().waiting > 0; await site.run()) {
        if (clock.monotonic() > deadline) throw new Error(`still waiting: ${JSON.stringify(forwarding.resting())}`)
        await clock.sleep(20)
      }
    },
    async [Symbol.asyncDispose]() {
      await https[Symbol.asyncDispose]()
      store[Symbol.dispose]()
    },
  }
  return site
}

function sha256Like(text: string): string {
  return Buffer.from(text).toString('hex').padEnd(64, '0').slice(-64)
}
