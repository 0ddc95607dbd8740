import type { AlertEnvelope } from '../contract/alert.ts'
import type { CameraSettings } from '../contract/config.ts'
import type { DetectionRecord, EntryRecord, FrameRecord } from '../contract/records.ts'
import { judgeName } from '../curation/autoValidate.ts'
import { sha256Hex } from '../store/canonical.ts'

/** What an alert says. The same detection processed again by the same code gives the same event id. */
export interface AlertSubject {
  readonly site: string
  readonly pipelineVersion: string
  readonly camera: CameraSettings
  readonly frame: FrameRecord
  readonly detection: DetectionRecord
  readonly entry: EntryRecord
}

/** sha256 of `site|frame sha256|pipeline version|model|object number`. */
export function eventIdOf(subject: Omit<AlertSubject, 'entry' | 'camera'>): string {
  const { site, pipelineVersion, frame, detection } = subject
  return sha256Hex([site, frame.sha256, pipelineVersion, detection.model, objectNumber(detection)].join('|'))
}

/** The envelope of one revision. */
export function envelopeOf(subject: AlertSubject, rev: number): AlertEnvelope {
  const { site, frame, detection, entry, camera } = subject
  return {
    schema: 'nightjar.alert.1',
    eventId: eventIdOf(subject),
    rev,
    site,
    name: entry.name,
    observedAtMs: frame.capturedAtMs + frame.exposureSeconds * 500,
    raDeg: detection.raDeg,
    decDeg: detection.decDeg,
    positionErrorArcsec: positionErrorArcsec(detection, frame, camera),
    ...(detection.mag !== undefined && { mag: detection.mag }),
    ...(detection.magError !== undefined && { magError: detection.magError }),
    filter: frame.filter,
    scorr: detection.scorr,
    fluxAdu: detection.fluxAdu,
    probability: detection.probability,
    class: classOf(detection),
    model: detection.model,
    validatedBy: detection.labelledBy ?? judgeName(detection.model),
    frameSha256: frame.sha256,
  }
}

/** A person's word goes before the judge's: what was called bogus is an artefact, what is unsure is unknown. */
function classOf(detection: DetectionRecord): string {
  if (detection.state === 'dismissed') return 'artefact'
  return detection.state === 'pending' ? 'unknown' : detection.class
}

/**
 * 1 σ of the place, arc seconds: the centroid's FWHM / (2.355 scorr) (King 1983, PASP 95, 163) and the astrometric
 * solution's scatter, added in quadrature. Without a measured FWHM, the width of a pixel stands in.
 */
export function positionErrorArcsec(detection: DetectionRecord, frame: FrameRecord, camera: CameraSettings): number {
  const arcsecPerPixel = (206.265 * camera.pixelMicrometres) / camera.focalLengthMillimetres
  const fwhmPixels = frame.quality?.fwhmPixels || 1
  const centroidPixels = fwhmPixels / 2.355 / Math.max(1, detection.scorr)
  return arcsecPerPixel * Math.hypot(centroidPixels, frame.quality?.solveRmsPixels ?? 0)
}

/** What tells a frame's detections apart: the part of the id after the frame's. */
function objectNumber({ detectionId, frameId }: DetectionRecord): string {
  return detectionId.startsWith(frameId) ? detectionId.slice(frameId.length).replace(/^[._-]+/, '') : detectionId
}
