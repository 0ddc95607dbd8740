import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import type { Camera, ExposedFrame } from '../devices/camera.ts'
import { separationDeg } from '../devices/epoch.ts'
import { createIndiCamera } from '../devices/indiCamera.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import type { Mount } from '../devices/mount.ts'
import { createRandom } from '../random.ts'
import type { ClientEvent } from './client.ts'
import { type DriverGroupEvent, type DriverGroups, startDriverGroups } from './driverGroups.ts'
import { type MountReturn, rememberMount } from './mountMemory.ts'
import { findNumber, findSwitch, findText } from './properties.ts'

const drivers = ['indi_simulator_telescope', 'indi_simulator_ccd']
const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
const missing = ['indiserver', 'unshare', 'ip', ...drivers].filter((program) => !onPath(program))
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install indi-bin util-linux iproute2)`)

const telescope = 'Telescope Simulator'
const ccd = 'CCD Simulator'
const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }

/** Processes of a group that run, by the name of their program. */
function processes(group: number | undefined, name = ''): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0')[0] ?? ''
      return Number(pgrp) === group && state !== 'Z' && command.endsWith(name) ? [Number(entry)] : []
    } catch {
      return []
    }
  })
}

async function until(condition: () => boolean, timeoutMs = 15_000): Promise<void> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(5)
  expect(condition()).toBe(true)
}

describe.skipIf(missing.length > 0)('driver groups of Debian’s indiserver', () => {
  const stack = new AsyncDisposableStack()
  const events: DriverGroupEvent[] = []
  const returns: MountReturn[] = []
  const mountEvents: ClientEvent[] = []
  let groups: DriverGroups
  let camera: Camera
  let mount: Mount

  const only = (group: string, program: string): number => {
    const found = processes(groups.processGroup(group), program)
    expect(found).toHaveLength(1)
    return found[0]!
  }
  /** Kills while a long exposure runs, then takes a short one as soon as the camera is there again. */
  async function killInExposure(program: string): Promise<{ frame: ExposedFrame; elapsedMs: number; reason: string }> {
    const lost = camera.expose({ seconds: 60, frameType: 'dark' })
    await until(() => (camera.state().remainingSeconds ?? 0) > 50)
    const killedAt = clock.monotonic()
    process.kill(only('camera', program), 'SIGKILL')
    const failed = await lost
    await until(() => camera.state().connected && camera.state().widthPixels === 512)
    const frame = await camera.expose({ seconds: 0.01, frameType: 'dark' })
    if (failed.ok || !frame.ok) throw new Error(JSON.stringify(failed.ok ? 'not lost' : frame))
    return { frame, elapsedMs: clock.monotonic() - killedAt, reason: failed.reason }
  }
  const mountIsUntouched = (): void => {
    expect(mountEvents.filter((event) => event.type === 'deviceLost')).toEqual([])
    expect(mount.state()).toMatchObject({ connected: true, tracking: true })
  }

  beforeAll(async () => {
    groups = stack.use(
      await startDriverGroups(
        [
          { name: 'mount', drivers: [{ program: 'indi_simulator_telescope' }] },
          { name: 'camera', drivers: [{ program: 'indi_simulator_ccd' }], blobs: 'attached' },
        ],
        { clock, random: createRandom(1), onEvent: (event) => void events.push(event) },
      ),
    )
    camera = createIndiCamera(groups.client, ccd, { clock })
    mount = createIndiMount(groups.client, telescope, { clock, site })
    groups.client.listen((event) => {
      if ('device' in event && event.device === telescope) mountEvents.push(event)
    })
    stack.use(
      rememberMount(groups.client, telescope, {
        clock,
        positionIn: 'driver',
        onReturn: (report) => void returns.push(report),
      }),
    )
    await until(() => camera.state().connected && mount.state().connected)
    const sensor = { SIM_XRES: 512, SIM_YRES: 512 }
    expect(await groups.client.set(ccd, 'SIMULATOR_SETTINGS', sensor, { keep: true })).toEqual({ ok: true })
    await until(() => camera.state().widthPixels === 512)
    expect(await mount.unpark()).toEqual({ ok: true })
    // Where it stands is called another place: a slew away from the pole would take 15 s.
    const zenithHours = findNumber(groups.client.state, telescope, 'EQUATORIAL_EOD_COORD', 'RA') ?? 0
    expect(await mount.sync(zenithHours * 15, 60)).toEqual({ ok: true })
    expect(await mount.track(true)).toEqual({ ok: true })
    expect(mount.state().tracking).toBe(true)
  })

  afterAll(() => stack.disposeAsync())

  it('run each in a network namespace of its own, and their devices are found by name', () => {
    const namespaces = ['mount', 'camera'].map((name) => readlinkSync(`/proc/${only(name, 'indiserver')}/ns/net`))
    expect(new Set([...namespaces, readlinkSync('/proc/self/ns/net')]).size).toBe(3)
    expect(groups.state()).toMatchObject([
      { name: 'mount', state: 'running', deaths: 0, devices: [telescope] },
      { name: 'camera', state: 'running', deaths: 0, devices: [ccd] },
    ])
  })

  it('lose a camera driver, then its whole server, in mid-exposure: the frame is retaken and the mount knows nothing of it', async () => {
    mountEvents.length = 0
    const driver = await killInExposure('indi_simulator_ccd')
    expect(driver.reason).toBe(`${ccd} was lost`)
    mountIsUntouched()
    const server = await killInExposure('indiserver')
    expect(server.reason).toBe(`${ccd} was lost`)
    expect(server.frame.bytes.length).toBe(driver.frame.bytes.length)
    mountIsUntouched()
    expect(groups.state()[1]).toMatchObject({ name: 'camera', deaths: 1, reason: 'SIGKILL' })
    console.log(
      `kill -9 to a retaken frame: driver ${driver.elapsedMs.toFixed(0)} ms, server ${server.elapsedMs.toFixed(0)} ms`,
    )
  })

  it.each([['indi_simulator_telescope'], ['indiserver']])(
    'bring a mount whose %s was killed in mid-slew back to where it was: site, time, sync and tracking',
    async (program) => {
      returns.length = 0
      const slew = mount.slew((mount.state().raDeg + 40) % 360, 50, 60_000)
      await until(() => mount.state().slewing)
      await clock.sleep(600)
      process.kill(only('mount', program), 'SIGKILL')
      const ended = await slew
      expect(ended).toMatchObject({ ok: false, reason: expect.stringContaining('was lost') as string })
      await until(() => returns.length === 1, 30_000)
      expect(returns[0]).toMatchObject({ outcome: { ok: true }, wasSlewing: true })
      expect(returns[0]?.restored).toEqual(expect.arrayContaining(['site', 'time', 'sync', 'tracking']))
      const { client } = groups
      expect(findNumber(client.state, telescope, 'GEOGRAPHIC_COORD', 'LAT')).toBeCloseTo(site.latitudeDeg, 4)
      const utc = Date.parse(`${findText(client.state, telescope, 'TIME_UTC', 'UTC')}Z`)
      expect(Math.abs(clock.now() - utc)).toBeLessThan(60_000)
      expect(findSwitch(client.state, telescope, 'TELESCOPE_TRACK_STATE', 'TRACK_ON')).toBe(true)
      await until(() => mount.state().tracking)
      console.log(`kill -9 of ${program} in mid-slew to tracking again: ${returns[0]?.elapsedMs.toFixed(0)} ms`)
    },
  )

  it('bring a mount back to its place on the sky', async () => {
    returns.length = 0
    const before = mount.state()
    process.kill(only('mount', 'indi_simulator_telescope'), 'SIGKILL')
    await until(() => returns.length === 1, 30_000)
    expect(returns[0]?.outcome).toEqual({ ok: true })
    await until(() => mount.state().tracking)
    expect(separationDeg(mount.state(), before)).toBeLessThan(0.05)
  })

  it('restart a driver on request, also one that hangs, and only that one', async () => {
    mountEvents.length = 0
    const first = only('camera', 'indi_simulator_ccd')
    expect(await groups.restartDriver(ccd)).toEqual({ ok: true })
    const second = only('camera', 'indi_simulator_ccd')
    expect(second).not.toBe(first)
    await until(() => camera.state().connected)
    process.kill(second, 'SIGSTOP')
    expect(await groups.restartDriver(ccd)).toEqual({ ok: true })
    expect(processes(groups.processGroup('camera'), 'indi_simulator_ccd')).not.toContain(second)
    await until(() => camera.state().connected && camera.state().widthPixels === 512)
    expect(await camera.expose({ seconds: 0.01, frameType: 'dark' })).toMatchObject({ ok: true })
    mountIsUntouched()
    expect(await groups.restartDriver('Nobody')).toEqual({ ok: false, reason: 'no driver of Nobody is known' })
  })

  it('start a group anew when its relay is killed, and when they are asked to', async () => {
    mountEvents.length = 0
    const relay = groups.processGroup('camera')!
    process.kill(relay, 'SIGKILL')
    await until(() => groups.processGroup('camera') !== relay && groups.state()[1]?.state === 'running')
    expect(processes(relay)).toEqual([])
    await until(() => camera.state().connected)
    expect(await groups.restartGroup('camera')).toEqual({ ok: true })
    await until(() => camera.state().connected)
    mountIsUntouched()
    expect(await groups.restartGroup('nobody')).toEqual({ ok: false, reason: 'there is no driver group nobody' })
  })

  it('leave no process and no file behind', async () => {
    const numbers = ['mount', 'camera'].map((name) => groups.processGroup(name))
    await stack.disposeAsync()
    await until(() => numbers.every((group) => processes(group).length === 0))
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`nightjar-indi-${process.pid}-`))).toEqual([])
    expect(groups.state().map((group) => group.state)).toEqual(['stopped', 'stopped'])
  })
})

describe.skipIf(missing.length > 0)('a driver group whose server cannot live', () => {
  it('is given up after its budget, and tried again when somebody asks', async () => {
    const events: DriverGroupEvent[] = []
    const restart = { firstMs: 5, longestMs: 10, most: 3, windowMs: 60_000, stableMs: 60_000 }
    await using groups = await startDriverGroups([{ name: 'camera', drivers: [{ program: 'indi_simulator_ccd' }] }], {
      clock,
      random: createRandom(2),
      restart,
      onEvent: (event) => void events.push(event),
    })
    while (!events.some((event) => event.type === 'groupGivenUp')) {
      for (const pid of processes(groups.processGroup('camera'), 'indiserver')) process.kill(pid, 'SIGKILL')
      await clock.sleep(10)
    }
    expect(groups.state()).toMatchObject([{ state: 'givenUp' }])
    expect(groups.state()[0]!.deaths).toBeGreaterThan(3)
    expect(groups.processGroup('camera')).toBeUndefined()
    expect(await groups.restartDriver(ccd)).toMatchObject({ ok: false })
    expect(await groups.restartGroup('camera')).toEqual({ ok: true })
    expect(groups.state()).toMatchObject([{ state: 'running' }])
  })
})
