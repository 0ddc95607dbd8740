import Type, { type Static } from 'typebox'
import { DetectionClass, FrameProvenance, FrameQuality, FrameType, Label, MasterUse, Role } from './records.ts'

/**
 * Every fact, in the past tense. Appended to the journal in the same transaction as the state that it announces, and sent
 * to every panel. One frame's journey: frame.captured → frame.calibrated → candidates.found → detections.scored →
 * detection.validated → entry.catalogued → alert.forwarded.
 */
export const eventBodies = {
  'daemon.started': Type.Object({ version: Type.String(), resumedJobs: Type.Integer() }),
  'daemon.stopped': Type.Object({ reason: Type.String() }),
  'device.connected': Type.Object({ device: Type.String(), kind: Type.String() }),
  'device.disconnected': Type.Object({ device: Type.String(), kind: Type.String(), reason: Type.String() }),
  /** One rung of the recovery ladder was tried; `result` is `well` or why not. */
  'recovery.stepped': Type.Object({
    device: Type.String(),
    kind: Type.String(),
    rung: Type.String(),
    attempt: Type.Integer(),
    reason: Type.String(),
    result: Type.String(),
  }),
  'device.recovered': Type.Object({
    device: Type.String(),
    kind: Type.String(),
    rung: Type.String(),
    seconds: Type.Number(),
  }),
  'device.givenUp': Type.Object({ device: Type.String(), kind: Type.String(), reason: Type.String() }),
  /** A device said that it had done something, and what can be seen says otherwise. */
  'truth.failed': Type.Object({ device: Type.String(), check: Type.String(), reason: Type.String() }),
  'safety.changed': Type.Object({ safe: Type.Boolean(), reasons: Type.Array(Type.String()) }),
  'roof.changed': Type.Object({ from: Type.String(), to: Type.String() }),
  'lease.changed': Type.Object({ holder: Type.String(), by: Type.String() }),
  'command.denied': Type.Object({ command: Type.String(), reason: Type.String() }),
  /** A person gave a command, and the gate let it pass. */
  'command.given': Type.Object({ command: Type.String(), by: Type.String() }),
  /** Somebody wants everything parked and closed at once; with a reason: Nightjar, of what was opened by hand. */
  'panic.pressed': Type.Object({ by: Type.String(), reason: Type.Optional(Type.String()) }),
  'panic.ended': Type.Object({ closed: Type.Boolean(), by: Type.String() }),
  /** A person set an INDI property that no command of ours stands for. */
  'property.set': Type.Object({ device: Type.String(), property: Type.String(), by: Type.String() }),
  'night.changed': Type.Object({
    nightId: Type.String(),
    from: Type.String(),
    to: Type.String(),
    reason: Type.String(),
  }),
  'exposure.started': Type.Object({
    frameId: Type.String(),
    type: FrameType,
    exposureSeconds: Type.Number(),
    fieldId: Type.String(),
  }),
  'exposure.failed': Type.Object({ frameId: Type.String(), reason: Type.String(), willRetry: Type.Boolean() }),
  'frame.captured': Type.Object({
    frameId: Type.String(),
    type: FrameType,
    fieldId: Type.String(),
    path: Type.String(),
    sha256: Type.String(),
    bytes: Type.Integer(),
    exposureSeconds: Type.Number(),
    /** Of a frame that the camera here did not take. */
    provenance: Type.Optional(FrameProvenance),
  }),
  /** A file from a folder, an upload or an archive was not taken; it stays where it was. */
  'frame.refused': Type.Object({
    source: FrameProvenance.properties.source,
    name: Type.String(),
    reason: Type.String(),
  }),
  'master.built': Type.Object({
    masterId: Type.String(),
    type: FrameType,
    frames: Type.Integer(),
    path: Type.String(),
    sha256: Type.String(),
    readNoiseElectrons: Type.Optional(Type.Number()),
    gainElectronsPerAdu: Type.Optional(Type.Number()),
  }),
  'frame.calibrated': Type.Object({
    frameId: Type.String(),
    path: Type.String(),
    sha256: Type.String(),
    quality: FrameQuality,
    masters: Type.Optional(Type.Array(MasterUse)),
  }),
  'frame.rejected': Type.Object({ frameId: Type.String(), reasons: Type.Array(Type.String()) }),
  'reference.built': Type.Object({
    referenceId: Type.String(),
    fieldId: Type.String(),
    frames: Type.Integer(),
    path: Type.String(),
    sha256: Type.String(),
    /** 1 for the first of a field and filter. */
    version: Type.Optional(Type.Integer()),
    /** The version that it takes the place of, and why. */
    replaces: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    /** The archive that it was fetched from; absent when it is made of frames from here. */
    service: Type.Optional(Type.String()),
  }),
  /** A good frame joined the live stack of its night, field and filter, or could not; the frame itself is as good as before. */
  'liveStack.grown': Type.Object({
    frameId: Type.String(),
    fieldId: Type.String(),
    frames: Type.Integer(),
    depthGainMag: Type.Number(),
  }),
  'liveStack.failed': Type.Object({ frameId: Type.String(), reason: Type.String() }),
  'candidates.found': Type.Object({
    frameId: Type.String(),
    referenceId: Type.String(),
    candidates: Type.Integer(),
    engine: Type.String(),
    /** How good the subtraction was: measured values as colours for a panel. */
    gates: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String(),
          value: Type.Number(),
          expected: Type.Number(),
          sigma: Type.Number(),
          colour: Type.Union([
            Type.Literal('green'),
            Type.Literal('yellow'),
            Type.Literal('orange'),
            Type.Literal('red'),
          ]),
        }),
      ),
    ),
  }),
  'detections.scored': Type.Object({
    frameId: Type.String(),
    model: Type.String(),
    scored: Type.Integer(),
    kept: Type.Integer(),
    best: Type.Optional(Type.Object({ detectionId: Type.String(), class: DetectionClass, probability: Type.Number() })),
  }),
  'label.given': Type.Object({ detectionId: Type.String(), label: Label, by: Type.String() }),
  'detection.validated': Type.Object({ detectionId: Type.String(), frameId: Type.String(), by: Type.String() }),
  'detection.dismissed': Type.Object({ detectionId: Type.String(), frameId: Type.String(), by: Type.String() }),
  'entry.catalogued': Type.Object({
    entryId: Type.String(),
    detectionId: Type.String(),
    name: Type.String(),
    isNew: Type.Boolean(),
  }),
  'alert.forwarded': Type.Object({
    eventId: Type.String(),
    rev: Type.Integer(),
    entryId: Type.String(),
    destination: Type.String(),
    receipt: Type.String(),
  }),
  'alert.refused': Type.Object({
    eventId: Type.String(),
    rev: Type.Integer(),
    destination: Type.String(),
    reason: Type.String(),
  }),
  'stage.failed': Type.Object({
    stage: Type.String(),
    subject: Type.String(),
    attempt: Type.Integer(),
    reason: Type.String(),
    givenUp: Type.Boolean(),
  }),
  'storage.low': Type.Object({ freeBytes: Type.Number(), neededBytes: Type.Number() }),
  'user.created': Type.Object({ username: Type.String(), role: Role, by: Type.String() }),
  'user.loggedIn': Type.Object({ username: Type.String(), address: Type.String() }),
  'user.loggedOut': Type.Object({ username: Type.String() }),
  'login.refused': Type.Object({ username: Type.String(), address: Type.String(), reason: Type.String() }),
} as const

export type EventType = keyof typeof eventBodies
export type EventBody<T extends EventType> = Static<(typeof eventBodies)[T]>

/** One line of the journal. `hash` = sha256 over the previous line's hash and this line's canonical JSON. */
export type JournalEvent = {
  [T in EventType]: {
    readonly seq: number
    readonly atMs: number
    readonly type: T
    readonly body: EventBody<T>
    readonly previousHash: string
    readonly hash: string
  }
}[EventType]

/** The order of one frame's journey. */
export const journey = [
  'frame.captured',
  'frame.calibrated',
  'candidates.found',
  'detections.scored',
  'detection.validated',
  'entry.catalogued',
  'alert.forwarded',
] as const satisfies readonly EventType[]
