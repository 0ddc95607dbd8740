/**
 * A rectangle of pixels in the shared memory. Row-major, row 0 first; the centre of the first pixel is (0, 0) (FITS
 * CRPIX minus one). `pointer` is the byte offset for kernels. `data` stays valid because the memory is shared.
 */
export interface Plane<T extends PixelArray = Float32Array> {
  readonly width: number
  readonly height: number
  readonly pointer: number
  readonly data: T
}

export type PixelArray = Float32Array | Uint16Array | Uint8Array | Int32Array

/** Bits of `MaskFlag`, one per pixel. */
export type MaskPlane = Plane<Uint16Array>
