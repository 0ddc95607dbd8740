import { addLight, brightnessOf } from './cover.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedFlatPanel {
  readonly device: SimulatedDevice
  /** 0 to 255; 0 while it is off. */
  brightness(): number
}

/** A light for flats, with Debian's light panel simulator's properties. */
export function createSimulatedFlatPanel(options: { readonly name?: string } = {}): SimulatedFlatPanel {
  const { name = 'Light Panel Simulator' } = options
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_lightpanel', interface: 33_792 }, () => undefined)
  addLight(device)
  return { device, brightness: () => brightnessOf(device) }
}
