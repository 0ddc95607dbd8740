/** A conversation with an LX200 mount: which dialect it speaks, its answers as values, questions asked again when garbled. */
import type { Clock } from '../clock.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import { createLineSession, type LineSession, type LineTiming, type NoAnswer } from '../wire/lineSession.ts'
import type { Backoff } from '../wire/reconnect.ts'
import type { Connect } from '../wire/wire.ts'
import { type Precision, parseSexagesimal, precisionOf } from './angles.ts'
import { encodeCommand, replyShape, withoutFrame } from './codec.ts'
import type { ActionName, Lx200Command, Lx200Dialect, QueryName, SettingName } from './commands.ts'
import { explainCommandError, explainGoto } from './words.ts'

/** A slow mount works out a slew, or sets its clock, in this time. */
const workMs = 5_000
/** A garbled or missing answer to a question is asked for again so often. */
const mostTries = 3

export interface Lx200SessionOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  readonly timing?: Partial<LineTiming>
  /** Called after each connection, when the dialect is known: to tell site and time. */
  readonly onReady?: (session: Lx200Session) => Promise<Outcome>
  readonly poll: (session: Lx200Session) => Promise<void>
  readonly onLost?: (reason: string) => void
}

export interface Text {
  readonly ok: true
  readonly text: string
}

export interface Value {
  readonly ok: true
  readonly value: number
}

export interface Lx200Session extends AsyncDisposable {
  readonly line: LineSession
  readonly dialect: Lx200Dialect
  /** What it calls itself; empty when it does not say. */
  readonly product: string
  readonly firmware: string
  readonly coordinates: Precision
  /** The answer without its `#`; asked again when garbled. */
  query(what: QueryName): Promise<Text | NoAnswer>
  queryValue(code: string): Promise<Text | NoAnswer>
  /** A sexagesimal answer: hours or degrees. */
  angle(what: QueryName): Promise<Value | Failure>
  /** `A`, `P`, `L`, `G`: how the mount is aligned. */
  alignment(): Promise<Text | NoAnswer>
  set(what: SettingName, value: number): Promise<Outcome>
  setDate(atMs: number): Promise<Outcome>
  /** With OnStep's reason when it refuses. */
  do(what: ActionName): Promise<Outcome>
  /** Any command; the outcome says whether the mount took it. */
  send(command: Lx200Command): Promise<Outcome>
  /** Past the queue, at once. */
  stop(command: Lx200Command): Promise<Outcome>
}

export function createLx200Session(connect: Connect, options: Lx200SessionOptions): Lx200Session {
  return new Session(connect, options)
}

class Session implements Lx200Session {
  readonly line: LineSession
  readonly #options: Lx200SessionOptions
  dialect: Lx200Dialect = 'classic'
  product = ''
  firmware = ''
  coordinates: Precision = 'high'

  constructor(connect: Connect, options: Lx200SessionOptions) {
    this.#options = options
    this.line = createLineSession(connect, {
      clock: options.clock,
      random: options.random,
      resync: '#',
      ...(options.backoff ? { backoff: options.backoff } : {}),
      ...(options.timing ? { timing: options.timing } : {}),
      ...(options.onLost ? { onLost: options.onLost } : {}),
      greet: () => this.#greet(),
      poll: () => options.poll(this),
    })
  }

  async query(what: QueryName): Promise<Text | NoAnswer> {
    return this.#text({ type: 'query', what })
  }

  async queryValue(code: string): Promise<Text | NoAnswer> {
    return this.#text({ type: 'queryValue', code })
  }

  alignment(): Promise<Text | NoAnswer> {
    return this.#text({ type: 'alignmentQuery' })
  }

  async angle(what: QueryName): Promise<Value | Failure> {
    let last: Failure = failure('not asked')
    for (let n = 0; n < mostTries; n++) {
      const answer = await this.query(what)
      if (!answer.ok) return answer
      const value = parseSexagesimal(answer.text)
      if (value !== undefined) return { ok: true, value }
      last = failure(`the answer to ${what} is ${JSON.stringify(answer.text)}`)
    }
    return last
  }

  set(what: SettingName, value: number): Promise<Outcome> {
    return this.send({ type: 'set', what, value })
  }

  setDate(atMs: number): Promise<Outcome> {
    const date = new Date(atMs)
    return this.send({
      type: 'setDate',
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
    })
  }

  do(what: ActionName): Promise<Outcome> {
    return this.send({ type: 'do', what })
  }

  async send(command: Lx200Command): Promise<Outcome> {
    const answer = await this.#ask(command, workMs)
    if (!answer.ok) return failure(answer.reason)
    if (isGoto(command)) {
      const reason = explainGoto(answer.text.charAt(0), withoutFrame(answer.text.slice(1)).trim())
      return reason === undefined ? done : failure(reason)
    }
    if (command.type === 'do' && command.what === 'sync') return judgeSync(withoutFrame(answer.text))
    if (!answer.text.startsWith('0')) return done
    return failure(await this.#refusal(command))
  }

  async stop(command: Lx200Command): Promise<Outcome> {
    const told = await this.line.tell(encodeCommand(command))
    return told.ok ? done : failure(told.reason)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.line[Symbol.asyncDispose]() as Promise<void>
  }

  /** Questions change nothing, so they may be asked again; commands are never repeated. */
  async #text(command: Lx200Command): Promise<Text | NoAnswer> {
    for (let n = 1; ; n++) {
      const answer = await this.#ask(command)
      if (answer.ok) return { ok: true, text: withoutFrame(answer.text) }
      if (answer.why === 'closed' || answer.why === 'busy' || n >= mostTries) return answer
    }
  }

  #ask(command: Lx200Command, timeoutMs?: number) {
    const reply = replyShape(command, this.dialect)
    const site = this.dialect === 'onstep' ? 'high' : 'low'
    return this.line.ask({
      text: encodeCommand(command, { coordinates: this.coordinates, site }),
      reply,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
  }

  async #refusal(command: Lx200Command): Promise<string> {
    const what = 'what' in command ? command.what : command.type
    const error = this.dialect === 'onstep' ? await this.query('lastError') : undefined
    const words = error?.ok ? explainCommandError(Number(error.text)) : undefined
    return words === undefined ? `the mount refuses ${what}` : `the mount refuses ${what}: ${words}`
  }

  async #greet(): Promise<Outcome> {
    this.coordinates = 'high'
    if (!(await this.#findName())) {
      const answers = await this.#text({ type: 'query', what: 'rightAscension' })
      if (!answers.ok) return failure(answers.reason)
      // It answers now: it may have been starting when it was asked for its name.
      await this.#findName()
    }
    const precision = await this.#findPrecision()
    if (!precision.ok) return precision
    return (await this.#options.onReady?.(this)) ?? done
  }

  async #findName(): Promise<boolean> {
    const product = await this.#askOnce('productName')
    this.product = product ?? ''
    this.dialect = /on-?step/i.test(this.product) ? 'onstep' : 'classic'
    this.firmware = product === undefined ? '' : ((await this.#askOnce('firmwareNumber')) ?? '')
    return product !== undefined
  }

  /** The first LX200 has no name and says nothing when asked for it. */
  async #askOnce(what: QueryName): Promise<string | undefined> {
    const answer = await this.#ask({ type: 'query', what })
    return answer.ok ? withoutFrame(answer.text) : undefined
  }

  /** OnStep has a question for its finest; others are switched to seconds when they speak in tenths of a minute. */
  async #findPrecision(): Promise<Outcome> {
    if (this.dialect === 'onstep') {
      const highest = await this.#askOnce('rightAscensionHigh')
      if (highest !== undefined && precisionOf(highest) === 'highest') {
        this.coordinates = 'highest'
        return done
      }
    }
    for (let n = 0; n < mostTries; n++) {
      const answer = await this.query('rightAscension')
      if (!answer.ok) return failure(`${this.line.words}: the mount does not say where it points: ${answer.reason}`)
      const precision = precisionOf(answer.text)
      if (precision === 'high' || precision === 'highest') return done
      if (precision === 'low') await this.#ask({ type: 'do', what: 'togglePrecision' })
    }
    this.coordinates = 'low'
    return done
  }
}

const gotos: ReadonlySet<ActionName> = new Set(['goto', 'gotoHorizontal', 'gotoOtherSide', 'polarAlign'])
const isGoto = (command: Lx200Command): boolean => command.type === 'do' && gotos.has(command.what)

/** OnStep answers `N/A`, or `E` and the code of a slew that would be refused; Meade's mounts the name of an object. */
function judgeSync(text: string): Outcome {
  if (text === '0' || text === '1') return failure('the mount does not sync while it is parked or slewing')
  const code = /^E([1-9])$/.exec(text)?.[1]
  if (code === undefined) return done
  return failure(`the mount refuses to sync: ${explainGoto(code) ?? code}`)
}
