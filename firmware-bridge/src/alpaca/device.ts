/** What every Alpaca device shares: it is connected, its properties are read again and again, its commands end as values. */
import type { Clock } from '../clock.ts'
import { pollEvery } from '../devices/poll.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { type AlpacaClient, type AlpacaKind, type AlpacaValues, createAlpacaClient } from './client.ts'
import { notImplemented } from './reply.ts'
import type { AlpacaTransport } from './transport.ts'

export interface AlpacaDeviceOptions {
  readonly clock: Clock
  readonly transport: AlpacaTransport
  readonly deviceNumber?: number
  /** Between two readings of everything while nothing moves. */
  readonly intervalMs?: number
}

/** `wait` goes on, a text is why it has failed. */
export type Verdict = 'wait' | 'done' | { readonly failed: string }

export interface AlpacaDevice extends AsyncDisposable {
  readonly client: AlpacaClient
  readonly source: string
  readonly atMs: number
  readonly connected: boolean
  readonly problem: string | undefined
  number(member: string): number | undefined
  boolean(member: string): boolean | undefined
  text(member: string): string | undefined
  value(member: string): unknown
  /** Reads everything that changes, now. */
  refresh(): Promise<void>
  /** One PUT. */
  command(member: string, values?: AlpacaValues, timeoutMs?: number): Promise<Outcome>
  /** Reads until `judge` has an opinion; fails when late, when aborted and when the device is lost. */
  until(judge: () => Verdict, timeoutMs: number, signal?: AbortSignal): Promise<Outcome>
}

export const defaultIntervalMs = 2_000
/** Between two readings while something moves. */
const motionMs = 250
const missedReadings = 3
/** What a reading may take beside that. */
const answerMs = 5_000
/** The few properties that want a parameter; an empty sensor name asks for the newest reading of all. */
const parametersOf: Readonly<Record<string, AlpacaValues>> = { timesincelastupdate: { SensorName: '' } }
/** Drivers take their time to open a serial port. */
const connectMs = 30_000

/** Starts reading `fixed` once a connection and `changing` each interval. What the device has not implemented is left out. */
export function createAlpacaDevice(
  kind: AlpacaKind,
  members: { readonly fixed: readonly string[]; readonly changing: readonly string[] },
  options: AlpacaDeviceOptions,
): AlpacaDevice {
  const { clock, transport, deviceNumber = 0, intervalMs = defaultIntervalMs } = options
  const over = new AbortController()
  const client = createAlpacaClient({ clock, transport, kind, deviceNumber, signal: over.signal })
  const values = new Map<string, unknown>()
  const absent = new Set<string>()
  let known = false

  /** Undefined when well. A property that the device refuses now, as after a start, has no value now. */
  async function read(member: string, signal: AbortSignal): Promise<string | undefined> {
    if (absent.has(member) || signal.aborted) return undefined
    const reply = await client.get(member, parametersOf[member] ?? {})
    if (reply.ok) values.set(member, reply.value)
    else values.delete(member)
    if (reply.ok || reply.errorNumber === 0) return reply.ok ? undefined : reply.reason
    if (reply.errorNumber === notImplemented) absent.add(member)
    return undefined
  }

  async function readAll(names: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    for (const name of names) {
      const problem = await read(name, signal)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  /** A device that was restarted is not connected: it is connected again and told its ranges anew. */
  async function connect(): Promise<string | undefined> {
    const connected = await client.get('connected')
    if (!connected.ok) return connected.reason
    if (connected.value === true) return undefined
    known = false
    const taken = await client.put('connected', { Connected: true }, connectMs)
    return taken.ok ? undefined : taken.reason
  }

  async function readOnce(signal: AbortSignal): Promise<string | undefined> {
    const refused = await connect()
    if (refused !== undefined) return refused
    if (!known) {
      absent.clear()
      const problem = await readAll(['name', ...members.fixed], signal)
      if (problem !== undefined) return problem
      known = true
    }
    return readAll(members.changing, signal)
  }

  const poll = pollEvery({
    clock,
    intervalMs,
    staleMs: missedReadings * intervalMs + answerMs,
    async read(signal) {
      const problem = await readOnce(signal)
      if (problem === undefined) return { ok: true, value: true }
      known = false
      return failure(problem)
    },
  })

  const connected = (): boolean => poll.problem === undefined

  async function until(judge: () => Verdict, timeoutMs: number, signal?: AbortSignal): Promise<Outcome> {
    const deadline = clock.monotonic() + timeoutMs
    for (;;) {
      if (signal?.aborted) return failure(`aborted: ${String(signal.reason)}`)
      await poll.refresh()
      if (signal?.aborted) return failure(`aborted: ${String(signal.reason)}`)
      if (!connected()) return failure(`${client.name} was lost: ${poll.problem}`)
      const verdict = judge()
      if (verdict === 'done') return done
      if (verdict !== 'wait') return failure(verdict.failed)
      if (clock.monotonic() >= deadline) return failure(`${client.name} is not done within ${timeoutMs / 1000} s`)
      await clock.sleep(motionMs)
    }
  }

  return {
    client,
    get source() {
      const name = values.get('name')
      return typeof name === 'string' && name !== '' ? `Alpaca ${name}` : client.name
    },
    get atMs() {
      return poll.atMs
    },
    get connected() {
      return connected()
    },
    get problem() {
      return poll.problem
    },
    value: (member) => values.get(member),
    number(member) {
      const value = values.get(member)
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined
    },
    boolean(member) {
      const value = values.get(member)
      return typeof value === 'boolean' ? value : undefined
    },
    text(member) {
      const value = values.get(member)
      return typeof value === 'string' ? value : undefined
    },
    refresh: () => poll.refresh(),
    async command(member, parameters = {}, timeoutMs) {
      if (!connected()) return failure(`${client.name} is not connected: ${poll.problem}`)
      const taken = await client.put(member, parameters, timeoutMs)
      return taken.ok ? done : failure(`${client.name}, ${member}: ${taken.reason}`)
    },
    until,
    async [Symbol.asyncDispose]() {
      over.abort(new Error('disposed'))
      await poll[Symbol.asyncDispose]()
    },
  }
}

/** What every state of an Alpaca device begins with. */
export function commonState(device: AlpacaDevice): {
  source: string
  atMs: number
  connected: boolean
  problem: string | undefined
} {
  return { source: device.source, atMs: device.atMs, connected: device.connected, problem: device.problem }
}
