/** How the simulated LX200 mount moves: two axes, hour angle and declination, worked out whenever somebody asks. */
import { siderealArcsecPerSecond } from '../lx200/commands.ts'

const radians = Math.PI / 180
/** A slew is followed in steps of this length; a target that moves with the sky is caught to its last arcsecond. */
const stepSeconds = 0.1
const mostSteps = 36_000

export const mod = (value: number, by: number): number => ((value % by) + by) % by
/** Into [-180, 180). */
export const around = (degrees: number): number => mod(degrees + 180, 360) - 180

/** Mean sidereal time, degrees (Meeus 1998, eq. 12.4). Longitude in degrees, east positive. */
export function siderealDeg(atMs: number, longitudeDeg: number): number {
  const days = (atMs - 946_728_000_000) / 86_400_000
  return mod(280.46061837 + 360.98564736629 * days + longitudeDeg, 360)
}

/** Altitude in degrees (Meeus eq. 13.6). */
export function altitudeDeg(haDeg: number, decDeg: number, latitudeDeg: number): number {
  const [h, d, f] = [haDeg * radians, decDeg * radians, latitudeDeg * radians]
  const sine = Math.sin(f) * Math.sin(d) + Math.cos(f) * Math.cos(d) * Math.cos(h)
  return Math.asin(Math.max(-1, Math.min(1, sine))) / radians
}

/** Azimuth in degrees, from north through east (Meeus eq. 13.5, turned by 180°). */
export function azimuthDeg(haDeg: number, decDeg: number, latitudeDeg: number): number {
  const [h, d, f] = [haDeg * radians, decDeg * radians, latitudeDeg * radians]
  return mod(Math.atan2(Math.sin(h), Math.cos(h) * Math.sin(f) - Math.tan(d) * Math.cos(f)) / radians + 180, 360)
}

export interface Axes {
  /** Hour angle, degrees in [-180, 180). */
  readonly haDeg: number
  readonly decDeg: number
}

export interface Target extends Axes {
  /** The sky's targets keep their RA; park and home stand still. */
  readonly follows: 'sky' | 'ground'
}

/** Speeds by hand, degrees per second, north and east positive. */
export interface Drive {
  readonly east: number
  readonly north: number
}

export interface Moved extends Axes {
  readonly target: Target | undefined
}

/**
 * Where the axes stand `seconds` later: on the way to a target at `slewDegPerSecond`, or tracking at `trackRate` (1 is the
 * stars' rate, 0 off) with the speeds of a hand on top.
 */
export function advance(
  from: Moved,
  seconds: number,
  speeds: { readonly slewDegPerSecond: number; readonly trackRate: number; readonly hand: Drive },
): Moved {
  const sidereal = siderealArcsecPerSecond / 3600
  let { haDeg, decDeg, target } = from
  let left = Math.max(0, seconds)
  for (let n = 0; target && left > 0 && n < mostSteps; n++) {
    const dt = Math.min(stepSeconds, left)
    left -= dt
    const wanted: Target =
      target.follows === 'sky' ? { ...target, haDeg: around(target.haDeg + sidereal * dt) } : target
    const reach = speeds.slewDegPerSecond * dt
    const [dHa, dDec] = [around(wanted.haDeg - haDeg), wanted.decDeg - decDeg]
    haDeg = around(haDeg + clamp(dHa, reach))
    decDeg += clamp(dDec, reach)
    target = Math.abs(dHa) <= reach && Math.abs(dDec) <= reach ? undefined : wanted
  }
  haDeg = around(haDeg + (sidereal * speeds.trackRate - speeds.hand.east) * left)
  decDeg = Math.max(-90, Math.min(90, decDeg + speeds.hand.north * left))
  return { haDeg, decDeg, target }
}

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value))
