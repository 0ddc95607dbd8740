import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { setFromPanel } from '@nightjar/firmware-bridge/indi/panel.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { Tap } from '@nightjar/firmware-bridge/wire/tap.ts'
import type { EventBody } from '../contract/events.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import {
  buttons,
  type CommandRequest,
  type DeviceView,
  type GivenCommand,
  type GuardianView,
  type LeaseView,
  type ObservatoryState,
  type PropertyChange,
  type PropertyTree,
  type SafetyView,
  type WirePage,
  type WireView,
} from '../contract/observatory.ts'
import type { Site } from '../observations/ephemeris.ts'
import type { Store } from '../store/store.ts'
import type { Commander } from './commander.ts'
import { createAttendance } from './controlAttend.ts'
import { deviceViews, mountView, roofView } from './controlDevices.ts'
import { createPanic, type NightToEnd } from './controlPanic.ts'
import { guardedDevice, guardedProperty, propertyTree } from './controlProperties.ts'
import { wirePage, wireViews } from './controlWires.ts'
import type { DeviceName } from './devices.ts'
import { type Action, type Asker, inWords, isSafer } from './gate/command.ts'
import { safetyVerdict, unsafeReasons } from './gate/safety.ts'
import type { GateState } from './gate/state.ts'
import { decide } from './gate.ts'
import type { Patient, Recovery } from './recovery.ts'

/**
 * What people may see of the observatory and do to it by hand. Every command goes through the commander and so past the
 * gate; names are user names. What was opened by hand is parked and closed at a hazard, when nobody is in control any more,
 * and when this is disposed.
 */
export interface ObservatoryControl extends AsyncDisposable {
  state(): ObservatoryState
  devices(): readonly DeviceView[]
  /** Resolves when the device has done it, with the gate's or the device's reason when not. */
  command(action: CommandRequest, by: string): Promise<Outcome>
  /** As `command`, but waits only a moment for a device that takes long; `state().commands` tells how that ends. */
  give(action: CommandRequest, by: string): Promise<Given>
  lease(): LeaseView | undefined
  /** Runs out by itself; each command of its holder begins its time anew. */
  takeLease(by: string): Outcome
  dropLease(by: string): Outcome
  /** Park and close now, whatever else goes on. Returns at once, needs no lease, and repeats until it is so. */
  panic(by: string): void
  /** A person takes over from the panic button, and sees to what is open. */
  endPanic(by: string): void
  /** A person has looked after a device that was given up: its recovery starts at the foot again. */
  forgive(kind: string, by: string): Outcome
  /** INDI's devices, one of them with all its properties. */
  properties(device?: string): PropertyTree
  setProperty(change: PropertyChange, by: string): Promise<Outcome>
  wires(): readonly WireView[]
  /** Undefined for a wire that is not there. */
  wire(name: string, after: number | undefined, limit: number): WirePage | undefined
}

export type Given = { readonly ok: true; readonly underWay: boolean } | { readonly ok: false; readonly reason: string }

export interface ControlDeps {
  readonly commander: Commander
  readonly recovery: Recovery
  readonly patients: Readonly<Partial<Record<DeviceName, Patient>>>
  readonly site: Site
  readonly clock: Clock
  readonly store: Store
  readonly limits: () => GateSettings
  readonly night: NightToEnd
  readonly indi?: IndiClient | undefined
  readonly indiNames?: Readonly<Partial<Record<DeviceName, string>>> | undefined
  readonly taps?: ReadonlyMap<string, Tap> | undefined
  readonly guardian?: (() => GuardianWord) | undefined
}

/** What the guardian said last; `atMs` 0 when it never has. */
interface GuardianWord {
  readonly connected: boolean
  readonly mayOpen: boolean
  readonly causes: readonly string[]
  readonly atMs: number
}

export const controlLimits = {
  /** A person's lease; each command begins it anew. */
  leaseMs: 15 * 60_000,
  /** How long an answer waits for the device. */
  answerMs: 2_000,
  /** A movement by hand ends this long after it was last asked for. */
  moveMs: 2_000,
  commandsKept: 12,
  /** Of people, at once. What makes things safer is never refused for this. */
  commandsUnderWay: 8,
} as const

const noTaps: ReadonlyMap<string, Tap> = new Map()
const sessionOf = (name: string): Asker => `session:${name}`

export function createControl(deps: ControlDeps): ObservatoryControl {
  const { commander, recovery, patients, site, clock, store, limits, night, indi, indiNames = {} } = deps
  const taps = deps.taps ?? noTaps
  const stop = new AbortController()
  let commands: readonly GivenCommand[] = []
  let lastId = 0
  let movedAtMs = Number.NEGATIVE_INFINITY
  const panic = createPanic({
    commander,
    night,
    clock,
    limits,
    tell,
  })
  const attendance = createAttendance({ commander, night, clock, limits, panic })

  /** The hardware does not wait for the disk. */
  function tell<T extends 'panic.pressed' | 'panic.ended' | 'command.given' | 'property.set'>(
    type: T,
    body: EventBody<T>,
  ): void {
    try {
      store.commit(clock.now(), (tx) => tx.event(type, body))
    } catch {
      // A full disk shows itself at the gate.
    }
  }

  function begin(action: Action, by: string): GivenCommand {
    const given: GivenCommand = {
      id: ++lastId,
      command: inWords(action.kind),
      by,
      atMs: clock.now(),
      state: 'underWay',
    }
    commands = [...commands, given].slice(-controlLimits.commandsKept)
    tell('command.given', { command: given.command, by })
    return given
  }

  function finish({ id }: GivenCommand, outcome: Outcome): void {
    const end = outcome.ok ? ({ state: 'done' } as const) : ({ state: 'failed', reason: outcome.reason } as const)
    commands = commands.map((one) => (one.id === id ? { ...one, ...end } : one))
  }

  async function command(action: Action, by: string): Promise<Outcome> {
    const asker = sessionOf(by)
    const underWay = commands.filter((one) => one.state === 'underWay').length
    if (underWay >= controlLimits.commandsUnderWay && !isSafer(action))
      return failure(`${underWay} commands are under way: wait until one has ended`)
    const verdict = commander.ask(action, asker)
    if (!verdict.allow) return failure(verdict.reason)
    if (commander.lease?.holder === asker) commander.takeLease(asker, by, controlLimits.leaseMs)
    const given = begin(action, by)
    const doing = commander.command(action, asker).catch((error: unknown) => failure(String(error)))
    if (action.kind === 'openRoof' || action.kind === 'unpark') attendance.begin(doing)
    const outcome = await doing
    if (action.kind === 'move' && outcome.ok) void haltAfterMove(asker)
    finish(given, outcome)
    return outcome
  }

  /** The browser that holds the button may be gone. */
  async function haltAfterMove(asker: Asker): Promise<void> {
    const atMs = clock.monotonic()
    movedAtMs = atMs
    await clock.sleep(controlLimits.moveMs, stop.signal).catch(() => undefined)
    if (movedAtMs === atMs) await commander.command({ kind: 'halt' }, asker)
  }

  async function give(action: Action, by: string): Promise<Given> {
    const enough = new AbortController()
    const outcome = command(action, by).finally(() => enough.abort())
    const waited = clock.sleep(controlLimits.answerMs, enough.signal).then(
      () => 'underWay' as const,
      () => outcome,
    )
    const first = await Promise.race([outcome, waited])
    if (first === 'underWay') return { ok: true, underWay: true }
    return first.ok ? { ok: true, underWay: false } : first
  }

  function lease(): LeaseView | undefined {
    const held = commander.lease
    return held && { holder: held.holder, remainingSeconds: (held.untilMs - clock.monotonic()) / 1000 }
  }

  /** As the gate would decide for whoever had the lease. */
  function denials(look: GateState): Record<string, string> {
    const asker = sessionOf('somebody')
    const state: GateState = { ...look, lease: { holder: asker, untilMs: Number.POSITIVE_INFINITY } }
    const verdicts = buttons.map((kind) => [kind, decide(state, { kind, by: asker }, limits())] as const)
    return Object.fromEntries(verdicts.flatMap(([kind, verdict]) => (verdict.allow ? [] : [[kind, verdict.reason]])))
  }

  function state(): ObservatoryState {
    const look = commander.look()
    const roof = roofView(commander.devices)
    const held = lease()
    const guardian = deps.guardian?.()
    return {
      atMs: clock.now(),
      devices: deviceViews(commander.devices, recovery, clock),
      ...(roof && { roof }),
      mount: mountView(commander.devices, site, clock.now()),
      safety: safetyView(look, limits()),
      ...(held && { lease: held }),
      denials: denials(look),
      commands: [...commands],
      ...(panic.view && { panic: panic.view }),
      ...(guardian && { guardian: guardianView(guardian, clock.now()) }),
    }
  }

  async function setProperty(change: PropertyChange, by: string): Promise<Outcome> {
    const { device, property } = change
    if (!indi) return failure('no device of this observatory speaks INDI')
    const why = guardedDevice(indi, indiNames, device) ?? guardedProperty(property)
    if (why !== undefined) return failure(why)
    if (commander.lease?.holder !== sessionOf(by)) return failure('take control first')
    const outcome = await setFromPanel(indi, change)
    if (outcome.ok) tell('property.set', { device, property, by })
    return outcome
  }

  return {
    state,
    devices: () => deviceViews(commander.devices, recovery, clock),
    command,
    give,
    lease,
    takeLease: (by) => commander.takeLease(sessionOf(by), by, controlLimits.leaseMs),
    dropLease(by) {
      const held = commander.lease
      if (held && held.holder !== sessionOf(by)) return failure(`${held.holder} drives the observatory, not ${by}`)
      commander.dropLease(sessionOf(by), by)
      return done
    },
    panic: (by) => panic.press(by),
    endPanic(by) {
      attendance.leave()
      panic.end(by)
    },
    forgive(kind) {
      const patient = (patients as Readonly<Record<string, Patient | undefined>>)[kind]
      if (!patient) return failure(`there is no ${kind} here that can be recovered`)
      recovery.forgive(patient.device)
      return done
    },
    properties: (device) => (indi ? propertyTree(indi, indiNames, device) : { devices: [] }),
    setProperty,
    wires: () => wireViews(taps),
    wire(name, after, limit) {
      const tap = taps.get(name)
      return tap && wirePage(tap, after, limit)
    },
    async [Symbol.asyncDispose]() {
      await attendance.closeDown()
      stop.abort()
      await panic[Symbol.asyncDispose]()
    },
  }
}

function guardianView({ connected, mayOpen, causes, atMs }: GuardianWord, nowMs: number): GuardianView {
  return { connected, mayOpen, causes: [...causes], ...(atMs > 0 && { ageMs: Math.max(0, nowMs - atMs) }) }
}

function safetyView(look: GateState, limits: GateSettings): SafetyView {
  const verdict = safetyVerdict(look, limits)
  const reasons = unsafeReasons(look, limits)
  if (verdict.state === 'recovering')
    return { state: 'recovering', reasons: [verdict.reason, ...reasons], recoveryMinutes: verdict.remainingMs / 60_000 }
  return { state: verdict.state, reasons }
}
