import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Mount, MountState } from '@nightjar/firmware-bridge/devices/mount.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { DeviceKind } from '../contract/deviceSettings.ts'
import { guardianPaths, writeGuardianConfig } from '../guardian/config.ts'
import { driverSocket } from '../guardian/drivers.ts'
import { connectGuardian, type GuardianLink } from '../guardian/link.ts'
import type { ToldMount } from '../guardian/protocol.ts'
import { servedNames } from '../guardian/served.ts'
import { keepGuardian, startGuardian } from '../guardian/start.ts'
import type { GuardianSaid } from '../observatory/gate/state.ts'
import { type GuardConfigRequest, guardedDrivers, guardianConfigFor } from './guardConfig.ts'

/** The guardian of this data folder as the daemon sees it. */
export interface Guard extends AsyncDisposable {
  readonly link: GuardianLink
  /** The mount as this process opened it: where only it can hold the port, the guardian hears of the mount from here. */
  tellOf(mount: Mount): void
  /** For the gate. */
  says(): GuardianSaid & { readonly atMs: number }
  /** What hangs on the roof-and-safety controller, which the guardian holds and serves. */
  readonly controller: { readonly connect: Connect; readonly names: Partial<Record<DeviceKind, string>> }
  /** Where the drivers of these devices are served that the guardian runs, because they must outlive the daemon. */
  readonly drivers: Partial<Record<DeviceKind, Connect>>
}

export interface GuardRequest extends GuardConfigRequest {
  readonly clock: Clock
  readonly random: Random
  /** A counter that only the daemon's own work advances. */
  readonly health: () => number
  readonly tell: (words: string) => void
}

/**
 * Starts the guardian, or under systemd tells its own unit what to guard, and beats for it from now on. Undefined when
 * there is nothing that it could move: neither mount nor roof speaks a protocol that it knows.
 */
export async function startGuard(request: GuardRequest): Promise<Guard | undefined> {
  const config = guardianConfigFor(request)
  if (!config) return undefined
  const { clock, folder, random, health, tell } = request
  const isService = process.env['NOTIFY_SOCKET'] !== undefined
  if (isService) writeGuardianConfig(config)
  else await startGuardian(config, clock)
  let mount: Mount | undefined
  const link = connectGuardian({
    socketPath: guardianPaths(folder).socket,
    clock,
    random,
    health,
    ...(config.mount?.kind === 'lx200' && { mount: () => mount && toldBy(mount.state(), clock) }),
  })
  const over = new AbortController()
  const onAttempt = ({ ok, text }: { readonly ok: boolean; readonly text: string }): void => {
    // One that ended by itself as we came, its work done, is started anew without a word.
    if (!ok) tell(`the guardian is silent and could not be started: ${text}`)
  }
  const keeping = isService ? undefined : keepGuardian({ config, link, clock, onAttempt }, over.signal)
  return {
    link,
    tellOf: (daemons) => {
      mount = daemons
    },
    says: () => saidBy(link, clock),
    controller: {
      connect: connectTcp({ path: guardianPaths(folder).roofSocket }),
      names: {
        roof: servedNames.roof,
        weather: servedNames.station,
        safety: servedNames.station,
        power: servedNames.heaters,
      },
    },
    drivers: Object.fromEntries(
      guardedDrivers(request.settings.devices).map(({ kind }) => [
        kind,
        connectTcp({ path: driverSocket(folder, kind) }),
      ]),
    ),
    async [Symbol.asyncDispose]() {
      over.abort()
      await keeping
      await link.leave()
      await link[Symbol.asyncDispose]()
    },
  }
}

/** Undefined while the mount does not answer: then nothing is told. */
function toldBy({ connected, atMs, parked, slewing, tracking }: MountState, clock: Clock): ToldMount | undefined {
  if (!connected) return undefined
  return { parked: parked && !slewing, slewing, tracking, ageMs: Math.max(0, clock.now() - atMs) }
}

function saidBy(link: GuardianLink, clock: Clock): GuardianSaid & { readonly atMs: number } {
  const { alive, ageMs, status, reason } = link.state()
  return {
    connected: alive,
    mayOpen: status?.mayOpen === true && status.phase === 'watching',
    causes: status ? [...status.causes, ...status.alarms] : [reason ?? 'it has said nothing yet'],
    atMs: status ? clock.now() - ageMs : 0,
  }
}

/** The folder's guardian journal, for the panel. */
export const guardianJournalOf = (folder: string): string => join(folder, 'guardian.jsonl')
