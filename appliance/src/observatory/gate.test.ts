import { expect, test } from 'vitest'
import { type Command, decide, type GateState, defaultGateLimits as limits } from './gate.ts'

/** Every combination of what matters, on both sides of every limit, with `undefined` and NaN among them. */
function* everyState(): Generator<GateState> {
  const nowMs = 1_000_000
  const ages = [0, limits.maxAgeMs, limits.maxAgeMs + 1, Number.NaN]
  const booleans = [true, false]
  for (const sunAltitudeDeg of [-40, limits.maxSunAltitudeDeg, limits.maxSunAltitudeDeg + 0.1, Number.NaN])
    for (const diskFreeBytes of [limits.minDiskFreeBytes, limits.minDiskFreeBytes - 1, Number.NaN])
      for (const mountAge of [...ages, undefined])
        for (const cameraAge of [...ages, undefined])
          for (const connected of booleans)
            for (const parked of booleans)
              yield {
                nowMs,
                sunAltitudeDeg,
                sunRaDeg: 0,
                sunDecDeg: 0,
                mount:
                  mountAge === undefined
                    ? undefined
                    : { value: { connected, parked, slewing: false }, atMs: nowMs - mountAge },
                camera:
                  cameraAge === undefined
                    ? undefined
                    : { value: { connected, exposing: false }, atMs: nowMs - cameraAge },
                diskFreeBytes,
              }
}

const commands: Command[] = [
  { kind: 'unpark' },
  { kind: 'track' },
  { kind: 'park' },
  { kind: 'abort' },
  { kind: 'expose', seconds: 10 },
  ...[90, limits.minAltitudeDeg, limits.minAltitudeDeg - 0.1, Number.NaN].flatMap((altitudeDeg) =>
    [180, limits.minSunSeparationDeg, limits.minSunSeparationDeg - 0.1, Number.NaN].map(
      (sunSeparationDeg): Command => ({ kind: 'slew', raDeg: 0, decDeg: 0, altitudeDeg, sunSeparationDeg }),
    ),
  ),
]

const fresh = (reading: GateState['mount'] | GateState['camera'], nowMs: number): boolean =>
  reading?.value.connected === true && nowMs - reading.atMs <= limits.maxAgeMs

test('in every state, motion is allowed only with a fresh, connected mount, a dark sky and a reachable target', () => {
  let states = 0
  for (const state of everyState()) {
    for (const command of commands) {
      states++
      const verdict = decide(state, command)
      if (command.kind === 'park' || command.kind === 'abort') {
        expect(verdict.allow).toBe(true)
        continue
      }
      if (!verdict.allow) {
        expect(verdict.reason.length).toBeGreaterThan(10)
        continue
      }
      if (command.kind === 'expose') {
        expect(fresh(state.camera, state.nowMs) && state.diskFreeBytes >= limits.minDiskFreeBytes).toBe(true)
        continue
      }
      expect(fresh(state.mount, state.nowMs)).toBe(true)
      expect(state.sunAltitudeDeg <= limits.maxSunAltitudeDeg).toBe(true)
      if (command.kind !== 'slew') continue
      expect(state.mount?.value.parked).toBe(false)
      expect(
        command.altitudeDeg >= limits.minAltitudeDeg && command.sunSeparationDeg >= limits.minSunSeparationDeg,
      ).toBe(true)
    }
  }
  expect(states).toBe(4 * 3 * 5 * 5 * 2 * 2 * commands.length)
})

test('a good state allows everything, so the gate cannot pass its test by denying all', () => {
  const state: GateState = {
    nowMs: 0,
    sunAltitudeDeg: -30,
    sunRaDeg: 0,
    sunDecDeg: 0,
    mount: { value: { connected: true, parked: false, slewing: false }, atMs: 0 },
    camera: { value: { connected: true, exposing: false }, atMs: 0 },
    diskFreeBytes: limits.minDiskFreeBytes,
  }
  for (const command of commands) {
    if (command.kind === 'slew' && !(command.altitudeDeg >= 20 && command.sunSeparationDeg >= 30)) continue
    expect(decide(state, command)).toEqual({ allow: true })
  }
})
