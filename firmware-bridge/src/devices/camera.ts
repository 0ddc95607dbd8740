import type { Outcome } from './mount.ts'

export type CameraFrameType = 'light' | 'bias' | 'dark' | 'flat'

export interface CameraState {
  readonly connected: boolean
  readonly exposing: boolean
  /** Of the whole sensor, unbinned. */
  readonly widthPixels: number
  readonly heightPixels: number
  readonly pixelMicrometres: number
  readonly binning: readonly [number, number]
  readonly temperatureC: number | undefined
  readonly gain: number | undefined
  readonly offset: number | undefined
  /** When the camera last said anything, Unix ms. */
  readonly atMs: number
  readonly source: string
}

export type Exposed =
  | {
      readonly ok: true
      /** The file as the camera made it. */
      readonly bytes: Uint8Array
      /** `.fits`, `.fits.fz` … */
      readonly format: string
      readonly startedAtMs: number
      readonly endedAtMs: number
    }
  | { readonly ok: false; readonly reason: string }

export interface Camera {
  state(): CameraState
  /** One exposure, from command to bytes. Aborts the camera when the signal does; never waits longer than it must. */
  expose(plan: { readonly seconds: number; readonly frameType: CameraFrameType; readonly signal?: AbortSignal }): Promise<Exposed>
  abort(): Promise<Outcome>
  setGain(gain: number): Promise<Outcome>
  setOffset(offset: number): Promise<Outcome>
  setBinning(x: number, y: number): Promise<Outcome>
  /** Unbinned sensor pixels. */
  setRoi(roi: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }): Promise<Outcome>
  /** Resolves when the temperature is within 1 °C of the goal. */
  setTemperature(temperatureC: number): Promise<Outcome>
  /** By its name. */
  setFilter(filter: string): Promise<Outcome>
}
