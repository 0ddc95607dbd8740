/**
 * An INDI client for one server: it keeps the wire open, knows every property, sends commands that end as values, and
 * after a lost wire or a restarted driver puts back what was asked for: connections, settings, BLOB policies.
 *
 * The parts: `commanding.ts` (a command and its answer), `restoring.ts` (what is put back), `watching.ts` (waits),
 * `outbox.ts` (bounded writing), `inflate.ts` (compressed BLOBs).
 */
import type { Clock } from '../clock.ts'
import { failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import { type Backoff, keepConnected } from '../wire/reconnect.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { createCommand, type Judge, type Values } from './command.ts'
import { runCommand } from './commanding.ts'
import { createDecoder, type DecodeLimits, type Decoder, decodeLimits } from './decode.ts'
import { encode } from './encode.ts'
import { inflateBlobs, isDeflated } from './inflate.ts'
import type { BlobPolicy, GetProperties, IndiMessage, NewMessage, ProtocolFault, SetBlob } from './messages.ts'
import { createOutbox, type Outbox, type OutboxLimits, outboxLimits } from './outbox.ts'
import { type Change, emptyState, findProperty, type IndiState, type Reduced, reduce, removeAll } from './properties.ts'
import { isConnected, Restorer } from './restoring.ts'
import { Watcher } from './watching.ts'

export interface ClientOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  readonly limits?: Partial<DecodeLimits & OutboxLimits>
  readonly timing?: Partial<ClientTiming>
}

export interface ClientTiming {
  /** How often the server and each silent device are asked for a sign of life. */
  readonly probeMs: number
  /** So many probes without a single byte close the wire. */
  readonly silentProbes: number
  /** How often a device that should be connected and is not is asked again. */
  readonly reviveMs: number
  readonly commandMs: number
}

export const clientTiming: ClientTiming = { probeMs: 5_000, silentProbes: 3, reviveMs: 15_000, commandMs: 10_000 }

/** So many broken messages in a row, with no good one between, close the wire. */
const mostFaultsInARow = 50
/** A chunk this large fills segments of its own accord and is acknowledged without our help. */
const smallChunkBytes = 32 * 1024
const blankLine = Buffer.from('\n')

export type ClientEvent =
  | Change
  | { readonly type: 'opened'; readonly wire: string }
  | { readonly type: 'closed'; readonly reason: string; readonly retryMs: number }
  | { readonly type: 'restored'; readonly device: string; readonly name: string }
  | { readonly type: 'fault'; readonly fault: ProtocolFault }
  /** Another client of this server commands a device, or a driver snoops on one: indiserver passes it on to all. */
  | { readonly type: 'foreign'; readonly message: NewMessage | GetProperties }
  /** Of several servers (`clients.ts`) one came or went. */
  | { readonly type: 'server'; readonly name: string; readonly open: boolean; readonly reason?: string }

export interface SetOptions {
  readonly timeoutMs?: number
  /** Put back after the device was lost. For settings; never for exposures or slews. */
  readonly keep?: boolean
  readonly judge?: Judge
  readonly signal?: AbortSignal | undefined
}

export type Wanted = Values | (() => Values)

export interface IndiClient extends AsyncDisposable {
  readonly state: IndiState
  /** The wire is open. */
  readonly open: boolean
  /** When anything came from this device, Unix ms UTC; 0 when nothing has. */
  heardAtMs(device: string): number
  /** Calls `listener` after each change, `state` being already the new one; returns what ends that. */
  listen(listener: (event: ClientEvent) => void): () => void
  /** Sets values and waits until the device has decided. Never rejects. */
  set(device: string, property: string, values: Values, options?: SetOptions): Promise<Outcome>
  /** Resolves with the first value that `look` finds, now or after a change; undefined when the time or the signal ends it. */
  waitFor<T>(look: (state: IndiState) => T | undefined, timeoutMs: number, signal?: AbortSignal): Promise<T | undefined>
  /** Connects the device now and whenever it comes back. */
  connectDevice(device: string, timeoutMs?: number): Promise<Outcome>
  /** Disconnects and no longer brings it back. */
  disconnectDevice(device: string): Promise<Outcome>
  /** These values are sent whenever the property appears and does not hold them. */
  want(device: string, property: string, values: Wanted): void
  /** What is sent when the property appears: from `want` and from settings made with `keep`. */
  wanted(device: string, property: string): Values | undefined
  /** Sets who gets the BLOBs of one property (`Also` by default), now and whenever it appears. */
  wantBlobs(device: string, property: string, policy?: BlobPolicy): void
  /** Sends a message as it is. Dropped when the wire is closed. */
  send(message: IndiMessage): void
  /** Asks for a property anew; the driver answers after everything that it was sent before. */
  readBack(device: string, property: string): void
  /** Milliseconds until the server has dealt with all that was sent; undefined when it does not answer in time. */
  ping(timeoutMs?: number): Promise<number | undefined>
}

export function createIndiClient(connect: Connect, options: ClientOptions): IndiClient {
  const client = new Client(options)
  client.start(connect)
  return client
}

class Client implements IndiClient {
  readonly #clock: Clock
  readonly #options: ClientOptions
  readonly #timing: ClientTiming
  readonly #limits: DecodeLimits & OutboxLimits
  readonly #listeners = new Set<(event: ClientEvent) => void>()
  readonly #heard = new Map<string, number>()
  readonly #pings = new Map<string, () => void>()
  readonly #stop = new AbortController()
  readonly #watcher: Watcher
  readonly #restorer: Restorer
  #connection: AsyncDisposable | undefined
  #probing: Promise<void> = Promise.resolve()
  #state = emptyState
  #wire: Wire | undefined
  #outbox: Outbox | undefined
  #decoder: Decoder | undefined
  #faultsInARow = 0
  #silentProbes = 0
  #uid = 0
  /** Commands whose answer has not come. */
  #underWay = 0

  constructor(options: ClientOptions) {
    this.#clock = options.clock
    this.#options = options
    this.#timing = { ...clientTiming, ...options.timing }
    this.#limits = { ...decodeLimits, ...outboxLimits, ...options.limits }
    this.#watcher = new Watcher(this.#clock, (listener) => this.listen(listener), this.#stop.signal)
    this.#restorer = new Restorer({
      clock: this.#clock,
      reviveMs: this.#timing.reviveMs,
      state: () => this.#state,
      send: (message) => this.send(message),
      tell: (event) => this.#tell(event),
    })
  }

  start(connect: Connect): void {
    const { clock, random, backoff } = this.#options
    const events = {
      onOpen: (wire: Wire) => this.#onOpen(wire),
      onBytes: (bytes: Uint8Array) => this.#onBytes(bytes),
      onAttached: (memory: Parameters<Decoder['attach']>[0]) => this.#onAttached(memory),
      onClose: (reason: string, retryMs: number) => this.#onClose(reason, retryMs),
    }
    this.#connection = keepConnected(connect, events, { clock, random, ...(backoff ? { backoff } : {}) })
    this.#probing = this.#probe()
  }

  get state(): IndiState {
    return this.#state
  }

  get open(): boolean {
    return this.#wire !== undefined
  }

  heardAtMs(device: string): number {
    return this.#heard.get(device) ?? 0
  }

  listen(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  send(message: IndiMessage): void {
    this.#outbox?.put(encode(message))
  }

  readBack(device: string, property: string): void {
    this.send(readBackOf(device, property))
  }

  want(device: string, property: string, values: Wanted): void {
    this.#restorer.want(device, property, values)
  }

  wanted(device: string, property: string): Values | undefined {
    return this.#restorer.wanted(device, property)
  }

  wantBlobs(device: string, property: string, policy: BlobPolicy = 'Also'): void {
    this.#restorer.wantBlobs(device, property, policy)
  }

  async connectDevice(device: string, timeoutMs = 30_000): Promise<Outcome> {
    this.#restorer.connect(device)
    const connected = await this.waitFor((state) => isConnected(state, device) || undefined, timeoutMs)
    return connected ? { ok: true } : this.#restorer.whyNotConnected(device, timeoutMs)
  }

  disconnectDevice(device: string): Promise<Outcome> {
    this.#restorer.forgetConnection(device)
    return this.set(device, 'CONNECTION', { DISCONNECT: true, CONNECT: false })
  }

  waitFor<T>(
    look: (state: IndiState) => T | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const found = look(this.#state)
    if (found !== undefined) return Promise.resolve(found)
    return this.#watcher.watch<T | undefined>(timeoutMs, undefined, signal, () => look(this.#state))
  }

  async set(device: string, property: string, values: Values, options: SetOptions = {}): Promise<Outcome> {
    const timeoutMs = options.timeoutMs ?? this.#timing.commandMs
    const { signal } = options
    const startedAt = this.#clock.monotonic()
    const known = await this.waitFor((state) => findProperty(state, device, property), timeoutMs, signal)
    if (signal?.aborted) return failure(`aborted: ${signal.reason}`)
    if (!known) return failure(`${device} has no ${property}`)
    const command = createCommand(known, values)
    if ('refused' in command) return failure(command.refused)
    if (!this.#wire) return failure('the server is not connected')
    const remainingMs = timeoutMs - (this.#clock.monotonic() - startedAt)
    const outcome = await this.#command(command, values, { ...options, timeoutMs: remainingMs })
    if (outcome.ok && options.keep) this.#restorer.keep(device, property, values)
    return outcome
  }

  async ping(timeoutMs = this.#timing.commandMs): Promise<number | undefined> {
    const uid = `nightjar-${++this.#uid}`
    const startedAt = this.#clock.monotonic()
    const answered = Promise.withResolvers<number>()
    this.#pings.set(uid, () => answered.resolve(this.#clock.monotonic() - startedAt))
    this.send({ type: 'pingRequest', uid })
    const settled = new AbortController()
    const late = this.#clock.sleep(timeoutMs, AbortSignal.any([settled.signal, this.#stop.signal]))
    const none = (): undefined => undefined
    const elapsedMs = await Promise.race([answered.promise, late.then(none, none)])
    settled.abort()
    this.#pings.delete(uid)
    return elapsedMs
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#connection?.[Symbol.asyncDispose]()
    await this.#probing
    this.#decoder?.close()
    this.#reduced(removeAll(this.#state))
  }

  async #command(command: NewMessage, values: Values, options: SetOptions & { timeoutMs: number }): Promise<Outcome> {
    this.#underWay++
    try {
      return await runCommand({ client: this, clock: this.#clock, watcher: this.#watcher }, command, values, options)
    } finally {
      this.#underWay--
    }
  }

  #onOpen(wire: Wire): void {
    this.#wire = wire
    this.#outbox = createOutbox(wire, this.#limits)
    this.#faultsInARow = 0
    this.#silentProbes = 0
    this.#decoder = createDecoder(
      { onMessage: (message) => this.#onMessage(message), onFault: (fault) => this.#onFault(fault) },
      this.#limits,
    )
    this.#tell({ type: 'opened', wire: wire.name })
    this.send({ type: 'getProperties', version: '1.7' })
  }

  /**
   * indiserver leaves Nagle's algorithm on: of two small messages it holds the second until the first is acknowledged,
   * and a kernel that has nothing to say acknowledges 40 ms late. So while an answer is awaited each small chunk is met
   * with a blank line, which carries the acknowledgement and means nothing in XML.
   */
  #onBytes(bytes: Uint8Array): void {
    this.#silentProbes = 0
    this.#decoder?.feed(bytes)
    if (this.#underWay > 0 && bytes.length < smallChunkBytes) this.#outbox?.put(blankLine)
  }

  #onAttached(memory: Parameters<Decoder['attach']>[0]): void {
    if (this.#decoder) this.#decoder.attach(memory)
    else memory.close()
  }

  #onClose(reason: string, retryMs: number): void {
    this.#wire = undefined
    this.#outbox = undefined
    this.#decoder?.close()
    this.#decoder = undefined
    const { state, changes } = removeAll(this.#state)
    this.#state = state
    this.#tell({ type: 'closed', reason, retryMs })
    for (const change of changes) this.#tell(change)
  }

  #onFault(fault: ProtocolFault): void {
    this.#tell({ type: 'fault', fault })
    if (++this.#faultsInARow > mostFaultsInARow) void this.#wire?.close()
  }

  #onMessage(message: IndiMessage): void {
    this.#faultsInARow = 0
    if (message.type === 'pingRequest') this.send({ type: 'pingReply', uid: message.uid })
    if (message.type === 'pingReply') this.#pings.get(message.uid)?.()
    if (message.type === 'new' || message.type === 'getProperties') this.#tell({ type: 'foreign', message })
    const told = message.type === 'def' || message.type === 'set' || message.type === 'message'
    if (told && message.device !== undefined) this.#heard.set(message.device, this.#clock.now())
    if (isDeflated(message)) void this.#inflate(message)
    else this.#reduced(reduce(this.#state, message, this.#clock.now()))
  }

  /** Nothing more is read until the BLOB is whole again: one at a time, and in order but for what had come already. */
  async #inflate(message: SetBlob): Promise<void> {
    const wire = this.#wire
    wire?.pause()
    const inflated = await inflateBlobs(message, this.#limits.blobBytes)
    if (wire === undefined || wire !== this.#wire) return
    wire.resume()
    if ('code' in inflated) this.#onFault(inflated)
    else this.#reduced(reduce(this.#state, inflated, this.#clock.now()))
  }

  #reduced({ state, changes }: Reduced): void {
    this.#state = state
    for (const change of changes) {
      if (change.type === 'defined' && change.fresh) this.#restorer.onAppeared(change.device, change.name)
      this.#tell(change)
    }
  }

  #tell(event: ClientEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  /** Signs of life, and devices brought back, for as long as the client lives. */
  async #probe(): Promise<void> {
    const { probeMs, silentProbes } = this.#timing
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(probeMs, this.#stop.signal).catch(() => undefined)
      if (!this.#wire || this.#stop.signal.aborted) continue
      if (this.#silentProbes++ >= silentProbes) {
        await this.#wire.close()
        continue
      }
      this.send({ type: 'pingRequest', uid: `nightjar-${++this.#uid}` })
      for (const device of this.#restorer.connected()) this.#probeDevice(device, probeMs)
    }
  }

  #probeDevice(device: string, probeMs: number): void {
    if (!findProperty(this.#state, device, 'CONNECTION')) return
    this.#restorer.revive(device)
    if (this.#clock.now() - this.heardAtMs(device) >= probeMs / 2) this.readBack(device, 'CONNECTION')
  }
}

function readBackOf(device: string, name: string): GetProperties {
  return { type: 'getProperties', version: '1.7', device, name }
}
