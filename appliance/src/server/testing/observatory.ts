import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { TonightState } from '../../contract/api.ts'
import { defaultSettings } from '../../contract/config.ts'
import type { DetectionRecord, EntryRecord, FrameRecord } from '../../contract/records.ts'
import type { ObservatoryControl } from '../../observatory/control.ts'
import { ingestInTurn } from '../../observatory/ingestFile.ts'
import { openStore } from '../../store/openStore.ts'
import type { OutboxRow, Store } from '../../store/store.ts'
import type { Daemon } from '../daemon.ts'
import { closedControl } from './closedControl.ts'
import { drawSources, drawStamps, fitsBytes, renderSky } from './sky.ts'

/** 2026-11-20 23:41 UT: deep night at the test site. */
export const testNightMs = Date.UTC(2026, 10, 20, 23, 41, 12)
const nightId = '2026-11-20'
const width = 960
const height = 640
const fields = ['ngc1365', 'm74', 'abell-426', 'ngc1365', 'm33-ne', 'm74']
const minuteMs = 60_000
const testQueueLimit = 2
/** Frames of it are taken when they are brought. */
const testFields = [{ fieldId: 'M31', raDeg: 10.684708, decDeg: 41.26875, exposureSeconds: 30, filter: 'L' }]

/** A clock that runs as fast as the wall's but began at `testNightMs`. */
export function nightClock(): Clock {
  const began = systemClock.monotonic()
  return { ...systemClock, now: () => testNightMs + systemClock.monotonic() - began }
}

export interface TestDaemon extends Daemon, Disposable {
  /** What was asked of the daemon, in order: `start ada`, `label d-3 real ada`. */
  readonly asked: string[]
}

/**
 * A daemon around a real store; `start` and `stop` only change what `tonight()` says. Its observatory is closed and does
 * nothing, unless one is handed in.
 */
export function openTestDaemon(
  folder: string,
  clock: Clock = nightClock(),
  store: Store = openStore(folder),
  control?: ObservatoryControl,
): TestDaemon {
  const asked: string[] = []
  let phase: TonightState['phase'] = 'observing'
  return {
    version: '0.1.0',
    store,
    clock,
    control: control ?? closedControl(clock, (line) => asked.push(line)),
    asked,
    tonight: () => tonightOf(store, clock, phase),
    async startNight(by) {
      asked.push(`start ${by}`)
      if (phase === 'observing') return { ok: false, reason: 'the night is running already' }
      phase = 'observing'
      return { ok: true }
    },
    async stopNight(by) {
      asked.push(`stop ${by}`)
      phase = 'closed'
      return { ok: true }
    },
    hasRoom: () => store.jobCounts('preprocessing').waiting < testQueueLimit,
    ingest: ingestInTurn({ store, clock, settings: () => ({ ...defaultSettings, fields: testFields }) }),
    label(detectionId, label, by) {
      asked.push(`label ${detectionId} ${label} ${by}`)
      const state = label === 'real' ? 'validated' : label === 'bogus' ? 'dismissed' : 'pending'
      store.commit(clock.now(), (tx) => {
        tx.putLabel(detectionId, label, by)
        tx.updateDetection(detectionId, { state, label, labelledBy: by })
        tx.event('label.given', { detectionId, label, by })
      })
      return { ok: true }
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  }
}

function tonightOf(store: Store, clock: Clock, phase: TonightState['phase']): TonightState {
  const atMs = clock.now()
  const exposing = phase === 'observing'
  const last = store.frames({ limit: 1, type: 'light' })[0]
  const counts = store.frameCounts(nightId)
  const remainingSeconds = 60 - ((atMs / 1000) % 60)
  return {
    atMs,
    nightId,
    phase,
    doing: exposing ? 'Exposing NGC 1365, 60 s in r' : 'Parked and closed',
    site: { name: 'Kielder Ridge', latitudeDeg: 37.2, longitudeDeg: -3.4, simulated: true },
    sun: { altitudeDeg: -72.2 },
    devices: {
      mount: { name: 'EQ6-R Pro', connected: true, ageMs: 400, summary: exposing ? 'Tracking' : 'Parked' },
      camera: { name: 'ASI2600MM', connected: true, ageMs: 900, summary: exposing ? 'Exposing at −10.0 °C' : 'Cooled' },
    },
    pointing: { raDeg: 53.4, decDeg: 12.14, altitudeDeg: 65.0, azimuthDeg: 184.0, fieldId: 'ngc1365' },
    ...(exposing && { exposure: { seconds: 60, remainingSeconds } }),
    frames: { expected: 96, captured: counts.captured, calibrated: counts.calibrated, rejected: counts.rejected },
    queue: { waiting: 2, running: 1, limit: 16 },
    detections: { pending: store.detectionCounts().pending, validated: store.detectionCounts().validated },
    alerts: store.alertCounts(),
    diskFreeBytes: 412e9,
    ...(last && { lastFrameId: last.frameId }),
    safety: { safe: true, reasons: [] },
  }
}

/** Fills the store with part of a plausible night: frames with files, detections with stamps, entries and alerts. */
export function fillNight(daemon: TestDaemon, frameCount = 14): void {
  const frames = Array.from({ length: frameCount }, (_, i) => putFrame(daemon.store, i, frameCount))
  const good = frames.filter((frame) => frame.state === 'scored')
  for (let i = 0; i < 9; i++) putDetection(daemon.store, i, good[i % good.length]!)
  for (let i = 0; i < 5; i++) putAlert(daemon.store, i)
}

function write(store: Store, path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(store.folder, path)), { recursive: true })
  writeFileSync(join(store.folder, path), bytes)
}

function putFrame(store: Store, i: number, count: number): FrameRecord {
  const random = createRandom(`frame ${i}`)
  const fieldId = fields[i % fields.length]!
  const frameId = `f-${String(i + 1).padStart(4, '0')}`
  const path = `frames/${nightId}/${frameId}.fits`
  const bytes = fitsBytes(renderSky(drawSources(fieldId, width, height), width, height, frameId), width, height)
  write(store, path, bytes)
  const rejected = i === 4
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const capturedAtMs = testNightMs - (count - i) * 4 * minuteMs
  const frame: FrameRecord = {
    frameId,
    nightId,
    fieldId,
    type: 'light',
    state: rejected ? 'rejected' : i === count - 1 ? 'calibrated' : 'scored',
    capturedAtMs,
    exposureSeconds: 60,
    filter: 'r',
    width,
    height,
    path,
    bytes: bytes.length,
    sha256,
    calibratedPath: path,
    quality: {
      stars: rejected ? 12 : 240 + random.integer(90),
      fwhmPixels: rejected ? 7.9 : 2.6 + 0.5 * random.next(),
      ellipticity: 0.06 + 0.05 * random.next(),
      skyAdu: 1200,
      skyRmsAdu: 14,
      solved: !rejected,
      raDeg: 53.4,
      decDeg: 12.14,
      solveRmsPixels: 0.14,
      zeroPointMag: 24.31,
      limitingMag: 19.6 + 0.3 * random.next(),
      grade: rejected ? 'rejected' : 'good',
      reasons: rejected ? ['Too few stars: cloud'] : [],
    },
    ...(rejected && { reason: 'Too few stars: cloud' }),
  }
  store.commit(capturedAtMs, (tx) => {
    tx.putFrame(frame)
    const { exposureSeconds, type } = frame
    tx.event('frame.captured', { frameId, type, fieldId, path, sha256, bytes: bytes.length, exposureSeconds })
    if (rejected) tx.event('frame.rejected', { frameId, reasons: frame.quality!.reasons })
    else tx.event('frame.calibrated', { frameId, path, sha256, quality: frame.quality! })
  })
  return frame
}

function putDetection(store: Store, i: number, frame: FrameRecord): void {
  const random = createRandom(`detection ${i}`)
  const detectionId = `d-${String(i + 1).padStart(4, '0')}`
  const stampsPath = `stamps/${detectionId}`
  const fluxAdu = 2500 + 9000 * random.next()
  for (const [name, png] of Object.entries(drawStamps(detectionId, fluxAdu)))
    write(store, `${stampsPath}/${name}.png`, png)
  const detection: DetectionRecord = {
    detectionId,
    frameId: frame.frameId,
    x: 80 + random.next() * (width - 160),
    y: 80 + random.next() * (height - 160),
    raDeg: 53.4 + 0.2 * random.normal(),
    decDeg: 12.14 + 0.2 * random.normal(),
    scorr: 6 + fluxAdu / 400,
    fluxAdu,
    fluxErrorAdu: 180,
    mag: 24.31 - 2.5 * Math.log10(fluxAdu),
    magError: 0.07,
    probability: 0.97 - 0.06 * i,
    class: i === 6 ? 'cosmicRay' : 'transient',
    model: 'rule-1',
    features: { fwhmRatio: 1.03, elongation: 1.08 },
    flags: i === 6 ? ['sharp'] : [],
    state: i < 2 ? 'validated' : 'pending',
    stampsPath,
    detectedAtMs: frame.capturedAtMs + 40_000,
  }
  store.commit(detection.detectedAtMs, (tx) => {
    tx.putDetection(detection)
    tx.event('detections.scored', {
      frameId: frame.frameId,
      model: 'rule-1',
      scored: 6,
      kept: 1,
      best: { detectionId, class: detection.class, probability: detection.probability },
    })
    if (i < 2) tx.event('detection.validated', { detectionId, frameId: frame.frameId, by: 'auto' })
  })
}

function putAlert(store: Store, i: number): void {
  const atMs = testNightMs - (30 - i * 5) * minuteMs
  const entryId = `e-${i + 1}`
  const name = `NJ J0333${String(10 + i * 7).padStart(2, '0')}.42+1208${String(12 + i * 9).padStart(2, '0')}.1`
  const eventId = createHash('sha256').update(entryId).digest('hex')
  const entry: EntryRecord = {
    entryId,
    name,
    raDeg: 53.4 + i * 0.03,
    decDeg: 12.14 + i * 0.02,
    firstSeenMs: atMs,
    lastSeenMs: atMs,
    detections: 1 + (i % 3),
    peakMag: 16.4 + i * 0.45,
    probability: 0.96 - i * 0.03,
  }
  const states: Partial<OutboxRow>[] = [
    { state: 'delivered', deliveredAtMs: atMs + 900, receipt: 'NJC-00041', attempts: 1 },
    { state: 'delivered', deliveredAtMs: atMs + 1400, receipt: 'NJC-00042', attempts: 2 },
    { state: 'delivered', deliveredAtMs: atMs + 700, receipt: 'NJC-00043', attempts: 1 },
    { state: 'dead', attempts: 8, lastError: 'The receiver refused it: 422 unknown filter "r"' },
    { state: 'waiting', attempts: 3, nextAttemptAtMs: testNightMs + 42_000, lastError: 'Connection refused' },
  ]
  store.commit(atMs, (tx) => {
    tx.putEntry(entry)
    tx.putAlert({
      eventId,
      rev: 1,
      entryId,
      detectionId: `d-${String(i + 1).padStart(4, '0')}`,
      destination: 'central',
      state: 'waiting',
      attempts: 0,
      queuedAtMs: atMs,
      nextAttemptAtMs: atMs,
      envelope: '{}',
      ...states[i],
    })
    tx.event('entry.catalogued', { entryId, detectionId: `d-${i + 1}`, name, isNew: true })
    if (i < 3) {
      const receipt = states[i]!.receipt!
      tx.event('alert.forwarded', { eventId, rev: 1, entryId, destination: 'central', receipt })
    }
  })
}
