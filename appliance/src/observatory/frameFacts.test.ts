import type { TimeSource, TimeSourceState } from '@nightjar/firmware-bridge/devices/timeSource.ts'
import { expect, it } from 'vitest'
import { frameEntries } from '../frames/fits/facts.ts'
import { frameFacts } from './frameFacts.ts'
import { openTestSite, testSite } from './testing/simulatedSite.ts'

const timeSource = (state: Partial<TimeSourceState>): TimeSource =>
  ({ state: () => ({ source: 'chrony', atMs: 1, connected: true, synchronised: true, ...state }) }) as TimeSource

it('puts pointing, focus and the quality of the clock into the header', async () => {
  await using site = await openTestSite()
  const devices = {
    ...site.hardware.devices,
    timeSource: timeSource({ offsetSeconds: -0.25, uncertaintySeconds: 0.04 }),
  }
  const facts = frameFacts(devices, testSite, site.clock.now())
  const entries = frameEntries({ imageType: 'light', startedAtMs: 0, exposureSeconds: 1, software: 'test', ...facts })
  expect(entries).toMatchObject({ CLKSRC: 'chrony', FOCUSPOS: 50_000, OBSERVAT: 'Test' })
  expect(facts).toMatchObject({ clockOffsetSeconds: -0.25, clockUncertaintySeconds: 0.04 })
  // The simulated mount is parked at the pole, whose altitude is the latitude (less the error of the mount's model).
  expect(facts.altitudeDeg).toBeCloseTo(testSite.latitudeDeg, 0)
})

it('leaves out what nobody says, and the word of a clock that has fallen silent', async () => {
  await using site = await openTestSite()
  const silent = timeSource({ connected: false, offsetSeconds: 1, uncertaintySeconds: 1 })
  const facts = frameFacts({ ...site.hardware.devices, timeSource: silent, focuser: undefined }, testSite, 0)
  expect(Object.keys(facts).filter((key) => key.startsWith('clock') || key.startsWith('focus'))).toEqual([])
  const unsure = frameFacts(
    { ...site.hardware.devices, timeSource: timeSource({ offsetSeconds: Number.NaN }) },
    testSite,
    0,
  )
  expect(unsure).toMatchObject({ clockSource: 'chrony' })
  expect('clockOffsetSeconds' in unsure).toBe(false)
})
