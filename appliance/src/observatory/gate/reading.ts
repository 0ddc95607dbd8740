import type { GateAges, GateSettings, Presence } from '../../contract/gateSettings.ts'
import type { GateState, Reading } from './state.ts'

/** Two programs that read one clock may differ by this much; a reading further ahead is from the future. */
export const futureToleranceMs = 1000

type Heard = Reading<{ readonly connected: boolean }>

/** What a single reading is called in a sentence, and how old it may be. */
export interface ReadingRule {
  readonly name: string
  readonly maxAgeSeconds: number
}

/** Why this reading says nothing now: never heard, too old by either clock, from the future, or its device is away. */
export function silence(reading: Heard | undefined, rule: ReadingRule, state: GateState): string | undefined {
  if (reading === undefined || reading.atMs === 0) return `the ${rule.name} has not been heard yet`
  const stampedMs = state.nowMs - reading.atMs
  const heldMs = state.monotonicMs - reading.heardMs
  if (stampedMs < -futureToleranceMs || heldMs < 0)
    return `the ${rule.name} speaks from the future: the clock was set back`
  const limitMs = rule.maxAgeSeconds * 1000
  if (stampedMs <= limitMs && heldMs <= limitMs)
    return reading.value.connected === true ? undefined : `the ${rule.name} is not connected`
  const ageSeconds = Math.round(Math.max(stampedMs, heldMs) / 1000)
  return Number.isNaN(ageSeconds)
    ? `nobody knows how old the word of the ${rule.name} is`
    : `the ${rule.name} has been silent for ${ageSeconds} s, longer than ${rule.maxAgeSeconds} s`
}

/** Silence of an input that the site may or may not have. Once heard, an optional input has to stay: unplugging clears nothing. */
export function missing(
  reading: Heard | undefined,
  presence: Presence,
  rule: ReadingRule,
  state: GateState,
): string | undefined {
  if (presence === 'absent') return undefined
  if (presence === 'optional' && (reading === undefined || reading.atMs === 0)) return undefined
  return silence(reading, rule, state)
}

const labels: Readonly<Record<keyof GateAges, string>> = {
  mount: 'mount',
  roof: 'roof',
  camera: 'camera',
  weather: 'weather station',
  rain: 'rain sensor',
  safety: 'safety controller',
  ups: 'UPS',
  clock: 'time source',
  gps: 'GPS',
  guardian: 'guardian',
  disk: 'disk',
  cover: 'cover',
  guider: 'guider',
}

/** Inputs with one reading each. */
export type SingleInput = Exclude<keyof GateAges, 'rain'>

const rulesOf = new WeakMap<GateAges, Record<keyof GateAges, ReadingRule>>()

/** Name and age limit of an input, from the settings. */
export function readingRule(input: keyof GateAges, limits: GateSettings): ReadingRule {
  let rules = rulesOf.get(limits.agesSeconds)
  if (!rules) {
    const made: Partial<Record<keyof GateAges, ReadingRule>> = {}
    for (const name of Object.keys(labels) as (keyof GateAges)[])
      made[name] = { name: labels[name], maxAgeSeconds: limits.agesSeconds[name] }
    rules = made as Record<keyof GateAges, ReadingRule>
    rulesOf.set(limits.agesSeconds, rules)
  }
  return rules[input]
}

/** Why the input says nothing now, whatever the site requires. */
export const silent = (input: SingleInput, state: GateState, limits: GateSettings): string | undefined =>
  silence(state[input], readingRule(input, limits), state)

/** What the input says now; undefined when it says nothing. */
export function said<I extends SingleInput>(
  input: I,
  state: GateState,
  limits: GateSettings,
): NonNullable<GateState[I]>['value'] | undefined {
  return silent(input, state, limits) === undefined ? state[input]?.value : undefined
}
