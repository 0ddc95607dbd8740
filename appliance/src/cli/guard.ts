import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { Settings } from '../contract/config.ts'
import type { DeviceAddress, DeviceKind } from '../contract/deviceSettings.ts'
import type { GuardianConfigFile, InputConfig, ServerAddress } from '../guardian/config.ts'
import { guardianPaths, writeGuardianConfig } from '../guardian/config.ts'
import { driverSocket } from '../guardian/drivers.ts'
import { connectGuardian, type GuardianLink } from '../guardian/link.ts'
import { servedNames } from '../guardian/served.ts'
import { keepGuardian, startGuardian } from '../guardian/start.ts'
import type { GuardianSaid } from '../observatory/gate/state.ts'

/** The guardian of this data folder as the daemon sees it. */
export interface Guard extends AsyncDisposable {
  readonly link: GuardianLink
  /** For the gate. */
  says(): GuardianSaid & { readonly atMs: number }
  /** What hangs on the roof-and-safety controller, which the guardian holds and serves. */
  readonly controller: { readonly connect: Connect; readonly names: Partial<Record<DeviceKind, string>> }
  /** Where the drivers of these devices are served that the guardian runs, because they must outlive the daemon. */
  readonly drivers: Partial<Record<DeviceKind, Connect>>
}

export interface GuardRequest {
  readonly folder: string
  readonly settings: Settings
  readonly clock: Clock
  readonly random: Random
  /** Where the `simulated` devices are served. */
  readonly simulated?: { readonly server: ServerAddress; readonly names: Partial<Record<DeviceKind, string>> }
  /** A counter that only the daemon's own work advances. */
  readonly health: () => number
  readonly tell: (words: string) => void
}

/** After this long parked, closed and without a daemon, the guardian of a simulated observatory ends. */
const simulatedLingerMs = 1_000

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
  const link = connectGuardian({ socketPath: guardianPaths(folder).socket, clock, random, health })
  const over = new AbortController()
  const onAttempt = ({ text }: { readonly text: string }): void => tell(`the guardian was silent: ${text}`)
  const keeping = isService ? undefined : keepGuardian({ config, link, clock, onAttempt }, over.signal)
  return {
    link,
    says: () => saidBy(link, clock),
    controller: {
      connect: connectTcp({ path: guardianPaths(folder).roofSocket }),
      names: { roof: servedNames.roof, weather: servedNames.station, safety: servedNames.station },
    },
    drivers: Object.fromEntries(
      guardedDrivers(request.settings).map(({ kind }) => [kind, connectTcp({ path: driverSocket(folder, kind) })]),
    ),
    async [Symbol.asyncDispose]() {
      over.abort()
      await keeping
      await link.leave()
      await link[Symbol.asyncDispose]()
    },
  }
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

/** What the guardian has to know, from the settings. */
export function guardianConfigFor({ folder, settings, simulated }: GuardRequest): GuardianConfigFile | undefined {
  const { devices, gate } = settings
  const indi = (kind: DeviceKind): { server: ServerAddress; device: string } | undefined =>
    serverOf(kind, devices[kind], folder, simulated)
  const served = (kind: 'mount' | 'roof') => {
    const found = indi(kind)
    return found && { kind: 'indi' as const, ...found }
  }
  const { mount, roof, weather, ups, controller } = devices
  const mountConfig =
    mount.kind === 'serial' && mount.protocol === 'lx200'
      ? { kind: 'lx200' as const, path: mount.path, baudRate: mount.baudRate }
      : (served('mount') ?? null)
  const roofConfig =
    roof?.kind === 'controller' && controller
      ? { kind: 'controller' as const, ...controller }
      : (served('roof') ?? null)
  if (!mountConfig && !roofConfig) return undefined
  const station = weather && indi('weather')
  const ageMs = (kind: 'weather' | 'ups' | 'safety'): number => gate.agesSeconds[kind] * 1000
  const inputs: InputConfig[] = [
    ...(station
      ? [
          {
            kind: 'indiWeather' as const,
            ...station,
            closeOnDanger: true,
            limitMs: ageMs('weather'),
            required: gate.inputs.weather === 'required',
          },
        ]
      : []),
    ...(ups?.kind === 'nut'
      ? [
          {
            kind: 'nut' as const,
            server: { host: ups.host, port: ups.port },
            ups: ups.ups,
            limitMs: ageMs('ups'),
            required: gate.inputs.ups === 'required',
          },
        ]
      : []),
    ...(roofConfig?.kind === 'controller'
      ? [{ kind: 'controller' as const, limitMs: ageMs('safety'), required: true }]
      : []),
  ]
  const rain = gate.roof.whenRainAndNotParked
  return {
    folder,
    drivers: guardedDrivers(settings).map(({ kind, program }) => ({ name: kind, programs: [program] })),
    mount: mountConfig,
    roof: roofConfig,
    inputs,
    policy: {
      mainsLimitMs: gate.ups.graceSeconds * 1000,
      closeAnywayAfterMs: rain.kind === 'never' ? 'never' : rain.afterSeconds * 1000,
      parkUnderClosedRoof: gate.roof.clearsTelescope,
      clearAfterMs: gate.recoveryMinutes * 60_000,
      ...(simulated && { lingerMs: simulatedLingerMs }),
      ...(gate.inputs.mountParkedSensor === 'required' && { parkedSignals: 'both' as const }),
    },
  }
}

/** The drivers of mount and roof on this machine: with them under the daemon nobody could park after its death. */
const guardedDrivers = ({ devices }: Settings): { kind: 'mount' | 'roof'; program: string }[] =>
  (['mount', 'roof'] as const).flatMap((kind) => {
    const address = devices[kind]
    return address?.kind === 'driver' ? [{ kind, program: address.driver }] : []
  })

function serverOf(
  kind: DeviceKind,
  address: DeviceAddress | undefined,
  folder: string,
  simulated: GuardRequest['simulated'],
): { server: ServerAddress; device: string } | undefined {
  if (address?.kind === 'indi') return { server: { host: address.host, port: address.port }, device: address.device }
  if (address?.kind === 'driver' && (kind === 'mount' || kind === 'roof'))
    return { server: { path: driverSocket(folder, kind) }, device: address.device }
  const name = simulated?.names[kind]
  return address?.kind === 'simulated' && simulated && name !== undefined
    ? { server: simulated.server, device: name }
    : undefined
}

/** The folder's guardian journal, for the panel. */
export const guardianJournalOf = (folder: string): string => join(folder, 'guardian.jsonl')
