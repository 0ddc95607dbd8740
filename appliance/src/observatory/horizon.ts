import type { HorizonPoint } from '../contract/gateSettings.ts'

/**
 * What trees and walls hide: the lowest free altitude by azimuth. Read from the text form that Carte du Ciel, EQMOD,
 * N.I.N.A. and Stellarium (`polygonal`) share: one `azimuth altitude` pair of degrees a line, north through east, `#` or
 * `;` or `//` before comments.
 */

/** Longest file that is read, in points: one every 0.1°. */
export const maxHorizonPoints = 3600

export type HorizonRead =
  | { readonly ok: true; readonly points: readonly HorizonPoint[] }
  | { readonly ok: false; readonly reason: string }

/** Parses a horizon file; a line that is neither a pair nor a comment is named, for a wrong horizon is worse than none. */
export function readHorizon(text: string): HorizonRead {
  const points = new Map<number, number>()
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [index, line] of lines.entries()) {
    const bare = line.replace(/(#|;|\/\/).*$/, '').trim()
    if (bare === '') continue
    const point = pointOf(bare)
    if (typeof point === 'string') return { ok: false, reason: `line ${index + 1}: ${point}` }
    // A wall is two points at one azimuth: the higher one holds there.
    points.set(point.azimuthDeg, Math.max(point.altitudeDeg, points.get(point.azimuthDeg) ?? -90))
    if (points.size > maxHorizonPoints) return { ok: false, reason: `more than ${maxHorizonPoints} points` }
  }
  if (points.size < 2) return { ok: false, reason: `a horizon needs at least two points, found ${points.size}` }
  const sorted = [...points].map(([azimuthDeg, altitudeDeg]) => ({ azimuthDeg, altitudeDeg }))
  return { ok: true, points: sorted.sort((a, b) => a.azimuthDeg - b.azimuthDeg) }
}

function pointOf(bare: string): HorizonPoint | string {
  const fields = bare.split(/[\s,]+/).filter((field) => field !== '')
  const [azimuth, altitude] = fields.map(Number)
  if (fields.length !== 2 || !Number.isFinite(azimuth) || !Number.isFinite(altitude))
    return `"${bare.slice(0, 40)}" is not an azimuth and an altitude in degrees`
  if (azimuth! < 0 || azimuth! > 360) return `azimuth ${azimuth} is not within 0 and 360`
  if (altitude! < -90 || altitude! > 90) return `altitude ${altitude} is not within -90 and 90`
  return { azimuthDeg: azimuth! === 360 ? 0 : azimuth!, altitudeDeg: Math.max(-10, altitude!) }
}

const sortedTables = new WeakMap<readonly HorizonPoint[], readonly HorizonPoint[]>()

function sorted(points: readonly HorizonPoint[]): readonly HorizonPoint[] {
  let table = sortedTables.get(points)
  if (!table) sortedTables.set(points, (table = [...points].sort((a, b) => a.azimuthDeg - b.azimuthDeg)))
  return table
}

/** Lowest free altitude at an azimuth, degrees, on straight lines between the points and across north; -90 without points. */
export function horizonAt(points: readonly HorizonPoint[], azimuthDeg: number): number {
  if (points.length === 0) return -90
  const table = sorted(points)
  const azimuth = ((azimuthDeg % 360) + 360) % 360
  let after = table.findIndex((point) => point.azimuthDeg >= azimuth)
  if (after < 0) after = table.length
  const next = table[after % table.length]!
  const previous = table[(after + table.length - 1) % table.length]!
  const spanDeg = (next.azimuthDeg - previous.azimuthDeg + 360) % 360
  if (spanDeg === 0) return next.altitudeDeg
  const share = ((azimuth - previous.azimuthDeg + 360) % 360) / spanDeg
  return previous.altitudeDeg + share * (next.altitudeDeg - previous.altitudeDeg)
}
