import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { Compile } from 'typebox/compile'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AlertEnvelope } from '../contract/alert.ts'
import { defaultSettings, type Settings } from '../contract/config.ts'
import type { DetectionRecord } from '../contract/records.ts'
import { giveLabel } from '../curation/giveLabel.ts'
import { openStore } from '../store/openStore.ts'
import type { Store } from '../store/store.ts'
import { sampleDetection, sampleFrame, temporaryFolder } from '../store/testing/samples.ts'
import { entryName } from './name.ts'
import { createCatalogStage } from './run.ts'

const clock = new VirtualClock(10_000)
const destination = (name: string) => ({ name, url: 'https://central.example/v1/alerts', tokenFile: 'token' })
let settings: Settings
let folder: ReturnType<typeof temporaryFolder>
let store: Store
beforeEach(() => {
  settings = { ...defaultSettings, forwarding: { destinations: [destination('one'), destination('two')] } }
  folder = temporaryFolder()
  store = openStore(folder.path)
  store.commit(1, (tx) => tx.putFrame(sampleFrame()))
})
afterEach(() => {
  store[Symbol.dispose]()
  folder[Symbol.dispose]()
})

/** Puts a validated detection and runs the catalogue. */
async function catalogue(change: Partial<DetectionRecord> = {}): Promise<void> {
  const detection = sampleDetection({ state: 'validated', ...change })
  store.commit(clock.now(), (tx) => {
    tx.putDetection(detection)
    tx.job('catalog', detection.detectionId)
  })
  await runJobs()
}

async function runJobs(): Promise<void> {
  const stage = createCatalogStage({ store, clock, settings: () => settings, pipelineVersion: '0.1.0' })
  for (let job = store.nextJob('catalog', clock.now()); job; job = store.nextJob('catalog', clock.now()))
    await stage.run(job)
}

const envelopes = (): AlertEnvelope[] =>
  store
    .outboxDue(clock.now(), 100, 'one')
    .map((row) => JSON.parse(row.envelope) as AlertEnvelope)
    .toSorted((a, b) => a.rev - b.rev)

describe('a name', () => {
  // Decimal arithmetic on the numbers as written, cut and not rounded: scripts/reference/separations.py.
  it.each([
    [10.684708, 41.26875, 'NJ J004244.32+411607.5'],
    [0, 0, 'NJ J000000.00+000000.0'],
    [359.99999999, -0.00001, 'NJ J235959.99-000000.0'],
    [83.822083, -5.391111, 'NJ J053517.29-052327.9'],
    [15, -90, 'NJ J010000.00-900000.0'],
    [0.00416625, 89.99999, 'NJ J000000.99+895959.9'],
    [201.365063, -43.019112, 'NJ J132527.61-430108.8'],
    [187.70593076725, 12.391123246083334, 'NJ J123049.42+122328.0'],
  ])('of %f %f is %s', (raDeg, decDeg, name) => {
    expect(entryName(raDeg, decDeg)).toBe(name)
  })
})

describe('the catalogue', () => {
  it('begins an object, announces it to every destination and queues the sending', async () => {
    await catalogue()
    const [entry] = store.entries(10)
    expect(entry).toMatchObject({ name: 'NJ J004244.32+411607.5', detections: 1, raDeg: 10.684708, decDeg: 41.26875 })
    expect(store.events(0, 10)).toMatchObject([
      { type: 'entry.catalogued', body: { entryId: entry!.entryId, detectionId: 'f1-1', isNew: true } },
    ])
    const [alert] = envelopes()
    expect(Compile(AlertEnvelope).Errors(alert)).toEqual([])
    expect(alert).toMatchObject({ rev: 1, name: entry!.name, validatedBy: 'auto:rule-1', observedAtMs: 16_000 })
    expect(store.outboxDue(clock.now(), 10, 'two')).toHaveLength(1)
    expect(store.nextJob('forwarding', clock.now())?.subject).toBe(alert!.eventId)
  })

  it('finds the same object within the match radius and not beyond', async () => {
    await catalogue({ scorr: 10, mag: 18 })
    const arcsecond = 1 / 3600
    await catalogue({
      detectionId: 'f1-2',
      decDeg: 41.26875 + 1.9 * arcsecond,
      scorr: 10,
      mag: 17,
      detectedAtMs: 9_000,
    })
    await catalogue({ detectionId: 'f1-3', decDeg: 41.26875 - 2.1 * arcsecond })
    expect(store.entries(10)).toHaveLength(2)
    const grown = store.entryOf('f1-1')!
    expect(store.entryOf('f1-2')?.entryId).toBe(grown.entryId)
    expect(grown).toMatchObject({ detections: 2, peakMag: 17, firstSeenMs: 2_000, lastSeenMs: 9_000 })
    expect(grown.decDeg).toBeCloseTo(41.26875 + 0.95 * arcsecond, 10)
    expect(store.events(0, 10).map(({ body }) => 'isNew' in body && body.isNew)).toEqual([true, false, true])
  })

  it('averages across 0h', async () => {
    await catalogue({ raDeg: 359.9999, decDeg: 0 })
    await catalogue({ detectionId: 'f1-2', raDeg: 0.0001, decDeg: 0 })
    expect(store.entries(10)).toHaveLength(1)
    const { raDeg } = store.entries(10)[0]!
    expect(Math.min(raDeg, 360 - raDeg)).toBeLessThan(1e-9)
  })

  it('gives the same event id for the same detection of the same file, and another for other code', async () => {
    await catalogue()
    const [{ eventId } = { eventId: '' }] = envelopes()
    using elsewhere = temporaryFolder()
    using again = openStore(elsewhere.path)
    const detection = sampleDetection({ state: 'validated' })
    for (const pipelineVersion of ['0.1.0', '0.2.0']) {
      again.commit(1, (tx) => {
        if (pipelineVersion === '0.1.0') {
          tx.putFrame(sampleFrame())
          tx.putDetection(detection)
        }
        tx.reopenJob('catalog', detection.detectionId)
      })
      await createCatalogStage({ store: again, clock, settings: () => settings, pipelineVersion }).run(
        again.nextJob('catalog', clock.now())!,
      )
    }
    const ids = again.outboxDue(clock.now(), 10, 'one').map((row) => row.eventId)
    expect(ids).toHaveLength(2)
    expect(ids).toContain(eventId)
  })

  it('says nothing new when the job runs again and nothing has changed', async () => {
    await catalogue()
    store.commit(1, (tx) => tx.reopenJob('catalog', 'f1-1'))
    await runJobs()
    expect(envelopes()).toHaveLength(1)
    expect(store.entries(10)).toMatchObject([{ detections: 1 }])
  })

  it('raises the revision with each change of mind, a person going first', async () => {
    await catalogue()
    for (const [label, by] of [
      ['bogus', 'ann'],
      ['unsure', 'bob'],
      ['real', 'bob'],
    ] as const) {
      giveLabel(store, clock, 'f1-1', label, by)
      await runJobs()
    }
    expect(envelopes().map(({ rev, class: called, validatedBy }) => [rev, called, validatedBy])).toEqual([
      [1, 'transient', 'auto:rule-1'],
      [2, 'artefact', 'ann'],
      [3, 'unknown', 'bob'],
      [4, 'transient', 'bob'],
    ])
    expect(store.outboxDue(clock.now(), 1, 'one')[0]).toMatchObject({ rev: 2, urgency: 0 })
    expect(store.entries(10)).toMatchObject([{ detections: 1 }])
  })

  it('empties an object whose only detection was dismissed', async () => {
    await catalogue()
    giveLabel(store, clock, 'f1-1', 'bogus', 'ann')
    await runJobs()
    expect(store.entries(10)).toMatchObject([{ detections: 0, probability: 0 }])
  })

  it('keeps to itself when there is nowhere to send to', async () => {
    settings = { ...settings, forwarding: { destinations: [] } }
    await catalogue()
    expect(store.alertCounts().waiting).toBe(0)
    expect(store.nextJob('forwarding', clock.now())).toBeUndefined()
    expect(store.entries(10)).toHaveLength(1)
  })

  it('throws for a detection that is not stored, so that the pipeline sees it', async () => {
    store.commit(1, (tx) => tx.job('catalog', 'zz'))
    await expect(runJobs()).rejects.toThrow(/detection zz/)
  })
})
