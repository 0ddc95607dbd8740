import type { Clock } from '../clock.ts'
import { toIcrs } from '../devices/epoch.ts'
import type { Random } from '../random.ts'
import { SimulatedDevice } from './device.ts'
import { addMountControls } from './mountControls.ts'

export interface SimulatedMountOptions {
  readonly clock: Clock
  readonly random: Random
  readonly site: { readonly latitudeDeg: number; readonly longitudeDeg: number; readonly elevationMetres: number }
  readonly name?: string
  readonly slewDegPerSecond?: number
  /** 1 σ of where a slew really ends, per axis. */
  readonly pointingErrorArcsec?: number
  /** From the end of the motion until the mount says Ok. */
  readonly settleMs?: number
  /** It refuses to slew below this altitude, as some mounts do; without it the mount goes anywhere. */
  readonly horizonLimitDeg?: number
}

/** Where the telescope really looks, J2000 degrees. */
export interface TruePointing {
  readonly raDeg: number
  readonly decDeg: number
  readonly tracking: boolean
  readonly slewing: boolean
  readonly parked: boolean
  /** Where the mount believes it looks; a camera's driver writes this into the header. */
  readonly believed: { readonly raDeg: number; readonly decDeg: number }
}

export interface SimulatedMount {
  readonly device: SimulatedDevice
  pointing(): TruePointing
  /** Moves the telescope until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

/** Rotation of the Earth against the stars, degrees per second. */
const siderealDegPerSecond = 360 / 86_164.0905
const slewStepMs = 250
const idleStepMs = 1_000

/** A German mount with Debian's telescope simulator's properties. Angles inside are of date, degrees. */
export function createSimulatedMount(options: SimulatedMountOptions): SimulatedMount {
  const { clock, random, site, name = 'Telescope Simulator', slewDegPerSecond = 6 } = options
  const { pointingErrorArcsec = 20, settleMs = 500 } = options
  const park = {
    raDeg: () => siderealDeg(clock.now(), site.longitudeDeg) + 90,
    decDeg: Math.sign(site.latitudeDeg || 1) * 90,
  }
  let here = { raDeg: mod(park.raDeg(), 360), decDeg: park.decDeg }
  let error = { raDeg: 0, decDeg: 0 }
  let target: { raDeg: number; decDeg: number } | undefined
  let stillSinceMs: number | undefined
  let [parked, tracking, parking, homing] = [true, false, false, false]
  let updatedAtMs = clock.now()
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_telescope', interface: 5 }, () => undefined)

  const controls = addMountControls({
    device,
    clock,
    slewDegPerSecond,
    isParked: () => parked,
    shift(raDeg, decDeg) {
      here = { raDeg: mod(here.raDeg + raDeg, 360), decDeg: Math.max(-90, Math.min(90, here.decDeg + decDeg)) }
    },
    startHoming() {
      homing = true
      setTracking(false)
      goTo({ raDeg: mod(park.raDeg(), 360), decDeg: park.decDeg })
    },
  })

  const on = (element: string, all: readonly string[]): Record<string, boolean> =>
    Object.fromEntries(all.map((item) => [item, item === element]))
  const trackSwitches = ['TRACK_ON', 'TRACK_OFF']
  const parkSwitches = ['PARK', 'UNPARK']

  function setTracking(value: boolean): void {
    tracking = value
    device.update('TELESCOPE_TRACK_STATE', on(value ? 'TRACK_ON' : 'TRACK_OFF', trackSwitches), value ? 'Busy' : 'Idle')
  }

  function tellPosition(state: 'Idle' | 'Ok' | 'Busy' | 'Alert', message?: string): void {
    device.update('EQUATORIAL_EOD_COORD', { RA: here.raDeg / 15, DEC: here.decDeg }, state, message)
  }

  function goto(raHours: number, decDeg: number): void {
    if (parked) {
      device.say('[WARNING] Please unpark the mount before issuing any motion/sync commands.')
      return tellPosition('Idle')
    }
    const wanted = { raDeg: mod(raHours * 15, 360), decDeg }
    if (device.chosen('ON_COORD_SET') === 'SYNC') {
      // The telescope stays where it looks; only what the mount believes changes.
      error = {
        raDeg: mod(here.raDeg + error.raDeg - wanted.raDeg + 180, 360) - 180,
        decDeg: here.decDeg + error.decDeg - wanted.decDeg,
      }
      here = wanted
      return tellPosition('Ok', '[INFO] Sync is successful.')
    }
    if (isBelowLimit(wanted)) return tellPosition('Alert', '[ERROR] Goto outside Horizon Limits.')
    controls.stop()
    homing = false
    goTo(wanted)
  }

  function goTo(wanted: { raDeg: number; decDeg: number }): void {
    target = wanted
    stillSinceMs = undefined
    device.update('TARGET_EOD_COORD', { RA: wanted.raDeg / 15, DEC: wanted.decDeg }, 'Busy')
    tellPosition('Busy')
  }

  function isBelowLimit(place: { raDeg: number; decDeg: number }): boolean {
    if (options.horizonLimitDeg === undefined) return false
    const hourAngle = radians(siderealDeg(clock.now(), site.longitudeDeg) - place.raDeg)
    const [dec, latitude] = [radians(place.decDeg), radians(site.latitudeDeg)]
    const sine = Math.sin(dec) * Math.sin(latitude) + Math.cos(dec) * Math.cos(latitude) * Math.cos(hourAngle)
    return sine < Math.sin(radians(device.number('HORIZON_LIMIT', 'ALTITUDE')))
  }

  function arrive(): void {
    target = undefined
    const sigma = pointingErrorArcsec / 3600
    const scale = Math.max(0.05, Math.cos((here.decDeg * Math.PI) / 180))
    error = { raDeg: (sigma * random.normal()) / scale, decDeg: sigma * random.normal() }
    if (parking) {
      parking = false
      parked = true
      error = { raDeg: 0, decDeg: 0 }
      setTracking(false)
      device.update('TELESCOPE_PARK', on('PARK', parkSwitches), 'Ok', '[INFO] Mount is parked.')
      return tellPosition('Idle')
    }
    if (homing) {
      homing = false
      controls.homed()
    } else setTracking(device.chosen('ON_COORD_SET') !== 'SLEW')
    device.update('TARGET_EOD_COORD', {}, 'Ok')
    device.update('TELESCOPE_PIER_SIDE', on(pierSide(), ['PIER_WEST', 'PIER_EAST']), 'Ok')
    tellPosition('Ok')
  }

  /** Looking east of the meridian from the west side of the pier, and the other way round. */
  function pierSide(): string {
    const hourAngleDeg = mod(siderealDeg(clock.now(), site.longitudeDeg) - here.raDeg + 180, 360) - 180
    return hourAngleDeg < 0 ? 'PIER_WEST' : 'PIER_EAST'
  }

  function abort(): void {
    target = undefined
    parking = false
    homing = false
    controls.stop()
    device.update('TELESCOPE_ABORT_MOTION', { ABORT: false }, 'Ok')
    tellPosition('Ok')
  }

  function setPark(wanted: boolean): void {
    if (!wanted) {
      parked = false
      parking = false
      device.update('TELESCOPE_PARK', on('UNPARK', parkSwitches), 'Ok')
      return setTracking(false)
    }
    if (parked) return device.update('TELESCOPE_PARK', on('PARK', parkSwitches), 'Ok')
    parking = true
    homing = false
    controls.stop()
    setTracking(false)
    stillSinceMs = undefined
    target = { raDeg: mod(park.raDeg(), 360), decDeg: park.decDeg }
    device.update('TELESCOPE_PARK', on('PARK', parkSwitches), 'Busy')
    tellPosition('Busy')
  }

  /** A mount that neither tracks nor slews is carried along by the Earth. */
  function step(): void {
    const seconds = (clock.now() - updatedAtMs) / 1000
    updatedAtMs = clock.now()
    if (target) {
      const left = slewDegPerSecond * seconds
      const dRa = mod(target.raDeg - here.raDeg + 180, 360) - 180
      const dDec = target.decDeg - here.decDeg
      if (Math.abs(dRa) <= left && Math.abs(dDec) <= left) {
        here = target
        stillSinceMs ??= clock.now()
        return clock.now() - stillSinceMs < settleMs ? tellPosition('Busy') : arrive()
      }
      here = { raDeg: mod(here.raDeg + clamp(dRa, left), 360), decDeg: here.decDeg + clamp(dDec, left) }
      return tellPosition('Busy')
    }
    const hand = controls.handDegPerSecond()
    if (hand) {
      here = {
        raDeg: mod(here.raDeg + hand.ra * seconds, 360),
        decDeg: Math.max(-90, Math.min(90, here.decDeg + hand.dec * seconds)),
      }
      return tellPosition('Busy')
    }
    const drift = tracking ? controls.driftDegPerSecond() : { ra: siderealDegPerSecond, dec: 0 }
    here = { raDeg: mod(here.raDeg + drift.ra * seconds, 360), decDeg: here.decDeg + drift.dec * seconds }
    if (device.connected) tellPosition(tracking ? 'Ok' : 'Idle')
  }

  device.switches('ON_COORD_SET', { TRACK: true, SLEW: false, SYNC: false }, 'OneOfMany', {
    onNew: (values) => device.update('ON_COORD_SET', values),
  })
  device.numbers(
    'EQUATORIAL_EOD_COORD',
    { RA: [here.raDeg / 15, 0, 24, '%010.6m'], DEC: [here.decDeg, -90, 90, '%010.6m'] },
    {
      onNew: (values) => {
        if (values['RA'] !== undefined && values['DEC'] !== undefined) goto(values['RA'], values['DEC'])
      },
    },
  )
  device.numbers('TARGET_EOD_COORD', { RA: [0, 0, 24, '%010.6m'], DEC: [0, -90, 90, '%010.6m'] }, { permission: 'ro' })
  device.switches('TELESCOPE_ABORT_MOTION', { ABORT: false }, 'AtMostOne', { onNew: abort })
  device.switches('TELESCOPE_TRACK_STATE', on('TRACK_OFF', trackSwitches), 'OneOfMany', {
    onNew: (values) => setTracking(values['TRACK_ON'] === true && !parked),
  })
  device.switches('TELESCOPE_PARK', on('PARK', parkSwitches), 'OneOfMany', {
    state: 'Ok',
    onNew: (values) => setPark(values['PARK'] === true),
  })
  device.switches('TELESCOPE_PIER_SIDE', { PIER_WEST: true, PIER_EAST: false }, 'AtMostOne', { permission: 'ro' })
  if (options.horizonLimitDeg !== undefined) {
    device.numbers(
      'HORIZON_LIMIT',
      { ALTITUDE: [options.horizonLimitDeg, -90, 90] },
      { group: 'Site Management', onNew: (values) => device.update('HORIZON_LIMIT', values) },
    )
  }
  device.numbers(
    'GEOGRAPHIC_COORD',
    {
      LAT: [site.latitudeDeg, -90, 90, '%012.8m'],
      LONG: [mod(site.longitudeDeg, 360), 0, 360, '%012.8m'],
      ELEV: [site.elevationMetres, -200, 10000],
    },
    { group: 'Site Management', onNew: (values) => device.update('GEOGRAPHIC_COORD', values) },
  )
  device.texts(
    'TIME_UTC',
    { UTC: new Date(clock.now()).toISOString().slice(0, 19), OFFSET: '0' },
    {
      group: 'Site Management',
      onNew: (values) => device.update('TIME_UTC', values),
    },
  )
  device.numbers(
    'TELESCOPE_INFO',
    {
      TELESCOPE_APERTURE: [100, 10, 5000],
      TELESCOPE_FOCAL_LENGTH: [400, 10, 10000],
      GUIDER_APERTURE: [100, 10, 5000],
      GUIDER_FOCAL_LENGTH: [400, 10, 10000],
    },
    { group: 'Options', onNew: (values) => device.update('TELESCOPE_INFO', values) },
  )

  return {
    device,
    pointing() {
      const trueHere = {
        raDeg: here.raDeg + error.raDeg,
        decDeg: Math.max(-90, Math.min(90, here.decDeg + error.decDeg)),
      }
      const believed = toIcrs(here, clock.now())
      return {
        ...toIcrs(trueHere, clock.now()),
        believed,
        tracking,
        slewing: target !== undefined || controls.handDegPerSecond() !== undefined,
        parked,
      }
    },
    async run(signal) {
      while (!signal.aborted) {
        await clock
          .sleep(target || controls.handDegPerSecond() ? slewStepMs : idleStepMs, signal)
          .catch(() => undefined)
        if (!signal.aborted) step()
      }
    },
  }
}

const mod = (value: number, by: number): number => ((value % by) + by) % by
const radians = (deg: number): number => (deg * Math.PI) / 180
const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value))

/** Mean sidereal time, degrees (Meeus, Astronomical Algorithms, eq. 12.4, without the terms below 0.1″ a century). */
function siderealDeg(atMs: number, longitudeDeg: number): number {
  const days = (atMs - 946_728_000_000) / 86_400_000
  return mod(280.46061837 + 360.98564736629 * days + longitudeDeg, 360)
}
