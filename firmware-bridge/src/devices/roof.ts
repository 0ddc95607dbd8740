import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

/**
 * `open` and `closed` are said only when the device confirms them (end switches where it has them); between and unsure is
 * `unknown`, which the gate takes as both not open and not closed.
 */
export type RoofPosition = 'open' | 'closed' | 'opening' | 'closing' | 'unknown'

export interface RoofState extends DeviceState {
  readonly position: RoofPosition
  /** Where the opening of a turning dome points, degrees from north through east. Absent on a roll-off roof. */
  readonly azimuthDeg?: number | undefined
  /** What stopped it, in its own words: `over-current`, `motor time-out`, `both end switches`. */
  readonly fault?: string | undefined
}

/** A roll-off roof, a clamshell or a dome with its shutter. The gate decides whether it may move; this only moves it. */
export interface Roof extends Device<'roof', RoofState> {
  /** Resolves when `open` is confirmed. */
  open(timeoutMs?: number): Promise<Outcome>
  /** Resolves when `closed` is confirmed. */
  close(timeoutMs?: number): Promise<Outcome>
  abort(): Promise<Outcome>
  /** Turns a dome; resolves when it stands there. */
  turnTo(azimuthDeg: number, timeoutMs?: number): Promise<Outcome>
}
