import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Kind } from '@nightjar/firmware-bridge/devices/kinds.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { EventBody } from '../contract/events.ts'

/**
 * The recovery ladder: what is tried, in which order, when a device has failed. Each rung is harsher than the one before
 * and has a budget; a rung that a device does not have is passed over; above the last the device is given up and the rest
 * of the observatory is kept safe without it.
 */
export const rungs = ['retry', 'reconnect', 'restartDriver', 'usbReset', 'powerCycle'] as const
export type Rung = (typeof rungs)[number]

export interface RungBudget {
  readonly attempts: number
  /** How long the device may take to be well again after an attempt. */
  readonly settleMs: number
}

export interface RecoveryLimits {
  readonly budgets: Readonly<Record<Rung, RungBudget>>
  /** A device that fails again this soon after it was recovered starts above the rung that helped: it did not last. */
  readonly relapseMs: number
  readonly pollMs: number
}

/**
 * Settling times: Debian's simulators are back 10 ms after a kill and connected within a second; real cameras load firmware
 * after a USB reset, which the slowest of the peers' defaults waits 30 s for.
 */
export const defaultRecoveryLimits: RecoveryLimits = {
  budgets: {
    retry: { attempts: 2, settleMs: 3_000 },
    reconnect: { attempts: 2, settleMs: 10_000 },
    restartDriver: { attempts: 2, settleMs: 20_000 },
    usbReset: { attempts: 1, settleMs: 30_000 },
    powerCycle: { attempts: 1, settleMs: 45_000 },
  },
  relapseMs: 10 * 60_000,
  pollMs: 250,
}

/** Where on its ladder a device stands. */
export interface Position {
  readonly rung: Rung
  /** From 1. */
  readonly attempt: number
}

/** The next thing to try; undefined when the ladder ends. */
export function nextPosition(
  from: Position | undefined,
  has: ReadonlySet<Rung>,
  budgets: RecoveryLimits['budgets'],
): Position | undefined {
  if (from && has.has(from.rung) && from.attempt < budgets[from.rung].attempts)
    return { rung: from.rung, attempt: from.attempt + 1 }
  const start = from ? rungs.indexOf(from.rung) + 1 : 0
  const rung = rungs.slice(start).find((one) => has.has(one) && budgets[one].attempts > 0)
  return rung && { rung, attempt: 1 }
}

/** A device that can be recovered. */
export interface Patient {
  /** Unique, for people too. */
  readonly device: string
  readonly kind: Kind
  /** Answers and is connected, by what it says now. */
  isWell(): boolean
  /** What can be done for it; `retry` without an act only waits. */
  readonly remedies: Readonly<Partial<Record<Rung, () => Promise<Outcome>>>>
  /** The port of the power box that feeds it alone. */
  readonly powerPort?: string | undefined
}

export interface RecoveryDeps {
  readonly clock: Clock
  readonly limits?: RecoveryLimits
  /** Switches a port off and on again, by leave of the gate: it may feed a mount that is not parked. */
  readonly cyclePower?: (port: string) => Promise<Outcome>
  /** Takes each step to the journal. Must not throw: recovery does not wait for the disk. */
  readonly tell: <T extends RecoveryEvent>(type: T, body: EventBody<T>) => void
}
type RecoveryEvent = 'recovery.stepped' | 'device.recovered' | 'device.givenUp'

export interface Recovery {
  /** Climbs until the device is well (done) or given up (failure). A second call for the same device joins the first. */
  recover(patient: Patient, reason: string, signal: AbortSignal): Promise<Outcome>
  /** What is being tried for a device now; `givenUp` until it is well again or `forgive`n. */
  standing(device: string): Position | 'givenUp' | undefined
  /** A person has looked after the device: it starts at the foot again. */
  forgive(device: string): void
}

interface History {
  readonly position: Position
  readonly atMs: number
}

export function createRecovery({ clock, tell, cyclePower, limits = defaultRecoveryLimits }: RecoveryDeps): Recovery {
  const climbing = new Map<string, Promise<Outcome>>()
  const standings = new Map<string, Position | 'givenUp'>()
  const helped = new Map<string, History>()

  /** Where to begin: above what helped a moment ago; at the foot otherwise, and where nothing harsher is left. */
  function begin(patient: Patient, has: ReadonlySet<Rung>): Position | undefined {
    const last = helped.get(patient.device)
    const foot = nextPosition(undefined, has, limits.budgets)
    if (!last || clock.monotonic() - last.atMs > limits.relapseMs) return foot
    const { rung } = last.position
    return nextPosition({ rung, attempt: limits.budgets[rung].attempts }, has, limits.budgets) ?? foot
  }

  async function climb(patient: Patient, reason: string, signal: AbortSignal): Promise<Outcome> {
    const { device, kind } = patient
    const has = new Set(rungs.filter((rung) => remedy(patient, rung) !== undefined))
    const startedAtMs = clock.monotonic()
    let why = reason
    let position = begin(patient, has)
    for (; position; position = nextPosition(position, has, limits.budgets)) {
      standings.set(device, position)
      const attempt = await step(patient, position, why, signal)
      if (signal.aborted) return failure(`the recovery of ${device} was stopped`)
      if (attempt.ok) {
        standings.delete(device)
        helped.set(device, { position, atMs: clock.monotonic() })
        tell('device.recovered', {
          device,
          kind,
          rung: position.rung,
          seconds: (clock.monotonic() - startedAtMs) / 1000,
        })
        return done
      }
      why = attempt.reason
    }
    standings.set(device, 'givenUp')
    tell('device.givenUp', { device, kind, reason: why })
    return failure(`${device} was given up: ${why}`)
  }

  function remedy({ remedies, powerPort }: Patient, rung: Rung): (() => Promise<Outcome>) | undefined {
    if (rung === 'powerCycle' && powerPort !== undefined && cyclePower) return () => cyclePower(powerPort)
    return remedies[rung]
  }

  async function step(patient: Patient, position: Position, reason: string, signal: AbortSignal): Promise<Outcome> {
    const { device, kind } = patient
    const act = remedy(patient, position.rung)!
    const outcome = await act().catch((error: unknown) => failure(String(error)))
    const well = outcome.ok && (await becomesWell(patient, limits.budgets[position.rung].settleMs, signal))
    const result = well ? done : outcome.ok ? failure(`${device} did not come back`) : outcome
    tell('recovery.stepped', { device, kind, ...position, reason, result: result.ok ? 'well' : result.reason })
    return result
  }

  async function becomesWell(patient: Patient, settleMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = clock.monotonic() + settleMs
    while (!patient.isWell()) {
      if (clock.monotonic() >= deadline || signal.aborted) return false
      await clock.sleep(limits.pollMs, signal).catch(() => undefined)
    }
    return true
  }

  return {
    recover(patient, reason, signal) {
      const under = climbing.get(patient.device)
      if (under) return under
      const climb_ = climb(patient, reason, signal).finally(() => climbing.delete(patient.device))
      climbing.set(patient.device, climb_)
      return climb_
    },
    standing: (device) => standings.get(device),
    forgive(device) {
      standings.delete(device)
      helped.delete(device)
    },
  }
}
