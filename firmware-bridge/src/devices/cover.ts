import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export type CoverPosition = 'open' | 'closed' | 'moving' | 'unknown'

export interface CoverState extends DeviceState {
  readonly position: CoverPosition
}

/** The lid over the telescope. */
export interface Cover extends Device<'cover', CoverState> {
  open(timeoutMs?: number): Promise<Outcome>
  close(timeoutMs?: number): Promise<Outcome>
  abort(): Promise<Outcome>
}
