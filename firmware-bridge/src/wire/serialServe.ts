/**
 * The far end of a cable for simulators: what a program with a serial port opens (a pseudo-terminal, through socat), or
 * what one with a network adapter connects to (a TCP port, as ser2net makes it).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { NightjarError } from '../errors.ts'
import type { Connect, Wire, WireHandlers } from './wire.ts'

/** Something that takes wires, as simulators do: it opens each with its own handlers. */
export type Accept = (open: (handlers: WireHandlers) => Wire) => void

/** Puts a device at the end of a wire that has yet to be opened: a tape of what a program once asked of it. */
export async function attach(accept: Accept, connect: Connect): Promise<Wire> {
  const opened = Promise.withResolvers<Wire>()
  opened.promise.catch(() => undefined)
  const device = Promise.withResolvers<WireHandlers>()
  accept((handlers) => {
    device.resolve(handlers)
    return {
      name: 'attached device',
      write: async (bytes) => (await opened.promise).write(bytes),
      pause: () => void opened.promise.then((wire) => wire.pause()).catch(() => undefined),
      resume: () => void opened.promise.then((wire) => wire.resume()).catch(() => undefined),
      close: async () => (await opened.promise).close(),
    }
  })
  opened.resolve(connect(await device.promise))
  return opened.promise
}

export interface ServedPort extends AsyncDisposable {
  /** What a program opens: the path of the pseudo-terminal. */
  readonly path: string
  /** Pulls the cable: the port is gone at once. */
  unplug(): void
}

const readyMs = 5_000
const pollMs = 5

/** Puts a device behind a pseudo-terminal of its own. Throws `wire/connect` when socat is missing. */
export async function servePty(accept: Accept, clock: Clock): Promise<ServedPort> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-pty-'))
  const path = join(folder, 'port')
  const child = spawn('socat', ['-', `pty,raw,echo=0,link=${path}`], { stdio: ['pipe', 'pipe', 'ignore'] })
  let ended: string | undefined
  child.once('error', () => {
    ended = 'socat is not installed: apt-get install socat'
  })
  child.once('exit', () => {
    ended ??= 'socat ended'
  })
  const deadline = clock.monotonic() + readyMs
  while (!existsSync(path) && ended === undefined && clock.monotonic() < deadline) await clock.sleep(pollMs)
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const end = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
  if (!existsSync(path)) {
    await end()
    throw new NightjarError('wire/connect', `no pseudo-terminal: ${ended ?? 'socat was not ready in time'}`)
  }
  accept((handlers) => pipeWire(child, `pty ${path}`, handlers))
  return {
    path,
    unplug: () => void child.kill('SIGKILL'),
    [Symbol.asyncDispose]: end,
  }
}

function pipeWire(child: ChildProcess, name: string, handlers: WireHandlers): Wire {
  let closed = false
  const end = (reason: string): void => {
    if (closed) return
    closed = true
    handlers.onClose(reason)
  }
  child.stdout?.on('data', (bytes: Buffer) => closed || handlers.onBytes(bytes))
  child.stdin?.on('error', () => end('the pseudo-terminal is gone'))
  child.once('exit', () => end('the pseudo-terminal is gone'))
  return {
    name,
    write(bytes) {
      if (closed || !child.stdin) return Promise.reject(new NightjarError('wire/closed', `${name}: the wire is closed`))
      return new Promise((resolve, reject) => {
        child.stdin?.write(bytes, (error) => {
          if (error) reject(new NightjarError('wire/closed', `${name}: ${error.message}`, { cause: error }))
          else resolve()
        })
      })
    },
    pause: () => void child.stdout?.pause(),
    resume: () => void child.stdout?.resume(),
    async close() {
      child.kill('SIGKILL')
      end('closed')
    },
  }
}

export interface ServedTcp extends AsyncDisposable {
  readonly host: string
  readonly port: number
}

/** Puts a device behind a TCP port of this machine alone; `port` 0 lets the system choose. */
export async function serveTcp(accept: Accept, port = 0): Promise<ServedTcp> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    accept((handlers) => socketWire(socket, handlers))
  })
  const host = '127.0.0.1'
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address()
  return {
    host,
    port: typeof address === 'object' && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function socketWire(socket: net.Socket, handlers: WireHandlers): Wire {
  const name = `tcp ${socket.remoteAddress}:${socket.remotePort}`
  socket.on('data', (bytes: Buffer) => handlers.onBytes(bytes))
  socket.on('error', () => socket.destroy())
  socket.once('close', () => handlers.onClose('the far side closed the wire'))
  return {
    name,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new NightjarError('wire/closed', `${name}: the wire is closed`))
        socket.write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    async close() {
      socket.destroy()
    },
  }
}
