/**
 * A serial port with nothing but Node and two programs that every Debian has (stty of coreutils, flock of util-linux): for
 * the guardian, which may depend on no package. Everyone else uses `serial.ts`; both take the same lock, so they see
 * each other.
 */
import { spawn } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import tty from 'node:tty'
import { NightjarError } from '../errors.ts'
import type { Connect, Wire, WireHandlers } from './wire.ts'

export interface TtyOptions {
  /** `/dev/serial/by-id/...` survives replugging; `/dev/ttyUSB0` may become another device. */
  readonly path: string
  readonly baudRate: number
}

/** What a write may leave unsent before the wire counts as stuck. */
export const ttyLimits = { pendingBytes: 64 * 1024 } as const

/**
 * 8N1, raw, no flow control; the modem lines are ignored, and DTR stays up when the port is closed, so that an Arduino is
 * not reset by it.
 */
const lineSettings = ['raw', '-echo', 'cs8', '-parenb', '-cstopb', '-crtscts', '-ixon', '-ixoff', 'clocal', '-hupcl']

/** Opens a serial port, locked (flock(2) on the device, as serialport does). Throws `wire/connect`. */
export function connectTty({ path, baudRate }: TtyOptions): Connect {
  const name = `tty ${path}`
  return async (handlers, signal) => {
    const lock = openPort(path, name)
    try {
      // flock(1) locks the open file that it inherits: the lock is ours when it has ended, until we close or die.
      await withDescriptor(lock, 'flock', ['--exclusive', '--nonblock', '0'], `${name}: another program has it open`)
      await withDescriptor(lock, 'stty', [`${baudRate}`, ...lineSettings], `${name}: is not a serial port`)
      signal?.throwIfAborted()
      return ttyWire({ lock, stream: openPort(path, name) }, name, handlers)
    } catch (error) {
      closeSync(lock)
      throw error
    }
  }
}

/** libuv replaces the open file behind a stream by one of its own, and its lock with it: the lock needs its own. */
interface Descriptors {
  readonly lock: number
  readonly stream: number
}

/** Without waiting for a carrier, and not as the terminal of this process. */
function openPort(path: string, name: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new NightjarError('wire/connect', `${name}: ${advice(cause as NodeJS.ErrnoException)}`, { cause })
  }
}

function advice(error: NodeJS.ErrnoException): string {
  if (error.code === 'EACCES') return 'not allowed: add the user to the group dialout'
  if (error.code === 'ENOENT') return 'there is no such device: is the cable plugged in?'
  if (error.code === 'EBUSY') return 'another program has it open'
  return error.message
}

/** Runs a program with the port as its standard input. */
function withDescriptor(
  descriptor: number,
  program: string,
  args: readonly string[],
  complaint: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: [descriptor, 'ignore', 'pipe'] })
    let said = ''
    child.stderr?.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-200)
    })
    const fail = (detail: string): void => {
      reject(new NightjarError('wire/connect', detail ? `${complaint} (${detail})` : complaint))
    }
    child.once('error', (error) => fail(error.message))
    child.once('close', (code) => (code === 0 ? resolve() : fail(said.trim())))
  })
}

function ttyWire({ lock, stream }: Descriptors, name: string, handlers: WireHandlers): Wire {
  const port = new tty.ReadStream(stream)
  let closed = false
  let pendingBytes = 0
  const end = (reason: string): void => {
    if (closed) return
    closed = true
    port.destroy()
    closeIfOpen(stream)
    closeSync(lock)
    handlers.onClose(reason)
  }
  port.on('data', (bytes: Buffer) => closed || handlers.onBytes(bytes))
  port.on('error', (error: NodeJS.ErrnoException) => end(hangUps.has(error.code ?? '') ? unplugged : error.message))
  port.on('end', () => end(unplugged))
  port.on('close', () => end(unplugged))
  return {
    name,
    write(bytes) {
      return new Promise((resolve, reject) => {
        const fail = (why: string, cause?: Error): void =>
          reject(new NightjarError('wire/closed', `${name}: ${why}`, { cause }))
        if (closed) return fail('the wire is closed')
        if (pendingBytes + bytes.length > ttyLimits.pendingBytes) return fail('the device takes no bytes')
        pendingBytes += bytes.length
        port.write(bytes, (error) => {
          pendingBytes -= bytes.length
          if (error) fail(error.message, error)
          else resolve()
        })
      })
    },
    pause: () => void port.pause(),
    resume: () => void port.resume(),
    async close() {
      end('closed')
    },
  }
}

const unplugged = 'the device was unplugged'
/** What reading or writing says when a USB adapter was pulled out, or the other side of a pseudo-terminal has closed. */
const hangUps = new Set(['EIO', 'ENXIO', 'ENODEV', 'EPIPE'])

/** libuv closes what it has opened, and ours only where it could not open the device again. */
function closeIfOpen(descriptor: number): void {
  try {
    closeSync(descriptor)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error
  }
}
