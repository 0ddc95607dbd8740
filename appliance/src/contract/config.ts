import Type, { type Static } from 'typebox'
import { DevicesSettings } from './deviceSettings.ts'
import { defaultGateSettings, GateSettings } from './gateSettings.ts'

/**
 * Everything that can be set, and what it is when it is not. One definition types the code, checks the file and draws the
 * Settings page; a `description` is the sentence shown beside the field.
 */

const only = { additionalProperties: false } as const
const Host = Type.String({ minLength: 1, maxLength: 253, description: 'Name or address of a machine' })
const Port = Type.Integer({ minimum: 0, maximum: 65535, description: 'TCP port; 0 lets the system choose' })
const Name = Type.String({ minLength: 1, maxLength: 64, description: 'Shown to people' })

export const SiteSettings = Type.Object(
  {
    name: Name,
    latitudeDeg: Type.Number({ minimum: -90, maximum: 90, description: 'North positive, WGS 84' }),
    longitudeDeg: Type.Number({ minimum: -180, maximum: 180, description: 'East positive, WGS 84' }),
    elevationMetres: Type.Number({ minimum: -430, maximum: 9000, description: 'Above sea level' }),
  },
  only,
)
export type SiteSettings = Static<typeof SiteSettings>

export const FieldSettings = Type.Object(
  {
    fieldId: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$', description: 'Letters, digits, dots, dashes' }),
    raDeg: Type.Number({ minimum: 0, exclusiveMaximum: 360, description: 'ICRS' }),
    decDeg: Type.Number({ minimum: -90, maximum: 90, description: 'ICRS' }),
    exposureSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 3600 }),
    filter: Type.String({ minLength: 1, maxLength: 16 }),
  },
  only,
)
export type FieldSettings = Static<typeof FieldSettings>

/** NOAO's form of a part of a frame: columns and rows from 1, both ends included. */
const sectionPattern = '^\\[[0-9]+:[0-9]+,[0-9]+:[0-9]+\\]$'

/** What the makers or our own flats say of the camera; used until measured. */
export const CameraSettings = Type.Object(
  {
    gainElectronsPerAdu: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
    readNoiseElectrons: Type.Number({ minimum: 0, maximum: 1000 }),
    saturationAdu: Type.Number({ exclusiveMinimum: 0, maximum: 4294967295 }),
    pixelMicrometres: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
    focalLengthMillimetres: Type.Number({ exclusiveMinimum: 0, maximum: 100000 }),
    blindSolving: Type.Optional(
      Type.Boolean({
        description:
          'Whether astrometry.net or ASTAP, where installed, are asked where a frame points that is not at its field',
      }),
    ),
    bloom: Type.Optional(
      Type.Union([Type.Literal('columns'), Type.Literal('rows'), Type.Literal('both'), Type.Literal('none')], {
        description: 'Which way charge bleeds from full pixels; columns when absent, none for CMOS',
      }),
    ),
    nonLinearity: Type.Optional(
      Type.Array(Type.Number(), {
        maxItems: 6,
        description:
          'c1, c2 … of true = s (1 + c1 s + c2 s² …), s in ADU above the bias; nightjar linearity measures them',
      }),
    ),
    overscan: Type.Optional(
      Type.Object(
        {
          biasSection: Type.String({ pattern: sectionPattern, description: 'Overscan, as BIASSEC: [x1:x2,y1:y2]' }),
          trimSection: Type.String({ pattern: sectionPattern, description: 'Image, as TRIMSEC: [x1:x2,y1:y2]' }),
        },
        { ...only, description: "For cameras whose frames have an overscan; the frame's own cards when absent" },
      ),
    ),
  },
  only,
)
export type CameraSettings = Static<typeof CameraSettings>

export const CurationSettings = Type.Object(
  {
    autoValidateProbability: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Transients at least this probable are validated without a person; 1 leaves nearly all to people',
    }),
  },
  only,
)
export type CurationSettings = Static<typeof CurationSettings>

export const CatalogSettings = Type.Object(
  {
    matchRadiusArcsec: Type.Number({
      exclusiveMinimum: 0,
      maximum: 60,
      description: 'Detections closer than this are of the same object',
    }),
  },
  only,
)
export type CatalogSettings = Static<typeof CatalogSettings>

export const DestinationSettings = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$', description: 'Letters, digits, dots, dashes' }),
    url: Type.String({ pattern: '^https://[^\\s]+$', maxLength: 512, description: 'Starts with https://' }),
    tokenFile: Type.String({ minLength: 1, description: 'File that holds the bearer token' }),
    caFile: Type.Optional(
      Type.String({
        minLength: 1,
        description: "PEM file of the only authority trusted here; the system's when absent",
      }),
    ),
  },
  only,
)
export type DestinationSettings = Static<typeof DestinationSettings>

export const ForwardingSettings = Type.Object({ destinations: Type.Array(DestinationSettings, { maxItems: 16 }) }, only)
export type ForwardingSettings = Static<typeof ForwardingSettings>

/** How many frames make a master; 0 leaves that kind out. */
export const CalibrationSettings = Type.Object(
  {
    biasFrames: Type.Integer({ minimum: 0, maximum: 200 }),
    darkFrames: Type.Integer({ minimum: 0, maximum: 200, description: 'For each exposure time' }),
    flatFrames: Type.Integer({ minimum: 0, maximum: 200, description: 'For each filter' }),
    flatSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 60 }),
    masterDays: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 3650,
        description: 'Older masters are used only where there is none younger, with a warning; 30 when absent',
      }),
    ),
    masterTemperatureC: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 50,
        description: 'Darks whose sensor was farther than this from the frame’s are not used; 2 when absent',
      }),
    ),
  },
  only,
)
export type CalibrationSettings = Static<typeof CalibrationSettings>

/** An archive of the sky that may be asked for references. */
export const ArchiveSettings = Type.Object(
  {
    service: Type.Union(
      [
        Type.Literal('hips2fits'),
        Type.Literal('skyview'),
        Type.Literal('panstarrs'),
        Type.Literal('mast'),
        Type.Literal('sia1'),
        Type.Literal('sia2'),
      ],
      {
        description:
          'CDS, NASA, Pan-STARRS or MAST; sia1 and sia2 are any service of the Virtual Observatory by its url',
      },
    ),
    url: Type.Optional(
      Type.String({ pattern: '^https?://[^\\s]+$', maxLength: 512, description: 'Its address, or that of a mirror' }),
    ),
  },
  only,
)
export type ArchiveSettings = Static<typeof ArchiveSettings>

export const ReferenceSettings = Type.Object(
  {
    archives: Type.Optional(
      Type.Array(ArchiveSettings, {
        maxItems: 8,
        description:
          'Asked in this order for a picture of each field that has no reference yet, which tells them where you look; none when absent',
      }),
    ),
    frames: Type.Integer({
      minimum: 1,
      maximum: 100,
      description: 'How many good frames of a field make its reference; nothing is searched for before',
    }),
  },
  only,
)
export type ReferenceSettings = Static<typeof ReferenceSettings>

export const IngestSettings = Type.Object(
  {
    folder: Type.String({
      minLength: 1,
      maxLength: 4096,
      pattern: '^/',
      description: 'Absolute path; FITS files that appear here are taken as frames and stay where they are',
    }),
    everySeconds: Type.Number({
      minimum: 1,
      maximum: 3600,
      description: 'Between looks; a file is taken when it did not change from one look to the next',
    }),
  },
  only,
)
export type IngestSettings = Static<typeof IngestSettings>

export const Settings = Type.Object(
  {
    site: SiteSettings,
    server: Type.Object({ host: Host, port: Port }, only),
    devices: DevicesSettings,
    gate: GateSettings,
    fields: Type.Array(FieldSettings, { maxItems: 1000 }),
    camera: CameraSettings,
    calibration: CalibrationSettings,
    references: ReferenceSettings,
    curation: CurationSettings,
    catalog: CatalogSettings,
    forwarding: ForwardingSettings,
    ingest: Type.Optional(IngestSettings),
  },
  only,
)
export type Settings = Static<typeof Settings>

/** What holds until somebody sets it: a simulated observatory that only this machine can reach. */
export const defaultSettings: Settings = {
  site: { name: 'Simulated observatory', latitudeDeg: 28.76, longitudeDeg: -17.88, elevationMetres: 2396 },
  server: { host: '127.0.0.1', port: 8448 },
  devices: { mount: { kind: 'simulated' }, camera: { kind: 'simulated' } },
  gate: defaultGateSettings,
  fields: [],
  camera: {
    gainElectronsPerAdu: 1,
    readNoiseElectrons: 5,
    saturationAdu: 65535,
    pixelMicrometres: 3.76,
    focalLengthMillimetres: 500,
  },
  calibration: { biasFrames: 9, darkFrames: 9, flatFrames: 9, flatSeconds: 2 },
  references: { frames: 8 },
  curation: { autoValidateProbability: 0.9 },
  catalog: { matchRadiusArcsec: 2 },
  forwarding: { destinations: [] },
}
