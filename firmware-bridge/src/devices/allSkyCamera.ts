import type { Failure, Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface AllSkyCameraState extends DeviceState {
  /** Maker and model, as the camera says. */
  readonly model?: string | undefined
  /** The camera's clock minus ours, seconds: cameras lie about time. */
  readonly clockOffsetSeconds?: number | undefined
}

export interface Snapshot {
  readonly ok: true
  /** A whole image file. */
  readonly bytes: Uint8Array
  /** `image/jpeg`, … */
  readonly mediaType: string
  readonly atMs: number
}

/** A camera that watches the sky or the roof. */
export interface AllSkyCamera extends Device<'allSkyCamera', AllSkyCameraState> {
  snapshot(timeoutMs?: number): Promise<Snapshot | Failure>
  /** Pan, tilt in [-1, 1] and zoom in [0, 1] of the camera's range, where it can turn. */
  pointTo(pan: number, tilt: number, zoom: number): Promise<Outcome>
}
