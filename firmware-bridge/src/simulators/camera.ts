import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

export type SimulatedFrameType = 'light' | 'bias' | 'dark' | 'flat'

/** Everything that decides what the pixels show. */
export interface SimulatedExposure {
  readonly seconds: number
  readonly frameType: SimulatedFrameType
  readonly gainSetting: number
  readonly offsetSetting: number
  readonly binX: number
  readonly binY: number
  /** Unbinned pixels of the sensor. */
  readonly roi: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
  readonly temperatureC: number
  readonly filterSlot: number
  readonly startedAtMs: number
}

export interface SimulatedCameraOptions {
  readonly clock: Clock
  readonly name?: string
  readonly widthPixels: number
  readonly heightPixels: number
  readonly pixelMicrometres: number
  readonly gainRange?: readonly [number, number]
  readonly gainSetting?: number
  readonly offsetSetting?: number
  readonly ambientC?: number
  readonly filters?: readonly string[]
  /** Exposures take this fraction of their time, as SIM_TIME_FACTOR of Debian's simulator. */
  readonly timeFactor?: number
  /** From the shutter's closing until the frame is read out; 0 by default. */
  readonly readoutMs?: number
  /** Makes a frame of the video; the camera has none without it. */
  readonly takeVideoFrame?: () => { readonly format: string; readonly bytes: Uint8Array }
  /** Makes the FITS file when the shutter closes. */
  readonly takeFrame: (exposure: SimulatedExposure) => Uint8Array | Promise<Uint8Array>
}

export interface SimulatedCamera {
  readonly device: SimulatedDevice
  /** Cools the sensor until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

const frameSwitches = { light: 'FRAME_LIGHT', bias: 'FRAME_BIAS', dark: 'FRAME_DARK', flat: 'FRAME_FLAT' } as const
const coolingDegPerSecond = 0.5
/** Below the air when the cooler works as hard as it can. */
const mostCoolingDeg = 45
const videoMs = 100

/** A cooled camera with filter wheel and Debian's CCD simulator's properties. */
export function createSimulatedCamera(options: SimulatedCameraOptions): SimulatedCamera {
  const {
    clock,
    name = 'CCD Simulator',
    widthPixels,
    heightPixels,
    pixelMicrometres,
    timeFactor = 1,
    readoutMs = 0,
    ambientC = 12,
  } = options
  const { filters = ['L', 'R', 'G', 'B'], gainRange = [0, 100] } = options
  let temperatureC = ambientC
  let targetC: number | undefined
  let exposing: AbortController | undefined
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_ccd', interface: 22 }, (connected) => {
    if (!connected) exposing?.abort('disconnected')
  })

  function chosenType(): SimulatedFrameType {
    const chosen = device.chosen('CCD_FRAME_TYPE')
    return (
      (Object.keys(frameSwitches) as SimulatedFrameType[]).find((type) => frameSwitches[type] === chosen) ?? 'light'
    )
  }

  function request(seconds: number): SimulatedExposure {
    return {
      seconds,
      frameType: chosenType(),
      gainSetting: device.number('CCD_GAIN', 'GAIN'),
      offsetSetting: device.number('CCD_OFFSET', 'OFFSET'),
      binX: device.number('CCD_BINNING', 'HOR_BIN'),
      binY: device.number('CCD_BINNING', 'VER_BIN'),
      roi: {
        x: device.number('CCD_FRAME', 'X'),
        y: device.number('CCD_FRAME', 'Y'),
        width: device.number('CCD_FRAME', 'WIDTH'),
        height: device.number('CCD_FRAME', 'HEIGHT'),
      },
      temperatureC,
      filterSlot: device.number('FILTER_SLOT', 'FILTER_SLOT_VALUE'),
      startedAtMs: clock.now(),
    }
  }

  /** Counts down once a second, then sends the BLOB and only then says Ok, as libindi does. */
  async function expose(seconds: number): Promise<void> {
    exposing?.abort('a new exposure was started')
    const own = new AbortController()
    exposing = own
    const plan = request(seconds)
    const endsAt = clock.monotonic() + seconds * timeFactor * 1000
    device.update('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: seconds }, 'Busy')
    try {
      for (let left = endsAt - clock.monotonic(); left > 0; left = endsAt - clock.monotonic()) {
        await clock.sleep(Math.min(1000, left), own.signal)
        device.update(
          'CCD_EXPOSURE',
          { CCD_EXPOSURE_VALUE: Math.max(0, (endsAt - clock.monotonic()) / 1000 / timeFactor) },
          'Busy',
        )
      }
      if (readoutMs > 0) await clock.sleep(readoutMs, own.signal)
      const bytes = await clock.during(Promise.resolve(options.takeFrame(plan)))
      if (own.signal.aborted) return
      device.sendBlob('CCD1', '.fits', bytes)
      device.update('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 0 }, 'Ok')
    } catch (error) {
      if (own.signal.aborted) return
      device.update(
        'CCD_EXPOSURE',
        { CCD_EXPOSURE_VALUE: 0 },
        'Alert',
        error instanceof Error ? error.message : String(error),
      )
    } finally {
      if (exposing === own) exposing = undefined
    }
  }

  function abort(): void {
    exposing?.abort('aborted')
    exposing = undefined
    device.update('CCD_ABORT_EXPOSURE', { ABORT: false }, 'Ok')
    device.update('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 0 }, 'Idle')
  }

  function setFrame(values: Readonly<Record<string, number>>): void {
    const at = (key: string): number => values[key] ?? device.number('CCD_FRAME', key)
    if (at('X') + at('WIDTH') > widthPixels || at('Y') + at('HEIGHT') > heightPixels) {
      return device.update('CCD_FRAME', {}, 'Alert', 'the subframe is larger than the sensor')
    }
    device.update('CCD_FRAME', values)
  }

  function tellPower(percent: number): void {
    const bounded = Math.max(0, Math.min(100, percent))
    if (bounded !== device.number('CCD_COOLER_POWER', 'CCD_COOLER_VALUE')) {
      device.update('CCD_COOLER_POWER', { CCD_COOLER_VALUE: bounded })
    }
  }

  const accept = (property: string) => (values: Readonly<Record<string, number | boolean | string>>) =>
    device.update(property, values)
  device.numbers(
    'CCD_EXPOSURE',
    { CCD_EXPOSURE_VALUE: [0, 0, 3600, '%5.2f'] },
    {
      onNew: (values) => void expose(values['CCD_EXPOSURE_VALUE'] ?? 0),
    },
  )
  device.switches('CCD_ABORT_EXPOSURE', { ABORT: false }, 'AtMostOne', { onNew: abort })
  device.switches(
    'CCD_FRAME_TYPE',
    { FRAME_LIGHT: true, FRAME_BIAS: false, FRAME_DARK: false, FRAME_FLAT: false },
    'OneOfMany',
    {
      group: 'Image Settings',
      onNew: accept('CCD_FRAME_TYPE'),
    },
  )
  device.numbers(
    'CCD_FRAME',
    {
      X: [0, 0, widthPixels - 1],
      Y: [0, 0, heightPixels - 1],
      WIDTH: [widthPixels, 1, widthPixels],
      HEIGHT: [heightPixels, 1, heightPixels],
    },
    {
      group: 'Image Settings',
      onNew: setFrame,
    },
  )
  device.switches('CCD_FRAME_RESET', { RESET: false }, 'AtMostOne', {
    group: 'Image Settings',
    onNew: () => device.update('CCD_FRAME', { X: 0, Y: 0, WIDTH: widthPixels, HEIGHT: heightPixels }),
  })
  device.numbers(
    'CCD_BINNING',
    { HOR_BIN: [1, 1, 4], VER_BIN: [1, 1, 4] },
    { group: 'Image Settings', onNew: accept('CCD_BINNING') },
  )
  device.numbers(
    'CCD_GAIN',
    { GAIN: [options.gainSetting ?? 0, gainRange[0], gainRange[1]] },
    { onNew: accept('CCD_GAIN') },
  )
  device.numbers('CCD_OFFSET', { OFFSET: [options.offsetSetting ?? 50, 0, 6000] }, { onNew: accept('CCD_OFFSET') })
  device.numbers(
    'CCD_TEMPERATURE',
    { CCD_TEMPERATURE_VALUE: [temperatureC, -50, 50, '%5.2f'] },
    {
      onNew: (values) => {
        targetC = values['CCD_TEMPERATURE_VALUE']
        device.update('CCD_COOLER', { COOLER_ON: true, COOLER_OFF: false })
        device.update('CCD_TEMPERATURE', { CCD_TEMPERATURE_VALUE: temperatureC }, 'Busy')
      },
    },
  )
  device.switches('CCD_COOLER', { COOLER_ON: false, COOLER_OFF: true }, 'OneOfMany', {
    onNew: (values) => {
      targetC = values['COOLER_ON'] === true ? (targetC ?? temperatureC) : undefined
      device.update('CCD_COOLER', values)
    },
  })
  device.numbers('CCD_COOLER_POWER', { CCD_COOLER_VALUE: [0, 0, 100, '%.f'] }, { permission: 'ro' })
  if (options.takeVideoFrame) addVideo(device, clock, options.takeVideoFrame)
  device.numbers(
    'CCD_INFO',
    {
      CCD_MAX_X: [widthPixels, 1, 32000],
      CCD_MAX_Y: [heightPixels, 1, 32000],
      CCD_PIXEL_SIZE: [pixelMicrometres, 0.1, 40],
      CCD_PIXEL_SIZE_X: [pixelMicrometres, 0.1, 40],
      CCD_PIXEL_SIZE_Y: [pixelMicrometres, 0.1, 40],
      CCD_BITSPERPIXEL: [16, 8, 64],
    },
    { permission: 'ro', group: 'Image Info' },
  )
  device.numbers(
    'FILTER_SLOT',
    { FILTER_SLOT_VALUE: [1, 1, filters.length] },
    { group: 'Filter Wheel', onNew: accept('FILTER_SLOT') },
  )
  const names = Object.fromEntries(filters.map((filter, index) => [`FILTER_SLOT_NAME_${index + 1}`, filter]))
  device.texts('FILTER_NAME', names, { group: 'Filter Wheel', onNew: accept('FILTER_NAME') })
  device.blob('CCD1')

  return {
    device,
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(1_000, signal).catch(() => undefined)
        const goal = targetC ?? ambientC
        const before = temperatureC
        temperatureC += Math.max(-coolingDegPerSecond, Math.min(coolingDegPerSecond, goal - temperatureC))
        if (!device.connected) continue
        tellPower(targetC === undefined ? 0 : Math.round((100 * (ambientC - temperatureC)) / mostCoolingDeg))
        const arrived = Math.abs(goal - temperatureC) < 0.1
        if (before !== temperatureC || !exposing) {
          device.update('CCD_TEMPERATURE', { CCD_TEMPERATURE_VALUE: temperatureC }, arrived ? 'Ok' : 'Busy')
        }
      }
    },
  }
}

/** Frames of the video come as they are made, until it is turned off. */
function addVideo(
  device: SimulatedDevice,
  clock: Clock,
  takeVideoFrame: NonNullable<SimulatedCameraOptions['takeVideoFrame']>,
): void {
  let showing: AbortController | undefined
  async function show(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && device.connected) {
      const { format, bytes } = takeVideoFrame()
      device.sendBlob('CCD1', format, bytes)
      await clock.sleep(videoMs, signal).catch(() => undefined)
    }
  }
  device.switches('CCD_VIDEO_STREAM', { STREAM_ON: false, STREAM_OFF: true }, 'OneOfMany', {
    group: 'Streaming',
    onNew(values) {
      const on = values['STREAM_ON'] === true
      showing?.abort('the video was turned off')
      device.update('CCD_VIDEO_STREAM', values, on ? 'Busy' : 'Idle')
      if (!on) return
      showing = new AbortController()
      void show(showing.signal)
    },
  })
}
