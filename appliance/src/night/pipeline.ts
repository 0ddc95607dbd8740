import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { isFull } from '../store/database.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store } from '../store/store.ts'

/** How often a stage may fail on one job before it is given up, and how long it waits in between. */
export const retryLimits = { attempts: 3, firstWaitMs: 2_000 } as const

/** No more frames are taken while this many jobs wait: the camera waits for the pipeline, not the other way round. */
export const queueLimit = 12

const pollMs = 200
const storeFullWaitMs = 5_000
const idleMs = 60_000

/**
 * Takes jobs from the journal and gives them to the stages: pixels in one lane, the network in another. A full disk is nobody's
 * failure: the job stays as it is, with all its attempts, and is tried again when there may be room.
 */
export interface Pipeline extends Disposable {
  /** Jobs waiting, forwarding aside. */
  readonly waiting: number
  readonly running: number
  /** Resolves when the queue has room for another frame. */
  room(signal?: AbortSignal): Promise<void>
  /** Resolves when no job is due in any lane. */
  idle(signal?: AbortSignal): Promise<void>
  /** Runs until aborted. A job under way is finished first. */
  run(signal: AbortSignal): Promise<void>
}

interface Lane {
  readonly stages: readonly Stage[]
  running: number
  /** Ends the lane's rest: something was committed. */
  wake: AbortController
}

/** Stages are tried last first, so a frame that is nearly an alert goes before one that was just taken. */
export function createPipeline(store: Store, clock: Clock, stages: readonly Stage[]): Pipeline {
  const lane = (own: (stage: Stage) => boolean): Lane => ({
    stages: stages.filter(own).reverse(),
    running: 0,
    wake: new AbortController(),
  })
  const network = lane((stage) => stage.name === 'forwarding')
  const pixels = lane((stage) => stage.name !== 'forwarding')
  const lanes = [pixels, network]
  const subscription = store.subscribe(wakeAll)

  function wakeAll(): void {
    for (const one of lanes) {
      one.wake.abort()
      one.wake = new AbortController()
    }
  }

  function next({ stages }: Lane): { stage: Stage; job: Job } | undefined {
    for (const stage of stages) {
      const job = store.nextJob(stage.name, clock.now())
      if (job) return { stage, job }
    }
    return undefined
  }

  async function step(lane: Lane, signal: AbortSignal): Promise<boolean> {
    const work = next(lane)
    if (!work) return false
    lane.running++
    try {
      await work.stage.run(work.job)
    } catch (error) {
      if (isFull(error) || !recordFailure(work.stage, work.job, error))
        await clock.sleep(storeFullWaitMs, signal).catch(() => undefined)
    } finally {
      lane.running--
    }
    return true
  }

  /** False when a full disk took no line either. */
  function recordFailure(stage: Stage, job: Job, error: unknown): boolean {
    const reason = error instanceof Error ? error.message : String(error)
    const attempt = job.attempts + 1
    const givenUp = attempt >= retryLimits.attempts
    const nowMs = clock.now()
    try {
      store.commit(nowMs, (tx) => {
        tx.event('stage.failed', { stage: stage.name, subject: job.subject, attempt, reason, givenUp })
        if (givenUp) tx.giveUpJob(job.jobId, reason)
        else tx.retryJob(job.jobId, nowMs + retryLimits.firstWaitMs * 2 ** job.attempts)
      })
      return true
    } catch {
      return false
    }
  }

  /** Until the next job is due, or something is committed. */
  async function rest(lane: Lane): Promise<void> {
    const due = lane.stages.flatMap((stage) => store.nextJobAtMs(stage.name) ?? [])
    const ms = Math.max(0, Math.min(idleMs, ...due.map((atMs) => atMs - clock.now())))
    await clock.sleep(ms, lane.wake.signal).catch(() => undefined)
  }

  async function runLane(lane: Lane, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) if (!(await step(lane, signal))) await rest(lane)
  }

  const waiting = (): number => pixels.stages.reduce((sum, stage) => sum + store.jobCounts(stage.name).waiting, 0)

  async function until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!condition()) await clock.sleep(pollMs, signal)
  }

  return {
    get waiting() {
      return waiting()
    },
    get running() {
      return pixels.running
    },
    room: (signal) => until(() => waiting() < queueLimit, signal),
    idle: (signal) => until(() => lanes.every((one) => one.running === 0 && !next(one)), signal),
    async run(signal) {
      signal.addEventListener('abort', wakeAll, { once: true })
      await Promise.all(lanes.map((one) => runLane(one, signal)))
    },
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  }
}
