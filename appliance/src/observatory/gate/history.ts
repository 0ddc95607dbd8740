import type { GateSettings } from '../../contract/gateSettings.ts'
import { hazards, onBattery } from './hazards.ts'
import type { GateState } from './state.ts'

/** Since when, in monotonic ms: the little that readings alone cannot tell. Made of readings only. */
export interface History {
  /** The last moment with any hazard. A process that has just started counts its start: it has not seen the time before. */
  readonly lastHazardMs: number
  readonly onBatterySinceMs: number | undefined
  /** How long parking has been tried without the mount reading parked; from the closing machine. */
  readonly parkingSinceMs: number | undefined
}

export const beginHistory = (monotonicMs: number): History => ({
  lastHazardMs: monotonicMs,
  onBatterySinceMs: undefined,
  parkingSinceMs: undefined,
})

/** The history after this look at the sensors; to be called at every look. */
export function remember(
  state: GateState,
  limits: GateSettings,
  parkingSinceMs: number | undefined = undefined,
): History {
  const since = state.history.onBatterySinceMs
  const battery = onBattery(state, limits)
  const onBatterySinceMs = battery === undefined ? since : battery ? (since ?? state.monotonicMs) : undefined
  const history = { ...state.history, onBatterySinceMs, parkingSinceMs }
  const dangerous = hazards({ ...state, history }, limits).length > 0
  return dangerous ? { ...history, lastHazardMs: state.monotonicMs } : history
}
