import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DetectionRecord } from '../contract/records.ts'
import { openStore } from '../store/openStore.ts'
import type { Store } from '../store/store.ts'
import { sampleDetection, sampleFrame, temporaryFolder } from '../store/testing/samples.ts'
import { shouldAutoValidate } from './autoValidate.ts'
import { giveLabel } from './giveLabel.ts'
import { createCurationStage } from './run.ts'

const curation = { autoValidateProbability: 0.9 }
const clock = new VirtualClock(10_000)
let folder: ReturnType<typeof temporaryFolder>
let store: Store
beforeEach(() => {
  folder = temporaryFolder()
  store = openStore(folder.path)
})
afterEach(() => {
  store[Symbol.dispose]()
  folder[Symbol.dispose]()
})

/** A scored frame with these detections, and its curation job. */
function scored(...changes: Partial<DetectionRecord>[]): void {
  store.commit(1, (tx) => {
    tx.putFrame(sampleFrame())
    changes.forEach((change, index) => {
      tx.putDetection(sampleDetection({ detectionId: `f1-${index}`, ...change }))
    })
    tx.job('curation', 'f1')
  })
}

async function curate(): Promise<void> {
  const job = store.nextJob('curation', clock.now())
  if (job) await createCurationStage({ store, clock, settings: () => ({ curation }) }).run(job)
}

const types = () => store.events(0, 100).map((event) => event.type)
const state = (detectionId: string) => store.detection(detectionId)!.state

describe('auto-validation', () => {
  it.each([
    ['a transient at the threshold', {}, 0.9, true],
    ['a transient just below', {}, 0.8999, false],
    ['an artefact, however sure', { class: 'artefact' }, 1, false],
    ['what a person has judged', { label: 'unsure' }, 1, false],
    ['what is dismissed', { state: 'dismissed' }, 1, false],
  ] as const)('of %s', (_, change, probability, expected) => {
    expect(shouldAutoValidate(sampleDetection({ ...change, probability }), curation)).toBe(expected)
  })

  it('validates the sure, leaves the rest pending, and sends the sure to the catalogue', async () => {
    scored({ probability: 0.95 }, { probability: 0.5 }, { class: 'streak', probability: 0.99 })
    await curate()
    expect(['f1-0', 'f1-1', 'f1-2'].map(state)).toEqual(['validated', 'pending', 'pending'])
    expect(store.events(0, 10)).toMatchObject([
      { type: 'detection.validated', body: { detectionId: 'f1-0', frameId: 'f1', by: 'auto:rule-1' } },
    ])
    expect(store.nextJob('catalog', clock.now())).toMatchObject({ subject: 'f1-0' })
    expect(store.nextJob('curation', clock.now())).toBeUndefined()
  })

  it('says nothing twice when the job runs again', async () => {
    scored({})
    await curate()
    store.commit(1, (tx) => tx.reopenJob('curation', 'f1'))
    await curate()
    expect(types()).toEqual(['detection.validated'])
  })
})

describe('a label', () => {
  it('validates what is called real and sends it to the catalogue', () => {
    scored({ probability: 0.2 })
    expect(giveLabel(store, clock, 'f1-0', 'real', 'ann')).toEqual({ ok: true })
    expect(store.detection('f1-0')).toMatchObject({ state: 'validated', label: 'real', labelledBy: 'ann' })
    expect(types()).toEqual(['label.given', 'detection.validated'])
    expect(store.nextJob('catalog', clock.now())).toMatchObject({ subject: 'f1-0' })
  })

  it('dismisses what is called bogus, without troubling the catalogue', () => {
    scored({})
    giveLabel(store, clock, 'f1-0', 'bogus', 'ann')
    expect(state('f1-0')).toBe('dismissed')
    expect(types()).toEqual(['label.given', 'detection.dismissed'])
    expect(store.nextJob('catalog', clock.now())).toBeUndefined()
  })

  it('leaves what is unsure to the next person', () => {
    scored({})
    giveLabel(store, clock, 'f1-0', 'unsure', 'ann')
    expect(state('f1-0')).toBe('pending')
    expect(types()).toEqual(['label.given'])
  })

  it('can be changed; every opinion is kept and the last one counts', () => {
    scored({})
    giveLabel(store, clock, 'f1-0', 'real', 'ann')
    giveLabel(store, clock, 'f1-0', 'bogus', 'bob')
    expect(state('f1-0')).toBe('dismissed')
    expect(store.labels('f1-0').map(({ by }) => by)).toEqual(['ann', 'bob'])
  })

  it('of nothing is refused with a reason', () => {
    expect(giveLabel(store, clock, 'zz', 'real', 'ann')).toEqual({ ok: false, reason: 'there is no detection zz' })
    expect(store.lastSeq()).toBe(0)
  })
})
