import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { done, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { describe, expect, it } from 'vitest'
import type { NightPhase } from '../contract/api.ts'
import { openStore } from '../store/openStore.ts'
import type { Store } from '../store/store.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { controlLimits } from './control.ts'
import { readingsOf } from './controlDevices.ts'
import { guardedDevice } from './controlProperties.ts'
import { openSimulatedControl, type SimulatedControl } from './testing/simulatedControl.ts'

/** 2026-11-20 23:41 UT: deep night at the simulated site. */
const startMs = Date.UTC(2026, 10, 20, 23, 41)

interface At extends SimulatedControl {
  readonly clock: VirtualClock
  readonly store: Store
  /** What `control.state()` says, when it does. */
  until(what: (at: SimulatedControl) => boolean): Promise<void>
}

function drive(visit: (at: At) => Promise<void>, night?: (clock: VirtualClock) => TestNight): Promise<void> {
  const clock = new VirtualClock(startMs)
  const whole = async (): Promise<void> => {
    using folder = temporaryFolder()
    using store = openStore(folder.path)
    await using opened = await openSimulatedControl(store, clock, night?.(clock))
    const until: At['until'] = async (what) => {
      const deadline = clock.monotonic() + 300_000
      while (!what(opened)) {
        if (clock.monotonic() > deadline) throw new Error(`waited in vain: ${JSON.stringify(opened.control.state())}`)
        await clock.sleep(100)
      }
    }
    await visit({ ...opened, clock, store, until })
  }
  return clock.run(whole())
}

interface TestNight {
  phase: NightPhase
  stop(by: string): Promise<Outcome>
}

const positionOf = ({ control }: SimulatedControl): string | undefined => control.state().roof?.position
const types = (store: Store): string[] => store.events(0, 1000).map(({ type }) => type)

async function openUp({ control }: At): Promise<void> {
  expect(control.takeLease('ada')).toEqual(done)
  expect(await control.command({ kind: 'openRoof' }, 'ada')).toEqual(done)
  expect(await control.command({ kind: 'unpark' }, 'ada')).toEqual(done)
}

describe('the control of an observatory', () => {
  it('tells each device with its age, what it can, and its readings with units', () =>
    drive(async ({ control }) => {
      const devices = control.devices()
      expect(devices.map(({ kind }) => kind).sort()).toEqual(
        ['camera', 'cover', 'filterWheel', 'flatPanel', 'focuser', 'gps', 'mount', 'power', 'roof', 'rotator'].concat(
          'skyQuality',
          'weather',
        ),
      )
      for (const { connected, ageMs, can, kind } of devices) {
        expect([kind, connected]).toEqual([kind, true])
        expect(ageMs).toBeGreaterThanOrEqual(0)
        if (kind !== 'skyQuality' && kind !== 'gps') expect([kind, can.length > 0]).toEqual([kind, true])
      }
      const weather = devices.find(({ kind }) => kind === 'weather')!
      expect(weather.readings).toContainEqual({ name: 'temperature', value: expect.any(Number), unit: '°C' })
      expect(JSON.parse(JSON.stringify(devices))).toEqual(devices)
    }))

  it('opens for whom the gate lets, and says why it does not', () =>
    drive(async (at) => {
      const { control } = at
      const refused = await control.command({ kind: 'openRoof' }, 'ada')
      expect(refused).toEqual({ ok: false, reason: 'nobody holds the lease: take it first' })
      expect(control.state().denials['unpark']).toMatch(/roof/)
      await openUp(at)
      expect(control.state()).toMatchObject({ roof: { position: 'open' }, mount: { parked: false } })
      expect(control.state().denials['closeRoof']).toMatch(/park/)
      expect((await control.command({ kind: 'closeRoof' }, 'ada')).ok).toBe(false)
      expect(await control.command({ kind: 'openRoof' }, 'bob')).toEqual({
        ok: false,
        reason: 'session ada holds the lease',
      })
      const given = types(at.store).filter((type) => type === 'command.given')
      expect(given).toHaveLength(2)
    }))

  it('answers within two seconds while a roof takes four, and tells how it ended', () =>
    drive(async ({ control, clock, until }) => {
      control.takeLease('ada')
      const began = clock.monotonic()
      expect(await control.give({ kind: 'openRoof' }, 'ada')).toEqual({ ok: true, underWay: true })
      expect(clock.monotonic() - began).toBe(controlLimits.answerMs)
      expect(control.state().commands).toMatchObject([{ command: 'open the roof', by: 'ada', state: 'underWay' }])
      await until(() => control.state().commands[0]?.state === 'done')
      expect(await control.give({ kind: 'track', on: false }, 'ada')).toEqual({ ok: true, underWay: false })
    }))

  it('tells of a roof that jams', () =>
    drive(async ({ control, parts, until }) => {
      control.takeLease('ada')
      parts.roof.jam(true)
      await control.give({ kind: 'openRoof' }, 'ada')
      await until(() => control.state().commands[0]?.state === 'failed')
      expect(control.state().commands[0]?.reason).toMatch(/does not move|open/)
    }))

  it('keeps a lease alive by commands and lets it run out without', () =>
    drive(async (at) => {
      const { control, clock } = at
      control.takeLease('ada')
      expect(control.takeLease('bob')).toEqual({ ok: false, reason: 'session:ada drives the observatory now' })
      expect(control.dropLease('bob').ok).toBe(false)
      await clock.sleep(controlLimits.leaseMs - 1_000)
      await control.command({ kind: 'track', on: false }, 'ada')
      await clock.sleep(controlLimits.leaseMs - 5_000)
      expect(control.lease()).toMatchObject({ holder: 'session:ada' })
      await clock.sleep(6_000)
      expect(control.lease()).toBeUndefined()
      expect(control.takeLease('bob')).toEqual(done)
      expect(control.dropLease('bob')).toEqual(done)
      expect(control.lease()).toBeUndefined()
    }))

  it('ends a movement by hand when nobody asks for it any more', () =>
    drive(async (at) => {
      const { control, commander, clock } = at
      await openUp(at)
      await control.command({ kind: 'slew', raDeg: 50, decDeg: 40 }, 'ada')
      const dec = (): number => commander.devices.mount.state().decDeg
      const before = dec()
      expect(await control.command({ kind: 'move', direction: 'north', speed: 1 }, 'ada')).toEqual(done)
      await clock.sleep(controlLimits.moveMs + 1_500)
      const after = dec()
      expect(Math.abs(after - before)).toBeGreaterThan(0.001)
      await clock.sleep(5_000)
      expect(dec()).toBeCloseTo(after, 3)
    }))
})

describe('the panic button', () => {
  it('parks, then closes, takes the lease from whoever holds it, and gives it back when all is closed', () =>
    drive(async (at) => {
      const { control, store, until, parts, clock } = at
      await openUp(at)
      await control.command({ kind: 'slew', raDeg: 50, decDeg: 40 }, 'ada')
      control.panic('eve')
      control.panic('mallory')
      expect(control.state().panic).toEqual({ by: 'eve', atMs: clock.now() })
      await clock.sleep(100)
      expect(control.takeLease('ada').ok).toBe(false)
      expect((await control.command({ kind: 'unpark' }, 'ada')).ok).toBe(false)
      await until(() => control.state().panic === undefined)
      expect(control.state()).toMatchObject({ roof: { position: 'closed' }, mount: { parked: true } })
      expect(parts.roof.opening()).toBe(0)
      expect(types(store).filter((type) => type.startsWith('panic.'))).toEqual(['panic.pressed', 'panic.ended'])
      expect(control.takeLease('ada')).toEqual(done)
    }))

  it('does not wait for a night that hangs in a slew', () =>
    drive(
      async (at) => {
        await openUp(at)
        at.control.panic('eve')
        await at.until((now) => positionOf(now) === 'closed')
        expect(at.control.state().mount.parked).toBe(true)
      },
      () => ({ phase: 'observing', stop: () => new Promise(() => undefined) }),
    ))

  it('leaves the closing to a night that does it, and looks that it is done', () => {
    const asked: string[] = []
    return drive(
      async (at) => {
        at.control.panic('eve')
        await at.until(({ control }) => control.state().panic === undefined)
        expect(asked).toEqual(['eve'])
        expect(types(at.store)).not.toContain('command.given')
      },
      (clock) => ({
        phase: 'observing',
        async stop(by) {
          asked.push(by)
          this.phase = 'closing'
          await clock.sleep(20_000)
          this.phase = 'closed'
          return done
        },
      }),
    )
  })

  it('repeats until a jammed roof is free, and says meanwhile that it takes too long', () =>
    drive(async (at) => {
      await openUp(at)
      at.parts.roof.jam(true)
      at.control.panic('eve')
      await at.until(({ control }) => control.state().panic?.alarm !== undefined)
      expect(at.control.state().panic?.alarm).toMatch(/roof has not closed/)
      at.parts.roof.jam(false)
      await at.until((now) => positionOf(now) === 'closed')
    }))

  it('ends when a person takes over', () =>
    drive(async (at) => {
      await openUp(at)
      at.parts.roof.jam(true)
      at.control.panic('eve')
      await at.clock.sleep(5_000)
      at.control.endPanic('ada')
      await at.until(({ control }) => control.state().panic === undefined)
      const ended = at.store.events(0, 1000).find(({ type }) => type === 'panic.ended')
      expect(ended?.body).toEqual({ by: 'ada', closed: false })
      expect(at.control.takeLease('ada')).toEqual(done)
    }))
})

describe('what was opened by hand', () => {
  it('is parked and closed when it rains', () =>
    drive(async (at) => {
      await openUp(at)
      await at.clock.sleep(5_000)
      expect(at.control.state().panic).toBeUndefined()
      at.parts.weather.setSky({ rainMillimetresPerHour: 3 })
      await at.until((now) => positionOf(now) === 'closed')
      expect(at.store.events(0, 1000).find(({ type }) => type === 'panic.pressed')?.body).toEqual({
        by: 'Nightjar',
        reason: expect.stringMatching(/rain/),
      })
    }))

  it('is parked and closed when nobody is in control any more', () =>
    drive(async (at) => {
      await openUp(at)
      at.control.dropLease('ada')
      await at.until((now) => positionOf(now) === 'closed')
      expect(at.control.state().mount.parked).toBe(true)
    }))

  it('is parked and closed when the daemon ends', async () => {
    const clock = new VirtualClock(startMs)
    const whole = async (): Promise<void> => {
      using folder = temporaryFolder()
      using store = openStore(folder.path)
      const { control, parts, ...opened } = await openSimulatedControl(store, clock)
      await using _ = opened
      control.takeLease('ada')
      await control.command({ kind: 'openRoof' }, 'ada')
      await control[Symbol.asyncDispose]()
      expect(parts.roof.opening()).toBe(0)
    }
    await clock.run(whole())
  })

  it('is left to the person who took over from the panic button', () =>
    drive(async (at) => {
      await openUp(at)
      at.parts.roof.jam(true)
      at.control.dropLease('ada')
      await at.until(({ control }) => control.state().panic !== undefined)
      at.control.endPanic('ada')
      await at.clock.sleep(10_000)
      expect(at.control.state().panic).toBeUndefined()
      at.parts.roof.jam(false)
    }))
})

describe('the generic property panel', () => {
  it('refuses raw changes to what the gate guards, with the command that is meant', () =>
    drive(async (at) => {
      const { control } = at
      control.takeLease('ada')
      const set = (device: string, property: string, values: Record<string, unknown>): Promise<Outcome> =>
        control.setProperty({ device, property, values }, 'ada')
      const park = await set('Telescope Simulator', 'TELESCOPE_PARK', { UNPARK: true })
      expect(park).toMatchObject({ ok: false, reason: expect.stringContaining('unpark') })
      const roof = await set('RollOff Simulator', 'DOME_PARK', { UNPARK: true })
      expect(roof).toMatchObject({ ok: false, reason: expect.stringContaining('openRoof') })
      for (const kind of ['cover', 'power', 'camera'] as const) {
        const device = at.parts[kind].device.name
        expect([kind, (await set(device, 'CONNECTION', { DISCONNECT: true })).ok]).toEqual([kind, false])
      }
      const override = await set(at.parts.weather.device.name, 'WEATHER_OVERRIDE', { OVERRIDE: true })
      expect(override).toMatchObject({ ok: false, reason: expect.stringContaining('WEATHER_OVERRIDE') })
      expect(at.parts.roof.opening()).toBe(0)
      expect(control.state().mount.parked).toBe(true)
    }))

  it('refuses raw changes to whatever says that it moves, though the settings do not name it', () =>
    drive(async ({ hardware, parts }) => {
      const why = (device: string): string | undefined => guardedDevice(hardware.indi, {}, device)
      expect(why('RollOff Simulator')).toMatch(/drives a roof.*devices\.roof/)
      expect(why('Telescope Simulator')).toMatch(/drives a mount/)
      expect(why(parts.power.device.name)).toMatch(/drives a power box/)
      expect(why('Focuser Simulator')).toBeUndefined()
    }))

  it('sets what no command stands for, for whoever has the lease', () =>
    drive(async (at) => {
      const { control } = at
      const change = {
        device: at.parts.focuser.device.name,
        property: 'ABS_FOCUS_POSITION',
        values: { FOCUS_ABSOLUTE_POSITION: 50_100 },
      }
      expect(await control.setProperty(change, 'ada')).toEqual({ ok: false, reason: 'take control first' })
      control.takeLease('ada')
      expect(await control.setProperty(change, 'ada')).toEqual(done)
      await at.until(() => at.parts.focuser.position() === 50_100)
      expect(types(at.store)).toContain('property.set')
      const tree = control.properties(change.device)
      const whole = tree.devices.filter(({ groups }) => groups.length > 0)
      expect(whole.map(({ name }) => name)).toEqual([change.device])
      expect(tree.devices.find(({ name }) => name === 'RollOff Simulator')?.guarded).toMatch(/roof/)
    }))
})

describe('the wires', () => {
  it('show what went over them, in pages', () =>
    drive(async ({ control }) => {
      expect(control.wires()).toEqual([{ name: 'simulated observatory', count: expect.any(Number) }])
      const page = control.wire('simulated observatory', undefined, 500)!
      expect(page.messages.some(({ what, text }) => what === 'out' && text.includes('getProperties'))).toBe(true)
      const first = control.wire('simulated observatory', 0, 3)!
      expect(first.messages).toHaveLength(3)
      const next = control.wire('simulated observatory', first.lastSeq, 3)!
      expect(next.messages[0]?.seq).toBe(first.lastSeq + 1)
      expect(control.wire('simulated observatory', page.lastSeq + 1e6, 3)?.messages).toEqual([])
      expect(control.wire('another', undefined, 3)).toBeUndefined()
    }))
})

it('says readings with their units and leaves out what JSON cannot say', () => {
  const state = {
    source: 'INDI x',
    atMs: 1,
    connected: true,
    temperatureC: -10,
    raDeg: Number.NaN,
    mountParked: true,
    binning: { x: 1, y: 2 },
    filters: ['L', 'R'],
    ports: [{ name: 'Camera', on: true, amps: 1.5 }],
    magPerSquareArcsec: 21.4,
  }
  expect(readingsOf(state)).toEqual([
    { name: 'temperature', value: -10, unit: '°C' },
    { name: 'mount parked', value: true },
    { name: 'binning x', value: 1 },
    { name: 'binning y', value: 2 },
    { name: 'filters', value: 'L, R' },
    { name: 'ports Camera on', value: true },
    { name: 'ports Camera amps', value: 1.5, unit: 'A' },
    { name: 'mag per square arcsec', value: 21.4, unit: 'mag/arcsec²' },
  ])
})
