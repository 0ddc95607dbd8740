/**
 * A conversation with upsd over one wire after the other: asks for every variable of one UPS now and again. One command is
 * under way at a time, and each has a deadline: a server that says nothing is left and connected to anew.
 */
import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'
import type { Random } from '../random.ts'
import { createLineSplitter } from '../wire/lineSplitter.ts'
import { keepConnected } from '../wire/reconnect.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { decodeReply, encodeCommand, explainError, type NutReply } from './messages.ts'

export interface NutSessionOptions {
  readonly clock: Clock
  readonly random: Random
  /** Its name in upsd's ups.conf. */
  readonly ups: string
  /** Only where upsd asks for them; then we also log in, and upsd's shutdown waits for this machine. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly pollMs: number
}

export interface NutSession extends AsyncDisposable {
  /** Of the last complete listing. */
  readonly variables: ReadonlyMap<string, string>
  /** When that came, Unix ms UTC; 0 before the first. */
  readonly atMs: number
  /** Milliseconds since then by the clock that does not jump. */
  readonly silentMs: number
  /** Why the last question was not answered; undefined when it was. */
  readonly problem: string | undefined
  /** Why upsd did not take the user name and password. It tells the supply's state all the same. */
  readonly loginProblem: string | undefined
}

const replyMs = 5_000
const longestLineBytes = 4_096
const mostVariables = 1_000

type Listing = { readonly ok: true; readonly replies: readonly NutReply[] }
type Answer = Listing | Failure

export function createNutSession(connect: Connect, options: NutSessionOptions): NutSession {
  const { clock, random, ups, username, password, pollMs } = options
  const over = new AbortController()
  let variables: ReadonlyMap<string, string> = new Map()
  let atMs = 0
  let heardAt = Number.NEGATIVE_INFINITY
  let problem: string | undefined = 'not connected yet'
  let loginProblem: string | undefined
  let onReply: ((reply: NutReply) => void) | undefined
  let wireOver = new AbortController()
  const lines = createLineSplitter({
    longestBytes: longestLineBytes,
    onLine: (line) => onReply?.(decodeReply(line)),
  })

  const connection = keepConnected(
    connect,
    {
      onOpen(wire) {
        lines.reset()
        wireOver = new AbortController()
        void converse(wire, wireOver.signal)
      },
      onBytes: (bytes) => lines.push(bytes),
      onClose(reason) {
        problem = reason
        wireOver.abort(new Error(reason))
      },
    },
    { clock, random },
  )

  async function converse(wire: Wire, signal: AbortSignal): Promise<void> {
    const entered = await logIn(wire, signal)
    loginProblem = entered.ok ? undefined : entered.reason
    while (!signal.aborted && !over.signal.aborted) {
      const answer = await ask(wire, signal, 'LIST', 'VAR', ups)
      if (signal.aborted) return
      if (answer.ok) take(answer)
      else problem = answer.reason
      await clock.sleep(pollMs, AbortSignal.any([signal, over.signal])).catch(() => undefined)
    }
  }

  async function logIn(wire: Wire, signal: AbortSignal): Promise<Answer> {
    const steps: string[][] = []
    if (username !== undefined) steps.push(['USERNAME', username])
    if (password !== undefined) steps.push(['PASSWORD', password])
    if (steps.length > 0) steps.push(['LOGIN', ups])
    for (const step of steps) {
      const answer = await ask(wire, signal, ...step)
      if (!answer.ok) return answer
    }
    return { ok: true, replies: [] }
  }

  function take({ replies }: Listing): void {
    const found = new Map<string, string>()
    for (const reply of replies) if (reply.type === 'variable') found.set(reply.name, reply.value)
    variables = found
    atMs = clock.now()
    heardAt = clock.monotonic()
    problem = undefined
  }

  /** Sends one command and collects its reply: one line, or a list to its end. */
  async function ask(wire: Wire, signal: AbortSignal, ...words: string[]): Promise<Answer> {
    const replies: NutReply[] = []
    const answered = Promise.withResolvers<Answer>()
    onReply = (reply) => {
      if (reply.type === 'error') answered.resolve(failure(explainError(reply.code)))
      else if (reply.type === 'ok' || reply.type === 'end') answered.resolve({ ok: true, replies })
      else if (replies.push(reply) > mostVariables)
        answered.resolve(failure(`upsd lists over ${mostVariables} variables`))
    }
    const asked = new AbortController()
    const late = clock.sleep(replyMs, AbortSignal.any([asked.signal, signal])).then(
      () => {
        void wire.close()
        return failure(`upsd does not answer ${words[0]}`)
      },
      () => failure('the connection to upsd was lost'),
    )
    wire.write(encodeCommand(...words)).catch(() => undefined)
    const answer = await Promise.race([answered.promise, late])
    asked.abort()
    onReply = undefined
    return answer
  }

  return {
    get variables() {
      return variables
    },
    get atMs() {
      return atMs
    },
    get silentMs() {
      return clock.monotonic() - heardAt
    },
    get problem() {
      return problem
    },
    get loginProblem() {
      return loginProblem
    },
    async [Symbol.asyncDispose]() {
      over.abort(new Error('disposed'))
      wireOver.abort(new Error('disposed'))
      await connection[Symbol.asyncDispose]()
    },
  }
}
