import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createMoonliteSimulator, type MoonliteSimulator } from '../simulators/moonliteFocuser.ts'
import { memoryConnect } from '../wire/memory.ts'
import { createMoonliteFocuser, type MoonliteFocuser } from './moonliteFocuser.ts'

interface Rig {
  readonly clock: VirtualClock
  readonly simulator: MoonliteSimulator
  readonly focuser: MoonliteFocuser
}

async function play(story: (rig: Rig) => Promise<void>): Promise<void> {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21))
  const simulator = createMoonliteSimulator({ clock, startSteps: 5_000, temperatureC: -3.5 })
  const limits = { minSteps: 100, maxSteps: 20_000 }
  const options = { clock, random: createRandom('focuser'), limits }
  const focuser = createMoonliteFocuser(memoryConnect(simulator.accept), options)
  await clock.run(
    (async () => {
      await until(clock, () => focuser.state().connected && focuser.state().temperatureC !== undefined)
      await story({ clock, simulator, focuser })
      await focuser[Symbol.asyncDispose]()
    })(),
  )
}

async function until(clock: VirtualClock, condition: () => boolean, timeoutMs = 20_000): Promise<number> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(10)
  expect(condition()).toBe(true)
  return clock.monotonic() - start
}

describe('a Moonlite focuser', () => {
  it('tells where it stands and how cold it is, also below zero', () =>
    play(async ({ focuser, simulator, clock }) => {
      expect(focuser.state()).toMatchObject({
        positionSteps: 5_000,
        maxSteps: 20_000,
        temperatureC: -3.5,
        moving: false,
      })
      expect(focuser.can()).toEqual(new Set(['moveTo', 'abort', 'temperature']))
      simulator.temperature(-200)
      await until(clock, () => focuser.state().temperatureC === undefined)
      expect(focuser.can().has('temperature')).toBe(false)
    }))

  it('moves to a place and says so when it is there', () =>
    play(async ({ focuser, simulator, clock }) => {
      const start = clock.monotonic()
      expect(await focuser.moveTo(6_000)).toEqual({ ok: true })
      // 250 steps a second.
      expect((clock.monotonic() - start) / 1000).toBeGreaterThanOrEqual(4)
      expect((clock.monotonic() - start) / 1000).toBeLessThan(4.5)
      expect(simulator.steps()).toBe(6_000)
      expect(focuser.state().positionSteps).toBe(6_000)
    }))

  it('does not leave its travel', () =>
    play(async ({ focuser, simulator }) => {
      for (const steps of [99, 20_001, Number.NaN]) {
        expect(await focuser.moveTo(steps)).toMatchObject({ ok: false })
      }
      expect(simulator.heard).not.toContain('setTarget')
    }))

  it('sends a target again that was lost on the way, and never starts for an old one', () =>
    play(async ({ focuser, simulator }) => {
      simulator.trouble({ loses: 1 })
      expect(await focuser.moveTo(5_200)).toEqual({ ok: true })
      expect(simulator.steps()).toBe(5_200)
      expect(simulator.heard.filter((command) => command === 'setTarget').length).toBeGreaterThan(0)
    }))

  it('stops where it is when it is told to', () =>
    play(async ({ focuser, simulator, clock }) => {
      const move = focuser.moveTo(15_000)
      await until(clock, () => focuser.state().moving)
      expect(await focuser.abort()).toEqual({ ok: true })
      expect(await move).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
      expect(simulator.moving()).toBe(false)
      expect(simulator.steps()).toBeLessThan(6_000)
    }))

  it('tells that it jammed', () =>
    play(async ({ focuser, simulator }) => {
      simulator.trouble({ jamsAtSteps: 5_300 })
      expect(await focuser.moveTo(6_000)).toEqual({
        ok: false,
        reason: 'the focuser stopped at 5300 and not at 6000',
      })
    }))

  it('takes its settings, each read back', () =>
    play(async ({ focuser, clock }) => {
      expect(await focuser.setHalfStep(true)).toEqual({ ok: true })
      expect(await focuser.setSpeed(4)).toEqual({ ok: true })
      expect(focuser.settings()).toEqual({ halfStep: true, speed: 0x20 })
      expect(await focuser.setSpeed(5)).toMatchObject({ ok: false })
      expect(await focuser.compensate(true, -2.5)).toEqual({ ok: true })
      expect(await focuser.compensate(true, 100)).toMatchObject({ ok: false })
      expect(await focuser.sync(1_000)).toEqual({ ok: true })
      await until(clock, () => focuser.state().positionSteps === 1_000)
      const start = clock.monotonic()
      expect(await focuser.moveTo(1_100)).toEqual({ ok: true })
      // 500/32 steps a second.
      expect((clock.monotonic() - start) / 1000).toBeGreaterThan(6)
    }))

  it('is not connected within two seconds of its last word, and comes back', () =>
    play(async ({ focuser, simulator, clock }) => {
      simulator.trouble({ silent: true })
      expect(await until(clock, () => !focuser.state().connected)).toBeLessThan(2_000)
      expect(await focuser.moveTo(6_000)).toMatchObject({ ok: false })
      simulator.trouble({})
      await until(clock, () => focuser.state().connected, 60_000)
    }))
})
