import type { GateSettings } from '../../../contract/gateSettings.ts'
import { gateOf } from '../../gate.ts'
import type { Command } from '../command.ts'
import type { Rule } from '../rule.ts'
import type { GateState } from '../state.ts'
import { everyState, trap, type View } from './classes.ts'
import type { Claim } from './safetyCase.ts'

/**
 * Why factors are enough. A command passes the gate when no rule has a reason against it, so a gate of fewer rules allows
 * at least what the whole gate allows. A claim speaks of some inputs, and of some of their fields; everything else springs
 * when it is looked at, and a rule that looks there counts as having no reason. If what is left allows the command in no
 * state that breaks the claim, then the whole gate allows it in none either, whatever the other inputs say: enumerating the
 * inputs of the claim enumerates the whole space.
 */
export interface Proof {
  readonly states: number
  readonly decisions: number
  readonly allowed: number
  /** The first state that breaks the claim. */
  readonly broken: string | undefined
}

/** The rules that read nothing but these inputs, each silent where it looks at a field that is out of view. */
export function rulesWithin(rules: readonly Rule[], view: View): Rule[] {
  const within = rules.filter(({ reads }) => reads.every((input) => view[input] !== undefined))
  return within.map((rule) => ({ ...rule, why: (...asked) => insideView(() => rule.why(...asked)) }))
}

function insideView(why: () => string | undefined): string | undefined {
  try {
    return why()
  } catch (thrown) {
    if (thrown !== trap) throw thrown
    return undefined
  }
}

/** Tries the claim in every state of its inputs. */
export function prove(claim: Claim, rules: readonly Rule[]): Proof {
  const gate = gateOf(rulesWithin(rules, claim.view))
  let states = 0
  let decisions = 0
  let allowed = 0
  let broken: string | undefined
  const check = (state: GateState, command: Command, limits: GateSettings): boolean => {
    decisions++
    if (!gate(state, command, limits).allow) return true
    allowed++
    if (claim.holds(state, command, limits)) return true
    broken = `${JSON.stringify(command)} in ${inView(state, claim.view)}`
    return false
  }
  for (const limits of claim.limits) {
    if (broken) break
    states += everyState(claim.view, limits, claim.choices ?? {}, (state) =>
      claim.commands.every((command) => check(state, command, limits)),
    )
  }
  return { states, decisions, allowed, broken }
}

function inView(state: GateState, view: View): string {
  return JSON.stringify(Object.fromEntries(Object.keys(view).map((input) => [input, state[input as keyof GateState]])))
}
