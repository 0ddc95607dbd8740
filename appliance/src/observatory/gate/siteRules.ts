import type { GateSettings } from '../../contract/gateSettings.ts'
import { type Command, commandKinds, isSafer } from './command.ts'
import { hazardChecks, onBattery } from './hazards.ts'
import { mountMotions, openings, type Rule, stops } from './rule.ts'
import type { GateState } from './state.ts'

/** Who may ask, and whether the site is fit to be open. */
export const siteRules: readonly Rule[] = [
  { id: 'lease', applies: commandKinds, reads: ['lease'], why: leaseReason },
  ...hazardChecks.map(
    ({ id, reads, why }): Rule => ({
      id: `hazard:${id}`,
      applies: id === 'clock' ? [...openings, 'sync', 'syncClock'] : openings,
      reads,
      why: (state, command, limits) => (stops(command) ? undefined : why(state, limits)),
    }),
  ),
  {
    id: 'recovery',
    applies: openings,
    reads: ['history'],
    why: (state, command, limits) => (stops(command) ? undefined : recoveryReason(state, limits)),
  },
  {
    id: 'noOpeningOnBattery',
    applies: ['openRoof', 'openCover', 'unpark'],
    reads: ['ups', 'safety'],
    why: (state, _command, limits) =>
      onBattery(state, limits) === true ? 'the site runs on battery: nothing is opened now' : undefined,
  },
  {
    id: 'sunLow',
    applies: ['openRoof', ...mountMotions],
    reads: ['sky'],
    why: (state, command, limits) => (stops(command) ? undefined : sunHigh(state, limits)),
  },
]

function leaseReason(state: GateState, command: Command): string | undefined {
  if (isSafer(command)) return undefined
  const { by } = command
  if (by === 'guardian' || by === 'panic')
    return `${by === 'panic' ? 'the panic button' : 'the guardian'} only makes things safer`
  const { lease } = state
  if (!lease || !(state.monotonicMs < lease.untilMs)) return 'nobody holds the lease: take it first'
  if (lease.holder === by) return undefined
  return `${holderInWords(lease.holder)} holds the lease`
}

const holderInWords = (holder: string): string => (holder === 'night' ? 'the night' : `session ${holder.slice(8)}`)

/** Why the site is still recovering: only time without any hazard clears one. */
export function recoveryReason(state: GateState, limits: GateSettings): string | undefined {
  const minutes = (state.monotonicMs - state.history.lastHazardMs) / 60_000
  if (minutes >= limits.recoveryMinutes) return undefined
  if (Number.isNaN(minutes)) return 'nobody knows for how long the site has been safe'
  return `the site has been safe for ${Math.max(0, minutes).toFixed(0)} min, less than ${limits.recoveryMinutes} min`
}

/** Why it is too bright to be open. */
export function sunHigh({ sky: { sun } }: GateState, { sun: { maxAltitudeDeg } }: GateSettings): string | undefined {
  if (sun.altitudeDeg <= maxAltitudeDeg) return undefined
  if (Number.isNaN(sun.altitudeDeg)) return 'nobody knows where the Sun stands'
  return `the Sun stands at ${sun.altitudeDeg.toFixed(1)}°, above ${maxAltitudeDeg}°`
}
