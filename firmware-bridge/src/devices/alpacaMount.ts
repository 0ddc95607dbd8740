/** A mount behind an ASCOM Alpaca telescope. Alpaca gives hours and degrees of the mount's own equinox; here they are ICRS. */
import { type AlpacaDeviceOptions, commonState, createAlpacaDevice, type Verdict } from '../alpaca/device.ts'
import { failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import { type Equatorial, fromIcrs, separationDeg, toIcrs } from './epoch.ts'
import type { Capability } from './kinds.ts'
import type { Direction, Mount, PierSide, TrackRate } from './mount.ts'

/** No `move`: ASCOM does not say which sign of a MoveAxis rate is east. */
export const alpacaMountCard = driverCard('mount', 'Alpaca', [
  'slew',
  'sync',
  'track',
  'trackRate',
  'park',
  'home',
  'guide',
  'pierSide',
  'abort',
])

/** A slew that ends farther away than this has not arrived; finer centring is made on the sky. */
const arrivedDeg = 0.5
const parkMs = 300_000
const homeMs = 300_000
const settleMs = 20_000
/** What `equatorialsystem` says: ITelescope, EquatorialCoordinateType. */
const systems = { other: 0, topocentric: 1, j2000: 2 } as const
/** ITelescope, DriveRates. */
const rates: Readonly<Record<Exclude<TrackRate, 'custom'>, number>> = { sidereal: 0, lunar: 1, solar: 2 }
/** ITelescope, GuideDirections. */
const directions: Readonly<Record<Direction, number>> = { north: 0, south: 1, east: 2, west: 3 }
/** RightAscensionRate is per sidereal second: ITelescope, RightAscensionRate. */
const siderealSecondSeconds = 0.9972695677

const fixed = [
  'equatorialsystem',
  'canslewasync',
  'cansync',
  'cansettracking',
  'canpark',
  'canunpark',
  'canfindhome',
  'canpulseguide',
  'cansetrightascensionrate',
  'cansetdeclinationrate',
]
const changing = [
  'rightascension',
  'declination',
  'altitude',
  'tracking',
  'slewing',
  'atpark',
  'athome',
  'sideofpier',
  'trackingrate',
  'rightascensionrate',
  'declinationrate',
  'ispulseguiding',
]

export function createAlpacaMount(options: AlpacaDeviceOptions): Mount {
  const { clock } = options
  const device = createAlpacaDevice('telescope', { fixed, changing }, options)
  let motion = new AbortController()

  const newMotion = (reason: string): AbortSignal => {
    motion.abort(reason)
    motion = new AbortController()
    return motion.signal
  }

  const isJ2000 = (): boolean => device.number('equatorialsystem') === systems.j2000
  /** Most mounts that answer `other` count in coordinates of date. */
  const isKnownSystem = (): boolean => (device.number('equatorialsystem') ?? systems.topocentric) <= systems.j2000

  function pointing(): Equatorial {
    const hours = device.number('rightascension')
    const decDeg = device.number('declination')
    if (hours === undefined || decDeg === undefined || !isKnownSystem()) {
      return { raDeg: Number.NaN, decDeg: Number.NaN }
    }
    const there = { raDeg: hours * 15, decDeg }
    return isJ2000() ? there : toIcrs(there, clock.now())
  }

  const toMount = (target: Equatorial): { RightAscension: number; Declination: number } => {
    const there = isJ2000() ? target : fromIcrs(target, clock.now())
    return { RightAscension: (((there.raDeg / 15) % 24) + 24) % 24, Declination: there.decDeg }
  }

  function arrival(target: Equatorial): Verdict {
    if (device.boolean('slewing') !== false) return 'wait'
    const missDeg = separationDeg(pointing(), target)
    if (missDeg <= arrivedDeg) return 'done'
    return { failed: `the mount stands ${missDeg.toFixed(1)}° from the target` }
  }

  const refuseTarget = (raDeg: number, decDeg: number): string | undefined => {
    if (!Number.isFinite(raDeg) || !(Math.abs(decDeg) <= 90)) return 'the target is not a place on the sky'
    return isKnownSystem() ? undefined : 'the mount counts in an equinox that we do not know'
  }

  async function slew(raDeg: number, decDeg: number, timeoutMs: number): Promise<Outcome> {
    const refused = refuseTarget(raDeg, decDeg)
    if (refused !== undefined) return failure(refused)
    const signal = newMotion('another slew was asked for')
    // ASCOM refuses a slew to equatorial coordinates while tracking is off.
    if (device.boolean('tracking') === false && device.boolean('cansettracking') === true) {
      const tracking = await device.command('tracking', { Tracking: true })
      if (!tracking.ok) return tracking
    }
    const target = { raDeg, decDeg }
    const taken = await device.command('slewtocoordinatesasync', toMount(target))
    if (!taken.ok) return taken
    const outcome = await device.until(() => arrival(target), timeoutMs, signal)
    if (!outcome.ok && !signal.aborted && device.boolean('slewing') === true) await device.command('abortslew')
    return outcome
  }

  /** Older drivers answer only when they have arrived, so the command may take as long as the motion. */
  async function moveTo(command: string, arrived: string, reason: string, timeoutMs: number): Promise<Outcome> {
    if (device.boolean(arrived) === true) return { ok: true }
    const signal = newMotion(reason)
    const taken = await device.command(command, {}, timeoutMs)
    if (!taken.ok) return taken
    const judge = (): Verdict => {
      if (device.boolean(arrived) === true) return 'done'
      return 'wait'
    }
    return device.until(judge, timeoutMs, signal)
  }

  const untilFlag = async (taken: Outcome, member: string, wanted: boolean): Promise<Outcome> =>
    taken.ok ? device.until(() => (device.boolean(member) === wanted ? 'done' : 'wait'), settleMs) : taken

  return {
    state() {
      const slewing = device.boolean('slewing') === true
      const parked = device.boolean('atpark') === true
      return {
        ...commonState(device),
        ...pointing(),
        altitudeDeg: device.number('altitude'),
        tracking: device.boolean('tracking') === true && !parked && !slewing,
        parked,
        slewing,
        pierSide: readPierSide(device.number('sideofpier')),
        trackRate: readRate(device.number('trackingrate'), [
          device.number('rightascensionrate') ?? 0,
          device.number('declinationrate') ?? 0,
        ]),
        atHome: device.boolean('athome'),
      }
    },
    can() {
      const able = new Set<Capability<'mount'>>()
      if (device.boolean('canslewasync')) able.add('slew').add('abort')
      if (device.boolean('cansync')) able.add('sync')
      if (device.boolean('cansettracking')) able.add('track')
      if (device.number('trackingrate') !== undefined) able.add('trackRate')
      if (device.boolean('canpark') && device.boolean('canunpark')) able.add('park')
      if (device.boolean('canfindhome')) able.add('home')
      if (device.boolean('canpulseguide')) able.add('guide')
      if (device.number('sideofpier') !== undefined) able.add('pierSide')
      return able
    },
    slew,
    async sync(raDeg, decDeg) {
      const refused = refuseTarget(raDeg, decDeg)
      if (refused !== undefined) return failure(refused)
      const target = { raDeg, decDeg }
      const taken = await device.command('synctocoordinates', toMount(target))
      return taken.ok ? device.until(() => arrival(target), settleMs) : taken
    },
    track: async (on) => untilFlag(await device.command('tracking', { Tracking: on }), 'tracking', on),
    park: (timeoutMs = parkMs) => moveTo('park', 'atpark', 'a park was asked for', timeoutMs),
    unpark: async () => untilFlag(await device.command('unpark'), 'atpark', false),
    async setTrackRate(rate, custom) {
      if (rate !== 'custom') {
        const steady = await setOffsets(0, 0)
        if (!steady.ok) return steady
        const taken = await device.command('trackingrate', { TrackingRate: rates[rate] })
        if (!taken.ok) return taken
        return device.until(() => (device.number('trackingrate') === rates[rate] ? 'done' : 'wait'), settleMs)
      }
      if (!custom) return failure('a custom rate needs its numbers')
      const taken = await device.command('trackingrate', { TrackingRate: rates.sidereal })
      if (!taken.ok) return taken
      return setOffsets((custom.raArcsecPerSecond / 15) * siderealSecondSeconds, custom.decArcsecPerSecond)
    },
    home: (timeoutMs = homeMs) => moveTo('findhome', 'athome', 'homing was asked for', timeoutMs),
    async guide(direction, milliseconds) {
      const duration = Math.round(milliseconds)
      const parameters = { Direction: directions[direction], Duration: duration }
      // Drivers may answer at once or at the end of the pulse.
      const taken = await device.command('pulseguide', parameters, settleMs + duration)
      if (!taken.ok) return taken
      return device.until(() => (device.boolean('ispulseguiding') === true ? 'wait' : 'done'), settleMs + duration)
    },
    move: async () => failure('Alpaca does not say which way a mount moves by hand'),
    halt: async () => failure('Alpaca mounts are not moved by hand from here'),
    async abort() {
      motion.abort('the motion was aborted')
      return untilFlag(await device.command('abortslew'), 'slewing', false)
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
      await device[Symbol.asyncDispose]()
    },
  }

  /** Only sent where the mount can; without them a zero is what there is. */
  async function setOffsets(ra: number, dec: number): Promise<Outcome> {
    const able = device.boolean('cansetrightascensionrate') && device.boolean('cansetdeclinationrate')
    if (!able) return ra === 0 && dec === 0 ? { ok: true } : failure('the mount has no custom rates')
    const first = await device.command('rightascensionrate', { RightAscensionRate: ra })
    return first.ok ? device.command('declinationrate', { DeclinationRate: dec }) : first
  }
}

/** ITelescope, PierSide: 0 east, 1 west, −1 unknown. */
const readPierSide = (value: number | undefined): PierSide => (value === 0 ? 'east' : value === 1 ? 'west' : 'unknown')

function readRate(value: number | undefined, offsets: readonly number[]): TrackRate | undefined {
  if (value === undefined) return undefined
  if (offsets.some((offset) => offset !== 0)) return 'custom'
  return (Object.keys(rates) as (keyof typeof rates)[]).find((rate) => rates[rate] === value)
}
