import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Stage } from '../store/stage.ts'
import type { Job, Store } from '../store/store.ts'

/** How often a stage may fail on one job before it is given up, and how long it waits in between. */
export const retryLimits = { attempts: 3, firstWaitMs: 2_000 } as const

/** No more frames are taken while this many jobs wait: the camera waits for the pipeline, not the other way round. */
export const queueLimit = 12

/** Takes jobs from the journal and gives them to the stages: pixels in one lane, the network in another. */
export interface Pipeline {
  /** Jobs waiting or running, forwarding aside. */
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
}

/** Stages are tried last first, so a frame that is nearly an alert goes before one that was just taken. */
export function createPipeline(store: Store, clock: Clock, stages: readonly Stage[]): Pipeline {
  const network: Lane = { stages: stages.filter((stage) => stage.name === 'forwarding'), running: 0 }
  const pixels: Lane = { stages: stages.filter((stage) => stage.name !== 'forwarding').reverse(), running: 0 }
  const pollMs = 200

  function next(lane: Lane): { stage: Stage; job: Job } | undefined {
    for (const stage of lane.stages) {
      const job = store.nextJob(stage.name, clock.now())
      if (job) return { stage, job }
    }
    return undefined
  }

  async function step(lane: Lane): Promise<boolean> {
    const work = next(lane)
    if (!work) return false
    lane.running++
    try {
      await work.stage.run(work.job)
    } catch (error) {
      recordFailure(work.stage, work.job, error instanceof Error ? error.message : String(error))
    } finally {
      lane.running--
    }
    return true
  }

  function recordFailure(stage: Stage, job: Job, reason: string): void {
    const attempt = job.attempts + 1
    const givenUp = attempt >= retryLimits.attempts
    store.commit(clock.now(), (tx) => {
      tx.event('stage.failed', { stage: stage.name, subject: job.subject, attempt, reason, givenUp })
      if (givenUp) tx.giveUpJob(job.jobId, reason)
      else tx.retryJob(job.jobId, clock.now() + retryLimits.firstWaitMs * 2 ** job.attempts)
    })
  }

  async function runLane(lane: Lane, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (await step(lane)) continue
      await clock.sleep(pollMs, signal).catch(() => undefined)
    }
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
    idle: (signal) => until(() => !next(pixels) && !next(network) && pixels.running + network.running === 0, signal),
    async run(signal) {
      await Promise.all([runLane(pixels, signal), runLane(network, signal)])
    },
  }
}
