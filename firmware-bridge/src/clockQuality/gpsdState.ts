import type { GpsdFix, GpsdReport, GpsdTimeOffset } from './gpsdReport.ts'

interface Heard<T> {
  readonly value: T
  /** Unix ms UTC. */
  readonly atMs: number
  /** By the clock that does not jump. */
  readonly heardAt: number
}

/** All that gpsd has said since the connection was opened, newest of each kind. */
export interface GpsdState {
  readonly release?: string | undefined
  readonly deviceCount?: number | undefined
  readonly fix?: Heard<GpsdFix> | undefined
  readonly satellites?: Heard<number> | undefined
  readonly text?: Heard<GpsdTimeOffset> | undefined
  readonly pulse?: Heard<GpsdTimeOffset> | undefined
  readonly error?: string | undefined
}

/** Adds a report. A receiver sends several TPV a second, the early ones without time: time and place are kept together. */
export function reduceGpsd(state: GpsdState, report: GpsdReport, atMs: number, heardAt: number): GpsdState {
  const heard = <T>(value: T): Heard<T> => ({ value, atMs, heardAt })
  switch (report.type) {
    case 'version':
      return { ...state, release: report.release }
    case 'devices':
      return { ...state, deviceCount: report.count }
    case 'fix':
      if (report.mode !== 'none' && report.utcMs === undefined && state.fix?.value.mode === report.mode) return state
      return { ...state, fix: heard(report), error: undefined }
    case 'sky':
      return { ...state, satellites: heard(report.usedSatellites) }
    case 'offset':
      return report.from === 'pulse' ? { ...state, pulse: heard(report) } : { ...state, text: heard(report) }
    case 'error':
      return { ...state, error: report.message }
  }
}

/** Reports older than this are no longer true; receivers speak once a second. */
export const freshMs = 10_000

/** The text comes at some moment of the second after the fix, later over slow lines. */
export const textUncertaintySeconds = 1
/** Interrupt latency of a pulse on a busy small computer, with a margin. */
export const pulseUncertaintySeconds = 0.001

export interface ClockEstimate {
  readonly offsetSeconds: number
  readonly uncertaintySeconds: number
  readonly atMs: number
}

/** The best fresh estimate of the system clock's offset: the pulse's, or the text's. */
export function estimateClock(state: GpsdState, monotonicMs: number): ClockEstimate | undefined {
  const candidates = [
    { heard: state.pulse, uncertaintySeconds: pulseUncertaintySeconds },
    { heard: state.text, uncertaintySeconds: textUncertaintySeconds },
  ]
  for (const { heard, uncertaintySeconds } of candidates) {
    if (heard === undefined || monotonicMs - heard.heardAt > freshMs) continue
    return { offsetSeconds: heard.value.clockMinusTrueSeconds, uncertaintySeconds, atMs: heard.atMs }
  }
  return undefined
}
