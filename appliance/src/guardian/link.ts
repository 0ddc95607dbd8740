/** The daemon's end: it beats for as long as its event loop turns, and knows what the guardian sees. */
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { type Backoff, defaultBackoff, keepConnected } from '@nightjar/firmware-bridge/wire/reconnect.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import type { Wire } from '@nightjar/firmware-bridge/wire/wire.ts'
import { ownIdentity } from './processes.ts'
import {
  beatMs,
  createLineReader,
  encodeLine,
  type FromGuardian,
  type GuardianStatus,
  protocolVersion,
  type ToGuardian,
  type ToldMount,
} from './protocol.ts'

export interface GuardianLinkOptions {
  readonly socketPath: string
  readonly clock: Clock
  readonly random: Random
  /** A counter that only the daemon's own work advances: the guardian takes one that stands still for a hang. */
  health(): number
  /** Where the mount's port is the daemon's: what it reads of the mount. */
  readonly mount?: () => ToldMount | undefined
}

export interface GuardianLinkState {
  /** The guardian has answered within the last 2 s. One that has not protects nothing: the gate takes that as unsafe. */
  readonly alive: boolean
  /** Since its latest answer; Infinity when there was none. */
  readonly ageMs: number
  /** Its latest answer, however old. */
  readonly status: GuardianStatus | undefined
  /** Why it is not alive, for people. */
  readonly reason: string | undefined
}

export interface GuardianLink extends AsyncDisposable {
  state(): GuardianLinkState
  /** Calls `listener` with each answer; returns what ends that. */
  listen(listener: (status: GuardianStatus) => void): () => void
  /**
   * Says that the daemon ends of its own will; with the roof closed and the mount down the guardian then ends too.
   * Resolves when it was said, or when nobody was there to hear it.
   */
  leave(): Promise<void>
}

/** A guardian that answers no beat for so long is dead or hung. */
export const guardianSilentMs = 2_000

/** It is on this machine: nothing is gained by waiting long. */
const backoff: Backoff = { ...defaultBackoff, firstMs: 100, longestMs: 500, connectMs: 1_000 }

/** Beats from now on. */
export function connectGuardian(options: GuardianLinkOptions): GuardianLink {
  const { clock, random, socketPath } = options
  const stop = new AbortController()
  const listeners = new Set<(status: GuardianStatus) => void>()
  let wire: Wire | undefined
  let status: GuardianStatus | undefined
  let heardAtMs = Number.NEGATIVE_INFINITY
  let reason: string | undefined = 'no answer yet'
  let read = newReader()

  function newReader() {
    return createLineReader(
      (message) => receive(message as FromGuardian),
      () => void wire?.close(),
    )
  }

  function receive(message: FromGuardian): void {
    if (message.type === 'refused') reason = message.reason
    if (message.type !== 'status') return
    status = message
    heardAtMs = clock.monotonic()
    reason = undefined
    for (const listener of [...listeners]) listener(message)
  }

  async function say(message: ToGuardian): Promise<void> {
    // A wire that fails here also closes, and is opened again.
    await wire?.write(Buffer.from(encodeLine(message))).catch(() => undefined)
  }

  function beat(): Promise<void> {
    const mount = options.mount?.()
    return say({ type: 'beat', health: options.health(), ...(mount ? { mount } : {}) })
  }

  const connection = keepConnected(
    connectTcp({ path: socketPath }),
    {
      onOpen(opened) {
        wire = opened
        read = newReader()
        void say({ type: 'hello', version: protocolVersion, ...ownIdentity() })
        void beat()
      },
      onBytes: (bytes) => read(bytes),
      onClose(why) {
        wire = undefined
        reason = why
      },
    },
    { clock, random, backoff },
  )

  async function beatOn(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(beatMs, stop.signal).catch(() => undefined)
      // Not awaited: a guardian that does not read must not slow the beat.
      if (!stop.signal.aborted) void beat()
    }
  }
  const beating = beatOn()

  return {
    state() {
      const ageMs = clock.monotonic() - heardAtMs
      const alive = ageMs <= guardianSilentMs
      return { alive, ageMs, status, reason: alive ? undefined : (reason ?? 'it has fallen silent') }
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    leave: () => say({ type: 'bye' }),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await beating
      await connection[Symbol.asyncDispose]()
    },
  }
}
