/** A mount behind any INDI telescope driver. INDI gives coordinates in hours and degrees of date; here they are ICRS. */
import type { Clock } from '../clock.ts'
import type { IndiClient } from '../indi/client.ts'
import { type Judge, judgeAccepted, judgeValues } from '../indi/command.ts'
import { findNumber, findProperty, findSwitch, type Property } from '../indi/properties.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { type Equatorial, fromIcrs, separationDeg, toIcrs } from './epoch.ts'
import type { Mount, MountState, PierSide } from './mount.ts'

export interface IndiMountOptions {
  readonly clock: Clock
  /** Told to the driver each time it starts, with the time: without it most drivers assume 0° N 0° E. */
  readonly site?: { readonly latitudeDeg: number; readonly longitudeDeg: number; readonly elevationMetres: number }
}

/** A slew that ends farther away than this has not arrived; finer centring is made on the sky. */
const arrivedDeg = 0.5
const parkMs = 180_000
/** A driver may show its old state for a moment after it has taken a command. */
const settleMs = 20_000

/** Drivers give the coordinates of date, of J2000, or both. */
const coordinateProperties = ['EQUATORIAL_EOD_COORD', 'EQUATORIAL_COORD'] as const

export function createIndiMount(client: IndiClient, device: string, options: IndiMountOptions): Mount {
  const { clock, site } = options
  let motion = new AbortController()

  void client.connectDevice(device)
  if (site) {
    client.want(device, 'GEOGRAPHIC_COORD', {
      LAT: site.latitudeDeg,
      LONG: (site.longitudeDeg + 360) % 360,
      ELEV: site.elevationMetres,
    })
    client.want(device, 'TIME_UTC', () => ({ UTC: new Date(clock.now()).toISOString().slice(0, 19), OFFSET: '0' }))
  }

  const coordinates = (): Property | undefined =>
    coordinateProperties.map((name) => findProperty(client.state, device, name)).find((found) => found)

  const toSky = (property: Property): Equatorial => {
    const here = {
      raDeg: (findNumber(client.state, device, property.name, 'RA') ?? Number.NaN) * 15,
      decDeg: findNumber(client.state, device, property.name, 'DEC') ?? Number.NaN,
    }
    return property.name === 'EQUATORIAL_COORD' ? here : toIcrs(here, clock.now())
  }

  /** A command that starts a motion ends the one before. */
  const newMotion = (reason: string): AbortSignal => {
    motion.abort(reason)
    motion = new AbortController()
    return motion.signal
  }

  const isSlewing = (): boolean =>
    coordinates()?.state === 'Busy' || findProperty(client.state, device, 'TELESCOPE_PARK')?.state === 'Busy'

  function state(): MountState {
    const connected = findSwitch(client.state, device, 'CONNECTION', 'CONNECT') === true && client.open
    const property = coordinates()
    const parkBusy = findProperty(client.state, device, 'TELESCOPE_PARK')?.state === 'Busy'
    const parked = !parkBusy && findSwitch(client.state, device, 'TELESCOPE_PARK', 'PARK') === true
    const slewing = isSlewing()
    const tracking = findSwitch(client.state, device, 'TELESCOPE_TRACK_STATE', 'TRACK_ON') ?? property?.state === 'Ok'
    return {
      source: `INDI ${device}`,
      atMs: client.heardAtMs(device),
      connected: connected && property !== undefined,
      ...(property ? toSky(property) : { raDeg: Number.NaN, decDeg: Number.NaN }),
      altitudeDeg: findNumber(client.state, device, 'HORIZONTAL_COORD', 'ALT'),
      tracking: tracking && !parked && !slewing,
      parked,
      slewing,
      pierSide: pierSide(client, device),
    }
  }

  /** Sends a target with what shall happen there. */
  async function sendTarget(
    mode: 'TRACK' | 'SYNC',
    target: Equatorial,
    judge: Judge,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    const property = coordinates()
    if (!property) return failure(`${device} is not connected`)
    const choice = await client.set(device, 'ON_COORD_SET', { [mode]: true })
    if (!choice.ok) return choice
    const there = property.name === 'EQUATORIAL_COORD' ? target : fromIcrs(target, clock.now())
    const values = { RA: there.raDeg / 15, DEC: there.decDeg }
    return client.set(device, property.name, values, { timeoutMs, judge, signal })
  }

  const judgeArrival =
    (target: Equatorial): Judge =>
    (property) => {
      if (property.state === 'Alert') return { refused: 'the mount reports Alert' }
      if (property.state === 'Busy') return 'wait'
      const missDeg = separationDeg(toSky(property), target)
      if (missDeg <= arrivedDeg) return 'done'
      return { refused: `the mount stands ${missDeg.toFixed(1)}° from the target` }
    }

  const abortMotion = (): Promise<Outcome> =>
    client.set(device, 'TELESCOPE_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted })

  async function park(timeoutMs: number): Promise<Outcome> {
    if (state().parked) return done
    const signal = newMotion('a park was asked for')
    return client.set(device, 'TELESCOPE_PARK', { PARK: true }, { timeoutMs, signal })
  }

  return {
    state,
    async slew(raDeg, decDeg, timeoutMs) {
      if (!isOnSky(raDeg, decDeg)) return failure('the target is not a place on the sky')
      const signal = newMotion('another slew was asked for')
      const target = { raDeg, decDeg }
      const outcome = await sendTarget('TRACK', target, judgeArrival(target), timeoutMs, signal)
      if (!outcome.ok && !signal.aborted && isSlewing()) await abortMotion()
      return outcome
    },
    async sync(raDeg, decDeg) {
      if (!isOnSky(raDeg, decDeg)) return failure('the target is not a place on the sky')
      const target = { raDeg, decDeg }
      const outcome = await sendTarget('SYNC', target, judgeArrival(target), settleMs)
      await client.set(device, 'ON_COORD_SET', { TRACK: true })
      return outcome
    },
    track: (on) =>
      client.set(device, 'TELESCOPE_TRACK_STATE', { TRACK_ON: on, TRACK_OFF: !on }, { judge: judgeTracking }),
    park: (timeoutMs = parkMs) => park(timeoutMs),
    unpark() {
      if (findProperty(client.state, device, 'TELESCOPE_PARK') && !state().parked) return Promise.resolve(done)
      return client.set(device, 'TELESCOPE_PARK', { UNPARK: true }, { timeoutMs: settleMs })
    },
    abort() {
      motion.abort('the motion was aborted')
      return abortMotion()
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
    },
  }
}

const isOnSky = (raDeg: number, decDeg: number): boolean => Number.isFinite(raDeg) && Math.abs(decDeg) <= 90

/** Tracking drivers stay Busy while they track: only the switches tell. */
const judgeTracking: Judge = (property, asked) =>
  property.state === 'Alert' ? { refused: 'the mount reports Alert' } : judgeValues({ ...property, state: 'Ok' }, asked)

function pierSide(client: IndiClient, device: string): PierSide {
  if (findSwitch(client.state, device, 'TELESCOPE_PIER_SIDE', 'PIER_EAST')) return 'east'
  return findSwitch(client.state, device, 'TELESCOPE_PIER_SIDE', 'PIER_WEST') ? 'west' : 'unknown'
}
