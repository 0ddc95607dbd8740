import { defaultGateSettings, type GateSettings, type Presence } from '../../../contract/gateSettings.ts'
import type { Action, Asker, Command, CommandKind } from '../command.ts'
import type { GateState, Reading } from '../state.ts'
import type { Choices, View } from './classes.ts'

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
export const byNight = (...actions: Action[]): Command[] => asked('night', ...actions)

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
export const motion = byNight(
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
    guardian: 'required',
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
export function trusted(reading: AnyReading, ageSeconds: number, state: GateState): boolean {
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

export const mountHeard = (s: GateState, l: GateSettings): boolean => trusted(s.mount, l.agesSeconds.mount, s)
const atRest = (s: GateState, l: GateSettings): boolean => {
  const mount = s.mount?.value
  return mountHeard(s, l) && mount?.parked === true && !mount.slewing && !mount.tracking
}
const sensorSays = (s: GateState, l: GateSettings): boolean | undefined =>
  trusted(s.safety, l.agesSeconds.safety, s) ? s.safety?.value.mountParked : undefined
const sensorAgrees = (s: GateState, l: GateSettings): boolean =>
  l.inputs.mountParkedSensor === 'required' ? sensorSays(s, l) === true : sensorSays(s, l) !== false
export const roofHeard = (s: GateState, l: GateSettings): boolean => trusted(s.roof, l.agesSeconds.roof, s)

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
    name: 'nothing opens or moves without a guardian that watches and agrees',
    commands: opening,
    view: { guardian: 'all' },
    limits: [strict, withInputs({ guardian: 'absent' })],
    holds: (s, _c, l) =>
      fine(s.guardian, l.inputs.guardian, l.agesSeconds.guardian, s, () => s.guardian!.value.mayOpen),
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
