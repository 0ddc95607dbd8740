import type { Device, DeviceState } from './device.ts'

export interface UpsState extends DeviceState {
  /** On mains; false on battery, undefined when the supply does not tell. */
  readonly onMains?: boolean | undefined
  readonly lowBattery: boolean
  readonly chargePercent?: number | undefined
  readonly runtimeSeconds?: number | undefined
  /** As the supply's own protocol has them, `OB`, `DISCHRG`, `RB` …, where it has any. */
  readonly flags?: readonly string[] | undefined
}

export interface Ups extends Device<'ups', UpsState> {}
