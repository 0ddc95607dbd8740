import Type, { type Static } from 'typebox'

/** The bodies of the observatory's routes: its devices, who drives, commands, INDI properties and wires. */

const Word = Type.String({ minLength: 1, maxLength: 64 })
const Words = Type.Array(Type.String())

/** One thing that a device says now. */
export const Reading = Type.Object({
  /** Without its unit: `temperature`, `ports Camera`. */
  name: Type.String(),
  value: Type.Union([Type.Number(), Type.Boolean(), Type.String()]),
  unit: Type.Optional(Type.String()),
})
export type Reading = Static<typeof Reading>

/** Where on its recovery ladder a device stands. */
export const RecoveryView = Type.Object({
  state: Type.Union([Type.Literal('climbing'), Type.Literal('givenUp')]),
  rung: Type.Optional(Type.String()),
  attempt: Type.Optional(Type.Integer()),
})
export type RecoveryView = Static<typeof RecoveryView>

export const DeviceView = Type.Object({
  /** `mount`, `roof`, `camera` … as in the settings. */
  kind: Type.String(),
  /** Device and protocol, for people. */
  source: Type.String(),
  connected: Type.Boolean(),
  /** Milliseconds since it last said anything; absent when it never has. */
  ageMs: Type.Optional(Type.Number()),
  problem: Type.Optional(Type.String()),
  can: Words,
  readings: Type.Array(Reading),
  recovery: Type.Optional(RecoveryView),
})
export type DeviceView = Static<typeof DeviceView>

export const RoofView = Type.Object({
  position: Type.Union([
    Type.Literal('open'),
    Type.Literal('closed'),
    Type.Literal('opening'),
    Type.Literal('closing'),
    Type.Literal('unknown'),
  ]),
  /** Where the opening of a dome points, from north through east. */
  azimuthDeg: Type.Optional(Type.Number()),
  fault: Type.Optional(Type.String()),
})
export type RoofView = Static<typeof RoofView>

export const MountView = Type.Object({
  connected: Type.Boolean(),
  parked: Type.Boolean(),
  slewing: Type.Boolean(),
  tracking: Type.Boolean(),
  /** Where it points, when it says so: altitude without refraction, azimuth from north through east. */
  altitudeDeg: Type.Optional(Type.Number()),
  azimuthDeg: Type.Optional(Type.Number()),
  fault: Type.Optional(Type.String()),
})
export type MountView = Static<typeof MountView>

/** Who may command now: `night`, `panic`, or `session:NAME`. It runs out by itself. */
export const LeaseView = Type.Object({ holder: Type.String(), remainingSeconds: Type.Number() })
export type LeaseView = Static<typeof LeaseView>

export const SafetyView = Type.Object({
  state: Type.Union([Type.Literal('safe'), Type.Literal('unsafe'), Type.Literal('recovering')]),
  /** What speaks against being open now, the devices included. */
  reasons: Words,
  /** How long the site must still stay without a hazard. */
  recoveryMinutes: Type.Optional(Type.Number()),
})
export type SafetyView = Static<typeof SafetyView>

/** The separate process that parks and closes when the daemon cannot. */
export const GuardianView = Type.Object({
  connected: Type.Boolean(),
  /** Nothing that it sees speaks against an open roof. */
  mayOpen: Type.Boolean(),
  /** Why it closes, or would. */
  causes: Words,
  /** Milliseconds since it last answered; absent when it never has. */
  ageMs: Type.Optional(Type.Number()),
})
export type GuardianView = Static<typeof GuardianView>

/** A command that a person gave, newest last. */
export const GivenCommand = Type.Object({
  id: Type.Integer(),
  /** `open the roof`. */
  command: Type.String(),
  by: Type.String(),
  atMs: Type.Number(),
  state: Type.Union([Type.Literal('underWay'), Type.Literal('done'), Type.Literal('failed')]),
  reason: Type.Optional(Type.String()),
})
export type GivenCommand = Static<typeof GivenCommand>

export const PanicView = Type.Object({
  /** Who asked; `Nightjar` when it closes by itself what was opened by hand. */
  by: Type.String(),
  /** Why it closes by itself. */
  reason: Type.Optional(Type.String()),
  atMs: Type.Number(),
  /** It takes longer than it may; it goes on. */
  alarm: Type.Optional(Type.String()),
})
export type PanicView = Static<typeof PanicView>

/** The buttons of the panel. */
export const buttons = ['openRoof', 'closeRoof', 'park', 'unpark'] as const
export type ButtonKind = (typeof buttons)[number]

export const ObservatoryState = Type.Object({
  atMs: Type.Number(),
  devices: Type.Array(DeviceView),
  /** Absent where the site has none. */
  roof: Type.Optional(RoofView),
  mount: MountView,
  safety: SafetyView,
  lease: Type.Optional(LeaseView),
  /** Why the gate would deny these now, whoever asks with the lease; what is not named is allowed. */
  denials: Type.Record(Type.String(), Type.String()),
  commands: Type.Array(GivenCommand),
  panic: Type.Optional(PanicView),
  guardian: Type.Optional(GuardianView),
})
export type ObservatoryState = Static<typeof ObservatoryState>

const kind = <K extends string>(name: K) => ({ kind: Type.Literal(name) })
const bare = <K extends string>(name: K) => Type.Object(kind(name))
const on = { on: Type.Boolean() }
const raDeg = Type.Number({ minimum: 0, exclusiveMaximum: 360 })
const decDeg = Type.Number({ minimum: -90, maximum: 90 })
const angleDeg = Type.Number({ minimum: 0, exclusiveMaximum: 360 })
const Direction = Type.Union([Type.Literal('north'), Type.Literal('south'), Type.Literal('east'), Type.Literal('west')])
/** Arcsec per second of time; the gate has the site's own limit. */
const rate = Type.Number({ minimum: -3600, maximum: 3600 })

/** Everything that a person may ask of the hardware; the gate decides. Sky angles are ICRS degrees. */
export const CommandRequest = Type.Union([
  bare('unpark'),
  bare('park'),
  Type.Object({ ...kind('slew'), raDeg, decDeg }),
  Type.Object({ ...kind('sync'), raDeg, decDeg }),
  Type.Object({ ...kind('track'), ...on }),
  Type.Object({
    ...kind('trackRate'),
    rate: Type.Union([Type.Literal('sidereal'), Type.Literal('solar'), Type.Literal('lunar'), Type.Literal('custom')]),
    custom: Type.Optional(Type.Object({ raArcsecPerSecond: rate, decArcsecPerSecond: rate })),
  }),
  bare('home'),
  Type.Object({
    ...kind('guide'),
    direction: Direction,
    milliseconds: Type.Integer({ minimum: 1, maximum: 10_000 }),
  }),
  /** Ends by itself unless it is asked for again within two seconds. */
  Type.Object({
    ...kind('move'),
    direction: Direction,
    speed: Type.Number({ exclusiveMinimum: 0, maximum: 1 }),
  }),
  bare('halt'),
  bare('abort'),
  bare('abortExposure'),
  Type.Object({
    ...kind('cooler'),
    ...on,
    celsius: Type.Optional(Type.Number({ minimum: -120, maximum: 50 })),
  }),
  Type.Object({ ...kind('focus'), steps: Type.Integer({ minimum: 0, maximum: 10_000_000 }) }),
  Type.Object({ ...kind('filter'), name: Word }),
  Type.Object({ ...kind('rotate'), angleDeg }),
  bare('openRoof'),
  bare('closeRoof'),
  bare('abortRoof'),
  Type.Object({ ...kind('turnDome'), azimuthDeg: angleDeg }),
  bare('openCover'),
  bare('closeCover'),
  Type.Object({ ...kind('light'), ...on }),
  Type.Object({ ...kind('power'), port: Word, ...on }),
  Type.Object({ ...kind('dewHeater'), name: Word, percent: Type.Number({ minimum: 0, maximum: 100 }) }),
])
export type CommandRequest = Static<typeof CommandRequest>

/** The gate allowed it. `underWay`: the device has not finished yet; `commands` tells how it ends. */
export const CommandAnswer = Type.Object({ ok: Type.Literal(true), underWay: Type.Boolean() })
export type CommandAnswer = Static<typeof CommandAnswer>

export const DeviceKindParams = Type.Object({
  kind: Type.String({ minLength: 1, maxLength: 32, pattern: '^[A-Za-z]+$' }),
})
export type DeviceKindParams = Static<typeof DeviceKindParams>

const PropertyElement = Type.Object({
  name: Type.String(),
  label: Type.String(),
  /** Text, number (null when the device tells none), On = true, or the state of a light; absent for BLOBs. */
  value: Type.Optional(Type.Union([Type.Number(), Type.Boolean(), Type.String(), Type.Null()])),
  /** A number in the device's own format, such as `3:47:24`. */
  shown: Type.Optional(Type.String()),
  min: Type.Optional(Type.Number()),
  max: Type.Optional(Type.Number()),
  step: Type.Optional(Type.Number()),
})
export type PropertyElement = Static<typeof PropertyElement>

const IndiProperty = Type.Object({
  name: Type.String(),
  label: Type.String(),
  kind: Type.Union([
    Type.Literal('text'),
    Type.Literal('number'),
    Type.Literal('switch'),
    Type.Literal('light'),
    Type.Literal('blob'),
  ]),
  state: Type.String(),
  permission: Type.Union([Type.Literal('ro'), Type.Literal('wo'), Type.Literal('rw')]),
  rule: Type.Optional(Type.String()),
  elements: Type.Array(PropertyElement),
})
export type IndiProperty = Static<typeof IndiProperty>

const IndiDevice = Type.Object({
  name: Type.String(),
  connected: Type.Boolean(),
  /** Why raw changes to it are refused, with the command that is meant instead; absent where they are not. */
  guarded: Type.Optional(Type.String()),
  /** Of the device that was asked for; empty for the others. */
  groups: Type.Array(Type.Object({ name: Type.String(), properties: Type.Array(IndiProperty) })),
  log: Type.Array(Type.Object({ atMs: Type.Number(), text: Type.String() })),
})
export type IndiDevice = Static<typeof IndiDevice>

/** Every INDI device by name; one of them whole. */
export const PropertyTree = Type.Object({ devices: Type.Array(IndiDevice) })
export type PropertyTree = Static<typeof PropertyTree>

export const PropertyQuery = Type.Object({ device: Type.Optional(Type.String({ maxLength: 128 })) })
export type PropertyQuery = Static<typeof PropertyQuery>

/** A raw change to an INDI property that no command of ours stands for. */
export const PropertyChange = Type.Object({
  device: Type.String({ minLength: 1, maxLength: 128 }),
  property: Type.String({ minLength: 1, maxLength: 128 }),
  values: Type.Record(Type.String({ maxLength: 128 }), Type.Unknown()),
})
export type PropertyChange = Static<typeof PropertyChange>

export const WireView = Type.Object({
  name: Type.String(),
  /** Messages so far, those that are no longer kept included. */
  count: Type.Integer(),
})
export type WireView = Static<typeof WireView>
export const WireList = Type.Object({ wires: Type.Array(WireView) })
export type WireList = Static<typeof WireList>

export const WireMessage = Type.Object({
  /** Counts up from 1, also over reconnections. */
  seq: Type.Integer(),
  atMs: Type.Number(),
  /** `in`: from the device. `out`: to the device. `open` and `close` tell of the wire itself. */
  what: Type.Union([Type.Literal('in'), Type.Literal('out'), Type.Literal('open'), Type.Literal('close')]),
  bytes: Type.Integer(),
  text: Type.String(),
  truncated: Type.Boolean(),
})
export type WireMessage = Static<typeof WireMessage>
export const WirePage = Type.Object({ messages: Type.Array(WireMessage), lastSeq: Type.Integer() })
export type WirePage = Static<typeof WirePage>

export const WireParams = Type.Object({ name: Type.String({ minLength: 1, maxLength: 128 }) })
/** `after`: last sequence number seen; without it the latest `limit` messages. */
export const WireQuery = Type.Object({
  after: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 200 }),
})
export type WireQuery = Static<typeof WireQuery>
