import { expect, test } from 'vitest'
import { decide, gateOf } from '../../gate.ts'
import { commandKinds, isSafer } from '../command.ts'
import { seesRain } from '../hazards.ts'
import { gateRules } from '../rules.ts'
import type { GateState, InputName } from '../state.ts'
import { everyState, monotonicMs, night, nowMs, trap, type View, wholeSpace } from './classes.ts'
import { type Proof, prove, rulesWithin } from './prove.ts'
import { anyway, type Claim, claims, closeClaims, rains, samples, strict } from './safetyCase.ts'
import { skyClaims } from './skyCase.ts'

const safetyCase = [...claims, ...skyClaims, ...closeClaims]

test('every claim of the safety case holds in every state', () => {
  const proofs = safetyCase.map((claim) => ({ claim, proof: prove(claim, gateRules) }))
  for (const { claim, proof } of proofs) {
    expect(proof.broken, claim.name).toBeUndefined()
    expect(proof.states, claim.name).toBeGreaterThan(0)
  }
  const sum = (of: (proof: Proof) => number): number => proofs.reduce((total, { proof }) => total + of(proof), 0)
  const states = sum(({ states }) => states)
  expect(states).toBeGreaterThan(1_000_000)
  expect(sum(({ allowed }) => allowed)).toBeGreaterThan(100_000)
  const whole = wholeSpace(strict, {}) * BigInt(commandKinds.length)
  console.log(
    `gate: ${safetyCase.length} claims, ${states} states enumerated, ${sum(({ decisions }) => decisions)} decisions; ` +
      `they stand for ${Number(whole).toExponential(1)} whole states`,
  )
})

test('rain is seen exactly when some sensor that is to be believed says rain', () => {
  const view: View = { rain: 'all', weather: ['raining', 'rainMillimetresPerHour'], safety: ['raining'] }
  let wet = 0
  const states = everyState(view, anyway, { oneRainSensor: true }, (state) => {
    const seen = seesRain(state, anyway)
    if (seen) wet++
    return seen === rains(state, anyway)
  })
  expect(states).toBe(27 * 108 * 27)
  expect(wet).toBeGreaterThan(0)
})

test('every rule looks at nothing but the inputs that it declares, in any state, and tells its reason in a sentence', () => {
  const sentences = new Set<string>()
  for (const rule of gateRules) {
    const view = Object.fromEntries(rule.reads.map((input) => [input, fieldsOf(rule.id, input)])) as View
    for (const kind of rule.id.startsWith('hazard') ? rule.applies.slice(0, 1) : rule.applies)
      everyState(view, strict, { oneRainSensor: true }, (state) => {
        try {
          const reason = rule.why(state, { ...samples[kind], by: 'night' }, strict)
          if (reason !== undefined) sentences.add(reason)
        } catch (thrown) {
          if (thrown !== trap || rule.reads.includes(trap.looked.split('.')[0] as InputName)) return true
          throw new Error(`${rule.id} looks at ${trap.looked}`)
        }
        return true
      })
  }
  expect(sentences.size).toBeGreaterThan(50)
  for (const sentence of sentences) expect(sentence).toMatch(/^[^{}]{12,160}$/)
  expect([...sentences].filter((sentence) => /undefined|NaN|Infinity|\[object/.test(sentence))).toEqual([])
})

/** A field out of view is still caught; these need not be multiplied to see which inputs a rule looks at. */
const fieldsInView: Partial<Record<InputName, readonly string[]>> = {
  weather: ['verdict', 'raining', 'windMetresPerSecond', 'humidityPercent', 'rainMillimetresPerHour'],
  history: ['onBatterySinceMs', 'lastHazardMs'],
  safety: ['mountParked', 'raining', 'mainsLost'],
  mount: ['parked', 'slewing', 'tracking', 'pointing'],
  roof: ['position', 'azimuthDeg'],
}
function fieldsOf(rule: string, input: InputName): readonly string[] | 'all' {
  if (rule !== 'closeOverParked') return fieldsInView[input] ?? 'all'
  if (input === 'mount') return ['parked', 'slewing', 'tracking']
  return input === 'history' || input === 'weather' ? [] : ['mountParked']
}

test('parking, stopping, capping and darkening are allowed to anybody in every state', () => {
  const nothing = Object.defineProperties({ nowMs, monotonicMs }, {}) as unknown as GateState
  const safer = Object.values(samples).filter(isSafer)
  const always = [...safer, { kind: 'track', on: false } as const, { kind: 'light', on: false } as const].filter(
    ({ kind }) => kind !== 'closeRoof',
  )
  expect(always.map(({ kind }) => kind).sort()).toEqual(
    ['abort', 'abortExposure', 'abortRoof', 'closeCover', 'halt', 'light', 'park', 'track'].sort(),
  )
  // Not one input is there to be looked at, so what they say cannot matter.
  for (const action of always)
    for (const by of ['night', 'guardian', 'panic', 'session:nobody'] as const)
      expect(decide(nothing, { ...action, by }, strict)).toEqual({ allow: true })
})

const heard = <T extends object>(value: T) => ({
  value: { connected: true, ...value },
  atMs: nowMs,
  heardMs: monotonicMs,
})

/** All is well: the telescope is parked under a closed roof, or at work under an open one. */
function goodState(working: boolean): GateState {
  return {
    nowMs,
    monotonicMs,
    sky: night,
    mount: heard({
      raDeg: 0,
      decDeg: 40,
      parked: !working,
      slewing: false,
      tracking: false,
      pierSide: 'west' as const,
      fault: undefined,
    }),
    roof: heard({ position: working ? ('open' as const) : ('closed' as const), azimuthDeg: 0 }),
    camera: heard({ exposing: false }),
    weather: heard({
      verdict: 'good' as const,
      windMetresPerSecond: 1,
      gustMetresPerSecond: 2,
      humidityPercent: 40,
      cloudPercent: 0,
      temperatureC: 8,
    }),
    rain: { rain: heard({ raining: false }) },
    safety: heard({ safe: true, reasons: [] }),
    ups: heard({ onMains: true, lowBattery: false, chargePercent: 100 }),
    clock: heard({ synchronised: true, offsetSeconds: 0.001, uncertaintySeconds: 0.02 }),
    gps: heard({ fix: '3d' as const }),
    guardian: heard({ mayOpen: true, causes: [] }),
    disk: heard({ freeBytes: 1e12 }),
    cover: heard({ position: 'open' as const }),
    guider: heard({ activity: 'guiding' as const }),
    lease: { holder: 'night', untilMs: monotonicMs + 1000 },
    history: { lastHazardMs: monotonicMs - 3_600_000, onBatterySinceMs: undefined, parkingSinceMs: undefined },
  }
}

test('when all is well every command is allowed, so the gate cannot pass by denying all', () => {
  const parkedOnly = ['openRoof', 'closeRoof', 'unpark', 'turnDome', 'syncClock', 'openCover']
  for (const kind of commandKinds) {
    const states = parkedOnly.includes(kind) && kind !== 'unpark' ? [goodState(false)] : [goodState(true)]
    for (const state of states)
      expect(decide(state, { ...samples[kind], by: 'night' }, strict), kind).toEqual({ allow: true })
  }
})

test('each rule taken away breaks a claim: nothing is denied twice over', () => {
  const smallFirst = safetyCase
    .map((claim) => ({ claim, states: prove({ ...claim, commands: [] }, []).states }))
    .sort((a, b) => a.states - b.states)
    .map(({ claim }) => claim)
  const survivors = gateRules.filter(({ id }) => {
    const rest = gateRules.filter((rule) => rule.id !== id)
    return !smallFirst.some((claim) => speaksOf(claim, id) && prove(claim, rest).broken)
  })
  console.log(`gate: ${gateRules.length - survivors.length} of ${gateRules.length} rules taken away were noticed`)
  expect(survivors.map(({ id }) => id)).toEqual([])
  expect(gateOf([])(goodState(true), { kind: 'openRoof', by: 'guardian' }, strict)).toEqual({ allow: true })
})

/** The claim's proof leans on this rule. */
function speaksOf({ view, commands }: Claim, id: string): boolean {
  return rulesWithin(gateRules, view).some(
    (rule) => rule.id === id && commands.some(({ kind }) => rule.applies.includes(kind)),
  )
}
