import type { Database, Row } from './database.ts'
import { count, mustChange } from './records.ts'
import type { Job, StageName } from './store.ts'

/** The queue of work. A job is made in the transaction of the event that caused it, so a killed process finds it again. */

/** Queues work once: a `(stage, subject)` that was ever asked for is left as it is. */
export function putJob(database: Database, job: Omit<Job, 'jobId' | 'attempts'>): void {
  database.run(
    `INSERT INTO jobs (stage, subject, cause_seq, not_before_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (stage, subject) DO NOTHING`,
    job.stage,
    job.subject,
    job.causeSeq,
    job.notBeforeMs,
  )
}

/** Queues work again whose last run has ended, or for the first time. */
export function reopenJob(database: Database, job: Omit<Job, 'jobId' | 'attempts'>): void {
  database.run(
    `INSERT INTO jobs (stage, subject, cause_seq, not_before_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (stage, subject) DO UPDATE SET state = 'waiting', attempts = 0, reason = NULL,
       cause_seq = excluded.cause_seq, not_before_ms = excluded.not_before_ms`,
    job.stage,
    job.subject,
    job.causeSeq,
    job.notBeforeMs,
  )
}

export function finishJob(database: Database, jobId: number): void {
  mustChange(database.run("UPDATE jobs SET state = 'done' WHERE job_id = ?", jobId), `job ${jobId}`)
}

/** Ends the waiting job on this subject, if there is one. */
export function finishJobOf(database: Database, stage: StageName, subject: string): void {
  database.run("UPDATE jobs SET state = 'done' WHERE stage = ? AND subject = ? AND state = 'waiting'", stage, subject)
}

/** No waiting job of `stage` is due before `notBeforeMs`. */
export function postponeJobs(database: Database, stage: StageName, notBeforeMs: number): void {
  const sql = `UPDATE jobs SET not_before_ms = ? WHERE state = 'waiting' AND stage = ? AND not_before_ms < ?`
  database.run(sql, notBeforeMs, stage, notBeforeMs)
}

/** Puts the job back without counting an attempt. */
export function deferJob(database: Database, jobId: number, notBeforeMs: number): void {
  const sql = "UPDATE jobs SET state = 'waiting', not_before_ms = ? WHERE job_id = ?"
  mustChange(database.run(sql, notBeforeMs, jobId), `job ${jobId}`)
}

export function retryJob(database: Database, jobId: number, notBeforeMs: number): void {
  const sql = "UPDATE jobs SET state = 'waiting', attempts = attempts + 1, not_before_ms = ? WHERE job_id = ?"
  mustChange(database.run(sql, notBeforeMs, jobId), `job ${jobId}`)
}

export function giveUpJob(database: Database, jobId: number, reason: string): void {
  const sql = "UPDATE jobs SET state = 'failed', attempts = attempts + 1, reason = ? WHERE job_id = ?"
  mustChange(database.run(sql, reason, jobId), `job ${jobId}`)
}

/** The oldest waiting job of `stage` whose time has come. */
export function nextJob(database: Database, stage: StageName, atMs: number): Job | undefined {
  const row = database.get(
    `SELECT job_id, stage, subject, cause_seq, attempts, not_before_ms FROM jobs INDEXED BY jobs_waiting
     WHERE state = 'waiting' AND stage = ? AND not_before_ms <= ? ORDER BY job_id LIMIT 1`,
    stage,
    atMs,
  )
  return row && jobOf(row)
}

/** When the next waiting job of `stage` is due, Unix ms; undefined when none waits. */
export function nextJobAtMs(database: Database, stage: StageName): number | undefined {
  const row = database.get("SELECT min(not_before_ms) AS n FROM jobs WHERE state = 'waiting' AND stage = ?", stage)
  return typeof row?.n === 'number' ? row.n : undefined
}

/** Of one stage, or of all. */
export function jobCounts(database: Database, stage?: StageName): { waiting: number; failed: number } {
  const of = (state: string): number =>
    stage === undefined
      ? count(database, 'SELECT count(*) AS n FROM jobs WHERE state = ?', state)
      : count(database, 'SELECT count(*) AS n FROM jobs WHERE state = ? AND stage = ?', state, stage)
  return { waiting: of('waiting'), failed: of('failed') }
}

/**
 * Makes every unfinished job due at once and says how many there were: the process that had them is gone. An alert that
 * still waits gets its job back, whatever ended it: a destination that was not set, or a stage that was given up.
 */
export function resumeJobs(database: Database): number {
  return database.transaction(() => {
    database.run(
      `INSERT INTO jobs (stage, subject, cause_seq, not_before_ms)
       SELECT DISTINCT 'forwarding', event_id, (SELECT coalesce(max(seq), 0) FROM journal), 0
       FROM outbox WHERE state = 'waiting'
       ON CONFLICT (stage, subject) DO UPDATE SET state = 'waiting', attempts = 0, reason = NULL WHERE state <> 'waiting'`,
    )
    return database.run("UPDATE jobs SET not_before_ms = 0 WHERE state = 'waiting'")
  })
}

function jobOf(row: Row): Job {
  return {
    jobId: Number(row.job_id),
    stage: row.stage as StageName,
    subject: String(row.subject),
    causeSeq: Number(row.cause_seq),
    attempts: Number(row.attempts),
    notBeforeMs: Number(row.not_before_ms),
  }
}
