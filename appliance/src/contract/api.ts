import Type, { type Static } from 'typebox'
import type { JournalEvent } from './events.ts'
import {
  AlertRecord,
  DetectionRecord,
  EntryRecord,
  FrameRecord,
  FrameState,
  FrameType,
  Label,
  Role,
} from './records.ts'

/** The bodies that cross HTTP and the live socket. `server/routes` validates with them, `web` is typed by them. */

/** Every failure: `code` is stable, `message` is for people and names the fix. */
export const ApiError = Type.Object({ code: Type.String(), message: Type.String() })
export type ApiError = Static<typeof ApiError>

export const Credentials = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' }),
  password: Type.String({ minLength: 1, maxLength: 256 }),
})
export type Credentials = Static<typeof Credentials>

export const SetupRequest = Type.Object({
  /** The one-time code that `scripts/start` printed. */
  code: Type.String({ minLength: 1, maxLength: 64 }),
  username: Credentials.properties.username,
  password: Type.String({ minLength: 10, maxLength: 256 }),
})
export type SetupRequest = Static<typeof SetupRequest>

export const SetupState = Type.Object({ needed: Type.Boolean() })
export type SetupState = Static<typeof SetupState>

/** Who is logged in. `csrfToken` goes back in the `x-csrf-token` header of every request that changes something. */
export const SessionState = Type.Object({ username: Type.String(), role: Role, csrfToken: Type.String() })
export type SessionState = Static<typeof SessionState>

export const SocketTicket = Type.Object({ ticket: Type.String() })
export type SocketTicket = Static<typeof SocketTicket>

export const NightPhase = Type.Union([
  Type.Literal('closed'),
  Type.Literal('preparing'),
  Type.Literal('calibrating'),
  Type.Literal('observing'),
  Type.Literal('closing'),
  Type.Literal('fault'),
])
export type NightPhase = Static<typeof NightPhase>

const Device = Type.Object({
  name: Type.String(),
  connected: Type.Boolean(),
  /** Milliseconds since the device last said anything. */
  ageMs: Type.Number(),
  summary: Type.String(),
})

/** What the Tonight page shows; also the 1 Hz message of the live socket. */
export const TonightState = Type.Object({
  atMs: Type.Number(),
  nightId: Type.String(),
  phase: NightPhase,
  /** One short sentence: what is happening now. */
  doing: Type.String(),
  /** The site's time, ms UTC: a simulated observatory keeps its own. */
  site: Type.Object({
    name: Type.String(),
    latitudeDeg: Type.Number(),
    longitudeDeg: Type.Number(),
    simulated: Type.Boolean(),
  }),
  sun: Type.Object({ altitudeDeg: Type.Number() }),
  devices: Type.Object({ mount: Device, camera: Device }),
  pointing: Type.Optional(
    Type.Object({
      raDeg: Type.Number(),
      decDeg: Type.Number(),
      altitudeDeg: Type.Number(),
      azimuthDeg: Type.Number(),
      fieldId: Type.String(),
    }),
  ),
  exposure: Type.Optional(Type.Object({ seconds: Type.Number(), remainingSeconds: Type.Number() })),
  frames: Type.Object({
    expected: Type.Integer(),
    captured: Type.Integer(),
    calibrated: Type.Integer(),
    rejected: Type.Integer(),
  }),
  queue: Type.Object({ waiting: Type.Integer(), running: Type.Integer(), limit: Type.Integer() }),
  detections: Type.Object({ pending: Type.Integer(), validated: Type.Integer() }),
  alerts: Type.Object({ waiting: Type.Integer(), delivered: Type.Integer(), dead: Type.Integer() }),
  diskFreeBytes: Type.Number(),
  lastFrameId: Type.Optional(Type.String()),
  safety: Type.Object({ safe: Type.Boolean(), reasons: Type.Array(Type.String()) }),
})
export type TonightState = Static<typeof TonightState>

/** The newest live stack of the night. */
export const LiveStackState = Type.Object({
  nightId: Type.String(),
  fieldId: Type.String(),
  filter: Type.String(),
  /** The frame that joined last. */
  lastFrameId: Type.String(),
  frames: Type.Integer(),
  /** Of all frames together. */
  exposureSeconds: Type.Number(),
  /** How much fainter than its first frame it shows things. */
  depthGainMag: Type.Number(),
  /** Width of the last frame's stars: the seeing, where the frame was solved. */
  fwhmPixels: Type.Optional(Type.Number()),
  fwhmArcsec: Type.Optional(Type.Number()),
  /** The field's newest frame where that is not in the stack. */
  left: Type.Optional(Type.Object({ frameId: Type.String(), reason: Type.String() })),
})
export type LiveStackState = Static<typeof LiveStackState>

/** Nothing in it while the running night has no stack. */
export const NewestLiveStack = Type.Object({ stack: Type.Optional(LiveStackState) })
export type NewestLiveStack = Static<typeof NewestLiveStack>

export const FramePage = Type.Object({ frames: Type.Array(FrameRecord), nextBefore: Type.Optional(Type.Number()) })
export type FramePage = Static<typeof FramePage>
/** How a FITS file is brought: the body of the request is the file. */
export const UploadQuery = Type.Object({
  /** Of the file, for people. */
  name: Type.String({ minLength: 1, maxLength: 255, pattern: '^[^/\\\\\\x00-\\x1f]+$' }),
  source: Type.Union([Type.Literal('upload'), Type.Literal('archive')], { default: 'upload' }),
  /** Where it was fetched before it was brought here. */
  url: Type.Optional(Type.String({ maxLength: 2048, pattern: '^https?://[^\\s]+$' })),
  /** What it shows, for a file whose header does not say. */
  type: Type.Optional(FrameType),
  /** The field that it shows, for a light frame whose header names no place. */
  field: Type.Optional(Type.String({ maxLength: 32 })),
})
export type UploadQuery = Static<typeof UploadQuery>
/** `known`: the same file was brought before, and this is its frame. */
export const IngestedFrame = Type.Object({ frame: FrameRecord, known: Type.Boolean() })
export type IngestedFrame = Static<typeof IngestedFrame>
export const DetectionPage = Type.Object({ detections: Type.Array(DetectionRecord), total: Type.Integer() })
export type DetectionPage = Static<typeof DetectionPage>
/** Alerts newest first, with the entries that they speak of. */
export const AlertPage = Type.Object({ alerts: Type.Array(AlertRecord), entries: Type.Array(EntryRecord) })
export type AlertPage = Static<typeof AlertPage>
export const EntryPage = Type.Object({ entries: Type.Array(EntryRecord) })
export type EntryPage = Static<typeof EntryPage>
export const LabelRequest = Type.Object({ label: Label })
export type LabelRequest = Static<typeof LabelRequest>

/** The answer of a route that may be asked by anyone: alive, and nothing more. */
export const HealthState = Type.Object({ status: Type.Literal('ok') })
export type HealthState = Static<typeof HealthState>

/** A command was carried out. A refusal is an ApiError with status 409. */
export const Done = Type.Object({ ok: Type.Literal(true) })
export type Done = Static<typeof Done>

/** An administrator makes an account for somebody else. */
export const AccountRequest = Type.Object({
  username: Credentials.properties.username,
  password: SetupRequest.properties.password,
  role: Role,
})
export type AccountRequest = Static<typeof AccountRequest>
export const AccountView = Type.Object({ username: Type.String(), role: Role })
export type AccountView = Static<typeof AccountView>

const Limit = Type.Integer({ minimum: 1, maximum: 200, default: 50 })
const Id = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' })

export const FrameQuery = Type.Object({
  /** Only frames captured before this moment, ms UTC: `nextBefore` of the page before. */
  before: Type.Optional(Type.Number()),
  limit: Limit,
  nightId: Type.Optional(Id),
  fieldId: Type.Optional(Type.String({ maxLength: 64 })),
  type: Type.Optional(FrameType),
  state: Type.Optional(FrameState),
})
export type FrameQuery = Static<typeof FrameQuery>

export const DetectionQuery = Type.Object({
  state: Type.Optional(DetectionRecord.properties.state),
  frameId: Type.Optional(Id),
  limit: Limit,
})
export type DetectionQuery = Static<typeof DetectionQuery>

export const PageQuery = Type.Object({ limit: Limit })
export type PageQuery = Static<typeof PageQuery>

/** Which file of a frame: as captured, or calibrated (the captured one until it is). */
export const FrameSource = Type.Union([Type.Literal('captured'), Type.Literal('calibrated')])
export type FrameSource = Static<typeof FrameSource>

/** How brightness is mapped: `soft` and `hard` are asinh below and above `auto`; `linear` is linear between the same cuts. */
export const Stretch = Type.Union([
  Type.Literal('auto'),
  Type.Literal('soft'),
  Type.Literal('hard'),
  Type.Literal('linear'),
])
export type Stretch = Static<typeof Stretch>

/** Widths that previews are made in; another width is answered with the next larger one. */
export const previewWidths = [320, 800, 1600, 4096] as const

export const PreviewQuery = Type.Object({
  /** Pixels; the picture is never larger than the frame. */
  width: Type.Integer({ minimum: 16, maximum: 4096, default: 800 }),
  stretch: Type.Union(Stretch.anyOf, { default: 'auto' }),
  source: Type.Union(FrameSource.anyOf, { default: 'calibrated' }),
})
export type PreviewQuery = Static<typeof PreviewQuery>

/** The three pictures of one detection, in the order of the review page. */
export const StampName = Type.Union([Type.Literal('science'), Type.Literal('reference'), Type.Literal('difference')])
export type StampName = Static<typeof StampName>

/** `after` = last sequence number seen; without it the last `limit` events. */
export const EventQuery = Type.Object({ after: Type.Optional(Type.Integer({ minimum: 0 })), limit: Limit })
export type EventQuery = Static<typeof EventQuery>
export const EventPage = Type.Object({
  events: Type.Array(Type.Unsafe<JournalEvent>(Type.Object({}, { additionalProperties: true }))),
  lastSeq: Type.Integer(),
})
export type EventPage = Static<typeof EventPage>

/** `ticket` from POST /api/socket-ticket; `after` = last sequence number seen, absent for a panel that has just opened. */
export const SocketQuery = Type.Object({
  ticket: Type.String({ minLength: 1, maxLength: 128 }),
  after: Type.Optional(Type.Integer({ minimum: 0 })),
})
export type SocketQuery = Static<typeof SocketQuery>

/** What the live socket sends. `event.seq` lets a panel resume: it asks for everything after the last one it saw. */
export type LiveMessage =
  | { readonly kind: 'tonight'; readonly tonight: TonightState }
  | { readonly kind: 'event'; readonly event: JournalEvent }
  /** The journal up to here has been sent; what follows is live. */
  | { readonly kind: 'caughtUp'; readonly seq: number }
