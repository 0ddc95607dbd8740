import type { Clock } from '../clock.ts'
import { parseReport } from '../clockQuality/gpsdReport.ts'
import { estimateClock, freshMs, type GpsdState, reduceGpsd } from '../clockQuality/gpsdState.ts'
import type { Random } from '../random.ts'
import { createLineSplitter } from '../wire/lineSplitter.ts'
import { keepConnected } from '../wire/reconnect.ts'
import type { Connect } from '../wire/wire.ts'
import { driverCard } from './device.ts'
import type { Gps, GpsState } from './gps.ts'
import type { Capability } from './kinds.ts'
import type { TimeSource, TimeSourceState } from './timeSource.ts'

export const gpsdCard = driverCard('gps', 'gpsd', ['position', 'time'])
export const gpsdTimeSourceCard = driverCard('timeSource', 'gpsd', ['offset', 'uncertainty'])

/** gpsd listens here unless told otherwise. */
export const gpsdPort = 2947

export interface Gpsd extends AsyncDisposable {
  readonly gps: Gps
  /** How far the system clock is from the receiver's. gpsd does not steer the clock: that is chrony's work. */
  readonly timeSource: TimeSource
}

const longestLineBytes = 64 * 1024
const watch = Buffer.from('?WATCH={"enable":true,"json":true,"pps":true};\n')

/** A receiver behind gpsd, as a place and as a time. Disposing one of the two leaves the other. */
export function createGpsd(connect: Connect, deps: { readonly clock: Clock; readonly random: Random }): Gpsd {
  const { clock } = deps
  let state: GpsdState = {}
  let lost: string | undefined = 'not connected yet'
  let users = 2
  const lines = createLineSplitter({
    longestBytes: longestLineBytes,
    onLine(line) {
      const report = parseReport(line)
      if (report) state = reduceGpsd(state, report, clock.now(), clock.monotonic())
    },
  })
  const connection = keepConnected(
    connect,
    {
      onOpen(wire) {
        lines.reset()
        state = { fix: state.fix }
        lost = undefined
        wire.write(watch).catch(() => undefined)
      },
      onBytes: (bytes) => lines.push(bytes),
      onClose(reason) {
        lost = reason
      },
    },
    deps,
  )

  const isFresh = (): boolean => state.fix !== undefined && clock.monotonic() - state.fix.heardAt <= freshMs

  function problem(): string | undefined {
    if (lost !== undefined) return lost
    if (state.error !== undefined) return `gpsd: ${state.error}`
    if (isFresh()) return undefined
    return state.deviceCount === 0 ? 'gpsd has no receiver: check its device' : 'the receiver says nothing'
  }

  function gpsState(): GpsState {
    const { fix, satellites } = state
    const wrong = problem()
    return {
      source: 'gpsd',
      atMs: fix?.atMs ?? 0,
      connected: wrong === undefined,
      problem: wrong,
      fix: wrong === undefined ? (fix?.value.mode ?? 'none') : 'none',
      satellites: satellites?.value,
      latitudeDeg: fix?.value.latitudeDeg,
      longitudeDeg: fix?.value.longitudeDeg,
      elevationMetres: fix?.value.elevationMetres,
      utcMs: fix?.value.utcMs,
    }
  }

  function timeState(): TimeSourceState {
    const estimate = lost === undefined ? estimateClock(state, clock.monotonic()) : undefined
    const wrong = problem() ?? (estimate ? undefined : 'the receiver does not tell the time yet')
    return {
      source: 'gpsd',
      atMs: estimate?.atMs ?? 0,
      connected: wrong === undefined,
      problem: wrong,
      synchronised: estimate !== undefined && Math.abs(estimate.offsetSeconds) <= estimate.uncertaintySeconds,
      offsetSeconds: estimate?.offsetSeconds,
      uncertaintySeconds: estimate?.uncertaintySeconds,
    }
  }

  const close = async (): Promise<void> => connection[Symbol.asyncDispose]()
  const leave = (): (() => Promise<void>) => {
    let left = false
    return async () => {
      if (!left) users--
      left = true
      if (users === 0) await close()
    }
  }

  return {
    gps: {
      state: gpsState,
      can() {
        const able = new Set<Capability<'gps'>>()
        if (state.fix?.value.latitudeDeg !== undefined) able.add('position')
        if (state.fix?.value.utcMs !== undefined) able.add('time')
        return able
      },
      [Symbol.asyncDispose]: leave(),
    },
    timeSource: {
      state: timeState,
      can: () => new Set(timeState().offsetSeconds === undefined ? [] : gpsdTimeSourceCard.can),
      [Symbol.asyncDispose]: leave(),
    },
    [Symbol.asyncDispose]: close,
  }
}
