import type { PierSide } from '@nightjar/firmware-bridge/devices/mount.ts'
import type { GatePointing } from '../contract/gateSettings.ts'

/**
 * Where a mount may turn. A German mount with the telescope west of the pier looks east: its counterweight is level when
 * the target stands on the meridian and goes up as the target moves on west, the tube towards the pier. East of the pier
 * it is the other way round. `unknown` is stricter than either side.
 */

/** Degrees in [-180, 180). */
export const wrapDeg = (degrees: number): number => ((((degrees + 180) % 360) + 360) % 360) - 180

/** The side that a German mount takes for an hour angle when it keeps its counterweight down. */
export const normalSide = (hourAngleDeg: number): 'east' | 'west' => (hourAngleDeg < 0 ? 'west' : 'east')

/**
 * How far the polar axis is turned, degrees in [-270, 90): 0 with the target on the meridian and the counterweight level,
 * -90 with it straight down, -180 level again under the pole.
 */
export function polarAxisDeg(side: 'east' | 'west', hourAngleDeg: number): number {
  const turned = side === 'west' ? hourAngleDeg : 0 - hourAngleDeg
  return turned >= 90 ? turned - 360 : turned
}

/** How far the counterweight is above level, degrees of the polar axis in [-90, 90]: up past the meridian, and under the pole. */
export function counterweightUpDeg(side: 'east' | 'west', hourAngleDeg: number): number {
  const turned = polarAxisDeg(side, hourAngleDeg)
  return turned > -90 ? turned : -180 - turned
}

/**
 * Why the mount may not be at this hour angle (degrees, west positive) on this side of the pier; undefined when it may.
 * A mount that does not tell its side may have come from the east: it stops at the meridian, and starts again only where
 * it can no longer be the same side.
 */
export function pierReason(pointing: GatePointing, side: PierSide, hourAngleDeg: number): string | undefined {
  const { counterweightUpDeg: limit, maxHourAngleDeg, mount } = pointing
  if (Number.isNaN(hourAngleDeg)) return 'nobody knows how far from the meridian it would stand'
  const from = `${Math.abs(hourAngleDeg).toFixed(1)}° ${hourAngleDeg < 0 ? 'east' : 'west'} of the meridian`
  if (!(Math.abs(hourAngleDeg) <= maxHourAngleDeg)) return `it would stand ${from}, farther than ${maxHourAngleDeg}°`
  if (mount !== 'german') return undefined
  if (side === 'unknown') {
    if (hourAngleDeg <= 0 || hourAngleDeg > limit) return undefined
    return `it would stand ${from}, and the side of the pier is not known: 0° to ${limit}° is closed`
  }
  const up = counterweightUpDeg(side, hourAngleDeg)
  if (up <= limit) return undefined
  return `it would stand ${from} with the telescope ${side} of the pier, counterweight up by ${up.toFixed(1)}°, more than ${limit}°`
}
