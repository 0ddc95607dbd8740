import { writeImageBytes } from '../alpaca/imageBytes.ts'
import type { Clock } from '../clock.ts'
import { invalid } from './alpacaAxis.ts'
import { AlpacaRefusal, refusals, type SimulatedAlpacaDevice } from './alpacaServer.ts'

export interface SimulatedAlpacaExposure {
  readonly seconds: number
  readonly light: boolean
  /** Binned pixels. */
  readonly widthPixels: number
  readonly heightPixels: number
  readonly startX: number
  readonly startY: number
  readonly gain: number
  readonly offset: number
}

export interface AlpacaCameraSimulatorOptions {
  readonly clock: Clock
  readonly name?: string
  readonly widthPixels: number
  readonly heightPixels: number
  readonly pixelMicrons?: number
  /** False for a server that knows only JSON. */
  readonly imageBytes?: boolean
  /** Pixels in rows from the top; by default a ramp that shows which axis is which. */
  readonly takeFrame?: (exposure: SimulatedAlpacaExposure) => Uint16Array
}

/** Row by row `offset + x + 100 y`. */
function ramp({ widthPixels, heightPixels, offset }: SimulatedAlpacaExposure): Uint16Array {
  const at = (index: number): number => offset + (index % widthPixels) + 100 * Math.floor(index / widthPixels)
  return Uint16Array.from({ length: widthPixels * heightPixels }, (_, index) => at(index))
}

export function createAlpacaCameraSimulator(options: AlpacaCameraSimulatorOptions): SimulatedAlpacaDevice {
  const { clock, name = 'Alpaca Camera', widthPixels, heightPixels, pixelMicrons = 3.76, imageBytes = true } = options
  const { takeFrame = ramp } = options
  const settings = {
    gain: 0,
    offset: 10,
    binx: 1,
    biny: 1,
    startx: 0,
    starty: 0,
    numx: widthPixels,
    numy: heightPixels,
  }
  const cooler = { on: false, setPointC: -10 }
  let exposure: { readonly plan: SimulatedAlpacaExposure; readonly endsAt: number } | undefined
  let frame: { readonly pixels: Uint16Array; readonly plan: SimulatedAlpacaExposure } | undefined

  function develop(): void {
    if (!exposure || clock.monotonic() < exposure.endsAt) return
    frame = { pixels: takeFrame(exposure.plan), plan: exposure.plan }
    exposure = undefined
  }

  const setting = (member: keyof typeof settings, parameter: string, low: number, high: () => number) => ({
    parameters: { [parameter]: 'integer' } as const,
    run(values: Readonly<Record<string, unknown>>) {
      const value = Number(values[parameter])
      if (value < low || value > high()) return invalid(`${parameter} ${value}`)
      settings[member] = value
      return undefined
    },
  })

  function start(seconds: number, light: boolean): AlpacaRefusal | undefined {
    if (exposure) return new AlpacaRefusal(refusals.invalidOperation, 'an exposure is under way')
    if (seconds < 0) return invalid(`Duration ${seconds}`)
    const { numx, numy, startx, starty, binx, biny } = settings
    if (startx + numx > Math.floor(widthPixels / binx) || starty + numy > Math.floor(heightPixels / biny)) {
      return invalid('the frame is larger than the chip')
    }
    const plan = { seconds, light, widthPixels: numx, heightPixels: numy, startX: startx, startY: starty }
    exposure = {
      plan: { ...plan, gain: settings.gain, offset: settings.offset },
      endsAt: clock.monotonic() + seconds * 1000,
    }
    frame = undefined
    return undefined
  }

  const noImage = (): AlpacaRefusal => new AlpacaRefusal(refusals.invalidOperation, 'there is no image')
  const columns = (): number[][] | AlpacaRefusal => {
    if (!frame) return noImage()
    const { pixels, plan } = frame
    return Array.from({ length: plan.widthPixels }, (_, x) =>
      Array.from({ length: plan.heightPixels }, (_, y) => pixels[y * plan.widthPixels + x]!),
    )
  }

  return {
    kind: 'camera',
    name,
    get: {
      cameraxsize: () => widthPixels,
      cameraysize: () => heightPixels,
      pixelsizex: () => pixelMicrons,
      pixelsizey: () => pixelMicrons,
      canabortexposure: () => true,
      cansetccdtemperature: () => true,
      gainmin: () => 0,
      gainmax: () => 100,
      offsetmin: () => 0,
      offsetmax: () => 500,
      maxbinx: () => 4,
      exposuremin: () => 0,
      sensortype: () => 0,
      camerastate() {
        develop()
        return exposure ? 2 : 0
      },
      imageready() {
        develop()
        return frame !== undefined
      },
      ccdtemperature: () => (cooler.on ? cooler.setPointC : 12),
      setccdtemperature: () => cooler.setPointC,
      cooleron: () => cooler.on,
      coolerpower: () => (cooler.on ? 60 : 0),
      gain: () => settings.gain,
      offset: () => settings.offset,
      binx: () => settings.binx,
      biny: () => settings.biny,
      numx: () => settings.numx,
      numy: () => settings.numy,
      imagearray: columns,
    },
    ...(imageBytes
      ? {
          bytes: {
            imagearray: {
              accept: 'application/imagebytes',
              bytes: (ids) => (frame ? writeImageBytes({ ...frame.plan, pixels: frame.pixels }, ids) : noImage()),
            },
          },
        }
      : {}),
    put: {
      gain: setting('gain', 'Gain', 0, () => 100),
      offset: setting('offset', 'Offset', 0, () => 500),
      binx: setting('binx', 'BinX', 1, () => 4),
      biny: setting('biny', 'BinY', 1, () => 4),
      startx: setting('startx', 'StartX', 0, () => widthPixels - 1),
      starty: setting('starty', 'StartY', 0, () => heightPixels - 1),
      numx: setting('numx', 'NumX', 1, () => widthPixels),
      numy: setting('numy', 'NumY', 1, () => heightPixels),
      setccdtemperature: {
        parameters: { SetCCDTemperature: 'number' },
        run({ SetCCDTemperature }) {
          if (Math.abs(Number(SetCCDTemperature)) > 50) return invalid(`SetCCDTemperature ${SetCCDTemperature}`)
          cooler.setPointC = Number(SetCCDTemperature)
          return undefined
        },
      },
      cooleron: {
        parameters: { CoolerOn: 'boolean' },
        run({ CoolerOn }) {
          cooler.on = CoolerOn === true
          return undefined
        },
      },
      startexposure: {
        parameters: { Duration: 'number', Light: 'boolean' },
        run: ({ Duration, Light }) => start(Number(Duration), Light === true),
      },
      abortexposure: {
        parameters: {},
        run() {
          exposure = undefined
          return undefined
        },
      },
    },
  }
}
