import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera, ExposureRequest } from '@nightjar/firmware-bridge/devices/camera.ts'
import { expect, it } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { openStore } from '../store/openStore.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { captureFrame } from './capture.ts'

/** Delivers a bias in no time at all. */
function instantCamera(clock: VirtualClock): Camera {
  const data = { width: 8, height: 8, data: new Uint16Array(64).fill(300) }
  const bytes = encodeFits([{ header: FitsHeader.from({}), data }])
  const expose = async ({ seconds }: ExposureRequest) => ({
    ok: true as const,
    bytes,
    format: '.fits',
    startedAtMs: clock.now(),
    endedAtMs: clock.now() + seconds * 1000,
  })
  return { expose, state: () => ({ filters: [] }) } as unknown as Camera
}

it('two frames of one moment have two ids, as after a clock that was set back', async () => {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20, 0, 0))
  const plan = {
    type: 'bias',
    exposureSeconds: 0,
    filter: '',
    nightId: '20261121',
    field: undefined,
    facts: {},
  } as const
  const take = () => captureFrame({ store, clock, camera: instantCamera(clock) }, plan, new AbortController().signal)
  const taken = [await take(), await take(), await take()]
  const ids = taken.map((one) => (one.ok ? one.frame.frameId : one.reason))
  expect(ids).toEqual(['20261121-200000000', '20261121-200000001', '20261121-200000002'])
  expect(await store.verify()).toMatchObject({ ok: true, files: 3 })
})
