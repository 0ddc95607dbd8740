import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { separationDeg, toIcrs } from '../devices/epoch.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import type { Mount } from '../devices/mount.ts'
import { createRandom } from '../random.ts'
import { createLx200MountSimulator, type Lx200Simulator } from '../simulators/lx200Mount.ts'
import type { Lx200Dialect } from './commands.ts'
import { type DriverPeers, startDriverPeers } from './driverPeer.ts'

/** Debian's drivers, the real programs, with our simulator as their mount. */
const peers = [
  { driver: 'indi_lx200_OnStep', device: 'LX200 OnStep', dialect: 'onstep' },
  { driver: 'indi_lx200classic', device: 'LX200 Classic', dialect: 'classic' },
  { driver: 'indi_lx200basic', device: 'LX200 Basic', dialect: 'classic' },
] as const satisfies readonly { driver: string; device: string; dialect: Lx200Dialect }[]

const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
const programs = ['indiserver', 'unshare', 'ip', 'socat', ...peers.map((peer) => peer.driver)]
const missing = programs.filter((program) => !onPath(program))
if (missing.length > 0) {
  console.log(`skipped: no ${missing.join(', ')} (apt-get install indi-bin socat util-linux iproute2)`)
}

async function until(condition: () => boolean, timeoutMs = 15_000): Promise<void> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(10)
  expect(condition()).toBe(true)
}

describe.skipIf(missing.length > 0)('our LX200 simulator as the mount of Debian’s drivers', () => {
  const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
  const simulators = new Map<string, Lx200Simulator>()
  const mounts = new Map<string, Mount>()
  let rig: DriverPeers

  beforeAll(async () => {
    for (const { device, dialect } of peers) {
      const random = createRandom(device)
      simulators.set(device, createLx200MountSimulator({ clock, random, dialect, site, slewDegPerSecond: 40 }))
    }
    rig = await startDriverPeers({
      clock,
      random: createRandom(1),
      drivers: peers.map(({ driver, device }) => ({ driver, device, simulator: simulators.get(device)!.accept })),
    })
    for (const { device } of peers) mounts.set(device, createIndiMount(rig.client, device, { clock, site }))
    await until(() => [...mounts.values()].every((mount) => mount.state().connected))
    // The drivers ask for the first place a second after they connect.
    await until(() => [...simulators.values()].every((simulator) => simulator.heard.includes('declination')))
    await clock.sleep(200)
  })

  afterAll(() => rig?.[Symbol.asyncDispose]())

  /** A place `hours` west of the meridian. */
  function up(simulator: Lx200Simulator, hours: number, decDeg: number): { raDeg: number; decDeg: number } {
    const { raDeg, haDeg } = simulator.pointing()
    return toIcrs({ raDeg: (raDeg + haDeg - hours * 15 + 720) % 360, decDeg }, clock.now())
  }

  const truth = (simulator: Lx200Simulator) => toIcrs(simulator.pointing(), clock.now())
  const each = (play: (mount: Mount, simulator: Lx200Simulator, dialect: Lx200Dialect) => Promise<void>) =>
    Promise.all(peers.map(({ device, dialect }) => play(mounts.get(device)!, simulators.get(device)!, dialect)))

  it('shows where it points and is slewed by each of them', async () => {
    await each(async (mount, simulator) => {
      const target = up(simulator, -2, 40)
      expect(await mount.slew(target.raDeg, target.decDeg, 30_000)).toEqual({ ok: true })
      // The drivers aim in whole seconds of time: 15 arcseconds.
      expect(separationDeg(truth(simulator), target) * 3600).toBeLessThan(30)
      expect(separationDeg(mount.state(), target) * 3600).toBeLessThan(60)
    })
  })

  it('is synchronised', async () => {
    await each(async (mount, simulator) => {
      const { raDeg, decDeg } = up(simulator, -2, 40.2)
      expect(await mount.sync(raDeg, decDeg)).toEqual({ ok: true })
      await until(() => separationDeg(truth(simulator), { raDeg, decDeg }) < 0.03)
    })
  })

  // A driver sends a rate only while it believes that it tracks: before any abort.
  it('tracks at the rates of the stars, the Moon and the Sun', async () => {
    for (const device of ['LX200 OnStep', 'LX200 Classic']) {
      const [mount, simulator] = [mounts.get(device)!, simulators.get(device)!]
      for (const [rate, hz] of [
        ['lunar', 57.9],
        ['solar', 60],
        ['sidereal', 60.164274],
      ] as const) {
        expect(await mount.setTrackRate(rate)).toEqual({ ok: true })
        await until(() => Math.abs(simulator.pointing().trackingHz - hz) < 1e-4)
      }
    }
  })

  it('stops a slew where it is', async () => {
    await each(async (mount, simulator) => {
      const target = up(simulator, 4, 5)
      const slew = mount.slew(target.raDeg, target.decDeg, 30_000)
      await until(() => simulator.pointing().slewing)
      await until(() => mount.state().slewing)
      expect(await mount.abort()).toEqual({ ok: true })
      expect(await slew).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
      await until(() => !simulator.pointing().slewing)
    })
  })

  it('as OnStep is switched, parked and unparked', async () => {
    const [mount, simulator] = [mounts.get('LX200 OnStep')!, simulators.get('LX200 OnStep')!]
    await until(() => !mount.state().slewing)
    for (const on of [false, true]) {
      expect(await mount.track(on)).toEqual({ ok: true })
      await until(() => simulator.pointing().tracking === on)
    }
    expect(await mount.park(30_000)).toEqual({ ok: true })
    expect(simulator.pointing()).toMatchObject({ park: 'parked', tracking: false })
    expect(mount.state()).toMatchObject({ parked: true, tracking: false })
    expect(await mount.unpark()).toEqual({ ok: true })
    await until(() => simulator.pointing().park === 'unparked')
  })

  it('heard from them no command that it does not know', () => {
    for (const simulator of simulators.values()) {
      expect(simulator.heard.filter((command) => command.startsWith('unknown'))).toEqual([])
    }
  })
})
