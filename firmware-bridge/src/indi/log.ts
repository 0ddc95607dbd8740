/** What devices say to people: bounded for each device and for all together, and asked by device, level and time. */
import type { IndiState } from './properties.ts'

/** The levels of libindi's logger, written in brackets before the text; `plain` when there are none. */
export type LogLevel = 'error' | 'warning' | 'info' | 'debug' | 'plain'

export interface LogEntry {
  /** When it was heard, Unix ms UTC of this machine. */
  readonly atMs: number
  /** '' when the server itself speaks. */
  readonly device: string
  readonly text: string
  readonly level: LogLevel
  /** The sender's own stamp (ISO 8601, UTC, 1 s), if it gave one. */
  readonly timestamp?: string
}

/** Entries that are kept: of all devices, of each, and of how many devices. */
export const logLimits = { all: 500, each: 100, devices: 256 } as const

const levels: Readonly<Record<string, LogLevel>> = {
  ERROR: 'error',
  WARNING: 'warning',
  INFO: 'info',
  DEBUG: 'debug',
}

export function logEntry(
  message: {
    readonly device?: string | undefined
    readonly message?: string | undefined
    readonly timestamp?: string | undefined
  },
  atMs: number,
): LogEntry {
  const text = message.message ?? ''
  const level = levels[/^\[(\w+)\]/.exec(text)?.[1] ?? ''] ?? 'plain'
  const { timestamp } = message
  return { atMs, device: message.device ?? '', text, level, ...(timestamp === undefined ? {} : { timestamp }) }
}

/** Both logs with one more entry. */
export function logged(state: IndiState, entry: LogEntry): Pick<IndiState, 'log' | 'logs'> {
  const log = [...state.log.slice(1 - logLimits.all), entry]
  const own = state.logs.get(entry.device)
  if (!own && state.logs.size >= logLimits.devices) return { log, logs: state.logs }
  const logs = new Map(state.logs).set(entry.device, [...(own ?? []).slice(1 - logLimits.each), entry])
  return { log, logs }
}

export interface LogQuery {
  /** Absent: all devices and the server. */
  readonly device?: string
  readonly sinceMs?: number
  readonly levels?: readonly LogLevel[]
  /** The latest so many. */
  readonly most?: number
}

/** Entries that fit, oldest first. */
export function queryLog(state: IndiState, query: LogQuery = {}): readonly LogEntry[] {
  const entries = query.device === undefined ? state.log : (state.logs.get(query.device) ?? [])
  const { sinceMs = Number.NEGATIVE_INFINITY, levels: wanted, most } = query
  const fits = entries.filter((entry) => entry.atMs >= sinceMs && (wanted?.includes(entry.level) ?? true))
  return most === undefined ? fits : fits.slice(Math.max(0, fits.length - most))
}
