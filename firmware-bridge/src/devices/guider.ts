import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface GuiderState extends DeviceState {
  readonly activity: 'stopped' | 'looping' | 'calibrating' | 'guiding' | 'settling' | 'paused' | 'lost' | 'unknown'
  /** Root mean square of the last guide steps, arcsec where the scale is known. */
  readonly rmsArcsec?: number | undefined
  readonly raErrorArcsec?: number | undefined
  readonly decErrorArcsec?: number | undefined
}

/** How still the star must be, and for how long, before an exposure. */
export interface Settle {
  readonly pixels: number
  readonly seconds: number
  readonly timeoutSeconds: number
}

export interface Guider extends Device<'guider', GuiderState> {
  /** Starts (calibrating when needed); resolves when settled. */
  guide(settle: Settle): Promise<Outcome>
  /** Shifts the lock position by up to this many guider pixels; resolves when settled. */
  dither(pixels: number, settle: Settle): Promise<Outcome>
  stop(): Promise<Outcome>
}
