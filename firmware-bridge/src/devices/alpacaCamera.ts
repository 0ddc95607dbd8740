import type { AlpacaDevice, AlpacaDeviceOptions } from '../alpaca/device.ts'
import { commonState, createAlpacaDevice } from '../alpaca/device.ts'
import { type FitsCard, type FitsImage, writeFits } from '../alpaca/fits.ts'
import { imageBytesType, readImageBytes, readImageJson } from '../alpaca/imageBytes.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import type { Camera, CameraState, ExposedFrame, ExposureRequest, Region } from './camera.ts'
import { driverCard } from './device.ts'
import type { FilterWheel } from './filterWheel.ts'
import type { Capability } from './kinds.ts'

export const alpacaCameraCard = driverCard('camera', 'Alpaca', [
  'expose',
  'abort',
  'gain',
  'offset',
  'binning',
  'roi',
  'cooling',
  'filter',
])

export interface AlpacaCameraOptions extends AlpacaDeviceOptions {
  /** The wheel before this camera, of any protocol. */
  readonly wheel?: FilterWheel
}

/** ICameraV3, CameraStates. */
const cameraStates = { idle: 0, error: 5 } as const
/** From the end of the exposure until the image can be had. */
const readoutMs = 120_000
const downloadMs = 120_000
const settleMs = 15_000

const fixed = [
  'cameraxsize',
  'cameraysize',
  'pixelsizex',
  'pixelsizey',
  'canabortexposure',
  'cansetccdtemperature',
  'gainmin',
  'gains',
  'offsetmin',
  'offsets',
  'maxbinx',
  'exposuremin',
  'sensortype',
]
const changing = [
  'camerastate',
  'imageready',
  'ccdtemperature',
  'setccdtemperature',
  'cooleron',
  'coolerpower',
  'gain',
  'offset',
  'binx',
  'biny',
  'numx',
  'numy',
]

interface Running {
  readonly endsAt: number
  readonly over: AbortController
}

/** A camera behind ASCOM Alpaca. Frames come as pixels only; the FITS file around them is made here. */
export function createAlpacaCamera(options: AlpacaCameraOptions): Camera {
  const { clock, wheel } = options
  const device = createAlpacaDevice('camera', { fixed, changing }, options)
  let running: Running | undefined
  /** Unbinned; undefined is the whole chip. */
  let region: Region | undefined

  async function expose(request: ExposureRequest): Promise<ExposedFrame | Failure> {
    if (running) return failure(`${device.source} is exposing already`)
    const over = new AbortController()
    const seconds = request.frameType === 'bias' ? (device.number('exposuremin') ?? 0) : request.seconds
    const stop = (): void => over.abort(request.signal?.reason ?? 'aborted')
    if (request.signal?.aborted) return failure(`aborted: ${String(request.signal.reason)}`)
    request.signal?.addEventListener('abort', stop, { once: true })
    running = { endsAt: clock.monotonic() + seconds * 1000, over }
    try {
      return await take(seconds, request, over.signal)
    } finally {
      request.signal?.removeEventListener('abort', stop)
      running = undefined
    }
  }

  async function take(seconds: number, request: ExposureRequest, signal: AbortSignal): Promise<ExposedFrame | Failure> {
    const isLight = request.frameType === 'light' || request.frameType === 'flat'
    const started = await device.command('startexposure', { Duration: seconds, Light: isLight })
    if (!started.ok) return started
    const startedAtMs = clock.now()
    // Long exposures are not asked for their end all the time, but an abort is heard at once.
    await clock.sleep(Math.max(0, seconds * 1000), signal).catch(() => undefined)
    const ready = signal.aborted
      ? failure(`aborted: ${String(signal.reason)}`)
      : await device.until(isReady, readoutMs, signal)
    if (!ready.ok) {
      await device.command('abortexposure')
      return ready
    }
    const image = await download()
    if (!image.ok) return failure(`${device.source}: ${image.reason}`)
    if (signal.aborted) return failure(`aborted: ${String(signal.reason)}`)
    const cards = describeFrame(device, request, seconds, startedAtMs, wheel?.state().filter)
    return {
      ok: true,
      bytes: writeFits(image.image, cards),
      format: '.fits',
      startedAtMs,
      endedAtMs: startedAtMs + seconds * 1000,
    }
  }

  const isReady = (): 'wait' | 'done' | { failed: string } => {
    if (device.number('camerastate') === cameraStates.error) return { failed: `${device.source} reports an error` }
    return device.boolean('imageready') === true ? 'done' : 'wait'
  }

  async function download(): Promise<{ ok: true; image: FitsImage } | Failure> {
    const accept = `${imageBytesType}, application/json`
    const response = await device.client.getBytes('imagearray', accept, downloadMs)
    if (!response.ok) return response
    if (response.status !== 200) return failure(`it refused its image with HTTP ${response.status}`)
    if (response.contentType.toLowerCase().startsWith(imageBytesType)) {
      return readImageBytes(response.bytes, response.transactionId)
    }
    return readImageJson(Buffer.from(response.bytes).toString('utf8'), response.transactionId)
  }

  async function setNumber(member: string, parameter: string, value: number): Promise<Outcome> {
    const taken = await device.command(member, { [parameter]: value })
    if (!taken.ok) return taken
    return device.until(() => (device.number(member) === value ? 'done' : 'wait'), settleMs)
  }

  /** Alpaca's frame is in binned pixels, so it is set anew after each change of the binning. */
  async function applyFrame(x: number, y: number): Promise<Outcome> {
    const [chipX, chipY] = [device.number('cameraxsize') ?? 0, device.number('cameraysize') ?? 0]
    const want = region ?? { x: 0, y: 0, widthPixels: chipX, heightPixels: chipY }
    const steps: [string, string, number][] = [
      ['startx', 'StartX', Math.floor(want.x / x)],
      ['starty', 'StartY', Math.floor(want.y / y)],
      ['numx', 'NumX', Math.floor(want.widthPixels / x)],
      ['numy', 'NumY', Math.floor(want.heightPixels / y)],
    ]
    for (const [member, parameter, value] of steps) {
      const taken = await device.command(member, { [parameter]: value })
      if (!taken.ok) return taken
    }
    await device.refresh()
    return done
  }

  const binning = (): { x: number; y: number } => ({ x: device.number('binx') ?? 1, y: device.number('biny') ?? 1 })

  function state(): CameraState {
    const { filter, filters = [] } = wheel?.state() ?? {}
    return {
      ...commonState(device),
      exposing: running !== undefined,
      remainingSeconds: running ? Math.max(0, (running.endsAt - clock.monotonic()) / 1000) : undefined,
      temperatureC: device.number('ccdtemperature'),
      setPointC: device.boolean('cooleron') ? device.number('setccdtemperature') : undefined,
      coolerPercent: device.number('coolerpower'),
      gain: device.number('gain'),
      offset: device.number('offset'),
      binning: binning(),
      widthPixels: device.number('numx') ?? 0,
      heightPixels: device.number('numy') ?? 0,
      pixelSizeMicrons: device.number('pixelsizex') ?? 0,
      filter,
      filters,
    }
  }

  return {
    state,
    can() {
      const able = new Set<Capability<'camera'>>()
      if (device.number('cameraxsize') === undefined) return able
      able.add('expose').add('roi')
      if (device.boolean('canabortexposure')) able.add('abort')
      if (device.number('gain') !== undefined) able.add('gain')
      if (device.number('offset') !== undefined) able.add('offset')
      if ((device.number('maxbinx') ?? 1) > 1) able.add('binning')
      if (device.boolean('cansetccdtemperature')) able.add('cooling')
      if (wheel && wheel.state().filters.length > 0) able.add('filter')
      return able
    },
    expose,
    async abort() {
      running?.over.abort('the exposure was aborted')
      if (device.number('camerastate') === cameraStates.idle && !running) return done
      return device.command('abortexposure')
    },
    setGain: (gain) => setNumber('gain', 'Gain', gain),
    setOffset: (offset) => setNumber('offset', 'Offset', offset),
    async setBinning(x, y) {
      const first = await setNumber('binx', 'BinX', x)
      const second = first.ok ? await setNumber('biny', 'BinY', y) : first
      return second.ok ? applyFrame(x, y) : second
    },
    async setRoi(wanted) {
      const before = region
      region = wanted
      const { x, y } = binning()
      const [chipX, chipY] = [device.number('cameraxsize') ?? 0, device.number('cameraysize') ?? 0]
      const fits = !wanted || (wanted.x + wanted.widthPixels <= chipX && wanted.y + wanted.heightPixels <= chipY)
      const taken = fits ? await applyFrame(x, y) : failure('the region is larger than the chip')
      if (!taken.ok) region = before
      return taken
    },
    async setTemperature(celsius) {
      const taken = await setNumber('setccdtemperature', 'SetCCDTemperature', celsius)
      return taken.ok ? setCooler(true) : taken
    },
    setCooler,
    preview: async () => failure(`${device.source} has no video`),
    setFilter: async (name) => (wheel ? wheel.select(name) : failure(`${device.source} has no filter wheel`)),
    async [Symbol.asyncDispose]() {
      running?.over.abort('disposed')
      await device[Symbol.asyncDispose]()
    },
  }

  async function setCooler(on: boolean): Promise<Outcome> {
    const taken = await device.command('cooleron', { CoolerOn: on })
    if (!taken.ok) return taken
    return device.until(() => (device.boolean('cooleron') === on ? 'done' : 'wait'), settleMs)
  }
}

/** What is known of the frame here. Rows come from the top, as Alpaca sends them. */
function describeFrame(
  device: AlpacaDevice,
  request: ExposureRequest,
  seconds: number,
  startedAtMs: number,
  filter: string | undefined,
): FitsCard[] {
  const cards: (FitsCard | { keyword: string; value: undefined })[] = [
    { keyword: 'ROWORDER', value: 'TOP-DOWN' },
    { keyword: 'INSTRUME', value: device.text('name') },
    { keyword: 'EXPTIME', value: seconds, comment: 'seconds' },
    { keyword: 'DATE-OBS', value: new Date(startedAtMs).toISOString().slice(0, 23), comment: 'UTC start' },
    { keyword: 'IMAGETYP', value: `${request.frameType.toUpperCase()} FRAME` },
    { keyword: 'XBINNING', value: device.number('binx') },
    { keyword: 'YBINNING', value: device.number('biny') },
    { keyword: 'PIXSIZE1', value: device.number('pixelsizex'), comment: 'micrometres, unbinned' },
    { keyword: 'PIXSIZE2', value: device.number('pixelsizey'), comment: 'micrometres, unbinned' },
    { keyword: 'CCD-TEMP', value: device.number('ccdtemperature'), comment: 'Celsius' },
    { keyword: 'GAIN', value: device.number('gain') },
    { keyword: 'OFFSET', value: device.number('offset') },
    { keyword: 'FILTER', value: filter },
  ]
  return cards.filter((card): card is FitsCard => card.value !== undefined)
}
