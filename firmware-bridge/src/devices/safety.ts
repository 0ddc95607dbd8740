import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

/** A reading that is `undefined` has not been told: the gate takes it as the worst. */
export interface SafetyState extends DeviceState {
  /** The device's own judgement: false when it says unsafe or cannot say. */
  readonly safe: boolean
  readonly reasons: readonly string[]
  readonly raining?: boolean | undefined
  readonly mainsLost?: boolean | undefined
  /** From a sensor of its own, not from the mount. */
  readonly mountParked?: boolean | undefined
}

/** A safety monitor, or our roof-and-safety controller with its dead man's switch. */
export interface Safety extends Device<'safety', SafetyState> {
  /** Shows that somebody watches; a controller that misses it closes the roof by itself. */
  heartbeat(): Promise<Outcome>
}
