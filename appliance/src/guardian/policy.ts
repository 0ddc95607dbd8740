/** How long the guardian waits for what. All in milliseconds of a clock that never jumps. */
export interface GuardianPolicy {
  /** A daemon that says nothing for this long is dead or hung. */
  readonly beatLimitMs: number
  /** A daemon whose work has not advanced for this long hangs, though its event loop still beats. */
  readonly healthLimitMs: number
  /** After the guardian's own start: how long the daemon and the inputs may take to be heard for the first time. */
  readonly startGraceMs: number
  /** A reading of the mount or the roof that is older proves nothing. */
  readonly readingLimitMs: number
  /** The mains may be lost for this long. */
  readonly mainsLimitMs: number
  /** A park command is given again after this long; every one but the first is preceded by an abort. */
  readonly parkRepeatMs: number
  /** A command that came to nothing is given again after this long. */
  readonly failedRepeatMs: number
  /** A mount that is seen moving has this long for its way down before it is asked again. */
  readonly parkMotionMs: number
  /** A close command is given again after this long, until the roof reads closed. */
  readonly closeRepeatMs: number
  /** A mount that is not down after this long is an alarm. */
  readonly parkPatienceMs: number
  /** What closes the roof over a mount that does not park: nothing, or rain after so long. */
  readonly closeAnywayAfterMs: number | 'never'
  /** Which signals must say that the mount is down before the roof moves. */
  readonly parkedSignals: 'mount' | 'sensor' | 'both'
  /** A mount that stands unparked under a closed roof may be parked there; else it is only stopped. */
  readonly parkUnderClosedRoof: boolean
  /** The mount hangs on a serial port that the daemon holds while it lives: the guardian must end it to park. */
  readonly mountPortIsDaemons: boolean
  /** With the port in the daemon's hands: how long it may take to park by itself before it is ended. */
  readonly takePortAfterMs: number
  /** Bad weather must be over for this long before the roof may be opened. */
  readonly clearAfterMs: number
  /** Closed, parked and without a daemon for this long, the guardian ends. */
  readonly lingerMs: number | 'forever'
}

export const defaultPolicy: GuardianPolicy = {
  beatLimitMs: 2_000,
  healthLimitMs: 10_000,
  startGraceMs: 30_000,
  readingLimitMs: 3_000,
  mainsLimitMs: 60_000,
  parkRepeatMs: 20_000,
  failedRepeatMs: 2_000,
  parkMotionMs: 180_000,
  closeRepeatMs: 10_000,
  parkPatienceMs: 60_000,
  closeAnywayAfterMs: 'never',
  parkedSignals: 'mount',
  parkUnderClosedRoof: false,
  mountPortIsDaemons: false,
  takePortAfterMs: 90_000,
  clearAfterMs: 900_000,
  lingerMs: 600_000,
}
