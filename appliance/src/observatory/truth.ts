import type { CameraState } from '@nightjar/firmware-bridge/devices/camera.ts'
import type { FocuserState } from '@nightjar/firmware-bridge/devices/focuser.ts'
import type { MountState } from '@nightjar/firmware-bridge/devices/mount.ts'
import type { RoofState } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { FrameRecord, FrameType } from '../contract/records.ts'
import type { Glance } from '../frames/fits/glance.ts'
import { type Horizontal, horizontal, type Site, separationDeg } from '../observations/ephemeris.ts'

/**
 * Truth checks: a device said that it has done something; does what can be seen agree? Each is a pure function of readings
 * and gives a sentence for people, or undefined when all is well.
 */

/** A mount's reading, when it was made. */
export interface Seen {
  readonly state: MountState
  readonly atMs: number
}

export interface TruthLimits {
  /** Between two readings a parked mount may move this much over the ground. */
  readonly parkedDriftDeg: number
  /** From the park position that the site names. */
  readonly parkedMissDeg: number
  /** From a commanded target, before the sky is asked. */
  readonly slewMissDeg: number
  /** Between two solutions of one field that was not left. Periodic error and flexure stay below it, a lost step does not. */
  readonly trackingArcsecPerMinute: number
  /** An exposure this much shorter or longer than asked, as share and in seconds: a camera whose clock was stepped. */
  readonly durationShare: number
  readonly durationSeconds: number
}

export const defaultTruthLimits: TruthLimits = {
  parkedDriftDeg: 0.1,
  parkedMissDeg: 5,
  slewMissDeg: 0.2,
  trackingArcsecPerMinute: 60,
  durationShare: 0.02,
  durationSeconds: 2,
}

/** The park position, where the site has named one. */
export type ParkPosition = Pick<Horizontal, 'altitudeDeg' | 'azimuthDeg'>

/**
 * Parked: says so, stands still over the ground between two readings, does not track, is where the park position is, and
 * the sensor on the pier agrees where there is one. A mount that reports fixed coordinates while parked stands still too.
 */
export function parkedTruth(
  site: Site,
  before: Seen,
  after: Seen,
  more: { readonly park?: ParkPosition | undefined; readonly sensor?: boolean | undefined } = {},
  limits: TruthLimits = defaultTruthLimits,
): string | undefined {
  const { state } = after
  if (!state.connected) return 'the mount does not answer'
  if (!state.parked) return 'the mount does not say that it is parked'
  if (state.tracking || state.slewing)
    return `the mount says parked and ${state.slewing ? 'slewing' : 'tracking'} at once`
  if (more.sensor === false) return 'the park sensor does not see the mount'
  const skyDeg = separationDeg(before.state.raDeg, before.state.decDeg, state.raDeg, state.decDeg)
  const groundDeg = groundSeparationDeg(overGround(site, before), overGround(site, after))
  if (!(Math.min(skyDeg, groundDeg) <= limits.parkedDriftDeg))
    return `the mount says parked and moved ${Math.min(skyDeg, groundDeg).toFixed(1)}°`
  if (!more.park) return undefined
  const missDeg = groundSeparationDeg(overGround(site, after), more.park)
  return missDeg <= limits.parkedMissDeg
    ? undefined
    : `the mount says parked, ${missDeg.toFixed(0)}° from its park position`
}

const overGround = (site: Site, { state, atMs }: Seen): Horizontal => horizontal(site, state.raDeg, state.decDeg, atMs)
const groundSeparationDeg = (a: ParkPosition, b: ParkPosition): number =>
  separationDeg(a.azimuthDeg, a.altitudeDeg, b.azimuthDeg, b.altitudeDeg)

/** Slewed: stands at the target and tracks. */
export function slewTruth(
  mount: MountState,
  target: { readonly raDeg: number; readonly decDeg: number },
  limits: TruthLimits = defaultTruthLimits,
): string | undefined {
  const missDeg = separationDeg(mount.raDeg, mount.decDeg, target.raDeg, target.decDeg)
  if (!(missDeg <= limits.slewMissDeg)) return `the mount says it arrived but stands ${missDeg.toFixed(1)}° away`
  return mount.tracking ? undefined : 'the mount arrived but does not track'
}

/** Tracking: two frames of one field, without a slew between them, show the same sky. Undefined too when one was not solved. */
export function trackingTruth(
  before: FrameRecord,
  after: FrameRecord,
  limits: TruthLimits = defaultTruthLimits,
): string | undefined {
  const [a, b] = [before.quality, after.quality]
  if (before.fieldId !== after.fieldId || a?.raDeg === undefined || b?.raDeg === undefined) return undefined
  const minutes = Math.abs(after.capturedAtMs - before.capturedAtMs) / 60_000
  const arcsec = 3600 * separationDeg(a.raDeg, a.decDeg ?? Number.NaN, b.raDeg, b.decDeg ?? Number.NaN)
  const allowed = limits.trackingArcsecPerMinute * Math.max(1, minutes)
  if (arcsec <= allowed) return undefined
  return `the sky moved ${arcsec.toFixed(0)}″ in ${minutes.toFixed(1)} min between two frames: the mount does not track`
}

/** What came of an exposure. */
export interface ExposureSeen {
  readonly type: FrameType
  readonly exposureSeconds: number
  /** From command to bytes, by a clock that does not jump. */
  readonly tookSeconds: number
  /** Simulators may shorten time: no lower limit then. */
  readonly timeIsTrue: boolean
  readonly width: number
  readonly height: number
  readonly camera: CameraState
  readonly glance: Glance | undefined
  /** Of the frame before, by the same camera. */
  readonly previousFingerprint: string | undefined
}

/** Exposed: as long as asked, as large as promised, not blank and not the frame before once more. */
export function exposureTruth(seen: ExposureSeen, limits: TruthLimits = defaultTruthLimits): string | undefined {
  return durationTruth(seen, limits) ?? sizeTruth(seen) ?? contentTruth(seen)
}

function durationTruth(seen: ExposureSeen, limits: TruthLimits): string | undefined {
  const slackSeconds = limits.durationSeconds + limits.durationShare * seen.exposureSeconds
  if (!seen.timeIsTrue || seen.type === 'bias' || seen.tookSeconds >= seen.exposureSeconds - slackSeconds)
    return undefined
  return `the frame came after ${seen.tookSeconds.toFixed(1)} s of ${seen.exposureSeconds} s: the camera's clock was stepped`
}

function sizeTruth({ width, height, camera }: ExposureSeen): string | undefined {
  const { widthPixels, heightPixels } = camera
  if (widthPixels === 0 || (width === widthPixels && height === heightPixels)) return undefined
  return `the frame has ${width} × ${height} pixels where the camera promised ${widthPixels} × ${heightPixels}`
}

function contentTruth({ glance, previousFingerprint }: ExposureSeen): string | undefined {
  if (!glance) return undefined
  if (Number.isNaN(glance.median ?? 0)) return 'the frame holds no numbers'
  if (glance.uniform)
    return `every pixel ${glance.max === undefined ? 'has one value' : `is ${glance.max}`}: the camera sent no image`
  if (glance.fingerprint === previousFingerprint) return 'the camera sent the frame before once more'
  return undefined
}

export const roofTruth = (roof: RoofState, wanted: 'open' | 'closed'): string | undefined =>
  roof.connected && roof.position === wanted && roof.fault === undefined
    ? undefined
    : `the roof is ${roof.fault ?? (roof.connected ? roof.position : 'not answering')}, not ${wanted}`

export const focuserTruth = (focuser: FocuserState, steps: number): string | undefined =>
  focuser.connected && !focuser.moving && focuser.positionSteps === steps
    ? undefined
    : `the focuser stands at ${focuser.positionSteps ?? 'an unknown place'}, not ${steps}`

export const filterTruth = (camera: Pick<CameraState, 'filter'>, filter: string): string | undefined =>
  camera.filter === filter ? undefined : `the filter in the beam is ${camera.filter ?? 'unknown'}, not ${filter}`
