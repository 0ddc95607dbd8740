import type { GateAges, GateSettings } from '../../../contract/gateSettings.ts'
import type { GateState, InputName, Lease, Reading } from '../state.ts'

/**
 * The state of the observatory, made discrete: every way in which a reading can be no reading, and for every value its
 * kinds or both sides of each limit, with what is missing and what is not a number.
 */

export const nowMs = Date.UTC(2026, 10, 21, 22)
export const monotonicMs = 500_000_000

/** The ways a reading comes: one is to be believed, at its very oldest. */
export const manners = [
  'fresh',
  'never',
  'atNever',
  'silent',
  'held',
  'future',
  'setBack',
  'notANumber',
  'away',
] as const
type Manner = (typeof manners)[number]

function reading<T extends object>(
  manner: Manner,
  value: T,
  maxAgeSeconds: number,
): Reading<T & { connected: boolean }> | undefined {
  const oldest = maxAgeSeconds * 1000
  // Values of trapped fields are getters: they have to stay so.
  const said = Object.defineProperties({ connected: manner !== 'away' }, Object.getOwnPropertyDescriptors(value))
  const at = (atMs: number, heardMs: number) => ({ value: said as T & { connected: boolean }, atMs, heardMs })
  switch (manner) {
    case 'never':
      return undefined
    case 'atNever':
      return at(0, monotonicMs)
    case 'silent':
      return at(nowMs - oldest - 1, monotonicMs)
    case 'held':
      return at(nowMs, monotonicMs - oldest - 1)
    case 'future':
      return at(nowMs + 1001, monotonicMs)
    case 'setBack':
      return at(nowMs, monotonicMs + 1)
    case 'notANumber':
      return at(Number.NaN, monotonicMs)
    default:
      return at(nowMs - oldest, monotonicMs - oldest)
  }
}

type Domain = Readonly<Record<string, readonly unknown[]>>

/** One arrangement of the sky over a site. */
export interface SkyCase {
  readonly latitudeDeg: number
  readonly siderealDeg: number
  readonly sun: { readonly raDeg: number; readonly decDeg: number; readonly altitudeDeg: number }
  readonly moon?: { readonly raDeg: number; readonly decDeg: number } | undefined
}

const about = (limit: number, step: number): readonly (number | undefined)[] => [
  undefined,
  Number.NaN,
  limit,
  limit + step,
]

/** What each input can say, field by field. */
function domains(limits: GateSettings): Readonly<Record<string, Domain>> {
  const { weather, clock, ups, disk } = limits
  const boolean3 = [true, false, undefined]
  return {
    mount: {
      parked: [true, false],
      slewing: [true, false],
      tracking: [true, false],
      pierSide: ['east', 'west', 'unknown'],
      fault: [undefined],
    },
    roof: {
      position: ['open', 'closed', 'opening', 'closing', 'unknown'],
      fault: [undefined, 'over-current'],
      azimuthDeg: [undefined, 90],
    },
    camera: { exposing: [true, false] },
    weather: {
      verdict: ['good', 'warning', 'danger', 'unknown'],
      raining: boolean3,
      rainMillimetresPerHour: [undefined, Number.NaN, 0, 0.1],
      windMetresPerSecond: about(weather.maxWindMetresPerSecond, 0.1),
      gustMetresPerSecond: about(weather.maxGustMetresPerSecond, 0.1),
      humidityPercent: about(weather.maxHumidityPercent, 0.1),
      cloudPercent: about(weather.maxCloudPercent, 0.1),
      temperatureC: about(weather.minTemperatureC, -0.1),
    },
    safety: { safe: [true, false], reasons: [[]], raining: boolean3, mainsLost: boolean3, mountParked: boolean3 },
    ups: {
      onMains: boolean3,
      lowBattery: [true, false],
      chargePercent: [undefined, Number.NaN, ups.minChargePercent, ups.minChargePercent - 0.1],
    },
    clock: {
      synchronised: [true, false],
      offsetSeconds: [undefined, Number.NaN, 0, -clock.maxErrorSeconds],
      uncertaintySeconds: [undefined, Number.NaN, 0, 0.1, clock.maxErrorSeconds],
    },
    gps: { fix: ['none', '2d', '3d'] },
    guardian: { mayOpen: [true, false], causes: [[]] },
    disk: { freeBytes: [Number.NaN, disk.minFreeBytes, disk.minFreeBytes - 1] },
    cover: { position: ['open', 'closed', 'moving', 'unknown'] },
    guider: { activity: ['guiding', 'unknown'] },
  }
}

/** Inputs and, where only some of their fields are looked at, which: the others spring when touched. */
export type View = Partial<Record<InputName, readonly string[] | 'all'>>

/** Lists that the tests choose themselves, in place of every product of fields. */
export interface Choices {
  readonly sky?: readonly SkyCase[]
  /** One rain sensor, the one that the settings name, instead of every pair with another. */
  readonly oneRainSensor?: boolean
  /** Of the weather station only three words: none yet, rain now, rain of too long ago. */
  readonly rainOfWeather?: boolean
  /** Where the mount says it points. */
  readonly pointing?: readonly { readonly raDeg: number; readonly decDeg: number }[]
}

/** Thrown when something out of view is looked at; one object, as it is thrown millions of times. */
export const trap: { looked: string } = { looked: '' }

function spring(what: string): never {
  trap.looked = what
  throw trap
}

/** Every combination of the fields of a domain that are in view; a field out of view throws when read. */
function products(name: string, domain: Domain, fields: readonly string[] | 'all'): object[] {
  let made: object[] = [{}]
  for (const [field, values] of Object.entries(domain)) {
    const seen = fields === 'all' || fields.includes(field)
    made = made.flatMap((so) =>
      seen
        ? values.map((value) =>
            Object.defineProperties(
              {},
              { ...Object.getOwnPropertyDescriptors(so), [field]: { value, enumerable: true } },
            ),
          )
        : [
            Object.defineProperties(
              {},
              { ...Object.getOwnPropertyDescriptors(so), [field]: { get: () => spring(`${name}.${field}`) } },
            ),
          ],
    )
  }
  return made
}

const rainNow = { raining: undefined, rainMillimetresPerHour: 0.1 }

const pointings = [
  { raDeg: 0, decDeg: 40 },
  { raDeg: Number.NaN, decDeg: Number.NaN },
]

/** Every value of one input. */
export function valuesOf(
  input: InputName,
  fields: readonly string[] | 'all',
  limits: GateSettings,
  choices: Choices = {},
): unknown[] {
  if (input === 'lease') return leases()
  if (input === 'history') return histories(fields, limits)
  if (input === 'sky') return [...(choices.sky ?? [night])]
  const age = limits.agesSeconds[input as keyof GateAges]
  if (input === 'rain') return rains(age, choices.oneRainSensor === true)
  let said = products(input, domains(limits)[input]!, fields)
  if (input === 'weather' && choices.rainOfWeather)
    return (['never', 'fresh', 'silent'] as const).map((manner) => reading(manner, rainNow, age))
  if (input === 'mount') said = withPointing(said, fields, choices.pointing ?? pointings)
  return said.flatMap((value) => manners.map((manner) => reading(manner, value, age)))
}

function withPointing(said: object[], fields: readonly string[] | 'all', where: readonly object[]): object[] {
  if (fields === 'all' || fields.includes('pointing'))
    return said.flatMap((so) =>
      where.map((at) => Object.defineProperties({ ...at }, Object.getOwnPropertyDescriptors(so))),
    )
  return said.map((so) =>
    Object.defineProperties(so, {
      raDeg: { get: () => spring('mount.raDeg') },
      decDeg: { get: () => spring('mount.decDeg') },
    }),
  )
}

/** The sensor that the settings name, and one that they do not. */
function rains(age: number, single: boolean): unknown[] {
  const each = [true, false, undefined].flatMap((raining) => manners.map((manner) => reading(manner, { raining }, age)))
  if (single) return each.map((rain) => ({ rain }))
  return each.flatMap((rain) => each.map((other) => ({ rain, other })))
}

function leases(): (Lease | undefined)[] {
  const holders = ['night', 'session:a', 'session:b', 'guardian', 'panic'] as const
  const ends = [monotonicMs - 1, monotonicMs, monotonicMs + 1, Number.NaN, Number.POSITIVE_INFINITY]
  return [undefined, ...holders.flatMap((holder) => ends.map((untilMs) => ({ holder, untilMs })))]
}

function histories(fields: readonly string[] | 'all', limits: GateSettings): object[] {
  const recovery = limits.recoveryMinutes * 60_000
  const policy = limits.roof.whenRainAndNotParked
  const wait = policy.kind === 'closeAnyway' ? policy.afterSeconds * 1000 : 60_000
  const grace = limits.ups.graceSeconds * 1000
  return products(
    'history',
    {
      lastHazardMs: [monotonicMs, monotonicMs - recovery + 1, monotonicMs - recovery, Number.NaN, monotonicMs + 1],
      onBatterySinceMs: [undefined, monotonicMs, monotonicMs - grace + 1, monotonicMs - grace, Number.NaN],
      parkingSinceMs: [undefined, monotonicMs, monotonicMs - wait + 1, monotonicMs - wait, Number.NaN],
    },
    fields,
  )
}

/** Deep night over latitude 48°. */
export const night: SkyCase = {
  latitudeDeg: 48,
  siderealDeg: 0,
  sun: { raDeg: 180, decDeg: 0, altitudeDeg: -42 },
  moon: { raDeg: 90, decDeg: 0 },
}

const inputs: readonly InputName[] = [
  'sky',
  'mount',
  'roof',
  'camera',
  'weather',
  'rain',
  'safety',
  'ups',
  'clock',
  'gps',
  'guardian',
  'disk',
  'cover',
  'guider',
  'lease',
  'history',
]

/** Calls `visit` with every state in view, one object changed in place; inputs out of view spring. Stops when it returns false. */
export function everyState(
  view: View,
  limits: GateSettings,
  choices: Choices,
  visit: (state: GateState) => boolean,
): number {
  const state: Record<string, unknown> = { nowMs, monotonicMs }
  for (const input of inputs) if (!view[input]) Object.defineProperty(state, input, { get: () => spring(input) })
  const seen = inputs.filter((input) => view[input])
  const lists = seen.map((input) => valuesOf(input, view[input]!, limits, choices))
  let count = 0
  const walk = (depth: number): boolean => {
    if (depth === seen.length) {
      count++
      return visit(state as unknown as GateState)
    }
    for (const value of lists[depth]!) {
      state[seen[depth]!] = value
      if (!walk(depth + 1)) return false
    }
    return true
  }
  walk(0)
  return count
}

/** How many states there are with every input in view: the space that the factors stand for. */
export function wholeSpace(limits: GateSettings, choices: Choices): bigint {
  return inputs.reduce((product, input) => product * BigInt(valuesOf(input, 'all', limits, choices).length), 1n)
}
