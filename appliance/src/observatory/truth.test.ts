import type { CameraState } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { MountState } from '@nightjar/firmware-bridge/devices/mount.ts'
import { describe, expect, it } from 'vitest'
import type { FrameRecord } from '../contract/records.ts'
import { horizontal, siderealTimeDeg } from '../observations/ephemeris.ts'
import { exposureTruth, parkedTruth, roofTruth, slewTruth, trackingTruth } from './truth.ts'

const site = { name: 'Roof', latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 200 }
const atMs = Date.UTC(2026, 10, 21, 20, 0, 0)
const parked: MountState = {
  source: 'test',
  atMs,
  connected: true,
  raDeg: siderealTimeDeg(site, atMs),
  decDeg: 80,
  tracking: false,
  parked: true,
  slewing: false,
  pierSide: 'unknown',
}
const seen = (change: Partial<MountState>, laterMs = 0) => ({ state: { ...parked, ...change }, atMs: atMs + laterMs })

describe('a mount that says it is parked', () => {
  const minute = 60_000
  const standing = seen({ raDeg: siderealTimeDeg(site, atMs + minute) }, minute)

  it('is believed when it stands still over the ground, or reports frozen coordinates', () => {
    expect(parkedTruth(site, seen({}), standing)).toBeUndefined()
    expect(parkedTruth(site, seen({}), seen({}, minute))).toBeUndefined()
  })

  it.each([
    ['moves', seen({ raDeg: parked.raDeg + 40 }, minute), 'moved'],
    ['tracks', seen({ tracking: true }, minute), 'tracking at once'],
    ['does not say so any more', seen({ parked: false }, minute), 'does not say'],
    ['is gone', seen({ connected: false }, minute), 'does not answer'],
    ['has no coordinates', seen({ raDeg: Number.NaN }, minute), 'moved NaN'],
  ])('is not believed when it %s', (_, after, words) => {
    expect(parkedTruth(site, seen({}), after)).toContain(words)
  })

  it('must be at the park position and under its sensor, where these are known', () => {
    const park = horizontal(site, standing.state.raDeg, standing.state.decDeg, standing.atMs)
    expect(parkedTruth(site, seen({}), standing, { park, sensor: true })).toBeUndefined()
    expect(parkedTruth(site, seen({}), standing, { sensor: false })).toContain('sensor')
    const elsewhere = { ...park, altitudeDeg: park.altitudeDeg - 20 }
    expect(parkedTruth(site, seen({}), standing, { park: elsewhere })).toContain('20° from its park position')
  })
})

describe('a slew', () => {
  const there = { ...parked, parked: false, tracking: true }
  it('has arrived where the mount stands and tracks', () => {
    expect(slewTruth(there, there)).toBeUndefined()
    expect(slewTruth(there, { raDeg: there.raDeg, decDeg: 79 })).toContain('1.0° away')
    expect(slewTruth({ ...there, tracking: false }, there)).toContain('does not track')
    expect(slewTruth({ ...there, raDeg: Number.NaN }, there)).toContain('NaN')
  })
})

describe('tracking', () => {
  const frame = (minutes: number, raDeg: number, fieldId = 'A') =>
    ({ fieldId, capturedAtMs: atMs + minutes * 60_000, quality: { solved: true, raDeg, decDeg: 0 } }) as FrameRecord

  it('holds while two solutions agree, and fails when the sky drifts at its own pace', () => {
    expect(trackingTruth(frame(0, 10), frame(2, 10.01))).toBeUndefined()
    // The sky turns 15.04″ a second: a mount that stopped shows 902″ after a minute.
    expect(trackingTruth(frame(0, 10), frame(1, 10 + 902 / 3600))).toContain('902″')
    expect(trackingTruth(frame(0, 10), frame(1, 20, 'B'))).toBeUndefined()
  })
})

describe('an exposure', () => {
  const camera = { widthPixels: 8, heightPixels: 8 } as CameraState
  const glance = { pixels: 64, min: 290, max: 320, median: 300, uniform: false, fingerprint: 'one' }
  const exposure = {
    type: 'light',
    exposureSeconds: 60,
    tookSeconds: 61,
    timeIsTrue: true,
    width: 8,
    height: 8,
    camera,
    glance,
    previousFingerprint: 'zero',
  } as const

  it.each([
    ['as asked', {}, undefined],
    // Debian's camera under a clock set 1 h ahead: a 4 s exposure ended Ok after 2.0 s.
    ['cut short by a clock step', { exposureSeconds: 60, tookSeconds: 30 }, 'clock was stepped'],
    ['of the wrong size', { width: 4 }, '4 × 8'],
    ['blank', { glance: { ...glance, min: 0, max: 0, median: 0, uniform: true } }, 'no image'],
    ['not a number', { glance: { ...glance, median: Number.NaN } }, 'no numbers'],
    ['the one before once more', { previousFingerprint: 'one' }, 'once more'],
    ['shortened by a simulator', { tookSeconds: 6, timeIsTrue: false }, undefined],
    ['of an unknown kind', { glance: undefined }, undefined],
  ])('%s', (_, change, words) => {
    const said = exposureTruth({ ...exposure, ...change })
    if (words === undefined) expect(said).toBeUndefined()
    else expect(said).toContain(words)
  })
})

it('a roof is open or closed only when it says so, connected and without a fault', () => {
  const roof = { source: 'roof', atMs, connected: true, position: 'closed' } as const
  expect(roofTruth(roof, 'closed')).toBeUndefined()
  expect(roofTruth({ ...roof, position: 'closing' }, 'closed')).toContain('closing')
  expect(roofTruth({ ...roof, fault: 'over-current' }, 'closed')).toContain('over-current')
  expect(roofTruth({ ...roof, connected: false }, 'closed')).toContain('not answering')
})
