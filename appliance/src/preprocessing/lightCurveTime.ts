import { airmassAt } from '../frames/fits/facts.ts'
import type { FitsHeader } from '../frames/fits/header.ts'

const unixEpochMjd = 40587
const dayMs = 86_400_000

/**
 * Middle of the exposure, Unix ms UTC: DATE-AVG, else DATE-OBS (or DATE-BEG) and half of EXPTIME, else MJD-OBS. FITS wants
 * UTC without a zone; a zone that is there all the same (`Z`, `-0700`, `+01:00`) is obeyed. Undefined when none can be read.
 */
export function exposureMiddleMs(header: FitsHeader): number | undefined {
  const middle = dateMs(header.text('DATE-AVG'))
  if (middle !== undefined) return middle
  const start = dateMs(header.text('DATE-OBS')) ?? dateMs(header.text('DATE-BEG')) ?? mjdMs(header.number('MJD-OBS'))
  return start === undefined ? undefined : start + 500 * (exposureSeconds(header) ?? 0)
}

export function exposureSeconds(header: FitsHeader): number | undefined {
  return header.number('EXPTIME') ?? header.number('EXPOSURE') ?? header.number('XPOSURE')
}

/** ISO 8601 date and time to Unix ms; without a zone it is UTC. */
export function dateMs(text: string | undefined): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d:?\d\d)?$/.exec(text?.trim() ?? '')
  if (!match) return undefined
  const [, moment, zone = 'Z'] = match
  const colon = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  const ms = Date.parse(`${moment}${colon}`)
  return Number.isNaN(ms) ? undefined : ms
}

function mjdMs(mjd: number | undefined): number | undefined {
  return mjd === undefined ? undefined : (mjd - unixEpochMjd) * dayMs
}

/** AIRMASS, else from the altitude that the header gives: CENTALT, OBJCTALT, TELALT or ALTITUDE. */
export function airmassOf(header: FitsHeader): number | undefined {
  const stated = header.number('AIRMASS')
  if (stated !== undefined && stated >= 1 && stated < 40) return stated
  for (const key of ['CENTALT', 'OBJCTALT', 'TELALT', 'ALTITUDE']) {
    const altitude = header.number(key)
    if (altitude !== undefined && altitude > 0 && altitude <= 90) return airmassAt(altitude)
  }
  return undefined
}
