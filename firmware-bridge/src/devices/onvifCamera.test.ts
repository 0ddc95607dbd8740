import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createOnvifClient } from '../onvif/client.ts'
import { createRandom } from '../random.ts'
import { type SimulatedOnvifCameraOptions, startSimulatedOnvifCamera } from '../simulators/onvifCamera.ts'
import { arePresent, freePort, startProgram, until } from '../simulators/realPeers.ts'
import type { AllSkyCamera } from './allSkyCamera.ts'
import { createOnvifCamera, type OnvifCameraOptions, onvifCameraCard } from './onvifCamera.ts'

const common = { clock, random: createRandom(1), host: '127.0.0.1', username: 'admin', password: 'secret' }
const connect = (port: number, more: Partial<OnvifCameraOptions> = {}): AllSkyCamera =>
  createOnvifCamera({ ...common, port, ...more })
const start = (options: Partial<SimulatedOnvifCameraOptions> = {}) => startSimulatedOnvifCamera({ clock, ...options })
const heard = (camera: AllSkyCamera): Promise<void> => until('heard', () => camera.state().problem !== 'not heard yet')

describe('an ONVIF camera', () => {
  it('that is three years behind is signed to by its own clock; images and turns follow', async () => {
    const threeYears = -3 * 365 * 86_400
    await using device = await start({ clockOffsetSeconds: threeYears })
    await using camera = connect(device.port)
    await heard(camera)
    const { connected, model, clockOffsetSeconds = 0, atMs } = camera.state()
    expect({ connected, model }).toEqual({ connected: true, model: 'Nightjar All Sky' })
    expect(Math.abs(clockOffsetSeconds - threeYears)).toBeLessThan(3)
    expect(clock.now() - atMs).toBeLessThan(5_000)
    expect([...camera.can()]).toEqual(['snapshot', 'pointTo'])
    const snapshot = await camera.snapshot()
    expect(snapshot).toMatchObject({ ok: true, mediaType: 'image/jpeg' })
    expect(await camera.pointTo(0.5, -0.25, 0.1)).toEqual({ ok: true })
    expect(device.pointing).toEqual({ pan: 0.5, tilt: -0.25, zoom: 0.1 })
    expect(await camera.pointTo(2, 0, 0)).toMatchObject({ ok: false })
  })

  it('that tells the time only to those who know the password is heard all the same', async () => {
    await using device = await start({ lockedTime: true })
    await using camera = connect(device.port)
    await heard(camera)
    expect(camera.state()).toMatchObject({ connected: true })
  })

  it('that takes only HTTP’s digest, and Basic for images, is given them', async () => {
    await using device = await start({ authentication: 'digest', snapshotLock: 'basic' })
    await using camera = connect(device.port)
    await heard(camera)
    expect(camera.state()).toMatchObject({ connected: true })
    expect(await camera.snapshot()).toMatchObject({ ok: true })
  })

  it('that names another address is reached at its true one', async () => {
    await using device = await start({ claimedAddress: '192.0.2.7:81' })
    await using camera = connect(device.port)
    await heard(camera)
    expect(camera.state()).toMatchObject({ connected: true })
    expect(await camera.snapshot()).toMatchObject({ ok: true })
  })

  it('says in words that the password is wrong, and that nobody is there', async () => {
    await using device = await start()
    await using camera = connect(device.port, { password: 'wrong' })
    await heard(camera)
    expect(camera.state()).toMatchObject({
      connected: false,
      problem: 'the camera does not take the user name and password',
    })
    expect(await camera.snapshot()).toMatchObject({ ok: false })
    await using nobody = connect(await freePort())
    await heard(nobody)
    expect(nobody.state().problem).toContain('nothing listens there')
  })

  it('that answers nonsense breaks nothing but itself, and is back when it talks sense', async () => {
    await using device = await start()
    const nonsense = [
      '',
      'hello',
      '<a>',
      '<s:Envelope xmlns:s="x"><s:Body/></s:Envelope>',
      '<s:Envelope xmlns:s="x"><s:Body><GetServicesResponse/></s:Body></s:Envelope>',
      '<s:Envelope xmlns:s="x"><s:Body><GetProfilesResponse><Profiles/></GetProfilesResponse></s:Body></s:Envelope>',
    ]
    for (const reply of nonsense) {
      device.intercept = (operation) => (operation === 'GetSystemDateAndTime' ? undefined : reply)
      await using camera = connect(device.port, { intervalMs: 200 })
      await heard(camera)
      expect(camera.state(), reply).toMatchObject({ connected: false })
      device.intercept = undefined
      await until('sense', () => camera.state().connected)
    }
  }, 20_000)
})

/** The replies that the makers of the package onvif recorded, as files. */
function cannedReplies(): string {
  const main = createRequire(import.meta.url).resolve('onvif-mock')
  return join(dirname(main), '..', 'test', 'serverMockup')
}

describe('the recorded replies of a real camera', () => {
  it('connect, describe and turn', async () => {
    const folder = cannedReplies()
    const seen: string[] = []
    const server = http.createServer((request, response) => {
      let xml = ''
      request.on('data', (part: Buffer) => {
        xml += part.toString()
      })
      request.on('end', () => {
        const [, operation = ''] = /Body[^>]*>\s*<(?:\w+:)?(\w+)/.exec(xml) ?? []
        const service = /onvif\.org\/ver\d+\/(\w+)\/wsdl/.exec(xml)?.[1] ?? ''
        seen.push(operation)
        const file = [`${service}.${operation}.xml`, `${operation}.xml`]
          .map((name) => join(folder, name))
          .find(existsSync)
        const port = String((server.address() as AddressInfo).port)
        const values: Readonly<Record<string, string>> = { host: '127.0.0.1', localhost: '127.0.0.1', port }
        const reply = readFileSync(file ?? join(folder, 'Error.xml'), 'utf8').replace(
          /\{\{?=?\s*(\w+)\s*\}?\}/g,
          (all, name: string) => values[name] ?? all,
        )
        response.writeHead(file ? 200 : 500, { 'content-type': 'application/soap+xml' }).end(reply)
      })
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    try {
      await using camera = connect((server.address() as AddressInfo).port)
      await heard(camera)
      expect(camera.state()).toMatchObject({ connected: true, problem: undefined })
      // As GetDeviceInformation.xml of the recording has it.
      expect(camera.state().model).toBe('Mockup Manufacturer Mockup Model')
      expect(seen).toEqual(
        expect.arrayContaining(['GetSystemDateAndTime', 'GetServices', 'GetProfiles', 'GetStreamUri']),
      )
      expect(camera.can().has('pointTo')).toBe(true)
      expect(await camera.pointTo(0.1, 0.2, 0)).toMatchObject({ ok: true })
      expect(seen).toContain('AbsoluteMove')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

const rtspServer = `
import sys, gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address('127.0.0.1')
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch('( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 ! jpegenc ! rtpjpegpay name=pay0 pt=26 )')
factory.set_shared(True)
server.get_mount_points().add_factory('/sky', factory)
server.attach(None)
print('listening', flush=True)
GLib.timeout_add_seconds(60, sys.exit)
GLib.MainLoop().run()
`
const typelib = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map(
  (folder) => `${folder}/girepository-1.0/GstRtspServer-1.0.typelib`,
)
const withTypelib = typelib.some(existsSync)
const packages = 'ffmpeg python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good'
const withStream = arePresent(['ffmpeg', '/usr/bin/python3'], packages) && withTypelib
if (!withTypelib) console.log(`skipped: no GStreamer RTSP server (apt-get install ${packages})`)

describe('a camera whose replies are damaged', () => {
  it('is connected or says why not, 40 times, and the daemon lives', async () => {
    const random = createRandom('damaged replies')
    await using device = await start({ authentication: 'none' })
    device.intercept = (operation) => {
      const file = join(cannedReplies(), `${operation}.xml`)
      if (!existsSync(file) || operation === 'GetSystemDateAndTime') return undefined
      const reply = readFileSync(file, 'utf8')
      const at = random.integer(reply.length)
      return reply.slice(0, at) + String.fromCharCode(random.integer(128)) + reply.slice(at + random.integer(300))
    }
    const address = { host: '127.0.0.1', port: device.port, username: 'a', password: 'b', useWsSecurity: true }
    await using client = createOnvifClient(address, clock, 500)
    let refused = 0
    for (let round = 0; round < 40; round++) {
      const answer = await client.ask({ method: 'connect' })
      if (!answer.ok) refused++
      if (!answer.ok) expect(answer.reason).not.toMatch(/undefined|TypeError/)
    }
    expect(refused).toBeGreaterThan(5)
    device.intercept = undefined
    await until('sense', async () => (await client.ask({ method: 'connect' })).ok)
  }, 20_000)
})

describe.skipIf(!withStream)('GStreamer’s RTSP server', () => {
  it('gives a frame to a camera without snapshots; a stream that is not there fails in time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-rtsp-'))
    const port = await freePort()
    const script = join(folder, 'server.py')
    writeFileSync(script, rtspServer)
    await using server = startProgram('/usr/bin/python3', [script, String(port)])
    try {
      await until('the stream', () => server.output().includes('listening'))
      // The address that the camera claims is another: only the port is true.
      const streamUri = `rtsp://192.0.2.7:${port}/sky`
      await using device = await start({ hasSnapshot: false, streamUri })
      await using camera = connect(device.port)
      await heard(camera)
      expect([...camera.can()]).toEqual([...onvifCameraCard.can])
      const frame = await camera.snapshot(20_000)
      expect(frame).toMatchObject({ ok: true, mediaType: 'image/jpeg' })
      if (frame.ok) expect([...frame.bytes.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff])
      await server.kill()
      expect(await camera.snapshot(10_000)).toMatchObject({ ok: false, reason: /no frame/ })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 40_000)
})
