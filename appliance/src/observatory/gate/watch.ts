import type { GateSettings } from '../../contract/gateSettings.ts'
import { beyondLimits, unparkedMount } from './mountRules.ts'
import type { GateState } from './state.ts'
import { capped, sunAwayDeg, sunDownDeg } from './sunRules.ts'

/** What has to be done about the mount now, because it stands or drifts where it may not. */
export interface WatchOrder {
  readonly action: 'park' | 'stopTracking'
  readonly reason: string
}

/** Parking starts this much before the cone: less than the margin of the gate, so that what it allowed is left alone. */
const parkMarginDeg = 0.5

/**
 * The gate looks once, when a motion starts; the sky turns on. To be asked every few seconds. A mount that tracks past a
 * limit is stopped; one that the Sun comes near is parked, for a mount that stands still lets the Sun come nearer.
 */
export function watch(state: GateState, limits: GateSettings): WatchOrder | undefined {
  const mount = unparkedMount(state, limits)
  if (!mount) return undefined
  if (state.sky.sun.altitudeDeg > sunDownDeg && !capped(state, limits)) {
    const awayDeg = sunAwayDeg(mount, state)
    const keepDeg = limits.sun.coneDeg + parkMarginDeg
    if (Number.isNaN(awayDeg))
      return { action: 'park', reason: 'the Sun is up, and the mount does not say where it points' }
    if (awayDeg < keepDeg)
      return {
        action: 'park',
        reason: `the telescope points ${awayDeg.toFixed(1)}° from the Sun, nearer than ${keepDeg}°`,
      }
  }
  if (!mount.tracking || mount.slewing) return undefined
  const reason = beyondLimits(mount, state, limits)
  return reason === undefined ? undefined : { action: 'stopTracking', reason }
}
