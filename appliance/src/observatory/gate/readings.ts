import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Reading } from './state.ts'

/** What the gate may believe of each device, put together from what the devices say. */
export interface Readings {
  /** Remembers when news came, by the clock that never jumps: asking a silent device again does not make its word younger. */
  hear<T extends { readonly atMs: number }>(name: string, said: T): Reading<T>
  /**
   * To be called with every command that moves a device. What it said before tells nothing of where it will be, however
   * young it is: until the device speaks again it counts as not heard.
   */
  commanded(name: string): void
  /** The device has confirmed the command: what it says now is true of now. */
  answered(name: string): void
}

interface Stamp {
  readonly atMs: number
  readonly heardMs: number
  readonly overtaken: boolean
}

export function createReadings(clock: Pick<Clock, 'monotonic'>): Readings {
  const stamps = new Map<string, Stamp>()
  return {
    hear(name, value) {
      let stamp = stamps.get(name)
      if (stamp === undefined || stamp.atMs !== value.atMs)
        stamps.set(name, (stamp = { atMs: value.atMs, heardMs: clock.monotonic(), overtaken: false }))
      return { value, atMs: stamp.overtaken ? 0 : value.atMs, heardMs: stamp.heardMs }
    },
    commanded(name) {
      const stamp = stamps.get(name)
      if (stamp) stamps.set(name, { ...stamp, overtaken: true })
    },
    answered(name) {
      const stamp = stamps.get(name)
      if (stamp) stamps.set(name, { ...stamp, overtaken: false })
    },
  }
}
