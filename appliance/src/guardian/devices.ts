/** What the guardian needs of hardware, whatever the wire: a reading with the time it was made, and the commands that close. */
import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'

/** A reading and when the device told it, Unix ms UTC of this machine. */
export interface Told<T> {
  readonly atMs: number
  readonly value: T
}

export interface MountReading {
  readonly parked: boolean
  readonly slewing: boolean
  readonly tracking: boolean
}

export interface GuardedMount {
  /** Undefined when nothing is connected or what is told cannot be believed. */
  reading(): Told<MountReading> | undefined
  /** Asks for a new reading; does not wait. */
  read(): void
  park(timeoutMs: number): Promise<Outcome>
  abort(): Promise<Outcome>
  /** Ends every motion, tracking too. */
  stop(): Promise<Outcome>
}

export interface GuardedRoof {
  reading(): Told<RoofPosition> | undefined
  read(): void
  close(timeoutMs: number): Promise<Outcome>
  abort(): Promise<Outcome>
}

export interface InputReading {
  readonly raining?: boolean | undefined
  readonly mainsLost?: boolean | undefined
  readonly unsafe: boolean
  readonly reason?: string | undefined
}

export interface GuardedInput {
  readonly name: string
  readonly limitMs: number
  readonly required: boolean
  readonly tells: readonly ('rain' | 'mains')[]
  reading(): Told<InputReading> | undefined
}

export interface GuardedDevices extends AsyncDisposable {
  readonly mount: GuardedMount | undefined
  readonly roof: GuardedRoof | undefined
  readonly inputs: readonly GuardedInput[]
  /** The safety controller's own sensor of the mount's park position. */
  readonly parkedSensor: (() => Told<boolean | undefined> | undefined) | undefined
  /** Feeds the safety controller's dead man's switch. */
  readonly feed: (() => Promise<Outcome>) | undefined
  /** The mount's serial port is the daemon's: gives it back for a new daemon. */
  readonly releaseMount: (() => Promise<void>) | undefined
  /** Calls `listener` whenever a device has told something; returns what ends that. */
  listen(listener: () => void): () => void
}
