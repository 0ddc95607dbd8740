import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createSimulatedCamera } from '../simulators/camera.ts'
import { createSimulatedFocuser } from '../simulators/focuser.ts'
import { createSimulatedMount } from '../simulators/mount.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'
import type { IndiMessage } from './messages.ts'
import { createIndiServer, type IndiServer, type ServedDevice, type ServerLimits } from './server.ts'

const run = promisify(execFile)
const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing[Symbol.asyncDispose]()
})

/** A camera whose frames are `frame`, a mount and a focuser, served on loopback. */
async function served(frame: Uint8Array, limits?: ServerLimits): Promise<{ server: IndiServer; port: number }> {
  const clock = systemClock
  const takeFrame = (): Uint8Array => frame
  const size = { widthPixels: 64, heightPixels: 48, pixelMicrometres: 3.76 }
  const camera = createSimulatedCamera({ clock, ...size, takeFrame })
  const site = { latitudeDeg: 28, longitudeDeg: -17, elevationMetres: 2000 }
  const mount = createSimulatedMount({ clock, random: createRandom(1), site })
  const focuser = createSimulatedFocuser({ clock, startSteps: 50_000 })
  const server = createIndiServer([camera.device, mount.device, focuser.device], limits)
  opened.push(server)
  const address = await server.listen({ host: '127.0.0.1', port: 0 })
  return { server, port: Number(address.split(':').at(-1)) }
}

interface Client extends AsyncDisposable {
  readonly socket: net.Socket
  readonly heard: IndiMessage[]
  say(...messages: IndiMessage[]): void
  /** Resolves with the first message, heard or to come, that fits. */
  until(fits: (message: IndiMessage) => boolean): Promise<IndiMessage>
}

async function client(port: number): Promise<Client> {
  const heard: IndiMessage[] = []
  const waiting = new Set<() => void>()
  const decoder = createDecoder({
    onMessage: (message) => {
      heard.push(message)
      for (const check of waiting) check()
    },
    onFault: (fault) => expect.unreachable(fault.message),
  })
  const socket = net.connect(port, '127.0.0.1')
  socket.on('data', (bytes) => decoder.feed(bytes))
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  const made: Client = {
    socket,
    heard,
    say(...messages) {
      for (const message of messages) socket.write(encode(message))
    },
    until: (fits) =>
      new Promise((resolve) => {
        const check = (): void => {
          const found = heard.find(fits)
          if (!found) return
          waiting.delete(check)
          resolve(found)
        }
        waiting.add(check)
        check()
      }),
    async [Symbol.asyncDispose]() {
      socket.destroy()
    },
  }
  opened.push(made)
  return made
}

const everything: IndiMessage = { type: 'getProperties', version: '1.7' }
const connect = (device: string): IndiMessage => ({
  type: 'new',
  kind: 'switch',
  device,
  name: 'CONNECTION',
  elements: [{ name: 'CONNECT', value: true }],
})
const setNumber = (device: string, name: string, element: string, value: number): IndiMessage => ({
  type: 'new',
  kind: 'number',
  device,
  name,
  elements: [{ name: element, value }],
})
const expose = (): IndiMessage => setNumber('CCD Simulator', 'CCD_EXPOSURE', 'CCD_EXPOSURE_VALUE', 0)
const exposed = (message: IndiMessage): boolean =>
  message.type === 'set' && message.name === 'CCD_EXPOSURE' && message.state === 'Ok'
const isBlob = (message: IndiMessage): boolean => message.type === 'set' && message.kind === 'blob'
/** A round trip: everything sent before has been dealt with. */
async function barrier(to: Client, uid: string): Promise<void> {
  to.say({ type: 'pingRequest', uid })
  await to.until((message) => message.type === 'pingReply' && message.uid === uid)
}

describe('the INDI server', () => {
  it('defines what it was asked for and nothing else', async () => {
    const { port } = await served(new Uint8Array(0))
    const narrow = await client(port)
    narrow.say({ type: 'getProperties', version: '1.7', device: 'CCD Simulator', name: 'CONNECTION' })
    await barrier(narrow, '1')
    expect(narrow.heard.map((message) => (message.type === 'def' ? message.name : message.type))).toEqual([
      'CONNECTION',
      'pingReply',
    ])
    const wide = await client(port)
    wide.say(everything, connect('CCD Simulator'))
    await barrier(wide, '2')
    const defined = wide.heard.flatMap((message) => (message.type === 'def' ? [message.name] : []))
    expect(defined).toEqual(expect.arrayContaining(['CCD_EXPOSURE', 'CCD_INFO', 'CCD1', 'CCD_GAIN', 'FILTER_SLOT']))
    await barrier(narrow, '3')
    expect(narrow.heard.some((message) => 'name' in message && message.name === 'CCD_INFO')).toBe(false)
  })

  it('sends BLOBs only to whom enabled them, and only BLOBs to whom wants nothing else', async () => {
    const frame = createFrame(5_000)
    const { port } = await served(frame)
    const [never, also, only] = [await client(port), await client(port), await client(port)]
    for (const each of [never, also, only]) each.say(everything)
    never.say(connect('CCD Simulator'))
    await barrier(never, 'connected')
    also.say({ type: 'enableBLOB', device: 'CCD Simulator', policy: 'Also' })
    only.say({ type: 'enableBLOB', device: 'CCD Simulator', name: 'CCD1', policy: 'Only' })
    await Promise.all([barrier(also, 'a'), barrier(only, 'b')])
    never.say(expose())
    await Promise.all([never, also].map((each) => each.until(exposed)))
    const blob = await only.until(isBlob)
    expect(blob.type === 'set' && blob.kind === 'blob' && Buffer.from(blob.elements[0]!.bytes)).toEqual(frame)
    expect(also.heard.some(isBlob)).toBe(true)
    expect(never.heard.some(isBlob)).toBe(false)
  })

  it('sends the BLOB before it says that the exposure is Ok', async () => {
    const { port } = await served(createFrame(100))
    const camera = await client(port)
    camera.say(everything, connect('CCD Simulator'), { type: 'enableBLOB', device: 'CCD Simulator', policy: 'Also' })
    camera.say(expose())
    await camera.until(exposed)
    expect(camera.heard.findIndex(isBlob)).toBeGreaterThan(-1)
    expect(camera.heard.findIndex(isBlob)).toBeLessThan(camera.heard.findIndex(exposed))
  })

  it('says Alert to a value out of range and keeps the old one', async () => {
    const { port } = await served(new Uint8Array(0))
    const camera = await client(port)
    camera.say(everything, connect('CCD Simulator'))
    camera.say(setNumber('CCD Simulator', 'CCD_GAIN', 'GAIN', 40), setNumber('CCD Simulator', 'CCD_GAIN', 'GAIN', 4000))
    const refusal = await camera.until(
      (message) => message.type === 'set' && message.name === 'CCD_GAIN' && message.state === 'Alert',
    )
    expect(refusal).toMatchObject({ elements: [{ name: 'GAIN', value: 40 }], message: expect.stringContaining('4000') })
  })

  it('drops a client that does not read, and serves the others', async () => {
    const limits = { pendingBytes: 8_000_000, clients: 32 }
    const { server, port } = await served(createFrame(3_000_000), limits)
    const deaf = await client(port)
    const well = await client(port)
    const blobs: IndiMessage = { type: 'enableBLOB', device: 'CCD Simulator', policy: 'Also' }
    for (const each of [deaf, well]) each.say(everything, blobs)
    well.say(connect('CCD Simulator'))
    await Promise.all([barrier(deaf, 'd'), barrier(well, 'w')])
    deaf.socket.pause()
    for (let taken = 1; taken <= 8 && server.clients > 1; taken++) {
      well.heard.length = 0
      well.say(expose())
      await well.until(exposed)
    }
    expect(server.clients).toBe(1)
    expect(server.dropped).toBe(1)
    const answered = barrier(well, 'still served')
    deaf.socket.resume()
    await answered
  })

  it('drops a client that asks for more than anyone could mean', async () => {
    const { server, port } = await served(new Uint8Array(0))
    const greedy = await client(port)
    const gone = new Promise((resolve) => greedy.socket.once('close', resolve))
    for (let i = 0; i <= 1000; i++) greedy.say({ type: 'getProperties', version: '1.7', device: `D${i}` })
    await gone
    expect([server.clients, server.dropped]).toEqual([0, 1])
  })

  it('lets a device snoop on another, BLOBs only when it asked for them, and clients see that it does', async () => {
    const heard: IndiMessage[] = []
    let say: (message: IndiMessage) => void = () => undefined
    const snooper: ServedDevice = {
      name: 'Guider',
      definitions: () => [],
      receive: () => undefined,
      attach: (publish) => {
        say = publish
      },
      snooped: (message) => void heard.push(message),
    }
    const takeFrame = (): Uint8Array => createFrame(100)
    const size = { widthPixels: 64, heightPixels: 48, pixelMicrometres: 3.76 }
    const camera = createSimulatedCamera({ clock: systemClock, ...size, takeFrame })
    const server = createIndiServer([camera.device, snooper])
    opened.push(server)
    const address = await server.listen({ host: '127.0.0.1', port: 0 })
    const watcher = await client(Number(address.split(':').at(-1)))
    watcher.say(everything, connect('CCD Simulator'))
    await barrier(watcher, '1')
    say({ type: 'getProperties', version: '1.7', device: 'CCD Simulator' })
    expect(heard.map((message) => message.type === 'def' && message.name)).toContain('CCD_EXPOSURE')
    await watcher.until((message) => message.type === 'getProperties' && message.device === 'CCD Simulator')
    heard.length = 0
    watcher.say(expose())
    await watcher.until(exposed)
    expect(heard.some(exposed)).toBe(true)
    expect(heard.some(isBlob)).toBe(false)
    say({ type: 'enableBLOB', device: 'CCD Simulator', name: 'CCD1', policy: 'Also' })
    watcher.heard.length = 0
    watcher.say(expose())
    await watcher.until(exposed)
    expect(heard.filter(isBlob)).toHaveLength(1)
  })

  it('lives through garbage and goes on answering', async () => {
    const { server, port } = await served(new Uint8Array(0))
    const rude = await client(port)
    const random = createRandom(7)
    for (let i = 0; i < 200; i++) {
      rude.socket.write(Uint8Array.from({ length: 1 + random.integer(400) }, () => random.integer(256)))
      rude.socket.write(i % 2 ? "<newNumberVector device='CCD Simulator' name='x'><oneNumber" : '<a></b>')
    }
    const well = await client(port)
    well.say(everything)
    await barrier(well, 'still there')
    expect(server.clients).toBeGreaterThan(0)
  })

  it('refuses one client more than its limit', async () => {
    const { server, port } = await served(new Uint8Array(0), { pendingBytes: 1e6, clients: 2 })
    await client(port)
    await client(port)
    const third = await client(port)
    await new Promise((resolve) => third.socket.once('close', resolve))
    expect(server.clients).toBe(2)
  })

  it('listens on a unix socket that is for its owner alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-indi-'))
    const server = createIndiServer([])
    opened.push(server, { [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }) })
    const path = join(folder, 'own', 'indi.sock')
    expect(await server.listen({ path })).toBe(path)
    expect(statSync(join(folder, 'own')).mode & 0o077).toBe(0)
  })
})

const tools = existsSync('/usr/bin/indi_getprop')
if (!tools) console.warn('skipped: real INDI clients; apt-get install indi-bin')

describe.skipIf(!tools)("Debian's INDI clients on our server", () => {
  let port = 0
  const made: AsyncDisposable[] = []
  afterAll(async () => {
    for (const thing of made) await thing[Symbol.asyncDispose]()
  })
  const tool = async (name: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run(`/usr/bin/${name}`, ['-h', '127.0.0.1', '-p', String(port), ...args])
    return stdout
  }

  it('get, set and wait for properties', async () => {
    const { port: chosen } = await served(createFrame(2_880))
    made.push(...opened.splice(0))
    port = chosen
    expect(await tool('indi_getprop', '-t', '5', 'CCD Simulator.CONNECTION.CONNECT')).toBe(
      'CCD Simulator.CONNECTION.CONNECT=Off\n',
    )
    for (const device of ['CCD Simulator', 'Telescope Simulator', 'Focuser Simulator'])
      await tool('indi_setprop', '-t', '5', `${device}.CONNECTION.CONNECT=On`)
    await tool('indi_eval', '-t', '5', '-w', '-o', '"CCD Simulator.CONNECTION._STATE"==1')
    await tool('indi_setprop', '-t', '5', 'CCD Simulator.CCD_GAIN.GAIN=55')
    await tool('indi_eval', '-t', '5', '-w', '-o', '"CCD Simulator.CCD_GAIN.GAIN"==55')
    await tool('indi_setprop', '-t', '5', 'CCD Simulator.CCD_GAIN.GAIN=5500')
    await tool('indi_eval', '-t', '5', '-w', '-o', '"CCD Simulator.CCD_GAIN._STATE"==3')
    expect(await tool('indi_getprop', '-t', '5', 'CCD Simulator.CCD_GAIN.GAIN')).toBe(
      'CCD Simulator.CCD_GAIN.GAIN=55\n',
    )
  })

  it('take an exposure', async () => {
    await tool('indi_setprop', '-t', '5', 'CCD Simulator.CCD_EXPOSURE.CCD_EXPOSURE_VALUE=0.2')
    await tool('indi_eval', '-t', '5', '-w', '-o', '"CCD Simulator.CCD_EXPOSURE._STATE"==1')
  })

  it('unpark the mount and move the focuser', async () => {
    await tool('indi_setprop', '-t', '5', 'Telescope Simulator.TELESCOPE_PARK.UNPARK=On')
    await tool('indi_eval', '-t', '5', '-w', '-o', '"Telescope Simulator.TELESCOPE_PARK.UNPARK"==1')
    await tool('indi_setprop', '-t', '5', 'Focuser Simulator.ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION=51000')
    await tool(
      'indi_eval',
      '-t',
      '5',
      '-w',
      '-o',
      '"Focuser Simulator.ABS_FOCUS_POSITION.FOCUS_ABSOLUTE_POSITION"==51000',
    )
  })
})

function createFrame(bytes: number): Buffer {
  const random = createRandom('frame')
  const block = Buffer.from(Uint8Array.from({ length: 10_000 }, () => random.integer(256)))
  return Buffer.alloc(bytes, block)
}
