import { Worker } from 'node:worker_threads'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { KernelName, Kernels } from './kernels/kernels.ts'

/**
 * The helper threads of a `Compute` and the barrier they meet at. The control words lie at the start of the shared memory.
 * The caller writes a job, raises the generation, does the first band itself and waits until nothing is pending.
 */
export const controlBytes = 4096
const word = {
  generation: 0,
  pending: 1,
  failed: 2,
  stop: 3,
  kernel: 4,
  rows: 5,
  align: 6,
  argumentCount: 7,
  pages: 8,
} as const
const pageBytes = 65536
const argumentsOffset = 256
const maximumArguments = 64
/** Looking a little before sleeping saves a system call when the other thread is nearly done. */
const spins = 400
const stalledMs = 120_000

/** What a helper is started with. */
export interface HelperData {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly thread: number
  readonly threads: number
  readonly kernelNames: readonly string[]
}

/** The rows of thread `thread`: bands differ by at most one `align`. */
export function band(thread: number, threads: number, rows: number, align: number): readonly [number, number] {
  const units = Math.ceil(rows / align)
  const from = Math.floor((thread * units) / threads) * align
  const to = Math.floor(((thread + 1) * units) / threads) * align
  return [Math.min(from, rows), Math.min(to, rows)]
}

/** Calls one kernel for its band; nothing to do is nothing called. */
export function runBand(kernel: CallableFunction, range: readonly [number, number], args: readonly number[]): void {
  if (range[1] > range[0]) kernel(range[0], range[1], ...args)
}

/** Waits while the word is `value`, at most `timeoutMs`. False on time-out. */
function waitWhile(control: Int32Array<SharedArrayBuffer>, index: number, value: number, timeoutMs: number): boolean {
  for (let i = 0; i < spins; i++) if (Atomics.load(control, index) !== value) return true
  return Atomics.wait(control, index, value, timeoutMs) !== 'timed-out'
}

/** The caller's side. */
export class Helpers implements Disposable {
  readonly #memory: WebAssembly.Memory
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #arguments: Float64Array
  readonly #names: readonly string[]
  readonly #threads: number
  #lost = false

  /** Starts `threads` − 1 helpers; they need nothing from this thread's event loop. */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number, kernels: Kernels) {
    const buffer = memory.buffer as unknown as SharedArrayBuffer
    this.#memory = memory
    this.#control = new Int32Array(buffer, 0, 64)
    this.#arguments = new Float64Array(buffer, argumentsOffset, maximumArguments)
    this.#names = Object.keys(kernels)
    this.#threads = threads
    for (let thread = 1; thread < threads; thread++) {
      const workerData: HelperData = { module, memory, thread, threads, kernelNames: this.#names }
      const worker = new Worker(new URL('./helper.ts', import.meta.url), { workerData })
      worker.on('error', () => {
        this.#lost = true
      })
      worker.unref()
    }
  }

  /** Runs `kernel` over all rows; returns when every band is done. */
  run(kernel: CallableFunction, name: KernelName, rows: number, args: readonly number[], align: number): void {
    if (this.#lost) throw lostHelper(name)
    if (args.length > maximumArguments) throw new NightjarError('compute/kernel', `${name} has too many arguments`)
    const control = this.#control
    control[word.kernel] = this.#names.indexOf(name)
    control[word.rows] = rows
    control[word.align] = align
    control[word.argumentCount] = args.length
    control[word.pages] = this.#memory.buffer.byteLength / pageBytes
    this.#arguments.set(args)
    Atomics.store(control, word.failed, 0)
    Atomics.store(control, word.pending, this.#threads - 1)
    Atomics.add(control, word.generation, 1)
    Atomics.notify(control, word.generation)
    try {
      runBand(kernel, band(0, this.#threads, rows, align), args)
    } finally {
      this.#join(name)
    }
    if (Atomics.load(control, word.failed) > 0) throw kernelFailure(name)
  }

  #join(name: string): void {
    for (;;) {
      const pending = Atomics.load(this.#control, word.pending)
      if (pending === 0) return
      if (waitWhile(this.#control, word.pending, pending, stalledMs)) continue
      this.#lost = true
      throw lostHelper(name)
    }
  }

  /** Ends the helpers; each leaves as soon as it sees it. */
  [Symbol.dispose](): void {
    Atomics.store(this.#control, word.stop, 1)
    Atomics.add(this.#control, word.generation, 1)
    Atomics.notify(this.#control, word.generation)
  }
}

export function kernelFailure(name: string, cause?: unknown): NightjarError {
  return new NightjarError('compute/kernel', `kernel ${name} failed: a pointer or size is outside the pixel memory`, {
    cause,
  })
}

function lostHelper(name: string): NightjarError {
  return new NightjarError('compute/helper', `a compute thread ended or hung during ${name}: dispose this Compute`)
}

/** The helper's side: waits for jobs until told to stop. */
export function serve(data: HelperData, kernels: Kernels): void {
  const buffer = data.memory.buffer as unknown as SharedArrayBuffer
  const control = new Int32Array(buffer, 0, 64)
  const values = new Float64Array(buffer, argumentsOffset, maximumArguments)
  let seen = 0
  let pages = 0
  for (;;) {
    waitWhile(control, word.generation, seen, Number.POSITIVE_INFINITY)
    if (Atomics.load(control, word.stop) === 1) return
    const generation = Atomics.load(control, word.generation)
    if (generation === seen) continue
    seen = generation
    const name = data.kernelNames[control[word.kernel] ?? -1] as KernelName
    // An instance learns of memory that another thread added only when it is told; until then bulk copies there would trap.
    if (pages !== control[word.pages]) {
      data.memory.grow(0)
      pages = control[word.pages] ?? 0
    }
    const args = [...values.subarray(0, control[word.argumentCount])]
    try {
      runBand(kernels[name], band(data.thread, data.threads, control[word.rows] ?? 0, control[word.align] ?? 1), args)
    } catch {
      Atomics.add(control, word.failed, 1)
    }
    if (Atomics.sub(control, word.pending, 1) === 1) Atomics.notify(control, word.pending)
  }
}
