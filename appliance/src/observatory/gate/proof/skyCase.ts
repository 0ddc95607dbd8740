import type { GateSettings } from '../../../contract/gateSettings.ts'
import type { Command } from '../command.ts'
import type { GateState } from '../state.ts'
import { night, type SkyCase } from './classes.ts'
import { byDay, byNight, type Claim, motion, mountHeard, roofHeard, samples, strict, trusted } from './safetyCase.ts'

/** The claims of the safety case in which the sky comes in: there places are chosen rather than multiplied. */

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
    choices: { sky: suns.slice(32), pointing: places },
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
