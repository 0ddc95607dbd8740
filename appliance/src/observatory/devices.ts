import type { AllSkyCamera } from '@nightjar/firmware-bridge/devices/allSkyCamera.ts'
import type { Camera } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { Cover } from '@nightjar/firmware-bridge/devices/cover.ts'
import type { FilterWheel } from '@nightjar/firmware-bridge/devices/filterWheel.ts'
import type { FlatPanel } from '@nightjar/firmware-bridge/devices/flatPanel.ts'
import type { Focuser } from '@nightjar/firmware-bridge/devices/focuser.ts'
import type { Gps } from '@nightjar/firmware-bridge/devices/gps.ts'
import type { Guider } from '@nightjar/firmware-bridge/devices/guider.ts'
import type { Mount } from '@nightjar/firmware-bridge/devices/mount.ts'
import type { Power } from '@nightjar/firmware-bridge/devices/power.ts'
import type { Roof } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { Rotator } from '@nightjar/firmware-bridge/devices/rotator.ts'
import type { Safety } from '@nightjar/firmware-bridge/devices/safety.ts'
import type { SkyQuality } from '@nightjar/firmware-bridge/devices/skyQuality.ts'
import type { TimeSource } from '@nightjar/firmware-bridge/devices/timeSource.ts'
import type { Ups } from '@nightjar/firmware-bridge/devices/ups.ts'
import type { Weather } from '@nightjar/firmware-bridge/devices/weather.ts'
import type { IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import type { Tap } from '@nightjar/firmware-bridge/wire/tap.ts'
import type { Patient } from './recovery.ts'

/** The hardware of one observatory, whatever it speaks. What is undefined, this site has not. */
export interface Devices {
  readonly mount: Mount
  readonly camera: Camera
  readonly focuser?: Focuser | undefined
  readonly filterWheel?: FilterWheel | undefined
  readonly rotator?: Rotator | undefined
  readonly roof?: Roof | undefined
  readonly cover?: Cover | undefined
  readonly flatPanel?: FlatPanel | undefined
  readonly weather?: Weather | undefined
  readonly skyQuality?: SkyQuality | undefined
  readonly power?: Power | undefined
  readonly gps?: Gps | undefined
  readonly timeSource?: TimeSource | undefined
  readonly ups?: Ups | undefined
  readonly guider?: Guider | undefined
  readonly allSkyCamera?: AllSkyCamera | undefined
  readonly safety?: Safety | undefined
}

export type DeviceName = keyof Devices

/** What a daemon is given to drive. */
export interface Hardware {
  readonly devices: Devices
  /** Those that can be recovered, and how. */
  readonly patients: Readonly<Partial<Record<DeviceName, Patient>>>
  /** Every INDI device of every server, for the generic property panel; absent where nothing speaks INDI. */
  readonly indi?: IndiClient
  /** The INDI device that serves as each kind, where it is one. */
  readonly indiNames?: Readonly<Partial<Record<DeviceName, string>>>
  /** What goes over each wire, by its name. */
  readonly taps?: ReadonlyMap<string, Tap>
}
