import { readFileSync } from 'node:fs'
import { tappedTransport } from '@nightjar/firmware-bridge/alpaca/tappedTransport.ts'
import { httpTransport } from '@nightjar/firmware-bridge/alpaca/transport.ts'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createChronyTimeSource } from '@nightjar/firmware-bridge/devices/chronyTimeSource.ts'
import type { Device, DeviceState } from '@nightjar/firmware-bridge/devices/device.ts'
import { createGpsd, type Gpsd } from '@nightjar/firmware-bridge/devices/gpsd.ts'
import type { Kind } from '@nightjar/firmware-bridge/devices/kinds.ts'
import { createLx200Mount } from '@nightjar/firmware-bridge/devices/lx200Mount.ts'
import { createMoonliteFocuser } from '@nightjar/firmware-bridge/devices/moonliteFocuser.ts'
import { createNmeaGps } from '@nightjar/firmware-bridge/devices/nmeaGps.ts'
import { createNutUps } from '@nightjar/firmware-bridge/devices/nutUps.ts'
import { createOnvifCamera } from '@nightjar/firmware-bridge/devices/onvifCamera.ts'
import { createPhd2Guider } from '@nightjar/firmware-bridge/devices/phd2Guider.ts'
import { createStationSafety } from '@nightjar/firmware-bridge/devices/stationSafety.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createIndiClient, type IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { type IndiClients, mergeIndiClients } from '@nightjar/firmware-bridge/indi/clients.ts'
import {
  type DriverGroupPlan,
  type DriverGroups,
  startDriverGroups,
} from '@nightjar/firmware-bridge/indi/driverGroups.ts'
import { rememberMount } from '@nightjar/firmware-bridge/indi/mountMemory.ts'
import { findProperty, findSwitch, type IndiState } from '@nightjar/firmware-bridge/indi/properties.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import type { Backoff } from '@nightjar/firmware-bridge/wire/reconnect.ts'
import { connectSerial } from '@nightjar/firmware-bridge/wire/serial.ts'
import { createTap, type Tap } from '@nightjar/firmware-bridge/wire/tap.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { resetUsb } from '@nightjar/firmware-bridge/wire/usb.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { DeviceAddress, DeviceKind, DevicesSettings } from '../contract/deviceSettings.ts'
import type { Site } from '../observations/ephemeris.ts'
import { alpacaMakers } from './alpacaDevices.ts'
import type { Devices, Hardware } from './devices.ts'
import { type IndiDeps, indiMakers } from './indiDevices.ts'
import type { Patient } from './recovery.ts'

/**
 * From the settings to the hardware: opens every device that the site names, by whatever protocol, and says for each how it
 * can be recovered. Devices on one INDI server share one client; drivers on this machine get an indiserver for each device.
 */
export interface OpenHardware extends Hardware, AsyncDisposable {
  /** Every INDI device of every server, for the generic property panel. */
  readonly indi: IndiClients
  readonly indiNames: NonNullable<Hardware['indiNames']>
  readonly taps: ReadonlyMap<string, Tap>
}

/** Kept of each wire for the live view: enough for minutes of commands, little beside one frame. */
const wireLimits = { entries: 500, bytesPerEntry: 512 } as const

/** A driver that has nothing else to do answers within milliseconds; one that reads out a camera may take a while. */
const answerMs = 3_000

export interface HardwareRequest {
  readonly devices: DevicesSettings
  readonly site: Site
  readonly clock: Clock
  readonly random: Random
  readonly arcsecPerPixel: number
  /** Where `simulated` devices are served, and the names of those that are. */
  readonly simulated?: { readonly connect: Connect; readonly names: Readonly<Partial<Record<DeviceKind, string>>> }
  /** Where the guardian serves what hangs on the roof-and-safety controller. */
  readonly controller?: { readonly connect: Connect; readonly names: Readonly<Partial<Record<DeviceKind, string>>> }
  readonly backoff?: Backoff
  /** The gate's word before a mount that came back is made to track again as it did; nothing is permitted without it. */
  readonly permitTracking?: (() => Outcome) | undefined
  /** Devices whose `driver` the guardian runs, and where it serves them. */
  readonly guardedDrivers?: Readonly<Partial<Record<DeviceKind, Connect>>>
  /** Seen by every wire beside the live Wire view: a tape. */
  readonly tap?: (name: string, connect: Connect) => Connect
}

type AnyDevice = Device<Kind, DeviceState>
type IndiMaker = (client: IndiClient, name: string, deps: IndiDeps) => unknown
type Address = DeviceAddress & { readonly usb?: Parameters<typeof resetUsb>[0]; readonly powerPort?: string }

export async function openHardware(request: HardwareRequest): Promise<OpenHardware> {
  const stack = new AsyncDisposableStack()
  try {
    const opener = new Opener(request, stack)
    await opener.startDrivers()
    const opened = opener.openAll()
    const { devices, patients } = opened
    const { indiNames, taps } = opener
    return {
      devices,
      patients,
      indi: opener.allIndi(),
      indiNames,
      taps,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

interface Opened {
  readonly device: AnyDevice
  /** Known to this protocol, harmless to the others. */
  readonly remedies: Patient['remedies']
}

class Opener {
  readonly #request: HardwareRequest
  readonly #stack: AsyncDisposableStack
  readonly #clients = new Map<string, IndiClient>()
  readonly taps = new Map<string, Tap>()
  readonly indiNames: Partial<Record<DeviceKind, string>> = {}
  readonly #indiDeps: IndiDeps
  #groups: DriverGroups | undefined
  #gpsd: Gpsd | undefined

  constructor(request: HardwareRequest, stack: AsyncDisposableStack) {
    this.#request = request
    this.#stack = stack
    const { clock, random, site, arcsecPerPixel } = request
    this.#indiDeps = { clock, random: random.fork('devices'), site, arcsecPerPixel }
  }

  /** One indiserver for each device whose driver runs here: a camera's crash cannot take the mount down. */
  async startDrivers(): Promise<void> {
    const plans = this.#driverPlans()
    if (plans.length === 0) return
    const { clock, random } = this.#request
    const wrap = (name: string, connect: Connect): Connect => this.#tapped(name, connect)
    this.#groups = this.#stack.use(await startDriverGroups(plans, { clock, random: random.fork('drivers'), wrap }))
  }

  /** A driver that serves several of the devices is one program all the same: two would quarrel for one USB port. */
  #driverPlans(): DriverGroupPlan[] {
    const own = this.#entries().flatMap(([name, address]) =>
      address.kind === 'driver' && !this.#guardOf(address.driver) ? [{ name, ...address }] : [],
    )
    const first = own.filter(({ driver }, i) => own.findIndex((one) => one.driver === driver) === i)
    return first.map(({ name, driver }) => {
      const devices = own.filter((one) => one.driver === driver).map(({ device }) => device)
      return { name, drivers: [{ program: driver, devices: [...new Set(devices)] }] }
    })
  }

  /** Where the guardian runs this driver for a device that it guards. */
  #guardOf(driver: string): { readonly kind: DeviceKind; readonly connect: Connect } | undefined {
    const found = this.#entries().find(
      ([kind, address]) =>
        address.kind === 'driver' && address.driver === driver && this.#request.guardedDrivers?.[kind],
    )
    return found && { kind: found[0], connect: this.#request.guardedDrivers![found[0]]! }
  }

  openAll(): { devices: Devices; patients: Hardware['patients'] } {
    const opened = this.#entries().map(([kind, address]) => [kind, address, this.#open(kind, address)] as const)
    const devices = Object.fromEntries(opened.map(([kind, , { device }]) => [kind, device])) as unknown as Devices
    const patients = Object.fromEntries(
      opened.map(([kind, address, { device, remedies }]) => [kind, this.#patient(kind, device, remedies, address)]),
    ) as Hardware['patients']
    return { devices, patients }
  }

  allIndi(): IndiClients {
    const clients = new Map(this.#clients)
    for (const name of this.#groups?.client.names ?? []) clients.set(name, this.#groups!.client.client(name)!)
    return mergeIndiClients(clients)
  }

  #entries(): [DeviceKind, Address][] {
    const { controller: _, ...devices } = this.#request.devices
    return Object.entries(devices).filter(([, address]) => address !== undefined) as [DeviceKind, Address][]
  }

  #open(kind: DeviceKind, address: Address): Opened {
    const { clock, random, simulated, controller } = this.#request
    const own = { clock, random: random.fork(kind) }
    const open = (device: unknown, remedies: Opened['remedies'] = {}): Opened => ({
      device: this.#stack.use(device as AnyDevice),
      remedies,
    })
    switch (address.kind) {
      case 'simulated':
        return this.#openServed(kind, 'simulated observatory', simulated)
      case 'controller':
        return this.#openServed(kind, 'guardian', controller, kind === 'safety' ? createStationSafety : undefined)
      case 'indi': {
        const { host, port, device } = address
        return this.#openIndi(kind, this.#client(`${host}:${port}`, connectTcp({ host, port })), device)
      }
      case 'driver':
        return this.#openDriver(kind, address)
      case 'serial':
        return open(this.#serial(kind, address), {})
      case 'phd2':
        return open(createPhd2Guider(this.#tcp('PHD2', address), own))
      case 'nut':
        return open(createNutUps(this.#tcp('NUT', address), { ...own, ups: address.ups }))
      case 'chrony':
        return open(createChronyTimeSource({ clock }))
      case 'alpaca':
        return open(this.#alpaca(kind, address))
      case 'onvif':
        return open(createOnvifCamera({ ...own, ...address, password: readSecret(address.passwordFile) }))
      case 'gpsd':
        return { device: this.#fromGpsd(kind, address) as AnyDevice, remedies: {} }
      default:
        throw noDriver(kind, address)
    }
  }

  #openServed(kind: DeviceKind, name: string, served: HardwareRequest['simulated'], make?: IndiMaker): Opened {
    const device = served?.names[kind]
    if (!served || device === undefined)
      throw new NightjarError(
        'start/devices',
        `the ${name} has no ${kind}: name another in the settings (devices.${kind})`,
      )
    return this.#openIndi(kind, this.#client(name, served.connect), device, make)
  }

  #openIndi(
    kind: DeviceKind,
    client: IndiClient,
    name: string,
    make: IndiMaker | undefined = indiMakers[kind],
  ): Opened {
    if (!make) throw noDriver(kind, { kind: 'indi' })
    this.indiNames[kind] = name
    const device = this.#stack.use(make(client, name, this.#indiDeps) as AnyDevice)
    if (kind === 'mount') this.#remember(client, name)
    return { device, remedies: { retry: () => answers(client, name), reconnect: () => reconnect(client, name) } }
  }

  /** Site, time and tracking, which a driver that died has forgotten. Its place is the mount's own to know. */
  #remember(client: IndiClient, name: string): void {
    const { clock, permitTracking } = this.#request
    const permit = (action: 'sync' | 'track'): Outcome =>
      action === 'track' && permitTracking ? permitTracking() : failure('nobody permits it')
    this.#stack.use(rememberMount(client, name, { clock, permit }))
  }

  #openDriver(kind: DeviceKind, { driver, device: name }: Extract<Address, { kind: 'driver' }>): Opened {
    const guarded = this.#guardOf(driver)
    if (guarded)
      return this.#openIndi(kind, this.#client(`guardian, driver of the ${guarded.kind}`, guarded.connect), name)
    const groups = this.#groups!
    const opened = this.#openIndi(kind, groups.client, name)
    return { ...opened, remedies: { ...opened.remedies, restartDriver: () => groups.restartDriver(name) } }
  }

  #serial(kind: DeviceKind, address: Extract<Address, { kind: 'serial' }>): unknown {
    const { clock, random, site } = this.#request
    const connect = this.#tapped(`${kind} ${address.path}`, connectSerial(address))
    const own = { clock, random: random.fork(kind) }
    const { protocol } = address
    if (kind === 'mount' && protocol === 'lx200') return createLx200Mount(connect, { ...own, site })
    if (kind === 'focuser' && protocol === 'moonlite') return createMoonliteFocuser(connect, own)
    if (kind === 'gps' && protocol === 'nmea') return createNmeaGps(connect, own)
    throw noDriver(kind, { kind: `${address.protocol} on a serial port` })
  }

  #alpaca(kind: DeviceKind, address: Extract<Address, { kind: 'alpaca' }>): unknown {
    const make = alpacaMakers[kind]
    if (!make) throw noDriver(kind, address)
    const { host, port, number } = address
    const transport = tappedTransport(httpTransport(`http://${host}:${port}`), this.#tap(`alpaca ${host}:${port}`))
    return make({ clock: this.#request.clock, transport, deviceNumber: number })
  }

  #fromGpsd(kind: DeviceKind, address: { readonly host: string; readonly port: number }): unknown {
    const { clock, random } = this.#request
    this.#gpsd ??= this.#stack.use(createGpsd(this.#tcp('gpsd', address), { clock, random: random.fork('gpsd') }))
    return kind === 'gps' ? this.#gpsd.gps : this.#gpsd.timeSource
  }

  #client(name: string, connect: Connect): IndiClient {
    const known = this.#clients.get(name)
    if (known) return known
    const { clock, random, backoff } = this.#request
    const client = createIndiClient(this.#tapped(name, connect), {
      clock,
      random: random.fork(name),
      ...(backoff && { backoff }),
    })
    this.#clients.set(name, this.#stack.use(client))
    return client
  }

  #tcp(name: string, { host, port }: { readonly host: string; readonly port: number }): Connect {
    return this.#tapped(name, connectTcp({ host, port }))
  }

  #tap(name: string): Tap {
    const tap = this.taps.get(name) ?? createTap(name, this.#request.clock, wireLimits)
    this.taps.set(name, tap)
    return tap
  }

  #tapped(name: string, connect: Connect): Connect {
    return this.#tap(name).wrap(this.#request.tap?.(name, connect) ?? connect)
  }

  #patient(kind: DeviceKind, device: AnyDevice, remedies: Patient['remedies'], { usb, powerPort }: Address): Patient {
    const { clock } = this.#request
    return {
      // A device tells its own name when it first answers: the journal then has one name for it.
      get device() {
        return device.state().source
      },
      kind,
      isWell: () => device.state().connected,
      remedies: { retry: async () => done, ...remedies, ...(usb && { usbReset: () => resetUsb(usb, clock) }) },
      powerPort,
    }
  }
}

/** Throws `start/secret`. */
function readSecret(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (cause) {
    throw new NightjarError('start/secret', `the password file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** A driver that hangs leaves its device connected for ever: it has to say so now. One that is away has time to come back. */
async function answers(client: IndiClient, device: string): Promise<Outcome> {
  const heardAtMs = (state: IndiState): number => findProperty(state, device, 'CONNECTION')?.atMs ?? 0
  if (!isConnected(client, device)) return done
  const before = heardAtMs(client.state)
  client.readBack(device, 'CONNECTION')
  const heard = await client.waitFor((state) => heardAtMs(state) > before || undefined, answerMs)
  return heard ? done : failure(`${device} does not answer: its driver hangs`)
}

const isConnected = (client: IndiClient, device: string): boolean =>
  findSwitch(client.state, device, 'CONNECTION', 'CONNECT') === true

async function reconnect(client: IndiClient, device: string): Promise<Outcome> {
  const parted = await client.disconnectDevice(device)
  // Asked for in any case: a harsher rung that brings the driver back has it connected by this.
  const connected = client.connectDevice(device)
  // Still connected, it would be taken for connected anew.
  return !parted.ok && isConnected(client, device) ? parted : connected
}

function noDriver(kind: DeviceKind, { kind: address }: { readonly kind: string }): NightjarError {
  return new NightjarError('start/devices', `Nightjar cannot drive a ${kind} by ${address}: see docs/devices.md`)
}
