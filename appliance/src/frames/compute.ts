import type { KernelName, Kernels } from './kernels/kernels.ts'
import type { PixelArray, Plane } from './plane.ts'

/**
 * One shared WebAssembly memory, its kernels and the threads that run them. Calls are synchronous: the calling thread
 * does its own share of the rows and waits for the others (0.003 ms per call), so algorithms read from top to bottom.
 * Use it from a worker thread, the command line or a test, never from the daemon's event loop.
 */
export interface Compute extends Disposable {
  readonly memory: WebAssembly.Memory
  /** How many threads share the rows; 1 = no helpers. Results are bit-identical for any number. */
  readonly threads: number
  /** This thread's own instance, for kernels that do not split. */
  readonly kernels: Kernels
  /** Runs `kernel(rowFrom, rowTo, ...args)` for bands that cover [0, rows); `align` keeps band edges at multiples. */
  rows(kernel: KernelName, rows: number, args: readonly number[], align?: number): void
  float32(width: number, height: number): Plane<Float32Array>
  uint16(width: number, height: number): Plane<Uint16Array>
  uint8(width: number, height: number): Plane<Uint8Array>
  int32(width: number, height: number): Plane<Int32Array>
  /** Everything allocated after `scope()` is given back when it is disposed: `using scratch = compute.scope()`. */
  scope(): Disposable
  /** Bytes in use and the most that ever were. */
  usage(): { readonly bytes: number; readonly peakBytes: number }
  /** A plane over existing bytes of this memory. */
  view<T extends PixelArray>(
    type: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
    pointer: number,
    width: number,
    height: number,
  ): Plane<T>
}
