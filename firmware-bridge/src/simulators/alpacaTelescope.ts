import type { Clock } from '../clock.ts'
import { createAxis, invalid } from './alpacaAxis.ts'
import { AlpacaRefusal, refusals, type SimulatedAlpacaDevice } from './alpacaServer.ts'

const siderealHoursPerSecond = 1.00273791 / 3600

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
