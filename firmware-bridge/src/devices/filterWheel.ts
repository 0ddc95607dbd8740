import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface FilterWheelState extends DeviceState {
  readonly moving: boolean
  /** By slot, first slot first; `Filter 3` where the wheel has no name for one. */
  readonly filters: readonly string[]
  /** Name of the filter in the beam; undefined while moving and until told. */
  readonly filter?: string | undefined
}

export interface FilterWheel extends Device<'filterWheel', FilterWheelState> {
  /** By name, as in `state().filters`. Resolves when the wheel stands there. */
  select(filter: string, timeoutMs?: number): Promise<Outcome>
}
