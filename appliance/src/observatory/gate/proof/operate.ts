import { fromIcrs } from '@nightjar/firmware-bridge/devices/epoch.ts'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import type { GateSettings } from '../../../contract/gateSettings.ts'
import type { Gate } from '../../gate.ts'
import { wrapDeg } from '../../pier.ts'
import { type ClosingLook, type ClosingState, closingStep, notClosing } from '../closing.ts'
import { type Action, type Asker, type Command, commandKinds } from '../command.ts'
import { beginHistory, type History, remember } from '../history.ts'
import { createReadings } from '../readings.ts'
import { inTheWay } from '../roofRules.ts'
import { safetyVerdict, unsafeReasons } from '../safety.ts'
import type { GateState, Lease } from '../state.ts'
import { watch } from '../watch.ts'
import { hurt, openingHurt } from './harm.ts'
import { samples } from './safetyCase.ts'
import { siderealDeg, World } from './world.ts'

/** What a run of histories came to. */
export interface Ledger {
  steps: number
  commands: number
  allowed: number
  opened: number
  slewed: number
  closed: number
  closedAnyway: number
  alarms: number
  restarts: number
  readonly violations: string[]
}

export const newLedger = (): Ledger => ({
  steps: 0,
  commands: 0,
  allowed: 0,
  opened: 0,
  slewed: 0,
  closed: 0,
  closedAnyway: 0,
  alarms: 0,
  restarts: 0,
  violations: [],
})

/** A site for a history. */
export interface SiteCase {
  readonly limits: GateSettings
  readonly latitudeDeg: number
}

/** One observatory lived through `steps` steps: fate, sensors, safety, somebody's wishes; stops at the first violation. */
export class Operation {
  readonly world: World
  readonly random: Random
  readonly ledger: Ledger
  readonly #gate: Gate
  #history: History
  #closing: ClosingState = notClosing
  #lease: Lease | undefined
  #downUntilMs = 0
  #unsafeSinceMs: number | undefined
  alarm: string | undefined
  /** A close that was given over a telescope in its way, with the leave of the site. */
  leave = false
  #inConeSinceMs: number | undefined
  #beyondSinceMs: number | undefined
  /** Closing is wanted, and the roof is not shut. */
  #openSinceMs: number | undefined

  constructor(site: SiteCase, seed: string, gate: Gate, ledger: Ledger) {
    this.random = createRandom(seed)
    const startMs = Date.UTC(2026, 0, 1) + Math.floor(this.random.next() * 365 * 86_400_000)
    this.world = new World(this.random, site.limits, site.latitudeDeg, startMs)
    this.ledger = ledger
    this.#gate = gate
    this.#history = beginHistory(this.world.monotonicMs - 3_600_000)
  }

  run(steps: number): void {
    for (let step = 0; step < steps && this.ledger.violations.length === 0; step++) this.#step()
  }

  #step(): void {
    const { world, random, ledger } = this
    ledger.steps++
    world.pass(this.#pause())
    this.#fate()
    const state = world.sense(this.#history, this.#lease)
    this.#history = remember(state, world.limits, this.#closing.parkingSinceMs)
    const seen = { ...state, history: this.#history }
    if (world.monotonicMs >= this.#downUntilMs) {
      this.#supervise(seen, 'night')
      if (random.next() < 0.3) this.#wish(seen)
    } else if (world.monotonicMs >= this.#downUntilMs - this.#downForMs + 2500) this.#close(seen, 'guardian')
    this.#judge(seen)
  }

  #downForMs = 0

  /** Seconds mostly; long ones when all is shut, so that many days go by. */
  #pause(): number {
    const { world, random } = this
    const asleep = !world.raining && world.parked && world.roof === 0 && world.roofMotor === 0 && !world.moving
    return asleep && random.next() < 0.02 ? 3600 * random.next() : 0.5 + 4 * random.next()
  }

  #fate(): void {
    const { world, random } = this
    const chance = (p: number): boolean => random.next() < p
    if (chance(world.raining ? 0.003 : 0.0004)) this.#rain(!world.raining)
    if (chance(0.003)) world.wind = 16 * random.next() ** 3
    if (chance(world.mains ? 0.0002 : 0.01)) world.mains = !world.mains
    if (chance(world.jammed ? 0.004 : world.raining ? 0.03 : 0.0002)) world.jammed = !world.jammed
    if (chance(world.roofStuck ? 0.02 : 0.0002)) world.roofStuck = !world.roofStuck
    if (world.wallOffsetMs !== 0 && chance(0.02)) world.wallOffsetMs = 0
    else if (chance(0.0004)) world.wallOffsetMs = Math.round((random.next() - 0.5) * 10 ** (2 + 6 * random.next()))
    // A person comes and brings the telescope down by hand.
    if (this.leave && world.roof === 0 && chance(0.01)) world.bringDown()
    if (chance(0.0003)) this.#restart()
    if (chance(0.02)) {
      const holder = (['night', 'session:a', 'session:b'] as const)[random.integer(3)]!
      this.#lease = { holder, untilMs: world.monotonicMs + 600_000 * random.next() }
    }
  }

  #rain(begins: boolean): void {
    // A shower that ends before any sensor tells of it was none.
    this.world.rainSeen = !begins && this.world.monotonicMs - this.world.rainTurnedMs > 60_000
    this.world.raining = begins
    this.world.rainTurnedMs = this.world.monotonicMs
  }

  /** The process forgets everything but what sensors will tell it again. */
  #restart(): void {
    const { world, random, ledger } = this
    ledger.restarts++
    this.#downForMs = 1000 + 300_000 * random.next()
    this.#downUntilMs = world.monotonicMs + this.#downForMs
    world.readings = createReadings({ monotonic: () => world.monotonicMs })
    this.#history = beginHistory(world.monotonicMs)
    this.#closing = notClosing
    this.#unsafeSinceMs = undefined
    this.alarm = undefined
  }

  #supervise(state: GateState, by: Asker): void {
    const { limits, monotonicMs } = this.world
    const order = watch(state, limits)
    if (order) this.#ask(state, order.action === 'park' ? { kind: 'park' } : { kind: 'track', on: false }, by)
    const safe = safetyVerdict(state, limits).state === 'safe'
    const well = unsafeReasons(state, limits).length === 0
    this.#unsafeSinceMs = well ? undefined : (this.#unsafeSinceMs ?? monotonicMs)
    const lost = this.#unsafeSinceMs !== undefined && monotonicMs - this.#unsafeSinceMs > 60_000
    if (!safe || lost) this.#close(state, by)
    else {
      this.#closing = notClosing
      this.#openSinceMs = undefined
      this.alarm = undefined
    }
  }

  #close(state: GateState, by: Asker): void {
    const { limits, monotonicMs } = this.world
    if (this.world.roof === 0) this.#openSinceMs = undefined
    else if (this.alarm !== undefined) this.#openSinceMs = monotonicMs
    else this.#openSinceMs ??= monotonicMs
    const look = {
      parked: inTheWay(state, limits) === undefined,
      moving: state.mount?.value.slewing === true || state.mount?.value.tracking === true,
      roof: roofWord(state, limits),
      mayClose: this.#gate(state, { kind: 'closeRoof', by }, limits).allow,
      clearsTelescope: limits.roof.clearsTelescope,
    }
    const { state: next, action, alarm } = closingStep(this.#closing, look, monotonicMs, limits.closing)
    if (alarm !== undefined && this.alarm === undefined) this.ledger.alarms++
    this.alarm = alarm
    this.#closing = next
    if (action === 'park') this.#ask(state, { kind: 'park' }, by)
    else if (action === 'close') this.#ask(state, { kind: 'closeRoof' }, by)
    else if (action === 'stop') this.#ask(state, { kind: 'track', on: false }, by)
  }

  /** Somebody wants something: the next step of a night, or anything at all. */
  #wish(state: GateState): void {
    const { random, world } = this
    const holder = this.#lease?.holder ?? 'night'
    const by = random.next() < 0.9 ? holder : (['guardian', 'panic', 'session:c', 'night'] as const)[random.integer(4)]!
    this.#ask(state, random.next() < 0.5 ? this.#usefulWish(world) : this.#anyWish(), by)
  }

  #usefulWish(world: World): Action {
    if (world.parked && world.roof < 1) return { kind: 'openRoof' }
    if (world.parked) return { kind: 'unpark' }
    if (world.cover === 'closed' && this.random.next() < 0.5) return { kind: 'openCover' }
    return this.random.next() < 0.05 ? { kind: 'home' } : this.#slewWish()
  }

  #slewWish(): Action {
    const { world, random } = this
    const hour = 200 * random.next() - 100
    const raDeg = (siderealDeg(world.trueMs, world.longitudeDeg) - hour + 360) % 360
    return { kind: 'slew', raDeg, decDeg: world.latitudeDeg + 60 * (random.next() - 0.5) }
  }

  #anyWish(): Action {
    const { random } = this
    const kind = commandKinds[random.integer(commandKinds.length)]!
    if (kind === 'slew') return this.#slewWish()
    if (kind === 'track') return { kind, on: random.next() < 0.7 }
    // Somebody who parks or closes all the time would leave nothing to see.
    if (['park', 'closeRoof', 'abort', 'abortRoof', 'halt'].includes(kind) && random.next() < 0.8) return samples.filter
    return samples[kind]
  }

  #ask(state: GateState, action: Action, by: Asker): void {
    const { world, ledger } = this
    const command: Command = { ...action, by }
    ledger.commands++
    if (!this.#gate(state, command, world.limits).allow) return
    ledger.allowed++
    if (action.kind === 'openRoof') this.#opens()
    if (action.kind === 'slew') ledger.slewed++
    if (action.kind === 'closeRoof') this.#closes()
    world.obey(command, (raDeg, decDeg) => {
      const date = fromIcrs({ raDeg, decDeg }, world.trueMs)
      return { hourAngleDeg: wrapDeg(siderealDeg(world.trueMs, world.longitudeDeg) - date.raDeg), decDeg: date.decDeg }
    })
  }

  #opens(): void {
    this.ledger.opened++
    const found = openingHurt(this.world)
    if (found !== undefined) this.ledger.violations.push(`step ${this.ledger.steps}: ${found}`)
  }

  #closes(): void {
    const { world, ledger } = this
    ledger.closed++
    this.leave = !world.clearOfRoof && world.limits.roof.whenRainAndNotParked.kind === 'closeAnyway' && world.raining
    if (this.leave) ledger.closedAnyway++
  }

  /** Holds the bodies against what must never be. */
  #judge(state: GateState): void {
    const { world, ledger } = this
    if (world.clearOfRoof || world.roof === 1) this.leave &&= world.roofMotor !== 0
    const times = { cone: this.#inConeSinceMs, beyond: this.#beyondSinceMs, closing: this.#openSinceMs }
    const found = hurt(world, { leave: this.leave, alarm: this.alarm !== undefined, times })
    this.#inConeSinceMs = times.cone
    this.#beyondSinceMs = times.beyond
    if (found === undefined) return
    const said = { mount: state.mount, roof: state.roof, history: state.history }
    const is = {
      axes: world.axes,
      goal: world.goal,
      parked: world.parked,
      roof: world.roofPosition,
      raining: world.raining,
    }
    ledger.violations.push(`step ${ledger.steps}: ${found} ${JSON.stringify({ is, said })}`)
  }
}

function roofWord(state: GateState, limits: GateSettings): ClosingLook['roof'] {
  if (limits.inputs.roof === 'absent') return 'absent'
  const { roof } = state
  if (!roof || roof.atMs === 0 || !roof.value.connected) return 'unheard'
  return state.nowMs - roof.atMs <= limits.agesSeconds.roof * 1000 ? roof.value.position : 'unheard'
}
