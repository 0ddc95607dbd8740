import type { GateSettings } from '../../contract/gateSettings.ts'
import { diskFull } from './cameraRules.ts'
import { hazards } from './hazards.ts'
import { unparkedMount } from './mountRules.ts'
import { missing, readingRule, silent } from './reading.ts'
import { roofNotOpen } from './roofRules.ts'
import { recoveryReason, sunHigh } from './siteRules.ts'
import type { GateState } from './state.ts'

/**
 * What makes the site unsafe as a whole, for the panel and for ending the night: the surroundings first, then the Sun, then
 * what the observatory cannot do without.
 */
export function unsafeReasons(state: GateState, limits: GateSettings): string[] {
  const { inputs } = limits
  const checks = [
    sunHigh(state, limits),
    silent('mount', state, limits),
    inputs.roof === 'absent' ? undefined : silent('roof', state, limits),
    unparkedMount(state, limits) && roofNotOpen(state, limits),
    silent('camera', state, limits),
    missing(state.cover, inputs.cover, readingRule('cover', limits), state),
    missing(state.guider, inputs.guider, readingRule('guider', limits), state),
    diskFull(state, limits),
  ]
  return [...new Set([...hazards(state, limits), ...checks.filter((reason) => reason !== undefined)])]
}

/** Whether the site may be open. Unsafe at once; safe only when the recovery timer has run without any hazard. */
export type SafetyVerdict =
  | { readonly state: 'safe' }
  | { readonly state: 'unsafe'; readonly reasons: readonly string[] }
  | { readonly state: 'recovering'; readonly reason: string; readonly remainingMs: number }

/**
 * From the surroundings alone (weather, rain, safety controller, power, clock): what closes the roof. A device that was
 * lost and came back does not start the timer; a hazard does, and so does losing the sensor that saw it.
 */
export function safetyVerdict(state: GateState, limits: GateSettings): SafetyVerdict {
  const reasons = hazards(state, limits)
  if (reasons.length > 0) return { state: 'unsafe', reasons }
  const reason = recoveryReason(state, limits)
  if (reason === undefined) return { state: 'safe' }
  const remainingMs = limits.recoveryMinutes * 60_000 - (state.monotonicMs - state.history.lastHazardMs)
  return { state: 'recovering', reason, remainingMs }
}
