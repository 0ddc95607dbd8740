import type { CameraState } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { CoverState } from '@nightjar/firmware-bridge/devices/cover.ts'
import type { GpsState } from '@nightjar/firmware-bridge/devices/gps.ts'
import type { GuiderState } from '@nightjar/firmware-bridge/devices/guider.ts'
import type { MountState } from '@nightjar/firmware-bridge/devices/mount.ts'
import type { RoofState } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { SafetyState } from '@nightjar/firmware-bridge/devices/safety.ts'
import type { TimeSourceState } from '@nightjar/firmware-bridge/devices/timeSource.ts'
import type { UpsState } from '@nightjar/firmware-bridge/devices/ups.ts'
import type { WeatherState } from '@nightjar/firmware-bridge/devices/weather.ts'
import type { Asker } from './command.ts'
import type { History } from './history.ts'

/**
 * Something a sensor said, and when. Both clocks count: the device's stamp (Unix ms; 0 is never) tells how old the news
 * was when it came, ours (monotonic ms) how long we have had it, so a wall clock set back does not make old news young.
 */
export interface Reading<T> {
  readonly value: T
  readonly atMs: number
  readonly heardMs: number
}

type Said<S, K extends keyof S> = Pick<S, K> & { readonly connected: boolean }

export type MountSaid = Said<MountState, 'raDeg' | 'decDeg' | 'tracking' | 'parked' | 'slewing' | 'pierSide' | 'fault'>
export type RoofSaid = Said<RoofState, 'position' | 'azimuthDeg' | 'fault'>
export type CameraSaid = Said<CameraState, 'exposing'>
export type WeatherSaid = Said<
  WeatherState,
  | 'verdict'
  | 'temperatureC'
  | 'humidityPercent'
  | 'windMetresPerSecond'
  | 'gustMetresPerSecond'
  | 'rainMillimetresPerHour'
  | 'raining'
  | 'cloudPercent'
>
export interface RainSaid {
  readonly connected: boolean
  /** Undefined when the sensor cannot tell: as bad as wet. */
  readonly raining?: boolean | undefined
}
export type SafetySaid = Said<SafetyState, 'safe' | 'reasons' | 'raining' | 'mainsLost' | 'mountParked'>
export type UpsSaid = Said<UpsState, 'onMains' | 'lowBattery' | 'chargePercent'>
export type ClockSaid = Said<TimeSourceState, 'synchronised' | 'offsetSeconds' | 'uncertaintySeconds'>
export type GpsSaid = Said<GpsState, 'fix'>
/** The process that parks and closes when this one cannot. */
export interface GuardianSaid {
  readonly connected: boolean
  /** Nothing that it sees speaks against an open roof. */
  readonly mayOpen: boolean
  /** Why it closes, or would. */
  readonly causes: readonly string[]
}
export type CoverSaid = Said<CoverState, 'position'>
export type GuiderSaid = Said<GuiderState, 'activity'>
export interface DiskSaid {
  readonly connected: boolean
  readonly freeBytes: number
}

/** The sky over the site at `nowMs`, computed (`sky.ts`), all angles in degrees. */
export interface Sky {
  readonly latitudeDeg: number
  /** Local apparent sidereal time. */
  readonly siderealDeg: number
  /** ICRS; altitude without refraction. */
  readonly sun: { readonly raDeg: number; readonly decDeg: number; readonly altitudeDeg: number }
  readonly moon?: { readonly raDeg: number; readonly decDeg: number } | undefined
}

/** Who may command the hardware now. One holder at a time; it runs out by itself. */
export interface Lease {
  readonly holder: Asker
  /** Monotonic ms. */
  readonly untilMs: number
}

/** Everything the gate may look at: what sensors said and when, and no command that anyone ever gave. */
export interface GateState {
  /** Unix ms UTC, the clock that may jump. */
  readonly nowMs: number
  /** Monotonic ms, the one that may not. */
  readonly monotonicMs: number
  readonly sky: Sky
  readonly mount: Reading<MountSaid> | undefined
  readonly roof?: Reading<RoofSaid> | undefined
  readonly camera?: Reading<CameraSaid> | undefined
  readonly weather?: Reading<WeatherSaid> | undefined
  /** By the names in the settings; one that is not there is heard all the same. */
  readonly rain?: Readonly<Record<string, Reading<RainSaid> | undefined>> | undefined
  readonly safety?: Reading<SafetySaid> | undefined
  readonly ups?: Reading<UpsSaid> | undefined
  readonly clock?: Reading<ClockSaid> | undefined
  readonly gps?: Reading<GpsSaid> | undefined
  readonly guardian?: Reading<GuardianSaid> | undefined
  readonly disk?: Reading<DiskSaid> | undefined
  readonly cover?: Reading<CoverSaid> | undefined
  readonly guider?: Reading<GuiderSaid> | undefined
  readonly lease?: Lease | undefined
  readonly history: History
}

/** The parts of a state that a rule may read; the exhaustive proof holds each rule to its list. */
export type InputName = Exclude<keyof GateState, 'nowMs' | 'monotonicMs'>
