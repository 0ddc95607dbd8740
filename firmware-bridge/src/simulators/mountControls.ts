/** What a simulated mount has beside slewing: movements by hand, guide pulses, track rates and a home position. */
import type { Clock } from '../clock.ts'
import type { SimulatedDevice } from './device.ts'

/** The mount that is moved; angles of date, degrees. */
export interface MountBody {
  readonly device: SimulatedDevice
  readonly clock: Clock
  readonly slewDegPerSecond: number
  isParked(): boolean
  /** Moves the telescope by so much, at once. */
  shift(raDeg: number, decDeg: number): void
  /** Starts the way to the home position. */
  startHoming(): void
}

export interface MountControls {
  /** Speeds of the movement by hand, degrees per second; undefined when there is none. */
  handDegPerSecond(): { readonly ra: number; readonly dec: number } | undefined
  /** How fast the pointing drifts against the stars while tracking, degrees per second. */
  driftDegPerSecond(): { readonly ra: number; readonly dec: number }
  /** The mount stands at its home position. */
  homed(): void
  /** Ends movements by hand and the way home. */
  stop(): void
}

const siderealArcsecPerSecond = 15.041067
/** libindi's rates of the Sun and the Moon, arcsec per second of the hour angle. */
const trackRates: Readonly<Record<string, number>> = {
  TRACK_SIDEREAL: siderealArcsecPerSecond,
  TRACK_SOLAR: 15,
  TRACK_LUNAR: 14.511415,
}
const handSpeeds = ['1x', '2x', '3x', '4x'] as const
const group = 'Motion Control'

export function addMountControls(body: MountBody): MountControls {
  const { device } = body
  addGuidePort(body)
  addTrackRates(device)
  addHome(body)
  for (const [name, elements] of [
    ['TELESCOPE_MOTION_NS', ['MOTION_NORTH', 'MOTION_SOUTH']],
    ['TELESCOPE_MOTION_WE', ['MOTION_WEST', 'MOTION_EAST']],
  ] as const) {
    device.switches(name, { [elements[0]]: false, [elements[1]]: false }, 'AtMostOne', {
      group,
      onNew(values) {
        const on = Object.values(values).some(Boolean)
        if (on && body.isParked()) {
          device.say('[WARNING] Please unpark the mount before issuing any motion/sync commands.')
          return device.update(name, {}, 'Idle')
        }
        device.update(name, values, on ? 'Busy' : 'Idle')
      },
    })
  }
  device.switches('TELESCOPE_SLEW_RATE', { '1x': false, '2x': false, '3x': true, '4x': false }, 'OneOfMany', {
    group,
    onNew: (values) => device.update('TELESCOPE_SLEW_RATE', values),
  })

  const speed = (): number => {
    const index = handSpeeds.findIndex((one) => device.isOn('TELESCOPE_SLEW_RATE', one))
    return [2 / 240, 0.1, 1, body.slewDegPerSecond][index] ?? 1
  }
  const axis = (property: string, plus: string, minus: string): number =>
    device.isOn(property, plus) ? 1 : device.isOn(property, minus) ? -1 : 0

  return {
    handDegPerSecond() {
      const dec = axis('TELESCOPE_MOTION_NS', 'MOTION_NORTH', 'MOTION_SOUTH')
      const ra = axis('TELESCOPE_MOTION_WE', 'MOTION_EAST', 'MOTION_WEST')
      return ra === 0 && dec === 0 ? undefined : { ra: ra * speed(), dec: dec * speed() }
    },
    driftDegPerSecond: () => drift(device),
    homed: () => device.update('TELESCOPE_HOME', { FIND: false, SET: false, GO: false }, 'Ok'),
    stop() {
      device.update('TELESCOPE_MOTION_NS', { MOTION_NORTH: false, MOTION_SOUTH: false }, 'Idle')
      device.update('TELESCOPE_MOTION_WE', { MOTION_WEST: false, MOTION_EAST: false }, 'Idle')
      if (Object.values(homeElements).some((element) => device.isOn('TELESCOPE_HOME', element))) {
        device.update('TELESCOPE_HOME', { FIND: false, SET: false, GO: false }, 'Alert', 'the way home was stopped')
      }
    },
  }
}

function drift(device: SimulatedDevice): { readonly ra: number; readonly dec: number } {
  const mode = device.chosen('TELESCOPE_TRACK_MODE') ?? 'TRACK_SIDEREAL'
  const custom = mode === 'TRACK_CUSTOM'
  const rate = custom ? device.number('TELESCOPE_TRACK_RATE', 'TRACK_RATE_RA') : trackRates[mode]
  const dec = custom ? device.number('TELESCOPE_TRACK_RATE', 'TRACK_RATE_DE') : 0
  return { ra: (siderealArcsecPerSecond - (rate ?? siderealArcsecPerSecond)) / 3600, dec: dec / 3600 }
}

function addTrackRates(device: SimulatedDevice): void {
  device.switches(
    'TELESCOPE_TRACK_MODE',
    { TRACK_SIDEREAL: true, TRACK_SOLAR: false, TRACK_LUNAR: false, TRACK_CUSTOM: false },
    'OneOfMany',
    { onNew: (values) => device.update('TELESCOPE_TRACK_MODE', values) },
  )
  device.numbers(
    'TELESCOPE_TRACK_RATE',
    {
      TRACK_RATE_RA: [siderealArcsecPerSecond, -16_384, 16_384, '%.6f'],
      TRACK_RATE_DE: [0, -16_384, 16_384, '%.6f'],
    },
    { onNew: (values) => device.update('TELESCOPE_TRACK_RATE', values) },
  )
}

/** A pulse moves the telescope at the guide rate, beside the tracking, and is Busy for its length. */
function addGuidePort({ device, clock, shift }: MountBody): void {
  device.numbers(
    'GUIDE_RATE',
    { GUIDE_RATE_WE: [0.5, 0, 1], GUIDE_RATE_NS: [0.5, 0, 1] },
    { group, onNew: (values) => device.update('GUIDE_RATE', values) },
  )
  const pulse = async (property: string, values: Readonly<Record<string, number>>): Promise<void> => {
    const longestMs = Math.max(0, ...Object.values(values))
    device.update(property, values, longestMs > 0 ? 'Busy' : 'Idle')
    if (longestMs > 0) await clock.sleep(longestMs)
    const degrees = (ms: number, rate: number): number => (ms / 1000) * rate * (siderealArcsecPerSecond / 3600)
    const along = (plus: string, minus: string, rate: string): number =>
      degrees((values[plus] ?? 0) - (values[minus] ?? 0), device.number('GUIDE_RATE', rate))
    shift(
      along('TIMED_GUIDE_E', 'TIMED_GUIDE_W', 'GUIDE_RATE_WE'),
      along('TIMED_GUIDE_N', 'TIMED_GUIDE_S', 'GUIDE_RATE_NS'),
    )
    device.update(property, Object.fromEntries(Object.keys(values).map((name) => [name, 0])), 'Idle')
  }
  for (const [property, ...elements] of [
    ['TELESCOPE_TIMED_GUIDE_NS', 'TIMED_GUIDE_N', 'TIMED_GUIDE_S'],
    ['TELESCOPE_TIMED_GUIDE_WE', 'TIMED_GUIDE_W', 'TIMED_GUIDE_E'],
  ] as const) {
    const numbers = Object.fromEntries(elements.map((element) => [element, [0, 0, 60_000, '%.f'] as const]))
    device.numbers(property, numbers, { group, onNew: (values) => void pulse(property, values) })
  }
}

const homeElements = { find: 'FIND', go: 'GO' } as const

function addHome({ device, isParked, startHoming }: MountBody): void {
  device.switches('TELESCOPE_HOME', { FIND: false, SET: false, GO: false }, 'AtMostOne', {
    onNew(values) {
      if (isParked()) {
        device.say('[WARNING] Please unpark the mount before issuing any motion/sync commands.')
        return device.update('TELESCOPE_HOME', {}, 'Alert', 'the mount is parked')
      }
      if (values[homeElements.find] !== true && values[homeElements.go] !== true) {
        return device.update('TELESCOPE_HOME', { FIND: false, SET: false, GO: false }, 'Ok')
      }
      device.update('TELESCOPE_HOME', values, 'Busy')
      startHoming()
    },
  })
}
