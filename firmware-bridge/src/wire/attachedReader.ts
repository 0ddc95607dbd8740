/**
 * The reading thread of an `attached` wire: waits on the socket, puts what comes into shared memory and posts where it
 * lies and which descriptors came with it. It reads on only into slots that the owner has given back.
 */
import { closeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { receiveMessage } from './unixSocket.ts'

export interface ReaderData {
  /** The socket to read, or that of the broker who hands it over. */
  readonly descriptor: number
  readonly fromBroker: boolean
  readonly slots: SharedArrayBuffer
  readonly slotBytes: number
  /** One Int32: how many slots are free. */
  readonly free: SharedArrayBuffer
}

export type ReaderMessage =
  /** What the broker has handed over. */
  | { readonly socket: number }
  | { readonly slot: number; readonly bytes: number; readonly descriptors: readonly number[] }
  | { readonly ended: string | undefined }

const { descriptor, fromBroker, slots, slotBytes, free } = workerData as ReaderData
const count = slots.byteLength / slotBytes
const freeSlots = new Int32Array(free)
// The C library writes into memory of this thread; the shared memory is filled from it.
const buffer = new Uint8Array(new ArrayBuffer(slotBytes))

const post = (message: ReaderMessage): void => parentPort?.postMessage(message)

/** The first descriptor that comes; others would be somebody's mistake. */
function takeSocket(): number | undefined {
  const received = receiveMessage(descriptor, buffer)
  const [socket, ...others] = 'ended' in received ? [] : received.descriptors
  for (const other of others) closeSync(other)
  if (socket === undefined) post({ ended: 'nothing was handed over: the server is not up yet' })
  else post({ socket })
  return socket
}

function read(socket: number): void {
  for (let slot = 0; ; slot = (slot + 1) % count) {
    while (Atomics.load(freeSlots, 0) === 0) Atomics.wait(freeSlots, 0, 0)
    const received = receiveMessage(socket, buffer)
    if ('ended' in received) return post({ ended: received.reason })
    Atomics.sub(freeSlots, 0, 1)
    const { bytes, descriptors } = received
    new Uint8Array(slots, slot * slotBytes, bytes).set(buffer.subarray(0, bytes))
    post({ slot, bytes, descriptors })
  }
}

const socket = fromBroker ? takeSocket() : descriptor
if (socket !== undefined) read(socket)
