/** The devices of a simulated Alpaca site. Each moves at its own speed by the clock; nothing runs in the background. */
import { writeImageBytes } from '../alpaca/imageBytes.ts'
import type { Clock } from '../clock.ts'
import { AlpacaRefusal, refusals, type SimulatedAlpacaDevice } from './alpacaServer.ts'

/** A part that moves evenly to where it is sent. */
interface Axis {
  position(): number
  moving(): boolean
  moveTo(target: number): void
  halt(): void
  /** Is there at once. */
  set(position: number): void
}

function createAxis(clock: Clock, start: number, perSecond: number): Axis {
  let [from, to, startedAt] = [start, start, 0]
  const seconds = (): number => (clock.monotonic() - startedAt) / 1000
  const position = (): number => {
    const left = Math.abs(to - from) - perSecond * seconds()
    return left <= 0 ? to : to - Math.sign(to - from) * left
  }
  const begin = (here: number, target: number): void => {
    ;[from, to, startedAt] = [here, target, clock.monotonic()]
  }
  return {
    position,
    moving: () => position() !== to,
    moveTo: (target) => begin(position(), target),
    halt: () => begin(position(), position()),
    set: (here) => begin(here, here),
  }
}

const siderealHoursPerSecond = 1.00273791 / 3600
const invalid = (words: string): AlpacaRefusal => new AlpacaRefusal(refusals.invalidValue, words)

/** A German mount that counts in coordinates of date; it drifts with the sky while it does not track. */
export function createAlpacaTelescopeSimulator(clock: Clock, name = 'Alpaca Mount'): SimulatedAlpacaDevice {
  const ra = createAxis(clock, 2, 1)
  const dec = createAxis(clock, 80, 15)
  let tracking = false
  let driftFrom = clock.monotonic()
  let parked = true
  let home = true
  let rate = 0
  let offsets = { ra: 0, dec: 0 }
  let pulseUntil = 0
  let goal: 'park' | 'home' | undefined

  const drift = (): number => (tracking ? 0 : ((clock.monotonic() - driftFrom) / 1000) * siderealHoursPerSecond)
  const hours = (): number => (((ra.position() + drift()) % 24) + 24) % 24
  const slewing = (): boolean => ra.moving() || dec.moving()

  function settle(): void {
    if (goal === undefined || slewing()) return
    if (goal === 'park') parked = true
    home = true
    track(false)
    goal = undefined
  }

  function track(on: boolean): void {
    ra.set(hours())
    driftFrom = clock.monotonic()
    tracking = on
  }

  function go(toHours: number, toDeg: number): void {
    ra.set(hours())
    driftFrom = clock.monotonic()
    home = false
    const shortest = ((toHours - ra.position() + 36) % 24) - 12
    ra.moveTo(ra.position() + shortest)
    dec.moveTo(toDeg)
  }

  const refuse = (target?: { ra: number; dec: number }): AlpacaRefusal | undefined => {
    if (parked) return new AlpacaRefusal(refusals.parked, 'the mount is parked')
    if (!target) return undefined
    if (target.ra < 0 || target.ra >= 24) return invalid(`RightAscension ${target.ra}`)
    return Math.abs(target.dec) > 90 ? invalid(`Declination ${target.dec}`) : undefined
  }

  const coordinates = { RightAscension: 'number', Declination: 'number' } as const
  const target = (values: Readonly<Record<string, unknown>>): { ra: number; dec: number } => ({
    ra: Number(values['RightAscension']),
    dec: Number(values['Declination']),
  })
  const isTrue = (): boolean => true
  return {
    kind: 'telescope',
    name,
    get: {
      equatorialsystem: () => 1,
      canslewasync: isTrue,
      cansync: isTrue,
      cansettracking: isTrue,
      canpark: isTrue,
      canunpark: isTrue,
      canfindhome: isTrue,
      canpulseguide: isTrue,
      cansetrightascensionrate: isTrue,
      cansetdeclinationrate: isTrue,
      rightascension: hours,
      declination: () => dec.position(),
      tracking: () => tracking,
      slewing() {
        settle()
        return slewing()
      },
      atpark() {
        settle()
        return parked
      },
      athome() {
        settle()
        return home
      },
      sideofpier: () => (hours() < 12 ? 1 : 0),
      trackingrate: () => rate,
      rightascensionrate: () => offsets.ra,
      declinationrate: () => offsets.dec,
      ispulseguiding: () => clock.monotonic() < pulseUntil,
    },
    put: {
      tracking: {
        parameters: { Tracking: 'boolean' },
        run({ Tracking }) {
          if (Tracking === true && parked) return refuse()
          track(Tracking === true)
          return undefined
        },
      },
      slewtocoordinatesasync: {
        parameters: coordinates,
        run(values) {
          const to = target(values)
          const refused = refuse(to)
          if (refused) return refused
          if (!tracking) return new AlpacaRefusal(refusals.invalidOperation, 'tracking is off')
          go(to.ra, to.dec)
          return undefined
        },
      },
      synctocoordinates: {
        parameters: coordinates,
        run(values) {
          const to = target(values)
          const refused = refuse(to)
          if (refused) return refused
          ra.set(to.ra)
          dec.set(to.dec)
          driftFrom = clock.monotonic()
          return undefined
        },
      },
      abortslew: {
        parameters: {},
        run() {
          if (parked) return refuse()
          goal = undefined
          ra.halt()
          dec.halt()
          return undefined
        },
      },
      park: {
        parameters: {},
        run() {
          if (parked) return undefined
          goal = 'park'
          go(2, 80)
          return undefined
        },
      },
      unpark: {
        parameters: {},
        run() {
          parked = false
          return undefined
        },
      },
      findhome: {
        parameters: {},
        run() {
          const refused = refuse()
          if (refused) return refused
          goal = 'home'
          go(2, 80)
          return undefined
        },
      },
      pulseguide: {
        parameters: { Direction: 'integer', Duration: 'integer' },
        run({ Direction, Duration }) {
          if (parked) return refuse()
          if (Number(Direction) < 0 || Number(Direction) > 3) return invalid(`Direction ${Direction}`)
          pulseUntil = clock.monotonic() + Number(Duration)
          return undefined
        },
      },
      trackingrate: {
        parameters: { TrackingRate: 'integer' },
        run({ TrackingRate }) {
          if (Number(TrackingRate) < 0 || Number(TrackingRate) > 2) return invalid(`TrackingRate ${TrackingRate}`)
          rate = Number(TrackingRate)
          return undefined
        },
      },
      rightascensionrate: {
        parameters: { RightAscensionRate: 'number' },
        run({ RightAscensionRate }) {
          offsets = { ...offsets, ra: Number(RightAscensionRate) }
          return undefined
        },
      },
      declinationrate: {
        parameters: { DeclinationRate: 'number' },
        run({ DeclinationRate }) {
          offsets = { ...offsets, dec: Number(DeclinationRate) }
          return undefined
        },
      },
    },
  }
}

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

export function createAlpacaFocuserSimulator(clock: Clock, name = 'Alpaca Focuser'): SimulatedAlpacaDevice {
  const axis = createAxis(clock, 25_000, 5_000)
  const maxSteps = 50_000
  return {
    kind: 'focuser',
    name,
    get: {
      absolute: () => true,
      maxstep: () => maxSteps,
      position: () => Math.round(axis.position()),
      ismoving: () => axis.moving(),
      temperature: () => 7.5,
    },
    put: {
      move: {
        parameters: { Position: 'integer' },
        run({ Position }) {
          const wanted = Number(Position)
          if (wanted < 0 || wanted > maxSteps) return invalid(`Position ${wanted}`)
          axis.moveTo(wanted)
          return undefined
        },
      },
      halt: {
        parameters: {},
        run() {
          axis.set(Math.round(axis.position()))
          return undefined
        },
      },
    },
  }
}

export function createAlpacaFilterWheelSimulator(
  clock: Clock,
  names: readonly string[] = ['L', 'R', 'G', 'B'],
): SimulatedAlpacaDevice {
  const axis = createAxis(clock, 0, 1)
  return {
    kind: 'filterwheel',
    name: 'Alpaca Wheel',
    get: { names: () => names, position: () => (axis.moving() ? -1 : axis.position()) },
    put: {
      position: {
        parameters: { Position: 'integer' },
        run({ Position }) {
          if (Number(Position) < 0 || Number(Position) >= names.length) return invalid(`Position ${Position}`)
          axis.moveTo(Number(Position))
          return undefined
        },
      },
    },
  }
}

export interface SimulatedAlpacaDome {
  readonly device: SimulatedAlpacaDevice
  /** The shutter does not move any more and reports an error. */
  jammed: boolean
}

export function createAlpacaDomeSimulator(clock: Clock): SimulatedAlpacaDome {
  const shutter = createAxis(clock, 0, 0.1)
  const azimuth = createAxis(clock, 0, 10)
  let wanted = 0
  function move(to: number): undefined {
    wanted = to
    if (!dome.jammed) shutter.moveTo(to)
  }
  function status(): number {
    if (dome.jammed) return 4
    if (shutter.moving()) return wanted === 1 ? 2 : 3
    return shutter.position() === 1 ? 0 : shutter.position() === 0 ? 1 : 4
  }
  const dome: SimulatedAlpacaDome = {
    jammed: false,
    device: {
      kind: 'dome',
      name: 'Alpaca Dome',
      get: {
        cansetshutter: () => true,
        cansetazimuth: () => true,
        shutterstatus: status,
        azimuth: () => azimuth.position(),
        slewing: () => azimuth.moving() || shutter.moving(),
      },
      put: {
        openshutter: { parameters: {}, run: () => move(1) },
        closeshutter: { parameters: {}, run: () => move(0) },
        abortslew: {
          parameters: {},
          run() {
            shutter.halt()
            azimuth.halt()
            return undefined
          },
        },
        slewtoazimuth: {
          parameters: { Azimuth: 'number' },
          run({ Azimuth }) {
            if (Number(Azimuth) < 0 || Number(Azimuth) >= 360) return invalid(`Azimuth ${Azimuth}`)
            azimuth.moveTo(Number(Azimuth))
            return undefined
          },
        },
      },
    },
  }
  return dome
}
