/** A mount behind any INDI telescope driver. INDI gives coordinates in hours and degrees of date; here they are ICRS. */
import type { Clock } from '../clock.ts'
import type { IndiClient } from '../indi/client.ts'
import { holds, type Judge, judgeAccepted, judgeValues } from '../indi/command.ts'
import type { Property } from '../indi/properties.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import { type Equatorial, fromIcrs, separationDeg, toIcrs } from './epoch.ts'
import { angleBetweenDeg, cannot, type IndiDevice, openIndiDevice } from './indiDevice.ts'
import { hasGuidePort, sendGuidePulse } from './indiGuidePort.ts'
import { canHome, canMove, goHome, halt, isMovedByHand, moveByHand } from './indiMountMotion.ts'
import type { Capability } from './kinds.ts'
import type { CustomRate, Mount, MountState, PierSide, TrackRate } from './mount.ts'

export interface IndiMountOptions {
  readonly clock: Clock
  /** Told to the driver each time it starts, with the time: without it most drivers assume 0° N 0° E. */
  readonly site?: { readonly latitudeDeg: number; readonly longitudeDeg: number; readonly elevationMetres: number }
}

export const indiMountCard = driverCard('mount', 'INDI', [
  'slew',
  'sync',
  'track',
  'trackRate',
  'park',
  'home',
  'guide',
  'move',
  'pierSide',
  'limits',
  'abort',
])

/** A slew that ends farther away than this has not arrived; finer centring is made on the sky. */
const arrivedDeg = 0.5
const parkMs = 180_000
const homeMs = 300_000
/** A driver may show its old state for a moment after it has taken a command. */
const settleMs = 20_000
/**
 * Drivers that poll their mount (libindi's LX200 family, once a second) show the state of before the command until then:
 * Idle after a goto, and PARK on with Ok while the park has only begun. What was never Busy is believed after this time.
 */
const showMs = 2_500
/** Hour angle of the stars grows by so much per second of time. */
const siderealArcsecPerSecond = 15.041067

/** Drivers give the coordinates of date, of J2000, or both. */
const coordinateProperties = ['EQUATORIAL_EOD_COORD', 'EQUATORIAL_COORD'] as const
const trackModes = {
  sidereal: 'TRACK_SIDEREAL',
  solar: 'TRACK_SOLAR',
  lunar: 'TRACK_LUNAR',
  custom: 'TRACK_CUSTOM',
} as const

export function createIndiMount(client: IndiClient, name: string, options: IndiMountOptions): Mount {
  const { clock, site } = options
  const device = openIndiDevice(client, name)
  let motion = new AbortController()
  const forgetSite = site ? keepSite(device, site, clock) : () => undefined

  const toSky = (property: Property): Equatorial => {
    const here = { raDeg: numberIn(property, 'RA') * 15, decDeg: numberIn(property, 'DEC') }
    return property.name === 'EQUATORIAL_COORD' ? here : toIcrs(here, clock.now())
  }

  /** A command that starts a motion ends the one before. */
  const newMotion = (reason: string): AbortSignal => {
    motion.abort(reason)
    motion = new AbortController()
    return motion.signal
  }

  function state(): MountState {
    const property = coordinates(device)
    const slewing = isSlewing(device)
    const parked = !slewing && device.isOn('TELESCOPE_PARK', 'PARK') === true
    const tracking = device.isOn('TELESCOPE_TRACK_STATE', 'TRACK_ON') ?? property?.state === 'Ok'
    const head = device.head(property?.name === 'EQUATORIAL_COORD' ? 'EQUATORIAL_COORD' : 'EQUATORIAL_EOD_COORD')
    return {
      ...head,
      ...(property ? toSky(property) : { raDeg: Number.NaN, decDeg: Number.NaN }),
      altitudeDeg: device.number('HORIZONTAL_COORD', 'ALT'),
      tracking: tracking && !parked && !slewing,
      parked,
      slewing,
      pierSide: pierSide(device),
      trackRate: trackRate(device),
      fault:
        property?.state === 'Alert' ? (device.words(property.atMs - settleMs) ?? 'the mount reports Alert') : undefined,
    }
  }

  /** Sends a target with what shall happen there. */
  async function sendTarget(
    mode: 'TRACK' | 'SYNC',
    target: Equatorial,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    const property = coordinates(device)
    if (!property) return failure(`${name} is not connected`)
    const choice = await device.set('ON_COORD_SET', { [mode]: true })
    if (!choice.ok) return choice
    const there = property.name === 'EQUATORIAL_COORD' ? target : fromIcrs(target, clock.now())
    const values = { RA: there.raDeg / 15, DEC: there.decDeg }
    const over = new AbortController()
    const look = (): void => client.readBack(name, property.name)
    clock.sleep(showMs, over.signal).then(look, () => undefined)
    try {
      return await client.set(name, property.name, values, { timeoutMs, judge: judgeArrival(target), signal })
    } finally {
      over.abort()
    }
  }

  function judgeArrival(target: Equatorial): Judge {
    const showsAt = clock.monotonic() + showMs
    let moved = false
    return (property) => {
      if (property.state === 'Alert') return { refused: 'the mount reports Alert' }
      if (property.state === 'Busy') {
        moved = true
        return 'wait'
      }
      const missDeg = separationDeg(toSky(property), target)
      if (missDeg <= arrivedDeg) return 'done'
      if (!moved && clock.monotonic() < showsAt) return 'wait'
      return { refused: `the mount stands ${missDeg.toFixed(1)}° from the target` }
    }
  }

  const abortMotion = (): Promise<Outcome> =>
    device.set('TELESCOPE_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted })

  async function park(timeoutMs: number): Promise<Outcome> {
    if (state().parked) return done
    const signal = newMotion('a park was asked for')
    const deadline = clock.monotonic() + timeoutMs
    let moved = false
    const judge: Judge = (property, asked) => {
      if (property.state === 'Busy') moved = true
      return judgeValues(property, asked)
    }
    const outcome = await device.set('TELESCOPE_PARK', { PARK: true }, { timeoutMs, signal, judge })
    if (!outcome.ok || moved) return outcome
    await clock.sleep(showMs, signal).catch(() => undefined)
    await client.waitFor(() => !isSlewing(device) || undefined, deadline - clock.monotonic(), signal)
    if (signal.aborted) return failure(`aborted: ${signal.reason}`)
    return state().parked ? done : failure(`${name} took the park but did not end it`)
  }

  return {
    state,
    can: () => capabilities(device),
    async slew(raDeg, decDeg, timeoutMs) {
      if (!isOnSky(raDeg, decDeg)) return failure('the target is not a place on the sky')
      const signal = newMotion('another slew was asked for')
      const outcome = await sendTarget('TRACK', { raDeg, decDeg }, timeoutMs, signal)
      if (!outcome.ok && !signal.aborted && isSlewing(device)) await abortMotion()
      return outcome
    },
    async sync(raDeg, decDeg) {
      if (!isOnSky(raDeg, decDeg)) return failure('the target is not a place on the sky')
      const outcome = await sendTarget('SYNC', { raDeg, decDeg }, settleMs)
      await device.set('ON_COORD_SET', { TRACK: true })
      return outcome
    },
    track: (on) => device.set('TELESCOPE_TRACK_STATE', { TRACK_ON: on, TRACK_OFF: !on }, { judge: judgeTracking }),
    setTrackRate: (rate, custom) => setTrackRate(device, rate, custom),
    park: (timeoutMs = parkMs) => park(timeoutMs),
    unpark() {
      if (device.has('TELESCOPE_PARK') && !state().parked) return Promise.resolve(done)
      return device.set('TELESCOPE_PARK', { UNPARK: true }, { timeoutMs: settleMs })
    },
    home(timeoutMs = homeMs) {
      if (!canHome(device)) return cannot(device, 'find a home position')
      return goHome(device, timeoutMs, newMotion('home was asked for'))
    },
    guide(direction, milliseconds) {
      if (!hasGuidePort(device)) return cannot(device, 'guide')
      return sendGuidePulse(device, clock, direction, milliseconds)
    },
    move(direction, speed) {
      if (!canMove(device)) return cannot(device, 'be moved by hand')
      newMotion('a movement by hand was asked for')
      return moveByHand(device, direction, speed)
    },
    halt: () => (canMove(device) ? halt(device) : cannot(device, 'be moved by hand')),
    abort() {
      motion.abort('the motion was aborted')
      return abortMotion()
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
      forgetSite()
    },
  }
}

/** Farther than this from our site is another site; a GPS on the mount may know better by less. */
const sameSiteDeg = 0.01
const siteRetryMs = 1_000

/**
 * Tells the site and the time each time the driver starts, and the site again when it takes another one: with a GPS
 * driver on the same server libindi 1.9.9 takes the GPS's place over ours, also in mid-slew (measured: 21° off). Returns
 * what ends that.
 */
function keepSite(device: IndiDevice, site: NonNullable<IndiMountOptions['site']>, clock: Clock): () => void {
  const place = { LAT: site.latitudeDeg, LONG: (site.longitudeDeg + 360) % 360, ELEV: site.elevationMetres }
  let toldAt = Number.NEGATIVE_INFINITY
  device.want('GEOGRAPHIC_COORD', place)
  device.want('TIME_UTC', () => ({ UTC: new Date(clock.now()).toISOString().slice(0, 19), OFFSET: '0' }))
  const isElsewhere = (): boolean =>
    Math.abs((device.number('GEOGRAPHIC_COORD', 'LAT') ?? place.LAT) - place.LAT) > sameSiteDeg ||
    angleBetweenDeg(device.number('GEOGRAPHIC_COORD', 'LONG') ?? place.LONG, place.LONG) > sameSiteDeg
  return device.client.listen((event) => {
    if (event.type !== 'updated' || event.device !== device.name || event.name !== 'GEOGRAPHIC_COORD') return
    if (!isElsewhere() || clock.monotonic() - toldAt < siteRetryMs) return
    toldAt = clock.monotonic()
    void device.set('GEOGRAPHIC_COORD', place, { keep: true })
  })
}

const coordinates = (device: IndiDevice): Property | undefined =>
  coordinateProperties.map((name) => device.property(name)).find((found) => found)

const numberIn = (property: Property, element: string): number =>
  (property.kind === 'number' ? property.elements.find((item) => item.name === element)?.value : undefined) ??
  Number.NaN

const isSlewing = (device: IndiDevice): boolean =>
  coordinates(device)?.state === 'Busy' ||
  device.isBusy('TELESCOPE_PARK') ||
  device.isBusy('TELESCOPE_HOME') ||
  isMovedByHand(device)

function capabilities(device: IndiDevice): ReadonlySet<Capability<'mount'>> {
  const can = new Set<Capability<'mount'>>()
  const add = (capability: Capability<'mount'>, when: boolean): unknown => when && can.add(capability)
  add('slew', coordinates(device) !== undefined && device.has('ON_COORD_SET'))
  add('sync', device.has('ON_COORD_SET', 'SYNC'))
  add('track', device.has('TELESCOPE_TRACK_STATE'))
  add('trackRate', device.has('TELESCOPE_TRACK_MODE'))
  add('park', device.has('TELESCOPE_PARK'))
  add('home', canHome(device))
  add('guide', hasGuidePort(device))
  add('move', canMove(device))
  add('pierSide', device.has('TELESCOPE_PIER_SIDE'))
  add('limits', hasLimits(device))
  add('abort', device.has('TELESCOPE_ABORT_MOTION'))
  return can
}

/** Each driver names its limits in its own way: HORIZONLIMITS… of EQMod, `Slew elevation Limit` of LX200 drivers. */
const hasLimits = (device: IndiDevice): boolean =>
  [...(device.client.state.devices.get(device.name)?.keys() ?? [])].some((name) => /limit/i.test(name))

const isOnSky = (raDeg: number, decDeg: number): boolean => Number.isFinite(raDeg) && Math.abs(decDeg) <= 90

/** Tracking drivers stay Busy while they track: only the switches tell. */
const judgeTracking: Judge = (property, asked) =>
  property.state === 'Alert' ? { refused: 'the mount reports Alert' } : judgeValues({ ...property, state: 'Ok' }, asked)

async function setTrackRate(device: IndiDevice, rate: TrackRate, custom?: CustomRate): Promise<Outcome> {
  if (!device.has('TELESCOPE_TRACK_MODE', trackModes[rate])) return cannot(device, `track at the ${rate} rate`)
  if (rate === 'custom') {
    if (!custom) return failure('a custom track rate needs its speeds')
    // INDI gives the speed of the axes: the hour angle grows more slowly when the target moves east.
    const rates = {
      TRACK_RATE_RA: siderealArcsecPerSecond - custom.raArcsecPerSecond,
      TRACK_RATE_DE: custom.decArcsecPerSecond,
    }
    const outcome = await device.set('TELESCOPE_TRACK_RATE', rates, { judge: judgeHeld })
    if (!outcome.ok) return outcome
  }
  return device.set('TELESCOPE_TRACK_MODE', { [trackModes[rate]]: true }, { keep: true })
}

/** A rate that is taken while nothing tracks may leave the property Idle or Busy: the values tell. */
const judgeHeld: Judge = (property, asked) =>
  property.state !== 'Alert' && holds(property, asked) ? 'done' : judgeValues(property, asked)

function trackRate(device: IndiDevice): TrackRate | undefined {
  const rates = Object.keys(trackModes) as TrackRate[]
  return rates.find((rate) => device.isOn('TELESCOPE_TRACK_MODE', trackModes[rate]))
}

function pierSide(device: IndiDevice): PierSide {
  if (device.isOn('TELESCOPE_PIER_SIDE', 'PIER_EAST')) return 'east'
  return device.isOn('TELESCOPE_PIER_SIDE', 'PIER_WEST') ? 'west' : 'unknown'
}
