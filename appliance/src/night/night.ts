import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { Mount, MountState } from '@nightjar/firmware-bridge/devices/mount.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { NightPhase } from '../contract/api.ts'
import type { EventBody } from '../contract/events.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import type { FrameFacts } from '../frames/fits/facts.ts'
import { type Horizontal, horizontal, nightIdAt, type Site, separationDeg } from '../observations/ephemeris.ts'
import { chooseField, type Field } from '../observations/fields.ts'
import { type CalibrationPlan, captureCalibration } from '../observatory/calibration.ts'
import { captureFrame } from '../observatory/capture.ts'
import type { Command } from '../observatory/gate/command.ts'
import { beginHistory, remember } from '../observatory/gate/history.ts'
import { createReadings } from '../observatory/gate/readings.ts'
import { unsafeReasons } from '../observatory/gate/safety.ts'
import { skyAt } from '../observatory/gate/sky.ts'
import type { GateState } from '../observatory/gate/state.ts'
import { decide, type Verdict } from '../observatory/gate.ts'
import type { Store } from '../store/store.ts'
import { mayMove } from './machine.ts'
import type { Pipeline } from './pipeline.ts'

/** Everything a night needs, handed in by main: nothing here is global. */
export interface NightDeps {
  readonly store: Store
  readonly clock: Clock
  readonly site: Site
  readonly simulated: boolean
  readonly fields: readonly Field[]
  readonly calibration: CalibrationPlan
  readonly limits: GateSettings
  readonly mount: Mount
  readonly camera: Camera
  readonly pipeline: Pipeline
  /** Builds a master from captured frames when they are complete. */
  readonly buildMasters: (nightId: string, signal: AbortSignal) => Promise<void>
  readonly diskFreeBytes: () => number
}

/** Opens, observes, closes. One at a time; `stop` always ends with the mount parked or a fault that says why not. */
export interface Night extends AsyncDisposable {
  readonly deps: NightDeps
  readonly phase: NightPhase
  readonly nightId: string
  /** One short sentence for people. */
  readonly doing: string
  readonly field: Field | undefined
  /** The exposure under way. */
  readonly exposure: { readonly seconds: number; readonly endsAtMs: number } | undefined
  /** Frames that should have been taken by now, had nothing gone wrong. */
  readonly expectedFrames: number
  gateState(): GateState
  start(by: string): Outcome
  stop(by: string): Promise<Outcome>
  /** Resolves when the phase is `closed` or `fault`. */
  finished(): Promise<void>
}

/** How the night waits and gives up. */
export const nightLimits = {
  connectMs: 60_000,
  unparkMs: 60_000,
  slewMs: 180_000,
  parkMs: 120_000,
  parkAttempts: 3,
  exposureFailures: 5,
  waitForFieldMs: 60_000,
  /** So often in one phase is a lost device waited for. */
  outages: 20,
  /** A mount this far from its field is slewed again. */
  onTargetDeg: 0.2,
} as const

class NightOver extends Error {}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function createNight(deps: NightDeps): Night {
  const { store, clock, mount, camera, site } = deps
  let phase: NightPhase = 'closed'
  let nightId = nightIdAt(site, clock.now())
  let doing = 'The observatory is closed.'
  let field: Field | undefined
  let exposure: Night['exposure']
  let observingSinceMs: number | undefined
  let stopping: AbortController | undefined
  let running: Promise<void> = Promise.resolve()
  const readings = createReadings(clock)
  let history = beginHistory(clock.monotonic())

  /** Safety does not wait for the disk: the phase changes even when the journal cannot take the line. */
  function move(to: NightPhase, reason: string): void {
    if (!mayMove(phase, to)) throw new NightOver(`a night cannot go from ${phase} to ${to}`)
    const from = phase
    phase = to
    doing = reason
    try {
      store.commit(clock.now(), (tx) => tx.event('night.changed', { nightId, from, to, reason }))
    } catch (error) {
      doing = `${reason} The journal could not be written: ${messageOf(error)}`
      if (to !== 'closing' && to !== 'closed' && to !== 'fault') throw new NightOver(doing)
    }
  }

  function gateState(): GateState {
    const heard = { mount: readings.hear('mount', mount.state()), camera: readings.hear('camera', camera.state()) }
    // After the devices: what was heard before this moment is not from the future.
    const nowMs = clock.now()
    const disk = readings.hear('disk', { connected: true, freeBytes: deps.diskFreeBytes(), atMs: nowMs })
    const state: GateState = {
      nowMs,
      monotonicMs: clock.monotonic(),
      sky: skyAt(site, nowMs),
      ...heard,
      disk,
      lease: { holder: 'night', untilMs: Number.POSITIVE_INFINITY },
      history,
    }
    history = remember(state, deps.limits)
    return { ...state, history }
  }

  function ask(command: Command): Verdict {
    const verdict = decide(gateState(), command, deps.limits)
    if (!verdict.allow) {
      store.commit(clock.now(), (tx) => tx.event('command.denied', { command: command.kind, reason: verdict.reason }))
    }
    return verdict
  }

  /** Asks the gate, then acts; a denial or a failure ends the night with its reason. */
  async function must(command: Command, act: () => Promise<Outcome>): Promise<void> {
    const verdict = ask(command)
    if (!verdict.allow) throw new NightOver(verdict.reason)
    const outcome = await act()
    if (!outcome.ok) throw new NightOver(`${command.kind} failed: ${outcome.reason}`)
  }

  async function prepare(signal: AbortSignal): Promise<void> {
    doing = 'Waiting for the mount and the camera.'
    const deadline = clock.monotonic() + nightLimits.connectMs
    while (!(mount.state().connected && camera.state().connected)) {
      if (clock.monotonic() > deadline) throw new NightOver('the mount or the camera did not connect within a minute')
      await clock.sleep(250, signal)
    }
    await must({ kind: 'unpark', by: 'night' }, () => mount.unpark())
  }

  /** A device that is lost and comes back does not end the night: what was under way is begun again. */
  async function throughOutages(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (let outage = 1; ; outage++) {
      try {
        return await work(signal)
      } catch (error) {
        const lost = devices().filter(({ state }) => !state.connected)
        if (signal.aborted || lost.length === 0 || outage > nightLimits.outages) throw error
        const reason = messageOf(error)
        for (const { kind, state } of lost) tell('device.disconnected', { device: state.source, kind, reason })
        await prepare(signal)
        for (const { kind, state } of lost) tell('device.connected', { device: state.source, kind })
      }
    }
  }

  const devices = () => [
    { kind: 'mount', state: mount.state() },
    { kind: 'camera', state: camera.state() },
  ]

  function tell<T extends 'device.connected' | 'device.disconnected'>(type: T, body: EventBody<T>): void {
    store.commit(clock.now(), (tx) => tx.event(type, body))
  }

  async function calibrate(signal: AbortSignal): Promise<void> {
    doing = 'Taking bias, dark and flat frames.'
    await captureCalibration(
      { store, clock, camera, timeIsTrue: !deps.simulated, ask },
      deps.calibration,
      deps.fields,
      nightId,
      signal,
    )
    await deps.buildMasters(nightId, signal)
  }

  async function pointAt(target: Field): Promise<void> {
    const now = mount.state()
    const offDeg = separationDeg(now.raDeg, now.decDeg, target.raDeg, target.decDeg)
    if (now.tracking && !now.slewing && offDeg < nightLimits.onTargetDeg) return
    doing = `Slewing to ${target.fieldId}.`
    const command: Command = { kind: 'slew', raDeg: target.raDeg, decDeg: target.decDeg, by: 'night' }
    await must(command, () => mount.slew(target.raDeg, target.decDeg, nightLimits.slewMs))
    const there = mount.state()
    const missDeg = separationDeg(there.raDeg, there.decDeg, target.raDeg, target.decDeg)
    if (missDeg > nightLimits.onTargetDeg)
      throw new NightOver(`the mount says it arrived but stands ${missDeg.toFixed(1)}° from ${target.fieldId}`)
  }

  async function observe(signal: AbortSignal): Promise<void> {
    let failures = 0
    observingSinceMs ??= clock.now()
    while (!signal.aborted) {
      const unsafe = unsafeReasons(gateState(), deps.limits)
      if (unsafe.length > 0) throw new NightOver(unsafe.join('; '))
      const choice = chooseField(deps.fields, site, clock.now(), deps.limits.pointing.minAltitudeDeg)
      if (!choice.field) {
        doing = `Waiting: ${choice.reason}.`
        await clock.sleep(nightLimits.waitForFieldMs, signal)
        continue
      }
      field = choice.field
      await pointAt(choice.field)
      if (deps.pipeline.waiting > 0) doing = 'Waiting for the pipeline to catch up.'
      await deps.pipeline.room(signal)
      failures = (await exposeOn(choice.field, signal)) ? 0 : failures + 1
      if (failures >= nightLimits.exposureFailures) throw new NightOver(`${failures} exposures in a row failed`)
    }
  }

  /** True when a frame was captured. */
  async function exposeOn(target: Field, signal: AbortSignal): Promise<boolean> {
    const verdict = ask({ kind: 'expose', seconds: target.exposureSeconds, by: 'night' })
    if (!verdict.allow) throw new NightOver(verdict.reason)
    doing = `Exposing ${target.fieldId} for ${target.exposureSeconds} s.`
    exposure = { seconds: target.exposureSeconds, endsAtMs: clock.now() + target.exposureSeconds * 1000 }
    try {
      const here = horizontal(site, target.raDeg, target.decDeg, clock.now())
      const captured = await captureFrame(
        { store, clock, camera, timeIsTrue: !deps.simulated },
        {
          type: 'light',
          exposureSeconds: target.exposureSeconds,
          filter: target.filter,
          nightId,
          field: target,
          facts: pointingFacts(site, mount.state(), here),
        },
        signal,
      )
      if (!captured.ok && !signal.aborted) doing = `The exposure failed: ${captured.reason}.`
      return captured.ok
    } finally {
      exposure = undefined
    }
  }

  /** Parks and looks: only a mount that reads parked is parked. */
  async function close(reason: string): Promise<void> {
    move('closing', reason)
    for (let attempt = 1; attempt <= nightLimits.parkAttempts; attempt++) {
      await camera.abort()
      const outcome = await mount.park()
      if (outcome.ok && mount.state().parked) {
        field = undefined
        return move('closed', `Closed: ${reason}`)
      }
      await clock.sleep(2_000)
    }
    move('fault', 'The mount did not confirm that it is parked.')
  }

  async function run(by: string, signal: AbortSignal): Promise<void> {
    let reason = 'stopped'
    try {
      move('preparing', `Opening, asked by ${by}.`)
      await prepare(signal)
      move('calibrating', 'Checking the calibration frames.')
      await throughOutages(calibrate, signal)
      move('observing', 'Observing.')
      await throughOutages(observe, signal)
    } catch (error) {
      if (!signal.aborted) reason = messageOf(error)
    }
    await close(signal.aborted ? String(signal.reason) : reason)
  }

  return {
    deps,
    get phase() {
      return phase
    },
    get nightId() {
      return nightId
    },
    get doing() {
      return doing
    },
    get field() {
      return field
    },
    get exposure() {
      return exposure
    },
    get expectedFrames() {
      const seconds = field?.exposureSeconds
      if (observingSinceMs === undefined || seconds === undefined) return 0
      return Math.floor((clock.now() - observingSinceMs) / (seconds * 1000))
    },
    gateState,
    start(by) {
      if (phase !== 'closed' && phase !== 'fault') return { ok: false, reason: `the night is already ${phase}` }
      if (phase === 'fault') phase = 'closed'
      nightId = nightIdAt(site, clock.now())
      observingSinceMs = undefined
      stopping = new AbortController()
      running = run(by, stopping.signal).catch((error: unknown) => {
        doing = `The night ended with a fault: ${messageOf(error)}`
        phase = 'fault'
      })
      return { ok: true }
    },
    async stop(by) {
      if (phase === 'closed') return { ok: true }
      stopping?.abort(`stopped by ${by}`)
      await running
      return this.phase === 'closed' ? { ok: true } : { ok: false, reason: doing }
    },
    finished: () => running,
    async [Symbol.asyncDispose]() {
      await this.stop('shutdown')
    },
  }
}

/** Where the telescope was and looked, for the header. */
function pointingFacts(site: Site, mount: MountState, here: Horizontal): Partial<FrameFacts> {
  const { pierSide } = mount
  return {
    raDeg: mount.raDeg,
    decDeg: mount.decDeg,
    altitudeDeg: here.altitudeDeg,
    azimuthDeg: here.azimuthDeg,
    observatory: site.name,
    latitudeDeg: site.latitudeDeg,
    longitudeDeg: site.longitudeDeg,
    elevationMetres: site.elevationMetres,
    ...(pierSide !== 'unknown' && { pierSide: pierSide === 'east' ? ('EAST' as const) : ('WEST' as const) }),
  }
}
