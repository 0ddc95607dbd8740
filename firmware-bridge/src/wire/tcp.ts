import net from 'node:net'
import { NightjarError } from '../errors.ts'
import type { Connect, Wire, WireHandlers } from './wire.ts'

/** A TCP port, or a unix socket by its path (a path crosses network namespaces, an abstract name does not). */
export type SocketAddress = { readonly host: string; readonly port: number } | { readonly path: string }

/** Large enough that a 160 MB BLOB is some hundred calls, small enough to stay in cache. */
const readBytes = 256 * 1024
const keepAliveMs = 10_000

const fixes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: start the server or correct the address',
  ENOENT: 'the socket file is not there: start the server or correct the path',
  EACCES: 'not allowed: check the permissions of the socket',
  ENOTFOUND: 'the host name is unknown: correct it',
  ETIMEDOUT: 'no answer: check the network and the address',
  EHOSTUNREACH: 'the host cannot be reached: check the network',
}

/** Opens a stream socket. The one read buffer is reused, so bytes are valid only while `onBytes` runs. */
export function connectTcp(address: SocketAddress): Connect {
  const name = 'path' in address ? `unix ${address.path}` : `tcp ${address.host}:${address.port}`
  return (handlers, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const socket = net.connect({
        ...address,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveMs,
        onread: {
          buffer: Buffer.allocUnsafeSlow(readBytes),
          callback(length, buffer) {
            handlers.onBytes(buffer.subarray(0, length))
            return true
          },
        },
      } as net.NetConnectOpts)
      const abort = (): void => {
        socket.destroy()
        reject(signal?.reason)
      }
      const fail = (error: NodeJS.ErrnoException): void => {
        signal?.removeEventListener('abort', abort)
        const fix = fixes[error.code ?? ''] ?? error.message
        reject(new NightjarError('wire/connect', `${name}: ${fix}`, { cause: error }))
      }
      signal?.addEventListener('abort', abort, { once: true })
      socket.once('error', fail)
      socket.once('connect', () => {
        signal?.removeEventListener('abort', abort)
        socket.off('error', fail)
        resolve(socketWire(socket, name, handlers))
      })
    })
}

function socketWire(socket: net.Socket, name: string, handlers: WireHandlers): Wire {
  let reason = 'the far side closed the wire'
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reason = error.code ?? error.message
  })
  socket.once('close', () => handlers.onClose(reason))
  return {
    name,
    write(bytes) {
      return new Promise((resolve, reject) => {
        const settle = (error?: Error | null): void => {
          if (error) reject(new NightjarError('wire/closed', `${name}: the wire is closed`, { cause: error }))
          else resolve()
        }
        if (socket.destroyed) settle(new Error('destroyed'))
        else socket.write(bytes, settle)
      })
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close() {
      reason = 'closed'
      return new Promise((resolve) => {
        if (socket.closed) return resolve()
        socket.once('close', () => resolve())
        socket.destroy()
      })
    },
  }
}
