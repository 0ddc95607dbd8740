import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { type EventType, type JournalEvent, journey } from '../contract/events.ts'
import type { DetectionRecord } from '../contract/records.ts'
import type { RunningDaemon } from '../daemon.ts'
import { separationDeg } from '../observations/ephemeris.ts'
import { type Transient, transientMag } from '../simulation/sky.ts'
import type { Observatory } from './observatory.ts'

/** A detection within this of an injected transient is that transient. */
const matchArcsec = 4
const deadlineMs = 180_000

export interface OnceContext {
  readonly daemon: RunningDaemon
  readonly observatory: Observatory
  readonly clock: Clock
  /** Monotonic; the deadline counts from here. */
  readonly startedAtMs: number
}

/** Runs the night until an injected transient was acknowledged by the receiver; prints what happened. Resolves to the exit code. */
export async function awaitOnce(context: OnceContext): Promise<number> {
  const { daemon, clock, startedAtMs } = context
  const started = await daemon.startNight('nightjar start --once')
  if (!started.ok) return fail(started.reason)
  let result: object | undefined
  while (!result && clock.monotonic() - startedAtMs < deadlineMs) {
    result = firstAcknowledged(context)
    if (result) break
    if (daemon.night.phase === 'fault' || daemon.night.phase === 'closed')
      return fail(`the night ended: ${daemon.night.doing}`)
    await clock.sleep(100)
  }
  if (!result) return fail(`no injected transient was acknowledged within ${deadlineMs / 1000} s; ${situation(daemon)}`)
  await daemon.stopNight('nightjar start --once')
  console.log(JSON.stringify(result))
  return 0
}

function fail(reason: string): number {
  console.log(JSON.stringify({ ok: false, reason }))
  return 1
}

function situation(daemon: RunningDaemon): string {
  const tonight = daemon.tonight()
  const { frames, detections, alerts } = tonight
  return `${frames.captured} frames, ${frames.calibrated} calibrated, ${detections.pending + detections.validated} detections, ${alerts.delivered} alerts delivered; ${tonight.doing}`
}

/**
 * The first alert that was acknowledged since this start and whose place and time are those of an injected transient,
 * with the journey of its frame.
 */
function firstAcknowledged({ daemon, observatory, clock, startedAtMs }: OnceContext): object | undefined {
  const { store } = daemon
  const sinceMs = clock.now() - (clock.monotonic() - startedAtMs)
  const delivered = store.alerts(10_000).filter((alert) => (alert.deliveredAtMs ?? 0) >= sinceMs)
  for (const alert of delivered.sort((a, b) => (a.deliveredAtMs ?? 0) - (b.deliveredAtMs ?? 0))) {
    const detection = store.detection(alert.detectionId)
    const frame = detection && store.frame(detection.frameId)
    if (!detection || !frame) continue
    const middleMs = frame.capturedAtMs + frame.exposureSeconds * 500
    const truth = nearest(observatory.transients, detection, middleMs)
    if (!truth) continue
    const events = store.events(0, 1_000_000)
    return {
      ok: true,
      observatory: observatory.kind,
      transient: {
        id: truth.id,
        true: {
          raDeg: round(truth.raDeg, 6),
          decDeg: round(truth.decDeg, 6),
          mag: round(transientMag(truth, middleMs) ?? Number.NaN, 3),
        },
        measured: {
          raDeg: round(detection.raDeg, 6),
          decDeg: round(detection.decDeg, 6),
          ...(detection.mag !== undefined && {
            mag: round(detection.mag, 3),
            magError: round(detection.magError ?? 0, 3),
          }),
        },
        offsetArcsec: round(offsetArcsec(truth, detection), 2),
        scorr: round(detection.scorr, 1),
        probability: round(detection.probability, 3),
        model: detection.model,
      },
      receipt: alert.receipt,
      stages: journeyOf(events, detection),
      frames: { captured: countOf(events, 'frame.captured'), calibrated: countOf(events, 'frame.calibrated') },
      otherAlerts: delivered.length - 1,
      totalSeconds: round((clock.monotonic() - startedAtMs) / 1000, 1),
    }
  }
  return undefined
}

function nearest(transients: readonly Transient[], detection: DetectionRecord, atMs: number): Transient | undefined {
  return transients.find((one) => transientMag(one, atMs) !== undefined && offsetArcsec(one, detection) < matchArcsec)
}

const offsetArcsec = (a: { raDeg: number; decDeg: number }, b: { raDeg: number; decDeg: number }): number =>
  3600 * separationDeg(a.raDeg, a.decDeg, b.raDeg, b.decDeg)

/** Seconds from the shutter's closing (`frame.captured`) to each fact of this detection's journey. */
function journeyOf(events: readonly JournalEvent[], detection: DetectionRecord): Record<string, number> {
  const own = (event: JournalEvent): boolean => {
    const body = event.body as { frameId?: string; detectionId?: string; eventId?: string; entryId?: string }
    if (event.type === 'alert.forwarded') return true
    return body.detectionId === undefined
      ? body.frameId === detection.frameId
      : body.detectionId === detection.detectionId
  }
  const first = (type: EventType, afterMs: number): number | undefined =>
    events.find((event) => event.type === type && event.atMs >= afterMs && own(event))?.atMs
  const captured = first('frame.captured', 0) ?? 0
  let previous = captured
  const times: Record<string, number> = {}
  for (const type of journey) {
    previous = first(type, previous) ?? previous
    times[type] = round((previous - captured) / 1000, 3)
  }
  return times
}

const countOf = (events: readonly JournalEvent[], type: EventType): number =>
  events.filter((event) => event.type === type).length
const round = (value: number, digits: number): number => Number(value.toFixed(digits))
