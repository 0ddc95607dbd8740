import { NightjarError } from '../errors.ts'
import type { Connect, Wire, WireHandlers } from './wire.ts'

/** One direction of a pair: chunks wait until the reader has a turn and is not paused. */
class Lane {
  readonly #chunks: { readonly bytes: Uint8Array; readonly delivered: () => void }[] = []
  #reader: WireHandlers | undefined
  #paused = false
  #scheduled = false
  #ended = false
  /** Why the writer closed; the reader hears it after the last chunk. */
  #ending: string | undefined

  get ended(): boolean {
    return this.#ended
  }

  open(reader: WireHandlers): void {
    this.#reader = reader
    this.#schedule()
  }

  push(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#chunks.push({ bytes: new Uint8Array(bytes), delivered: resolve })
      this.#schedule()
    })
  }

  pause(paused: boolean): void {
    this.#paused = paused
    if (!paused) this.#schedule()
  }

  /** The writer has closed. */
  finish(reason: string): void {
    this.#ending ??= reason
    this.#schedule()
  }

  /** The reader has closed, or has heard that the writer did. */
  end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    for (const chunk of this.#chunks.splice(0)) chunk.delivered()
    this.#reader?.onClose(reason)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    while (this.#reader && !this.#paused && !this.#ended) {
      const chunk = this.#chunks.shift()
      if (!chunk) break
      this.#reader.onBytes(chunk.bytes)
      chunk.delivered()
    }
    if (this.#reader && this.#chunks.length === 0 && this.#ending !== undefined) this.end(this.#ending)
  }
}

function wireEnd(name: string, incoming: Lane, outgoing: Lane): Wire {
  return {
    name,
    write(bytes) {
      if (incoming.ended) return Promise.reject(new NightjarError('wire/closed', `${name}: the wire is closed`))
      return outgoing.push(bytes)
    },
    pause: () => incoming.pause(true),
    resume: () => incoming.pause(false),
    async close() {
      outgoing.finish('the far side closed the wire')
      incoming.end('closed')
    },
  }
}

/**
 * Two joined ends in this process. Delivery is by microtask and in order, so a night on it is as deterministic as its
 * clock. The second end opens when its handlers are given; what the first writes before that waits.
 */
export function memoryPair(first: WireHandlers, name = 'memory'): [Wire, (second: WireHandlers) => Wire] {
  const toFirst = new Lane()
  const toSecond = new Lane()
  toFirst.open(first)
  const openSecond = (second: WireHandlers): Wire => {
    toSecond.open(second)
    return wireEnd(name, toSecond, toFirst)
  }
  return [wireEnd(name, toFirst, toSecond), openSecond]
}

/** Connects to something in this process that accepts wires, as `IndiServer.accept` does. */
export function memoryConnect(accept: (open: (handlers: WireHandlers) => Wire) => void, name = 'memory'): Connect {
  return async (handlers) => {
    const [near, open] = memoryPair(handlers, name)
    accept(open)
    return near
  }
}
