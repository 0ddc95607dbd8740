/** Bytes to and from one piece of hardware: TCP, a unix socket, a serial port, memory, or a tape of any of them. */
export interface Wire {
  /** For people: `tcp 127.0.0.1:7624`, `serial /dev/ttyUSB0`. */
  readonly name: string
  /** Resolves when the bytes have been accepted by the other side's buffer; rejects when the wire is closed. */
  write(bytes: Uint8Array): Promise<void>
  /** Stops or restarts delivery of incoming bytes (backpressure). */
  pause(): void
  resume(): void
  /** Idempotent. `onClose` follows. */
  close(): Promise<void>
}

/** What a wire calls. Bytes are only valid during the call: copy what must last. */
export interface WireHandlers {
  onBytes(bytes: Uint8Array): void
  /** Called exactly once, for any reason: the far side, an unplugged cable, `close()`. */
  onClose(reason: string): void
  /** Memory that came beside the bytes (unix sockets only), before the bytes that speak of it. Who takes it closes it. */
  onAttached?(memory: AttachedMemory): void
}

/** A piece of memory that another process has handed over. */
export interface AttachedMemory {
  /** What the other process has reserved; what it holds may be less. */
  readonly sizeBytes: number
  /** The first `bytes` bytes, which stay as they are; fewer when there are no more. Empty after `close`. */
  read(bytes: number): Uint8Array
  /** Idempotent. */
  close(): void
}

/** Opens a wire. Rejects with a `NightjarError` (`wire/...`) that names the address and the fix. */
export type Connect = (handlers: WireHandlers, signal?: AbortSignal) => Promise<Wire>
