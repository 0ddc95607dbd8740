import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { DetectionRecord, type Label } from '../contract/records.ts'
import type { Database } from './database.ts'
import { recordOf, recordsOf, shapeCheck } from './records.ts'
import type { LabelRecord, Store } from './store.ts'

/** Detections and what people said of them. */

const checkDetection = shapeCheck(DetectionRecord, 'detection')

export function putDetection(database: Database, detection: DetectionRecord): void {
  checkDetection(detection)
  const text = JSON.stringify(detection)
  database.run('INSERT INTO detections (detection_id, record) VALUES (?, ?)', detection.detectionId, text)
}

export function updateDetection(database: Database, detectionId: string, change: Partial<DetectionRecord>): void {
  const detection = readDetection(database, detectionId)
  if (!detection) {
    throw new NightjarError('store/unknown', `detection ${detectionId} is not stored; put it before changing it`)
  }
  const changed = checkDetection({ ...detection, ...change, detectionId })
  database.run('UPDATE detections SET record = ? WHERE detection_id = ?', JSON.stringify(changed), detectionId)
}

export function readDetection(database: Database, detectionId: string): DetectionRecord | undefined {
  return recordOf(database.get('SELECT record FROM detections WHERE detection_id = ?', detectionId))
}

/** Newest first, the most probable of a frame before the others. */
export function readDetections(database: Database, filter: Parameters<Store['detections']>[0]): DetectionRecord[] {
  const given = [
    ['state = ?', filter.state],
    ['frame_id = ?', filter.frameId],
  ].filter((condition): condition is [string, string] => condition[1] !== undefined)
  const where = given.length ? `WHERE ${given.map(([sql]) => sql).join(' AND ')}` : ''
  const sql = `SELECT record FROM detections ${where}
    ORDER BY detected_at_ms DESC, probability DESC, detection_id LIMIT ?`
  return recordsOf(database.all(sql, ...given.map(([, value]) => value), filter.limit))
}

export function detectionCounts(database: Database): ReturnType<Store['detectionCounts']> {
  const counts = { pending: 0, validated: 0, dismissed: 0 }
  for (const row of database.all('SELECT state, count(*) AS n FROM detections GROUP BY state')) {
    counts[row.state as keyof typeof counts] = Number(row.n)
  }
  return counts
}

/** Adds one opinion; earlier ones stay. */
export function putLabel(database: Database, label: LabelRecord): void {
  database.run(
    'INSERT INTO labels (detection_id, label, given_by, at_ms) VALUES (?, ?, ?, ?)',
    label.detectionId,
    label.label,
    label.by,
    label.atMs,
  )
}

/** Every label a detection was ever given, oldest first. */
export function readLabels(database: Database, detectionId: string): LabelRecord[] {
  const rows = database.all('SELECT * FROM labels WHERE detection_id = ? ORDER BY label_id', detectionId)
  return rows.map((row) => ({
    detectionId,
    label: row.label as Label,
    by: String(row.given_by),
    atMs: Number(row.at_ms),
  }))
}
