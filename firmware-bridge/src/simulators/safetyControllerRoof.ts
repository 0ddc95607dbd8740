/**
 * The roof's state machine, step for step that of firmware/roof.c: a test drives both with the same random inputs and
 * compares every state. One step is 10 ms; times are counted in steps.
 */

export const stepsPerSecond = 100

export type RoofMotor = 'still' | 'opening' | 'closing'
export type RoofFault = 'none' | 'both-switches' | 'motor-timeout' | 'over-current' | 'stuck-switch'
export type RoofCommand = 'OPEN' | 'CLOSE' | 'STOP' | 'CLEAR'
export type RoofAnswer = 'ok' | 'fault' | 'rain' | 'mains' | 'silence' | 'park'

export interface RoofLimits {
  readonly silence: number
  readonly travel: number
  readonly leave: number
  readonly over: number
  readonly inrush: number
  readonly pause: number
  readonly mains: number
  /** 0: never closes over an unparked mount. */
  readonly wet: number
  readonly hold: number
}

export interface RoofInputs {
  readonly atOpen: boolean
  readonly atClosed: boolean
  readonly rain: boolean
  readonly mainsLost: boolean
  readonly parked: boolean
  readonly overCurrent: boolean
  readonly heartbeat: boolean
}

export interface RoofMachine {
  motor: RoofMotor
  order: 'none' | 'open' | 'close'
  fault: RoofFault
  heard: boolean
  silence: number
  run: number
  over: number
  pause: number
  mains: number
  wet: number
  hold: number
}

/** DEMAND_ bits of roof.h. */
export const demandBits = { rain: 1, mains: 2, silence: 4 } as const

/** After power-up: motor off, nothing ordered, no motion for `settle` steps. */
export function startRoof(settle: number): RoofMachine {
  return {
    motor: 'still',
    order: 'none',
    fault: 'none',
    heard: false,
    silence: 0,
    run: 0,
    over: 0,
    pause: settle,
    mains: 0,
    wet: 0,
    hold: 0,
  }
}

/** One step; changes `roof`. */
export function stepRoof(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): void {
  countTime(limits, roof, inputs)
  if (roof.fault === 'none') roof.fault = findFault(limits, roof, inputs)
  plan(limits, roof, inputs)
  drive(limits, roof, wantedMotor(limits, roof, inputs))
}

/** Takes or refuses a command between two steps, with the inputs of the last one. */
export function obeyRoof(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs, command: RoofCommand): RoofAnswer {
  if (command === 'OPEN') return obeyOpen(limits, roof, inputs)
  if (command === 'CLOSE') return obeyClose(limits, roof, inputs)
  if (command === 'STOP') {
    roof.order = 'none'
    if (roof.hold === 0) roof.hold = limits.hold
    return 'ok'
  }
  if (inputs.atOpen && inputs.atClosed) return 'fault'
  roof.fault = 'none'
  return 'ok'
}

/** Bits of demandBits: why it wants to be closed. */
export function roofDemand(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): number {
  let demand = 0
  if (inputs.rain) demand |= demandBits.rain
  if (inputs.mainsLost && roof.mains >= limits.mains) demand |= demandBits.mains
  if (roof.silence >= limits.silence) demand |= demandBits.silence
  return demand
}

/** What a wanted motion waits for. */
export function roofWait(
  limits: RoofLimits,
  roof: RoofMachine,
  inputs: RoofInputs,
): 'none' | 'park' | 'hold' | 'pause' {
  if (roof.fault !== 'none' || roof.motor !== 'still') return 'none'
  if (roof.order === 'close' && !mayClose(limits, roof, inputs)) return 'park'
  if (roof.order !== 'none') return 'pause'
  return roof.hold > 0 && !inputs.atClosed && roofDemand(limits, roof, inputs) !== 0 ? 'hold' : 'none'
}

const up = (count: number, limit: number): number => (count < limit ? count + 1 : count)
const down = (count: number): number => (count > 0 ? count - 1 : 0)

function countTime(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): void {
  if (inputs.heartbeat) roof.heard = true
  roof.silence = inputs.heartbeat ? 0 : up(roof.silence, limits.silence)
  roof.mains = inputs.mainsLost ? up(roof.mains, limits.mains) : 0
  if (inputs.rain) roof.wet = up(roof.wet, limits.wet)
  else if (roof.motor !== 'closing') roof.wet = 0
  roof.hold = down(roof.hold)
  if (roof.motor === 'still') {
    roof.pause = down(roof.pause)
    return
  }
  roof.run = up(roof.run, limits.travel)
  roof.over = inputs.overCurrent && roof.run > limits.inrush ? up(roof.over, limits.over) : down(roof.over)
}

const mayClose = (limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): boolean =>
  inputs.parked || (limits.wet > 0 && roof.wet >= limits.wet)

function findFault(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): RoofFault {
  if (inputs.atOpen && inputs.atClosed) return 'both-switches'
  if (roof.motor === 'still') return 'none'
  const opening = roof.motor === 'opening'
  if (opening ? inputs.atOpen : inputs.atClosed) return 'none'
  if (roof.over >= limits.over) return 'over-current'
  if (roof.run >= limits.travel) return 'motor-timeout'
  return roof.run >= limits.leave && (opening ? inputs.atClosed : inputs.atOpen) ? 'stuck-switch' : 'none'
}

function obeyOpen(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): RoofAnswer {
  const demand = roofDemand(limits, roof, inputs)
  if (roof.fault !== 'none') return 'fault'
  if (demand & demandBits.rain) return 'rain'
  if (demand & demandBits.mains) return 'mains'
  if (demand & demandBits.silence || !roof.heard) return 'silence'
  if (!inputs.parked) return 'park'
  roof.order = 'open'
  roof.hold = 0
  return 'ok'
}

function obeyClose(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): RoofAnswer {
  if (roof.fault !== 'none') return 'fault'
  if (!inputs.atClosed && !mayClose(limits, roof, inputs)) return 'park'
  roof.order = 'close'
  roof.hold = 0
  return 'ok'
}

function plan(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): void {
  const demand = roofDemand(limits, roof, inputs)
  if (demand && !inputs.atClosed && roof.hold === 0) roof.order = 'close'
  if (roof.fault !== 'none') roof.order = 'none'
  if (roof.order === 'open' && (demand || !inputs.parked || inputs.atOpen)) roof.order = 'none'
  if (roof.order === 'close' && inputs.atClosed) roof.order = 'none'
  if (roof.order === 'close' && !demand && !mayClose(limits, roof, inputs)) roof.order = 'none'
}

function wantedMotor(limits: RoofLimits, roof: RoofMachine, inputs: RoofInputs): RoofMotor {
  if (roof.order === 'open') return 'opening'
  return roof.order === 'close' && mayClose(limits, roof, inputs) ? 'closing' : 'still'
}

function drive(limits: RoofLimits, roof: RoofMachine, wanted: RoofMotor): void {
  if (wanted === roof.motor) return
  if (roof.motor !== 'still') {
    roof.motor = 'still'
    roof.pause = limits.pause
  } else if (roof.pause === 0) {
    roof.motor = wanted
    roof.run = 0
    roof.over = 0
  }
}
