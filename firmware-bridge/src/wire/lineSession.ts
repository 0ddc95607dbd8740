/**
 * Questions and answers with a device that speaks lines on a wire: one question in flight, a deadline for each, and after
 * an answer that is late or cannot be read, quiet before the next. It polls the device, because a serial port whose cable
 * was pulled may look open until something is written to it; a device that stays silent has its wire closed and opened
 * anew.
 */
import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'
import type { Random } from '../random.ts'
import { type ReplyShape, toBytes, toText } from './line.ts'
import { type Backoff, type Connection, keepConnected } from './reconnect.ts'
import type { Connect, Wire } from './wire.ts'

export interface Question {
  readonly text: string
  /** How the answer is told from what follows it; undefined when none comes. */
  readonly reply?: ReplyShape | undefined
  readonly timeoutMs?: number
}

export interface Answer {
  readonly ok: true
  readonly text: string
}

/** `silent`: no answer in time. `garbled`: not an answer. `closed`: the wire is, or was closed meanwhile. `busy`: queue full. */
export interface NoAnswer extends Failure {
  readonly why: 'silent' | 'garbled' | 'closed' | 'busy'
}

export interface LineTiming {
  /** Between two polls: with `answerMs` and `mostSilent` the time in which a dead device is noticed. */
  readonly pollMs: number
  /** How long an answer may take when the question does not say. */
  readonly answerMs: number
  /** So long nothing comes before a garbled or late answer counts as over. */
  readonly quietMs: number
  /** Quiet is waited for at most this long. */
  readonly mostQuietMs: number
  /** So many unanswered questions in a row, with not a byte between, close the wire. */
  readonly mostSilent: number
  /** A board that starts anew when its port is opened (DTR resets an Arduino) is greeted again for so long. */
  readonly bootMs: number
}

export const lineTiming: LineTiming = {
  pollMs: 400,
  answerMs: 550,
  quietMs: 60,
  mostQuietMs: 500,
  mostSilent: 2,
  bootMs: 6_000,
}

/** More questions than this wait for nobody. */
const mostWaiting = 64
/** More than this is not an answer but noise. */
const mostHeldBytes = 4096

export interface LineSessionOptions {
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  readonly timing?: Partial<LineTiming>
  /** Ends a command of which the device may have heard only a part; it must not be answered. */
  readonly resync?: string
  /** After the wire was opened: finds out what is there. A failure closes the wire. */
  readonly greet: (session: LineSession) => Promise<{ readonly ok: true } | Failure>
  /** Asks for the device's state; called every `pollMs` after `greet`. */
  readonly poll: (session: LineSession) => Promise<void>
  readonly onLost?: (reason: string) => void
}

export interface LineSession extends AsyncDisposable {
  /** The wire is open and the device has been greeted. */
  readonly ready: boolean
  /** For people: the wire, or why there is none. */
  readonly words: string
  /** When a byte last came, Unix ms UTC; 0 when none ever did. */
  readonly heardAtMs: number
  /** Waits for its turn, then for the answer. Never rejects. */
  ask(question: Question): Promise<Answer | NoAnswer>
  /** Written at once, past the queue: to stop a motion. No answer is waited for. */
  tell(text: string): Promise<Answer | NoAnswer>
}

export function createLineSession(connect: Connect, options: LineSessionOptions): LineSession {
  return new Session(connect, options)
}

const noAnswer = (why: NoAnswer['why'], reason: string): NoAnswer => ({ ...failure(reason), why })

class Session implements LineSession {
  readonly #options: LineSessionOptions
  readonly #timing: LineTiming
  readonly #clock: Clock
  readonly #connection: Connection
  #ready = false
  #words = 'not connected yet'
  #heardAtMs = 0
  #heard = ''
  #heardAt = -1
  #silent = 0
  /** What has come, or may come, is of no question: wait for quiet first. */
  #dirty = false
  #waiting = 0
  #turn: Promise<unknown> = Promise.resolve()
  #life = new AbortController()
  #look: (() => void) | undefined

  constructor(connect: Connect, options: LineSessionOptions) {
    this.#options = options
    this.#timing = { ...lineTiming, ...options.timing }
    this.#clock = options.clock
    this.#connection = keepConnected(
      connect,
      {
        onOpen: (wire) => this.#open(wire),
        onBytes: (bytes) => this.#take(bytes),
        onClose: (reason) => this.#lose(reason),
      },
      { clock: options.clock, random: options.random, ...(options.backoff ? { backoff: options.backoff } : {}) },
    )
  }

  get ready(): boolean {
    return this.#ready
  }

  get words(): string {
    return this.#words
  }

  get heardAtMs(): number {
    return this.#heardAtMs
  }

  ask(question: Question): Promise<Answer | NoAnswer> {
    if (this.#life.signal.aborted || !this.#connection.wire) return Promise.resolve(this.#closed())
    if (this.#waiting >= mostWaiting) return Promise.resolve(noAnswer('busy', `${mostWaiting} commands wait already`))
    this.#waiting++
    const life = this.#life
    const answer = this.#turn.then(() => this.#exchange(question, life))
    this.#turn = answer.finally(() => this.#waiting--)
    return answer
  }

  async tell(text: string): Promise<Answer | NoAnswer> {
    const wire = this.#connection.wire
    if (!wire) return this.#closed()
    return this.#write(wire, text, this.#timing.answerMs, this.#life)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose('closed')
    await this.#connection[Symbol.asyncDispose]()
  }

  #closed(): NoAnswer {
    return noAnswer('closed', this.#words)
  }

  #open(wire: Wire): void {
    this.#life = new AbortController()
    this.#words = wire.name
    this.#heard = ''
    this.#silent = 0
    // A device that was cut off in the middle may still be talking.
    this.#dirty = true
    void this.#live(wire, this.#life)
  }

  #lose(reason: string): void {
    if (this.#life.signal.aborted) return
    const told = this.#silent >= this.#timing.mostSilent ? `${this.#words} does not answer` : reason
    this.#ready = false
    this.#words = told
    this.#life.abort(told)
    this.#options.onLost?.(told)
  }

  async #live(wire: Wire, life: AbortController): Promise<void> {
    const greeted = await this.#greet(life)
    if (life.signal.aborted) return
    if (!greeted.ok) {
      this.#lose(greeted.reason)
      return wire.close()
    }
    this.#ready = true
    while (!life.signal.aborted) {
      await this.#options.poll(this)
      await this.#clock.sleep(this.#timing.pollMs, life.signal).catch(() => undefined)
    }
  }

  async #greet(life: AbortController): Promise<{ readonly ok: true } | Failure> {
    const deadline = this.#clock.monotonic() + this.#timing.bootMs
    for (;;) {
      const greeted = await this.#options.greet(this)
      if (greeted.ok || life.signal.aborted || this.#clock.monotonic() >= deadline) return greeted
      await this.#clock.sleep(this.#timing.pollMs, life.signal).catch(() => undefined)
    }
  }

  #take(bytes: Uint8Array): void {
    this.#heardAtMs = this.#clock.now()
    this.#heardAt = this.#clock.monotonic()
    this.#silent = 0
    this.#heard += toText(bytes)
    if (this.#heard.length > mostHeldBytes) this.#heard = this.#heard.slice(-mostHeldBytes)
    this.#look?.()
  }

  async #exchange(question: Question, life: AbortController): Promise<Answer | NoAnswer> {
    const wire = this.#connection.wire
    if (!wire || life.signal.aborted) return this.#closed()
    if (this.#dirty || this.#heard !== '') await this.#resynchronise(wire, life)
    const timeoutMs = question.timeoutMs ?? this.#timing.answerMs
    const written = this.#clock.monotonic()
    // The device may answer before the write is known to be over.
    const answer = question.reply ? this.#listen(question.reply, timeoutMs, life) : undefined
    const sent = await this.#write(wire, question.text, timeoutMs, life)
    const heard = answer ? await answer : sent
    const result = sent.ok ? heard : sent
    if (!result.ok && result.why !== 'closed') {
      this.#dirty = true
      this.#count(wire, written)
    }
    return result
  }

  /** A silent device is cut off, so that it is connected anew. */
  #count(wire: Wire, askedAt: number): void {
    if (!this.#ready || this.#heardAt >= askedAt) return
    this.#silent++
    if (this.#silent < this.#timing.mostSilent) return
    this.#lose(`${wire.name} does not answer`)
    void wire.close()
  }

  #listen(shape: ReplyShape, timeoutMs: number, life: AbortController): Promise<Answer | NoAnswer> {
    return new Promise((resolve) => {
      const over = new AbortController()
      const end = (result: Answer | NoAnswer): void => {
        if (over.signal.aborted) return
        over.abort()
        this.#look = undefined
        life.signal.removeEventListener('abort', lost)
        resolve(result)
      }
      const lost = (): void => end(this.#closed())
      this.#look = () => {
        const length = shape(this.#heard)
        if (length === 'more') return
        const text = length === 'garbled' ? this.#heard : this.#heard.slice(0, length)
        this.#heard = this.#heard.slice(text.length)
        end(length === 'garbled' ? noAnswer('garbled', `not an answer: ${show(text)}`) : { ok: true, text })
      }
      life.signal.addEventListener('abort', lost, { once: true })
      if (life.signal.aborted) return lost()
      const late = (): void => end(noAnswer('silent', `no answer within ${timeoutMs / 1000} s`))
      this.#clock.sleep(timeoutMs, over.signal).then(late, () => undefined)
    })
  }

  /** A serial port that was unplugged may never settle a write. */
  async #write(wire: Wire, text: string, timeoutMs: number, life: AbortController): Promise<Answer | NoAnswer> {
    const over = new AbortController()
    const stop = (): void => over.abort()
    life.signal.addEventListener('abort', stop, { once: true })
    const stuck = this.#clock.sleep(timeoutMs, over.signal).then(
      () => noAnswer('silent', `the wire takes nothing within ${timeoutMs / 1000} s`),
      () => this.#closed(),
    )
    const written = wire.write(toBytes(text)).then(
      (): Answer => ({ ok: true, text: '' }),
      () => this.#closed(),
    )
    try {
      return await Promise.race([written, stuck])
    } finally {
      over.abort()
      life.signal.removeEventListener('abort', stop)
    }
  }

  /** Ends what the device may have heard by half, and lets what it still says run out. */
  async #resynchronise(wire: Wire, life: AbortController): Promise<void> {
    const { quietMs, mostQuietMs, answerMs } = this.#timing
    const { resync = '' } = this.#options
    if (this.#dirty && resync !== '') await this.#write(wire, resync, answerMs, life)
    const start = this.#clock.monotonic()
    const isQuiet = (): boolean => this.#clock.monotonic() - Math.max(this.#heardAt, start) >= quietMs
    while (!isQuiet() && this.#clock.monotonic() - start < mostQuietMs) {
      await this.#clock.sleep(quietMs, life.signal).catch(() => undefined)
      if (life.signal.aborted) return
    }
    this.#heard = ''
    this.#dirty = false
  }
}

function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
