import type { Outcome } from '../outcome.ts'

/** The side of the pier that the telescope is on. */
export type PierSide = 'east' | 'west' | 'unknown'

export interface MountState {
  /** Device and protocol that say so: `INDI Telescope Simulator`. */
  readonly source: string
  /** When the mount was last heard, Unix ms UTC; 0 when never. `clock.now() - atMs` is the age. */
  readonly atMs: number
  readonly connected: boolean
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
}

/**
 * A telescope mount. Coordinates are ICRS degrees. Commands resolve when the mount has done them, or with the reason why
 * not; none of them checks the horizon, the Sun or the roof: that is the gate's work.
 */
export interface Mount extends AsyncDisposable {
  state(): MountState
  /** Points and tracks. Resolves when the mount has settled there; after `timeoutMs` the motion is stopped and it fails. */
  slew(raDeg: number, decDeg: number, timeoutMs: number): Promise<Outcome>
  /** Tells the mount that it points there now, without moving. */
  sync(raDeg: number, decDeg: number): Promise<Outcome>
  track(on: boolean): Promise<Outcome>
  park(timeoutMs?: number): Promise<Outcome>
  unpark(): Promise<Outcome>
  /** Stops every motion. A slew or park under way ends as a failure. */
  abort(): Promise<Outcome>
}
