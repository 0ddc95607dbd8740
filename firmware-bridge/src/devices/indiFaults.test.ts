import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createIndiClient, type IndiClient } from '../indi/client.ts'
import { createIndiServer, type ServedDevice } from '../indi/server.ts'
import { createRandom } from '../random.ts'
import { createSimulatedCover } from '../simulators/cover.ts'
import { SimulatedDevice } from '../simulators/device.ts'
import { createSimulatedFilterWheel } from '../simulators/filterWheel.ts'
import { createSimulatedGps } from '../simulators/gps.ts'
import { createSimulatedPower } from '../simulators/power.ts'
import { createSimulatedRoof } from '../simulators/roof.ts'
import { createSimulatedWatchdog } from '../simulators/watchdog.ts'
import { createSimulatedWeather } from '../simulators/weather.ts'
import { memoryConnect } from '../wire/memory.ts'
import { createIndiCover } from './indiCover.ts'
import { createIndiFilterWheel } from './indiFilterWheel.ts'
import { createIndiGps } from './indiGps.ts'
import { createIndiPower } from './indiPower.ts'
import { createIndiRoof } from './indiRoof.ts'
import { createIndiSafety } from './indiSafety.ts'
import { createIndiWeather } from './indiWeather.ts'

const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20))
let client: IndiClient | undefined
let stop = new AbortController()
afterEach(async () => {
  stop.abort()
  stop = new AbortController()
  await client?.[Symbol.asyncDispose]()
})

function serve(...devices: readonly ServedDevice[]): IndiClient {
  const server = createIndiServer(devices)
  client = createIndiClient(memoryConnect(server.accept), { clock, random: createRandom(1) })
  return client
}

const reasonOf = (outcome: { readonly ok: boolean; readonly reason?: string }): string | undefined => outcome.reason

describe('a roof that fails', () => {
  it('is neither open nor closed when it is stuck, and says why', async () => {
    const simulated = createSimulatedRoof({ clock })
    const roof = createIndiRoof(serve(simulated.device), 'Dome Simulator', { clock })
    await clock.advance(1_000)
    const opening = roof.open()
    await clock.advance(5_000)
    simulated.jam(true)
    expect(reasonOf(await clock.run(opening))).toContain('motor time-out')
    expect(roof.state()).toMatchObject({
      position: 'unknown',
      fault: expect.stringContaining('motor time-out') as string,
    })
    expect(simulated.opening()).toBeLessThan(0.5)
    simulated.jam(false)
    expect(await clock.run(roof.close())).toEqual({ ok: true })
    expect(roof.state()).toMatchObject({ position: 'closed', fault: undefined })
  })

  it('is unknown when its driver hangs, and a command ends in time', async () => {
    const simulated = createSimulatedRoof({ clock })
    const roof = createIndiRoof(serve(simulated.device), 'Dome Simulator', { clock, staleMs: 20_000 })
    await clock.advance(1_000)
    expect(roof.state().position).toBe('closed')
    simulated.device.setSilent(true)
    await clock.advance(10_000)
    expect(roof.state().position).toBe('closed')
    await clock.advance(15_000)
    expect(roof.state().position).toBe('unknown')
    const start = clock.monotonic()
    expect(await clock.run(roof.close(30_000))).toMatchObject({ ok: false })
    expect(clock.monotonic() - start).toBeLessThanOrEqual(30_000)
    simulated.device.setSilent(false)
    await clock.advance(10_000)
    expect(roof.state().position).toBe('closed')
  })

  it('is not closed when its end switch does not agree with its driver', async () => {
    const simulated = createSimulatedRoof({ clock, style: 'rollOff' })
    const roof = createIndiRoof(serve(simulated.device), 'RollOff Simulator', { clock })
    await clock.advance(1_000)
    expect(roof.state().position).toBe('closed')
    simulated.setOpening(0.02)
    await clock.advance(100)
    expect(roof.state().position).toBe('unknown')
  })

  it('refuses with the driver’s own words', async () => {
    const simulated = createSimulatedRoof({ clock })
    const roof = createIndiRoof(serve(simulated.device), 'Dome Simulator', { clock })
    await clock.advance(1_000)
    simulated.device.refuse('DOME_SHUTTER', 'the mount is not parked')
    expect(reasonOf(await clock.run(roof.open()))).toContain('the mount is not parked')
    expect(simulated.opening()).toBe(0)
  })
})

describe('instruments that fail', () => {
  it('makes a weather station’s readings old when it goes deaf, though its driver lives', async () => {
    const simulated = createSimulatedWeather({ clock })
    void simulated.run(stop.signal)
    const connected = serve(simulated.device)
    const weather = createIndiWeather(connected, 'Weather Simulator')
    const safety = createIndiSafety(connected, 'Weather Simulator', { clock, staleMs: 60_000 })
    await clock.advance(12_000)
    expect(weather.state().verdict).toBe('good')
    expect(safety.state()).toMatchObject({ safe: true, reasons: [], raining: false })
    simulated.device.setSilent(true)
    await clock.advance(70_000)
    expect(clock.now() - weather.state().atMs).toBeGreaterThan(60_000)
    expect(safety.state().safe).toBe(false)
    expect(safety.state().reasons[0]).toMatch(/no verdict for \d+ s/)
  })

  it('tells rain, wind in metres per second, and whose light is red', async () => {
    const simulated = createSimulatedWeather({ clock })
    void simulated.run(stop.signal)
    const connected = serve(simulated.device)
    const weather = createIndiWeather(connected, 'Weather Simulator')
    const safety = createIndiSafety(connected, 'Weather Simulator', { clock })
    simulated.setSky({ rainMillimetresPerHour: 2, windMetresPerSecond: 9 })
    await clock.advance(12_000)
    expect(weather.state()).toMatchObject({ verdict: 'danger', raining: true, windMetresPerSecond: 9 })
    expect(safety.state()).toMatchObject({
      safe: false,
      raining: true,
      reasons: ['WEATHER_WIND_SPEED: warning', 'WEATHER_RAIN_HOUR: danger'],
    })
  })

  it('gives no place and no time without a fix', async () => {
    const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
    const simulated = createSimulatedGps({ clock, site })
    void simulated.run(stop.signal)
    const gps = createIndiGps(serve(simulated.device), 'GPS Simulator')
    await clock.advance(12_000)
    expect(gps.state()).toMatchObject({ fix: '3d', latitudeDeg: 47.5, longitudeDeg: 19 })
    simulated.setFix(false)
    await clock.advance(12_000)
    expect(gps.state()).toMatchObject({ fix: 'none', utcMs: undefined })
    expect(gps.state().latitudeDeg).toBeUndefined()
  })
})

describe('parts that fail', () => {
  it('says that a wheel is jammed, and a lid that was stopped is at neither end', async () => {
    const wheelSimulator = createSimulatedFilterWheel({ clock })
    const coverSimulator = createSimulatedCover({ clock })
    const connected = serve(wheelSimulator.device, coverSimulator.device)
    const wheel = createIndiFilterWheel(connected, 'Filter Simulator')
    const cover = createIndiCover(connected, 'Dust Cover Simulator')
    await clock.advance(1_000)
    wheelSimulator.jam(true)
    expect(reasonOf(await clock.run(wheel.select('SII')))).toContain('jammed')
    const opening = cover.open()
    await clock.advance(2_000)
    await clock.run(cover.abort())
    expect(await opening).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
    expect(cover.state().position).toBe('unknown')
    expect(coverSimulator.opening()).toBeCloseTo(0.25, 1)
  })

  it('does not turn on an outlet whose fuse has blown, and shows the current of the others', async () => {
    const simulated = createSimulatedPower({ clock, random: createRandom(2) })
    void simulated.run(stop.signal)
    const power = createIndiPower(serve(simulated.device), 'Power Simulator')
    await clock.advance(3_000)
    expect(power.state().amps).toBeGreaterThan(5)
    expect(power.state().volts).toBeLessThan(12.4)
    simulated.blowFuse('Camera')
    await clock.advance(100)
    expect(power.state().ports.find(({ name }) => name === 'Camera')).toMatchObject({ on: false, amps: 0 })
    expect(reasonOf(await clock.run(power.setPort('Camera', true)))).toContain('fuse blown')
    expect(await clock.run(power.setPort('Mount', false))).toEqual({ ok: true })
    expect(simulated.isOn('Mount')).toBe(false)
  })

  it('lets the watchdog act when no heartbeat comes', async () => {
    const simulated = createSimulatedWatchdog({ clock })
    const safety = createIndiSafety(serve(simulated.device), 'WatchDog', { clock, heartbeatSeconds: 10 })
    await clock.advance(1_000)
    for (let beat = 0; beat < 4; beat++) {
      expect(await clock.run(safety.heartbeat())).toEqual({ ok: true })
      await clock.advance(8_000)
    }
    expect(simulated.triggered()).toBe(0)
    await clock.advance(8_000)
    expect(simulated.triggered()).toBe(1)
  })
})

describe('the outlets of an unknown box', () => {
  it('are found by their conventions, with names of their own', async () => {
    const box = new SimulatedDevice('Box', { exec: 'box', interface: 65_536 }, () => undefined)
    const echo = (name: string) => (values: Readonly<Record<string, boolean>>) => box.update(name, values)
    for (const name of ['DIGITAL_OUTPUT_1', 'DIGITAL_OUTPUT_2']) {
      box.switches(name, { OFF: true, ON: false }, 'OneOfMany', { label: 'Relay', onNew: echo(name) })
    }
    box.texts('DIGITAL_OUTPUT_LABELS', { DIGITAL_OUTPUT_1: 'Dehumidifier', DIGITAL_OUTPUT_2: '' })
    const way = { INDI_ENABLED: false, INDI_DISABLED: true }
    box.switches('CAMERA_POWER', way, 'OneOfMany', { label: 'Relay', onNew: echo('CAMERA_POWER') })
    box.switches('CCD_COOLER_POWER', { LOW: true, HIGH: false }, 'OneOfMany')
    box.switches('POWER_ON_BOOT', { POWER_PORT_1: true }, 'AnyOfMany')
    const power = createIndiPower(serve(box), 'Box')
    await clock.advance(1_000)
    expect(power.state().ports).toEqual([
      { name: 'Dehumidifier', on: false, amps: undefined },
      { name: 'Relay', on: false, amps: undefined },
      { name: 'Relay (2)', on: false, amps: undefined },
    ])
    expect(await clock.run(power.setPort('Relay (2)', true))).toEqual({ ok: true })
    expect(box.chosen('CAMERA_POWER')).toBe('INDI_ENABLED')
    expect([...power.can()]).toEqual(['switch'])
    expect(reasonOf(await power.setPort('Heater', true))).toBe(
      'Box has no port Heater; it has Dehumidifier, Relay, Relay (2)',
    )
  })
})
