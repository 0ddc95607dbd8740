import type { DetectionRecord, EntryRecord } from '../contract/records.ts'
import { sha256Hex } from '../store/canonical.ts'
import { entryName } from './name.ts'

const degreesToRadians = Math.PI / 180

/** An object first seen in this detection. Its name tells where it was found and never changes. */
export function newEntry(detection: DetectionRecord): EntryRecord {
  const { raDeg, decDeg, detectedAtMs, probability } = detection
  return {
    entryId: `nj-${sha256Hex(detection.detectionId).slice(0, 16)}`,
    name: entryName(raDeg, decDeg),
    raDeg,
    decDeg,
    firstSeenMs: detectedAtMs,
    lastSeenMs: detectedAtMs,
    detections: 0,
    probability,
  }
}

/**
 * The entry as told by those of its detections that are validated: mean place weighted by scorr² (the error of a centroid
 * goes with 1/scorr; King 1983, PASP 95, 163), first and last time, brightest magnitude, highest probability. With none
 * left the place stays and the count and probability are 0.
 */
export function grownEntry(entry: EntryRecord, linked: readonly DetectionRecord[]): EntryRecord {
  const { peakMag: _, ...known } = entry
  const seen = linked.filter((detection) => detection.state === 'validated')
  if (seen.length === 0) return { ...known, detections: 0, probability: 0 }
  const mags = seen.map((detection) => detection.mag).filter((mag) => mag !== undefined)
  return {
    ...known,
    ...meanPlace(entry, seen),
    firstSeenMs: Math.min(...seen.map((detection) => detection.detectedAtMs)),
    lastSeenMs: Math.max(...seen.map((detection) => detection.detectedAtMs)),
    detections: seen.length,
    probability: Math.max(...seen.map((detection) => detection.probability)),
    ...(mags.length > 0 && { peakMag: Math.min(...mags) }),
  }
}

/** Weighted mean on the plane that touches the sky at `centre`; good to 1e-9 of the offset within a match radius. */
function meanPlace(
  centre: { readonly raDeg: number; readonly decDeg: number },
  seen: readonly DetectionRecord[],
): { raDeg: number; decDeg: number } {
  const cosine = Math.max(1e-9, Math.cos(centre.decDeg * degreesToRadians))
  let east = 0
  let north = 0
  let weights = 0
  for (const { raDeg, decDeg, scorr } of seen) {
    const weight = Math.max(1, scorr * scorr)
    east += weight * turn(raDeg - centre.raDeg) * cosine
    north += weight * (decDeg - centre.decDeg)
    weights += weight
  }
  const raDeg = centre.raDeg + east / weights / cosine
  const decDeg = centre.decDeg + north / weights
  return { raDeg: (raDeg + 360) % 360, decDeg: Math.max(-90, Math.min(90, decDeg)) }
}

/** A difference of angles within ±180°. */
function turn(differenceDeg: number): number {
  return differenceDeg - 360 * Math.round(differenceDeg / 360)
}
