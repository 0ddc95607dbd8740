import { EntryRecord } from '../contract/records.ts'
import type { Database } from './database.ts'
import { recordOf, recordsOf, shapeCheck } from './records.ts'

/**
 * Objects on the sky. A place is found by its declination zone (one arc minute each) and then right ascension, after Gray,
 * Nieto-Santisteban & Szalay 2006 (The Zones Algorithm): plain B-trees, no spatial extension.
 */

const degreesToRadians = Math.PI / 180
const checkEntry = shapeCheck(EntryRecord, 'entry')

/** Stores the entry, or its newer state. */
export function putEntry(database: Database, entry: EntryRecord): void {
  checkEntry(entry)
  database.run(
    `INSERT INTO entries (entry_id, record) VALUES (?, ?)
     ON CONFLICT (entry_id) DO UPDATE SET record = excluded.record`,
    entry.entryId,
    JSON.stringify(entry),
  )
}

export function readEntry(database: Database, entryId: string): EntryRecord | undefined {
  return recordOf(database.get('SELECT record FROM entries WHERE entry_id = ?', entryId))
}

/** Last seen first. */
export function readEntries(database: Database, limit: number): EntryRecord[] {
  const sql = 'SELECT record FROM entries ORDER BY last_seen_ms DESC, entry_id DESC LIMIT ?'
  return recordsOf(database.all(sql, limit))
}

/** Says that a detection is of this entry. A detection belongs to one entry; the last word counts. */
export function linkDetection(database: Database, entryId: string, detectionId: string): void {
  database.run(
    `INSERT INTO entry_detections (detection_id, entry_id) VALUES (?, ?)
     ON CONFLICT (detection_id) DO UPDATE SET entry_id = excluded.entry_id`,
    detectionId,
    entryId,
  )
}

/** The entry that a detection belongs to. */
export function readEntryOf(database: Database, detectionId: string): EntryRecord | undefined {
  const sql = `SELECT record FROM entries JOIN entry_detections USING (entry_id) WHERE detection_id = ?`
  return recordOf(database.get(sql, detectionId))
}

/** Ids of the detections that an entry was grown from. */
export function readEntryDetections(database: Database, entryId: string): string[] {
  const sql = 'SELECT detection_id FROM entry_detections WHERE entry_id = ? ORDER BY detection_id'
  return database.all(sql, entryId).map((row) => String(row.detection_id))
}

/** Entries within `radiusDeg` of a place (ICRS degrees), nearest first. */
export function readEntriesNear(database: Database, raDeg: number, decDeg: number, radiusDeg: number): EntryRecord[] {
  const sql = 'SELECT record FROM entries WHERE zone BETWEEN ? AND ? AND ra_deg BETWEEN ? AND ?'
  const found = coneBoxes(raDeg, decDeg, radiusDeg).flatMap((box) => recordsOf<EntryRecord>(database.all(sql, ...box)))
  return nearestFirst(found, raDeg, decDeg, radiusDeg)
}

/** Those within `radiusDeg` of a place, nearest first. */
export function nearestFirst<T extends { readonly raDeg: number; readonly decDeg: number }>(
  things: readonly T[],
  raDeg: number,
  decDeg: number,
  radiusDeg: number,
): T[] {
  return things
    .map((thing) => ({ thing, distance: separationDeg(raDeg, decDeg, thing.raDeg, thing.decDeg) }))
    .filter((near) => near.distance <= radiusDeg)
    .sort((a, b) => a.distance - b.distance)
    .map((near) => near.thing)
}

/** `[first zone, last zone, west, east]` of boxes that hold the whole circle: for `zone BETWEEN … AND ra BETWEEN …`. */
export function coneBoxes(raDeg: number, decDeg: number, radiusDeg: number): [number, number, number, number][] {
  const zones = [zoneOf(decDeg - radiusDeg), zoneOf(decDeg + radiusDeg)] as const
  return raRanges(raDeg, decDeg, radiusDeg).map((range) => [...zones, ...range])
}

/** Great-circle distance, degrees, by the haversine formula (exact for small angles; Sinnott 1984). */
export function separationDeg(raDeg1: number, decDeg1: number, raDeg2: number, decDeg2: number): number {
  const sinHalfDec = Math.sin(((decDeg2 - decDeg1) / 2) * degreesToRadians)
  const sinHalfRa = Math.sin(((raDeg2 - raDeg1) / 2) * degreesToRadians)
  const cosines = Math.cos(decDeg1 * degreesToRadians) * Math.cos(decDeg2 * degreesToRadians)
  const haversine = sinHalfDec * sinHalfDec + cosines * sinHalfRa * sinHalfRa
  return (2 * Math.asin(Math.min(1, Math.sqrt(haversine)))) / degreesToRadians
}

/** The declination zone, one arc minute high, counted from the south pole. */
export function zoneOf(decDeg: number): number {
  return Math.floor((Math.max(-90, Math.min(90, decDeg)) + 90) * 60)
}

/** Ranges of right ascension that hold the whole circle; two when it crosses 0h, the full turn when it holds a pole. */
function raRanges(raDeg: number, decDeg: number, radiusDeg: number): [number, number][] {
  if (Math.abs(decDeg) + radiusDeg >= 90) return [[0, 360]]
  const sine = Math.sin(radiusDeg * degreesToRadians) / Math.cos(decDeg * degreesToRadians)
  // A hair wider than the circle, for rounding: what is too far is dropped by its true distance.
  const half = Math.asin(Math.min(1, sine)) / degreesToRadians + 1e-9
  if (half >= 180) return [[0, 360]]
  const west = raDeg - half
  const east = raDeg + half
  if (west < 0) {
    return [
      [0, east],
      [west + 360, 360],
    ]
  }
  if (east >= 360) {
    return [
      [west, 360],
      [0, east - 360],
    ]
  }
  return [[west, east]]
}
