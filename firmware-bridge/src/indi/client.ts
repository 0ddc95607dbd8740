/**
 * An INDI client for one server: it keeps the wire open, knows every property, sends commands that end as values, and
 * after a lost wire or a restarted driver puts back what was asked for: connections, settings, BLOB policies.
 *
 * Every command is followed by a narrow `getProperties` for the same property. A driver answers it with a definition
 * after it has handled the command, so a command that the driver ignores (an unknown name, Dec 120) ends at once and an
 * Alert that follows an Ok is not missed.
 */
import type { Clock } from '../clock.ts'
import { failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import { type Backoff, keepConnected } from '../wire/reconnect.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { createCommand, holds, type Judge, judgeValues, type Values } from './command.ts'
import { createDecoder, type DecodeLimits, type Decoder } from './decode.ts'
import { encode } from './encode.ts'
import type { IndiMessage, ProtocolFault } from './messages.ts'
import {
  type Change,
  emptyState,
  findProperty,
  findSwitch,
  type IndiState,
  lastWords,
  type Property,
  type Reduced,
  reduce,
  removeAll,
} from './properties.ts'

export interface ClientOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  readonly limits?: Partial<DecodeLimits>
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

export type ClientEvent =
  | Change
  | { readonly type: 'opened'; readonly wire: string }
  | { readonly type: 'closed'; readonly reason: string; readonly retryMs: number }
  | { readonly type: 'restored'; readonly device: string; readonly name: string }
  | { readonly type: 'fault'; readonly fault: ProtocolFault }

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
  /** Asks for the BLOBs of one property, now and whenever it appears. */
  wantBlobs(device: string, property: string): void
  /** Sends a message as it is. Dropped when the wire is closed. */
  send(message: IndiMessage): void
  /** Asks for a property anew; the driver answers after everything that it was sent before. */
  readBack(device: string, property: string): void
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
  readonly #listeners = new Set<(event: ClientEvent) => void>()
  readonly #heard = new Map<string, number>()
  readonly #connections = new Map<string, { askedAt: number }>()
  readonly #wanted = new Map<string, Map<string, Wanted>>()
  readonly #blobs = new Set<string>()
  readonly #stop = new AbortController()
  #connection: AsyncDisposable | undefined
  #probing: Promise<void> = Promise.resolve()
  #state = emptyState
  #wire: Wire | undefined
  #decoder: Decoder | undefined
  #faultsInARow = 0
  #silentProbes = 0
  #uid = 0

  constructor(options: ClientOptions) {
    this.#clock = options.clock
    this.#options = options
    this.#timing = { ...clientTiming, ...options.timing }
  }

  start(connect: Connect): void {
    const { clock, random, backoff } = this.#options
    const events = {
      onOpen: (wire: Wire) => this.#onOpen(wire),
      onBytes: (bytes: Uint8Array) => this.#onBytes(bytes),
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
    // A wire that fails here also closes, and the close is what everyone waits on.
    this.#wire?.write(encode(message)).catch(() => undefined)
  }

  readBack(device: string, property: string): void {
    this.send({ type: 'getProperties', version: '1.7', device, name: property })
  }

  want(device: string, property: string, values: Wanted): void {
    const ofDevice = this.#wanted.get(device) ?? new Map<string, Wanted>()
    this.#wanted.set(device, ofDevice.set(property, values))
    this.#restore(device, property)
  }

  wantBlobs(device: string, property: string): void {
    this.#blobs.add(`${device}\n${property}`)
    if (findProperty(this.#state, device, property)) this.#enableBlobs(device, property)
  }

  async connectDevice(device: string, timeoutMs = 30_000): Promise<Outcome> {
    if (!this.#connections.has(device)) this.#connections.set(device, { askedAt: Number.NEGATIVE_INFINITY })
    this.#revive(device)
    const connected = await this.waitFor((state) => isConnected(state, device) || undefined, timeoutMs)
    if (connected) return { ok: true }
    const known = findProperty(this.#state, device, 'CONNECTION')
    const words = known && lastWords(this.#state, device, known.atMs - timeoutMs)
    return failure(known ? (words ?? `${device} does not connect`) : `${device} is not on the server`)
  }

  disconnectDevice(device: string): Promise<Outcome> {
    this.#connections.delete(device)
    return this.set(device, 'CONNECTION', { DISCONNECT: true, CONNECT: false })
  }

  waitFor<T>(
    look: (state: IndiState) => T | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const found = look(this.#state)
    if (found !== undefined) return Promise.resolve(found)
    return this.#watch<T | undefined>(timeoutMs, undefined, signal, () => look(this.#state))
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
    const outcome = await this.#command(command, known, values, {
      ...options,
      timeoutMs: timeoutMs - (this.#clock.monotonic() - startedAt),
    })
    if (outcome.ok && options.keep) this.#keep(device, property, values)
    return outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#connection?.[Symbol.asyncDispose]()
    await this.#probing
    this.#reduced(removeAll(this.#state))
  }

  /** Sends and reads back until the judge decides. One more look is taken at a refusal that no Alert explains. */
  #command(message: IndiMessage, property: Property, values: Values, options: SetOptions): Promise<Outcome> {
    const { device, name } = property
    const { judge = judgeValues, timeoutMs = this.#timing.commandMs, signal } = options
    if (!this.#wire) return Promise.resolve(failure('the server is not connected'))
    const sentAtMs = this.#clock.now()
    const seconds = Math.round(timeoutMs / 1000)
    const late = failure(`${device}.${name} was not done within ${seconds} s`)
    let answers = 0
    let looks = 0
    const outcome = this.#watch<Outcome>(timeoutMs, late, signal, (event) => {
      if (event.type === 'closed') return failure('the connection to the server was lost')
      if (event.type === 'deviceLost' && event.device === device) return failure(`${device} was lost`)
      if (!isAbout(event, device, name)) return undefined
      if (event.type === 'deleted') return failure(`${device} took ${name} away`)
      if (event.type === 'defined') answers++
      const now = findProperty(this.#state, device, name)
      if (!now || answers === 0) return undefined
      const verdict = judge(now, values)
      if (verdict === 'wait') return undefined
      if (verdict === 'done') return { ok: true }
      if (now.state !== 'Alert' && looks++ === 0) {
        this.readBack(device, name)
        return undefined
      }
      const words = lastWords(this.#state, device, sentAtMs)
      return failure(words ? `${words} (${verdict.refused})` : verdict.refused)
    })
    this.send(message)
    this.readBack(device, name)
    return outcome
  }

  /** Calls `look` at each event until it decides, the time is over (then `late`) or the signal aborts. */
  #watch<T>(
    timeoutMs: number,
    late: T,
    signal: AbortSignal | undefined,
    look: (event: ClientEvent) => T | undefined,
  ): Promise<T> {
    return new Promise((resolve) => {
      const settled = new AbortController()
      const settle = (value: T): void => {
        unlisten()
        settled.abort()
        resolve(value)
      }
      const unlisten = this.listen((event) => {
        const value = look(event)
        if (value !== undefined) settle(value)
      })
      const signals = [settled.signal, this.#stop.signal, ...(signal ? [signal] : [])]
      const over = (): void => (settled.signal.aborted ? undefined : settle(abortedValue(late, signal)))
      this.#clock.sleep(Math.max(0, timeoutMs), AbortSignal.any(signals)).then(over, over)
    })
  }

  #onOpen(wire: Wire): void {
    this.#wire = wire
    this.#faultsInARow = 0
    this.#silentProbes = 0
    this.#decoder = createDecoder(
      { onMessage: (message) => this.#onMessage(message), onFault: (fault) => this.#onFault(fault) },
      this.#options.limits,
    )
    this.#tell({ type: 'opened', wire: wire.name })
    this.send({ type: 'getProperties', version: '1.7' })
  }

  #onBytes(bytes: Uint8Array): void {
    this.#silentProbes = 0
    this.#decoder?.feed(bytes)
  }

  #onClose(reason: string, retryMs: number): void {
    this.#wire = undefined
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
    const told = message.type === 'def' || message.type === 'set' || message.type === 'message'
    if (told && message.device !== undefined) this.#heard.set(message.device, this.#clock.now())
    this.#reduced(reduce(this.#state, message, this.#clock.now()))
  }

  #reduced({ state, changes }: Reduced): void {
    this.#state = state
    for (const change of changes) {
      if (change.type === 'defined' && change.fresh) this.#onAppeared(change.device, change.name)
      this.#tell(change)
    }
  }

  #tell(event: ClientEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  #onAppeared(device: string, name: string): void {
    if (this.#blobs.has(`${device}\n${name}`)) this.#enableBlobs(device, name)
    const connection = this.#connections.get(device)
    if (name === 'CONNECTION' && connection) {
      connection.askedAt = Number.NEGATIVE_INFINITY
      this.#revive(device)
    }
    this.#restore(device, name)
  }

  #enableBlobs(device: string, name: string): void {
    this.send({ type: 'enableBLOB', device, name, policy: 'Also' })
  }

  #keep(device: string, property: string, values: Values): void {
    const before = this.#wanted.get(device)?.get(property)
    const ofDevice = this.#wanted.get(device) ?? new Map<string, Wanted>()
    const exclusive = findProperty(this.#state, device, property)?.kind === 'switch'
    const merged = typeof before === 'object' && !exclusive ? { ...before, ...values } : values
    this.#wanted.set(device, ofDevice.set(property, merged))
  }

  /** Sends what is wanted of a property that holds something else. Elements that this device does not have are left out. */
  #restore(device: string, name: string): void {
    const wanted = this.#wanted.get(device)?.get(name)
    const property = findProperty(this.#state, device, name)
    if (!wanted || !property) return
    const all = typeof wanted === 'function' ? wanted() : wanted
    const has = (element: string): boolean => property.elements.some((item) => item.name === element)
    const values = Object.fromEntries(Object.entries(all).filter(([element]) => has(element)))
    if (Object.keys(values).length === 0 || holds(property, values)) return
    const command = createCommand(property, values)
    if ('refused' in command) return
    this.send(command)
    this.#tell({ type: 'restored', device, name })
  }

  /** Asks a device that should be connected and is not, but not more often than `reviveMs`. */
  #revive(device: string): void {
    const connection = this.#connections.get(device)
    const property = findProperty(this.#state, device, 'CONNECTION')
    if (!connection || !property || property.state === 'Busy' || isConnected(this.#state, device)) return
    const now = this.#clock.monotonic()
    if (now - connection.askedAt < this.#timing.reviveMs) return
    connection.askedAt = now
    const command = createCommand(property, { CONNECT: true, DISCONNECT: false })
    if ('refused' in command) return
    this.send(command)
    this.#tell({ type: 'restored', device, name: 'CONNECTION' })
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
      for (const device of this.#connections.keys()) this.#probeDevice(device, probeMs)
    }
  }

  #probeDevice(device: string, probeMs: number): void {
    if (!findProperty(this.#state, device, 'CONNECTION')) return
    this.#revive(device)
    if (this.#clock.now() - this.heardAtMs(device) >= probeMs / 2) this.readBack(device, 'CONNECTION')
  }
}

function isConnected(state: IndiState, device: string): boolean {
  const property = findProperty(state, device, 'CONNECTION')
  return findSwitch(state, device, 'CONNECTION', 'CONNECT') === true && property?.state !== 'Busy'
}

function isAbout(event: ClientEvent, device: string, name: string): event is Change & { device: string; name: string } {
  return 'device' in event && 'name' in event && event.device === device && event.name === name
}

/** What a wait ends with when it was not decided: failures name the abort. */
function abortedValue<T>(late: T, signal: AbortSignal | undefined): T {
  const isFailure = typeof late === 'object' && late !== null && 'reason' in late
  return isFailure && signal?.aborted ? { ...late, reason: `aborted: ${signal.reason}` } : late
}
