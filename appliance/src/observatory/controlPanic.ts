import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { NightPhase } from '../contract/api.ts'
import type { EventBody } from '../contract/events.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import type { PanicView } from '../contract/observatory.ts'
import { closeObservatory } from './closeObservatory.ts'
import type { Commander } from './commander.ts'

/** What the panic button needs of the night. */
export interface NightToEnd {
  readonly phase: NightPhase
  stop(by: string): Promise<Outcome>
}

export interface PanicDeps {
  readonly commander: Commander
  readonly night: NightToEnd
  readonly clock: Clock
  readonly limits: () => GateSettings
  readonly tell: <T extends PanicEvent>(type: T, body: EventBody<T>) => void
}

type PanicEvent = 'panic.pressed' | 'panic.ended'

export interface Panic extends AsyncDisposable {
  readonly view: PanicView | undefined
  /** Returns at once. While one runs, another press changes nothing. */
  press(by: string, reason?: string): void
  /** A person takes over, as when the mount cannot be heard and will be seen to by hand. */
  end(by: string): void
  /** Resolves when none runs, or when the one that does takes longer than it may. */
  settled(): Promise<void>
}

export const panicLimits = {
  /** A night that is not closing by then is in a slew or a roof's move: it is not waited for. */
  nightMs: 500,
  leaseMs: 60_000,
  leaseRenewMs: 10_000,
} as const

/**
 * Park and close now. Whoever held the lease loses it, and nobody gets it until the sensors read parked and closed: the
 * closing repeats its commands until then.
 */
export function createPanic(deps: PanicDeps): Panic {
  const { commander, night, clock, limits, tell } = deps
  let view: PanicView | undefined
  let stop = new AbortController()
  let endedBy: string | undefined
  let running: Promise<void> = Promise.resolve()
  let alarmed = Promise.withResolvers<void>()

  async function run(by: string, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const leasing = keepLease(AbortSignal.any([signal, over.signal]))
    await endNight(by, signal)
    const closed = await close(signal)
    over.abort()
    await leasing
    commander.dropLease('panic', 'the panic button')
    view = undefined
    tell('panic.ended', { by: endedBy ?? by, closed })
  }

  /** Resolves when the night has closed the observatory by itself, or does not promptly begin to. */
  async function endNight(by: string, signal: AbortSignal): Promise<void> {
    if (night.phase === 'closed') return
    const ended = night.stop(by).then(
      () => undefined,
      () => undefined,
    )
    const deadline = clock.monotonic() + panicLimits.nightMs
    const phase = (): NightPhase => night.phase
    while (phase() !== 'closing' && phase() !== 'closed' && clock.monotonic() < deadline)
      await clock.sleep(50, signal).catch(() => undefined)
    if (phase() === 'closing') await ended
  }

  const close = (signal: AbortSignal): Promise<boolean> =>
    closeObservatory(
      {
        commander,
        clock,
        limits,
        by: 'panic',
        onAlarm: (alarm) => {
          if (view) view = { ...view, alarm }
          alarmed.resolve()
        },
      },
      signal,
    )

  async function keepLease(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const holder = commander.lease?.holder
      if (holder && holder !== 'panic') commander.dropLease(holder, 'the panic button')
      commander.takeLease('panic', 'the panic button', panicLimits.leaseMs)
      await clock.sleep(panicLimits.leaseRenewMs, signal).catch(() => undefined)
    }
  }

  return {
    get view() {
      return view
    },
    press(by, reason) {
      if (view) return
      const asked = { by, ...(reason !== undefined && { reason }) }
      view = { ...asked, atMs: clock.now() }
      stop = new AbortController()
      endedBy = undefined
      alarmed = Promise.withResolvers<void>()
      tell('panic.pressed', asked)
      running = run(by, stop.signal)
    },
    end(by) {
      endedBy = by
      stop.abort()
    },
    settled: () => Promise.race([running, alarmed.promise]),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}
