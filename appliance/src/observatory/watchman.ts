import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { DeviceState } from '@nightjar/firmware-bridge/devices/device.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import type { Store } from '../store/store.ts'
import type { Commander } from './commander.ts'
import type { DeviceName } from './devices.ts'
import { diskFull } from './gate/cameraRules.ts'
import { hazards } from './gate/hazards.ts'
import { type SafetyVerdict, safetyVerdict, unsafeReasons } from './gate/safety.ts'
import { sunHigh } from './gate/siteRules.ts'
import { watch } from './gate/watch.ts'
import type { Patient, Recovery } from './recovery.ts'

/**
 * Looks every second, whether a night runs or not: tells the journal what changed (devices, roof, safety), stops a mount that
 * drifts to where it may not be, has fallen devices recovered, and calls out when the site has become unsafe.
 */
export interface Watchman extends AsyncDisposable {
  readonly verdict: SafetyVerdict
  /** All that speaks against being open, the devices included. */
  readonly reasons: readonly string[]
}

export interface WatchmanDeps {
  readonly commander: Commander
  readonly recovery: Recovery
  readonly patients: Readonly<Partial<Record<DeviceName, Patient>>>
  readonly clock: Clock
  readonly store: Store
  readonly limits: () => GateSettings
  /**
   * Called at every look with a reason to close now: the surroundings, the Sun, the disk. A fallen device is none: it is
   * recovered first, and whoever needs it gives up when it is given up. Must return at once.
   */
  readonly onUnsafe: (reasons: readonly string[]) => void
  /** Called at every look: a sign that this process does its work. */
  readonly onLook?: (() => void) | undefined
}

const lookMs = 1_000
/** A device may be away for this long before its recovery starts: its own protocol reconnects by itself. */
const patienceMs = 5_000

export function startWatchman(deps: WatchmanDeps): Watchman {
  const { commander, recovery, patients, clock, store, limits } = deps
  const stop = new AbortController()
  const known = new Map<DeviceName, boolean>()
  /** Devices that were connected once. */
  const heard = new Set<DeviceName>()
  const illSinceMs = new Map<DeviceName, number>()
  let roof: string | undefined
  let verdict: SafetyVerdict = safetyVerdict(commander.look(), limits())
  let reasons: readonly string[] = []
  let saidSafe: boolean | undefined

  function look(): void {
    const state = commander.look()
    deps.onLook?.()
    const now = limits()
    verdict = safetyVerdict(state, now)
    reasons = unsafeReasons(state, now)
    tellChanges()
    const closing = [...hazards(state, now), sunHigh(state, now), diskFull(state, now)].filter(
      (why) => why !== undefined,
    )
    if (closing.length > 0) deps.onUnsafe(closing)
    const order = watch(state, now)
    if (order?.action === 'park') void commander.command({ kind: 'park' }, 'night')
    if (order?.action === 'stopTracking') void commander.command({ kind: 'track', on: false }, 'night')
    recoverFallen()
  }

  function tellChanges(): void {
    const safe = verdict.state === 'safe'
    if (safe !== saidSafe) {
      saidSafe = safe
      const why = verdict.state === 'unsafe' ? verdict.reasons : verdict.state === 'safe' ? [] : [verdict.reason]
      tell((tx) => tx.event('safety.changed', { safe, reasons: [...why] }))
    }
    const position = commander.devices.roof?.state().position
    if (position !== undefined && position !== roof) {
      const from = roof ?? 'unknown'
      if (position !== from) tell((tx) => tx.event('roof.changed', { from, to: position }))
      roof = position
    }
    for (const [name, device] of devicesOf(commander)) tellConnection(name, device.state())
  }

  function tellConnection(kind: DeviceName, { connected, source }: DeviceState): void {
    if (connected) heard.add(kind)
    if (known.get(kind) === connected) return
    if (connected) tell((tx) => tx.event('device.connected', { device: source, kind }))
    else if (known.has(kind))
      tell((tx) => tx.event('device.disconnected', { device: source, kind, reason: 'it does not answer' }))
    known.set(kind, connected)
  }

  function recoverFallen(): void {
    const nowMs = clock.monotonic()
    for (const [name, patient] of Object.entries(patients) as [DeviceName, Patient][]) {
      if (patient.isWell()) {
        illSinceMs.delete(name)
        if (recovery.standing(patient.device) === 'givenUp') recovery.forgive(patient.device)
        continue
      }
      const sinceMs = illSinceMs.get(name) ?? nowMs
      illSinceMs.set(name, sinceMs)
      // Never heard is not fallen: it may not be switched on yet.
      if (!heard.has(name) || nowMs - sinceMs < patienceMs || recovery.standing(patient.device)) continue
      void recovery.recover(patient, 'it does not answer', stop.signal)
    }
  }

  function tell(write: Parameters<Store['commit']>[1]): void {
    try {
      store.commit(clock.now(), write)
    } catch {
      // A full disk shows itself at the gate; watching goes on.
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      look()
      await clock.sleep(lookMs, stop.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    get verdict() {
      return verdict
    },
    get reasons() {
      return reasons
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

const devicesOf = ({ devices }: Commander): [DeviceName, { state(): DeviceState }][] =>
  (Object.entries(devices) as [DeviceName, { state(): DeviceState } | undefined][]).flatMap(([name, device]) =>
    device ? [[name, device]] : [],
  )
