/**
 * A unix socket over which the far side also hands pieces of memory: indiserver sends every BLOB so, as a descriptor of
 * shared memory beside the XML, with no base64 and no copy through the socket. A thread of its own waits on the socket,
 * because Node's `net` reads past descriptors and loses them.
 */
import { closeSync } from 'node:fs'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import { NightjarError } from '../errors.ts'
import type { ReaderData, ReaderMessage } from './attachedReader.ts'
import { connectUnixSocket, duplicateDescriptor, shutdownSocket } from './unixSocket.ts'
import type { AttachedMemory, Connect, Wire, WireHandlers } from './wire.ts'

const slotBytes = 64 * 1024
/** What may wait for a paused owner; after that the far side waits. */
const slotCount = 16

/** A unix socket by its path, or by its abstract name when that begins with `@`. */
export function connectAttached(path: string): Connect {
  return async (handlers, signal) => {
    signal?.throwIfAborted()
    const socket = connectUnixSocket(path)
    return attachedWire(socket, `unix ${path}`, startReader(socket, false), handlers)
  }
}

/**
 * Asks a broker at `path` for a socket that it has connected: the way into a network namespace for a process outside of
 * it. The broker hands it over as a descriptor and is out of the way then.
 */
export function connectHandedOver(path: string): Connect {
  return async (handlers, signal) => {
    signal?.throwIfAborted()
    const broker = connectUnixSocket(path)
    const reader = startReader(broker, true)
    const giveUp = (): void => shutdownSocket(broker)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      const first = await reader.first
      if ('socket' in first) return attachedWire(first.socket, `unix ${path}`, reader, handlers)
      const why = 'ended' in first ? first.ended : undefined
      throw new NightjarError('wire/connect', `unix ${path}: ${why ?? 'the broker closed the wire'}`)
    } finally {
      signal?.removeEventListener('abort', giveUp)
      closeSync(broker)
    }
  }
}

interface Reader {
  readonly worker: Worker
  readonly slots: SharedArrayBuffer
  readonly freeSlots: Int32Array
  /** Messages that nobody has taken yet. */
  readonly waiting: ReaderMessage[]
  /** Resolves with the first message, which a broker's reader tells its socket with. */
  readonly first: Promise<ReaderMessage>
  /** Called after each message once it is set. */
  onMessage: () => void
}

function startReader(descriptor: number, fromBroker: boolean): Reader {
  const slots = new SharedArrayBuffer(slotBytes * slotCount)
  const free = new SharedArrayBuffer(4)
  const freeSlots = new Int32Array(free)
  freeSlots[0] = slotCount
  const data: ReaderData = { descriptor, fromBroker, slots, slotBytes, free }
  const worker = new Worker(new URL('./attachedReader.ts', import.meta.url), {
    workerData: data,
    // Its descriptors come from the C library.
    trackUnmanagedFds: false,
  })
  const first = Promise.withResolvers<ReaderMessage>()
  const reader: Reader = { worker, slots, freeSlots, waiting: [], first: first.promise, onMessage: () => undefined }
  worker.on('message', (message: ReaderMessage) => {
    first.resolve(message)
    if ('socket' in message) return
    reader.waiting.push(message)
    reader.onMessage()
  })
  worker.on('error', (error) => {
    first.resolve({ ended: error.message })
    reader.waiting.push({ ended: error.message })
    reader.onMessage()
  })
  return reader
}

function attachedWire(socket: number, name: string, reader: Reader, handlers: WireHandlers): Wire {
  const { slots, freeSlots, waiting } = reader
  const writer = new net.Socket({ fd: duplicateDescriptor(socket), readable: false, writable: true })
  const gone = Promise.withResolvers<void>()
  let paused = false
  let exited = false
  let closed = false
  let reason: string | undefined

  const end = (why: string): void => {
    if (reason !== undefined) return
    reason = why
    // Wakes the reader, which then ends.
    shutdownSocket(socket)
    giveBack(slotCount)
  }

  const giveBack = (count: number): void => {
    Atomics.add(freeSlots, 0, count)
    Atomics.notify(freeSlots, 0)
  }

  const deliver = (message: ReaderMessage): void => {
    if ('socket' in message) return
    if ('ended' in message) return end(message.ended ?? 'the far side closed the wire')
    if (reason === undefined) {
      for (const memory of message.memories) handlers.onAttached?.(attachedMemory(memory))
    }
    if (reason === undefined) handlers.onBytes(Buffer.from(slots, message.slot * slotBytes, message.bytes))
    giveBack(1)
  }

  const flow = (): void => {
    while (!paused || reason !== undefined) {
      const message = waiting.shift()
      if (!message) return
      deliver(message)
    }
  }

  reader.onMessage = flow
  // What has come before there was a wire to give it to.
  queueMicrotask(flow)
  // A paused owner gets what has come before it hears of the end.
  const finish = (): void => {
    if (!exited || closed || (waiting.length > 0 && reason === undefined)) return
    closed = true
    end('the far side closed the wire')
    flow()
    writer.destroy()
    closeSync(socket)
    handlers.onClose(reason ?? 'closed')
    gone.resolve()
  }
  reader.worker.once('exit', () => {
    exited = true
    finish()
  })
  writer.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))

  return {
    name,
    write(bytes) {
      return new Promise((resolve, reject) => {
        const settle = (error?: Error | null): void => {
          if (error) reject(new NightjarError('wire/closed', `${name}: the wire is closed`, { cause: error }))
          else resolve()
        }
        if (reason !== undefined || writer.destroyed) settle(new Error('closed'))
        else writer.write(bytes, settle)
      })
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      flow()
      finish()
    },
    close() {
      end('closed')
      finish()
      return gone.promise
    },
  }
}

function attachedMemory(memory: ArrayBuffer): AttachedMemory {
  let bytes: Uint8Array | undefined = new Uint8Array(memory)
  return {
    sizeBytes: memory.byteLength,
    read: (count) => bytes?.subarray(0, count) ?? new Uint8Array(0),
    close() {
      bytes = undefined
    },
  }
}
