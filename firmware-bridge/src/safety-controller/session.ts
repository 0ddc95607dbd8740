/**
 * One conversation with the safety controller: greeting, one request at a time with its sequence number, retries, the
 * regular look at its state, and connecting again. Looking never counts as a heartbeat: only `request` with HEART does.
 */
import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'
import type { Random } from '../random.ts'
import { type Backoff, keepConnected } from '../wire/reconnect.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { createLineReader, encodeLine } from './codec.ts'
import {
  type Answer,
  type ControllerReport,
  formatRequest,
  type Identity,
  parseAnswer,
  parseIdentity,
  parseReport,
  protocolVersion,
  type Request,
} from './commands.ts'

export interface ControllerSessionOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  /** Between two looks at the state; an unplugged cable is seen at the next one. */
  readonly pollMs?: number
}

export interface ControllerSession extends AsyncDisposable {
  /** The last report; undefined before the first and as soon as it is not fresh any more. */
  readonly report: ControllerReport | undefined
  /** Unix ms UTC of the last report; 0 before the first. */
  readonly heardAtMs: number
  readonly identity: Identity | undefined
  /** Why there is no fresh report; undefined when there is one. */
  readonly trouble: string | undefined
  /** The wire's name, or that it is closed. */
  readonly name: string
  /** Words of the acceptance. A refusal, a lost line and a silent controller are failures with a reason for people. */
  request(request: Request): Promise<Accepted | Failure>
  /** Asks for the state now. Resolves when it has been told, or not. */
  look(): Promise<void>
  /** The first value that `look` gives for a fresh report (undefined: there is none); undefined after `timeoutMs`. */
  waitFor<T>(
    look: (report: ControllerReport | undefined) => T | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined>
}

export interface Accepted {
  readonly ok: true
  readonly words: readonly string[]
}

const defaultPollMs = 1_000
/** The longest answer takes 31 ms at 38400 baud, writing the settings 190 ms. */
const replyMs = 600
const tries = 3
/** Requests that may wait for their turn. */
const mostWaiting = 16
/** A report older than that confirms nothing. */
const staleMs = 3_000
/** A wire on which nothing right came for so long is opened anew. */
const silentMs = 12_000

const refusals: Readonly<Record<string, string>> = {
  fault: 'the controller has stopped on a fault; look at the roof, then clear the fault',
  rain: 'the rain sensor is wet',
  mains: 'the mains is lost',
  silence: 'the controller has not heard a heartbeat',
  park: 'the mount-parked sensor does not read parked',
  hello: 'the controller was reset and is being greeted again',
  moving: 'the roof is moving',
  range: 'the value is out of range',
  name: 'the controller has no setting of that name',
  verb: 'the controller does not know this command: update its firmware',
  arguments: 'the controller did not understand the command',
}

/** Safe to say again by ourselves after the controller was reset. */
const repeatable: ReadonlySet<Request['verb']> = new Set(['STATE', 'HEART', 'GET', 'HELLO'])

export function createControllerSession(connect: Connect, options: ControllerSessionOptions): ControllerSession {
  const { clock, random, pollMs = defaultPollMs, backoff } = options
  const over = new AbortController()
  const pending = new Map<number, (answer: Answer | undefined) => void>()
  const watchers = new Set<() => void>()
  let sequence = random.integer(256)
  let report: ControllerReport | undefined
  let identity: Identity | undefined
  let greeted = false
  let heardAtMs = 0
  let heardAt = Number.NEGATIVE_INFINITY
  let aliveAt = 0
  let trouble: string | undefined = 'not connected yet'
  let reader = createLineReader()
  let turn: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let wake = Promise.withResolvers<void>()

  const connection = keepConnected(
    connect,
    {
      onOpen() {
        reader = createLineReader()
        aliveAt = clock.monotonic()
        forget('the controller has not answered yet')
        wake.resolve()
      },
      onBytes(bytes) {
        for (const body of reader.push(bytes)) hear(parseAnswer(body))
      },
      onClose(reason) {
        forget(`not connected: ${reason}`)
      },
    },
    { clock, random, ...(backoff ? { backoff } : {}) },
  )

  function forget(reason: string): void {
    greeted = false
    report = undefined
    trouble = reason
    for (const answer of [...pending.values()]) answer(undefined)
    notify()
  }

  function notify(): void {
    for (const watcher of [...watchers]) watcher()
  }

  function hear(answer: Answer | undefined): void {
    if (!answer) return
    aliveAt = clock.monotonic()
    if (answer.type === 'boot') greeted = false
    if (answer.type === 'boot' || answer.type === 'roof') wake.resolve()
    else pending.get(answer.sequence)?.(answer)
  }

  /** One line out and its answer; undefined when none came in time. */
  async function exchange(wire: Wire, number: number, request: Request): Promise<Answer | undefined> {
    const answered = Promise.withResolvers<Answer | undefined>()
    const settled = new AbortController()
    pending.set(number, (answer) => {
      if (!answer || ('verb' in answer && answer.verb === request.verb)) answered.resolve(answer)
    })
    clock.sleep(replyMs, settled.signal).then(
      () => answered.resolve(undefined),
      () => undefined,
    )
    wire.write(encodeLine(formatRequest(number, request))).catch(() => answered.resolve(undefined))
    try {
      return await answered.promise
    } finally {
      pending.delete(number)
      settled.abort()
    }
  }

  async function converse(request: Request): Promise<Accepted | Failure> {
    let number = nextNumber()
    for (let attempt = 1; attempt <= tries && !over.signal.aborted; attempt++) {
      const { wire } = connection
      if (!wire) return failure(trouble ?? 'not connected')
      const answer = await exchange(wire, number, request)
      if (answer?.type === 'accepted') return { ok: true, words: answer.words }
      if (answer?.type !== 'refused') continue
      if (answer.words[0] !== 'repeated') return refused(request, answer.words)
      // The first one was heard and its answer lost; or another client used this number before us.
      if (attempt > 1) return { ok: true, words: [] }
      number = nextNumber()
    }
    return failure('the controller does not answer')
  }

  function nextNumber(): number {
    sequence = (sequence + 1) & 0xff
    return sequence
  }

  function refused(request: Request, words: readonly string[]): Failure {
    const [reason = '', detail] = words
    if (reason === 'hello') greeted = false
    if (request.verb === 'HELLO' && reason === 'version') {
      return failure(
        `the controller speaks protocol ${detail} and Nightjar speaks ${protocolVersion}: install the firmware of this release`,
      )
    }
    return failure(refusals[reason] ?? `the controller refused: ${words.join(' ')}`)
  }

  async function greet(): Promise<Failure | undefined> {
    const answer = await converse({ verb: 'HELLO', version: protocolVersion })
    if (!answer.ok) return answer
    identity = parseIdentity(answer.words)
    greeted = identity !== undefined
    return greeted ? undefined : failure('the controller greets in words that are not of this protocol')
  }

  async function ask(request: Request): Promise<Accepted | Failure> {
    if (!connection.wire) return failure(trouble ?? 'not connected')
    if (!greeted) {
      const refusal = await greet()
      if (refusal) return refusal
    }
    const answer = await converse(request)
    if (answer.ok || greeted || !repeatable.has(request.verb)) return answer
    return (await greet()) ?? converse(request)
  }

  /** One request at a time: the controller's own buffer is small, and a reply is then beyond doubt the right one. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }

  async function request(wanted: Request): Promise<Accepted | Failure> {
    if (over.signal.aborted) return failure('the session is closed')
    if (waiting >= mostWaiting) return failure('too many commands wait for the controller')
    waiting++
    try {
      return await inTurn(() => ask(wanted))
    } finally {
      waiting--
    }
  }

  async function look(): Promise<void> {
    const answer = await request({ verb: 'STATE' })
    const news = answer.ok ? parseReport(answer.words) : undefined
    if (news) {
      report = news
      heardAtMs = clock.now()
      heardAt = clock.monotonic()
      trouble = undefined
    } else {
      trouble = answer.ok ? 'the controller tells its state in words that are not of this protocol' : answer.reason
    }
    notify()
  }

  const fresh = (): boolean => report !== undefined && greeted && clock.monotonic() - heardAt <= staleMs

  async function run(): Promise<void> {
    while (!over.signal.aborted) {
      wake = Promise.withResolvers<void>()
      if (connection.wire) await look()
      if (connection.wire && clock.monotonic() - aliveAt > silentMs) await connection.wire.close()
      await rest()
    }
  }

  async function rest(): Promise<void> {
    const rested = new AbortController()
    const slept = clock.sleep(pollMs, AbortSignal.any([rested.signal, over.signal]))
    await Promise.race([wake.promise, slept.catch(() => undefined)])
    rested.abort()
  }

  const running = run()
  return {
    get report() {
      return fresh() ? report : undefined
    },
    get heardAtMs() {
      return heardAtMs
    },
    get identity() {
      return identity
    },
    get trouble() {
      return fresh() ? undefined : (trouble ?? 'the controller has not answered for a while')
    },
    get name() {
      return connection.wire?.name ?? 'closed wire'
    },
    request,
    look,
    async waitFor(lookAt, timeoutMs, signal) {
      const found = Promise.withResolvers<ReturnType<typeof lookAt>>()
      const settled = new AbortController()
      const check = (): void => {
        const value = lookAt(fresh() ? report : undefined)
        if (value !== undefined) found.resolve(value)
      }
      const giveUp = (): void => found.resolve(undefined)
      clock.sleep(timeoutMs, settled.signal).then(giveUp, () => undefined)
      signal?.addEventListener('abort', giveUp, { once: true })
      over.signal.addEventListener('abort', giveUp, { once: true })
      watchers.add(check)
      if (signal?.aborted || over.signal.aborted) giveUp()
      else check()
      try {
        return await found.promise
      } finally {
        settled.abort()
        watchers.delete(check)
        signal?.removeEventListener('abort', giveUp)
        over.signal.removeEventListener('abort', giveUp)
      }
    },
    async [Symbol.asyncDispose]() {
      over.abort(new Error('disposed'))
      forget('the session is closed')
      await connection[Symbol.asyncDispose]()
      await running
    },
  }
}
