import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createIndiClient, type IndiClient } from '../indi/client.ts'
import { createIndiServer } from '../indi/server.ts'
import { createRandom } from '../random.ts'
import { createSimulatedCamera, type SimulatedExposure } from '../simulators/camera.ts'
import { createSimulatedMount } from '../simulators/mount.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Camera } from './camera.ts'
import { separationDeg } from './epoch.ts'
import { createIndiCamera } from './indiCamera.ts'
import { createIndiMount } from './indiMount.ts'
import type { Mount } from './mount.ts'

const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
let stop = new AbortController()
let client: IndiClient | undefined
afterEach(async () => {
  stop.abort()
  await client?.[Symbol.asyncDispose]()
})

interface Bench {
  readonly clock: VirtualClock
  readonly camera: Camera
  readonly mount: Mount
  readonly client: IndiClient
  readonly taken: SimulatedExposure[]
  /** Replaces what the camera does when the shutter closes. */
  takeFrame: (exposure: SimulatedExposure) => Uint8Array | Promise<Uint8Array>
}

async function bench(): Promise<Bench> {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20))
  const taken: SimulatedExposure[] = []
  const made = { takeFrame: (_: SimulatedExposure): Uint8Array | Promise<Uint8Array> => Uint8Array.of(1, 2, 3) }
  const simulatedCamera = createSimulatedCamera({
    clock,
    widthPixels: 64,
    heightPixels: 48,
    pixelMicrometres: 3.76,
    takeFrame(exposure) {
      taken.push(exposure)
      return made.takeFrame(exposure)
    },
  })
  const simulatedMount = createSimulatedMount({ clock, random: createRandom(3), site })
  stop = new AbortController()
  for (const simulator of [simulatedCamera, simulatedMount]) void simulator.run(stop.signal).catch(() => undefined)
  const server = createIndiServer([simulatedCamera.device, simulatedMount.device])
  const connected = createIndiClient(memoryConnect(server.accept), { clock, random: createRandom(1) })
  client = connected
  const camera = createIndiCamera(connected, 'CCD Simulator', { clock })
  const mount = createIndiMount(connected, 'Telescope Simulator', { clock, site })
  await clock.advance(2_000)
  expect([camera.state().connected, mount.state().connected]).toEqual([true, true])
  return Object.assign(made, { clock, camera, mount, client: connected, taken })
}

describe('an INDI camera', () => {
  it('takes a frame with the settings that were made, and says when', async () => {
    const { clock, camera, taken } = await bench()
    const settings = async (): Promise<unknown[]> => [
      await camera.setGain(20),
      await camera.setOffset(70),
      await camera.setBinning(2, 2),
      await camera.setRoi({ x: 8, y: 4, widthPixels: 32, heightPixels: 16 }),
      await camera.setFilter('R'),
      await camera.setTemperature(-5),
    ]
    expect(await clock.run(settings())).toEqual(Array(6).fill({ ok: true }))
    const frame = await clock.run(camera.expose({ seconds: 10, frameType: 'dark' }))
    expect(frame).toMatchObject({ ok: true, format: '.fits', bytes: Uint8Array.of(1, 2, 3) })
    if (frame.ok) expect(frame.endedAtMs - frame.startedAtMs).toBe(10_000)
    expect(taken[0]).toMatchObject({
      seconds: 10,
      frameType: 'dark',
      gainSetting: 20,
      offsetSetting: 70,
      binX: 2,
      filterSlot: 2,
      roi: { x: 8, y: 4, width: 32, height: 16 },
    })
    expect(camera.state()).toMatchObject({
      source: 'INDI CCD Simulator',
      exposing: false,
      gain: 20,
      offset: 70,
      binning: { x: 2, y: 2 },
      widthPixels: 16,
      heightPixels: 8,
      pixelSizeMicrons: 3.76,
      filter: 'R',
      filters: ['L', 'R', 'G', 'B'],
    })
  })

  it('refuses what the camera cannot do without asking it', async () => {
    const { clock, camera, taken } = await bench()
    const refusals = async (): Promise<unknown[]> => [
      await camera.expose({ seconds: 4000, frameType: 'light' }),
      await camera.expose({ seconds: Number.NaN, frameType: 'light' }),
      await camera.setFilter('H_Alpha'),
      await camera.setRoi({ x: 60, y: 0, widthPixels: 32, heightPixels: 16 }),
      await camera.setGain(101),
    ]
    expect((await clock.run(refusals())).map((outcome) => (outcome as { reason: string }).reason)).toEqual([
      'CCD Simulator exposes 0 to 3600 s, not 4000 s',
      'the exposure time is not a number',
      'CCD Simulator has no filter H_Alpha; it has L, R, G, B',
      'the region does not fit into 64 × 48 pixels',
      'CCD Simulator.CCD_GAIN.GAIN = 101 is outside 0 to 100',
    ])
    expect(taken).toEqual([])
  })

  it('does one exposure at a time, and ends it when it is aborted, by call or by signal', async () => {
    const { clock, camera } = await bench()
    const first = camera.expose({ seconds: 60, frameType: 'light' })
    await clock.advance(3_000)
    expect(camera.state()).toMatchObject({ exposing: true, remainingSeconds: 57 })
    expect(await camera.expose({ seconds: 1, frameType: 'light' })).toEqual({
      ok: false,
      reason: 'CCD Simulator is exposing already',
    })
    expect(await clock.run(camera.abort())).toEqual({ ok: true })
    expect(await first).toEqual({ ok: false, reason: 'the exposure was aborted' })
    const cancel = new AbortController()
    const second = camera.expose({ seconds: 60, frameType: 'light', signal: cancel.signal })
    await clock.advance(3_000)
    cancel.abort('clouds')
    expect(await clock.run(second)).toEqual({ ok: false, reason: 'aborted: clouds' })
    expect(camera.state().exposing).toBe(false)
    expect(await clock.run(camera.expose({ seconds: 1, frameType: 'light' }))).toMatchObject({ ok: true })
  })

  it('gives up a camera that stays Busy, stops it, and can expose again', async () => {
    const tested = await bench()
    const { clock, camera } = tested
    tested.takeFrame = () => clock.sleep(86_400_000).then(() => Uint8Array.of(9))
    // The simulator holds the clock still while it makes a frame; a camera that hangs does not.
    clock.during = (work) => work
    const startedAt = clock.monotonic()
    const outcome = await clock.run(camera.expose({ seconds: 10, frameType: 'light' }))
    expect(outcome).toEqual({ ok: false, reason: 'no frame came within 60 s of the exposure' })
    expect(clock.monotonic() - startedAt).toBeLessThan(72_000)
    tested.takeFrame = () => Uint8Array.of(4)
    expect(await clock.run(camera.expose({ seconds: 1, frameType: 'light' }))).toMatchObject({
      bytes: Uint8Array.of(4),
    })
  })

  it('ends an exposure with the camera’s own words when it fails, and when the server goes', async () => {
    const tested = await bench()
    const { clock, camera, client: connected } = tested
    tested.takeFrame = () => {
      throw new Error('the sensor is on fire')
    }
    const broken = await clock.run(camera.expose({ seconds: 1, frameType: 'light' }))
    expect(broken).toEqual({ ok: false, reason: 'the sensor is on fire' })
    const lost = camera.expose({ seconds: 60, frameType: 'light' })
    await clock.advance(2_000)
    await connected[Symbol.asyncDispose]()
    expect(await clock.run(lost)).toMatchObject({ ok: false })
    expect(camera.state().connected).toBe(false)
  })
})

describe('an INDI mount', () => {
  it('slews to ICRS coordinates and tracks, parks and unparks', async () => {
    const { clock, mount } = await bench()
    const target = { raDeg: 350, decDeg: 40 }
    expect(await clock.run(mount.unpark())).toEqual({ ok: true })
    expect(await clock.run(mount.slew(target.raDeg, target.decDeg, 120_000))).toEqual({ ok: true })
    expect(mount.state()).toMatchObject({ tracking: true, slewing: false, parked: false })
    expect(separationDeg(mount.state(), target)).toBeLessThan(0.05)
    expect(await clock.run(mount.sync(350.1, 40.1))).toEqual({ ok: true })
    expect(separationDeg(mount.state(), { raDeg: 350.1, decDeg: 40.1 })).toBeLessThan(0.001)
    expect(await clock.run(mount.track(false))).toEqual({ ok: true })
    expect(mount.state().tracking).toBe(false)
    expect(await clock.run(mount.park(240_000))).toEqual({ ok: true })
    expect(mount.state()).toMatchObject({ parked: true, tracking: false, slewing: false })
    expect(await clock.run(mount.slew(10, 10, 60_000))).toMatchObject({ ok: false })
  })

  it('says that it was stopped, and stops what takes too long', async () => {
    const { clock, mount } = await bench()
    await clock.run(mount.unpark())
    const slew = mount.slew(200, 5, 120_000)
    await clock.advance(1_000)
    expect(mount.state().slewing).toBe(true)
    expect(await clock.run(mount.abort())).toEqual({ ok: true })
    expect(await clock.run(slew)).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
    const slow = await clock.run(mount.slew(200, 5, 2_000))
    expect(slow).toMatchObject({ ok: false, reason: expect.stringContaining('was not done within 2 s') as string })
    await clock.advance(2_000)
    expect(mount.state().slewing).toBe(false)
    expect(await mount.slew(10, 120, 1_000)).toEqual({ ok: false, reason: 'the target is not a place on the sky' })
  })
})
