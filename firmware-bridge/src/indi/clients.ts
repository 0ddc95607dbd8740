/**
 * Several servers seen as one: devices are found by name wherever they are, so that drivers need not know in which driver
 * group theirs runs. The close of one server loses its own devices and tells nothing to those who use the others.
 */
import { failure, type Outcome } from '../outcome.ts'
import type { ClientEvent, IndiClient, SetOptions, Wanted } from './client.ts'
import type { Values } from './command.ts'
import { logLimits } from './log.ts'
import type { BlobPolicy, IndiMessage } from './messages.ts'
import { type DeviceProperties, emptyState, type IndiState } from './properties.ts'

export interface IndiClients extends IndiClient {
  readonly names: readonly string[]
  /** The client of one server. */
  client(name: string): IndiClient | undefined
  /** Name of the server on which the device is, or was last seen. */
  serverOf(device: string): string | undefined
}

interface Member {
  readonly name: string
  readonly client: IndiClient
}

/**
 * Merges clients by server name, and disposes them with itself. A device name that two servers use belongs to the server
 * that stands first; a device once seen stays with its server, so that a restart does not hand it to another.
 */
export function mergeIndiClients(clients: ReadonlyMap<string, IndiClient>): IndiClients {
  return new Clients([...clients].map(([name, client]) => ({ name, client })))
}

class Clients implements IndiClients {
  readonly #members: readonly Member[]
  readonly #owners = new Map<string, Member>()
  #parts: readonly IndiState[] = []
  #merged = emptyState

  constructor(members: readonly Member[]) {
    this.#members = members
  }

  get names(): readonly string[] {
    return this.#members.map((member) => member.name)
  }

  get open(): boolean {
    return this.#members.some((member) => member.client.open)
  }

  /** Made anew only when a member's state is another. */
  get state(): IndiState {
    const parts = this.#members.map((member) => member.client.state)
    if (parts.some((part, i) => part !== this.#parts[i])) {
      this.#parts = parts
      this.#merged = mergeStates(parts)
    }
    return this.#merged
  }

  client(name: string): IndiClient | undefined {
    return this.#members.find((member) => member.name === name)?.client
  }

  serverOf(device: string): string | undefined {
    return this.#owner(device)?.name
  }

  heardAtMs(device: string): number {
    return this.#owner(device)?.client.heardAtMs(device) ?? 0
  }

  listen(listener: (event: ClientEvent) => void): () => void {
    const ends = this.#members.map(({ name, client }) =>
      client.listen((event) => {
        if ('device' in event && typeof event.device === 'string') this.#owner(event.device)
        if (event.type === 'opened') listener({ type: 'server', name, open: true })
        else if (event.type === 'closed') listener({ type: 'server', name, open: false, reason: event.reason })
        else listener(event)
      }),
    )
    return () => {
      for (const end of ends) end()
    }
  }

  async set(device: string, property: string, values: Values, options: SetOptions = {}): Promise<Outcome> {
    const owner = await this.#find(device, options.timeoutMs, options.signal)
    return owner ? owner.client.set(device, property, values, options) : failure(`${device} is on no server`)
  }

  async waitFor<T>(
    look: (state: IndiState) => T | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const settled = new AbortController()
    const ends = AbortSignal.any([settled.signal, ...(signal ? [signal] : [])])
    try {
      // Whichever server tells the news, all of them are looked at.
      const waits = this.#members.map(({ client }) => client.waitFor(() => look(this.state), timeoutMs, ends))
      return await firstFound(waits)
    } finally {
      settled.abort()
    }
  }

  async connectDevice(device: string, timeoutMs = 30_000): Promise<Outcome> {
    const owner = await this.#find(device, timeoutMs)
    if (owner) return owner.client.connectDevice(device, timeoutMs)
    // It may come later: whoever has it then connects it.
    for (const { client } of this.#members) void client.connectDevice(device, 0)
    return failure(`${device} is on no server`)
  }

  async disconnectDevice(device: string): Promise<Outcome> {
    const owner = this.#owner(device)
    return owner ? owner.client.disconnectDevice(device) : failure(`${device} is on no server`)
  }

  want(device: string, property: string, values: Wanted): void {
    for (const client of this.#possible(device)) client.want(device, property, values)
  }

  wanted(device: string, property: string): Values | undefined {
    return this.#possible(device)[0]?.wanted(device, property)
  }

  wantBlobs(device: string, property: string, policy?: BlobPolicy): void {
    for (const client of this.#possible(device)) client.wantBlobs(device, property, policy)
  }

  send(message: IndiMessage): void {
    const device = 'device' in message ? message.device : undefined
    const clients = device === undefined ? this.#members.map((member) => member.client) : this.#possible(device)
    for (const client of clients) client.send(message)
  }

  readBack(device: string, property: string): void {
    for (const client of this.#possible(device)) client.readBack(device, property)
  }

  /** The slowest of the servers that are open; undefined when none is, or one does not answer. */
  async ping(timeoutMs?: number): Promise<number | undefined> {
    const open = this.#members.filter((member) => member.client.open)
    const times = await Promise.all(open.map((member) => member.client.ping(timeoutMs)))
    return times.reduce(
      (slowest, ms) => (slowest === undefined || ms === undefined ? undefined : Math.max(slowest, ms)),
      times[0],
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member.client[Symbol.asyncDispose]()))
  }

  #owner(device: string): Member | undefined {
    const known = this.#owners.get(device)
    if (known) return known
    const found = this.#members.find((member) => member.client.state.devices.has(device))
    if (found) this.#owners.set(device, found)
    return found
  }

  /** The device's own client, or all of them as long as nobody knows where it is. */
  #possible(device: string): readonly IndiClient[] {
    const owner = this.#owner(device)
    return owner ? [owner.client] : this.#members.map((member) => member.client)
  }

  async #find(device: string, timeoutMs = 10_000, signal?: AbortSignal): Promise<Member | undefined> {
    const known = this.#owner(device)
    if (known) return known
    return this.waitFor(() => this.#owner(device), timeoutMs, signal)
  }
}

/** The first value that is not undefined, or undefined when all have ended without one. */
async function firstFound<T>(waits: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  const found = Promise.withResolvers<T | undefined>()
  for (const wait of waits) {
    void wait.then((value) => {
      if (value !== undefined) found.resolve(value)
    })
  }
  void Promise.all(waits).then(() => found.resolve(undefined))
  return found.promise
}

function mergeStates(parts: readonly IndiState[]): IndiState {
  const devices = new Map<string, DeviceProperties>()
  const logs = new Map<string, IndiState['log']>()
  for (const part of parts) {
    for (const [name, properties] of part.devices) if (!devices.has(name)) devices.set(name, properties)
    for (const [name, log] of part.logs)
      logs.set(name, byTime([...(logs.get(name) ?? []), ...log]).slice(-logLimits.each))
  }
  const log = byTime(parts.flatMap((part) => part.log)).slice(-logLimits.all)
  return { devices, logs, log }
}

function byTime(log: IndiState['log']): IndiState['log'] {
  return [...log].sort((a, b) => a.atMs - b.atMs)
}
