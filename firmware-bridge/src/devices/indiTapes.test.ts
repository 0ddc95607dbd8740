import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { type ClientEvent, createIndiClient, type IndiClient } from '../indi/client.ts'
import { findNumber } from '../indi/properties.ts'
import { createRandom } from '../random.ts'
import { parseTape, replayTape } from '../wire/tape.ts'
import { createIndiCamera } from './indiCamera.ts'
import { createIndiCover } from './indiCover.ts'
import { createIndiFilterWheel } from './indiFilterWheel.ts'
import { createIndiFlatPanel } from './indiFlatPanel.ts'
import { createIndiFocuser } from './indiFocuser.ts'
import { createIndiGps } from './indiGps.ts'
import { createIndiPower } from './indiPower.ts'
import { createIndiRoof } from './indiRoof.ts'
import { createIndiRotator } from './indiRotator.ts'
import { createIndiSafety } from './indiSafety.ts'
import { createIndiSkyQuality } from './indiSkyQuality.ts'
import { createIndiWeather } from './indiWeather.ts'

interface Replay {
  readonly client: IndiClient
  readonly clock: VirtualClock
  readonly events: readonly ClientEvent[]
}

/**
 * Plays a tape of Debian's drivers (recordSimulators.ts) to its last moment, while `watch` reads the device after each
 * event; gives every different answer in order, and what the device says at the end.
 */
async function replay<T>(
  name: string,
  watch: (client: IndiClient, clock: VirtualClock) => () => T,
): Promise<Replay & { readonly seen: readonly T[]; readonly last: T }> {
  const path = new URL(`../../tapes/indi-${name}-1.9.9.jsonl`, import.meta.url)
  const tape = parseTape(readFileSync(path, 'utf8'))
  const clock = new VirtualClock(tape.startedAtMs)
  const events: ClientEvent[] = []
  const seen: T[] = []
  await using client = createIndiClient(replayTape(tape, clock), { clock, random: createRandom(1) })
  const read = watch(client, clock)
  const unlisten = client.listen((event) => {
    events.push(event)
    const now = read()
    if (JSON.stringify(now) !== JSON.stringify(seen.at(-1))) seen.push(now)
  })
  await clock.advance((tape.closed?.ms ?? 0) - 1)
  unlisten()
  expect(events.filter((event) => event.type === 'fault')).toEqual([])
  return { client, clock, events, seen, last: read() }
}

describe('the tapes of Debian’s drivers', () => {
  it('show a dome that opens, turns and closes, and is neither between', async () => {
    const { seen, last } = await replay('dome', (client, clock) => {
      const roof = createIndiRoof(client, 'Dome Simulator', { clock })
      return () => roof.state().position
    })
    expect(seen).toEqual(['unknown', 'closed', 'opening', 'open', 'closing', 'closed'])
    expect(last).toBe('closed')
  })

  it('show a roll-off roof that says it is open before it has moved, and is believed only afterwards', async () => {
    const { seen } = await replay('roll-off-roof', (client, clock) => {
      const roof = createIndiRoof(client, 'RollOff Simulator', { clock })
      return () => roof.state().position
    })
    expect(seen).toEqual(['unknown', 'closing', 'closed', 'opening', 'open', 'closing', 'closed'])
  })

  it('show a rotator that arrives, and keeps its angle when it is synced', async () => {
    const { last } = await replay('rotator', (client) => {
      const rotator = createIndiRotator(client, 'Rotator Simulator')
      return () => rotator.state()
    })
    expect(last).toMatchObject({ connected: true, moving: false, angleDeg: 25, reversed: false })
  })

  it('show a focuser and a filter wheel at their places', async () => {
    const focuser = await replay('focuser', (client) => {
      const device = createIndiFocuser(client, 'Focuser Simulator')
      return () => device.state()
    })
    expect(focuser.last).toMatchObject({ connected: true, moving: false, positionSteps: 51_000, maxSteps: 100_000 })
    const wheel = await replay('filter-wheel', (client) => {
      const device = createIndiFilterWheel(client, 'Filter Simulator')
      return () => device.state().filter
    })
    expect(wheel.seen.at(-1)).toBe('H_Alpha')
    expect(wheel.seen).toContain('Red')
  })

  it('show a frame of the guide camera', async () => {
    const { events, last } = await replay('guide-camera', (client, clock) => {
      const camera = createIndiCamera(client, 'Guide Simulator', { clock })
      return () => camera.state()
    })
    expect(last).toMatchObject({ connected: true, exposing: false, widthPixels: 96, heightPixels: 64 })
    const frames = events.filter((event) => event.type === 'blob')
    expect(frames).toHaveLength(1)
    const header = Buffer.from(frames[0]!.blobs[0]!.bytes).toString('latin1', 0, 2880)
    expect(header).toMatch(/NAXIS1 {2}= +96 /)
  })

  it('show rain: in the readings, in the verdict, and in the safety lights', async () => {
    const { last } = await replay('weather', (client, clock) => {
      const weather = createIndiWeather(client, 'Weather Simulator')
      const safety = createIndiSafety(client, 'Weather Simulator', { clock })
      return () => ({ weather: weather.state(), safety: safety.state() })
    })
    expect(last.weather).toMatchObject({
      verdict: 'danger',
      rainMillimetresPerHour: 5,
      raining: true,
      temperatureC: 15,
    })
    // 10 km/h, as the driver's label says.
    expect(last.weather.windMetresPerSecond).toBeCloseTo(10 / 3.6, 9)
    expect(last.safety).toMatchObject({ safe: false, raining: true })
  })

  it('show a place and a time, a sky brightness, and a light', async () => {
    const gps = await replay('gps', (client) => {
      const device = createIndiGps(client, 'GPS Simulator')
      return () => device.state()
    })
    // The simulator is at Greenwich's neighbour, 51° N 2.3° W.
    expect(gps.last).toMatchObject({ fix: '3d', latitudeDeg: 51, elevationMetres: 72 })
    expect(gps.last.longitudeDeg).toBeCloseTo(-2.3, 9)
    expect(Math.abs((gps.last.utcMs ?? 0) - gps.last.atMs)).toBeLessThan(1_500)
    const sky = await replay('sky-quality', (client) => {
      const device = createIndiSkyQuality(client, 'SQM Simulator')
      return () => device.state()
    })
    expect(sky.last.magPerSquareArcsec).toBeCloseTo(16.9, 6)
    expect(sky.last.temperatureC).toBe(21.5)
    const panel = await replay('light-panel', (client) => {
      const device = createIndiFlatPanel(client, 'Light Panel Simulator')
      return () => device.state()
    })
    expect(panel.last).toMatchObject({ lit: true, brightness: 120, maxBrightness: 255 })
  })

  it('show a lid that closes and opens, and a power box with a port that was turned off', async () => {
    const cover = await replay('snap-cap', (client) => {
      const device = createIndiCover(client, 'SnapCap')
      return () => device.state().position
    })
    expect(cover.seen.slice(-4)).toEqual(['moving', 'closed', 'moving', 'open'])
    const power = await replay('power-box', (client) => {
      const device = createIndiPower(client, 'Pegasus UPB')
      return () => device.state()
    })
    expect(power.last.volts).toBe(12)
    expect(power.last.ports.filter(({ on }) => !on).map(({ name }) => name)).toEqual(['Port 2'])
    expect(power.last.dewHeaters.map(({ name }) => name)).toEqual(['Dew A', 'Dew B', 'Dew C'])
  })

  it('show a watchdog that took a heartbeat, and a receiver that is none of our kinds', async () => {
    const watchdog = await replay('watchdog', (client, clock) => {
      const device = createIndiSafety(client, 'WatchDog', { clock })
      return () => device.can().has('heartbeat')
    })
    expect(watchdog.last).toBe(true)
    const receiver = await replay('receiver', (client) => {
      return () => findNumber(client.state, 'Receiver Simulator', 'RECEIVER_SETTINGS', 'RECEIVER_FREQUENCY')
    })
    // The hydrogen line, as the simulator starts.
    expect(receiver.last).toBe(1_420_000_000)
  })
})
