import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { AllSkyCamera } from '@nightjar/firmware-bridge/devices/allSkyCamera.ts'
import type { Camera } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { Cover } from '@nightjar/firmware-bridge/devices/cover.ts'
import type { DeviceState } from '@nightjar/firmware-bridge/devices/device.ts'
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
import type { Reading } from './gate/state.ts'

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

/** Notes, by our own clock, when the word of a device last changed: a stamp alone cannot show that the clock jumped. */
export interface Readings {
  of<S extends DeviceState>(name: string, state: S): Reading<S>
}

export function createReadings(clock: Clock): Readings {
  const last = new Map<string, { readonly atMs: number; readonly heardMs: number }>()
  return {
    of(name, value) {
      const before = last.get(name)
      const heardMs = before?.atMs === value.atMs ? before.heardMs : clock.monotonic()
      if (before?.atMs !== value.atMs) last.set(name, { atMs: value.atMs, heardMs })
      return { value, atMs: value.atMs, heardMs }
    },
  }
}
