import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { expect, test } from 'vitest'
import type { FrameRecord } from '../contract/records.ts'
import { createCompute } from '../frames/compute.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { offloadInline } from '../frames/offload.ts'
import { hashFile } from '../store/frameFiles.ts'
import { openStore } from '../store/openStore.ts'
import { sampleDetection, sampleFrame, temporaryFolder } from '../store/testing/samples.ts'
import { createDifferencingStage } from './run.ts'
import { makeScene } from './testScene.ts'

const quality = {
  ...{ stars: 100, fwhmPixels: 3, ellipticity: 0.1, skyAdu: 500, skyRmsAdu: 20, solved: true },
  ...{ grade: 'good' as const, reasons: [] },
}

test('a field gets a reference, later a better one from frames without finds, and the old version stays', async () => {
  using folder = temporaryFolder()
  await using offload = offloadInline(createCompute({ threads: 1 }))
  using store = openStore(folder.path)
  const clock = new VirtualClock(1_000)
  const stage = createDifferencingStage({ store, clock, offload, settings: () => ({ references: { frames: 2 } }) })
  mkdirSync(join(folder.path, 'calibrated'))
  using compute = createCompute({ threads: 1 })
  for (const name of ['one', 'two']) {
    using _scratch = compute.scope()
    const sky = { width: 256, height: 256, seed: 'field', referenceExposures: 1, fluxRatio: 1, noiseSeed: name }
    writeFileSync(join(folder.path, `calibrated/${name}.fits`), encodeFrame(makeScene(compute, sky).science))
  }
  let captured = 0
  const put = (frameId: string, change: Partial<FrameRecord>): void => {
    const calibratedPath = `calibrated/${captured % 2 === 0 ? 'one' : 'two'}.fits`
    const state = 'calibrated' as const
    const known = { frameId, path: `frames/${frameId}.fits`, capturedAtMs: ++captured, calibratedPath, quality, state }
    store.commit(1, (tx) => tx.putFrame(sampleFrame({ ...known, ...change })))
  }
  const run = async (frameId: string): Promise<void> => {
    store.commit(1, (tx) => tx.reopenJob('differencing', frameId))
    await stage.run(store.nextJob('differencing', clock.now() + 1)!)
    expect(store.nextJob('differencing', clock.now() + 1)).toBeUndefined()
  }
  const current = () => store.reference('M31', 'L')

  put('a', {})
  await run('a')
  expect(current()).toBeUndefined()
  put('b', {})
  await run('b')
  const first = current()!
  expect(first).toMatchObject({ version: 1, frames: 2, frameIds: ['a', 'b'] })
  // Named by its content, as the journal's readers can check.
  expect(first.path).toBe(`references/${(await hashFile(join(folder.path, first.path))).sha256}.fits`)

  // Deeper frames: one of them showed something, and it is left alone until somebody says that it was nothing.
  put('c', { state: 'scored', quality: { ...quality, skyRmsAdu: 8 } })
  store.commit(1, (tx) => tx.putDetection(sampleDetection({ frameId: 'c', detectionId: 'c-1' })))
  put('d', {})
  await run('d')
  expect(current()!.referenceId).toBe(first.referenceId)
  expect(store.frame('d')!.state).toBe('differenced')
  store.commit(1, (tx) => tx.updateDetection('c-1', { state: 'dismissed' }))
  put('e', {})
  await run('e')
  const second = current()!
  expect(second).toMatchObject({ version: 2, replaces: first.referenceId, frameIds: ['a', 'b', 'c'] })
  expect(second.reason).toMatch(/deeper/)
  expect(existsSync(join(folder.path, first.path))).toBe(true)

  // The job of a process that was killed before the end: the frame is not differenced again, nothing is built twice.
  const events = store.events(0, 1000).length
  await run('e')
  expect(current()).toEqual(second)
  expect(store.events(0, 1000).length).toBe(events)
})
