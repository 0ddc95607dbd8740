import type { Device, DeviceState } from './device.ts'

export interface GpsState extends DeviceState {
  readonly fix: 'none' | '2d' | '3d'
  readonly satellites?: number | undefined
  /** WGS 84, north positive. */
  readonly latitudeDeg?: number | undefined
  /** WGS 84, east positive. */
  readonly longitudeDeg?: number | undefined
  /** Above mean sea level. */
  readonly elevationMetres?: number | undefined
  /** The receiver's UTC, Unix ms, at the moment `atMs` of ours. */
  readonly utcMs?: number | undefined
}

export interface Gps extends Device<'gps', GpsState> {}
