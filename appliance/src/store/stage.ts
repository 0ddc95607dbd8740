import type { Job, StageName } from './store.ts'

/**
 * One step of a frame's journey: takes a job, does it, and commits what came of it together with the end of the job. It
 * throws when it could not; the pipeline decides whether to try again. Doing a job twice must leave the same state.
 */
export interface Stage {
  readonly name: StageName
  run(job: Job): Promise<void>
}
