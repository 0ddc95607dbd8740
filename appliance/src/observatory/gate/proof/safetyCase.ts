import { defaultGateSettings, type GateSettings, type Presence } from '../../../contract/gateSettings.ts'
import type { Action, Asker, Command, CommandKind } from '../command.ts'
import type { GateState, Reading } from '../state.ts'
import { type Choices, night, type SkyCase, type View } from './classes.ts'

/**
 * What must never be allowed, written as plainly as it can be and without a line of the gate's own code: a command that
 * passes implies that these hold. Each names the inputs that it speaks of.
 */
export interface Claim {
  readonly name: string
  readonly commands: readonly Command[]
  readonly view: View
  readonly limits: readonly GateSettings[]
  readonly choices?: Choices
  /** What has to be true of a state in which the command is allowed. */
  readonly holds: (state: GateState, command: Command, limits: GateSettings) => boolean
}

const asked = (by: Asker, ...actions: Action[]): Command[] => actions.map((action) => ({ ...action, by }))
const byNight = (...actions: Action[]): Command[] => asked('night', ...actions)

const target = { raDeg: 0, decDeg: 40 }
/** One command of each kind that is within every limit of its own. */
export const samples: Readonly<Record<CommandKind, Action>> = {
  unpark: { kind: 'unpark' },
  park: { kind: 'park' },
  slew: { kind: 'slew', ...target },
  sync: { kind: 'sync', ...target },
  track: { kind: 'track', on: true },
  trackRate: { kind: 'trackRate', rate: 'sidereal' },
  home: { kind: 'home' },
  guide: { kind: 'guide', direction: 'north', milliseconds: 500 },
  move: { kind: 'move', direction: 'east', speed: 0.5 },
  halt: { kind: 'halt' },
  abort: { kind: 'abort' },
  expose: { kind: 'expose', seconds: 60 },
  abortExposure: { kind: 'abortExposure' },
  cooler: { kind: 'cooler', on: true, celsius: -10 },
  focus: { kind: 'focus', steps: 12_000 },
  filter: { kind: 'filter', name: 'R' },
  rotate: { kind: 'rotate', angleDeg: 90 },
  openRoof: { kind: 'openRoof' },
  closeRoof: { kind: 'closeRoof' },
  abortRoof: { kind: 'abortRoof' },
  turnDome: { kind: 'turnDome', azimuthDeg: 180 },
  openCover: { kind: 'openCover' },
  closeCover: { kind: 'closeCover' },
  light: { kind: 'light', on: true },
  power: { kind: 'power', port: 'spare', on: false },
  dewHeater: { kind: 'dewHeater', name: 'A', percent: 50 },
  syncClock: { kind: 'syncClock' },
}
const motion = byNight(
  samples.unpark,
  samples.slew,
  samples.home,
  samples.move,
  samples.guide,
  samples.track,
  samples.trackRate,
)
const cuts = (...ports: string[]): Command[] =>
  byNight(...ports.map((port) => ({ kind: 'power', port, on: false }) as const))
const opening = [...motion, ...byNight(samples.openRoof, samples.openCover)]

/** Every input is there and required. */
export const strict: GateSettings = {
  ...defaultGateSettings,
  inputs: {
    ...defaultGateSettings.inputs,
    safety: 'required',
    ups: 'required',
    gps: 'required',
    cover: 'required',
    guider: 'required',
  },
  weather: {
    ...defaultGateSettings.weather,
    needs: ['windMetresPerSecond', 'gustMetresPerSecond', 'humidityPercent', 'cloudPercent', 'temperatureC'],
    maxCloudPercent: 50,
  },
  pointing: {
    ...defaultGateSettings.pointing,
    maxAltitudeDeg: 85,
    maxHourAngleDeg: 90,
    minMoonSeparationDeg: 15,
    horizon: [
      { azimuthDeg: 0, altitudeDeg: 0 },
      { azimuthDeg: 179, altitudeDeg: 0 },
      { azimuthDeg: 180, altitudeDeg: 30 },
      { azimuthDeg: 181, altitudeDeg: 0 },
    ],
  },
  power: [
    { port: 'mount', feeds: ['mount'] },
    { port: 'camera', feeds: ['camera'] },
    { port: 'roof', feeds: ['roof', 'other'] },
    { port: 'watch', feeds: ['safety'] },
    { port: 'spare', feeds: ['other'] },
  ],
}
const withInputs = (inputs: Partial<GateSettings['inputs']>): GateSettings => ({
  ...strict,
  inputs: { ...strict.inputs, ...inputs },
})
const everyPresence = (input: 'weather' | 'safety' | 'ups' | 'clock' | 'gps'): GateSettings[] =>
  (['required', 'optional', 'absent'] as Presence[]).map((presence) => withInputs({ [input]: presence }))
export const sensored = withInputs({ mountParkedSensor: 'required' })
export const roofless = withInputs({ roof: 'absent' })
export const anyway: GateSettings = {
  ...strict,
  roof: { ...strict.roof, whenRainAndNotParked: { kind: 'closeAnyway', afterSeconds: 60 } },
}
export const byDay: GateSettings = { ...strict, sun: { coneDeg: 30, maxAltitudeDeg: 90 } }

type AnyReading = Reading<{ readonly connected: boolean }> | undefined

/** Heard, connected, within its age by both clocks, and not from the future. */
function trusted(reading: AnyReading, ageSeconds: number, state: GateState): boolean {
  if (!reading?.value.connected || !(reading.atMs > 0)) return false
  const [told, held] = [state.nowMs - reading.atMs, state.monotonicMs - reading.heardMs]
  return told >= -1000 && told <= ageSeconds * 1000 && held >= 0 && held <= ageSeconds * 1000
}

/** The input is no reason against: the site has none, it was never heard and need not be, or it is trusted and good. */
function fine(
  reading: AnyReading,
  presence: Presence,
  ageSeconds: number,
  state: GateState,
  good: () => boolean,
): boolean {
  if (presence === 'absent') return true
  const neverHeard = !reading || reading.atMs === 0
  if (presence === 'optional' && neverHeard) return true
  return trusted(reading, ageSeconds, state) && good()
}

const within = (value: number | undefined, limit: number, needed: boolean): boolean =>
  value === undefined ? !needed : value <= limit

const mountHeard = (s: GateState, l: GateSettings): boolean => trusted(s.mount, l.agesSeconds.mount, s)
const atRest = (s: GateState, l: GateSettings): boolean => {
  const mount = s.mount?.value
  return mountHeard(s, l) && mount?.parked === true && !mount.slewing && !mount.tracking
}
const sensorSays = (s: GateState, l: GateSettings): boolean | undefined =>
  trusted(s.safety, l.agesSeconds.safety, s) ? s.safety?.value.mountParked : undefined
const sensorAgrees = (s: GateState, l: GateSettings): boolean =>
  l.inputs.mountParkedSensor === 'required' ? sensorSays(s, l) === true : sensorSays(s, l) !== false
const roofHeard = (s: GateState, l: GateSettings): boolean => trusted(s.roof, l.agesSeconds.roof, s)

/** Nothing is in the way of a closing roof. */
function clear(s: GateState, l: GateSettings): boolean {
  if (l.inputs.mountParkedSensor === 'absent') return atRest(s, l) && sensorSays(s, l) !== false
  const seenMoving = mountHeard(s, l) && (s.mount!.value.slewing || s.mount!.value.tracking)
  return sensorSays(s, l) === true && !seenMoving
}

/** Rain that a sensor sees now. */
export const rains = (s: GateState, l: GateSettings): boolean =>
  Object.values(s.rain ?? {}).some((one) => trusted(one, l.agesSeconds.rain, s) && one?.value.raining === true) ||
  (trusted(s.weather, l.agesSeconds.weather, s) &&
    (s.weather!.value.raining === true || (s.weather!.value.rainMillimetresPerHour ?? 0) > 0)) ||
  (trusted(s.safety, l.agesSeconds.safety, s) && s.safety!.value.raining === true)

const onBattery = (s: GateState, l: GateSettings): boolean =>
  (l.inputs.ups !== 'absent' && trusted(s.ups, l.agesSeconds.ups, s) && s.ups!.value.onMains === false) ||
  (l.inputs.safety !== 'absent' && trusted(s.safety, l.agesSeconds.safety, s) && s.safety!.value.mainsLost === true)

export const claims: readonly Claim[] = [
  {
    name: 'the roof opens only over a telescope that is confirmed parked',
    commands: byNight(samples.openRoof),
    view: { mount: ['parked', 'slewing', 'tracking'], safety: ['mountParked', 'mainsLost'], ups: ['onMains'] },
    limits: [strict, sensored],
    holds: (s, _c, l) => atRest(s, l) && sensorAgrees(s, l) && !onBattery(s, l),
  },
  {
    name: 'a known roof that stands still is moved, and a dome only to an azimuth that it has',
    commands: byNight(
      samples.openRoof,
      samples.turnDome,
      { kind: 'turnDome', azimuthDeg: Number.NaN },
      { kind: 'turnDome', azimuthDeg: 360 },
    ),
    view: { roof: 'all' },
    limits: [strict, roofless],
    holds(s, c, l) {
      const roof = s.roof?.value
      if (l.inputs.roof === 'absent' || !roofHeard(s, l) || roof?.fault !== undefined) return false
      if (roof?.position === 'closing') return false
      if (c.kind !== 'turnDome') return true
      return roof?.position !== 'opening' && roof?.azimuthDeg !== undefined && c.azimuthDeg >= 0 && c.azimuthDeg < 360
    },
  },
  {
    name: 'a roof that is not there takes no command',
    commands: asked('guardian', samples.closeRoof, samples.abortRoof),
    view: {},
    limits: [roofless],
    holds: () => false,
  },
  {
    name: 'the telescope moves and is unparked only under a roof that is confirmed open',
    commands: motion,
    view: { roof: ['position', 'fault'] },
    limits: [strict, roofless],
    holds: (s, _c, l) =>
      l.inputs.roof === 'absent' ||
      (roofHeard(s, l) && s.roof?.value.position === 'open' && s.roof.value.fault === undefined),
  },
  {
    name: 'nothing opens or moves while a rain sensor is wet, silent, or cannot tell',
    commands: opening,
    view: { rain: 'all' },
    limits: [strict, withInputs({ rain: [] })],
    holds: (s, _c, l) =>
      l.inputs.rain.every((name) => trusted(s.rain?.[name], l.agesSeconds.rain, s)) &&
      Object.values(s.rain ?? {}).every(
        (one) => !one || one.atMs === 0 || (trusted(one, l.agesSeconds.rain, s) && one.value.raining === false),
      ),
  },
  {
    name: 'nothing opens or moves in weather that is bad, not told, or old',
    commands: byNight(samples.openRoof),
    view: { weather: 'all' },
    limits: [strict],
    holds: (s, _c, l) => fine(s.weather, l.inputs.weather, l.agesSeconds.weather, s, () => goodWeather(s, l)),
  },
  {
    name: 'a weather station that need not be there is as bad as any once it has been heard',
    commands: byNight(samples.openRoof),
    view: { weather: ['raining', 'verdict', 'rainMillimetresPerHour', 'windMetresPerSecond'] },
    limits: everyPresence('weather').map((limits) => ({ ...limits, weather: { ...limits.weather, needs: [] } })),
    holds: (s, _c, l) =>
      fine(s.weather, l.inputs.weather, l.agesSeconds.weather, s, () => {
        const { raining, verdict, windMetresPerSecond } = s.weather!.value
        return (
          raining !== true &&
          verdict !== 'danger' &&
          within(windMetresPerSecond, l.weather.maxWindMetresPerSecond, false)
        )
      }),
  },
  {
    name: 'nothing opens or moves when the safety controller says unsafe, rain, or nothing',
    commands: opening,
    view: { safety: ['safe', 'reasons', 'raining'] },
    limits: everyPresence('safety'),
    holds: (s, _c, l) =>
      fine(
        s.safety,
        l.inputs.safety,
        l.agesSeconds.safety,
        s,
        () => s.safety!.value.safe && s.safety!.value.raining !== true,
      ),
  },
  {
    name: 'nothing opens or moves on a low battery or after the time of grace on battery',
    commands: opening,
    view: { ups: 'all', safety: ['mainsLost'], history: ['onBatterySinceMs'] },
    limits: everyPresence('ups'),
    holds(s, _c, l) {
      const charged = fine(s.ups, l.inputs.ups, l.agesSeconds.ups, s, () => {
        const { onMains, lowBattery, chargePercent } = s.ups!.value
        return (
          onMains !== undefined &&
          !lowBattery &&
          (chargePercent === undefined || chargePercent >= l.ups.minChargePercent)
        )
      })
      const seconds = (s.monotonicMs - (s.history.onBatterySinceMs ?? -1e12)) / 1000
      return charged && (!onBattery(s, l) || seconds < l.ups.graceSeconds)
    },
  },
  {
    name: 'nothing is opened while the site runs on battery',
    commands: byNight(samples.openRoof, samples.openCover, samples.unpark),
    view: { ups: ['onMains'], safety: ['mainsLost'] },
    limits: [strict],
    holds: (s, _c, l) => !onBattery(s, l),
  },
  {
    name: 'nothing opens, moves or is synced by a clock that is wrong or not known',
    commands: [...opening, ...byNight(samples.sync, samples.syncClock)],
    view: { clock: 'all' },
    limits: everyPresence('clock'),
    holds: (s, _c, l) =>
      fine(s.clock, l.inputs.clock, l.agesSeconds.clock, s, () => {
        const { synchronised, offsetSeconds, uncertaintySeconds } = s.clock!.value
        return synchronised && Math.abs(offsetSeconds!) + uncertaintySeconds! <= l.clock.maxErrorSeconds
      }),
  },
  {
    name: 'a site that needs its GPS does nothing without a fix',
    commands: opening,
    view: { gps: 'all' },
    limits: everyPresence('gps'),
    holds: (s, _c, l) =>
      fine(s.gps, l.inputs.gps, l.agesSeconds.gps, s, () => l.inputs.gps === 'optional' || s.gps!.value.fix !== 'none'),
  },
  {
    name: 'only time without a hazard makes the site safe again',
    commands: opening,
    view: { history: ['lastHazardMs'] },
    limits: [strict],
    holds: (s, _c, l) => s.monotonicMs - s.history.lastHazardMs >= l.recoveryMinutes * 60_000,
  },
  {
    name: 'whoever asks for more than safety holds the lease now, and is neither the guardian nor the panic button',
    commands: (['night', 'session:a', 'guardian', 'panic'] as const).flatMap((by) =>
      asked(by, ...Object.values(samples)),
    ),
    view: { lease: 'all' },
    limits: [strict],
    holds(s, c) {
      if (['park', 'halt', 'abort', 'abortExposure', 'closeRoof', 'abortRoof', 'closeCover'].includes(c.kind))
        return true
      if (c.by === 'guardian' || c.by === 'panic') return false
      return s.lease !== undefined && s.lease.holder === c.by && s.monotonicMs < s.lease.untilMs
    },
  },
  {
    name: 'a mount that is not heard is not moved, and one that is parked is first unparked',
    commands: [...motion, ...byNight(samples.sync, samples.syncClock)],
    view: { mount: ['parked', 'slewing', 'tracking'] },
    limits: [strict],
    holds(s, c, l) {
      const mount = s.mount?.value
      if (!mountHeard(s, l) || !mount) return false
      if (c.kind === 'syncClock') return !mount.slewing && !mount.tracking
      if (c.kind !== 'unpark' && mount.parked) return false
      return !['slew', 'home', 'guide', 'sync'].includes(c.kind) || !mount.slewing
    },
  },
  {
    name: 'the camera exposes only when it is heard, idle, and the disk has room',
    commands: byNight(
      samples.expose,
      ...[-1, Number.NaN, 1e9].map((seconds) => ({ kind: 'expose', seconds }) as const),
    ),
    view: { camera: 'all', disk: 'all' },
    limits: [strict],
    holds: (s, c, l) =>
      trusted(s.camera, l.agesSeconds.camera, s) &&
      !s.camera!.value.exposing &&
      trusted(s.disk, l.agesSeconds.disk, s) &&
      s.disk!.value.freeBytes >= l.disk.minFreeBytes &&
      c.kind === 'expose' &&
      c.seconds >= 0 &&
      c.seconds <= l.camera.maxExposureSeconds,
  },
  {
    name: 'nothing in the beam moves while the camera exposes, and cooling goes to a camera that is heard',
    commands: byNight(samples.focus, samples.filter, samples.rotate, samples.cooler),
    view: { camera: 'all' },
    limits: [strict],
    holds: (s, c, l) =>
      trusted(s.camera, l.agesSeconds.camera, s)
        ? c.kind === 'cooler' || !s.camera!.value.exposing
        : c.kind !== 'cooler',
  },
  {
    name: 'no value goes out that is not a number or not within its range',
    commands: byNight(
      ...[Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY].map((steps) => ({ kind: 'focus', steps }) as const),
      ...[Number.NaN, -1, 360].map((angleDeg) => ({ kind: 'rotate', angleDeg }) as const),
      ...[Number.NaN, -1, 101].map((percent) => ({ kind: 'dewHeater', name: 'A', percent }) as const),
      ...[Number.NaN, -500, 500].map((celsius) => ({ kind: 'cooler', on: true, celsius }) as const),
      ...[Number.NaN, 0, -1, 60_000].map(
        (milliseconds) => ({ kind: 'guide', direction: 'east', milliseconds }) as const,
      ),
      ...[Number.NaN, 0, -1, 1.1].map((speed) => ({ kind: 'move', direction: 'east', speed }) as const),
      ...[Number.NaN, 61].map(
        (rate) =>
          ({ kind: 'trackRate', rate: 'custom', custom: { raArcsecPerSecond: 0, decArcsecPerSecond: -rate } }) as const,
      ),
      { kind: 'trackRate', rate: 'custom' },
      { kind: 'filter', name: '' },
      { kind: 'slew', raDeg: 360, decDeg: 0 },
      { kind: 'slew', raDeg: 0, decDeg: 90.1 },
      { kind: 'sync', raDeg: Number.NaN, decDeg: 0 },
    ),
    view: {},
    limits: [strict],
    holds: () => false,
  },
  {
    name: 'the power of the mount is cut only while it is confirmed parked, that of the safety controller never',
    commands: cuts('mount', 'watch', 'nobody'),
    view: { mount: ['parked', 'slewing', 'tracking'], safety: ['mountParked'] },
    limits: [strict, sensored],
    holds: (s, c, l) => c.kind === 'power' && c.port === 'mount' && clear(s, l),
  },
  {
    name: 'the power of the camera is not cut while it exposes, that of the roof only while it stands open or closed',
    commands: cuts('camera', 'roof', 'spare'),
    view: { camera: 'all', roof: ['position'] },
    limits: [strict],
    holds(s, c, l) {
      const port = c.kind === 'power' ? c.port : ''
      if (port === 'camera') return !(trusted(s.camera, l.agesSeconds.camera, s) && s.camera!.value.exposing)
      return port === 'spare' || (roofHeard(s, l) && ['open', 'closed'].includes(s.roof!.value.position))
    },
  },
]

const closed = asked('guardian', samples.closeRoof)
/** By the leave of the site: in rain that a sensor sees now, after its time of parking, and not into a slew. */
function leave(s: GateState, l: GateSettings): boolean {
  const policy = l.roof.whenRainAndNotParked
  if (policy.kind === 'never' || !rains(s, l)) return false
  const seconds = (s.monotonicMs - (s.history.parkingSinceMs ?? Number.NaN)) / 1000
  return seconds >= policy.afterSeconds && !(mountHeard(s, l) && s.mount!.value.slewing)
}

export const closeClaims: readonly Claim[] = [
  {
    name: 'the roof closes only over a telescope that is out of its way',
    commands: closed,
    view: { mount: ['parked', 'slewing', 'tracking'], safety: ['mountParked'], rain: [], weather: [], history: [] },
    limits: [strict, sensored],
    choices: { oneRainSensor: true },
    holds: (s, _c, l) => clear(s, l),
  },
  {
    name: 'where the site gives its leave, the roof closes over a telescope in its way only in rain and after trying to park',
    commands: closed,
    view: {
      mount: ['parked', 'slewing', 'tracking'],
      safety: ['mountParked', 'raining'],
      rain: 'all',
      weather: 'all',
      history: ['parkingSinceMs'],
    },
    limits: [anyway],
    choices: { oneRainSensor: true, rainOfWeather: true },
    holds: (s, _c, l) => clear(s, l) || leave(s, l),
  },
]

function goodWeather({ weather }: GateState, { weather: w }: GateSettings): boolean {
  const v = weather!.value
  const need = (name: string): boolean => (w.needs as readonly string[]).includes(name)
  return (
    v.raining !== true &&
    v.verdict !== 'danger' &&
    within(v.rainMillimetresPerHour, 0, false) &&
    within(v.windMetresPerSecond, w.maxWindMetresPerSecond, need('windMetresPerSecond')) &&
    within(v.gustMetresPerSecond, w.maxGustMetresPerSecond, need('gustMetresPerSecond')) &&
    within(v.humidityPercent, w.maxHumidityPercent, need('humidityPercent')) &&
    within(v.cloudPercent, w.maxCloudPercent, need('cloudPercent')) &&
    (v.temperatureC === undefined ? !need('temperatureC') : v.temperatureC >= w.minTemperatureC)
  )
}

// Where the sky comes in, places are chosen rather than multiplied.

const rad = Math.PI / 180
type Vector = readonly [number, number, number]
const onSphere = (around: number, up: number): Vector => [
  Math.cos(up * rad) * Math.cos(around * rad),
  Math.cos(up * rad) * Math.sin(around * rad),
  Math.sin(up * rad),
]
const apartDeg = (a: Vector, b: Vector): number =>
  Math.acos(Math.max(-1, Math.min(1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]))) / rad

/** Altitude by the rule of cosines; coordinates of 2000 taken as those of date, which is 0.4° in 2026. */
function altitudeDeg({ raDeg, decDeg }: { raDeg: number; decDeg: number }, sky: SkyCase): number {
  return 90 - apartDeg(onSphere(raDeg, decDeg), onSphere(sky.siderealDeg, sky.latitudeDeg))
}
const precessionDeg = 0.4
const hourAngleDeg = (raDeg: number, sky: SkyCase): number =>
  ((((sky.siderealDeg - raDeg + 180) % 360) + 360) % 360) - 180

const suns: SkyCase[] = [-42, -18, -6.1, -6, -5.9, -1, -0.9, 0, 45, Number.NaN].flatMap((sunAltitude) =>
  [
    { raDeg: 180, decDeg: -10 },
    { raDeg: 40, decDeg: 15 },
    { raDeg: 320, decDeg: -20 },
    { raDeg: Number.NaN, decDeg: 0 },
  ].map((sun) => ({ ...night, sun: { ...sun, altitudeDeg: sunAltitude } })),
)
const places = [
  { raDeg: 0, decDeg: 40 },
  { raDeg: 60, decDeg: 30 },
  { raDeg: 300, decDeg: 10 },
  { raDeg: 0, decDeg: -5 },
  { raDeg: 40, decDeg: 44 },
  { raDeg: 40, decDeg: 60 },
  { raDeg: 200, decDeg: 88 },
  { raDeg: Number.NaN, decDeg: Number.NaN },
]
const slews = byNight(...places.slice(0, 7).map((place) => ({ kind: 'slew', ...place }) as const))
const covered = (s: GateState, l: GateSettings): boolean =>
  l.inputs.cover !== 'absent' && trusted(s.cover, l.agesSeconds.cover, s) && s.cover?.value.position === 'closed'

/**
 * Places on the way: the great circle, and both axes at once or either of them first, in 40 steps. A German mount with the
 * telescope east of the pier has its tube over the pole: its axes read the opposite hour angle and a declination beyond 90°.
 */
function* way(from: Place, side: string, to: Place, german: boolean): Generator<Vector> {
  const [a, b] = [onSphere(-from.hour, from.decDeg), onSphere(-to.hour, to.decDeg)]
  for (let step = 0; step <= 40; step++) {
    const t = step / 40
    const chord: Vector = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])]
    const length = Math.hypot(...chord)
    if (length > 0.01) yield [chord[0] / length, chord[1] / length, chord[2] / length]
  }
  const flipped = (place: Place): Place => ({ hour: place.hour - 180, decDeg: 180 - place.decDeg })
  const over = german && (side === 'east' || (side === 'unknown' && from.hour > 10))
  // Below the pole the counterweight is down, not up: six hours past the meridian are eighteen before it.
  const west = german && from.hour > 90 ? { ...from, hour: from.hour - 360 } : from
  const starts = over ? flipped(from.hour < -90 ? { ...from, hour: from.hour + 360 } : from) : west
  const stops = german && to.hour > 10 ? flipped(to) : to
  for (let step = 0; step <= 40; step++) {
    const t = step / 40
    for (const [s, u] of [
      [t, t],
      [Math.min(1, 2 * t), Math.max(0, 2 * t - 1)],
      [Math.max(0, 2 * t - 1), Math.min(1, 2 * t)],
    ] as const)
      yield onSphere(
        -(starts.hour + s * (stops.hour - starts.hour)),
        starts.decDeg + u * (stops.decDeg - starts.decDeg),
      )
  }
}
interface Place {
  readonly hour: number
  readonly decDeg: number
}

const sunIsDown = (s: GateState): boolean => s.sky.sun.altitudeDeg <= -0.83
function awayFromSun(s: GateState, l: GateSettings): boolean {
  const { raDeg, decDeg } = s.mount?.value ?? { raDeg: Number.NaN, decDeg: 0 }
  return apartDeg(onSphere(raDeg, decDeg), onSphere(s.sky.sun.raDeg, s.sky.sun.decDeg)) >= l.sun.coneDeg
}

export const skyClaims: readonly Claim[] = [
  {
    name: 'nothing opens or moves while the Sun is higher than the site allows, or nobody knows how high',
    commands: [...motion, ...byNight(samples.openRoof)],
    view: { sky: 'all' },
    limits: [strict],
    choices: { sky: suns },
    holds: (s, _c, l) => s.sky.sun.altitudeDeg <= l.sun.maxAltitudeDeg,
  },
  {
    name: 'no slew ends or passes within the cone around the Sun, unless the cover is confirmed closed',
    commands: slews,
    view: { sky: 'all', mount: ['pointing', 'pierSide'], cover: 'all' },
    limits: [byDay, { ...byDay, pointing: { ...byDay.pointing, mount: 'fork' } }],
    choices: { sky: suns, pointing: places },
    holds(s, c, l) {
      if (c.kind !== 'slew' || covered(s, l)) return c.kind === 'slew'
      const place = ({ raDeg, decDeg }: { raDeg: number; decDeg: number }): Place => ({
        hour: hourAngleDeg(raDeg, s.sky),
        decDeg,
      })
      const sun = onSphere(-hourAngleDeg(s.sky.sun.raDeg, s.sky), s.sky.sun.decDeg)
      const { pierSide } = s.mount!.value
      const german = l.pointing.mount === 'german'
      for (const on of way(place(s.mount!.value), pierSide, place(c), german))
        if (!(apartDeg(on, sun) >= l.sun.coneDeg)) return false
      return true
    },
  },
  {
    name: 'nothing is unparked, tracked or guided within the cone around a Sun that is up',
    commands: byNight(samples.unpark, samples.track, samples.trackRate, samples.guide),
    view: { sky: 'all', mount: ['pointing'], cover: 'all', roof: [] },
    limits: [byDay],
    choices: { sky: suns.slice(16), pointing: places },
    holds: (s, _c, l) => sunIsDown(s) || covered(s, l) || awayFromSun(s, l),
  },
  {
    name: 'the cover opens only where the telescope cannot see a Sun that is up',
    commands: byNight(samples.openCover),
    view: { sky: 'all', mount: ['pointing', 'slewing'], cover: [], roof: ['position'] },
    limits: [byDay],
    choices: { sky: suns.slice(20), pointing: places.slice(4) },
    holds: (s, _c, l) =>
      sunIsDown(s) ||
      (roofHeard(s, l) && s.roof?.value.position === 'closed') ||
      (mountHeard(s, l) && !s.mount!.value.slewing && awayFromSun(s, l)),
  },
  {
    name: 'nobody moves the telescope by hand or to its home uncovered while the Sun is up',
    commands: byNight(samples.home, samples.move),
    view: { sky: 'all', cover: 'all' },
    limits: [byDay],
    choices: { sky: suns },
    holds: (s, _c, l) => covered(s, l) || sunIsDown(s),
  },
  {
    name: 'the telescope ends above the horizon of the site, below its zenith limit and within its hour angles',
    commands: [
      ...slews,
      ...byNight(
        { kind: 'slew', raDeg: 0, decDeg: 47 },
        samples.track,
        samples.trackRate,
        samples.guide,
        samples.move,
        samples.sync,
      ),
    ],
    view: { sky: 'all', mount: ['pointing', 'pierSide'] },
    limits: [strict],
    choices: {
      pointing: places,
      sky: [0, 20, 70, 180, 355, Number.NaN].flatMap((siderealDeg) =>
        [48, -30].map((latitudeDeg) => ({ ...night, siderealDeg, latitudeDeg })),
      ),
    },
    holds(s, c, { pointing }) {
      const at = c.kind === 'slew' || c.kind === 'sync' ? c : s.mount?.value
      if (!at) return false
      const up = altitudeDeg(at, s.sky)
      if (!(up >= pointing.minAltitudeDeg - precessionDeg && up <= pointing.maxAltitudeDeg + precessionDeg))
        return false
      const hour = hourAngleDeg(at.raDeg, s.sky)
      // Due south, as the strict site's wall of 30° is one degree wide to each side.
      if (s.sky.latitudeDeg === 48 && Math.abs(hour) < 0.01 && at.decDeg < 42 && up < 30 - 15) return false
      if (c.kind === 'sync') return true
      const nearPole = Math.abs(at.decDeg) > 80
      return nearPole || (Math.abs(hour) <= pointing.maxHourAngleDeg + precessionDeg && pierFits(s, c, hour))
    },
  },
  {
    name: 'no slew ends near the Moon of a site that keeps away from it',
    commands: slews,
    view: { sky: 'all' },
    limits: [strict],
    choices: { sky: places.map((moon) => ({ ...night, moon })).concat([{ ...night, moon: undefined } as never]) },
    holds(s, c, { pointing }) {
      if (c.kind !== 'slew' || !s.sky.moon) return false
      const moon = onSphere(s.sky.moon.raDeg, s.sky.moon.decDeg)
      return apartDeg(onSphere(c.raDeg, c.decDeg), moon) >= pointing.minMoonSeparationDeg
    },
  },
  {
    name: 'a sync moves the pointing by little',
    commands: byNight(...places.slice(0, 7).map((place) => ({ kind: 'sync', ...place }) as const)),
    view: { mount: ['pointing'] },
    limits: [strict],
    choices: { pointing: places },
    holds(s, c, { pointing }) {
      if (c.kind !== 'sync' || !s.mount) return false
      const { raDeg, decDeg } = s.mount.value
      return apartDeg(onSphere(raDeg, decDeg), onSphere(c.raDeg, c.decDeg)) <= pointing.maxSyncDeg
    },
  },
  {
    name: 'a wall that is one degree wide is a wall',
    commands: byNight({ kind: 'slew', raDeg: 0, decDeg: -14 }, { kind: 'slew', raDeg: 0, decDeg: -18 }),
    view: { sky: 'all', mount: ['pointing', 'pierSide'] },
    limits: [strict],
    choices: { pointing: places, sky: [{ ...night, siderealDeg: 0.34 }] },
    // 28° and 24° high, due south (RA 0h of 2000 is 0.34° further along in 2026): above 20°, below the wall's 30°.
    holds: () => false,
  },
]

/** A German mount's counterweight stays down but for its limit; a side that is not known closes the way past the meridian. */
function pierFits(s: GateState, c: Command, hour: number): boolean {
  const side = s.mount?.value.pierSide ?? 'unknown'
  const up = 10 + precessionDeg
  if (side === 'unknown')
    return c.kind === 'slew'
      ? hour <= precessionDeg || hour >= 10 - precessionDeg
      : c.kind !== 'move' && (hour <= precessionDeg || hour >= 10 - precessionDeg)
  if (c.kind === 'slew') return true
  return side === 'west' ? hour <= up : hour >= -up
}
