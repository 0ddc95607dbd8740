import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { migrations } from './schema.ts'

describe('an index', () => {
  const database = new DatabaseSync(':memory:')
  for (const step of migrations) database.exec(step)

  // What is asked for each frame, each alert or each second must not grow with what is stored.
  it.each([
    [
      'jobs_waiting',
      "jobs INDEXED BY jobs_waiting WHERE state = 'waiting' AND stage = 's' AND not_before_ms <= 1 ORDER BY job_id LIMIT 1",
    ],
    ['detections_by_frame', "detections WHERE state = 's' AND frame_id = 'f' ORDER BY detected_at_ms DESC LIMIT 1"],
    ['detections_by_state', "detections WHERE state = 's' ORDER BY detected_at_ms DESC, probability DESC LIMIT 1"],
    ['frames_by_time', 'frames ORDER BY captured_at_ms DESC, frame_id DESC LIMIT 1'],
    ['frames_by_night', "frames WHERE night_id = 'n' AND type = 'light'"],
    ['entries_by_zone', 'entries WHERE zone BETWEEN 1 AND 2 AND ra_deg BETWEEN 1 AND 2'],
    [
      'outbox_of_event',
      "outbox INDEXED BY outbox_of_event WHERE state = 'waiting' AND event_id = 'e' AND destination = 'd'",
    ],
    ['outbox_by_detection', "outbox WHERE detection_id = 'd' ORDER BY rev"],
    [
      'outbox_waiting',
      `outbox WHERE state = 'waiting' AND next_attempt_at_ms <= 1 AND destination = 'd'
       ORDER BY urgency, queued_at_ms, event_id, rev LIMIT 1`,
    ],
  ])('%s answers its question', (index, question) => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN SELECT * FROM ${question}`).all()
    expect(plan.map((row) => String(row.detail)).join('; ')).toContain(`INDEX ${index}`)
  })
})
