/** What an LX200 mount tells when it is asked, as one state. */
import type { Clock } from '../clock.ts'
import { trackingHz } from '../lx200/commands.ts'
import type { Lx200Session } from '../lx200/session.ts'
import { barsMeanSlewing, type OnStepStatus, parseStatus } from '../lx200/status.ts'
import { explainGeneralError } from '../lx200/words.ts'
import { separationDeg, toIcrs } from './epoch.ts'
import type { PierSide, TrackRate } from './mount.ts'

/** One look at the mount. Coordinates are ICRS degrees. */
export interface Lx200Reading {
  readonly atMs: number
  readonly raDeg: number
  readonly decDeg: number
  readonly tracking: boolean
  readonly parked: boolean
  readonly slewing: boolean
  readonly atHome: boolean | undefined
  readonly pierSide: PierSide
  readonly trackRate: TrackRate | undefined
  readonly altitudeDeg: number | undefined
  readonly fault: string | undefined
  readonly parkFailed: boolean
}

/** Altitude and rate change slowly and each question takes some 20 ms of a 9600 baud line. */
const seldomEvery = 4
/** Meade's mounts tell tenths of a hertz, OnStep 0.00001 Hz; King's rate lies 0.028 Hz below the stars'. */
const rateToleranceHz = 0.012
const lunarToleranceHz = 0.2
/** A serial line has no checksum: a place farther than this from the last one, or another state, is asked for twice. */
const agreeDeg = 1
const mostReadings = 4

export interface Lx200Poll {
  /** Asks for everything; undefined when an answer is missing. */
  read(): Promise<Lx200Reading | undefined>
}

export function createLx200Poll(session: Lx200Session, clock: Clock): Lx200Poll {
  let looks = 0
  let altitudeDeg: number | undefined
  let hz: number | undefined

  async function readSeldom(): Promise<void> {
    if (looks++ % seldomEvery !== 0) return
    const altitude = await session.angle('altitude')
    altitudeDeg = altitude.ok ? altitude.value : undefined
    const frequency = await session.query('trackingFrequency')
    const value = frequency.ok ? Number(frequency.text) : Number.NaN
    hz = Number.isFinite(value) ? value : undefined
  }

  let last: Lx200Reading | undefined

  /** What differs from the last reading counts when it is told twice in a row: one flipped bit parks a mount. */
  async function confirmed<T>(
    read: () => Promise<T | undefined>,
    before: T | undefined,
    agree: (a: T, b: T) => boolean,
  ): Promise<T | undefined> {
    let previous = before
    for (let n = 0; n < mostReadings; n++) {
      const next = await read()
      if (next === undefined) return undefined
      if (previous !== undefined && agree(previous, next)) return next
      previous = next
    }
    return undefined
  }

  async function readPlace(): Promise<{ raDeg: number; decDeg: number } | undefined> {
    const high = session.coordinates === 'highest'
    const ra = await session.angle(high ? 'rightAscensionHigh' : 'rightAscension')
    const dec = ra.ok ? await session.angle(high ? 'declinationHigh' : 'declination') : ra
    if (!ra.ok || !dec.ok || ra.value >= 24 || Math.abs(dec.value) > 90) return undefined
    return toIcrs({ raDeg: ra.value * 15, decDeg: dec.value }, clock.now())
  }

  return {
    async read() {
      const readMotion = (): Promise<Motion | undefined> =>
        session.dialect === 'onstep' ? readOnStep(session) : readClassic(session)
      const motion = await confirmed(readMotion, last, sameState)
      const place = motion && (await confirmed(readPlace, last, (a, b) => separationDeg(a, b) <= agreeDeg))
      if (!place) return undefined
      await readSeldom()
      last = { ...motion, ...place, atMs: clock.now(), altitudeDeg, trackRate: motion.trackRate ?? rateOf(hz) }
      return last
    },
  }
}

type Motion = Omit<Lx200Reading, 'atMs' | 'raDeg' | 'decDeg' | 'altitudeDeg'>

const sameState = (a: Motion, b: Motion): boolean =>
  a.parked === b.parked &&
  a.slewing === b.slewing &&
  a.tracking === b.tracking &&
  a.atHome === b.atHome &&
  a.pierSide === b.pierSide &&
  a.fault === b.fault &&
  a.parkFailed === b.parkFailed

async function readOnStep(session: Lx200Session): Promise<Motion | undefined> {
  const answer = await session.query('status')
  const status = answer.ok ? parseStatus(answer.text) : undefined
  return status && fromStatus(status)
}

function fromStatus(status: OnStepStatus): Motion {
  const slewing = status.slewing || status.park === 'parking' || status.homing
  const parked = status.park === 'parked'
  return {
    tracking: status.tracking && !slewing && !parked,
    parked,
    slewing,
    atHome: status.atHome,
    pierSide: status.pierSide,
    // A compensated rate is the stars' rate with refraction taken into account.
    trackRate:
      status.rate === 'king' ? 'custom' : (status.rate ?? (status.compensation !== 'none' ? 'sidereal' : undefined)),
    fault: explainGeneralError(status.error),
    parkFailed: status.park === 'failed',
  }
}

/** Meade's mounts tell whether they slew and how they are aligned; a mount in land mode does not track. */
async function readClassic(session: Lx200Session): Promise<Motion | undefined> {
  const bars = await session.query('distanceBars')
  if (!bars.ok) return undefined
  const alignment = await session.alignment()
  if (!alignment.ok) return undefined
  const slewing = barsMeanSlewing(bars.text)
  return {
    tracking: alignment.text !== 'L' && !slewing,
    parked: false,
    slewing,
    atHome: undefined,
    pierSide: 'unknown',
    trackRate: undefined,
    fault: undefined,
    parkFailed: false,
  }
}

/** A mount that stands still says 0 Hz. */
function rateOf(hz: number | undefined): TrackRate | undefined {
  if (hz === undefined || hz === 0) return undefined
  if (Math.abs(hz - trackingHz.lunar) < lunarToleranceHz) return 'lunar'
  if (Math.abs(hz - trackingHz.solar) < rateToleranceHz) return 'solar'
  // Meade's mounts round the stars' rate to 60.1.
  if (Math.abs(hz - trackingHz.sidereal) < rateToleranceHz || hz === 60.1 || hz === 60.2) return 'sidereal'
  return 'custom'
}
