import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { describeIndiTape, isIndi } from '@nightjar/firmware-bridge/indi/tapeMessages.ts'
import { connectAttached } from '@nightjar/firmware-bridge/wire/attached.ts'
import { connectSerial } from '@nightjar/firmware-bridge/wire/serial.ts'
import { describeTape, parseTape, recordTape, replayTape, type Tape } from '@nightjar/firmware-bridge/wire/tape.ts'
import { describeLines } from '@nightjar/firmware-bridge/wire/tapeLines.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import type { Connect, Wire } from '@nightjar/firmware-bridge/wire/wire.ts'

export const help = `Usage: nightjar tape record ADDRESS FILE [--send TEXT] [--seconds N] [--listen PORT] [--baud RATE]
       nightjar tape replay FILE [--listen PORT] [--speed N] [--matched]
       nightjar tape show FILE [--raw]

A tape is a recording of everything that goes over a wire: the best description of a misbehaving device that there is.

record   ADDRESS is host:port, a unix socket's path (unix:/run/x), indiserver's own unix socket, over which BLOBs come as
         shared memory (attached:/run/x, or attached:@name), or a serial port (/dev/serial/by-id/…).
         --send TEXT     write this when the wire is open (for an INDI server: '<getProperties version="1.7"/>')
         --seconds N     stop after N seconds (else at Ctrl-C, or when the wire closes)
         --listen PORT   be the device to another program: pass everything between it and ADDRESS, and record it
         --baud RATE     of a serial port (default 9600)
replay   --listen PORT   where a program finds the recorded device (default: a free port, printed; loopback only)
         --speed N       play N times as fast
         --matched       wait for the recorded commands, and hang up on any other
show     one line for each message (INDI, LX200, lines of text): time, direction (< from the device), what it says
         --raw           one line for each chunk of bytes: time, direction, size, beginning`

const options = {
  send: { type: 'string' },
  seconds: { type: 'string' },
  listen: { type: 'string' },
  baud: { type: 'string', default: '9600' },
  speed: { type: 'string', default: '1' },
  matched: { type: 'boolean', default: false },
  raw: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parse>['values']

const parse = (argv: string[]) => parseArgs({ args: argv, allowPositionals: true, options })

export async function run(argv: string[]): Promise<number> {
  const { positionals, values } = parse(argv)
  const [what, ...names] = positionals
  const [first, second] = names
  if (what === 'show' && first && names.length === 1) return show(first, values.raw)
  if (what === 'replay' && first && names.length === 1) return replay(readTape(first), values)
  if (what === 'record' && first && second && names.length === 2) return record(first, second, values)
  throw new NightjarError('cli/usage', 'say record ADDRESS FILE, replay FILE or show FILE (see nightjar tape --help)')
}

function show(file: string, raw: boolean): number {
  const tape = readTape(file)
  const describe = raw ? describeTape : isIndi(tape) ? describeIndiTape : describeLines
  for (const line of describe(tape)) process.stdout.write(`${line}\n`)
  return 0
}

function readTape(file: string): Tape {
  try {
    return parseTape(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new NightjarError('tape/unreadable', `${file}: ${(error as Error).message}`, { cause: error })
  }
}

function positive(text: string | undefined, option: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new NightjarError('cli/usage', `--${option} takes a number above 0, not "${text}"`)
}

/** `host:port`, `[::1]:port`, `unix:/path`, `attached:/path`, `attached:@name` or a serial port's path. */
export function connectTo(address: string, baudRate: number): Connect {
  if (address.startsWith('unix:')) return connectTcp({ path: address.slice('unix:'.length) })
  if (address.startsWith('attached:')) return connectAttached(address.slice('attached:'.length))
  if (address.startsWith('/')) return connectSerial({ path: address, baudRate })
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/]+)):(?<port>\d{1,5})$/.exec(address)
  const host = match?.groups?.['v6'] ?? match?.groups?.['host']
  if (!host)
    throw new NightjarError(
      'cli/usage',
      `"${address}" is neither host:port, unix:/path, attached:/path nor a serial port's path`,
    )
  return connectTcp({ host, port: Number(match?.groups?.['port']) })
}

/** Aborted by Ctrl-C, by the service manager, or after the seconds asked for. */
function endOf(values: Values, clock: Clock): AbortController {
  const end = new AbortController()
  const stop = (): void => end.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  if (values.seconds !== undefined) {
    clock.sleep(positive(values.seconds, 'seconds') * 1000, end.signal).then(stop, () => {})
  }
  return end
}

async function record(address: string, file: string, values: Values): Promise<number> {
  const connect = connectTo(address, positive(values.baud, 'baud'))
  const descriptor = openNew(file)
  const end = endOf(values, systemClock)
  let lines = 0
  const sink = (line: string): void => {
    writeSync(descriptor, `${line}\n`)
    lines++
  }
  try {
    const recorded = recordTape(connect, sink, systemClock)
    if (values.listen !== undefined) await serve(recorded, values, end)
    else await listenIn(recorded, values.send, end)
  } finally {
    end.abort()
    closeSync(descriptor)
  }
  process.stderr.write(`${file}: ${lines} lines\n`)
  return 0
}

function openNew(file: string): number {
  try {
    return openSync(file, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new NightjarError('tape/exists', `${file} is there already: give another name`)
  }
}

/** Records what the device says by itself, or in answer to one text. */
async function listenIn(connect: Connect, text: string | undefined, end: AbortController): Promise<void> {
  const wire = await connect({ onBytes: () => {}, onClose: () => end.abort() }, end.signal)
  if (text !== undefined) await wire.write(Buffer.from(text))
  if (!end.signal.aborted) await once(end.signal, 'abort')
  await wire.close()
}

async function replay(tape: Tape, values: Values): Promise<number> {
  const mode = values.matched ? 'matched' : 'timed'
  const end = endOf(values, systemClock)
  await serve(replayTape(tape, systemClock, { mode, speed: positive(values.speed, 'speed') }), values, end)
  return 0
}

/** Gives one program after another what `connect` opens, on loopback; ends with the first one that leaves. */
async function serve(connect: Connect, values: Values, end: AbortController): Promise<void> {
  const server = createServer({ noDelay: true })
  server.maxConnections = 1
  server.on('connection', (socket) => {
    join(socket, connect).then(
      () => end.abort(),
      (error: Error) => {
        process.stderr.write(`${error.message}\n`)
        end.abort()
      },
    )
  })
  server.listen(values.listen === undefined ? 0 : positive(values.listen, 'listen'), '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  process.stdout.write(`127.0.0.1:${port}\n`)
  if (!end.signal.aborted) await once(end.signal, 'abort')
  server.close()
}

/** Passes bytes both ways, each side at the pace of the other; resolves when either has hung up. */
async function join(socket: Socket, connect: Connect): Promise<void> {
  let wire: Wire | undefined
  const isGone = once(socket, 'close')
  socket.on('error', () => socket.destroy())
  socket.pause()
  try {
    wire = await connect({
      onBytes(bytes) {
        // The wire's bytes last only for this call, the socket keeps them until they are sent.
        if (socket.write(Uint8Array.from(bytes))) return
        wire?.pause()
        socket.once('drain', () => wire?.resume())
      },
      onClose: () => socket.end(),
    })
  } catch (error) {
    socket.destroy()
    throw error
  }
  const opened = wire
  socket.on('data', (bytes) => {
    socket.pause()
    opened.write(bytes).then(
      () => socket.resume(),
      () => socket.destroy(),
    )
  })
  socket.resume()
  await isGone
  await opened.close()
}
