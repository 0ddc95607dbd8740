/**
 * The reading thread of an `attached` wire: waits on the socket, puts what comes into shared memory and posts where it
 * lies, with the memory that came with it. It reads on only into slots that the owner has given back, and after memory
 * only when the owner has taken all.
 */
import { closeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { receiveMessage, takeMemory } from './unixSocket.ts'

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
  | { readonly slot: number; readonly bytes: number; readonly memories: readonly ArrayBuffer[] }
  | { readonly ended: string | undefined }

const { descriptor, fromBroker, slots, slotBytes, free } = workerData as ReaderData
const count = slots.byteLength / slotBytes
const freeSlots = new Int32Array(free)
// The C library writes into memory of this thread; the shared memory is filled from it.
const buffer = new Uint8Array(new ArrayBuffer(slotBytes))

/** Of all memory that comes at once. */
const mostMemoryBytes = 1 << 30

const post = (message: ReaderMessage, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(message, [...transfer])

/** Copied here, where nobody waits for this thread: a frame of 61 megapixels takes some 100 ms. */
function takeMemories(descriptors: readonly number[]): ArrayBuffer[] {
  let left = mostMemoryBytes
  return descriptors.map((each) => {
    const memory = takeMemory(each, left)
    left -= memory.byteLength
    return memory
  })
}

function waitForSlots(needed: number): void {
  for (let n = Atomics.load(freeSlots, 0); n < needed; n = Atomics.load(freeSlots, 0)) Atomics.wait(freeSlots, 0, n)
}

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
    waitForSlots(1)
    const received = receiveMessage(socket, buffer)
    if ('ended' in received) return post({ ended: received.reason })
    Atomics.sub(freeSlots, 0, 1)
    const { bytes, descriptors } = received
    new Uint8Array(slots, slot * slotBytes, bytes).set(buffer.subarray(0, bytes))
    const memories = takeMemories(descriptors)
    post({ slot, bytes, memories }, memories)
    if (memories.length > 0) waitForSlots(count)
  }
}

const socket = fromBroker ? takeSocket() : descriptor
if (socket !== undefined) read(socket)
