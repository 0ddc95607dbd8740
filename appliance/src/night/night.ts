import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { NightPhase } from '../contract/api.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import { nightIdAt, type Site, separationDeg } from '../observations/ephemeris.ts'
import { chooseField, type Field } from '../observations/fields.ts'
import { type CalibrationPlan, captureCalibration } from '../observatory/calibration.ts'
import { captureFrame } from '../observatory/capture.ts'
import { closeObservatory } from '../observatory/closeObservatory.ts'
import type { Commander } from '../observatory/commander.ts'
import type { DeviceName } from '../observatory/devices.ts'
import { frameFacts } from '../observatory/frameFacts.ts'
import { type Action, inWords } from '../observatory/gate/command.ts'
import { decide } from '../observatory/gate.ts'
import type { Patient, Recovery } from '../observatory/recovery.ts'
import { trackingTruth } from '../observatory/truth.ts'
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
  readonly limits: () => GateSettings
  readonly commander: Commander
  readonly recovery: Recovery
  readonly patients: Readonly<Partial<Record<DeviceName, Patient>>>
  readonly pipeline: Pipeline
  /** Builds a master from captured frames when they are complete. */
  readonly buildMasters: (nightId: string, signal: AbortSignal) => Promise<void>
}

/** Opens, observes, closes. One at a time; `stop` ends with the mount parked and the roof closed, or a fault that says why not. */
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
  start(by: string): Outcome
  stop(by: string): Promise<Outcome>
  /** The site must be closed: whatever is open or under way ends at once. */
  unsafe(reasons: readonly string[]): void
  /** Resolves when the phase is `closed` or `fault`. */
  finished(): Promise<void>
}

/** How the night waits and gives up. */
export const nightLimits = {
  connectMs: 60_000,
  exposureFailures: 5,
  waitForFieldMs: 60_000,
  /** So often in one night is a lost mount or roof waited for and opened again. */
  outages: 20,
  waitToOpenMs: 1_000,
  /** The lease is renewed with every look, and runs out soon after a night that died. */
  leaseMs: 120_000,
  leaseRenewMs: 30_000,
  /** A mount this far from its field is slewed again. */
  onTargetDeg: 0.2,
} as const

/** Without these there is no night. */
const essential = ['mount', 'camera', 'roof'] as const satisfies readonly DeviceName[]

class NightOver extends Error {}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function createNight(deps: NightDeps): Night {
  const { store, clock, commander, recovery, patients, site, limits } = deps
  const { devices } = commander
  const { mount, camera } = devices
  let phase: NightPhase = 'closed'
  let nightId = nightIdAt(site, clock.now())
  let doing = 'The observatory is closed.'
  let field: Field | undefined
  let exposure: Night['exposure']
  let observingSinceMs: number | undefined
  let outages = 0
  /** Something may be open or unparked. */
  let opened = false
  /** The frame whose tracking was looked at last, and when the mount was last slewed: no drift is seen across a slew. */
  let checkedFrame: string | undefined
  let pointedAtMs = 0
  let stopping: AbortController | undefined
  let running: Promise<void> = Promise.resolve()
  const disposed = new AbortController()

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

  /**
   * Gives the command; a device that fails it is recovered and asked once more. What the gate denies, and what fails again,
   * ends the night with its reason.
   */
  async function must(action: Action, device: DeviceName, signal: AbortSignal): Promise<void> {
    const first = await commander.command(action, 'night')
    if (first.ok) return
    signal.throwIfAborted()
    await heal(device, `${inWords(action.kind)} failed: ${first.reason}`, signal)
    const second = await commander.command(action, 'night')
    if (!second.ok) throw new NightOver(`${inWords(action.kind)} failed: ${second.reason}`)
  }

  async function recover(device: DeviceName, reason: string, signal: AbortSignal): Promise<void> {
    const patient = patients[device]
    if (!patient) return
    const outcome = await recovery.recover(patient, reason, signal)
    if (!outcome.ok && !signal.aborted) throw new NightOver(outcome.reason)
  }

  const isFallen = (device: DeviceName): boolean => patients[device]?.isWell() === false

  /**
   * Recovers a device that failed, and with it those that fell at the same moment. A mount or a roof that was lost may have
   * forgotten that it was open: then the opening is gone through again, by leave of the gate.
   */
  async function heal(device: DeviceName, reason: string, signal: AbortSignal): Promise<void> {
    const fallen = essential.filter(isFallen)
    await recover(device, reason, signal)
    for (const other of fallen) if (isFallen(other)) await recover(other, 'it does not answer', signal)
    signal.throwIfAborted()
    if (!fallen.includes('mount') && !fallen.includes('roof')) return
    if (++outages > nightLimits.outages) throw new NightOver(`devices were lost ${outages} times this night`)
    await prepare(signal)
  }

  async function prepare(signal: AbortSignal): Promise<void> {
    doing = 'Waiting for the mount and the camera.'
    const deadline = clock.monotonic() + nightLimits.connectMs
    const there = [mount, camera, devices.roof].filter((device) => device !== undefined)
    while (!there.every((device) => device.state().connected)) {
      if (clock.monotonic() > deadline)
        throw new NightOver('the mount, the camera or the roof did not connect within a minute')
      await clock.sleep(250, signal)
    }
    const hasRoof = devices.roof !== undefined && limits().inputs.roof !== 'absent'
    const open = devices.roof?.state().position === 'open'
    // The roof opens only over a parked mount. Under a closed one only a dome leaves it the room to get there.
    if (hasRoof && !open && !mount.state().parked && limits().roof.clearsTelescope)
      await must({ kind: 'park' }, 'mount', signal)
    await whenAllowed({ kind: hasRoof && !open ? 'openRoof' : 'unpark' }, signal)
    opened = true
    if (hasRoof && !open) {
      doing = 'Opening the roof.'
      await must({ kind: 'openRoof' }, 'roof', signal)
    }
    await must({ kind: 'unpark' }, 'mount', signal)
  }

  /** Waits, with the gate's reason for people to read, until it would allow the command. */
  async function whenAllowed(action: Action, signal: AbortSignal): Promise<void> {
    for (;;) {
      const verdict = decide(commander.look(), { ...action, by: 'night' }, limits())
      if (verdict.allow) return
      doing = `Waiting: ${verdict.reason}.`
      await clock.sleep(nightLimits.waitToOpenMs, signal)
    }
  }

  async function calibrate(signal: AbortSignal): Promise<void> {
    doing = 'Taking bias, dark and flat frames.'
    const healCamera = (reason: string): Promise<void> => heal('camera', reason, signal)
    await captureCalibration(captureDeps, deps.calibration, deps.fields, nightId, signal, healCamera)
    signal.throwIfAborted()
    await deps.buildMasters(nightId, signal)
  }

  const captureDeps = {
    store,
    clock,
    camera,
    timeIsTrue: !deps.simulated,
    ask: (action: Action) => commander.ask(action, 'night'),
  }

  async function pointAt(target: Field, signal: AbortSignal): Promise<void> {
    const now = mount.state()
    const offDeg = separationDeg(now.raDeg, now.decDeg, target.raDeg, target.decDeg)
    if (now.tracking && !now.slewing && !now.parked && offDeg < nightLimits.onTargetDeg) return
    if (now.parked) await must({ kind: 'unpark' }, 'mount', signal)
    doing = `Slewing to ${target.fieldId}.`
    await must({ kind: 'slew', raDeg: target.raDeg, decDeg: target.decDeg }, 'mount', signal)
    pointedAtMs = clock.now()
  }

  async function observe(signal: AbortSignal): Promise<void> {
    let failures = 0
    observingSinceMs ??= clock.now()
    while (!signal.aborted) {
      const fallen = essential.find(isFallen)
      if (fallen) await heal(fallen, 'it does not answer', signal)
      const choice = chooseField(deps.fields, site, clock.now(), limits().pointing.minAltitudeDeg)
      if (!choice.field) {
        doing = `Waiting: ${choice.reason}.`
        await clock.sleep(nightLimits.waitForFieldMs, signal)
        continue
      }
      field = choice.field
      await checkTracking(signal)
      await pointAt(choice.field, signal)
      if (deps.pipeline.waiting > 0) doing = 'Waiting for the pipeline to catch up.'
      await deps.pipeline.room(signal)
      failures = (await exposeOn(choice.field, signal)) ? 0 : failures + 1
      if (failures >= nightLimits.exposureFailures) throw new NightOver(`${failures} exposures in a row failed`)
    }
  }

  /** The last two solved frames show whether the mount really tracks; one that drifts is stopped, so that it is slewed anew. */
  async function checkTracking(signal: AbortSignal): Promise<void> {
    const [last, before] = store.frames({ nightId, type: 'light', limit: 2 })
    if (!last || !before || last.frameId === checkedFrame || before.capturedAtMs < pointedAtMs) return
    const reason = trackingTruth(before, last)
    checkedFrame = last.frameId
    if (reason === undefined) return
    store.commit(clock.now(), (tx) =>
      tx.event('truth.failed', { device: mount.state().source, check: 'tracking', reason }),
    )
    await must({ kind: 'track', on: false }, 'mount', signal)
  }

  /** True when a frame was captured. */
  async function exposeOn(target: Field, signal: AbortSignal): Promise<boolean> {
    doing = `Exposing ${target.fieldId} for ${target.exposureSeconds} s.`
    exposure = { seconds: target.exposureSeconds, endsAtMs: clock.now() + target.exposureSeconds * 1000 }
    try {
      const captured = await captureFrame(
        captureDeps,
        {
          type: 'light',
          exposureSeconds: target.exposureSeconds,
          filter: target.filter,
          nightId,
          field: target,
          facts: frameFacts(devices, site, clock.now()),
        },
        signal,
      )
      if (captured.ok || signal.aborted) return captured.ok
      if (captured.denied) throw new NightOver(captured.reason)
      doing = `The exposure failed: ${captured.reason}.`
      await heal('camera', captured.reason, signal)
      return false
    } finally {
      exposure = undefined
    }
  }

  /**
   * Parks, closes and looks. When that takes longer than it may, the night is at fault and says so; the closing goes on for as
   * long as this process lives.
   */
  async function close(reason: string): Promise<void> {
    move('closing', reason)
    const alarmed = Promise.withResolvers<void>()
    const closing = (async () => {
      await camera.abort()
      const onAlarm = (alarm: string): void => {
        if (phase === 'closing') move('fault', `${alarm[0]?.toUpperCase()}${alarm.slice(1)}.`)
        alarmed.resolve()
      }
      const isClosed = await closeObservatory({ commander, clock, limits, by: 'night', onAlarm }, disposed.signal)
      if (!isClosed) return
      if (phase === 'fault') move('closing', 'The mount and the roof moved at last.')
      opened = false
      field = undefined
      commander.dropLease('night', 'the night')
      move('closed', `Closed: ${reason}`)
    })()
    await Promise.race([closing, alarmed.promise])
  }

  async function keepLease(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      commander.takeLease('night', 'the night', nightLimits.leaseMs)
      await clock.sleep(nightLimits.leaseRenewMs, signal).catch(() => undefined)
    }
  }

  async function run(by: string, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const leasing = keepLease(over.signal)
    let reason = 'stopped'
    try {
      move('preparing', `Opening, asked by ${by}.`)
      await prepare(signal)
      move('calibrating', 'Checking the calibration frames.')
      await calibrate(signal)
      move('observing', 'Observing.')
      await observe(signal)
    } catch (error) {
      if (!signal.aborted) reason = messageOf(error)
    }
    over.abort()
    await leasing
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
    start(by) {
      if (phase === 'fault') return failure(`the observatory is at fault and still closing: ${doing}`)
      if (phase !== 'closed') return failure(`the night is already ${phase}`)
      const leased = commander.takeLease('night', by, nightLimits.leaseMs)
      if (!leased.ok) return leased
      nightId = nightIdAt(site, clock.now())
      observingSinceMs = undefined
      outages = 0
      stopping = new AbortController()
      running = run(by, stopping.signal).catch((error: unknown) => {
        doing = `The night ended with a fault: ${messageOf(error)}`
        phase = 'fault'
      })
      return done
    },
    async stop(by) {
      if (phase === 'closed') return done
      stopping?.abort(`stopped by ${by}`)
      await running
      return this.phase === 'closed' ? done : failure(doing)
    },
    unsafe(reasons) {
      if (opened && phase !== 'closing' && phase !== 'fault') stopping?.abort(reasons.join('; '))
    },
    finished: () => running,
    async [Symbol.asyncDispose]() {
      await this.stop('shutdown')
      disposed.abort()
    },
  }
}
