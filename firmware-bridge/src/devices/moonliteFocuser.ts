/** A focuser behind a Moonlite controller, or one of the many that speak its protocol. */
import type { Clock } from '../clock.ts'
import {
  encodeMoonlite,
  type MoonliteCommand,
  type MoonliteQuery,
  type MoonliteSpeed,
  moonliteReply,
  moonliteSpeeds,
  mostMoonliteSteps,
  parseMoonlite,
} from '../moonlite/codec.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import { createLineSession, type LineSession, type LineTiming } from '../wire/lineSession.ts'
import type { Backoff } from '../wire/reconnect.ts'
import type { Connect } from '../wire/wire.ts'
import { driverCard } from './device.ts'
import type { Focuser, FocuserState } from './focuser.ts'
import type { Capability } from './kinds.ts'

export const moonliteFocuserCard = driverCard('focuser', 'Moonlite', ['moveTo', 'abort', 'temperature'])

export interface MoonliteOptions {
  readonly clock: Clock
  readonly random: Random
  /** The travel of this focuser, steps; the controller itself knows only 0 and 65535. */
  readonly limits?: { readonly minSteps: number; readonly maxSteps: number }
  readonly timing?: Partial<LineTiming>
  readonly backoff?: Backoff
}

export interface MoonliteFocuser extends Focuser {
  /** 0 is the fastest of the five speeds, 4 the slowest. */
  setSpeed(index: number): Promise<Outcome>
  setHalfStep(on: boolean): Promise<Outcome>
  /** Tells the controller that it stands at `steps` now. */
  sync(steps: number): Promise<Outcome>
  /** Lets the controller follow the temperature, `stepsPerDegree` in half steps from -64 to 63.5. */
  compensate(on: boolean, stepsPerDegree?: number): Promise<Outcome>
  settings(): { readonly halfStep?: boolean | undefined; readonly speed?: number | undefined }
}

const moveMs = 120_000
/** The temperature is measured on request, and takes the sensor most of a second. */
const temperatureMs = 5_000
const mostTries = 3
/** Without a sensor the controller answers far below absolute zero or a hundred degrees. */
const temperatureRangeC = { least: -60, most: 70 }

export function createMoonliteFocuser(connect: Connect, options: MoonliteOptions): MoonliteFocuser {
  return new Moonlite(connect, options)
}

interface Reading {
  readonly atMs: number
  readonly positionSteps: number
  readonly moving: boolean
}

class Moonlite implements MoonliteFocuser {
  readonly #clock: Clock
  readonly #session: LineSession
  readonly #limits: { readonly minSteps: number; readonly maxSteps: number }
  #reading: Reading | undefined
  #temperatureC: number | undefined
  #temperatureAt = Number.NEGATIVE_INFINITY
  #halfStep: boolean | undefined
  #speed: number | undefined
  #motion = new AbortController()

  constructor(connect: Connect, options: MoonliteOptions) {
    this.#clock = options.clock
    this.#limits = options.limits ?? { minSteps: 0, maxSteps: mostMoonliteSteps }
    this.#session = createLineSession(connect, {
      clock: options.clock,
      random: options.random,
      resync: '#',
      ...(options.timing ? { timing: options.timing } : {}),
      ...(options.backoff ? { backoff: options.backoff } : {}),
      greet: () => this.#greet(),
      poll: () => this.#look(),
    })
  }

  state(): FocuserState {
    const reading = this.#reading
    return {
      source: `Moonlite ${this.#session.words}`,
      atMs: reading?.atMs ?? this.#session.heardAtMs,
      connected: this.#session.ready && reading !== undefined,
      moving: reading?.moving ?? false,
      positionSteps: reading?.positionSteps,
      maxSteps: this.#limits.maxSteps,
      temperatureC: this.#temperatureC,
    }
  }

  can(): ReadonlySet<Capability<'focuser'>> {
    const all: readonly Capability<'focuser'>[] = moonliteFocuserCard.can
    return new Set(all.filter((one) => one !== 'temperature' || this.#temperatureC !== undefined))
  }

  settings() {
    return { halfStep: this.#halfStep, speed: this.#speed }
  }

  async moveTo(steps: number, timeoutMs = moveMs): Promise<Outcome> {
    const refusal = this.#refuse(steps)
    if (refusal) return refusal
    this.#motion.abort('another move was asked for')
    this.#motion = new AbortController()
    const { signal } = this.#motion
    const deadline = this.#clock.monotonic() + timeoutMs
    const aimed = await this.#aim(Math.round(steps))
    if (!aimed.ok) return aimed
    if (signal.aborted) return failure(`aborted: ${String(signal.reason)}`)
    const begun = await this.#tell({ type: 'go' })
    return begun.ok ? this.#arrive(Math.round(steps), deadline, timeoutMs, signal) : begun
  }

  async abort(): Promise<Outcome> {
    this.#motion.abort('the motion was aborted')
    const told = await this.#session.tell(encodeMoonlite({ type: 'halt' }))
    if (!told.ok) return failure(told.reason)
    for (let n = 0; n < mostTries; n++) {
      const moving = await this.#ask('moving')
      if (moving.ok && moving.value === 0) return done
      await this.#clock.sleep(100)
    }
    return failure('the focuser goes on moving')
  }

  async setSpeed(index: number): Promise<Outcome> {
    const speed = moonliteSpeeds[index]
    if (speed === undefined) return failure(`there are speeds 0 to ${moonliteSpeeds.length - 1}`)
    return this.#set({ type: 'setSpeed', speed }, 'speed', speed, () => {
      this.#speed = speed
    })
  }

  setHalfStep(on: boolean): Promise<Outcome> {
    return this.#set({ type: 'setHalfStep', on }, 'halfStep', on ? 0xff : 0, () => {
      this.#halfStep = on
    })
  }

  async sync(steps: number): Promise<Outcome> {
    const refusal = this.#refuse(steps)
    if (refusal) return refusal
    return this.#set({ type: 'setPosition', steps: Math.round(steps) }, 'position', Math.round(steps), () => undefined)
  }

  async compensate(on: boolean, stepsPerDegree?: number): Promise<Outcome> {
    if (stepsPerDegree !== undefined) {
      const halfSteps = Math.round(stepsPerDegree * 2)
      if (!(halfSteps >= -128 && halfSteps <= 127)) return failure('the coefficient is from -64 to 63.5 steps a degree')
      const set = await this.#set({ type: 'setCoefficient', halfSteps }, 'coefficient', halfSteps / 2, () => undefined)
      if (!set.ok) return set
    }
    return this.#tell({ type: 'compensate', on })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#motion.abort('disposed')
    await this.#session[Symbol.asyncDispose]()
  }

  #refuse(steps: number): Failure | undefined {
    const { minSteps, maxSteps } = this.#limits
    if (steps >= minSteps && steps <= maxSteps) return undefined
    return failure(`${steps} is outside the travel of the focuser, ${minSteps} to ${maxSteps} steps`)
  }

  /** A target is set without an answer, and one that was lost on the way would drive to an old one: it is read back. */
  #aim(steps: number): Promise<Outcome> {
    return this.#set({ type: 'setTarget', steps }, 'target', steps, () => undefined)
  }

  /** Settings have no answers: each is read back, and sent again when it did not arrive. */
  async #set(command: MoonliteCommand, what: MoonliteQuery, wanted: number, keep: () => void): Promise<Outcome> {
    let held: number | undefined
    for (let n = 0; n < mostTries; n++) {
      const told = await this.#tell(command)
      if (!told.ok) return told
      const answer = await this.#ask(what)
      if (!answer.ok) return failure(answer.reason)
      held = answer.value
      if (held !== wanted) continue
      keep()
      return done
    }
    return failure(`the focuser keeps ${what} at ${held} and not ${wanted}`)
  }

  async #arrive(steps: number, deadline: number, timeoutMs: number, signal: AbortSignal): Promise<Outcome> {
    while (this.#clock.monotonic() < deadline) {
      await this.#clock.sleep(100, signal).catch(() => undefined)
      if (signal.aborted) return failure(`aborted: ${String(signal.reason)}`)
      const reading = await this.#read()
      if (!reading) {
        if (this.#session.ready) continue
        return failure(`the focuser was lost: ${this.#session.words}`)
      }
      if (reading.moving) continue
      if (reading.positionSteps === steps) return done
      return failure(`the focuser stopped at ${reading.positionSteps} and not at ${steps}`)
    }
    await this.#session.tell(encodeMoonlite({ type: 'halt' }))
    return failure(`not there within ${timeoutMs / 1000} s`)
  }

  async #greet(): Promise<Outcome> {
    const firmware = await this.#ask('firmware')
    if (!firmware.ok) return failure(`${this.#session.words}: no Moonlite focuser answers: ${firmware.reason}`)
    const [halfStep, speed] = [await this.#ask('halfStep'), await this.#ask('speed')]
    this.#halfStep = halfStep.ok ? halfStep.value === 0xff : undefined
    this.#speed = speed.ok ? (speed.value as MoonliteSpeed) : undefined
    return done
  }

  async #look(): Promise<void> {
    await this.#read()
    if (this.#clock.monotonic() - this.#temperatureAt < temperatureMs) return
    this.#temperatureAt = this.#clock.monotonic()
    const temperature = await this.#ask('temperature')
    const value = temperature.ok ? temperature.value : Number.NaN
    const { least, most } = temperatureRangeC
    this.#temperatureC = value >= least && value <= most ? value : undefined
    await this.#tell({ type: 'measureTemperature' })
  }

  async #read(): Promise<Reading | undefined> {
    // Moving is asked first: a focuser that has stopped since is seen at the next look, not at a place on its way.
    const moving = await this.#ask('moving')
    const position = moving.ok ? await this.#ask('position') : moving
    if (!moving.ok || !position.ok) return undefined
    this.#reading = { atMs: this.#clock.now(), positionSteps: position.value, moving: moving.value !== 0 }
    return this.#reading
  }

  async #ask(what: MoonliteQuery): Promise<{ readonly ok: true; readonly value: number } | Failure> {
    const command = { type: 'query', what } as const
    let last: Failure = failure('not asked')
    for (let n = 0; n < mostTries; n++) {
      const answer = await this.#session.ask({ text: encodeMoonlite(command), reply: moonliteReply(command) })
      if (!answer.ok && (answer.why === 'closed' || answer.why === 'busy')) return answer
      const value = answer.ok ? parseMoonlite(what, answer.text) : undefined
      if (value !== undefined) return { ok: true, value }
      last = answer.ok ? failure(`the answer to ${what} is ${JSON.stringify(answer.text)}`) : answer
    }
    return last
  }

  async #tell(command: MoonliteCommand): Promise<Outcome> {
    const told = await this.#session.ask({ text: encodeMoonlite(command) })
    return told.ok ? done : failure(told.reason)
  }
}
