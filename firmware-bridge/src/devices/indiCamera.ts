/** A camera behind any INDI CCD driver, with the filter wheel that it carries or a wheel of its own. */
import type { Clock } from '../clock.ts'
import type { IndiClient } from '../indi/client.ts'
import { judgeAccepted } from '../indi/command.ts'
import { type Failure, failure, type Outcome } from '../outcome.ts'
import type { Camera, CameraFrameType, CameraState, ExposedFrame, ExposureRequest, Region } from './camera.ts'
import { driverCard } from './device.ts'
import { cannot, type IndiDevice, judgeSwitched, openIndiDevice } from './indiDevice.ts'
import { blobProperty, type ExposureTiming, exposureTiming, runExposure } from './indiExposure.ts'
import { filterInBeam, filterNames, selectFilter } from './indiFilters.ts'
import { preview } from './indiPreview.ts'
import type { Capability } from './kinds.ts'

export interface IndiCameraOptions {
  readonly clock: Clock
  /** Device that holds the filter wheel; the camera itself by default. */
  readonly wheel?: string
  readonly timing?: Partial<ExposureTiming>
}

export const indiCameraCard = driverCard('camera', 'INDI', [
  'expose',
  'abort',
  'gain',
  'offset',
  'binning',
  'roi',
  'cooling',
  'filter',
  'preview',
])

const frameSwitches = {
  light: 'FRAME_LIGHT',
  dark: 'FRAME_DARK',
  bias: 'FRAME_BIAS',
  flat: 'FRAME_FLAT',
} as const satisfies Record<CameraFrameType, string>

/** Where drivers keep gain and offset: libindi's standard first, then those of ZWO, QHY and others. */
const gainPlaces = [
  ['CCD_GAIN', 'GAIN'],
  ['CCD_CONTROLS', 'Gain'],
] as const
const offsetPlaces = [
  ['CCD_OFFSET', 'OFFSET'],
  ['CCD_CONTROLS', 'Offset'],
] as const
type Place = (typeof gainPlaces | typeof offsetPlaces)[number]

export function createIndiCamera(client: IndiClient, name: string, options: IndiCameraOptions): Camera {
  const { clock } = options
  const device = openIndiDevice(client, name)
  const wheel = options.wheel === undefined || options.wheel === name ? device : openIndiDevice(client, options.wheel)
  const timing = { ...exposureTiming, ...options.timing }
  let underWay = false
  let streaming = false
  let setPointC: number | undefined

  client.wantBlobs(name, blobProperty)
  device.want('UPLOAD_MODE', { UPLOAD_CLIENT: true })
  device.want('CCD_TRANSFER_FORMAT', { FORMAT_FITS: true })
  device.want('CCD_COMPRESSION', { INDI_DISABLED: true })

  async function expose(request: ExposureRequest): Promise<ExposedFrame | Failure> {
    if (underWay) return failure(`${name} is exposing already`)
    if (streaming) return failure(`${name} shows a preview`)
    if (request.signal?.aborted) return failure(`aborted: ${request.signal.reason}`)
    const seconds = exposureSeconds(device, request)
    if (typeof seconds === 'string') return failure(seconds)
    underWay = true
    try {
      const type = await device.set('CCD_FRAME_TYPE', { [frameSwitches[request.frameType]]: true })
      if (!type.ok) return type
      const outcome = await runExposure({ client, clock, device: name, seconds, timing, signal: request.signal })
      if (!outcome.ok && outcome.stillBusy) await abort()
      return outcome.ok ? outcome : failure(outcome.reason)
    } finally {
      underWay = false
    }
  }

  const abort = (): Promise<Outcome> =>
    device.set('CCD_ABORT_EXPOSURE', { ABORT: true }, { judge: judgeAccepted, timeoutMs: timing.abortMs })

  async function setTemperature(celsius: number): Promise<Outcome> {
    const outcome = await device.set(
      'CCD_TEMPERATURE',
      { CCD_TEMPERATURE_VALUE: celsius },
      { judge: judgeAccepted, keep: true },
    )
    if (outcome.ok) setPointC = celsius
    return outcome
  }

  async function setCooler(on: boolean): Promise<Outcome> {
    if (!device.has('CCD_COOLER')) return cannot(device, 'turn its cooler on or off')
    const options = { judge: judgeSwitched, keep: true }
    const outcome = await device.set('CCD_COOLER', { COOLER_ON: on, COOLER_OFF: !on }, options)
    if (outcome.ok && !on) {
      // A set point that came back after a loss would start the cooler again.
      device.want('CCD_TEMPERATURE', {})
      setPointC = undefined
    }
    return outcome
  }

  async function showPreview(show: Parameters<Camera['preview']>[0], signal: AbortSignal): Promise<Outcome> {
    if (!device.has('CCD_VIDEO_STREAM')) return cannot(device, 'show a preview')
    if (underWay || streaming) return failure(`${name} is ${underWay ? 'exposing' : 'showing a preview'} already`)
    streaming = true
    try {
      return await preview(device, show, signal)
    } finally {
      streaming = false
    }
  }

  return {
    can: () => capabilities(device, wheel),
    state: () => ({ ...cameraState(device, wheel), ...exposing(device, underWay), setPointC }),
    expose,
    abort,
    setGain: (gain) => setPlace(device, place(device, gainPlaces), gain),
    setOffset: (offset) => setPlace(device, place(device, offsetPlaces), offset),
    setBinning: (x, y) => device.set('CCD_BINNING', { HOR_BIN: x, VER_BIN: y }, { keep: true }),
    setRoi: (region) => setRoi(device, region),
    setTemperature,
    setCooler,
    preview: showPreview,
    setFilter: (filter) => selectFilter(wheel, filter, timing.wheelMs),
    async [Symbol.asyncDispose]() {
      if (underWay) await abort()
    },
  }
}

type Base = Omit<CameraState, 'exposing' | 'remainingSeconds' | 'setPointC'>

function cameraState(device: IndiDevice, wheel: IndiDevice): Base {
  const binning = {
    x: device.number('CCD_BINNING', 'HOR_BIN') ?? 1,
    y: device.number('CCD_BINNING', 'VER_BIN') ?? 1,
  }
  return {
    ...device.head('CCD_EXPOSURE'),
    temperatureC: device.number('CCD_TEMPERATURE', 'CCD_TEMPERATURE_VALUE'),
    coolerPercent:
      device.number('CCD_COOLER_POWER', 'CCD_COOLER_VALUE') ?? device.number('CCD_COOLER_VALUE', 'CCD_COOLER_VALUE'),
    gain: readPlace(device, place(device, gainPlaces)),
    offset: readPlace(device, place(device, offsetPlaces)),
    binning,
    widthPixels: Math.floor((device.number('CCD_FRAME', 'WIDTH') ?? 0) / binning.x),
    heightPixels: Math.floor((device.number('CCD_FRAME', 'HEIGHT') ?? 0) / binning.y),
    pixelSizeMicrons: device.number('CCD_INFO', 'CCD_PIXEL_SIZE') ?? device.number('CCD_INFO', 'CCD_PIXEL_SIZE_X') ?? 0,
    filter: filterInBeam(wheel),
    filters: filterNames(wheel),
  }
}

function exposing(device: IndiDevice, underWay: boolean): Pick<CameraState, 'exposing' | 'remainingSeconds'> {
  const busy = underWay || device.isBusy('CCD_EXPOSURE')
  const remainingSeconds = busy ? device.number('CCD_EXPOSURE', 'CCD_EXPOSURE_VALUE') : undefined
  return { exposing: busy, remainingSeconds }
}

function capabilities(device: IndiDevice, wheel: IndiDevice): ReadonlySet<Capability<'camera'>> {
  const can = new Set<Capability<'camera'>>()
  const add = (capability: Capability<'camera'>, when: boolean): unknown => when && can.add(capability)
  const temperature = device.property('CCD_TEMPERATURE')
  add('expose', device.has('CCD_EXPOSURE'))
  add('abort', device.has('CCD_ABORT_EXPOSURE'))
  add('gain', readPlace(device, place(device, gainPlaces)) !== undefined)
  add('offset', readPlace(device, place(device, offsetPlaces)) !== undefined)
  add('binning', device.has('CCD_BINNING'))
  add('roi', device.has('CCD_FRAME'))
  add('cooling', temperature?.kind === 'number' && temperature.permission !== 'ro')
  add('filter', wheel.has('FILTER_SLOT'))
  add('preview', device.has('CCD_VIDEO_STREAM'))
  return can
}

/** The shortest that the camera can do for a bias, else what was asked for; a text says why not. */
function exposureSeconds(device: IndiDevice, request: ExposureRequest): number | string {
  const property = device.property('CCD_EXPOSURE')
  const limits = property?.kind === 'number' ? property.elements[0] : undefined
  if (!limits) return `${device.name} is not connected`
  if (property?.state === 'Busy') return `${device.name} is exposing already`
  const bounded = limits.max > limits.min
  if (request.frameType === 'bias') return bounded ? limits.min : 0.001
  if (!Number.isFinite(request.seconds)) return 'the exposure time is not a number'
  if (!bounded || (request.seconds >= limits.min && request.seconds <= limits.max)) return request.seconds
  return `${device.name} exposes ${limits.min} to ${limits.max} s, not ${request.seconds} s`
}

const readPlace = (device: IndiDevice, [property, element]: Place): number | undefined => {
  const found = device.property(property)
  const value = found?.kind === 'number' ? found.elements.find((item) => item.name === element)?.value : undefined
  return Number.isFinite(value) ? value : undefined
}

const place = (device: IndiDevice, places: readonly [Place, ...Place[]]): Place =>
  places.find((one) => readPlace(device, one) !== undefined) ?? places[0]

const setPlace = (device: IndiDevice, [property, element]: Place, value: number): Promise<Outcome> =>
  device.client.set(device.name, property, { [element]: value }, { keep: true })

function setRoi(device: IndiDevice, region: Region | undefined): Promise<Outcome> {
  const width = device.number('CCD_INFO', 'CCD_MAX_X') ?? 0
  const height = device.number('CCD_INFO', 'CCD_MAX_Y') ?? 0
  const { x, y, widthPixels, heightPixels } = region ?? { x: 0, y: 0, widthPixels: width, heightPixels: height }
  // The driver would echo a region that does not fit and keep it (measured with libindi 1.9.9).
  const fits = x >= 0 && y >= 0 && widthPixels > 0 && heightPixels > 0 && x + widthPixels <= width
  if (!fits || y + heightPixels > height) {
    return Promise.resolve(failure(`the region does not fit into ${width} × ${height} pixels`))
  }
  return device.set('CCD_FRAME', { X: x, Y: y, WIDTH: widthPixels, HEIGHT: heightPixels }, { keep: true })
}
