import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

/** The side of the pier that the telescope is on. */
export type PierSide = 'east' | 'west' | 'unknown'

export type TrackRate = 'sidereal' | 'solar' | 'lunar' | 'custom'

/** Speeds of a custom track rate: how fast the target moves on the sky, arcsec per second of time, RA as it is (not × cos Dec). */
export interface CustomRate {
  readonly raArcsecPerSecond: number
  readonly decArcsecPerSecond: number
}

export type Direction = 'north' | 'south' | 'east' | 'west'

export interface MountState extends DeviceState {
  /** ICRS, degrees in [0, 360). NaN until the mount has said where it points. */
  readonly raDeg: number
  /** ICRS, degrees. NaN until the mount has said where it points. */
  readonly decDeg: number
  /** Only from mounts that report it. */
  readonly altitudeDeg?: number | undefined
  readonly tracking: boolean
  readonly parked: boolean
  readonly slewing: boolean
  readonly pierSide: PierSide
  /** Undefined where the mount does not tell. */
  readonly trackRate?: TrackRate | undefined
  readonly atHome?: boolean | undefined
  /** A limit that stopped it, in its own words. */
  readonly fault?: string | undefined
}

/**
 * A telescope mount. Coordinates are ICRS degrees. Commands resolve when the mount has done them, or with the reason why
 * not; none of them checks the horizon, the Sun or the roof: that is the gate's work.
 */
export interface Mount extends Device<'mount', MountState> {
  /** Points and tracks. Resolves when the mount has settled there; after `timeoutMs` the motion is stopped and it fails. */
  slew(raDeg: number, decDeg: number, timeoutMs: number): Promise<Outcome>
  /** Tells the mount that it points there now, without moving. */
  sync(raDeg: number, decDeg: number): Promise<Outcome>
  track(on: boolean): Promise<Outcome>
  park(timeoutMs?: number): Promise<Outcome>
  unpark(): Promise<Outcome>
  setTrackRate(rate: TrackRate, custom?: CustomRate): Promise<Outcome>
  /** Finds the home position; resolves when it stands there. */
  home(timeoutMs?: number): Promise<Outcome>
  /** Moves at the guide rate for this long; resolves when the pulse has ended. */
  guide(direction: Direction, milliseconds: number): Promise<Outcome>
  /** Moves by hand until told to stop; `speed` in (0, 1] of the mount's fastest. */
  move(direction: Direction, speed: number): Promise<Outcome>
  /** Ends a movement by hand. */
  halt(): Promise<Outcome>
  /** Stops every motion. A slew or park under way ends as a failure. */
  abort(): Promise<Outcome>
}
