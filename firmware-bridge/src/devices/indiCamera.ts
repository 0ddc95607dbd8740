/** A camera behind any INDI CCD driver, with the filter wheel that it carries or a wheel of its own. */
import type { Clock } from '../clock.ts'
import type { ClientEvent, IndiClient } from '../indi/client.ts'
import { judgeAccepted } from '../indi/command.ts'
import type { BlobValue } from '../indi/messages.ts'
import { findNumber, findProperty, findSwitch, findText, lastWords } from '../indi/properties.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import type { Camera, CameraFrameType, CameraState, ExposedFrame, ExposureRequest, Region } from './camera.ts'

export interface IndiCameraOptions {
  readonly clock: Clock
  /** Device that holds the filter wheel; the camera itself by default. */
  readonly wheel?: string
  readonly timing?: Partial<ExposureTiming>
}

export interface ExposureTiming {
  /** From the command to the first sign that the exposure runs. */
  readonly startMs: number
  /** From the end of the exposure to the whole frame. */
  readonly deliveryMs: number
  readonly abortMs: number
  readonly wheelMs: number
}

export const exposureTiming: ExposureTiming = {
  startMs: 30_000,
  deliveryMs: 60_000,
  abortMs: 10_000,
  wheelMs: 60_000,
}

const frameSwitches: Readonly<Record<CameraFrameType, string>> = {
  light: 'FRAME_LIGHT',
  dark: 'FRAME_DARK',
  bias: 'FRAME_BIAS',
  flat: 'FRAME_FLAT',
}

/** Where drivers keep gain and offset: libindi's standard first, then those of ZWO, QHY and others. */
const gainPlaces = [
  ['CCD_GAIN', 'GAIN'],
  ['CCD_CONTROLS', 'Gain'],
] as const
const offsetPlaces = [
  ['CCD_OFFSET', 'OFFSET'],
  ['CCD_CONTROLS', 'Offset'],
] as const

const blobProperty = 'CCD1'

export function createIndiCamera(client: IndiClient, device: string, options: IndiCameraOptions): Camera {
  const { clock } = options
  const wheel = options.wheel ?? device
  const timing = { ...exposureTiming, ...options.timing }
  let underWay = false

  void client.connectDevice(device)
  if (wheel !== device) void client.connectDevice(wheel)
  client.wantBlobs(device, blobProperty)
  client.want(device, 'UPLOAD_MODE', { UPLOAD_CLIENT: true })
  client.want(device, 'CCD_TRANSFER_FORMAT', { FORMAT_FITS: true })
  client.want(device, 'CCD_COMPRESSION', { INDI_DISABLED: true })

  const number = (property: string, element: string): number | undefined =>
    findNumber(client.state, device, property, element)
  const place = (places: typeof gainPlaces | typeof offsetPlaces): readonly [string, string] =>
    places.find(([property, element]) => number(property, element) !== undefined) ?? places[0]

  function state(): CameraState {
    const binning = { x: number('CCD_BINNING', 'HOR_BIN') ?? 1, y: number('CCD_BINNING', 'VER_BIN') ?? 1 }
    const exposure = findProperty(client.state, device, 'CCD_EXPOSURE')
    const exposing = underWay || exposure?.state === 'Busy'
    return {
      source: `INDI ${device}`,
      atMs: client.heardAtMs(device),
      connected:
        client.open && exposure !== undefined && findSwitch(client.state, device, 'CONNECTION', 'CONNECT') === true,
      exposing,
      remainingSeconds: exposing ? number('CCD_EXPOSURE', 'CCD_EXPOSURE_VALUE') : undefined,
      temperatureC: number('CCD_TEMPERATURE', 'CCD_TEMPERATURE_VALUE'),
      gain: number(...place(gainPlaces)),
      offset: number(...place(offsetPlaces)),
      binning,
      widthPixels: Math.floor((number('CCD_FRAME', 'WIDTH') ?? 0) / binning.x),
      heightPixels: Math.floor((number('CCD_FRAME', 'HEIGHT') ?? 0) / binning.y),
      pixelSizeMicrons: number('CCD_INFO', 'CCD_PIXEL_SIZE') ?? number('CCD_INFO', 'CCD_PIXEL_SIZE_X') ?? 0,
      filter: filterNames(client, wheel)[
        (findNumber(client.state, wheel, 'FILTER_SLOT', 'FILTER_SLOT_VALUE') ?? 0) - 1
      ],
      filters: filterNames(client, wheel),
    }
  }

  /** The shortest that the camera can do for a bias, else what was asked for; a text says why not. */
  function exposureSeconds(request: ExposureRequest): number | string {
    const property = findProperty(client.state, device, 'CCD_EXPOSURE')
    const limits = property?.kind === 'number' ? property.elements[0] : undefined
    if (!limits) return `${device} is not connected`
    if (property?.state === 'Busy') return `${device} is exposing already`
    const bounded = limits.max > limits.min
    if (request.frameType === 'bias') return bounded ? limits.min : 0.001
    if (!Number.isFinite(request.seconds)) return 'the exposure time is not a number'
    if (!bounded || (request.seconds >= limits.min && request.seconds <= limits.max)) return request.seconds
    return `${device} exposes ${limits.min} to ${limits.max} s, not ${request.seconds} s`
  }

  async function expose(request: ExposureRequest): Promise<ExposedFrame | Failure> {
    if (underWay) return failure(`${device} is exposing already`)
    if (request.signal?.aborted) return failure(`aborted: ${request.signal.reason}`)
    const seconds = exposureSeconds(request)
    if (typeof seconds === 'string') return failure(seconds)
    underWay = true
    try {
      const type = await client.set(device, 'CCD_FRAME_TYPE', { [frameSwitches[request.frameType]]: true })
      if (!type.ok) return type
      const outcome = await runExposure({ client, clock, device, seconds, timing, signal: request.signal })
      if (!outcome.ok && outcome.stillBusy) await abort()
      return outcome.ok ? outcome : failure(outcome.reason)
    } finally {
      underWay = false
    }
  }

  const abort = (): Promise<Outcome> =>
    client.set(device, 'CCD_ABORT_EXPOSURE', { ABORT: true }, { judge: judgeAccepted, timeoutMs: timing.abortMs })

  const keep = (property: string, values: Readonly<Record<string, number>>): Promise<Outcome> =>
    client.set(device, property, values, { keep: true })

  function setRoi(region: Region | undefined): Promise<Outcome> {
    const width = number('CCD_INFO', 'CCD_MAX_X') ?? 0
    const height = number('CCD_INFO', 'CCD_MAX_Y') ?? 0
    const { x, y, widthPixels, heightPixels } = region ?? { x: 0, y: 0, widthPixels: width, heightPixels: height }
    // The driver would echo a region that does not fit and keep it (measured with libindi 1.9.9).
    const fits = x >= 0 && y >= 0 && widthPixels > 0 && heightPixels > 0 && x + widthPixels <= width
    if (!fits || y + heightPixels > height) {
      return Promise.resolve(failure(`the region does not fit into ${width} × ${height} pixels`))
    }
    return keep('CCD_FRAME', { X: x, Y: y, WIDTH: widthPixels, HEIGHT: heightPixels })
  }

  function setFilter(name: string): Promise<Outcome> {
    const slot = filterNames(client, wheel).indexOf(name) + 1
    if (slot === 0) {
      const names = filterNames(client, wheel).join(', ') || 'none'
      return Promise.resolve(failure(`${wheel} has no filter ${name}; it has ${names}`))
    }
    if (state().filter === name && findProperty(client.state, wheel, 'FILTER_SLOT')?.state !== 'Busy') {
      return Promise.resolve(done)
    }
    const values = { FILTER_SLOT_VALUE: slot }
    return client.set(wheel, 'FILTER_SLOT', values, { keep: true, timeoutMs: timing.wheelMs })
  }

  return {
    state,
    expose,
    abort,
    setGain(gain) {
      const [property, element] = place(gainPlaces)
      return keep(property, { [element]: gain })
    },
    setOffset(offset) {
      const [property, element] = place(offsetPlaces)
      return keep(property, { [element]: offset })
    },
    setBinning: (x, y) => keep('CCD_BINNING', { HOR_BIN: x, VER_BIN: y }),
    setRoi,
    setTemperature: (celsius) =>
      client.set(device, 'CCD_TEMPERATURE', { CCD_TEMPERATURE_VALUE: celsius }, { judge: judgeAccepted, keep: true }),
    setFilter,
    async [Symbol.asyncDispose]() {
      if (underWay) await abort()
    },
  }
}

function filterNames(client: IndiClient, wheel: string): readonly string[] {
  const property = findProperty(client.state, wheel, 'FILTER_NAME')
  if (property?.kind !== 'text') return []
  return property.elements.map(({ name, value }) => value || findText(client.state, wheel, 'FILTER_NAME', name) || name)
}

interface ExposureRun {
  readonly client: IndiClient
  readonly clock: Clock
  readonly device: string
  readonly seconds: number
  readonly timing: ExposureTiming
  readonly signal: AbortSignal | undefined
}

type ExposureEnd = ExposedFrame | (Failure & { readonly stillBusy: boolean })

/**
 * From the command to the frame. The frame comes before the exposure's Ok from most drivers and after it from some, so
 * both are awaited; a frame that comes before the start is acknowledged belongs to an earlier exposure and is ignored.
 */
async function runExposure(run: ExposureRun): Promise<ExposureEnd> {
  const { client, clock, device, seconds, timing } = run
  const over = new AbortController()
  const starting = new AbortController()
  const ended = Promise.withResolvers<ExposureEnd>()
  const sentAtMs = clock.now()
  let startedAtMs: number | undefined
  let blob: BlobValue | undefined
  /** Came before any Busy: of an earlier exposure, unless the camera never says Busy. */
  let early: BlobValue | undefined
  let shutterClosed = false
  let answers = 0

  const fail = (reason: string, stillBusy = false): void => ended.resolve({ ...failure(reason), stillBusy })
  const words = (otherwise: string): string => lastWords(client.state, device, sentAtMs) ?? otherwise

  const deadline = (ms: number, reason: string, unless = over.signal): void => {
    clock.sleep(ms, unless).then(
      () => fail(reason, true),
      () => undefined,
    )
  }

  const finish = (): void => {
    if (!blob || startedAtMs === undefined) return
    const { bytes, format } = blob
    ended.resolve({ ok: true, bytes, format, startedAtMs, endedAtMs: startedAtMs + seconds * 1000 })
  }

  const onExposure = (state: string | undefined): void => {
    if (state === 'Alert') return fail(words('the camera reports Alert'))
    if (state === 'Busy' && startedAtMs === undefined) {
      startedAtMs = clock.now()
      early = undefined
      starting.abort()
      deadline(seconds * 1000 + timing.deliveryMs, `no frame came within ${timing.deliveryMs / 1000} s of the exposure`)
      return
    }
    if (state === 'Busy') return
    if (startedAtMs === undefined) {
      if (answers === 0) return
      if (!early) return fail(words('the camera did not start'))
      startedAtMs = sentAtMs
      blob = early
    }
    shutterClosed = true
    if (blob) finish()
    else if (state === 'Idle') fail('the exposure was aborted')
  }

  const onEvent = (event: ClientEvent): void => {
    if (event.type === 'closed') return fail('the connection to the server was lost')
    if (!('device' in event) || event.device !== device) return
    if (event.type === 'deviceLost') return fail(`${device} was lost`)
    if (event.type === 'deleted' && event.name === 'CCD_EXPOSURE') return fail(`${device} was disconnected`)
    if (event.type === 'blob' && event.name === blobProperty) {
      if (startedAtMs === undefined) {
        early = event.blobs[0]
        return
      }
      blob = event.blobs[0]
      if (shutterClosed) return finish()
      // Some drivers leave CCD_EXPOSURE Busy for a moment, a few for ever.
      clock.sleep(2_000, over.signal).then(finish, () => undefined)
    }
    if ((event.type === 'defined' || event.type === 'updated') && event.name === 'CCD_EXPOSURE') {
      if (event.type === 'defined') answers++
      onExposure(findProperty(client.state, device, 'CCD_EXPOSURE')?.state)
    }
  }

  const onAbort = (): void => fail(`aborted: ${run.signal?.reason}`, true)
  const unlisten = client.listen(onEvent)
  run.signal?.addEventListener('abort', onAbort, { once: true })
  deadline(timing.startMs, `the camera did not start within ${timing.startMs / 1000} s`, starting.signal)
  if (run.signal?.aborted) onAbort()
  if (!client.open) fail('the server is not connected')
  const elements = [{ name: 'CCD_EXPOSURE_VALUE', value: seconds }]
  client.send({ type: 'new', kind: 'number', device, name: 'CCD_EXPOSURE', elements })
  client.readBack(device, 'CCD_EXPOSURE')
  try {
    return await ended.promise
  } finally {
    unlisten()
    over.abort()
    starting.abort()
    run.signal?.removeEventListener('abort', onAbort)
  }
}
