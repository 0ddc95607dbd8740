import type { GatePointing } from '../../contract/gateSettings.ts'
import { counterweightUpDeg, normalSide, polarAxisDeg } from '../pier.ts'
import type { Place } from './sky.ts'

/**
 * How near to the Sun a slew may come. A mount turns both axes at once, each at its own speed and for its own time, so its
 * path is any curve that is monotonic in both: the whole rectangle between start and end in axis angles is taken as its
 * path, over the pole where a German mount flips, and the great circle beside it for mounts that make one. The true path
 * is never nearer than what is returned; it may well be farther.
 */

const rad = Math.PI / 180
/** Beyond half a turn by less than this, a mount may as well go the other way round. */
const nearlyHalfTurnDeg = 190
/** Nearer to the pole (of an alt-azimuth mount: the zenith) than this, an hour angle means nothing. */
const atPoleDeg = 0.5

/** Angles of the two axes, degrees. The second may pass 90°: over the pole (or zenith) and down the other side. */
interface Axes {
  readonly first: number
  readonly second: number
}

export interface PathEnds {
  readonly from: Place
  /** Undefined: not known. */
  readonly fromSide: 'east' | 'west' | undefined
  readonly to: Place
  readonly toSide: 'east' | 'west' | undefined
}

/** The smallest angle, degrees, between the Sun and any path that the mount may take. NaN when an end is not known. */
export function pathFromSunDeg(ends: PathEnds, sun: Place, pointing: GatePointing, latitudeDeg: number): number {
  const frame = frameOf(pointing)
  const sunAt = frame(sun)
  let least = greatCircleDeg(frame(ends.from), frame(ends.to), sunAt)
  for (const [a, b] of turns(ends, pointing, latitudeDeg))
    for (const [start, stop] of aroundPole(a, b, pointing)) least = Math.min(least, rectangleDeg(start, stop, sunAt))
  return least
}

/** Every pair of axis angles that the mount may turn between. */
function turns(ends: PathEnds, pointing: GatePointing, latitudeDeg: number): (readonly [Axes, Axes])[] {
  if (pointing.mount !== 'german') return plainTurns(frameOf(pointing)(ends.from), frameOf(pointing)(ends.to), pointing)
  const starts = sidesOf(ends.from, ends.fromSide, pointing).map((side) => germanAxes(side, ends.from, latitudeDeg))
  const stops = sidesOf(ends.to, ends.toSide, pointing).map((side) => germanAxes(side, ends.to, latitudeDeg))
  return starts.flatMap((a) => stops.map((b) => [a, b] as const))
}

/**
 * Where the tube lies along the first axis, coordinates do not tell how far that axis is turned: it may have the whole of
 * its range to go.
 */
function aroundPole(a: Axes, b: Axes, pointing: GatePointing): (readonly [Axes, Axes])[] {
  const known = [a, b].filter(({ second }) => !(Math.abs(Math.abs(second) - 90) < atPoleDeg))
  if (known.length === 2) return [[a, b]]
  const [middle, half] =
    pointing.mount === 'german' ? [-90, 90 + pointing.counterweightUpDeg] : [(known[0] ?? a).first, 180]
  return [-1, 1].flatMap((way) => {
    const end = middle + way * half
    const whole = (axes: Axes): Axes => (known.includes(axes) ? axes : { ...axes, first: end })
    return [[whole(a), whole(b)] as const]
  })
}

/** The short way round, both ways where they are nearly alike, and for a fork the one that does not pass below the pole. */
function plainTurns(a: Axes, b: Axes, pointing: GatePointing): (readonly [Axes, Axes])[] {
  return [-360, 0, 360]
    .filter((turn) => {
      const away = Math.abs(b.first + turn - a.first)
      return !(away > nearlyHalfTurnDeg) || (turn === 0 && pointing.mount === 'fork')
    })
    .map((turn) => [a, { ...b, first: b.first + turn }] as const)
}

/** Which two angles the axes turn: hour angle and declination, or azimuth (westward, to keep one handedness) and altitude. */
function frameOf(pointing: GatePointing): (place: Place) => Axes {
  return pointing.mount === 'altAz'
    ? ({ azimuthDeg, altitudeDeg }) => ({ first: -azimuthDeg, second: altitudeDeg })
    : ({ hourAngleDeg, decDeg }) => ({ first: hourAngleDeg, second: decDeg })
}

/** A mount that does not tell may stand on either side; both are checked where both are possible. */
function sidesOf(
  { hourAngleDeg }: Place,
  side: 'east' | 'west' | undefined,
  pointing: GatePointing,
): readonly ('east' | 'west')[] {
  if (side) return [side]
  const usual = normalSide(hourAngleDeg)
  const other = usual === 'east' ? 'west' : 'east'
  return counterweightUpDeg(other, hourAngleDeg) <= pointing.counterweightUpDeg ? [usual, other] : [usual]
}

/** West of the pier the axes read hour angle and declination; east of it the tube has gone over the elevated pole. */
function germanAxes(side: 'east' | 'west', { hourAngleDeg, decDeg }: Place, latitudeDeg: number): Axes {
  const up = polarAxisDeg(side, hourAngleDeg)
  if (side === 'west') return { first: up, second: decDeg }
  return { first: -180 - up, second: (latitudeDeg < 0 ? -180 : 180) - decDeg }
}

/** Smallest angle between the Sun and the rectangle of axis angles with these corners. */
function rectangleDeg(a: Axes, b: Axes, sun: Axes): number {
  const [west, east] = a.first < b.first ? [a.first, b.first] : [b.first, a.first]
  const [low, high] = a.second < b.second ? [a.second, b.second] : [b.second, a.second]
  let cosine = -1
  for (const [from, to, tubeOver] of [
    [-270, -90, true],
    [-90, 90, false],
    [90, 270, true],
  ] as const) {
    const bottom = Math.max(low, from)
    const top = Math.min(high, to)
    if (bottom > top) continue
    const along = tubeOver ? -mostCosine(west + 180, east + 180, sun.first) : mostCosine(west, east, sun.first)
    cosine = Math.max(cosine, mostAlong(bottom, top, Math.sin(sun.second * rad), Math.cos(sun.second * rad) * along))
  }
  return Number.isNaN(low + high + west + east + sun.first + sun.second)
    ? Number.NaN
    : Math.acos(Math.min(1, cosine)) / rad
}

/** Largest cosine of (angle - centre) for angles in [from, to], degrees. */
function mostCosine(from: number, to: number, centre: number): number {
  const offset = (((centre - from) % 360) + 360) % 360
  if (offset <= to - from) return 1
  return Math.max(Math.cos((from - centre) * rad), Math.cos((to - centre) * rad))
}

/** Largest value of a·sin(angle) + b·cos(angle) for angles in [from, to], degrees. */
function mostAlong(from: number, to: number, a: number, b: number): number {
  const peak = Math.atan2(a, b) / rad
  const offset = (((peak - from) % 360) + 360) % 360
  if (offset <= to - from) return Math.hypot(a, b)
  const at = (angle: number): number => a * Math.sin(angle * rad) + b * Math.cos(angle * rad)
  return Math.max(at(from), at(to))
}

type Vector = readonly [number, number, number]

function vector({ first, second }: Axes): Vector {
  const around = Math.cos(second * rad)
  return [around * Math.cos(first * rad), around * Math.sin(first * rad), Math.sin(second * rad)]
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
]
const angleDeg = (a: Vector, b: Vector): number => Math.atan2(Math.hypot(...cross(a, b)), dot(a, b)) / rad

/** Smallest angle between the Sun and the shorter great circle from one place to another. */
function greatCircleDeg(from: Axes, to: Axes, sun: Axes): number {
  const [a, b, s] = [vector(from), vector(to), vector(sun)]
  const ends = Math.min(angleDeg(a, s), angleDeg(b, s))
  const pole = cross(a, b)
  const length = Math.hypot(...pole)
  if (!(length > 1e-9)) return ends
  // Abeam: the foot of the Sun on the circle lies between the ends.
  const between = dot(cross(pole, a), s) >= 0 && dot(cross(b, pole), s) >= 0
  return between ? Math.min(ends, 90 - Math.acos(Math.min(1, Math.abs(dot(pole, s)) / length)) / rad) : ends
}
