import type { GateSettings } from '../contract/gateSettings.ts'
import type { Command, CommandKind } from './gate/command.ts'
import type { Rule } from './gate/rule.ts'
import { gateRules } from './gate/rules.ts'
import type { GateState } from './gate/state.ts'

/**
 * The one pure function in front of every hardware command: (observatory state, command, limits) → allow or deny with a
 * reason. It looks at what sensors said and how old that is, never at what was last commanded. Unknown, silent, from the
 * future or not a number means unsafe. Parking and stopping are always allowed.
 */
export type Verdict = { readonly allow: true } | { readonly allow: false; readonly reason: string }

export type Gate = (state: GateState, command: Command, limits: GateSettings) => Verdict

const allow: Verdict = { allow: true }

/** A gate of these rules: a command passes when none that applies to it has a reason against it. */
export function gateOf(rules: readonly Rule[]): Gate {
  const byKind = new Map<CommandKind, Rule[]>()
  for (const rule of rules) for (const kind of rule.applies) byKind.set(kind, [...(byKind.get(kind) ?? []), rule])
  return (state, command, limits) => {
    const applying = byKind.get(command.kind)
    if (!applying) return allow
    for (const { why } of applying) {
      const reason = why(state, command, limits)
      if (reason !== undefined) return { allow: false, reason }
    }
    return allow
  }
}

export const decide: Gate = gateOf(gateRules)
