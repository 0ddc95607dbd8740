import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DetectionRecord, EntryRecord, FrameRecord } from '../../contract/records.ts'
import type { OutboxRow } from '../store.ts'

/** Whole records for tests; each test changes what it is about. */

/** A folder that is removed with all that is in it. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'nj-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export const sampleSha256 = 'ab'.repeat(32)

export function sampleFrame(change: Partial<FrameRecord> = {}): FrameRecord {
  return {
    frameId: 'f1',
    nightId: '2026-11-20',
    fieldId: 'M31',
    type: 'light',
    state: 'captured',
    capturedAtMs: 1_000,
    exposureSeconds: 30,
    filter: 'L',
    width: 640,
    height: 480,
    path: 'frames/f1.fits',
    bytes: 10,
    sha256: sampleSha256,
    ...change,
  }
}

export function sampleDetection(change: Partial<DetectionRecord> = {}): DetectionRecord {
  return {
    detectionId: 'f1-1',
    frameId: 'f1',
    x: 100,
    y: 200,
    raDeg: 10.684708,
    decDeg: 41.26875,
    scorr: 12,
    fluxAdu: 5_000,
    fluxErrorAdu: 400,
    probability: 0.95,
    class: 'transient',
    model: 'rule-1',
    features: {},
    flags: [],
    state: 'pending',
    stampsPath: 'stamps/f1-1',
    detectedAtMs: 2_000,
    ...change,
  }
}

export function sampleEntry(change: Partial<EntryRecord> = {}): EntryRecord {
  return {
    entryId: 'e1',
    name: 'NJ J004244.32+411607.5',
    raDeg: 10.684708,
    decDeg: 41.26875,
    firstSeenMs: 2_000,
    lastSeenMs: 2_000,
    detections: 1,
    probability: 0.95,
    ...change,
  }
}

export function sampleAlert(change: Partial<OutboxRow> = {}): OutboxRow {
  return {
    eventId: '1'.repeat(64),
    rev: 1,
    entryId: 'e1',
    detectionId: 'f1-1',
    destination: 'central',
    state: 'waiting',
    attempts: 0,
    queuedAtMs: 3_000,
    nextAttemptAtMs: 3_000,
    envelope: '{}',
    urgency: 1,
    ...change,
  }
}
