import type { Clock } from '../clock.ts'
import { AlpacaRefusal, refusals, type SimulatedAlpacaDevice } from './alpacaServer.ts'

/** Something that is `after` so long after it was told to change. */
function createDelayed<T>(
  clock: Clock,
  start: T,
  delayMs: number,
): { now(): T; changing(): boolean; change(to: T): void } {
  let [before, after, at] = [start, start, Number.NEGATIVE_INFINITY]
  const changing = (): boolean => clock.monotonic() - at < delayMs
  const now = (): T => (changing() ? before : after)
  return {
    now,
    changing,
    change(to) {
      ;[before, after, at] = [now(), to, clock.monotonic()]
    },
  }
}

const travelMs = 2_000

export interface SimulatedAlpacaSafetyMonitor {
  readonly device: SimulatedAlpacaDevice
  safe: boolean
}

export function createAlpacaSafetyMonitorSimulator(): SimulatedAlpacaSafetyMonitor {
  const monitor: SimulatedAlpacaSafetyMonitor = {
    safe: true,
    device: { kind: 'safetymonitor', name: 'Alpaca Safety', get: { issafe: () => monitor.safe }, put: {} },
  }
  return monitor
}

export function createAlpacaRotatorSimulator(clock: Clock): SimulatedAlpacaDevice {
  const angle = createDelayed(clock, 0, travelMs)
  let offset = 0
  let reversed = false
  const norm = (deg: number): number => ((deg % 360) + 360) % 360
  const refuse = (deg: number): AlpacaRefusal | undefined =>
    deg < 0 || deg >= 360 ? new AlpacaRefusal(refusals.invalidValue, `Position ${deg}`) : undefined
  return {
    kind: 'rotator',
    name: 'Alpaca Rotator',
    get: {
      canreverse: () => true,
      position: () => norm(angle.now() + offset),
      ismoving: () => angle.changing(),
      reverse: () => reversed,
    },
    put: {
      moveabsolute: {
        parameters: { Position: 'number' },
        run({ Position }) {
          const refused = refuse(Number(Position))
          if (!refused) angle.change(norm(Number(Position) - offset))
          return refused
        },
      },
      sync: {
        parameters: { Position: 'number' },
        run({ Position }) {
          const refused = refuse(Number(Position))
          if (!refused) offset = norm(Number(Position) - angle.now())
          return refused
        },
      },
      reverse: {
        parameters: { Reverse: 'boolean' },
        run({ Reverse }) {
          reversed = Reverse === true
          return undefined
        },
      },
      halt: {
        parameters: {},
        run() {
          angle.change(angle.now())
          return undefined
        },
      },
    },
  }
}

/** A lid with a light in it. */
export function createAlpacaCoverSimulator(clock: Clock): SimulatedAlpacaDevice {
  const open = createDelayed(clock, false, travelMs)
  const brightness = createDelayed(clock, 0, travelMs)
  const maxBrightness = 255
  const move = (to: boolean) => ({
    parameters: {},
    run() {
      open.change(to)
      return undefined
    },
  })
  return {
    kind: 'covercalibrator',
    name: 'Alpaca Cover',
    get: {
      coverstate: () => (open.changing() ? 2 : open.now() ? 3 : 1),
      calibratorstate: () => (brightness.changing() ? 2 : brightness.now() > 0 ? 3 : 1),
      brightness: () => brightness.now(),
      maxbrightness: () => maxBrightness,
    },
    put: {
      opencover: move(true),
      closecover: move(false),
      haltcover: { parameters: {}, run: () => undefined },
      calibratoron: {
        parameters: { Brightness: 'integer' },
        run({ Brightness }) {
          const wanted = Number(Brightness)
          if (wanted < 0 || wanted > maxBrightness) {
            return new AlpacaRefusal(refusals.invalidValue, `Brightness ${wanted}`)
          }
          brightness.change(wanted)
          return undefined
        },
      },
      calibratoroff: {
        parameters: {},
        run() {
          brightness.change(0)
          return undefined
        },
      },
    },
  }
}

export interface SimulatedAlpacaWeather {
  readonly device: SimulatedAlpacaDevice
  /** In IObservingConditions' own units; what is left out is not implemented. */
  readings: Readonly<Record<string, number>>
  /** How old the readings are. */
  ageSeconds: number
}

export function createAlpacaWeatherSimulator(): SimulatedAlpacaWeather {
  const members = [
    'temperature',
    'humidity',
    'pressure',
    'windspeed',
    'windgust',
    'rainrate',
    'cloudcover',
    'skyquality',
  ]
  const station: SimulatedAlpacaWeather = {
    readings: {
      temperature: 8,
      humidity: 55,
      pressure: 1013,
      windspeed: 3,
      rainrate: 0,
      cloudcover: 10,
      skyquality: 21.4,
    },
    ageSeconds: 4,
    device: {
      kind: 'observingconditions',
      name: 'Alpaca Weather',
      get: {
        ...Object.fromEntries(
          members.map((member) => [
            member,
            () => station.readings[member] ?? new AlpacaRefusal(refusals.notImplemented, member),
          ]),
        ),
        timesincelastupdate: () => station.ageSeconds,
      },
      getParameters: { timesincelastupdate: { SensorName: 'text' } },
      put: {},
    },
  }
  return station
}

/** A power box: two outlets, a dew heater of 0 to 255, and a voltage that is only read. */
export function createAlpacaSwitchSimulator(): SimulatedAlpacaDevice {
  const switches = [
    { name: 'Camera', canWrite: true, max: 1, value: 0 },
    { name: 'Mount', canWrite: true, max: 1, value: 1 },
    { name: 'Dew heater', canWrite: true, max: 255, value: 0 },
    { name: 'Input volts', canWrite: false, max: 15, value: 12.6 },
  ]
  const id = { Id: 'integer' } as const
  const byId =
    (read: (one: (typeof switches)[number]) => unknown) =>
    ({ Id }: Readonly<Record<string, unknown>>): unknown => {
      const one = switches[Number(Id)]
      return one ? read(one) : new AlpacaRefusal(refusals.invalidValue, `Id ${String(Id)}`)
    }
  const members = {
    getswitchname: byId((one) => one.name),
    canwrite: byId((one) => one.canWrite),
    minswitchvalue: byId(() => 0),
    maxswitchvalue: byId((one) => one.max),
    switchstep: byId((one) => (one.canWrite ? 1 : 0.1)),
    getswitchvalue: byId((one) => one.value),
  }
  return {
    kind: 'switch',
    name: 'Alpaca Power',
    get: { maxswitch: () => switches.length, ...members },
    getParameters: Object.fromEntries(Object.keys(members).map((member) => [member, id])),
    put: {
      setswitchvalue: {
        parameters: { Id: 'integer', Value: 'number' },
        run({ Id, Value }) {
          const one = switches[Number(Id)]
          if (!one || Number(Value) < 0 || Number(Value) > one.max) {
            return new AlpacaRefusal(refusals.invalidValue, `Id ${String(Id)}, Value ${String(Value)}`)
          }
          if (!one.canWrite) return new AlpacaRefusal(refusals.notImplemented, `${one.name} is only read`)
          one.value = Number(Value)
          return undefined
        },
      },
    },
  }
}
