import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface FocuserState extends DeviceState {
  readonly moving: boolean
  /** Undefined until the focuser has told it. */
  readonly positionSteps?: number | undefined
  readonly maxSteps?: number | undefined
  readonly temperatureC?: number | undefined
}

/** A focuser that knows where it stands. */
export interface Focuser extends Device<'focuser', FocuserState> {
  /** Resolves when it stands there. */
  moveTo(steps: number, timeoutMs?: number): Promise<Outcome>
  abort(): Promise<Outcome>
}
