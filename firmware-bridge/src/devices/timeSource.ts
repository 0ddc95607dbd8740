import type { Device, DeviceState } from './device.ts'

export interface TimeSourceState extends DeviceState {
  /** The system clock follows a source right now. */
  readonly synchronised: boolean
  /** System clock minus true time, seconds, as last estimated. */
  readonly offsetSeconds?: number | undefined
  /** Bound on the error of the system clock, seconds: root distance for chrony. */
  readonly uncertaintySeconds?: number | undefined
  /** Stratum, where the source speaks NTP. */
  readonly stratum?: number | undefined
}

/** Who says how well the system clock keeps UTC: chrony, gpsd. */
export interface TimeSource extends Device<'timeSource', TimeSourceState> {}
