import Type, { type Static } from 'typebox'

/** The things Nightjar keeps and shows. Sky angles are ICRS degrees, times Unix ms UTC, pixels 0-based. */

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Id = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' })

export const FrameType = Type.Union([
  Type.Literal('light'),
  Type.Literal('dark'),
  Type.Literal('bias'),
  Type.Literal('flat'),
])
export type FrameType = Static<typeof FrameType>

export const FrameState = Type.Union([
  Type.Literal('captured'),
  Type.Literal('calibrated'),
  Type.Literal('differenced'),
  Type.Literal('scored'),
  Type.Literal('rejected'),
  Type.Literal('failed'),
])
export type FrameState = Static<typeof FrameState>

/** What measuring a calibrated frame told us; `undefined` until it was calibrated. */
export const FrameQuality = Type.Object({
  stars: Type.Integer(),
  fwhmPixels: Type.Number(),
  ellipticity: Type.Number(),
  skyAdu: Type.Number(),
  skyRmsAdu: Type.Number(),
  solved: Type.Boolean(),
  raDeg: Type.Optional(Type.Number()),
  decDeg: Type.Optional(Type.Number()),
  solveRmsPixels: Type.Optional(Type.Number()),
  zeroPointMag: Type.Optional(Type.Number()),
  /** Of single catalogue stars about the zero point. */
  zeroPointScatterMag: Type.Optional(Type.Number()),
  zeroPointErrorMag: Type.Optional(Type.Number()),
  zeroPointStars: Type.Optional(Type.Integer()),
  /** Magnitudes per magnitude of B − V, where the catalogue has colours enough. */
  colourTerm: Type.Optional(Type.Number()),
  colourTermError: Type.Optional(Type.Number()),
  limitingMag: Type.Optional(Type.Number()),
  /** Particles that struck the sensor; 3 to 50 for a large CCD. */
  cosmicRaysPerSecond: Type.Optional(Type.Number()),
  grade: Type.Union([Type.Literal('good'), Type.Literal('poor'), Type.Literal('rejected')]),
  reasons: Type.Array(Type.String()),
})
export type FrameQuality = Static<typeof FrameQuality>

/** How a frame was corrected with a kind of master: `exact` is the best rung, `none` means not at all. */
export const MasterUse = Type.Object({
  type: Type.Union([Type.Literal('bias'), Type.Literal('dark'), Type.Literal('flat')]),
  rung: Type.Union([Type.Literal('exact'), Type.Literal('scaled'), Type.Literal('old'), Type.Literal('none')]),
  masterId: Type.Optional(Type.String()),
  /** Why it is not exact. */
  note: Type.Optional(Type.String()),
})
export type MasterUse = Static<typeof MasterUse>

/** Where a frame came from that the camera here did not take. */
export const FrameProvenance = Type.Object({
  source: Type.Union([Type.Literal('folder'), Type.Literal('upload'), Type.Literal('archive')]),
  /** The file's name there. */
  name: Type.String({ minLength: 1, maxLength: 255 }),
  /** Where it was fetched. */
  url: Type.Optional(Type.String({ maxLength: 2048 })),
  /** Of the file as it came; the stored one has more in its header. */
  sha256: Sha256,
  bytes: Type.Integer(),
})
export type FrameProvenance = Static<typeof FrameProvenance>

export const FrameRecord = Type.Object({
  frameId: Id,
  nightId: Id,
  fieldId: Type.String(),
  type: FrameType,
  state: FrameState,
  capturedAtMs: Type.Number(),
  exposureSeconds: Type.Number(),
  filter: Type.String(),
  width: Type.Integer(),
  height: Type.Integer(),
  /** Relative to the data folder. */
  path: Type.String(),
  bytes: Type.Integer(),
  sha256: Sha256,
  /** Absent for frames that the camera here took. */
  provenance: Type.Optional(FrameProvenance),
  calibratedPath: Type.Optional(Type.String()),
  quality: Type.Optional(FrameQuality),
  reason: Type.Optional(Type.String()),
})
export type FrameRecord = Static<typeof FrameRecord>

export const DetectionClass = Type.Union([
  Type.Literal('transient'),
  Type.Literal('artefact'),
  Type.Literal('cosmicRay'),
  Type.Literal('streak'),
  Type.Literal('variable'),
])
export type DetectionClass = Static<typeof DetectionClass>

export const Label = Type.Union([Type.Literal('real'), Type.Literal('bogus'), Type.Literal('unsure')])
export type Label = Static<typeof Label>

export const DetectionRecord = Type.Object({
  detectionId: Id,
  frameId: Id,
  x: Type.Number(),
  y: Type.Number(),
  raDeg: Type.Number(),
  decDeg: Type.Number(),
  scorr: Type.Number(),
  fluxAdu: Type.Number(),
  fluxErrorAdu: Type.Number(),
  mag: Type.Optional(Type.Number()),
  magError: Type.Optional(Type.Number()),
  probability: Type.Number({ minimum: 0, maximum: 1 }),
  class: DetectionClass,
  /** Name and version of what judged it: `rule-1` until a network does. */
  model: Type.String(),
  features: Type.Record(Type.String(), Type.Number()),
  flags: Type.Array(Type.String()),
  state: Type.Union([Type.Literal('pending'), Type.Literal('validated'), Type.Literal('dismissed')]),
  label: Type.Optional(Label),
  labelledBy: Type.Optional(Type.String()),
  /** Folder of `science.png`, `reference.png`, `difference.png` and `stamps.fits`, relative to the data folder. */
  stampsPath: Type.String(),
  detectedAtMs: Type.Number(),
})
export type DetectionRecord = Static<typeof DetectionRecord>

/** One object on the sky, grown from detections within the match radius. */
export const EntryRecord = Type.Object({
  entryId: Id,
  /** `NJ J123456.78+123456.7` */
  name: Type.String(),
  raDeg: Type.Number(),
  decDeg: Type.Number(),
  firstSeenMs: Type.Number(),
  lastSeenMs: Type.Number(),
  detections: Type.Integer(),
  peakMag: Type.Optional(Type.Number()),
  probability: Type.Number(),
})
export type EntryRecord = Static<typeof EntryRecord>

/** An alert on its way to one destination. */
export const AlertRecord = Type.Object({
  eventId: Sha256,
  rev: Type.Integer({ minimum: 1 }),
  entryId: Id,
  detectionId: Id,
  destination: Type.String(),
  state: Type.Union([Type.Literal('waiting'), Type.Literal('delivered'), Type.Literal('dead')]),
  attempts: Type.Integer(),
  queuedAtMs: Type.Number(),
  nextAttemptAtMs: Type.Number(),
  deliveredAtMs: Type.Optional(Type.Number()),
  /** The receiver's own number for it. */
  receipt: Type.Optional(Type.String()),
  lastError: Type.Optional(Type.String()),
})
export type AlertRecord = Static<typeof AlertRecord>

export const Role = Type.Union([
  Type.Literal('viewer'),
  Type.Literal('operator'),
  Type.Literal('curator'),
  Type.Literal('admin'),
])
export type Role = Static<typeof Role>
