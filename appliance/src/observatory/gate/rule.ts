import type { GateSettings } from '../../contract/gateSettings.ts'
import type { Command, CommandKind } from './command.ts'
import type { GateState, InputName } from './state.ts'

/**
 * One rule of the gate. A command passes when no rule that applies to it has a reason against it; so taking a rule away can
 * only allow more, and a rule never has to know of another.
 */
export interface Rule {
  readonly id: string
  readonly applies: readonly CommandKind[]
  /** All that `why` may look at besides the command, the limits and the time. */
  readonly reads: readonly InputName[]
  /** A short sentence for people, with the number and its limit, or undefined. */
  readonly why: (state: GateState, command: Command, limits: GateSettings) => string | undefined
}

/** What moves the telescope across the sky, or lets it. `track` only when it starts. */
export const mountMotions = ['unpark', 'slew', 'home', 'move', 'guide', 'track', 'trackRate'] as const

/** What lays the telescope open to the sky, the weather or the Sun. */
export const openings = ['openRoof', 'openCover', ...mountMotions] as const

/** Stopping is never what a rule about motion is about. */
export const stops = (command: Command): boolean => command.kind === 'track' && !command.on
