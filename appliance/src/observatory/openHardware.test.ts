import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Device, DeviceState } from '@nightjar/firmware-bridge/devices/device.ts'
import { type Kind, kinds } from '@nightjar/firmware-bridge/devices/kinds.ts'
import { createIndiServer } from '@nightjar/firmware-bridge/indi/server.ts'
import { done } from '@nightjar/firmware-bridge/outcome.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import {
  createAlpacaCoverSimulator,
  createAlpacaRotatorSimulator,
  createAlpacaSafetyMonitorSimulator,
  createAlpacaSwitchSimulator,
  createAlpacaWeatherSimulator,
} from '@nightjar/firmware-bridge/simulators/alpacaAccessories.ts'
import { createAlpacaCameraSimulator } from '@nightjar/firmware-bridge/simulators/alpacaCamera.ts'
import {
  createAlpacaDomeSimulator,
  createAlpacaFilterWheelSimulator,
  createAlpacaFocuserSimulator,
} from '@nightjar/firmware-bridge/simulators/alpacaDevices.ts'
import { createSimulatedAlpacaServer } from '@nightjar/firmware-bridge/simulators/alpacaServer.ts'
import { createAlpacaTelescopeSimulator } from '@nightjar/firmware-bridge/simulators/alpacaTelescope.ts'
import { createSimulatedSite } from '@nightjar/firmware-bridge/simulators/observatory.ts'
import { findProgram, freePort, until } from '@nightjar/firmware-bridge/simulators/realPeers.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AddressKind, addressesOf, type DeviceKind, type DevicesSettings } from '../contract/deviceSettings.ts'
import { type HardwareRequest, openHardware } from './openHardware.ts'
import { createRecovery, defaultRecoveryLimits } from './recovery.ts'

const site = { name: 'Test', latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 100 }
const sensor = { widthPixels: 64, heightPixels: 48, pixelMicrometres: 3.76 }
const stack = new AsyncDisposableStack()
let indiPort = 0
let alpacaPort = 0
let nobody = 0
let passwordFile = ''
let clients = (): number => 0

/** Our simulated site has each kind under the name that Debian's driver of it has. */
const indiNames: Partial<Record<DeviceKind, string>> = {
  mount: 'Telescope Simulator',
  camera: 'CCD Simulator',
  focuser: 'Focuser Simulator',
  filterWheel: 'Filter Simulator',
  rotator: 'Rotator Simulator',
  cover: 'Dust Cover Simulator',
  flatPanel: 'Light Panel Simulator',
  weather: 'Weather Simulator',
  skyQuality: 'SQM Simulator',
  power: 'Power Simulator',
  gps: 'GPS Simulator',
  guider: 'Telescope Simulator',
  safety: 'Weather Simulator',
}

beforeAll(async () => {
  const random = createRandom('openHardware')
  const takeFrame = () => new Uint8Array()
  const parts = createSimulatedSite({ clock, random, site, camera: { ...sensor, takeFrame }, roof: { name: 'Roof' } })
  const over = new AbortController()
  const running = parts.run(over.signal)
  stack.defer(async () => {
    over.abort()
    await running
  })
  const server = stack.use(createIndiServer(parts.devices))
  const at = await server.listen({ host: '127.0.0.1', port: 0 })
  indiPort = Number(at.split(':').at(-1))
  clients = () => server.clients
  const alpaca = createSimulatedAlpacaServer([
    createAlpacaTelescopeSimulator(clock),
    createAlpacaCameraSimulator({ clock, ...sensor }),
    createAlpacaFocuserSimulator(clock),
    createAlpacaFilterWheelSimulator(clock),
    createAlpacaRotatorSimulator(clock),
    createAlpacaDomeSimulator(clock).device,
    createAlpacaCoverSimulator(clock),
    createAlpacaWeatherSimulator().device,
    createAlpacaSwitchSimulator(),
    createAlpacaSafetyMonitorSimulator().device,
  ])
  alpacaPort = stack.use(await alpaca.listen()).port
  nobody = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-hardware-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, 'secret\n')
})
afterAll(() => stack.disposeAsync())

/** Every address of this kind that a settings file may hold; serial ports speak one of three protocols. */
function addressesFor(kind: DeviceKind, address: AddressKind): object[] {
  const device = indiNames[kind] ?? 'Roof'
  const host = '127.0.0.1'
  switch (address) {
    case 'indi':
      return [{ kind: 'indi', host, port: indiPort, device }]
    case 'driver':
      return [{ kind: 'driver', driver: 'indi_simulator_focus', device }]
    case 'serial':
      return ['lx200', 'moonlite', 'nmea'].map((protocol) => ({
        kind: 'serial',
        protocol,
        path: join(passwordFile, '..', 'no-port'),
        baudRate: 9600,
      }))
    case 'alpaca':
      return [{ kind: 'alpaca', host, port: alpacaPort, number: 0 }]
    case 'phd2':
    case 'gpsd':
      return [{ kind: address, host, port: nobody }]
    case 'nut':
      return [{ kind: 'nut', host, port: nobody, ups: 'apc' }]
    case 'onvif':
      return [{ kind: 'onvif', host, port: nobody, username: 'admin', passwordFile }]
    default:
      return [{ kind: address }]
  }
}

const speaks = (kind: DeviceKind, address: object): boolean => {
  const { protocol } = address as { protocol?: string }
  return protocol === undefined || { mount: 'lx200', focuser: 'moonlite', gps: 'nmea' }[kind as string] === protocol
}

const indi = (device: string) => ({ kind: 'indi', host: '127.0.0.1', port: indiPort, device }) as const

function requestFor(devices: object): HardwareRequest {
  const connect = connectTcp({ host: '127.0.0.1', port: indiPort })
  const controllerNames = {
    roof: 'Roof',
    weather: 'Weather Simulator',
    safety: 'Weather Simulator',
    power: 'Power Simulator',
  }
  return {
    devices: { mount: indi('Telescope Simulator'), camera: indi('CCD Simulator'), ...devices } as DevicesSettings,
    site,
    clock,
    random: createRandom(3),
    arcsecPerPixel: 2,
    simulated: { connect, names: { ...indiNames, roof: 'Roof' } },
    controller: { connect, names: controllerNames },
  }
}

/** One command of each kind that only its devices have; readings of those that take none. */
const marks: Partial<Record<DeviceKind, string>> = {
  mount: 'slew',
  camera: 'expose',
  focuser: 'moveTo',
  filterWheel: 'select',
  rotator: 'rotateTo',
  roof: 'close',
  cover: 'open',
  flatPanel: 'light',
  power: 'setPort',
  guider: 'dither',
  safety: 'heartbeat',
}

const hasServer = ['indiserver', 'indi_simulator_focus', 'unshare', 'ip'].every((name) => findProgram(name))
if (!hasServer) console.log('skipped: devices by "driver" (apt-get install indi-bin util-linux iproute2)')

const pairs = (Object.entries(addressesOf) as [DeviceKind, readonly AddressKind[]][]).flatMap(([kind, addresses]) =>
  addresses.map((address) => [kind, address] as const),
)

/** These answer here, so that the device is seen to be the right one: it knows what its kind can do. */
const answering = new Set<AddressKind>(['indi', 'simulated', 'alpaca', 'controller'])

describe('the hardware that the settings name', { concurrent: true }, () => {
  it.each(pairs)('has a %s by "%s", or says in words why not', async (kind, address) => {
    if (address === 'driver' && !hasServer) return
    for (const one of addressesFor(kind, address)) {
      if (!speaks(kind, one)) {
        await expect(openHardware(requestFor({ [kind]: one }))).rejects.toMatchObject({
          code: 'start/devices',
          message: expect.stringMatching(new RegExp(`cannot drive a ${kind} by .+ on a serial port`)),
        })
        continue
      }
      await using hardware = await openHardware(requestFor({ [kind]: one }))
      const device = hardware.devices[kind] as unknown as Device<Kind, DeviceState> & Record<string, unknown>
      const mark = marks[kind]
      if (mark !== undefined) expect(device[mark], mark).toBeTypeOf('function')
      expect(device.state().source.length).toBeGreaterThan(3)
      expect(hardware.patients[kind]).toMatchObject({ kind })
      if (!answering.has(address)) continue
      await until(`${kind} by ${address}`, () => device.state().connected && device.can().size > 0, 8_000)
      expect(kinds[kind]).toEqual(expect.arrayContaining([...device.can()]))
    }
  })
})

describe('hardware that cannot be opened', () => {
  it('leaves nothing behind: the devices that were opened before it are closed again', async () => {
    await until('the end of all others', () => clients() === 0)
    const allSkyCamera = { kind: 'onvif', host: '127.0.0.1', port: nobody, username: '', passwordFile: '/no/such/file' }
    const focuser = { kind: 'alpaca', host: '127.0.0.1', port: alpacaPort, number: 0 }
    const opening = openHardware(requestFor({ focuser, allSkyCamera }))
    await expect(opening).rejects.toMatchObject({
      code: 'start/secret',
      message: expect.stringMatching(/password file \/no\/such\/file cannot be read: ENOENT/),
    })
    await until('the end of the connections', () => clients() === 0)
  })

  it.runIf(hasServer)('leaves no driver running either', async () => {
    const running = (): number =>
      Number(process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length)
    const before = running()
    const focuser = { kind: 'driver', driver: 'indi_simulator_focus', device: 'Focuser Simulator' }
    const ups = { kind: 'controller' }
    await expect(openHardware(requestFor({ focuser, ups }))).rejects.toThrow(/the guardian has no ups/)
    await until('the end of the driver', () => running() === before)
  })

  it.each([
    [
      'a driver that is not installed',
      { driver: 'indi_no_such_driver', device: 'X', kind: 'driver' },
      /indi_no_such_driver/,
    ],
    ['a served device where nobody serves', { kind: 'controller' }, /the guardian has no focuser/],
  ])('is told in words: %s', async (_, focuser, words) => {
    if ('driver' in focuser && !hasServer) return
    await expect(openHardware(requestFor({ focuser }))).rejects.toThrow(words)
  })
})

describe.runIf(hasServer)('several devices of one driver', () => {
  it('are served by one program, and one that the guardian runs is not started again', async () => {
    const ccd = (device: string) => ({ kind: 'driver', driver: 'indi_simulator_ccd', device })
    const guarded = { kind: 'driver', driver: 'indi_lx200_OnStep', device: 'Telescope Simulator' }
    const connect = connectTcp({ host: '127.0.0.1', port: indiPort })
    const devices = { mount: guarded, focuser: { ...guarded, device: 'Focuser Simulator' } }
    const both = { camera: ccd('CCD Simulator'), filterWheel: ccd('CCD Simulator'), ...devices }
    await using hardware = await openHardware({ ...requestFor(both), guardedDrivers: { mount: connect } })
    expect([...hardware.taps.keys()].sort()).toEqual(['camera', 'guardian, driver of the mount'])
    await until('the focuser of the mount', () => hardware.devices.focuser!.state().connected)
    await until('the camera', () => hardware.devices.camera.state().connected)
  })
})

describe('a device with an own power port and a USB address', () => {
  it('has both as rungs of its ladder', async () => {
    const usb = { vendorId: 'dead', productId: 'beef' }
    const camera = { ...indi('No Such Camera'), usb, powerPort: 'Camera' }
    await using hardware = await openHardware(requestFor({ camera }))
    const patient = hardware.patients.camera!
    const steps: unknown[] = []
    const cycled: string[] = []
    const quick = { attempts: 1, settleMs: 20 }
    const budgets = {
      retry: quick,
      reconnect: { attempts: 0, settleMs: 0 },
      restartDriver: quick,
      usbReset: quick,
      powerCycle: quick,
    }
    const recovery = createRecovery({
      clock,
      limits: { ...defaultRecoveryLimits, budgets, pollMs: 5 },
      cyclePower: async (port) => {
        cycled.push(port)
        return done
      },
      tell: (type, body) => {
        if (type === 'recovery.stepped' && 'rung' in body) steps.push(body.rung)
      },
    })
    expect(await recovery.recover(patient, 'test', new AbortController().signal)).toMatchObject({ ok: false })
    expect(steps).toEqual(['retry', 'usbReset', 'powerCycle'])
    expect(cycled).toEqual(['Camera'])
    expect(await patient.remedies.usbReset!()).toMatchObject({ ok: false, reason: expect.stringMatching(/dead:beef/i) })
  })
})
