/** Where and when it is, told to an LX200 mount at each connection: it may have been switched off since. */
import type { Clock } from '../clock.ts'
import { parseDate, parseSexagesimal } from '../lx200/angles.ts'
import { parseOffset } from '../lx200/codec.ts'
import type { Lx200Session } from '../lx200/session.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'

export interface Lx200Site {
  readonly latitudeDeg: number
  /** East positive. */
  readonly longitudeDeg: number
  readonly elevationMetres?: number
}

/** The mount runs on UTC with no offset. The time is told at the turn of a second, because Meade's mounts take no parts. */
export async function tellSite(session: Lx200Session, site: Lx200Site, clock: Clock): Promise<Outcome> {
  const steps: (() => Promise<Outcome>)[] = [
    () => session.set('latitude', site.latitudeDeg),
    () => session.set('longitudeWest', -site.longitudeDeg),
    () => session.set('utcOffset', 0),
    async () => {
      await clock.sleep(1000 - (clock.now() % 1000))
      const date = new Date(clock.now())
      const hours = date.getUTCHours() + date.getUTCMinutes() / 60 + date.getUTCSeconds() / 3600
      return session.set('localTime', hours)
    },
    () => session.setDate(clock.now()),
  ]
  for (const step of steps) {
    const outcome = await step()
    if (!outcome.ok) return outcome
  }
  return done
}

/** What a mount believes of place and time. */
export interface Lx200Belief {
  readonly ok: true
  readonly latitudeDeg: number
  /** East positive, in [-180, 180). */
  readonly longitudeDeg: number
  /** Its clock as Unix ms, whole seconds, read at `atMs` of ours. */
  readonly utcMs: number
  readonly atMs: number
}

/** Reads place and time back: a mount whose battery is empty points a sidereal day wrong, and says nothing of it. */
export async function readSite(session: Lx200Session, clock: Clock): Promise<Lx200Belief | Failure> {
  const high = session.dialect === 'onstep'
  const latitude = await session.angle(high ? 'latitudeHigh' : 'latitude')
  const west = await session.angle(high ? 'longitudeHigh' : 'longitude')
  if (!latitude.ok) return latitude
  if (!west.ok) return west
  const offset = await session.query('utcOffset')
  const date = await session.query('date')
  const time = await session.query('localTime')
  const utcMs = toUtc(textOf(date), textOf(time), textOf(offset))
  if (utcMs === undefined) return failure('the mount does not tell its date and time')
  const longitudeDeg = ((((-west.value + 180) % 360) + 360) % 360) - 180
  return { ok: true, latitudeDeg: latitude.value, longitudeDeg, utcMs, atMs: clock.now() }
}

const textOf = (answer: { readonly ok: true; readonly text: string } | Failure): string =>
  answer.ok ? answer.text : ''

function toUtc(date: string, time: string, offset: string): number | undefined {
  const [day, hours, offsetHours] = [parseDate(date), parseSexagesimal(time), parseOffset(offset)]
  if (!day || hours === undefined || offsetHours === undefined) return undefined
  return Date.UTC(day.year, day.month - 1, day.day) + Math.round((hours + offsetHours) * 3600) * 1000
}
