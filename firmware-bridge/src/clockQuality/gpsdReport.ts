/** What gpsd says to a watcher: gpsd_json(5). Unknown classes and fields are left out. */
export type GpsdReport =
  | { readonly type: 'version'; readonly release: string }
  | { readonly type: 'devices'; readonly count: number }
  | GpsdFix
  | { readonly type: 'sky'; readonly usedSatellites: number }
  | GpsdTimeOffset
  | { readonly type: 'error'; readonly message: string }

/** TPV: time, position, velocity. */
export interface GpsdFix {
  readonly type: 'fix'
  readonly mode: 'none' | '2d' | '3d'
  /** UTC of the fix, Unix ms. */
  readonly utcMs?: number | undefined
  readonly latitudeDeg?: number | undefined
  readonly longitudeDeg?: number | undefined
  /** Above mean sea level. */
  readonly elevationMetres?: number | undefined
}

/** TOFF (from the text of the receiver) and PPS (from its pulse): one instant by the receiver and by the system clock. */
export interface GpsdTimeOffset {
  readonly type: 'offset'
  readonly from: 'text' | 'pulse'
  /** System clock minus receiver, seconds. */
  readonly clockMinusTrueSeconds: number
}

type Json = Readonly<Record<string, unknown>>

const finite = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

function within(value: unknown, low: number, high: number): number | undefined {
  const found = finite(value)
  return found !== undefined && found >= low && found <= high ? found : undefined
}

/** One line. Undefined for what is no JSON object or no report that we use; never throws. */
export function parseReport(line: string): GpsdReport | undefined {
  const json = parseObject(line)
  switch (json?.['class']) {
    case 'VERSION':
      return { type: 'version', release: String(json['release'] ?? '') }
    case 'DEVICES':
      return { type: 'devices', count: Array.isArray(json['devices']) ? json['devices'].length : 0 }
    case 'TPV':
      return readFix(json)
    case 'SKY':
      return readSky(json)
    case 'TOFF':
      return readOffset(json, 'text')
    case 'PPS':
      return readOffset(json, 'pulse')
    case 'ERROR':
      return { type: 'error', message: String(json['message'] ?? '') }
    default:
      return undefined
  }
}

function parseObject(line: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

function readFix(json: Json): GpsdFix {
  const mode = json['mode'] === 3 ? '3d' : json['mode'] === 2 ? '2d' : 'none'
  const utcMs = typeof json['time'] === 'string' ? finite(Date.parse(json['time'])) : undefined
  return {
    type: 'fix',
    mode,
    utcMs,
    latitudeDeg: within(json['lat'], -90, 90),
    longitudeDeg: within(json['lon'], -180, 180),
    // `alt` is the deprecated name of older servers.
    elevationMetres: finite(json['altMSL']) ?? finite(json['alt']),
  }
}

/** `uSat` since 3.22; before, the satellites that are marked used. SKY without either says only dilutions. */
function readSky(json: Json): GpsdReport | undefined {
  const told = finite(json['uSat'])
  if (told !== undefined) return { type: 'sky', usedSatellites: told }
  const satellites = json['satellites']
  if (!Array.isArray(satellites)) return undefined
  return { type: 'sky', usedSatellites: satellites.filter((one: Json | null) => one?.['used'] === true).length }
}

function readOffset(json: Json, from: GpsdTimeOffset['from']): GpsdTimeOffset | undefined {
  const [realSeconds, realNanoseconds] = [finite(json['real_sec']), finite(json['real_nsec'])]
  const [clockSeconds, clockNanoseconds] = [finite(json['clock_sec']), finite(json['clock_nsec'])]
  if (realSeconds === undefined || realNanoseconds === undefined) return undefined
  if (clockSeconds === undefined || clockNanoseconds === undefined) return undefined
  // Seconds and nanoseconds apart: together they do not fit a double.
  const clockMinusTrueSeconds = clockSeconds - realSeconds + (clockNanoseconds - realNanoseconds) / 1e9
  return { type: 'offset', from, clockMinusTrueSeconds }
}
