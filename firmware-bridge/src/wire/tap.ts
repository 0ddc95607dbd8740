/**
 * A live view of what goes over a wire: the latest chunks with time, direction and text, for a person who wonders what a
 * device really says. It wraps any `Connect`; the wire itself is not slowed down, BLOBs are cut short.
 */
import type { Clock } from '../clock.ts'
import type { Connect, Wire } from './wire.ts'

export interface TapEntry {
  /** Counts up from 1 for as long as the tap lives, also over reconnections. */
  readonly id: number
  /** Unix ms UTC. */
  readonly atMs: number
  /** `in`: from the device. `out`: to the device. `open` and `close` tell of the wire itself. */
  readonly what: 'in' | 'out' | 'open' | 'close'
  /** Bytes of the chunk, or of several large ones in a row so far; 0 for `open` and `close`. */
  readonly bytes: number
  /** Readable text of the first bytes (others as `\x1b`), the wire's name, or why it closed. */
  readonly text: string
  /** There was more than `text` shows. */
  readonly truncated: boolean
}

export interface TapLimits {
  readonly entries: number
  /** Bytes of one chunk that are kept as text. */
  readonly bytesPerEntry: number
  readonly subscribers: number
  /** Chunks of at least this many bytes that follow each other are one entry: one frame does not push out a night of commands. */
  readonly bulkBytes: number
}

export const tapLimits: TapLimits = { entries: 1_000, bytesPerEntry: 1_024, subscribers: 32, bulkBytes: 16_384 }

export interface Tap {
  /** For people: which wire this is. */
  readonly name: string
  /** The latest entries after `afterId` (all that are kept by default), oldest first. */
  latest(afterId?: number): readonly TapEntry[]
  /** Entries so far, those that are no longer kept included. */
  readonly count: number
  /** Called with every new entry; undefined when there are too many subscribers, else what ends it. */
  subscribe(listener: (entry: TapEntry) => void): (() => void) | undefined
  /** The same wire, seen through this tap. */
  wrap(connect: Connect): Connect
  /** A message that goes over something else than a wire of ours: a request, an answer. */
  note(what: 'in' | 'out', bytes: Uint8Array): void
}

export function createTap(name: string, clock: Clock, overrides: Partial<TapLimits> = {}): Tap {
  const limits = { ...tapLimits, ...overrides }
  const ring: TapEntry[] = []
  const listeners = new Set<(entry: TapEntry) => void>()
  let count = 0

  function put(what: TapEntry['what'], bytes: number, text: string, truncated = false): void {
    const entry: TapEntry = { id: ++count, atMs: clock.now(), what, bytes, text, truncated }
    ring[(entry.id - 1) % limits.entries] = entry
    for (const listener of [...listeners]) listener(entry)
  }

  function chunk(what: 'in' | 'out', bytes: Uint8Array): void {
    const last = ring[(count - 1) % limits.entries]
    const isBulk = bytes.length >= limits.bulkBytes
    if (last && isBulk && last.what === what && last.bytes >= limits.bulkBytes) {
      ring[(count - 1) % limits.entries] = { ...last, bytes: last.bytes + bytes.length, truncated: true }
      return
    }
    const shown = bytes.subarray(0, limits.bytesPerEntry)
    put(what, bytes.length, readableBytes(shown), shown.length < bytes.length)
  }

  return {
    name,
    get count() {
      return count
    },
    latest(afterId = 0) {
      const first = Math.max(afterId, count - limits.entries) + 1
      return Array.from({ length: Math.max(0, count - first + 1) }, (_, i) => ring[(first + i - 1) % limits.entries]!)
    },
    subscribe(listener) {
      if (listeners.size >= limits.subscribers) return undefined
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    note: chunk,
    wrap: (connect) => (handlers, signal) => tapped(connect, handlers, signal, chunk, put),
  }
}

async function tapped(
  connect: Connect,
  handlers: Parameters<Connect>[0],
  signal: AbortSignal | undefined,
  chunk: (what: 'in' | 'out', bytes: Uint8Array) => void,
  put: (what: TapEntry['what'], bytes: number, text: string) => void,
): Promise<Wire> {
  const wire = await connect(
    {
      ...handlers,
      onBytes(bytes) {
        chunk('in', bytes)
        handlers.onBytes(bytes)
      },
      onClose(reason) {
        put('close', 0, reason)
        handlers.onClose(reason)
      },
      onAttached(memory) {
        put('in', memory.sizeBytes, 'memory handed over beside the wire')
        if (handlers.onAttached) handlers.onAttached(memory)
        else memory.close()
      },
    },
    signal,
  )
  put('open', 0, wire.name)
  return {
    name: wire.name,
    write(bytes) {
      chunk('out', bytes)
      return wire.write(bytes)
    },
    pause: () => wire.pause(),
    resume: () => wire.resume(),
    close: () => wire.close(),
  }
}

/** Latin1 with everything that is not printable as an escape; line feeds, tabs and carriage returns as in C. */
export function readableBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return text.replace(/[\x00-\x1f\x7f-\x9f\\]/g, escaped)
}

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }

function escaped(character: string): string {
  return named[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}
