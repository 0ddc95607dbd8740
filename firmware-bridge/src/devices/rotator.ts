import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface RotatorState extends DeviceState {
  readonly moving: boolean
  /** Position angle in the device's own zero, degrees in [0, 360). */
  readonly angleDeg?: number | undefined
  readonly reversed: boolean
}

export interface Rotator extends Device<'rotator', RotatorState> {
  /** Resolves when it stands there; degrees in [0, 360). */
  rotateTo(angleDeg: number, timeoutMs?: number): Promise<Outcome>
  /** Tells the rotator that it stands at this angle, without moving. */
  sync(angleDeg: number): Promise<Outcome>
  reverse(reversed: boolean): Promise<Outcome>
  abort(): Promise<Outcome>
}
