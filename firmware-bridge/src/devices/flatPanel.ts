import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface FlatPanelState extends DeviceState {
  readonly lit: boolean
  /** In the panel's own steps, 0 to `maxBrightness`. */
  readonly brightness?: number | undefined
  readonly maxBrightness?: number | undefined
}

/** An even light to take flats of. */
export interface FlatPanel extends Device<'flatPanel', FlatPanelState> {
  light(on: boolean): Promise<Outcome>
  /** In the panel's own steps, 0 to `state().maxBrightness`. */
  setBrightness(brightness: number): Promise<Outcome>
}
