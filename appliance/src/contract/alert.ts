import Type, { type Static } from 'typebox'

/** What leaves the site for the central catalogue: one versioned envelope, the same over every transport. */
export const AlertEnvelope = Type.Object({
  schema: Type.Literal('nightjar.alert.1'),
  /** sha256 of site, frame sha256, pipeline version, model and object number: processing again gives the same id. */
  eventId: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** Rises when curation changes what was said; the receiver keeps the highest. */
  rev: Type.Integer({ minimum: 1 }),
  site: Type.String({ minLength: 1, maxLength: 64 }),
  name: Type.String(),
  observedAtMs: Type.Number(),
  raDeg: Type.Number({ minimum: 0, exclusiveMaximum: 360 }),
  decDeg: Type.Number({ minimum: -90, maximum: 90 }),
  positionErrorArcsec: Type.Number({ minimum: 0 }),
  mag: Type.Optional(Type.Number()),
  magError: Type.Optional(Type.Number()),
  filter: Type.String(),
  scorr: Type.Number(),
  fluxAdu: Type.Number(),
  probability: Type.Number({ minimum: 0, maximum: 1 }),
  class: Type.String(),
  model: Type.String(),
  validatedBy: Type.String(),
  frameSha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
})
export type AlertEnvelope = Static<typeof AlertEnvelope>

/** Sent back after the receiver's own commit; until it arrives the alert is not delivered. */
export const AlertReceipt = Type.Object({
  eventId: Type.String(),
  rev: Type.Integer(),
  receipt: Type.String(),
  receivedAtMs: Type.Number(),
  /** `stored`, or `known` when this revision or a later one was there already. */
  outcome: Type.Union([Type.Literal('stored'), Type.Literal('known')]),
})
export type AlertReceipt = Static<typeof AlertReceipt>

/** Most alerts in one request. */
export const alertBatchLimit = 100

/** The body of `POST /v1/alerts`. */
export const AlertBatch = Type.Object({
  alerts: Type.Array(AlertEnvelope, { minItems: 1, maxItems: alertBatchLimit }),
})
export type AlertBatch = Static<typeof AlertBatch>

/** The answer: a receipt for each alert of the batch. */
export const AlertReply = Type.Object({ receipts: Type.Array(AlertReceipt) })
export type AlertReply = Static<typeof AlertReply>

/** One object of the central catalogue, grown from the alerts of all sites. */
export const CentralObject = Type.Object({
  objectId: Type.String(),
  raDeg: Type.Number(),
  decDeg: Type.Number(),
  firstObservedAtMs: Type.Number(),
  lastObservedAtMs: Type.Number(),
  alerts: Type.Integer(),
  eventIds: Type.Array(Type.String()),
})
export type CentralObject = Static<typeof CentralObject>

export const CentralObjects = Type.Object({ objects: Type.Array(CentralObject) })
export type CentralObjects = Static<typeof CentralObjects>
