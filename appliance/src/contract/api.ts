import Type, { type Static } from 'typebox'
import { AlertRecord, DetectionRecord, EntryRecord, FrameRecord, Label, Role } from './records.ts'

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
  exposure: Type.Optional(
    Type.Object({ frameId: Type.String(), seconds: Type.Number(), remainingSeconds: Type.Number() }),
  ),
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

export const FramePage = Type.Object({ frames: Type.Array(FrameRecord), nextBefore: Type.Optional(Type.Number()) })
export type FramePage = Static<typeof FramePage>
export const DetectionPage = Type.Object({ detections: Type.Array(DetectionRecord), total: Type.Integer() })
export type DetectionPage = Static<typeof DetectionPage>
export const AlertPage = Type.Object({ alerts: Type.Array(AlertRecord) })
export type AlertPage = Static<typeof AlertPage>
export const EntryPage = Type.Object({ entries: Type.Array(EntryRecord) })
export type EntryPage = Static<typeof EntryPage>
export const LabelRequest = Type.Object({ label: Label })
export type LabelRequest = Static<typeof LabelRequest>

/** What the live socket sends. `event.seq` lets a panel resume: it asks for everything after the last one it saw. */
export type LiveMessage =
  | { readonly kind: 'tonight'; readonly tonight: TonightState }
  | { readonly kind: 'event'; readonly event: import('./events.ts').JournalEvent }
  /** The journal up to here has been sent; what follows is live. */
  | { readonly kind: 'caughtUp'; readonly seq: number }
