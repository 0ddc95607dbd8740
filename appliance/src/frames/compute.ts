import { availableParallelism } from 'node:os'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { Arena } from './arena.ts'
import { controlBytes, Helpers, kernelFailure, runBand } from './helpers.ts'
import { instantiateKernels, type KernelName, type Kernels, loadKernels } from './kernels/kernels.ts'
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
  /** Planes of zeros. Memory is given back only by `scope`. */
  float32(width: number, height: number): Plane<Float32Array>
  uint16(width: number, height: number): Plane<Uint16Array>
  uint8(width: number, height: number): Plane<Uint8Array>
  int32(width: number, height: number): Plane<Int32Array>
  /** A 64-byte aligned pointer to `bytes` bytes of whatever was there: scratch and tables for kernels. */
  allocate(bytes: number): number
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

type ViewType<T extends PixelArray> = new (buffer: ArrayBufferLike, offset: number, length: number) => T

/** 4 GiB, the most that 32-bit pointers reach: 44 float planes of 24 Mpx. */
const maximumPages = 65536
const initialPages = 16
const maximumThreads = 64

export interface ComputeOptions {
  /** Default: one for each core. */
  readonly threads?: number
  /** Limit of the pixel memory in bytes; at most 4 GiB, the default. */
  readonly maximumBytes?: number
}

/**
 * Starts a compute: its memory, and `threads` − 1 helper threads (ready within 0.1 s; the first call waits for them).
 * Throws `compute/kernels-missing` when the kernels were not built and `compute/threads` for a wrong count.
 */
export function createCompute(options: ComputeOptions = {}): Compute {
  const threads = options.threads ?? Math.min(availableParallelism(), maximumThreads)
  if (!Number.isInteger(threads) || threads < 1 || threads > maximumThreads) {
    throw new NightjarError('compute/threads', `threads must be 1 to ${maximumThreads}, not ${threads}`)
  }
  const module = loadKernels()
  const memory = new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages, shared: true })
  const limitPages = Math.min(maximumPages, Math.floor((options.maximumBytes ?? maximumPages * 65536) / 65536))
  return new SharedCompute(module, memory, threads, new Arena(memory, limitPages, controlBytes))
}

class SharedCompute implements Compute {
  readonly memory: WebAssembly.Memory
  readonly threads: number
  readonly kernels: Kernels
  readonly #arena: Arena
  readonly #helpers: Helpers | undefined
  #disposed = false

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number, arena: Arena) {
    this.memory = memory
    this.threads = threads
    this.kernels = instantiateKernels(module, memory, 0)
    this.#arena = arena
    this.#helpers = threads > 1 ? new Helpers(module, memory, threads, this.kernels) : undefined
  }

  rows(kernel: KernelName, rows: number, args: readonly number[], align = 1): void {
    if (this.#disposed)
      throw new NightjarError('compute/disposed', `${kernel} was called after the compute was disposed`)
    const run = this.kernels[kernel] as CallableFunction | undefined
    if (!run) {
      const fix = 'rebuild the kernels with node scripts/build-kernels.ts'
      throw new NightjarError('compute/kernel', `there is no kernel named ${kernel}: ${fix}`)
    }
    try {
      if (this.#helpers) this.#helpers.run(run, kernel, rows, args, align)
      else runBand(run, [0, rows], args)
    } catch (cause) {
      throw cause instanceof WebAssembly.RuntimeError ? kernelFailure(kernel, cause) : cause
    }
  }

  float32(width: number, height: number): Plane<Float32Array> {
    return this.#plane(Float32Array, 4, width, height)
  }

  uint16(width: number, height: number): Plane<Uint16Array> {
    return this.#plane(Uint16Array, 2, width, height)
  }

  uint8(width: number, height: number): Plane<Uint8Array> {
    return this.#plane(Uint8Array, 1, width, height)
  }

  int32(width: number, height: number): Plane<Int32Array> {
    return this.#plane(Int32Array, 4, width, height)
  }

  allocate(bytes: number): number {
    return this.#arena.allocate(bytes)
  }

  scope(): Disposable {
    return this.#arena.scope()
  }

  usage(): { readonly bytes: number; readonly peakBytes: number } {
    return this.#arena.usage()
  }

  view<T extends PixelArray>(type: ViewType<T>, pointer: number, width: number, height: number): Plane<T> {
    return { width, height, pointer, data: new type(this.memory.buffer, pointer, width * height) }
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#helpers?.[Symbol.dispose]()
  }

  #plane<T extends PixelArray>(type: ViewType<T>, bytesPerPixel: number, width: number, height: number): Plane<T> {
    if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
      throw new NightjarError('compute/size', `a plane needs a whole, positive size, not ${width} × ${height}`)
    }
    return this.view(type, this.#arena.allocateZeroed(bytesPerPixel * width * height), width, height)
  }
}
