import type { Failure, Outcome } from '../outcome.ts'
import type { Device, DeviceState } from './device.ts'

export type CameraFrameType = 'light' | 'dark' | 'bias' | 'flat'

export interface CameraState extends DeviceState {
  readonly exposing: boolean
  /** Time left of the exposure under way, as the camera counts it. */
  readonly remainingSeconds?: number | undefined
  readonly temperatureC?: number | undefined
  /** Where the cooler is asked to go. */
  readonly setPointC?: number | undefined
  readonly coolerPercent?: number | undefined
  /** In the camera's own steps. */
  readonly gain?: number | undefined
  /** In the camera's own steps. */
  readonly offset?: number | undefined
  /** Pixels of the chip per pixel of the frame, each way. */
  readonly binning: { readonly x: number; readonly y: number }
  /** Size of the frames that come now: the region of interest over the binning. 0 until known. */
  readonly widthPixels: number
  readonly heightPixels: number
  /** Unbinned. 0 until known. */
  readonly pixelSizeMicrons: number
  /** Name of the filter in the beam, where there is a wheel. */
  readonly filter?: string | undefined
  readonly filters: readonly string[]
}

export interface ExposureRequest {
  /** Ignored for `bias`: the camera takes its shortest. */
  readonly seconds: number
  readonly frameType: CameraFrameType
  readonly signal?: AbortSignal | undefined
}

export interface ExposedFrame {
  readonly ok: true
  /** A whole file as the camera sent it. */
  readonly bytes: Uint8Array
  /** Suffix chain of `bytes`: `.fits`, `.fits.fz`. */
  readonly format: string
  /** Unix ms UTC when the camera acknowledged the start. */
  readonly startedAtMs: number
  /** Unix ms UTC when the shutter closed: start plus the exposure time. */
  readonly endedAtMs: number
}

/** Region of interest in unbinned chip pixels, 0-based. */
export interface Region {
  readonly x: number
  readonly y: number
  readonly widthPixels: number
  readonly heightPixels: number
}

export interface PreviewFrame {
  readonly bytes: Uint8Array
  /** `.stream_jpg`, `.stream`, … */
  readonly format: string
}

/** A camera, with its wheel where it has one. One exposure at a time; commands resolve when the camera confirms the value. */
export interface Camera extends Device<'camera', CameraState> {
  /**
   * Takes one frame. Fails as a value when the camera refuses, disappears, is aborted (by `abort` or `signal`) or has not
   * delivered by the exposure's own deadline (a monotonic one: a camera whose clock jumps says Busy for ever).
   */
  expose(request: ExposureRequest): Promise<ExposedFrame | Failure>
  /** Fails when the camera does not confirm; fine when nothing is exposing. */
  abort(): Promise<Outcome>
  setGain(gain: number): Promise<Outcome>
  setOffset(offset: number): Promise<Outcome>
  setBinning(x: number, y: number): Promise<Outcome>
  /** The whole chip when `region` is undefined. */
  setRoi(region: Region | undefined): Promise<Outcome>
  /** Starts cooling or warming; resolves when the camera has taken the set point, not when it is reached. */
  setTemperature(celsius: number): Promise<Outcome>
  setCooler(on: boolean): Promise<Outcome>
  /** Calls `show` with each frame of the camera's own video until aborted. Frames come as the camera makes them. */
  preview(show: (frame: PreviewFrame) => void, signal: AbortSignal): Promise<Outcome>
  /** By name, as listed in `state().filters`; resolves when the wheel has stopped there. */
  setFilter(name: string): Promise<Outcome>
}
