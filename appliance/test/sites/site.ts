/** What the tests of whole sites are made of: settings, the commander over opened hardware, and the guardian's process. */
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { expect } from 'vitest'
import { guardianConfigFor } from '../../src/cli/guardConfig.ts'
import { defaultSettings, type Settings } from '../../src/contract/config.ts'
import type { DevicesSettings } from '../../src/contract/deviceSettings.ts'
import { type GateSettings, simulatedGateSettings } from '../../src/contract/gateSettings.ts'
import type { GuardianConfigFile } from '../../src/guardian/config.ts'
import { guardianPaths } from '../../src/guardian/config.ts'
import { driverSocket } from '../../src/guardian/drivers.ts'
import { servedNames } from '../../src/guardian/served.ts'
import { siderealTimeDeg } from '../../src/observations/ephemeris.ts'
import { type Commander, createCommander } from '../../src/observatory/commander.ts'
import type { Action } from '../../src/observatory/gate/command.ts'
import { unsafeReasons } from '../../src/observatory/gate/safety.ts'
import type { Verdict } from '../../src/observatory/gate.ts'
import { type OpenHardware, openHardware } from '../../src/observatory/openHardware.ts'
import { createRecovery, type Recovery, type RecoveryLimits } from '../../src/observatory/recovery.ts'
import { simulatedSite } from '../../src/simulation/scenario.ts'
import { openStore } from '../../src/store/openStore.ts'
import type { Store } from '../../src/store/store.ts'
import { type DaemonProcess, type GuardianProcess, guard, startDaemon, temporaryFolder } from '../guardian/processes.ts'

/** A place where it is night now: the Sun keeps real telescopes parked. */
export const site = simulatedSite(clock.now())

/** High, east of the meridian, and near enough to the pole that a slew from there is short. */
export const target = () => ({ raDeg: (siderealTimeDeg(site, clock.now()) + 15) % 360, decDeg: 60 })

const leaseMs = 600_000

export interface SiteOptions {
  readonly devices: DevicesSettings
  readonly inputs: Partial<GateSettings['inputs']>
  readonly gate?: Partial<GateSettings>
  readonly recovery?: RecoveryLimits
  readonly policy?: GuardianConfigFile['policy']
}

export interface Site {
  readonly folder: string
  readonly hardware: OpenHardware
  readonly commander: Commander
  readonly recovery: Recovery
  readonly store: Store
  readonly gate: GateSettings
  readonly guardian: GuardianProcess
  readonly daemon: DaemonProcess
  /** The command, as the night gives it; throws what denied it or why it failed. */
  obey(action: Action): Promise<void>
  /** What the recovery ladder did, from the journal: `retry 1: well`. */
  steps(): string[]
}

/** The guardian as a process that the settings describe, a daemon that beats for it, and the hardware as a daemon opens it. */
export async function openSite(stack: AsyncDisposableStack, options: SiteOptions): Promise<Site> {
  const folder = temporaryFolder(stack)
  const gate: GateSettings = {
    ...simulatedGateSettings,
    ...options.gate,
    inputs: { ...simulatedGateSettings.inputs, guardian: 'required', ...options.inputs },
    disk: { minFreeBytes: 0 },
  }
  const settings: Settings = { ...defaultSettings, site, devices: options.devices, gate }
  const config = guardianConfigFor({ folder, settings })!
  const guardian = await guard(stack, { ...config, policy: { ...config.policy, ...options.policy } })
  const daemon = await startDaemon(stack, folder)
  const served = connectTcp({ path: guardianPaths(folder).roofSocket })
  const { roof, station, heaters } = servedNames
  const hardware = stack.use(
    await openHardware({
      devices: options.devices,
      site,
      clock,
      random: createRandom('site'),
      arcsecPerPixel: 2,
      permitTracking: () => permission(commander.ask({ kind: 'track', on: true }, 'night')),
      controller: { connect: served, names: { roof, weather: station, safety: station, power: heaters } },
      guardedDrivers: Object.fromEntries(
        (config.drivers ?? []).map(({ name }) => [name, connectTcp({ path: driverSocket(folder, name) })]),
      ),
    }),
  )
  const store = stack.use(openStore(folder))
  const commander: Commander = createCommander({
    store,
    clock,
    site,
    devices: hardware.devices,
    limits: () => gate,
    diskFreeBytes: () => Number.MAX_SAFE_INTEGER,
    guardian() {
      const status = daemon.latest()
      const mayOpen = status?.mayOpen === true && status.phase === 'watching'
      return { connected: status !== undefined, mayOpen, causes: status?.causes ?? [], atMs: clock.now() }
    },
  })
  commander.takeLease('night', 'test', leaseMs)
  const recovery = createRecovery({
    clock,
    ...(options.recovery && { limits: options.recovery }),
    tell: (type, body) => store.commit(clock.now(), (tx) => tx.event(type, body)),
  })
  return {
    folder,
    hardware,
    commander,
    recovery,
    store,
    gate,
    guardian,
    daemon,
    async obey(action) {
      expect(await commander.command(action, 'night'), action.kind).toEqual({ ok: true })
    },
    steps: () =>
      store
        .events(0, 10_000)
        .flatMap((event) =>
          event.type === 'recovery.stepped' ? [`${event.body.rung} ${event.body.attempt}: ${event.body.result}`] : [],
        ),
  }
}

const safeMs = 15_000

/** Waits until the gate has no word against the site; throws with its reasons when that is too long. */
export async function safe({ commander, gate }: Site): Promise<void> {
  const deadlineMs = clock.monotonic() + safeMs
  for (;;) {
    const reasons = unsafeReasons(commander.look(), gate)
    if (reasons.length === 0) return
    if (clock.monotonic() > deadlineMs) throw new Error(`not safe within ${seconds(safeMs)}: ${reasons.join(', ')}`)
    await clock.sleep(20)
  }
}

const permission = (verdict: Verdict): Outcome => (verdict.allow ? done : failure(verdict.reason))

/** The actions of the guardian since then, and how long after it came to the first. */
export function actionsSince(
  { guardian }: Site,
  sinceMs: number,
): { readonly types: unknown[]; readonly firstMs: number } {
  const actions = guardian.journal().filter(({ event, at }) => event === 'action' && Date.parse(at) >= sinceMs)
  return { types: actions.map(({ type }) => type), firstMs: Date.parse(actions[0]?.at ?? '') - sinceMs }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
