import { describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import {
  createSafetyControllerSimulator,
  type SafetyControllerSimulator,
  type SafetyControllerSimulatorOptions,
} from '../simulators/safetyController.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Connect } from '../wire/wire.ts'
import { createSafetyController, type SafetyController } from './safetyController.ts'
import { safetyControllerPowerCard } from './safetyControllerPower.ts'
import { safetyControllerRoofCard } from './safetyControllerRoof.ts'

interface Site extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly simulator: SafetyControllerSimulator
  readonly controller: SafetyController
  /** Time with a heartbeat every two seconds. */
  watched(ms: number): Promise<void>
}

async function openSite(
  options: Partial<SafetyControllerSimulatorOptions> = {},
  through: (connect: Connect) => Connect = (connect) => connect,
): Promise<Site> {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20))
  const simulator = createSafetyControllerSimulator({ clock, tickMs: 100, ...options })
  const connect = through(memoryConnect(simulator.accept, 'roof cable'))
  const controller = createSafetyController(connect, { clock, random: createRandom(7) })
  await clock.advance(3_000)
  return {
    clock,
    simulator,
    controller,
    async watched(ms) {
      for (let left = ms; left > 0; left -= 2_000) {
        void controller.safety.heartbeat()
        await clock.advance(Math.min(2_000, left))
      }
    },
    async [Symbol.asyncDispose]() {
      const closing = Promise.all([controller[Symbol.asyncDispose](), simulator[Symbol.asyncDispose]()])
      await clock.advance(2_000)
      await closing
    },
  }
}

describe('the devices behind a safety controller', () => {
  it('tell what it measures, with age and source', async () => {
    await using site = await openSite()
    site.simulator.set({ outsideC: -4.5, insideC: 3.25, humidityPercent: 71 })
    await site.clock.advance(1_500)
    const weather = site.controller.weather.state()
    expect(weather.source).toBe('safety controller 1.0.0 on roof cable')
    expect(weather.temperatureC).toBeCloseTo(-4.5, 1)
    expect(weather.insideTemperatureC).toBeCloseTo(3.25, 1)
    expect(weather.humidityPercent).toBeCloseTo(71, 1)
    expect(weather).toMatchObject({ connected: true, raining: false })
    expect(site.clock.now() - weather.atMs).toBeLessThanOrEqual(1_000)
    expect(site.controller.safety.state()).toMatchObject({
      safe: true,
      reasons: [],
      mountParked: true,
      mainsLost: false,
    })
    expect(site.controller.roof.state()).toMatchObject({ position: 'closed', fault: undefined })
    expect([...site.controller.roof.can()]).toEqual(safetyControllerRoofCard.can)
    expect([...site.controller.power.can()]).toEqual(safetyControllerPowerCard.can)
  })

  it('open and close the roof, and say so when the end switches do', async () => {
    await using site = await openSite()
    expect(await finished(site, site.controller.roof.open())).toEqual({
      ok: false,
      reason: 'the controller has not heard a heartbeat',
    })
    await site.watched(100)
    const opening = site.controller.roof.open()
    await site.watched(10_000)
    expect(site.controller.roof.state().position).toBe('opening')
    expect(site.simulator.roof().position).toBeCloseTo(0.5, 1)
    await site.watched(12_000)
    expect(await opening).toEqual({ ok: true })
    expect(site.controller.roof.state().position).toBe('open')
    const closing = site.controller.roof.close()
    await site.watched(24_000)
    expect(await closing).toEqual({ ok: true })
    expect(site.simulator.roof()).toEqual({ position: 0, motor: 'still' })
  })

  it('close by themselves when the heartbeat stays away, however often the state is looked at', async () => {
    await using site = await openSite({ startsAt: 1 })
    await site.watched(20_000)
    expect(site.controller.roof.state().position).toBe('open')
    await site.clock.advance(26_000)
    for (let n = 0; n < 6; n++) {
      void site.controller.session.look()
      await site.clock.advance(1_000)
    }
    expect(site.controller.roof.state().position).toBe('closing')
    expect(site.controller.safety.state()).toMatchObject({ safe: false, reasons: ['no heartbeat'] })
  })

  it('tell an opening that the rain turned round from one that arrived', async () => {
    await using site = await openSite()
    await site.watched(100)
    const opening = site.controller.roof.open()
    await site.watched(8_000)
    site.simulator.set({ rain: true })
    await site.watched(2_000)
    expect(await opening).toEqual({ ok: false, reason: 'the controller closes the roof: rain' })
    expect(site.controller.weather.state()).toMatchObject({ raining: true, verdict: 'danger' })
    await site.watched(12_000)
    expect(site.controller.roof.state().position).toBe('closed')
    expect(await finished(site, site.controller.roof.open())).toEqual({ ok: false, reason: 'the rain sensor is wet' })
  })

  it('refuse to move while the mount is not parked, and tell why a motion stopped when it left', async () => {
    await using site = await openSite()
    await site.watched(100)
    const opening = site.controller.roof.open()
    await site.watched(5_000)
    site.simulator.set({ parked: false })
    await site.watched(2_000)
    expect(await opening).toEqual({ ok: false, reason: 'the roof stopped: the mount left its park' })
    expect(site.controller.roof.state().position).toBe('unknown')
    expect(await finished(site, site.controller.roof.close())).toEqual({
      ok: false,
      reason: 'the mount-parked sensor does not read parked',
    })
  })

  it('end with the fault’s name, stay stopped, and go on when it is cleared', async () => {
    await using site = await openSite({ settings: { 'travel-s': 30 } })
    await site.watched(100)
    const opening = site.controller.roof.open()
    await site.watched(6_000)
    site.simulator.set({ motorAmps: 11 })
    await site.watched(2_000)
    expect(await opening).toEqual({ ok: false, reason: 'the roof stopped: over-current: something is in the way' })
    expect(site.controller.roof.state().fault).toBe('over-current: something is in the way')
    expect(site.controller.safety.state().safe).toBe(false)
    expect((await finished(site, site.controller.roof.close())).ok).toBe(false)
    site.simulator.set({ motorAmps: 3 })
    expect(await finished(site, site.controller.clearFault())).toEqual({ ok: true })
    const closing = site.controller.roof.close()
    await site.watched(12_000)
    expect(await closing).toEqual({ ok: true })

    site.simulator.set({ openSwitch: true, closedSwitch: true })
    await site.watched(2_000)
    expect(site.controller.roof.state()).toMatchObject({ position: 'unknown', fault: 'both end switches at once' })
    expect((await finished(site, site.controller.clearFault())).ok).toBe(false)
  })

  it('stop on the way when told, and say that they were stopped', async () => {
    await using site = await openSite()
    await site.watched(100)
    const opening = site.controller.roof.open()
    await site.watched(5_000)
    expect(await finished(site, site.controller.roof.abort())).toEqual({ ok: true })
    expect((await opening).ok).toBe(false)
    await site.watched(3_000)
    expect(site.simulator.roof().motor).toBe('still')
    expect(site.controller.roof.state().position).toBe('unknown')
  })

  it('set the dew heaters, which go off without mains', async () => {
    await using site = await openSite()
    await site.watched(100)
    const { power } = site.controller
    expect(await finished(site, power.setDewHeater('Dew heater 2', 35))).toEqual({ ok: true })
    expect(power.state().dewHeaters.map((heater) => heater.percent)).toEqual([0, 35])
    site.simulator.set({ mainsLost: true })
    await site.watched(5_000)
    expect(power.state().dewHeaters.map((heater) => heater.percent)).toEqual([0, 0])
    expect((await finished(site, power.setDewHeater('Dew heater 1', 35))).ok).toBe(false)
    expect((await finished(site, power.setDewHeater('Dew heater 3', 35))).ok).toBe(false)
    expect((await finished(site, power.setDewHeater('Dew heater 1', 101))).ok).toBe(false)
    expect((await finished(site, power.setPort('Camera', true))).ok).toBe(false)
  })

  it('read and change the settings', async () => {
    await using site = await openSite()
    const settings = await finished(site, site.controller.readSettings())
    expect(settings.ok && settings.settings.find((one) => one.name === 'heartbeat-s')).toEqual({
      name: 'heartbeat-s',
      value: 30,
      least: 5,
      most: 30,
      usual: 30,
    })
    expect(await finished(site, site.controller.changeSetting('heartbeat-s', 12))).toEqual({ ok: true })
    expect(await finished(site, site.controller.changeSetting('heartbeat-s', 31))).toEqual({
      ok: false,
      reason: 'the value is out of range',
    })
  })

  it('know nothing any more within 3 s of a pulled cable, and all again when it is back', async () => {
    let plugged = true
    await using site = await openSite({}, (connect) => (handlers, signal) => {
      if (!plugged) return Promise.reject(new Error('serial roof: no such file; is the cable plugged in?'))
      return connect(handlers, signal)
    })
    await site.watched(2_000)
    const opening = site.controller.roof.open()
    await site.watched(4_000)
    plugged = false
    await site.simulator.unplug()
    await site.clock.advance(1_000)
    expect(await opening).toMatchObject({ ok: false })
    expect(site.controller.roof.state()).toMatchObject({ position: 'unknown', connected: false })
    const safety = site.controller.safety.state()
    expect(safety).toMatchObject({ safe: false, connected: false })
    expect([safety.raining, safety.mainsLost, safety.mountParked]).toEqual([undefined, undefined, undefined])
    expect((await finished(site, site.controller.safety.heartbeat())).ok).toBe(false)
    const heardAtMs = site.controller.safety.state().atMs
    await site.clock.advance(60_000)
    expect(site.controller.safety.state().atMs).toBe(heardAtMs)
    // Nobody watched: it has closed.
    expect(site.simulator.roof()).toEqual({ position: 0, motor: 'still' })
    plugged = true
    await site.clock.advance(32_000)
    expect(site.controller.roof.state()).toMatchObject({ position: 'closed', connected: true })
  })

  it('take a controller that hangs for lost within 4 s', async () => {
    let deaf = false
    await using site = await openSite({}, (connect) => async (handlers, signal) => {
      const wire = await connect(handlers, signal)
      return { ...wire, write: (bytes) => (deaf ? Promise.resolve() : wire.write(bytes)) }
    })
    await site.watched(2_000)
    expect(site.controller.safety.state().safe).toBe(true)
    deaf = true
    await site.clock.advance(4_000)
    expect(site.controller.safety.state()).toMatchObject({
      safe: false,
      connected: false,
      reasons: ['the controller does not answer'],
    })
    deaf = false
    await site.clock.advance(5_000)
    expect(site.controller.safety.state().connected).toBe(true)
  })

  it('greet again after the controller’s watchdog has reset it, and repeat no motion by themselves', async () => {
    await using site = await openSite()
    await site.watched(2_000)
    const opening = site.controller.roof.open()
    await site.watched(6_000)
    site.simulator.reset('watchdog')
    await site.watched(4_000)
    expect((await opening).ok).toBe(false)
    expect(site.controller.session.identity?.resetCause).toBe('watchdog')
    expect(site.controller.safety.state()).toMatchObject({ connected: true, safe: true })
    expect(site.simulator.roof().motor).toBe('still')
  })

  it('hear through a line that loses and garbles every tenth chunk', async () => {
    const noise = createRandom('bad cable')
    const garble = (bytes: Uint8Array): Uint8Array => {
      const copy = new Uint8Array(bytes)
      if (noise.integer(10) === 0) copy[noise.integer(copy.length)]! ^= 1 << noise.integer(8)
      return noise.integer(10) === 0 ? copy.subarray(noise.integer(copy.length)) : copy
    }
    await using site = await openSite({ startsAt: 1 }, (connect) => async (handlers, signal) => {
      const wire = await connect({ ...handlers, onBytes: (bytes) => handlers.onBytes(garble(bytes)) }, signal)
      return { ...wire, write: (bytes) => wire.write(garble(bytes)) }
    })
    let safe = 0
    for (let second = 0; second < 600; second += 2) {
      await site.watched(2_000)
      if (site.controller.safety.state().safe) safe++
    }
    expect(site.controller.roof.state().position).toBe('open')
    expect(safe).toBeGreaterThan(290)
  })

  it('say which protocol a controller of another release speaks, and move nothing', async () => {
    await using site = await openSite({ protocol: 2 })
    const words = 'the controller speaks protocol 2 and Nightjar speaks 1: install the firmware of this release'
    expect(site.controller.safety.state()).toMatchObject({ safe: false, connected: false, reasons: [words] })
    expect(await finished(site, site.controller.roof.open())).toEqual({ ok: false, reason: words })
    expect([...site.controller.roof.can()]).toEqual([])
  })

  it('play an hour of the night in a blink', async () => {
    await using site = await openSite({ startsAt: 1, tickMs: 500 })
    let beats = true
    const beating = (async () => {
      while (beats) {
        await site.controller.safety.heartbeat()
        await site.clock.sleep(10_000)
      }
    })()
    const startedAt = systemClock.monotonic()
    await site.clock.advance(3_600_000)
    beats = false
    await site.clock.advance(20_000)
    await beating
    console.log(`safety controller simulator: an hour in ${(systemClock.monotonic() - startedAt).toFixed(0)} ms`)
    expect(site.controller.roof.state().position).toBe('open')
  })
})

/** What a command came to, while time goes on. */
async function finished<T>(site: Site, command: Promise<T>): Promise<T> {
  let over = false
  const end = (): void => {
    over = true
  }
  command.then(end, end)
  for (let n = 0; n < 400 && !over; n++) await site.clock.advance(50)
  return command
}
