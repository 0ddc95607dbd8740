/**
 * A conversation with PHD2. One request is under way at a time: PHD2 throws away whatever follows the first line break of
 * what it reads. A request that is not answered in time costs the connection, and the next one starts afresh.
 */
import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'
import type { Random } from '../random.ts'
import { createLineSplitter } from '../wire/lineSplitter.ts'
import { keepConnected } from '../wire/reconnect.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { decodeMessage, encodeRequest, type Phd2Event, type Phd2Message } from './messages.ts'
import { initialState, type Phd2State, readAppState, reducePhd2, withActivity } from './state.ts'

export interface Answered {
  readonly ok: true
  readonly result: unknown
  /** What was known when the answer came: what changes after it is its consequence. */
  readonly state: Phd2State
}

export interface Phd2Session extends AsyncDisposable {
  readonly state: Phd2State
  /** When PHD2 was last heard, Unix ms UTC; 0 when never. */
  readonly atMs: number
  /** Milliseconds since then by the clock that does not jump. */
  readonly silentMs: number
  /** Why there is no guiding now: no connection, no answer, or its equipment is not connected. */
  readonly problem: string | undefined
  request(method: string, params?: readonly unknown[], timeoutMs?: number): Promise<Answered | Failure>
  /** Resolves with the first value that `find` makes of a state, or fails on loss of the connection and when late. */
  waitFor<T>(find: (state: Phd2State) => T | undefined, timeoutMs: number, signal: AbortSignal): Promise<T | Failure>
}

export interface Phd2SessionOptions {
  readonly clock: Clock
  readonly random: Random
  /** Between two questions for the state. */
  readonly pollMs: number
}

const replyMs = 10_000
const longestLineBytes = 256 * 1024
const mostWaiting = 16

export function createPhd2Session(connect: Connect, options: Phd2SessionOptions): Phd2Session {
  const { clock, pollMs } = options
  let state = initialState
  let atMs = 0
  let heardAt = Number.NEGATIVE_INFINITY
  let lost: string | undefined = 'not connected yet'
  let equipment: boolean | undefined
  let wire: Wire | undefined
  let wireOver = new AbortController()
  let nextId = 1
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  let pending: { readonly id: number; readonly settle: (answer: Answered | Failure) => void } | undefined
  const watchers = new Set<() => void>()

  function change(next: Phd2State): void {
    state = next
    for (const look of [...watchers]) look()
  }

  const takeEvent = (event: Phd2Event): void => change(reducePhd2(state, event))

  function take(message: Phd2Message): void {
    atMs = clock.now()
    heardAt = clock.monotonic()
    if (message.type === 'event') return takeEvent(message.event)
    // A refusal of what it could not read has no id: one request at a time, so it is that one.
    if (!pending || (message.id !== undefined && message.id !== pending.id)) return
    if (message.type === 'reply') pending.settle({ ok: true, result: message.result, state })
    else pending.settle(failure(`PHD2: ${message.reason}`))
  }

  const lines = createLineSplitter({
    longestBytes: longestLineBytes,
    onLine(line) {
      const message = decodeMessage(line)
      if (message) take(message)
    },
  })

  const connection = keepConnected(
    connect,
    {
      onOpen(opened) {
        lines.reset()
        wire = opened
        lost = undefined
        wireOver = new AbortController()
        void watch(wireOver.signal)
      },
      onBytes: (bytes) => lines.push(bytes),
      onClose(reason) {
        wire = undefined
        lost = reason
        equipment = undefined
        wireOver.abort(new Error(reason))
        change({ ...initialState, settled: state.settled, stopped: state.stopped })
      },
    },
    options,
  )

  /** Asks what events do not tell, and so hears whether PHD2 still lives. */
  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const connected = await request('get_connected')
      if (connected.ok) equipment = connected.result === true
      const scale = await request('get_pixel_scale')
      const appState = await request('get_app_state')
      if (signal.aborted) return
      let next = state
      if (scale.ok) next = { ...next, pixelScaleArcsec: typeof scale.result === 'number' ? scale.result : undefined }
      if (appState.ok && appState.state.activity === next.activity) {
        next = withActivity(next, readAppState(appState.result))
      }
      change(next)
      await clock.sleep(pollMs, signal).catch(() => undefined)
    }
  }

  async function send(method: string, params: readonly unknown[], timeoutMs: number): Promise<Answered | Failure> {
    const over = wireOver.signal
    if (!wire || over.aborted) return failure(`no connection to PHD2: ${lost ?? 'closed'}`)
    const answer = Promise.withResolvers<Answered | Failure>()
    const id = nextId++
    pending = { id, settle: answer.resolve }
    const answered = new AbortController()
    const late = clock.sleep(timeoutMs, AbortSignal.any([answered.signal, over])).then(
      () => {
        void wire?.close()
        return failure(`PHD2 does not answer ${method}`)
      },
      () => failure('the connection to PHD2 was lost'),
    )
    wire.write(encodeRequest(id, method, params)).catch(() => undefined)
    const result = await Promise.race([answer.promise, late])
    answered.abort()
    pending = undefined
    return result
  }

  async function request(
    method: string,
    params: readonly unknown[] = [],
    timeoutMs = replyMs,
  ): Promise<Answered | Failure> {
    if (waiting >= mostWaiting) return failure('too many requests wait for PHD2')
    waiting++
    const turn = last.then(() => send(method, params, timeoutMs))
    last = turn
    try {
      return await turn
    } finally {
      waiting--
    }
  }

  async function waitFor<T>(
    find: (state: Phd2State) => T | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<T | Failure> {
    const found = Promise.withResolvers<T | Failure>()
    const look = (): void => {
      const value = find(state)
      if (value !== undefined) found.resolve(value)
    }
    watchers.add(look)
    const over = new AbortController()
    const lostSignal = wireOver.signal
    const late = clock.sleep(timeoutMs, AbortSignal.any([over.signal, signal, lostSignal])).then(
      () => failure(`PHD2 did not say that it has settled within ${Math.round(timeoutMs / 1000)} s`),
      () => failure(signal.aborted ? String(signal.reason) : 'the connection to PHD2 was lost'),
    )
    look()
    try {
      return await Promise.race([found.promise, late])
    } finally {
      watchers.delete(look)
      over.abort()
    }
  }

  return {
    get state() {
      return state
    },
    get atMs() {
      return atMs
    },
    get silentMs() {
      return clock.monotonic() - heardAt
    },
    get problem() {
      if (lost !== undefined) return lost
      if (equipment === undefined) return 'PHD2 has not answered yet'
      return equipment === false ? 'PHD2’s camera or mount is not connected' : undefined
    },
    request,
    waitFor,
    async [Symbol.asyncDispose]() {
      wireOver.abort(new Error('disposed'))
      await connection[Symbol.asyncDispose]()
    },
  }
}
