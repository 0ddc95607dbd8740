import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createNmeaGpsSimulator, type NmeaSimulator } from '../simulators/nmeaGps.ts'
import { memoryConnect } from '../wire/memory.ts'
import { connectSerial } from '../wire/serial.ts'
import { servePty } from '../wire/serialServe.ts'
import { createNmeaGps, type NmeaGps } from './nmeaGps.ts'

const place = { latitudeDeg: -33.87, longitudeDeg: 151.2089, elevationMetres: 58 }
const startMs = Date.UTC(2026, 10, 21, 20, 0, 0, 300)

async function play(
  story: (rig: { clock: VirtualClock; simulator: NmeaSimulator; gps: NmeaGps }) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock(startMs)
  const simulator = createNmeaGpsSimulator({ clock, ...place, clockErrorMs: 250 })
  const gps = createNmeaGps(memoryConnect(simulator.accept), { clock, random: createRandom('gps') })
  await clock.run(
    (async () => {
      expect(gps.state()).toMatchObject({ connected: false, fix: 'none', atMs: 0 })
      await clock.sleep(1_500)
      await story({ clock, simulator, gps })
      await gps[Symbol.asyncDispose]()
      await simulator[Symbol.asyncDispose]()
    })(),
  )
}

describe('a GPS receiver that speaks NMEA', () => {
  it('tells place and time, and whose clock is how far off', () =>
    play(async ({ gps }) => {
      const state = gps.state()
      expect(state).toMatchObject({ connected: true, fix: '3d', satellites: 8, elevationMetres: 58 })
      expect(state.latitudeDeg).toBeCloseTo(place.latitudeDeg, 6)
      expect(state.longitudeDeg).toBeCloseTo(place.longitudeDeg, 6)
      expect(state.utcMs! - state.atMs).toBe(250)
      expect(gps.can()).toEqual(new Set(['position', 'time']))
      expect(gps.faults()).toBe(0)
    }))

  it('has no place without a fix', () =>
    play(async ({ gps, simulator, clock }) => {
      simulator.trouble({ fix: 'none' })
      await clock.sleep(1_500)
      expect(gps.state()).toMatchObject({ connected: true, fix: 'none' })
      expect(gps.state().latitudeDeg).toBeUndefined()
      simulator.trouble({ fix: '2d' })
      await clock.sleep(1_500)
      expect(gps.state().fix).toBe('2d')
    }))

  it('is not believed when its checksums are wrong', () =>
    play(async ({ gps, simulator, clock }) => {
      simulator.trouble({ garbled: true })
      await clock.sleep(3_000)
      expect(gps.faults()).toBeGreaterThan(3)
      expect(gps.state().connected).toBe(false)
    }))

  it('is not connected within two seconds of silence, and comes back', () =>
    play(async ({ gps, simulator, clock }) => {
      simulator.trouble({ silent: true })
      const heard = gps.state().atMs
      while (gps.state().connected) await clock.sleep(10)
      expect(clock.now() - heard).toBeLessThanOrEqual(2_000)
      await clock.sleep(60_000)
      expect(gps.state()).toMatchObject({ connected: false, fix: 'none' })
      simulator.trouble({})
      await clock.sleep(35_000)
      expect(gps.state()).toMatchObject({ connected: true, fix: '3d' })
    }))
})

const hasSocat = spawnSync('socat', ['-V']).status === 0
if (!hasSocat) console.log('skipped: pseudo-terminals need socat (apt-get install socat)')

describe.skipIf(!hasSocat)('a GPS receiver on a serial port', () => {
  it('is read, and lost within two seconds when it is unplugged', async () => {
    const clock = systemClock
    const until = async (condition: () => boolean): Promise<number> => {
      const start = clock.monotonic()
      while (!condition() && clock.monotonic() - start < 5_000) await clock.sleep(5)
      expect(condition()).toBe(true)
      return clock.monotonic() - start
    }
    await using simulator = createNmeaGpsSimulator({ clock, ...place })
    await using port = await servePty(simulator.accept, clock)
    const connect = connectSerial({ path: port.path, baudRate: 9600 })
    await using gps = createNmeaGps(connect, { clock, random: createRandom('serial gps') })
    await until(() => gps.state().fix === '3d')
    port.unplug()
    const seenMs = await until(() => !gps.state().connected)
    expect(seenMs).toBeLessThan(2_000)
  })
})
