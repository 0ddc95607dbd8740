/** An Alpaca switch is a box of numbered switches, each with a name and a range: read one by one. */
import { pollEvery, type Reading } from '../devices/poll.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { createAlpacaClient } from './client.ts'
import { type AlpacaDeviceOptions, defaultIntervalMs } from './device.ts'

export type { AlpacaDeviceOptions } from './device.ts'

export interface Switch {
  readonly id: number
  /** Unique in its box: a number is added where two have the same. */
  readonly name: string
  readonly canWrite: boolean
  readonly min: number
  readonly max: number
  readonly step: number
  readonly value: number
}

export interface AlpacaSwitches extends AsyncDisposable {
  all(): readonly Switch[]
  common(): { source: string; atMs: number; connected: boolean; problem: string | undefined }
  /** Resolves when the box reads the value back. */
  set(one: Switch, value: number): Promise<Outcome>
}

type Fixed = Omit<Switch, 'value'>

const mostSwitches = 64
const connectMs = 30_000
const settleMs = 10_000
const settlePollMs = 250
const missedReadings = 3
const answerMs = 5_000

export function createAlpacaSwitches(options: AlpacaDeviceOptions): AlpacaSwitches {
  const { clock, transport, deviceNumber = 0, intervalMs = defaultIntervalMs } = options
  const over = new AbortController()
  const client = createAlpacaClient({ clock, transport, kind: 'switch', deviceNumber, signal: over.signal })
  let fixed: readonly Fixed[] | undefined

  async function read<T extends 'number' | 'string' | 'boolean'>(
    member: string,
    type: T,
    id?: number,
  ): Promise<Reading<T extends 'number' ? number : T extends 'string' ? string : boolean>> {
    const reply = await client.get(member, id === undefined ? {} : { Id: id })
    if (!reply.ok) return reply
    return typeof reply.value === type ? { ok: true, value: reply.value as never } : failure(`${member} is no ${type}`)
  }

  async function describe(): Promise<Reading<readonly Fixed[]>> {
    const count = await read('maxswitch', 'number')
    if (!count.ok) return count
    const found: Fixed[] = []
    for (let id = 0; id < Math.min(count.value, mostSwitches); id++) {
      const name = await read('getswitchname', 'string', id)
      const canWrite = await read('canwrite', 'boolean', id)
      const min = await read('minswitchvalue', 'number', id)
      const max = await read('maxswitchvalue', 'number', id)
      const step = await read('switchstep', 'number', id)
      if (!name.ok || !canWrite.ok || !min.ok || !max.ok || !step.ok) {
        return failure(`switch ${id} does not tell its name and range`)
      }
      const isTaken = found.some((other) => other.name === name.value)
      found.push({
        id,
        name: isTaken ? `${name.value} ${id}` : name.value,
        canWrite: canWrite.value,
        min: min.value,
        max: max.value,
        step: step.value > 0 ? step.value : 1,
      })
    }
    return { ok: true, value: found }
  }

  async function connect(): Promise<Outcome> {
    const connected = await client.get('connected')
    if (!connected.ok || connected.value === true) return connected.ok ? done : connected
    fixed = undefined
    const taken = await client.put('connected', { Connected: true }, connectMs)
    return taken.ok ? done : taken
  }

  const poll = pollEvery<readonly Switch[]>({
    clock,
    intervalMs,
    staleMs: missedReadings * intervalMs + answerMs,
    async read() {
      const connected = await connect()
      if (!connected.ok) return connected
      if (!fixed) {
        const described = await describe()
        if (!described.ok) return described
        fixed = described.value
      }
      const all: Switch[] = []
      for (const one of fixed) {
        const value = await read('getswitchvalue', 'number', one.id)
        if (!value.ok) return value
        all.push({ ...one, value: value.value })
      }
      return { ok: true, value: all }
    },
  })

  return {
    all: () => poll.value ?? [],
    common: () => ({
      source: client.name,
      atMs: poll.atMs,
      connected: poll.problem === undefined,
      problem: poll.problem,
    }),
    async set(one, value) {
      const taken = await client.put('setswitchvalue', { Id: one.id, Value: value })
      if (!taken.ok) return failure(`${client.name}, ${one.name}: ${taken.reason}`)
      const deadline = clock.monotonic() + settleMs
      for (;;) {
        await poll.refresh()
        const now = poll.value?.find((other) => other.id === one.id)
        if (poll.problem === undefined && now && Math.abs(now.value - value) <= one.step / 2) return done
        if (clock.monotonic() >= deadline) return failure(`${client.name}, ${one.name}: it reads ${now?.value} instead`)
        await clock.sleep(settlePollMs)
      }
    },
    async [Symbol.asyncDispose]() {
      over.abort(new Error('disposed'))
      await poll[Symbol.asyncDispose]()
    },
  }
}
