import type { Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export interface PowerPort {
  /** Unique on its device, for people too: `Camera`, `USB 2`. */
  readonly name: string
  readonly on: boolean
  readonly amps?: number | undefined
}

export interface DewHeater {
  readonly name: string
  /** Duty cycle, 0–100. */
  readonly percent: number
}

export interface PowerState extends DeviceState {
  readonly ports: readonly PowerPort[]
  readonly dewHeaters: readonly DewHeater[]
  readonly volts?: number | undefined
  readonly amps?: number | undefined
}

/** Switched outlets, USB ports and dew heaters. */
export interface Power extends Device<'power', PowerState> {
  setPort(name: string, on: boolean): Promise<Outcome>
  /** Duty cycle, 0–100. */
  setDewHeater(name: string, percent: number): Promise<Outcome>
}
