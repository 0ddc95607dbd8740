/** A command was carried out, or not, with a reason for people. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** What a mount says of itself. Angles are ICRS (J2000) degrees; a mount that thinks in coordinates of date is converted. */
export interface MountState {
  readonly connected: boolean
  readonly raDeg: number
  readonly decDeg: number
  readonly tracking: boolean
  readonly slewing: boolean
  readonly parked: boolean
  readonly pierSide: 'east' | 'west' | 'unknown'
  /** When the mount last said anything, Unix ms. */
  readonly atMs: number
  /** Which device on which wire says so. */
  readonly source: string
}

/** Every command resolves when the mount confirms it, or with the reason why it did not within its time. */
export interface Mount {
  state(): MountState
  /** Goes to a place and tracks it. */
  slew(raDeg: number, decDeg: number, timeoutMs: number): Promise<Outcome>
  /** Tells the mount where it really looks. */
  sync(raDeg: number, decDeg: number): Promise<Outcome>
  track(on: boolean): Promise<Outcome>
  park(): Promise<Outcome>
  unpark(): Promise<Outcome>
  abort(): Promise<Outcome>
}
