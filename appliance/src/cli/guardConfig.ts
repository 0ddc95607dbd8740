import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Settings } from '../contract/config.ts'
import type { DeviceKind, DevicesSettings } from '../contract/deviceSettings.ts'
import type { GateSettings, Presence } from '../contract/gateSettings.ts'
import type { GuardianConfigFile, InputConfig, MountConfig, RoofConfig, ServerAddress } from '../guardian/config.ts'
import { driverSocket } from '../guardian/drivers.ts'

export interface GuardConfigRequest {
  readonly folder: string
  readonly settings: Settings
  /** Where the `simulated` devices are served. */
  readonly simulated?:
    | { readonly server: ServerAddress; readonly names: Partial<Record<DeviceKind, string>> }
    | undefined
}

/** After this long parked, closed and without a daemon, the guardian of a simulated observatory ends. */
const simulatedLingerMs = 1_000

/**
 * What the guardian has to know, from the settings; undefined where a site has neither a mount nor a roof that could outlive
 * the daemon. Throws `start/guardian` when it would see one of them without the other: it would close the roof over a
 * telescope that it takes for not there.
 */
export function guardianConfigFor(request: GuardConfigRequest): GuardianConfigFile | undefined {
  const { folder, settings, simulated } = request
  const { devices, gate } = settings
  refuseHalfAController(devices)
  const mount = mountConfig(request)
  const roof = roofConfig(request)
  if (!mount && !roof) return undefined
  if (!mount) throw unguarded('mount', devices.mount.kind)
  if (!roof && devices.roof) throw unguarded('roof', devices.roof.kind)
  return {
    folder,
    drivers: guardedDrivers(devices).map(({ kind, program }) => ({ name: kind, programs: [program] })),
    mount,
    roof: roof ?? null,
    inputs: inputsOf(request, roof),
    policy: policyOf(gate, roof, simulated !== undefined),
  }
}

/** The drivers of mount and roof on this machine: with them under the daemon nobody could park after its death. */
export const guardedDrivers = (devices: DevicesSettings): { kind: 'mount' | 'roof'; program: string }[] =>
  (['mount', 'roof'] as const).flatMap((kind) => {
    const address = devices[kind]
    return address?.kind === 'driver' && groupOf(kind, devices) === kind ? [{ kind, program: address.driver }] : []
  })

/** The group that runs the driver of this device: one driver that moves mount and roof is one program. */
function groupOf(kind: 'mount' | 'roof', { mount, roof }: DevicesSettings): 'mount' | 'roof' {
  return mount.kind === 'driver' && roof?.kind === 'driver' && mount.driver === roof.driver ? 'mount' : kind
}

function unguarded(kind: 'mount' | 'roof', address: string): NightjarError {
  return new NightjarError(
    'start/guardian',
    `the guardian cannot reach a ${kind} by "${address}", and moves neither mount nor roof without both: name another address (devices.${kind})`,
  )
}

/** What hangs on the controller is served by the guardian, which holds the controller only as the roof's. */
function refuseHalfAController(devices: DevicesSettings): void {
  const { controller, roof } = devices
  const onIt = (['roof', 'safety', 'weather', 'power'] as const).filter((kind) => devices[kind]?.kind === 'controller')
  if (onIt.length > 0 && !controller)
    throw new NightjarError(
      'start/guardian',
      `${onIt.join(', ')}: the roof-and-safety controller has no serial port: name it (devices.controller)`,
    )
  if (onIt.length > 0 && roof?.kind !== 'controller')
    throw new NightjarError(
      'start/guardian',
      `${onIt.join(', ')}: the guardian holds the roof-and-safety controller where it moves the roof: make the roof's address "controller" too (devices.roof)`,
    )
}

function mountConfig(request: GuardConfigRequest): MountConfig | undefined {
  const { mount } = request.settings.devices
  if (mount.kind === 'alpaca') return { kind: 'alpaca', host: mount.host, port: mount.port, number: mount.number }
  if (mount.kind !== 'serial') return served('mount', request)
  const { protocol, path, baudRate } = mount
  if (protocol === 'lx200') return { kind: 'lx200', path: portPath(path, 'devices.mount'), baudRate }
  throw new NightjarError('start/guardian', `a mount on a serial port speaks lx200, not ${protocol} (devices.mount)`)
}

function roofConfig(request: GuardConfigRequest): RoofConfig | undefined {
  const { roof, controller } = request.settings.devices
  if (roof?.kind === 'controller' && controller)
    return { kind: 'controller', path: portPath(controller.path, 'devices.controller'), baudRate: controller.baudRate }
  if (roof?.kind === 'alpaca') return { kind: 'alpaca', host: roof.host, port: roof.port, number: roof.number }
  return served('roof', request)
}

/** The guardian does without the package that finds USB ports by their identity; udev's links do the same for it. */
function portPath(path: string, setting: string): string {
  if (!path.startsWith('usb:')) return path
  throw new NightjarError(
    'start/guardian',
    `the guardian opens ${path} by its path alone: give its link in /dev/serial/by-id (${setting})`,
  )
}

function served(kind: 'mount' | 'roof', request: GuardConfigRequest) {
  const found = serverOf(kind, request)
  return found && { kind: 'indi' as const, ...found }
}

/** The INDI server of a device, when it is one that a daemon's death leaves running. */
function serverOf(
  kind: DeviceKind,
  { folder, settings, simulated }: GuardConfigRequest,
): { server: ServerAddress; device: string } | undefined {
  const address = settings.devices[kind]
  if (address?.kind === 'indi') return { server: { host: address.host, port: address.port }, device: address.device }
  if (address?.kind === 'driver' && (kind === 'mount' || kind === 'roof'))
    return { server: { path: driverSocket(folder, groupOf(kind, settings.devices)) }, device: address.device }
  const name = simulated?.names[kind]
  return address?.kind === 'simulated' && simulated && name !== undefined
    ? { server: simulated.server, device: name }
    : undefined
}

/** The guardian takes no shorter and no longer patience with an input. */
const limitRangeMs = { least: 100, most: 3_600_000 } as const

function inputsOf(request: GuardConfigRequest, roof: RoofConfig | undefined): InputConfig[] {
  const { devices, gate } = request.settings
  const { weather, safety, ups } = devices
  const common = (kind: 'weather' | 'ups' | 'safety') => ({
    limitMs: Math.min(limitRangeMs.most, Math.max(limitRangeMs.least, gate.agesSeconds[kind] * 1000)),
    required: (gate.inputs[kind] as Presence) === 'required',
  })
  const station = weather && serverOf('weather', request)
  const inputs: InputConfig[] = []
  if (station) inputs.push({ kind: 'indiWeather', ...station, closeOnDanger: true, ...common('weather') })
  if (weather?.kind === 'alpaca') inputs.push({ ...weatherAt(weather), ...common('weather') })
  if (safety?.kind === 'alpaca')
    inputs.push({
      kind: 'alpacaSafety',
      host: safety.host,
      port: safety.port,
      number: safety.number,
      ...common('safety'),
    })
  if (ups?.kind === 'nut')
    inputs.push({ kind: 'nut', server: { host: ups.host, port: ups.port }, ups: ups.ups, ...common('ups') })
  if (roof?.kind === 'controller') inputs.push({ kind: 'controller', ...common('safety'), required: true })
  return inputs
}

const weatherAt = ({ host, port, number }: { host: string; port: number; number: number }) =>
  ({ kind: 'alpacaWeather', host, port, number }) as const

function policyOf(
  gate: GateSettings,
  roof: RoofConfig | undefined,
  isSimulated: boolean,
): NonNullable<GuardianConfigFile['policy']> {
  const rain = gate.roof.whenRainAndNotParked
  const hasSensor = roof?.kind === 'controller' && gate.inputs.mountParkedSensor === 'required'
  return {
    mainsLimitMs: gate.ups.graceSeconds * 1000,
    closeAnywayAfterMs: rain.kind === 'never' ? 'never' : rain.afterSeconds * 1000,
    parkUnderClosedRoof: gate.roof.clearsTelescope,
    clearAfterMs: gate.recoveryMinutes * 60_000,
    ...(isSimulated && { lingerMs: simulatedLingerMs }),
    ...(hasSensor && { parkedSignals: 'both' as const }),
  }
}
