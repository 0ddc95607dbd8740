import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import type { Camera } from '../devices/camera.ts'
import { separationDeg } from '../devices/epoch.ts'
import { createIndiCamera } from '../devices/indiCamera.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import type { Mount } from '../devices/mount.ts'
import { createRandom } from '../random.ts'
import type { Connect } from '../wire/wire.ts'
import { type ClientEvent, createIndiClient, type IndiClient } from './client.ts'
import { type Indiserver, startIndiserver } from './indiserver.ts'

/** Debian's server and simulators, the real programs. */
const drivers = ['indi_simulator_telescope', 'indi_simulator_ccd']
const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
const missing = ['indiserver', 'unshare', 'ip', ...drivers].filter((program) => !onPath(program))
if (missing.length > 0) {
  console.log(`skipped: no ${missing.join(', ')} (apt-get install indi-bin util-linux iproute2)`)
}

interface Member {
  readonly pid: number
  readonly command: string
}

/** The processes of a group, by their command lines. */
function members(group: number): Member[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        return Number(pgrp) === group && state !== 'Z' ? [{ pid: Number(name), command }] : []
      } catch {
        return []
      }
    })
}

async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(10)
  expect(condition()).toBe(true)
}

describe.skipIf(missing.length > 0)('Debian’s indiserver with its simulators', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-gsc-'))
  const stack = new AsyncDisposableStack()
  const events: ClientEvent[] = []
  let server: Indiserver
  let client: IndiClient
  let camera: Camera
  let mount: Mount
  /** Called with the bytes of each chunk from the server. */
  let onChunk: (bytes: Uint8Array) => void = () => undefined

  function killProgram(name: string): void {
    const found = members(server.processGroup).filter(({ command }) => command.split(' ')[0]?.endsWith(name))
    expect(found).toHaveLength(1)
    process.kill(found[0]!.pid, 'SIGKILL')
  }

  const setSensor = (pixels: number): Promise<unknown> =>
    client.set('CCD Simulator', 'SIMULATOR_SETTINGS', { SIM_XRES: pixels, SIM_YRES: pixels }, { keep: true })

  beforeAll(async () => {
    writeFileSync(join(folder, 'gsc'), `#!/bin/sh\necho "$@" >> ${join(folder, 'calls')}\n`)
    chmodSync(join(folder, 'gsc'), 0o755)
    server = stack.use(await startIndiserver({ drivers, clock, path: [folder], blobs: 'tcp' }))
    const connect: Connect = (handlers, signal) =>
      server.connect(
        {
          onBytes(bytes) {
            onChunk(bytes)
            handlers.onBytes(bytes)
          },
          onClose: handlers.onClose,
        },
        signal,
      )
    client = stack.use(createIndiClient(connect, { clock, random: createRandom(1) }))
    client.listen((event) => void events.push(event))
    camera = createIndiCamera(client, 'CCD Simulator', { clock })
    mount = createIndiMount(client, 'Telescope Simulator', {
      clock,
      site: { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 },
    })
    await until(() => camera.state().connected && mount.state().connected)
    expect(await setSensor(512)).toEqual({ ok: true })
    await until(() => camera.state().widthPixels === 512)
  })

  afterAll(async () => {
    await stack.disposeAsync()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is alone in a network namespace, behind a socket in a folder that only its user can enter', () => {
    for (const { pid } of members(server.processGroup)) {
      expect(readlinkSync(`/proc/${pid}/ns/net`)).not.toBe(readlinkSync('/proc/self/ns/net'))
    }
    expect(statSync(dirname(server.socketPath)).mode & 0o777).toBe(0o700)
  })

  it('takes a frame, and its driver finds the star catalogue that it was given', async () => {
    const frame = await camera.expose({ seconds: 0.2, frameType: 'light' })
    expect(frame).toMatchObject({ ok: true, format: '.fits' })
    if (!frame.ok) return
    const header = Buffer.from(frame.bytes.subarray(0, 2880)).toString('latin1')
    expect(header).toMatch(/^SIMPLE {2}= {20}T/)
    expect(header).toMatch(/NAXIS1 {2}= +512 /)
    expect(frame.bytes.length % 2880).toBe(0)
    expect(frame.bytes.length).toBeGreaterThan(512 * 512 * 2)
    expect(frame.endedAtMs - frame.startedAtMs).toBe(200)
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toMatch(/^-c /)
  })

  it('takes and refuses settings', async () => {
    expect(await camera.setGain(40)).toEqual({ ok: true })
    expect(await camera.setFilter('Blue')).toEqual({ ok: true })
    expect(await camera.setTemperature(-3)).toEqual({ ok: true })
    expect(await camera.setRoi({ x: 0, y: 0, widthPixels: 128, heightPixels: 64 })).toEqual({ ok: true })
    expect(camera.state()).toMatchObject({ gain: 40, filter: 'Blue', widthPixels: 128, heightPixels: 64 })
    expect(await camera.setRoi(undefined)).toEqual({ ok: true })
    // Refused by the driver itself, past our own checks: it echoes the value, says Alert and keeps it.
    const wide = { X: 0, Y: 0, WIDTH: 2000, HEIGHT: 100 }
    const refused = await client.set('CCD Simulator', 'CCD_FRAME', wide)
    expect(refused).toMatchObject({ ok: false })
    expect(await camera.setRoi(undefined)).toEqual({ ok: true })
  })

  it('aborts an exposure and takes another', async () => {
    const cancel = new AbortController()
    const long = camera.expose({ seconds: 30, frameType: 'light', signal: cancel.signal })
    await until(() => (camera.state().remainingSeconds ?? 0) > 20)
    cancel.abort('clouds')
    expect(await long).toEqual({ ok: false, reason: 'aborted: clouds' })
    expect(await camera.expose({ seconds: 0, frameType: 'bias' })).toMatchObject({ ok: true })
  })

  it('slews, syncs, parks and unparks', async () => {
    expect(await mount.unpark()).toEqual({ ok: true })
    // It is told that it stands near the target: a slew away from the pole takes 15 s.
    expect(await mount.sync(mount.state().raDeg, 78)).toEqual({ ok: true })
    const start = mount.state()
    const near = { raDeg: (start.raDeg + 3) % 360, decDeg: 80 }
    expect(await mount.slew(near.raDeg, near.decDeg, 60_000)).toEqual({ ok: true })
    expect(separationDeg(mount.state(), near)).toBeLessThan(0.1)
    expect(mount.state()).toMatchObject({ tracking: true, slewing: false })
    expect(await mount.sync(near.raDeg, 80.1)).toEqual({ ok: true })
    expect(separationDeg(mount.state(), { raDeg: near.raDeg, decDeg: 80.1 })).toBeLessThan(0.001)
    // Park where it stands: the default place is half the sky away.
    const here = await client.set(
      'Telescope Simulator',
      'TELESCOPE_PARK_OPTION',
      { PARK_CURRENT: true },
      { judge: () => 'done' },
    )
    expect(here).toEqual({ ok: true })
    expect(await mount.park(60_000)).toEqual({ ok: true })
    expect(mount.state()).toMatchObject({ parked: true, tracking: false })
    expect(await mount.slew(near.raDeg, 70, 10_000)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('Please unpark the mount') as string,
    })
    expect(await mount.unpark()).toEqual({ ok: true })
    expect(mount.state().parked).toBe(false)
    const slew = mount.slew((near.raDeg + 90) % 360, 20, 60_000)
    await until(() => mount.state().slewing)
    expect(await mount.abort()).toEqual({ ok: true })
    expect(await slew).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
    await until(() => !mount.state().slewing)
  })

  it('loses an exposure as a value when the driver is killed, and is connected and set as before after it', async () => {
    expect(await camera.setGain(55)).toEqual({ ok: true })
    const lost = camera.expose({ seconds: 30, frameType: 'light' })
    await until(() => (camera.state().remainingSeconds ?? 0) > 20)
    killProgram('indi_simulator_ccd')
    expect(await lost).toEqual({ ok: false, reason: 'CCD Simulator was lost' })
    await until(() => camera.state().connected && camera.state().gain === 55 && camera.state().widthPixels === 512)
    expect(events).toContainEqual({ type: 'restored', device: 'CCD Simulator', name: 'CONNECTION' })
    await until(() => mount.state().connected)
    expect(await camera.expose({ seconds: 0.1, frameType: 'light' })).toMatchObject({ ok: true })
  })

  it('comes back when the server is killed during an exposure', async () => {
    const lost = camera.expose({ seconds: 30, frameType: 'light' })
    await until(() => (camera.state().remainingSeconds ?? 0) > 20)
    killProgram('indiserver')
    expect(await lost).toEqual({ ok: false, reason: 'the connection to the server was lost' })
    expect(camera.state().connected).toBe(false)
    await until(() => camera.state().connected && mount.state().connected && camera.state().gain === 55, 20_000)
    expect(await camera.expose({ seconds: 0.1, frameType: 'light' })).toMatchObject({ ok: true })
  })

  it('comes back when the server is killed in the middle of a BLOB', async () => {
    expect(await setSensor(4096)).toEqual({ ok: true })
    await until(() => camera.state().widthPixels === 4096)
    let received = 0
    onChunk = (bytes) => {
      received += bytes.length
      if (received < 2 << 20) return
      onChunk = () => undefined
      killProgram('indiserver')
    }
    const lost = await camera.expose({ seconds: 0.1, frameType: 'light' })
    expect(lost).toEqual({ ok: false, reason: 'the connection to the server was lost' })
    expect(await setSensor(512)).toEqual({ ok: true })
    await until(() => camera.state().connected && camera.state().widthPixels === 512, 20_000)
    const next = await camera.expose({ seconds: 0.1, frameType: 'light' })
    expect(next).toMatchObject({ ok: true })
    if (next.ok) expect(next.bytes.length).toBeLessThan(600_000)
  })

  it('leaves no process and no file behind', async () => {
    const group = server.processGroup
    expect(members(group).length).toBeGreaterThanOrEqual(4)
    await stack.disposeAsync()
    await until(() => members(group).length === 0)
    expect(existsSync(dirname(server.socketPath))).toBe(false)
  })
})

describe('a server that cannot start', () => {
  it('names the package of a missing program', async () => {
    await expect(startIndiserver({ drivers: ['indi_no_such_driver'], clock })).rejects.toMatchObject({
      code: 'indi/missing',
      message: expect.stringContaining('apt-get install') as string,
    })
  })
})
