import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Device, DeviceState } from '@nightjar/firmware-bridge/devices/device.ts'
import type { Kind } from '@nightjar/firmware-bridge/devices/kinds.ts'
import type { DeviceView, MountView, Reading, RecoveryView, RoofView } from '../contract/observatory.ts'
import { horizontal, type Site } from '../observations/ephemeris.ts'
import type { Devices } from './devices.ts'
import type { Recovery } from './recovery.ts'

/** The devices as a panel shows them: every reading with its unit, its age, and where it stands on the recovery ladder. */

/** How the names of readings end, longest first, and what that means. */
const units: readonly (readonly [suffix: string, unit: string])[] = [
  ['MagPerSquareArcsec', 'mag/arcsec²'],
  ['MillimetresPerHour', 'mm/h'],
  ['MetresPerSecond', 'm/s'],
  ['Hectopascals', 'hPa'],
  ['Microns', 'µm'],
  ['Percent', '%'],
  ['Seconds', 's'],
  ['Metres', 'm'],
  ['Arcsec', '″'],
  ['Pixels', 'px'],
  ['Steps', 'steps'],
  ['Volts', 'V'],
  ['Amps', 'A'],
  ['Deg', '°'],
  ['Ms', 'ms'],
  ['C', '°C'],
]

const notReadings = new Set<string>(['source', 'atMs', 'connected', 'problem'] satisfies (keyof DeviceState)[])
const mostReadings = 100
const mostCharacters = 200

/** Every value of a state that can be said in JSON: `temperatureC: -10` is `temperature`, −10, `°C`. */
export function readingsOf(state: DeviceState): Reading[] {
  return Object.entries(state)
    .filter(([name]) => !notReadings.has(name))
    .flatMap(([name, value]) => readings(name, value))
    .slice(0, mostReadings)
}

function readings(name: string, value: unknown): Reading[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [withUnit(name, value)] : []
  if (typeof value === 'boolean') return [{ name: inWords(name), value }]
  if (typeof value === 'string') return [{ name: inWords(name), value: value.slice(0, mostCharacters) }]
  if (Array.isArray(value)) return listed(name, value)
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([part, one]) => readings(part, one).map((read) => under(name, read)))
  return []
}

/** A list of words is one reading; a list of named things (ports, dew heaters) one for each of their values. */
function listed(name: string, list: readonly unknown[]): Reading[] {
  if (list.every((one) => typeof one === 'string'))
    return list.length === 0 ? [] : [{ name: inWords(name), value: list.join(', ').slice(0, mostCharacters) }]
  return list.flatMap((one) => {
    const { name: own = '', ...rest } = one as { readonly name?: string }
    return readings(`${name} ${own}`, rest)
  })
}

const under = (name: string, read: Reading): Reading => ({ ...read, name: `${inWords(name)} ${read.name}` })

function withUnit(name: string, value: number): Reading {
  const known = units.find(([suffix]) => name.endsWith(suffix) || name.toLowerCase() === suffix.toLowerCase())
  if (!known) return { name: inWords(name), value }
  const bare = name.slice(0, name.length - known[0].length)
  return { name: inWords(bare === '' ? name : bare), value, unit: known[1] }
}

/** `mountParked` → `mount parked`; what stands after a space is a name that somebody gave, and stays. */
function inWords(name: string): string {
  const [own = '', ...given] = name.split(' ')
  return [own.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`), ...given].join(' ')
}

type AnyDevice = Device<Kind, DeviceState>

export function deviceViews(devices: Devices, recovery: Recovery, clock: Clock): DeviceView[] {
  return (Object.entries(devices) as [string, AnyDevice | undefined][]).flatMap(([kind, device]) =>
    device ? [deviceView(kind, device, recovery, clock)] : [],
  )
}

function deviceView(kind: string, device: AnyDevice, recovery: Recovery, clock: Clock): DeviceView {
  const state = device.state()
  const { source, connected, atMs, problem } = state
  const standing = recoveryView(recovery.standing(source))
  return {
    kind,
    source,
    connected,
    ...(atMs > 0 && { ageMs: Math.max(0, clock.now() - atMs) }),
    ...(problem !== undefined && { problem }),
    can: [...device.can()],
    readings: readingsOf(state),
    ...(standing && { recovery: standing }),
  }
}

function recoveryView(standing: ReturnType<Recovery['standing']>): RecoveryView | undefined {
  if (standing === undefined) return undefined
  return standing === 'givenUp' ? { state: 'givenUp' } : { state: 'climbing', ...standing }
}

export function roofView({ roof }: Devices): RoofView | undefined {
  if (!roof) return undefined
  const { position, connected, azimuthDeg, fault } = roof.state()
  return {
    position: connected ? position : 'unknown',
    ...(azimuthDeg !== undefined && Number.isFinite(azimuthDeg) && { azimuthDeg }),
    ...(fault !== undefined && { fault }),
  }
}

export function mountView({ mount }: Devices, site: Site, nowMs: number): MountView {
  const { connected, parked, slewing, tracking, raDeg, decDeg, fault } = mount.state()
  const where = connected && Number.isFinite(raDeg + decDeg) ? horizontal(site, raDeg, decDeg, nowMs) : undefined
  return {
    connected,
    parked,
    slewing,
    tracking,
    ...(where && { altitudeDeg: where.altitudeDeg, azimuthDeg: where.azimuthDeg }),
    ...(fault !== undefined && { fault }),
  }
}
