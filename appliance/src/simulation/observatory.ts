import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiServer, type IndiServer } from '@nightjar/firmware-bridge/indi/server.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { SimulatedExposure } from '@nightjar/firmware-bridge/simulators/camera.ts'
import type { TruePointing } from '@nightjar/firmware-bridge/simulators/mount.ts'
import { createSimulatedSite } from '@nightjar/firmware-bridge/simulators/observatory.ts'
import { memoryConnect } from '@nightjar/firmware-bridge/wire/memory.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { DevicesSettings } from '../contract/deviceSettings.ts'
import { type GateSettings, simulatedGateSettings } from '../contract/gateSettings.ts'
import { FitsHeader, real } from '../frames/fits/header.ts'
import { encodeFits } from '../frames/fits/write.ts'
import type { Site } from '../observations/ephemeris.ts'
import { type Optics, pixelScale, renderFrame, trueWcs } from './renderFrame.ts'
import { createSensor, defaultSensor, type Sensor } from './sensor.ts'
import type { Sky } from './sky.ts'

/**
 * The simulated observatory: an INDI server with a mount, a camera, a focuser, a roof, a weather station and more, whose camera sees the sky that the mount
 * points at. Everything it does follows from the seed, the clock and what clients ask.
 */
export interface SimulatedObservatory extends AsyncDisposable {
  /** In this process. */
  readonly connect: Connect
  listen: IndiServer['listen']
  readonly clients: number
  readonly sky: Sky
}

export interface ObservatoryOptions {
  readonly seed: number
  readonly clock: Clock
  readonly site: Site
  readonly sky: Sky
  readonly widthPixels: number
  readonly heightPixels: number
  /** Exposures, readouts and slews take this fraction of their time. */
  readonly timeFactor?: number
}

/** A 100 mm refractor of 400 mm under a good suburban sky: 1.94″ a pixel, stars of 2.6 pixels. */
export const defaultOptics: Optics = {
  focalLengthMillimetres: 400,
  zeroMagElectronsPerSecond: 4.5e7,
  skyMagPerSquareArcsec: 20.5,
  seeingArcsec: 4.8,
  smearArcsec: 0.5,
  rotationDeg: 12,
  focusSteps: 50_000,
  bestFocusSteps: 50_000,
  defocusArcsecPerStep: 0.002,
}

/** The filter wheel: name and share of the light of the sky that each filter lets through. */
export const filterWheel = [
  { name: 'L', transmission: 1 },
  { name: 'R', transmission: 0.31 },
  { name: 'G', transmission: 0.34 },
  { name: 'B', transmission: 0.29 },
] as const

/** Names of the devices, as a client sees them. */
export const deviceNames = {
  mount: 'Telescope Simulator',
  camera: 'CCD Simulator',
  focuser: 'Focuser Simulator',
  roof: 'RollOff Simulator',
  weather: 'Weather Simulator',
  skyQuality: 'SQM Simulator',
  power: 'Power Simulator',
  gps: 'GPS Simulator',
} as const

/** The settings of an observatory whose every device is simulated. */
export const simulatedDevices = Object.fromEntries(
  Object.keys(deviceNames).map((kind) => [kind, { kind: 'simulated' }]),
) as unknown as DevicesSettings

/** It has a roof and a weather station; its sky has no clock to doubt, and its weather no past to wait for. */
export const simulatedGate: GateSettings = {
  ...simulatedGateSettings,
  inputs: { ...simulatedGateSettings.inputs, roof: 'required', weather: 'required', rain: ['rain'] },
}

const readoutMs = 300
const slewDegPerSecond = 6
const roofSeconds = 12
const settleMs = 500

export function createSimulatedObservatory(options: ObservatoryOptions): SimulatedObservatory {
  const { seed, clock, site, sky, widthPixels, heightPixels, timeFactor = 1 } = options
  const random = createRandom(seed)
  const sensor = createSensor({ ...defaultSensor, width: widthPixels, height: heightPixels }, seed)
  const parts = createSimulatedSite({
    clock,
    random,
    site,
    mount: { slewDegPerSecond: slewDegPerSecond / timeFactor, settleMs: settleMs * timeFactor },
    roof: { style: 'rollOff', openSeconds: roofSeconds * timeFactor },
    camera: {
      widthPixels,
      heightPixels,
      pixelMicrometres: sensor.pixelMicrometres,
      timeFactor,
      readoutMs: readoutMs * timeFactor,
      filters: filterWheel.map(({ name }) => name),
      takeFrame: (exposure) => {
        const optics = {
          ...defaultOptics,
          transmission: filterOf(exposure).transmission,
          focusSteps: parts.focuser.position(),
          seeingArcsec: sky.seeingArcsec(exposure.startedAtMs),
        }
        return takeFrame(sky, optics, sensor, exposure, parts.mount.pointing(), seed)
      },
    },
  })
  const { mount, camera, focuser, roof, weather, skyQuality, power, gps } = parts
  const served = [mount, camera, focuser, roof, weather, skyQuality, power, gps]
  const server = createIndiServer(served.map(({ device }) => device))
  const stopping = new AbortController()
  const running = parts.run(stopping.signal)
  return {
    connect: memoryConnect((open) => server.accept(open), 'simulated observatory'),
    listen: (at) => server.listen(at),
    get clients() {
      return server.clients
    },
    sky,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
      await server[Symbol.asyncDispose]()
    },
  }
}

const filterOf = ({ filterSlot }: SimulatedExposure): (typeof filterWheel)[number] =>
  filterWheel[filterSlot - 1] ?? filterWheel[0]

/** Noise depends on the seed and the moment alone, so that a frame taken again at the same moment is the same. */
function takeFrame(
  sky: Sky,
  optics: Optics,
  sensor: Sensor,
  exposure: SimulatedExposure,
  pointing: TruePointing,
  seed: number,
): Uint8Array {
  const smearArcsec = pointing.tracking ? optics.smearArcsec : 15 * exposure.seconds
  const see = { ...optics, smearArcsec }
  const wcs = trueWcs(see, sensor, pointing.raDeg, pointing.decDeg)
  const radiusDeg = (Math.hypot(sensor.width, sensor.height) / 2) * (pixelScale(optics, sensor) / 3600) + 0.02
  const scene = sky.sceneAt({ ...pointing, radiusDeg, atMs: exposure.startedAtMs, seconds: exposure.seconds })
  const random = createRandom(`${seed}/${exposure.startedAtMs}`)
  const data = renderFrame(scene, wcs, see, sensor, exposure, random)
  const width = Math.floor(exposure.roi.width / exposure.binX)
  const height = Math.floor(exposure.roi.height / exposure.binY)
  return encodeFits([{ header: driverHeader(exposure, sensor, optics, pointing), data: { width, height, data } }])
}

/** The keywords that libindi's CCD class writes. */
function driverHeader(exposure: SimulatedExposure, sensor: Sensor, optics: Optics, pointing: TruePointing): FitsHeader {
  const { binX, binY, gainSetting, offsetSetting } = exposure
  const frames = { light: 'Light', bias: 'Bias', dark: 'Dark', flat: 'Flat' } as const
  return FitsHeader.from({
    ROWORDER: ['TOP-DOWN', 'Row order'],
    INSTRUME: [deviceNames.camera, 'CCD name'],
    TELESCOP: [deviceNames.mount, 'Telescope name'],
    EXPTIME: [real(exposure.seconds), '[s] exposure time'],
    'CCD-TEMP': [real(exposure.temperatureC), '[degC] sensor temperature'],
    PIXSIZE1: [real(sensor.pixelMicrometres), '[um] unbinned'],
    PIXSIZE2: [real(sensor.pixelMicrometres), '[um] unbinned'],
    XBINNING: [binX, ''],
    YBINNING: [binY, ''],
    XPIXSZ: [real(sensor.pixelMicrometres * binX), '[um] binned'],
    YPIXSZ: [real(sensor.pixelMicrometres * binY), '[um] binned'],
    FRAME: frames[exposure.frameType],
    FILTER: filterOf(exposure).name,
    FOCALLEN: [real(optics.focalLengthMillimetres), '[mm]'],
    FOCUSPOS: [optics.focusSteps, '[steps]'],
    RA: [real(pointing.believed.raDeg), '[deg] J2000, as the mount says'],
    DEC: [real(pointing.believed.decDeg), '[deg] J2000, as the mount says'],
    'DATE-OBS': [new Date(exposure.startedAtMs).toISOString().slice(0, 23), 'UTC start of exposure'],
    GAIN: [gainSetting, 'gain setting'],
    OFFSET: [offsetSetting, 'offset setting'],
  })
}
