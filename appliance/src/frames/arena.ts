import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

const pageBytes = 65536
/** Growing by 16 MiB at a time keeps the number of grow calls small; untouched pages cost nothing. */
const growPages = 256
const alignment = 64

/**
 * A stack of allocations in one shared WebAssembly memory. What was allocated after `scope()` is given back when the scope
 * is disposed; scopes are disposed in reverse order. The memory grows on demand and never shrinks.
 */
export class Arena {
  readonly memory: WebAssembly.Memory
  readonly #maximumBytes: number
  readonly #start: number
  #top: number
  #peak: number
  #depth = 0

  /** Leaves `reservedBytes` at the start of the memory alone. */
  constructor(memory: WebAssembly.Memory, maximumPages: number, reservedBytes: number) {
    this.memory = memory
    this.#maximumBytes = maximumPages * pageBytes
    this.#start = reservedBytes
    this.#top = reservedBytes
    this.#peak = reservedBytes
  }

  /** A 64-byte aligned pointer to `bytes` bytes of whatever was there. Throws `compute/memory` at the limit. */
  allocate(bytes: number): number {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new NightjarError('compute/memory', `cannot allocate ${bytes} bytes: the size must be a whole number`)
    }
    const pointer = Math.ceil(this.#top / alignment) * alignment
    const end = pointer + bytes
    this.#reserve(end)
    this.#top = end
    this.#peak = Math.max(this.#peak, end)
    return pointer
  }

  /** As `allocate`, and all zero. */
  allocateZeroed(bytes: number): number {
    const fresh = Math.ceil(this.#peak / alignment) * alignment
    const pointer = this.allocate(bytes)
    // Memory above the highest address ever handed out is still zero.
    const used = Math.min(bytes, fresh - pointer)
    if (used > 0) new Uint8Array(this.memory.buffer, pointer, used).fill(0)
    return pointer
  }

  scope(): Disposable {
    const top = this.#top
    const depth = ++this.#depth
    let open = true
    return {
      [Symbol.dispose]: () => {
        if (!open) return
        open = false
        if (depth !== this.#depth) {
          throw new NightjarError('compute/scope', 'scopes must be disposed in reverse order: use `using`')
        }
        this.#depth--
        this.#top = top
      },
    }
  }

  usage(): { readonly bytes: number; readonly peakBytes: number } {
    return { bytes: this.#top - this.#start, peakBytes: this.#peak - this.#start }
  }

  #reserve(end: number): void {
    const missing = end - this.memory.buffer.byteLength
    if (missing <= 0) return
    const limitPages = (this.#maximumBytes - this.memory.buffer.byteLength) / pageBytes
    const neededPages = Math.ceil(missing / pageBytes)
    if (neededPages > limitPages) throw this.#full(end)
    try {
      this.memory.grow(Math.min(limitPages, Math.max(growPages, neededPages)))
    } catch (cause) {
      throw this.#full(end, cause)
    }
  }

  #full(end: number, cause?: unknown): NightjarError {
    const need = Math.ceil(end / 1048576)
    const limit = Math.floor(this.#maximumBytes / 1048576)
    return new NightjarError(
      'compute/memory',
      `the pixel memory would need ${need} MiB but may have ${limit} MiB: use a smaller frame, or crop or bin it first`,
      { cause },
    )
  }
}
