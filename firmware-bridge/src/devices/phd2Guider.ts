import type { Clock } from '../clock.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import { createPhd2Session } from '../phd2/session.ts'
import { type Phd2State, rmsPixels } from '../phd2/state.ts'
import type { Random } from '../random.ts'
import type { Connect } from '../wire/wire.ts'
import { driverCard } from './device.ts'
import type { Guider, Settle } from './guider.ts'

export const phd2GuiderCard = driverCard('guider', 'PHD2', ['guide', 'dither', 'stop', 'settle'])

/** PHD2's first instance listens here; each further one a port higher. */
export const phd2Port = 4400

export interface Phd2GuiderOptions {
  readonly clock: Clock
  readonly random: Random
  /** Between two questions for the state; events come at once. */
  readonly pollMs?: number
}

const defaultPollMs = 5_000
/** After so many polls without a word PHD2 counts as not connected. */
const missedPolls = 3
/** PHD2 opens its camera and mount: some cameras take this long. */
const connectMs = 60_000
/** Calibrating comes before settling and has no time-out in PHD2: a slow mount takes minutes. */
const calibrationMs = 600_000
/** PHD2 counts the time-out of a settling itself; we give up this much later. */
const marginMs = 30_000
const stopMs = 30_000

const settleParams = ({ pixels, seconds, timeoutSeconds }: Settle): object => ({
  pixels,
  time: Math.ceil(seconds),
  timeout: Math.ceil(timeoutSeconds),
})

/** PHD2 as the guider. It owns the guide camera; the guide pulses go where its profile says. */
export function createPhd2Guider(connect: Connect, options: Phd2GuiderOptions): Guider {
  const { clock, random, pollMs = defaultPollMs } = options
  const session = createPhd2Session(connect, { clock, random, pollMs })
  let operation = new AbortController()

  const problem = (): string | undefined =>
    session.problem ?? (session.silentMs > missedPolls * pollMs ? 'PHD2 says nothing' : undefined)

  /** Only one operation waits at a time: a newer one ends the one before. */
  function begin(reason: string): AbortSignal {
    operation.abort(reason)
    operation = new AbortController()
    return operation.signal
  }

  /** Sends the request and waits for the settling that it causes. */
  async function settle(
    method: string,
    params: readonly unknown[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const taken = await session.request(method, params)
    if (!taken.ok) return taken
    if (signal.aborted) return failure(String(signal.reason))
    const ending = await session.waitFor((now) => settlingOver(taken.state, now), timeoutMs, signal)
    return ending
  }

  async function connectEquipment(): Promise<Outcome> {
    const connected = await session.request('get_connected')
    if (!connected.ok || connected.result === true) return connected.ok ? done : connected
    const taken = await session.request('set_connected', [true], connectMs)
    return taken.ok ? done : taken
  }

  const toArcsec = (pixels: number | undefined): number | undefined => {
    const scale = session.state.pixelScaleArcsec
    return pixels === undefined || scale === undefined ? undefined : pixels * scale
  }

  return {
    state() {
      const { state } = session
      const wrong = problem()
      const step = state.steps.at(-1)
      return {
        source: `PHD2${state.version === undefined ? '' : ` ${state.version}`}`,
        atMs: session.atMs,
        connected: wrong === undefined && session.atMs > 0,
        problem: wrong ?? state.alert,
        activity: state.settling && state.activity === 'guiding' ? 'settling' : state.activity,
        rmsArcsec: toArcsec(rmsPixels(state)),
        raErrorArcsec: toArcsec(step?.raPixels),
        decErrorArcsec: toArcsec(step?.decPixels),
      }
    },
    can: () => new Set(session.state.version === undefined ? [] : phd2GuiderCard.can),
    async guide(wanted) {
      const signal = begin('guiding was started anew')
      const connected = await connectEquipment()
      if (!connected.ok) return connected
      const timeoutMs = calibrationMs + wanted.timeoutSeconds * 1000 + marginMs
      return settle('guide', [settleParams(wanted), false], timeoutMs, signal)
    },
    async dither(pixels, wanted) {
      if (!(pixels > 0)) return failure('a dither is a number of pixels above 0')
      const signal = begin('a dither was asked for')
      return settle('dither', [pixels, false, settleParams(wanted)], wanted.timeoutSeconds * 1000 + marginMs, signal)
    },
    async stop() {
      const signal = begin('guiding was stopped')
      const taken = await session.request('stop_capture')
      if (!taken.ok) return taken
      const isOver = (now: Phd2State): Outcome | undefined => (now.activity === 'stopped' ? done : undefined)
      const stopped: Outcome | Failure = await session.waitFor(isOver, stopMs, signal)
      return stopped.ok ? done : failure('PHD2 has not stopped')
    },
    async [Symbol.asyncDispose]() {
      operation.abort('disposed')
      await session[Symbol.asyncDispose]()
    },
  }
}

/** How what began with `before` has ended; undefined while it goes on. */
function settlingOver(before: Phd2State, now: Phd2State): Outcome | undefined {
  if (now.settled.count > before.settled.count) {
    return now.settled.problem === undefined ? done : failure(`PHD2: ${now.settled.problem}`)
  }
  if (now.stopped.count > before.stopped.count) return failure(now.stopped.problem ?? 'guiding was stopped')
  return undefined
}
