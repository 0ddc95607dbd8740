import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import type { Commander } from './commander.ts'
import type { NightToEnd, Panic } from './controlPanic.ts'
import { hazards } from './gate/hazards.ts'
import { inTheWay } from './gate/roofRules.ts'
import { sunHigh } from './gate/siteRules.ts'

/**
 * Looks after what a person has opened, as the night looks after what it has: a hazard, the Sun, or nobody in control any
 * more, and all is parked and closed. It ends when all is closed, or when a night has taken over.
 */
export interface Attendance {
  /** A person opens the roof or unparks the mount. */
  begin(opening: Promise<unknown>): void
  /** A person sees to it without us. */
  leave(): void
  /** Closes what is still open; resolves when it is, or when it takes longer than it may. */
  closeDown(): Promise<void>
}

const lookMs = 1_000
/** Who asks, in the journal. */
const self = 'Nightjar'

export interface AttendanceDeps {
  readonly commander: Commander
  readonly night: NightToEnd
  readonly clock: Clock
  readonly limits: () => GateSettings
  readonly panic: Panic
}

export function createAttendance({ commander, night, clock, limits, panic }: AttendanceDeps): Attendance {
  let watching: AbortController | undefined
  let opening = 0

  function isClosed(): boolean {
    const [state, now] = [commander.look(), limits()]
    const shut = now.inputs.roof === 'absent' || state.roof?.value.position === 'closed'
    return shut && inTheWay(state, now) === undefined
  }

  function reason(): string | undefined {
    const [state, now] = [commander.look(), limits()]
    const why = hazards(state, now)[0] ?? sunHigh(state, now)
    return why ?? (commander.lease ? undefined : 'nobody is in control any more')
  }

  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && night.phase === 'closed') {
      if (!panic.view) {
        if (opening === 0 && isClosed()) break
        const why = reason()
        if (why !== undefined) panic.press(self, why)
      }
      await clock.sleep(lookMs, signal).catch(() => undefined)
    }
  }

  return {
    begin(work) {
      opening++
      void work.finally(() => opening--)
      if (watching) return
      const own = new AbortController()
      watching = own
      void watch(own.signal).finally(() => {
        if (watching === own) watching = undefined
      })
    },
    leave: () => watching?.abort(),
    async closeDown() {
      if (watching && !panic.view && !isClosed()) panic.press(self, 'Nightjar stops')
      await panic.settled()
      watching?.abort()
    },
  }
}
