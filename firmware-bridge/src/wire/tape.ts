/**
 * A tape is a recording of a wire: JSON lines, the first a header, then one entry per chunk of bytes with its time and
 * direction. Recorded from a real device and replayed, it is that device's protocol for tests on machines without it.
 */
import type { Clock } from '../clock.ts'
import { NightjarError } from '../errors.ts'
import type { AttachedMemory, Connect, Wire, WireHandlers } from './wire.ts'

export type TapeDirection = 'in' | 'out'

export interface TapeEntry {
  /** Milliseconds since the wire was opened. */
  readonly ms: number
  /** `in`: from the device. `out`: to the device. */
  readonly direction: TapeDirection
  readonly bytes: Uint8Array
  /** The bytes came as memory of this size beside the wire, before those of the next entry; the zeros at its end are left out. */
  readonly attached?: number
}

export interface Tape {
  /** The wire that was recorded. */
  readonly name: string
  /** Unix ms UTC of the opening. */
  readonly startedAtMs: number
  readonly entries: readonly TapeEntry[]
  /** Why the recorded wire closed, if it did, and when. */
  readonly closed?: { readonly ms: number; readonly reason: string }
}

const version = 1
const mostEntryBytes = 64 << 20
/** Attached memory is recorded up to this; what is larger plays back cut, as a BLOB that did not come whole. */
const mostAttachedBytes = 32 << 20

/** A `Connect` that hands every line of a tape to `sink` (without line break) while the wire is used. */
export function recordTape(connect: Connect, sink: (line: string) => void, clock: Clock): Connect {
  return async (handlers, signal) => {
    const startedAt = clock.monotonic()
    const elapsedMs = (): number => Math.round((clock.monotonic() - startedAt) * 1000) / 1000
    const waiting: string[] = []
    let open = false
    const put = (line: object): void => {
      const text = JSON.stringify(line)
      if (open) sink(text)
      else waiting.push(text)
    }
    const entry = (direction: TapeDirection, bytes: Uint8Array): void =>
      put({ ms: elapsedMs(), direction, bytes: toBase64(bytes) })
    const attached = (memory: AttachedMemory): void => {
      const bytes = memory.read(Math.min(memory.sizeBytes, mostAttachedBytes))
      put({ ms: elapsedMs(), direction: 'in', attached: memory.sizeBytes, bytes: toBase64(withoutEndZeros(bytes)) })
    }
    const wire = await connect(
      {
        onBytes(bytes) {
          entry('in', bytes)
          handlers.onBytes(bytes)
        },
        onClose(reason) {
          put({ ms: elapsedMs(), closed: reason })
          handlers.onClose(reason)
        },
        onAttached(memory) {
          attached(memory)
          if (handlers.onAttached) handlers.onAttached(memory)
          else memory.close()
        },
      },
      signal,
    )
    sink(JSON.stringify({ tape: version, name: wire.name, startedAtMs: clock.now() }))
    open = true
    for (const line of waiting) sink(line)
    return {
      name: wire.name,
      write(bytes) {
        entry('out', bytes)
        return wire.write(bytes)
      },
      pause: () => wire.pause(),
      resume: () => wire.resume(),
      close: () => wire.close(),
    }
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Reads a tape's text. Throws `tape/format` naming the line when it is not one. */
export function parseTape(text: string): Tape {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const header = parseLine(lines[0] ?? '', 1)
  if (header.tape !== version || typeof header.name !== 'string' || typeof header.startedAtMs !== 'number') {
    throw new NightjarError('tape/format', `line 1: not a tape of version ${version}; record it anew`)
  }
  const entries: TapeEntry[] = []
  let closed: Tape['closed']
  lines.slice(1).forEach((line, index) => {
    const { ms, direction, bytes, attached, closed: reason } = parseLine(line, index + 2)
    if (typeof ms === 'number' && typeof reason === 'string') closed = { ms, reason }
    else
      entries.push({
        ...checkEntry(ms, direction, bytes, index + 2),
        ...(typeof attached === 'number' ? { attached } : {}),
      })
  })
  return { name: header.name, startedAtMs: header.startedAtMs, entries, ...(closed ? { closed } : {}) }
}

function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below, with the line's number.
  }
  throw new NightjarError('tape/format', `line ${number}: not a JSON object`)
}

function checkEntry(ms: unknown, direction: unknown, bytes: unknown, line: number): TapeEntry {
  const right =
    typeof ms === 'number' &&
    ms >= 0 &&
    (direction === 'in' || direction === 'out') &&
    typeof bytes === 'string' &&
    bytes.length <= mostEntryBytes
  if (!right) throw new NightjarError('tape/format', `line ${line}: needs ms, direction (in, out) and bytes (base64)`)
  return { ms, direction, bytes: Buffer.from(bytes, 'base64') }
}

export interface ReplayOptions {
  /**
   * `timed` (default): incoming bytes come at their recorded times whatever is written. `matched`: before an incoming
   * entry comes, everything that was written before it must be written again, byte for byte; else the wire closes.
   */
  readonly mode?: 'timed' | 'matched'
  /** 2 plays twice as fast. */
  readonly speed?: number
}

/** A device played from a tape. The wire closes where the recorded one did, or after the last entry. */
export function replayTape(tape: Tape, clock: Clock, options: ReplayOptions = {}): Connect {
  const { mode = 'timed', speed = 1 } = options
  return async (handlers) => {
    const player = createPlayer(tape, handlers, mode === 'matched')
    void play(tape, clock, speed, player)
    return player.wire
  }
}

interface Player {
  readonly wire: Wire
  readonly stop: AbortSignal
  /** Resolves when not paused. */
  flowing(): Promise<void>
  /** Resolves when these bytes have been written; at once when the mode does not ask for it. */
  written(bytes: Uint8Array): Promise<void>
  deliver(entry: TapeEntry): void
  end(reason: string): void
}

async function play(tape: Tape, clock: Clock, speed: number, player: Player): Promise<void> {
  const startedAt = clock.monotonic()
  const until = (ms: number): Promise<void> => {
    const waitMs = ms / speed - (clock.monotonic() - startedAt)
    return waitMs > 0 ? clock.sleep(waitMs, player.stop) : Promise.resolve()
  }
  try {
    for (const entry of tape.entries) {
      if (entry.direction === 'out') {
        await player.written(entry.bytes)
        continue
      }
      await until(entry.ms)
      await player.flowing()
      if (player.stop.aborted) return
      player.deliver(entry)
    }
    if (tape.closed) await until(tape.closed.ms)
    player.end(tape.closed?.reason ?? 'the tape is over')
  } catch {
    // Stopped: the wire has been closed and has said so.
  }
}

function createPlayer(tape: Tape, handlers: WireHandlers, matched: boolean): Player {
  const stop = new AbortController()
  let resumed = Promise.withResolvers<void>()
  let paused = false
  resumed.resolve()
  let expected: { readonly bytes: Uint8Array; readonly done: () => void } | undefined
  let sent: Buffer = Buffer.alloc(0)

  const end = (reason: string): void => {
    if (stop.signal.aborted) return
    stop.abort(new NightjarError('wire/closed', reason))
    resumed.resolve()
    expected?.done()
    handlers.onClose(reason)
  }

  const match = (): void => {
    if (!expected) return
    const part = sent.subarray(0, expected.bytes.length)
    if (!part.equals(expected.bytes.subarray(0, part.length))) {
      end(`the tape expected ${preview(expected.bytes)} and got ${preview(part)}`)
    } else if (part.length === expected.bytes.length) {
      sent = sent.subarray(part.length)
      const { done } = expected
      expected = undefined
      done()
    }
  }

  return {
    stop: stop.signal,
    flowing: () => resumed.promise,
    written(bytes) {
      if (!matched) return Promise.resolve()
      return new Promise((done) => {
        expected = { bytes, done }
        match()
      })
    },
    deliver(entry) {
      if (entry.attached !== undefined) handlers.onAttached?.(recordedMemory(entry.bytes, entry.attached))
      else handlers.onBytes(entry.bytes)
    },
    end,
    wire: {
      name: `tape of ${tape.name}`,
      async write(bytes) {
        if (stop.signal.aborted) throw new NightjarError('wire/closed', 'the tape is over')
        if (!matched) return
        sent = Buffer.concat([sent, bytes])
        match()
      },
      pause() {
        if (paused || stop.signal.aborted) return
        paused = true
        resumed = Promise.withResolvers<void>()
      },
      resume() {
        paused = false
        resumed.resolve()
      },
      async close() {
        end('closed')
      },
    },
  }
}

/** Memory as it was recorded, with the zeros at its end. */
export function recordedMemory(bytes: Uint8Array, sizeBytes: number): AttachedMemory {
  return {
    sizeBytes,
    read(count) {
      const whole = new Uint8Array(Math.min(count, sizeBytes, mostAttachedBytes))
      whole.set(bytes.subarray(0, whole.length))
      return whole
    },
    close: () => undefined,
  }
}

function withoutEndZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return bytes.subarray(0, end)
}

function preview(bytes: Uint8Array, most = 60): string {
  const text = Buffer.from(bytes.subarray(0, most)).toString('latin1').replaceAll(/\s+/g, ' ')
  return JSON.stringify(bytes.length > most ? `${text}…` : text)
}

/** One line per entry for people: time in seconds, direction, size, the first bytes. */
export function* describeTape(tape: Tape): Iterable<string> {
  yield describeHeader(tape)
  for (const { ms, direction, bytes, attached } of tape.entries) {
    const arrow = direction === 'in' ? '<' : '>'
    const what = attached === undefined ? preview(bytes, 80) : `memory of ${attached} bytes`
    yield `${seconds(ms)} ${arrow} ${String(bytes.length).padStart(8)} bytes  ${what}`
  }
  if (tape.closed) yield `${seconds(tape.closed.ms)} closed: ${tape.closed.reason}`
}

export function describeHeader(tape: Tape): string {
  const sum = (direction: TapeDirection): number =>
    tape.entries.reduce((bytes, entry) => bytes + (entry.direction === direction ? entry.bytes.length : 0), 0)
  const when = new Date(tape.startedAtMs).toISOString()
  return `${tape.name}, recorded ${when}, ${tape.entries.length} entries, ${sum('in')} bytes in, ${sum('out')} bytes out`
}

/** A time column. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3).padStart(9)} s`
}
