/** A GPS receiver that speaks NMEA 0183: it talks by itself, so silence is all that tells of a pulled cable. */
import type { Clock } from '../clock.ts'
import { type NmeaSentence, parseNmea } from '../nmea/codec.ts'
import type { Random } from '../random.ts'
import { createLineReader } from '../wire/line.ts'
import { type Backoff, keepConnected } from '../wire/reconnect.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { driverCard } from './device.ts'
import type { Gps, GpsState } from './gps.ts'
import type { Capability } from './kinds.ts'

export const nmeaGpsCard = driverCard('gps', 'NMEA', ['position', 'time'])

export interface NmeaGpsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
}

export interface NmeaGps extends Gps {
  /** Lines with a wrong checksum, without one, or too long, since the start. */
  faults(): number
}

/** Receivers speak once a second. */
const silentMs = 1_900
/** So long nothing is heard before the port is closed and opened anew. */
const reopenMs = 5_000
const watchMs = 500
/** Some makers' sentences pass the 82 bytes of the standard. */
const mostLineBytes = 160
/** A receiver without a fix since it was built says 1980, and after a rollover of the week number some year before this. */
const earliestUtcMs = Date.UTC(2024, 0, 1)

interface Known {
  readonly fix: GpsState['fix']
  readonly satellites?: number | undefined
  readonly latitudeDeg?: number | undefined
  readonly longitudeDeg?: number | undefined
  readonly elevationMetres?: number | undefined
}

export function createNmeaGps(connect: Connect, { clock, random, backoff }: NmeaGpsOptions): NmeaGps {
  let known: Known = { fix: 'none' }
  let time: { readonly utcMs: number; readonly atMs: number } | undefined
  let heardAtMs = 0
  let heardAt = Number.NEGATIVE_INFINITY
  let words = 'not connected yet'
  let open: Wire | undefined
  let faults = 0
  const stop = new AbortController()

  function take(line: string): void {
    const parsed = parseNmea(line)
    if (!parsed.ok) {
      faults++
      return
    }
    heardAtMs = clock.now()
    heardAt = clock.monotonic()
    if (!parsed.sentence) return
    known = reduceFix(known, parsed.sentence)
    const utcMs = utcOf(parsed.sentence)
    if (utcMs !== undefined) time = { utcMs, atMs: heardAtMs }
  }

  const reader = createLineReader({
    terminators: '\r\n',
    mostBytes: mostLineBytes,
    onLine: take,
    onFault: () => faults++,
  })
  const connection = keepConnected(
    connect,
    {
      onOpen(wire) {
        open = wire
        words = wire.name
        heardAt = clock.monotonic()
        known = { fix: 'none' }
        time = undefined
        reader.reset()
      },
      onBytes: (bytes) => reader.push(bytes),
      onClose(reason) {
        open = undefined
        words = reason
        heardAt = Number.NEGATIVE_INFINITY
      },
    },
    { clock, random, ...(backoff ? { backoff } : {}) },
  )
  const watching = watch()

  async function watch(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(watchMs, stop.signal).catch(() => undefined)
      const wire = open
      if (!wire || clock.monotonic() - heardAt < reopenMs) continue
      open = undefined
      await wire.close()
    }
  }

  const isConnected = (): boolean => open !== undefined && heardAtMs > 0 && clock.monotonic() - heardAt <= silentMs

  return {
    state() {
      const connected = isConnected()
      const atMs = time?.atMs ?? heardAtMs
      const place = connected && known.fix !== 'none' ? known : { fix: 'none' as const, satellites: known.satellites }
      return { source: `NMEA ${words}`, atMs, connected, ...place, utcMs: time?.utcMs }
    },
    can() {
      const can = new Set<Capability<'gps'>>()
      if (known.fix !== 'none') can.add('position')
      if (time) can.add('time')
      return can
    },
    faults: () => faults,
    async [Symbol.asyncDispose]() {
      stop.abort()
      open = undefined
      await connection[Symbol.asyncDispose]()
      await watching
    },
  }
}

/** The newest of each; GSA tells the dimension, and where a receiver sends none, the number of satellites. */
function reduceFix(known: Known, sentence: NmeaSentence): Known {
  switch (sentence.type) {
    case 'GSA':
      return { ...known, fix: sentence.fix, satellites: known.satellites ?? sentence.satellites }
    case 'GGA': {
      if (sentence.quality === 0) return { fix: 'none', satellites: sentence.satellites }
      const { latitudeDeg, longitudeDeg, elevationMetres, satellites } = sentence
      const guessed = (satellites ?? 0) >= 4 ? '3d' : '2d'
      const fix = known.fix === 'none' ? guessed : known.fix
      return { fix, satellites, latitudeDeg, longitudeDeg, elevationMetres }
    }
    case 'RMC':
      if (!sentence.valid) return { fix: 'none', satellites: known.satellites }
      return {
        ...known,
        latitudeDeg: known.latitudeDeg ?? sentence.latitudeDeg,
        longitudeDeg: known.longitudeDeg ?? sentence.longitudeDeg,
      }
    case 'ZDA':
      return known
  }
}

function utcOf(sentence: NmeaSentence): number | undefined {
  if (sentence.type === 'RMC' && !sentence.valid) return undefined
  const utcMs = sentence.type === 'RMC' || sentence.type === 'ZDA' ? sentence.utcMs : undefined
  return utcMs !== undefined && utcMs >= earliestUtcMs ? utcMs : undefined
}
