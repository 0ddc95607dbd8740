import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { GateClosing } from '../../contract/gateSettings.ts'

/**
 * Park, then close, and look: a pure machine that is asked what to do next for as long as the site is to be closed. The
 * roof always comes after the telescope. A command is repeated until the sensor reads what it should, never because it was
 * given or not given; past a budget the alarm sounds and it goes on.
 */
export interface ClosingState {
  /** Monotonic ms since when the mount has been wanted parked; undefined while it reads parked. */
  readonly parkingSinceMs: number | undefined
  /** Monotonic ms since when the roof has been wanted closed with nothing in its way; undefined while it reads closed. */
  readonly closingSinceMs: number | undefined
  /** When the last command of each kind was given, to space the repeats. */
  readonly parkedAtMs: number | undefined
  readonly closedAtMs: number | undefined
}

export const notClosing: ClosingState = {
  parkingSinceMs: undefined,
  closingSinceMs: undefined,
  parkedAtMs: undefined,
  closedAtMs: undefined,
}

/** What the sensors and the gate say now. */
export interface ClosingLook {
  /** The gate's word that nothing is in the way of the roof: a confirmed park. */
  readonly parked: boolean
  /** The mount says that it moves or tracks. */
  readonly moving: boolean
  /** `absent` where the site has none, `unheard` when it says nothing now. */
  readonly roof: RoofPosition | 'absent' | 'unheard'
  /** The gate allows `closeRoof` now. */
  readonly mayClose: boolean
  /** The telescope may move under the closed roof. */
  readonly clearsTelescope: boolean
}

export type ClosingAction = 'park' | 'stop' | 'close' | 'wait' | 'closed'

export interface ClosingStep {
  readonly state: ClosingState
  readonly action: ClosingAction
  /** For people, at once and loudly; undefined while all goes as it should. */
  readonly alarm: string | undefined
}

/** The next thing to do. `nowMs` is monotonic. */
export function closingStep(before: ClosingState, look: ClosingLook, nowMs: number, budget: GateClosing): ClosingStep {
  const parkingSinceMs = look.parked ? undefined : (before.parkingSinceMs ?? nowMs)
  const shut = look.roof === 'closed' || look.roof === 'absent'
  const wantsClose = !shut && look.mayClose
  const state: ClosingState = {
    ...before,
    parkingSinceMs,
    closingSinceMs: shut ? undefined : (before.closingSinceMs ?? (wantsClose ? nowMs : undefined)),
  }
  const alarm = alarmOf(state, nowMs, budget)
  if (look.parked && shut) return { state: notClosing, action: 'closed', alarm: undefined }
  if (wantsClose) return repeated(state, 'closedAtMs', 'close', nowMs, budget.closeRepeatSeconds, alarm)
  if (look.parked) return { state, action: 'wait', alarm }
  // Under a roof that is already shut the telescope is left where it is: moving it would push it against the roof.
  if (look.roof === 'closed' && !look.clearsTelescope) {
    const loud = look.moving ? 'the telescope moves under the closed roof' : alarm
    return { state, action: look.moving ? 'stop' : 'wait', alarm: loud }
  }
  // A roof on its way (by a hand, or by the site's leave) is not met by a moving telescope.
  if (look.roof === 'closing' && !look.clearsTelescope) return { state, action: look.moving ? 'stop' : 'wait', alarm }
  return repeated(state, 'parkedAtMs', 'park', nowMs, budget.parkRepeatSeconds, alarm)
}

function repeated(
  state: ClosingState,
  last: 'parkedAtMs' | 'closedAtMs',
  action: 'park' | 'close',
  nowMs: number,
  everySeconds: number,
  alarm: string | undefined,
): ClosingStep {
  const lastMs = state[last]
  if (lastMs !== undefined && nowMs >= lastMs && nowMs - lastMs < everySeconds * 1000)
    return { state, action: 'wait', alarm }
  return { state: { ...state, [last]: nowMs }, action, alarm }
}

function alarmOf(state: ClosingState, nowMs: number, budget: GateClosing): string | undefined {
  const parking = (nowMs - (state.parkingSinceMs ?? nowMs)) / 1000
  const closing = (nowMs - (state.closingSinceMs ?? nowMs)) / 1000
  if (parking > budget.parkBudgetSeconds)
    return `the mount has not parked for ${parking.toFixed(0)} s, longer than ${budget.parkBudgetSeconds} s`
  if (closing > budget.closeBudgetSeconds)
    return `the roof has not closed for ${closing.toFixed(0)} s, longer than ${budget.closeBudgetSeconds} s`
  return undefined
}
