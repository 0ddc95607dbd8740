import Type, { type Static } from 'typebox'

/**
 * The site's limits and policies for the gate in front of the hardware. The defaults are those of a real observatory: what
 * a site does not have it must say, one input at a time; nothing is absent by default but what few sites have.
 */

const only = { additionalProperties: false } as const
const seconds = (description: string) => Type.Number({ exclusiveMinimum: 0, maximum: 86_400, description })

/** `required`: never heard is unsafe. `optional`: unsafe only once it was heard and fell silent. `absent`: the site has none. */
export const Presence = Type.Union([Type.Literal('required'), Type.Literal('optional'), Type.Literal('absent')], {
  description:
    'required: without it the site is unsafe. optional: unsafe once it was heard and then fell silent. absent: this site has none',
})
export type Presence = Static<typeof Presence>

/** A thing whose absence is a statement about the site: there is no `optional` roof. */
const RequiredOrAbsent = Type.Union([Type.Literal('required'), Type.Literal('absent')], {
  description: 'absent says that this site has none',
})

export const GateInputs = Type.Object(
  {
    roof: RequiredOrAbsent,
    weather: Presence,
    rain: Type.Array(Type.String({ minLength: 1, maxLength: 32 }), {
      maxItems: 8,
      description: 'Names of the rain sensors. Each is required, and one wet sensor is rain; empty: this site has none',
    }),
    safety: Presence,
    mountParkedSensor: Type.Union([Type.Literal('required'), Type.Literal('absent')], {
      description: 'A sensor of its own, wired to the safety controller, that sees the telescope in its park position',
    }),
    ups: Presence,
    clock: Presence,
    gps: Presence,
    guardian: RequiredOrAbsent,
    cover: Presence,
    guider: Presence,
  },
  only,
)
export type GateInputs = Static<typeof GateInputs>

/** How old a reading may be before it says nothing. */
export const GateAges = Type.Object(
  {
    mount: seconds('Two signs of life of the INDI client (5 s each, three may be missed) and some'),
    roof: seconds('As the mount'),
    camera: seconds('As the mount'),
    weather: seconds('Stations tell once a minute; POCS calls a record older than 180 s unsafe'),
    rain: seconds('A rain input is polled every second or two'),
    safety: seconds('The safety controller tells its state every second; a monitor over a network every few'),
    ups: seconds('NUT polls its driver every 2 s and calls it stale after 15 s'),
    clock: seconds('chrony polls a good source up to every 1024 s, its tracking can be read at any time'),
    gps: seconds('A receiver tells its fix every second'),
    guardian: seconds('It answers twice a second, and is started anew within some seconds when it died'),
    disk: seconds('Read with every decision'),
    cover: seconds('As the mount'),
    guider: seconds('As the mount'),
  },
  only,
)
export type GateAges = Static<typeof GateAges>

export const HorizonPoint = Type.Object(
  {
    azimuthDeg: Type.Number({ minimum: 0, maximum: 360, description: 'North through east' }),
    altitudeDeg: Type.Number({ minimum: -10, maximum: 90, description: 'Lowest altitude that is free there' }),
  },
  only,
)
export type HorizonPoint = Static<typeof HorizonPoint>

export const GatePointing = Type.Object(
  {
    minAltitudeDeg: Type.Number({
      minimum: -10,
      maximum: 90,
      description: 'The telescope never points lower than this',
    }),
    maxAltitudeDeg: Type.Number({
      minimum: 0,
      maximum: 90,
      description: 'Keep-out around the zenith: for alt-azimuth mounts and long tubes; 90 is none',
    }),
    horizon: Type.Array(HorizonPoint, {
      maxItems: 3600,
      description: 'What trees and walls hide, by azimuth, straight lines between; empty: a free horizon',
    }),
    mount: Type.Union([Type.Literal('german'), Type.Literal('fork'), Type.Literal('altAz')], {
      description: 'german has a pier to hit; fork and altAz have not',
    }),
    counterweightUpDeg: Type.Number({
      minimum: 0,
      maximum: 90,
      description: 'How far past the meridian a German mount may go before it flips; Ekos flips 5° past it',
    }),
    maxHourAngleDeg: Type.Number({ minimum: 1, maximum: 180, description: 'From the meridian, each way; 180 is none' }),
    maxSyncDeg: Type.Number({
      minimum: 0,
      maximum: 180,
      description: 'A sync that moves the pointing by more is a wrong solution or a wrong clock',
    }),
    minMoonSeparationDeg: Type.Number({
      minimum: 0,
      maximum: 180,
      description: 'No slew nearer to the Moon; 0 is none',
    }),
    maxTrackRateArcsecPerSecond: Type.Number({
      minimum: 0,
      maximum: 15_000,
      description: 'Custom track rate on each axis; near-Earth asteroids move up to some 10 arcsec/s',
    }),
    maxGuidePulseMs: Type.Number({ minimum: 1, maximum: 60_000, description: 'PHD2 gives at most 2500 ms by default' }),
  },
  only,
)
export type GatePointing = Static<typeof GatePointing>

export const GateSun = Type.Object(
  {
    coneDeg: Type.Number({
      minimum: 5,
      maximum: 90,
      description: 'Keep-out around the Sun, unless the cover is closed',
    }),
    maxAltitudeDeg: Type.Number({
      minimum: -18,
      maximum: 90,
      description: 'The roof opens and the mount moves only while the Sun is lower; 90 for a site that works by day',
    }),
  },
  only,
)
export type GateSun = Static<typeof GateSun>

/** Readings that a weather station may be required to give. */
export const WeatherNeed = Type.Union([
  Type.Literal('windMetresPerSecond'),
  Type.Literal('gustMetresPerSecond'),
  Type.Literal('humidityPercent'),
  Type.Literal('cloudPercent'),
  Type.Literal('rainMillimetresPerHour'),
  Type.Literal('temperatureC'),
])
export type WeatherNeed = Static<typeof WeatherNeed>

export const GateWeather = Type.Object(
  {
    needs: Type.Array(WeatherNeed, { maxItems: 6, description: 'Without these the station says nothing' }),
    maxWindMetresPerSecond: Type.Number({ minimum: 0, maximum: 60 }),
    maxGustMetresPerSecond: Type.Number({ minimum: 0, maximum: 80 }),
    maxHumidityPercent: Type.Number({ minimum: 0, maximum: 100 }),
    maxCloudPercent: Type.Number({ minimum: 0, maximum: 100, description: '100 leaves clouds to the scheduler' }),
    minTemperatureC: Type.Number({ minimum: -90, maximum: 50 }),
  },
  only,
)
export type GateWeather = Static<typeof GateWeather>

/** What happens in rain when the mount cannot be brought to its park position. */
export const RainPolicy = Type.Union(
  [
    Type.Object({ kind: Type.Literal('never') }, only),
    Type.Object(
      {
        kind: Type.Literal('closeAnyway'),
        afterSeconds: Type.Number({ minimum: 0, maximum: 3600, description: 'Of trying to park, in rain' }),
      },
      only,
    ),
  ],
  {
    description:
      'never: the roof waits for the mount, with an alarm, because a roof that meets a telescope breaks both and stays open. closeAnyway: for roofs that clear a telescope in any position',
  },
)
export type RainPolicy = Static<typeof RainPolicy>

export const GateRoof = Type.Object(
  {
    whenRainAndNotParked: RainPolicy,
    clearsTelescope: Type.Boolean({
      description: 'The telescope may move under the closed roof, as in a dome: then it is parked there too',
    }),
  },
  only,
)
export type GateRoof = Static<typeof GateRoof>

export const GateUps = Type.Object(
  {
    graceSeconds: Type.Number({ minimum: 0, maximum: 3600, description: 'On battery for longer parks and closes' }),
    minChargePercent: Type.Number({ minimum: 0, maximum: 100, description: "INDI's UPS driver warns at 25 %" }),
  },
  only,
)
export type GateUps = Static<typeof GateUps>

/** How parking and closing are repeated. Neither is ever given up; past its budget the alarm sounds. */
export const GateClosing = Type.Object(
  {
    parkRepeatSeconds: seconds('The park command is given again this often until the mount reads parked'),
    parkBudgetSeconds: seconds('Not parked by then is an alarm'),
    closeRepeatSeconds: seconds('The close command is given again this often until the roof reads closed'),
    closeBudgetSeconds: seconds('Not closed by then is an alarm'),
  },
  only,
)
export type GateClosing = Static<typeof GateClosing>

export const PowerFeed = Type.Union([
  Type.Literal('mount'),
  Type.Literal('camera'),
  Type.Literal('roof'),
  Type.Literal('safety'),
  Type.Literal('other'),
])
export type PowerFeed = Static<typeof PowerFeed>

export const PowerPortSettings = Type.Object(
  {
    port: Type.String({ minLength: 1, maxLength: 64, description: 'As the power box names it' }),
    feeds: Type.Array(PowerFeed, { minItems: 1, maxItems: 5, description: 'What loses its power with this port' }),
  },
  only,
)
export type PowerPortSettings = Static<typeof PowerPortSettings>

export const GateSettings = Type.Object(
  {
    inputs: GateInputs,
    agesSeconds: GateAges,
    pointing: GatePointing,
    sun: GateSun,
    weather: GateWeather,
    clock: Type.Object(
      {
        maxErrorSeconds: Type.Number({
          exclusiveMinimum: 0,
          maximum: 3600,
          description: 'Offset and uncertainty together; 2 s turn the sky by 30 arcsec, the usual limit of centring',
        }),
      },
      only,
    ),
    ups: GateUps,
    disk: Type.Object(
      { minFreeBytes: Type.Number({ minimum: 0, description: 'No exposure starts with less disk space than this' }) },
      only,
    ),
    camera: Type.Object(
      {
        maxExposureSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 86_400 }),
        minSetPointC: Type.Number({ minimum: -120, maximum: 50 }),
        maxSetPointC: Type.Number({ minimum: -120, maximum: 50 }),
      },
      only,
    ),
    roof: GateRoof,
    closing: GateClosing,
    recoveryMinutes: Type.Number({
      minimum: 0,
      maximum: 1440,
      description: 'This long without any unsafe reading before the site is safe again; RTS2 waits 20 min after rain',
    }),
    power: Type.Array(PowerPortSettings, {
      maxItems: 64,
      description: 'What each switched port feeds; a port that is not listed is never switched off',
    }),
  },
  only,
)
export type GateSettings = Static<typeof GateSettings>

/**
 * A real observatory: roof, weather station, rain sensor and clock are there, and unsafe until they are heard.
 * Sources of the numbers: the descriptions above; what names no source is our own choice, on the careful side.
 */
export const defaultGateSettings: GateSettings = {
  inputs: {
    roof: 'required',
    weather: 'required',
    rain: ['rain'],
    safety: 'optional',
    mountParkedSensor: 'absent',
    ups: 'optional',
    clock: 'required',
    gps: 'optional',
    guardian: 'required',
    cover: 'optional',
    guider: 'optional',
  },
  agesSeconds: {
    mount: 30,
    roof: 30,
    camera: 30,
    weather: 180,
    rain: 15,
    safety: 15,
    ups: 60,
    clock: 300,
    gps: 60,
    guardian: 15,
    disk: 60,
    cover: 30,
    guider: 30,
  },
  pointing: {
    minAltitudeDeg: 20,
    maxAltitudeDeg: 90,
    horizon: [],
    mount: 'german',
    counterweightUpDeg: 10,
    maxHourAngleDeg: 180,
    maxSyncDeg: 10,
    minMoonSeparationDeg: 0,
    maxTrackRateArcsecPerSecond: 60,
    maxGuidePulseMs: 5000,
  },
  sun: { coneDeg: 30, maxAltitudeDeg: -6 },
  weather: {
    needs: ['windMetresPerSecond', 'humidityPercent'],
    maxWindMetresPerSecond: 12,
    maxGustMetresPerSecond: 18,
    maxHumidityPercent: 90,
    maxCloudPercent: 100,
    minTemperatureC: -25,
  },
  clock: { maxErrorSeconds: 2 },
  ups: { graceSeconds: 120, minChargePercent: 25 },
  disk: { minFreeBytes: 2_000_000_000 },
  camera: { maxExposureSeconds: 3600, minSetPointC: -50, maxSetPointC: 40 },
  roof: { whenRainAndNotParked: { kind: 'never' }, clearsTelescope: false },
  closing: { parkRepeatSeconds: 20, parkBudgetSeconds: 120, closeRepeatSeconds: 10, closeBudgetSeconds: 120 },
  recoveryMinutes: 20,
  power: [],
}

/** The simulated observatory says what it has not: a roof to hit, a sky that rains, a battery, a pier, a clock to doubt. */
export const simulatedGateSettings: GateSettings = {
  ...defaultGateSettings,
  inputs: {
    roof: 'absent',
    weather: 'absent',
    rain: [],
    safety: 'absent',
    mountParkedSensor: 'absent',
    ups: 'absent',
    clock: 'absent',
    gps: 'absent',
    guardian: 'absent',
    cover: 'absent',
    guider: 'absent',
  },
  pointing: { ...defaultGateSettings.pointing, mount: 'fork' },
  recoveryMinutes: 0,
}
