import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openStore } from '../store/openStore.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { makeScenes, sceneMs, stageNames } from './stageScene.ts'

it('a simulated frame comes to each stage in turn, and its transients as far as the outbox', async () => {
  using folder = temporaryFolder()
  await makeScenes(folder.path, 768)
  for (const name of stageNames) {
    using store = openStore(join(folder.path, name))
    const waiting = stageNames.filter((stage) => store.jobCounts(stage).waiting > 0)
    expect(waiting).toEqual([name])
    expect(store.nextJob(name, sceneMs)).toMatchObject({ stage: name, attempts: 0 })
  }
})
