import type { Capability, Kind } from './kinds.ts'

/** What every device tells beside its own readings, whose units end their names: `temperatureC`, `positionSteps`. */
export interface DeviceState {
  /** Device and protocol that say so: `INDI Telescope Simulator`, `LX200 serial /dev/ttyUSB0`. */
  readonly source: string
  /** When the device was last heard, Unix ms UTC; 0 when never. `clock.now() - atMs` is the age. */
  readonly atMs: number
  readonly connected: boolean
  /** Why it is not connected, or what is wrong with it, in words for people. */
  readonly problem?: string | undefined
}

/** One piece of hardware behind any protocol. */
export interface Device<K extends Kind, S extends DeviceState> extends AsyncDisposable {
  state(): S
  /**
   * What this very device can do, as far as it has told; always part of its driver's card. A command that it cannot do
   * resolves to a failure that says so.
   */
  can(): ReadonlySet<Capability<K>>
}

/** What a driver can do at best. The device × capability matrix in the documentation is made from the cards. */
export interface DriverCard<K extends Kind = Kind> {
  readonly kind: K
  /** `INDI`, `LX200`, `Alpaca`, … as the matrix shows it. */
  readonly protocol: string
  readonly can: readonly Capability<K>[]
}

/** The card of a driver, checked against its kind. */
export function driverCard<K extends Kind>(kind: K, protocol: string, can: readonly Capability<K>[]): DriverCard<K> {
  return { kind, protocol, can }
}
