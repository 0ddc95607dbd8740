/** Where and when it is, told to an LX200 mount at each connection: it may have been switched off since. */
import type { Clock } from '../clock.ts'
import type { Lx200Session } from '../lx200/session.ts'
import { done, type Outcome } from '../outcome.ts'

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
