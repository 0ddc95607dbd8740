import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera } from '@nightjar/firmware-bridge/devices/camera.ts'
import { expect, it } from 'vitest'
import { openStore } from '../store/openStore.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { captureFrame } from './capture.ts'
import { instantCamera } from './testing/instantCamera.ts'

const agreeable = { timeIsTrue: true, ask: () => ({ allow: true }) as const }
const plan = {
  type: 'bias',
  exposureSeconds: 0,
  filter: '',
  nightId: '20261121',
  field: undefined,
  facts: {},
} as const

it('two frames of one moment have two ids, as after a clock that was set back', async () => {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20, 0, 0))
  const camera = instantCamera(clock)
  const take = () => captureFrame({ store, clock, camera, ...agreeable }, plan, new AbortController().signal)
  const taken = [await take(), await take(), await take()]
  const ids = taken.map((one) => (one.ok ? one.frame.frameId : one.reason))
  expect(ids).toEqual(['20261121-200000000', '20261121-200000001', '20261121-200000002'])
  expect(await store.verify()).toMatchObject({ ok: true, files: 3 })
})

it('a camera that sends its last frame once more is caught, and the next frame is taken as it comes', async () => {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20, 0, 0))
  const camera = instantCamera(clock)
  const first = await camera.expose({ seconds: 0, frameType: 'bias' })
  const stuck = { ...camera, expose: async () => first } as Camera
  const take = () => captureFrame({ store, clock, camera: stuck, ...agreeable }, plan, new AbortController().signal)
  expect(await take()).toMatchObject({ ok: true })
  expect(await take()).toMatchObject({ ok: false, reason: expect.stringContaining('once more') })
  expect(store.events(0, 10).map(({ type }) => type)).toContain('truth.failed')
})
