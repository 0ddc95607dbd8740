/** Property updates and commands, ours beside Debian's own client tools on the same server. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import net from 'node:net'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock as clock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createSimulatedFocuser } from '../simulators/focuser.ts'
import { connectTcp } from '../wire/tcp.ts'
import type { Connect } from '../wire/wire.ts'
import { type BenchmarkPeer, type BenchmarkRow, benchmarkRow, median } from './benchmarkRow.ts'
import { createIndiClient } from './client.ts'
import { judgeAccepted } from './command.ts'
import { encode } from './encode.ts'
import { startIndiserver } from './indiserver.ts'
import { createIndiServer } from './server.ts'

const run = promisify(execFile)
const updates = 50_000
const commands = 40
const toolRuns = 10

const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** A telescope's position in so many messages, as a mount sends it four times a second while it slews. */
function positions(): Uint8Array {
  const head = { device: 'Mount', name: 'EQUATORIAL_EOD_COORD' } as const
  const definition = encode({
    ...head,
    type: 'def',
    kind: 'number',
    label: '',
    group: 'Main Control',
    state: 'Ok',
    permission: 'rw',
    timeoutSeconds: 60,
    elements: ['RA', 'DEC'].map((name) => ({
      name,
      label: name,
      format: '%010.6m',
      min: -90,
      max: 90,
      step: 0,
      value: 0,
    })),
  })
  const all = [definition]
  for (let i = 1; i <= updates; i++) {
    const elements = [
      { name: 'RA', value: (i * 24) / updates },
      { name: 'DEC', value: i === updates ? 77 : 24.10833333333333 },
    ]
    all.push(encode({ ...head, type: 'set', kind: 'number', state: 'Busy', elements }))
  }
  return Buffer.concat(all)
}

/** Sends `bytes` to each who asks for properties, and hangs up or stays. */
async function serveBytes(
  bytes: Uint8Array,
  then: 'stay' | 'hangUp',
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('data', () => (then === 'stay' ? socket.write(bytes) : socket.end(bytes)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Updates per millisecond until the last is in the client's state; beside it indi_getprop, printing each. */
export async function benchmarkUpdates(): Promise<BenchmarkRow> {
  const bytes = positions()
  await using server = await serveBytes(bytes, 'stay')
  await using brief = await serveBytes(bytes, 'hangUp')
  const ours: number[] = []
  const theirs: number[] = []
  for (let i = 0; i < 4; i++) {
    const oursMs = await timeOurUpdates(server.port)
    const theirsMs = isInstalled('indi_getprop') ? await timeGetprop(brief.port) : undefined
    if (i === 0) continue
    ours.push(updates / oursMs)
    if (theirsMs !== undefined) theirs.push(updates / theirsMs)
  }
  const peer = theirs.length > 0 ? { name: 'indi_getprop -m, printing', value: median(theirs) } : undefined
  return benchmarkRow('property updates', median(ours), 'updates/ms', null, peer, ours.length)
}

async function timeOurUpdates(port: number): Promise<number> {
  const startedAt = clock.monotonic()
  const connect = connectTcp({ host: '127.0.0.1', port })
  await using client = createIndiClient(connect, { clock, random: createRandom(1) })
  let told = 0
  const last = Promise.withResolvers<void>()
  client.listen((event) => {
    if (event.type === 'updated' && ++told === updates) last.resolve()
  })
  await last.promise
  return clock.monotonic() - startedAt
}

async function timeGetprop(port: number): Promise<number> {
  const startedAt = clock.monotonic()
  const program = spawn('indi_getprop', ['-p', `${port}`, '-t', '0', '-m', 'Mount.EQUATORIAL_EOD_COORD.DEC'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let lines = 0
  program.stdout.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) lines++
  })
  await once(program, 'close')
  // It ends when the server hangs up, and has printed what came before.
  return lines >= updates ? clock.monotonic() - startedAt : Number.NaN
}

/** Median milliseconds from a command to its outcome, on our own server; beside it Debian's tools as a script uses them. */
export async function benchmarkCommands(): Promise<BenchmarkRow> {
  const focuser = createSimulatedFocuser({ clock, startSteps: 50_000 })
  await using server = createIndiServer([focuser.device])
  const address = await server.listen({ host: '127.0.0.1', port: 0 })
  const port = Number(address.split(':').at(-1))
  const device = 'Focuser Simulator'
  await using client = createIndiClient(connectTcp({ host: '127.0.0.1', port }), { clock, random: createRandom(1) })
  await client.connectDevice(device)
  const times = await timeCommands(async (i) => {
    await client.set(device, 'CONNECTION', { CONNECT: i % 2 === 1, DISCONNECT: i % 2 === 0 }, { judge: judgeAccepted })
  }, commands)
  const peer = isInstalled('indi_setprop') ? await timeTools(port, device) : undefined
  return benchmarkRow('command to its outcome', median(times), 'ms', null, peer, times.length)
}

async function timeTools(port: number, device: string): Promise<BenchmarkPeer> {
  const at = ['-h', '127.0.0.1', '-p', `${port}`, '-t', '5']
  const times = await timeCommands(async (i) => {
    const word = i % 2 === 1 ? 'CONNECT' : 'DISCONNECT'
    await run('indi_setprop', [...at, `${device}.CONNECTION.${word}=On`])
    await run('indi_eval', [...at, '-w', `"${device}.CONNECTION.${word}"==1`])
  }, toolRuns)
  return { name: 'indi_setprop and indi_eval -w, two programs', value: median(times) }
}

async function timeCommands(command: (i: number) => Promise<void>, count: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const startedAt = clock.monotonic()
    await command(i)
    times.push(clock.monotonic() - startedAt)
  }
  return times
}

/**
 * Median milliseconds of a command to a driver behind Debian's indiserver: over TCP beside the same without the blank
 * line that carries the acknowledgement, and over the server's own unix socket. Nothing where the server is missing.
 */
export async function benchmarkIndiserver(): Promise<BenchmarkRow[]> {
  if (!['indiserver', 'indi_simulator_focus', 'unshare', 'ip'].every(isInstalled)) return []
  await using server = await startIndiserver({ drivers: ['indi_simulator_focus'], clock })
  const tcp = connectTcp({ path: server.socketPath })
  const plain = await timeDelay(withoutBlankLines(tcp))
  const quick = await timeDelay(tcp)
  const unix = await timeDelay(server.connect)
  const peer = { name: 'the same, acknowledged by the kernel', value: plain }
  return [
    benchmarkRow('command through indiserver, TCP', quick, 'ms', null, peer, commands),
    benchmarkRow('command through indiserver, unix', unix, 'ms', null, peer, commands),
  ]
}

async function timeDelay(connect: Connect): Promise<number> {
  const device = 'Focuser Simulator'
  await using client = createIndiClient(connect, { clock, random: createRandom(1) })
  await client.connectDevice(device)
  await client.waitFor((state) => state.devices.get(device)?.get('DELAY'), 5_000)
  const times = await timeCommands(async (i) => {
    await client.set(device, 'DELAY', { DELAY_VALUE: 100 + (i % 2) })
  }, commands)
  return median(times)
}

function withoutBlankLines(connect: Connect): Connect {
  return async (handlers, signal) => {
    const wire = await connect(handlers, signal)
    return {
      ...wire,
      write: (bytes) => (bytes.length === 1 ? Promise.resolve() : wire.write(bytes)),
    }
  }
}
