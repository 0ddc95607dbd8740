import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import type { Commander } from './commander.ts'
import { type ClosingLook, closingStep, notClosing } from './gate/closing.ts'
import type { Asker } from './gate/command.ts'
import { silent } from './gate/reading.ts'
import { inTheWay } from './gate/roofRules.ts'
import type { GateState } from './gate/state.ts'
import { decide } from './gate.ts'

/** How often the sensors are looked at while something has to move. */
const lookMs = 500

export interface ClosingDeps {
  readonly commander: Commander
  readonly clock: Clock
  readonly limits: () => GateSettings
  readonly by: Asker
  /** Called at every look at which the closing is past its budget, with the reason. It goes on. */
  readonly onAlarm: (alarm: string) => void
}

/**
 * Parks, then closes, and resolves to true when the sensors read parked and closed. Repeats without end, for nothing else
 * is safe; to false only when aborted.
 */
export async function closeObservatory(deps: ClosingDeps, signal: AbortSignal): Promise<boolean> {
  const { commander, clock, limits, by, onAlarm } = deps
  let closing = notClosing
  while (!signal.aborted) {
    const step = closingStep(closing, closingLook(commander.look(), deps), clock.monotonic(), limits().closing)
    closing = step.state
    commander.setParkingSince(closing.parkingSinceMs)
    if (step.alarm !== undefined) onAlarm(step.alarm)
    // Not waited for: a mount takes minutes, and the sensors are looked at all the while.
    if (step.action === 'park') void commander.command({ kind: 'park' }, by)
    if (step.action === 'stop') void commander.command({ kind: 'abort' }, by)
    if (step.action === 'close') void commander.command({ kind: 'closeRoof' }, by)
    if (step.action === 'closed') return true
    await clock.sleep(lookMs, signal).catch(() => undefined)
  }
  return false
}

function closingLook(state: GateState, { limits, by }: ClosingDeps): ClosingLook {
  const now = limits()
  const { slewing, tracking } = state.mount?.value ?? { slewing: true, tracking: true }
  return {
    parked: inTheWay(state, now) === undefined,
    moving: slewing || tracking,
    roof: roofOf(state, now),
    mayClose: decide(state, { kind: 'closeRoof', by }, now).allow,
    clearsTelescope: now.roof.clearsTelescope,
  }
}

function roofOf(state: GateState, limits: GateSettings): ClosingLook['roof'] {
  if (limits.inputs.roof === 'absent') return 'absent'
  if (silent('roof', state, limits) !== undefined) return 'unheard'
  return state.roof?.value.position ?? 'unheard'
}
