import type { FrameType } from '../contract/records.ts'
import type { FitsHeader } from '../frames/fits/header.ts'

/** What another program's header says of one exposure. */
export interface ForeignFacts {
  readonly type: FrameType
  /** Start of the exposure, Unix ms UTC. */
  readonly capturedAtMs: number
  readonly exposureSeconds: number
  /** Undefined when the header names none. */
  readonly filter: string | undefined
  readonly object: string | undefined
}

export type ForeignAnswer =
  | { readonly ok: true; readonly facts: ForeignFacts }
  | { readonly ok: false; readonly reason: string }

/** Spellings of SBFITSEXT, INDI, N.I.N.A., IRAF and ESO; a dark for flats is a dark. */
const spellings: readonly (readonly [RegExp, FrameType])[] = [
  [/dark/i, 'dark'],
  [/bias|zero|offset/i, 'bias'],
  [/flat/i, 'flat'],
  [/light|object|science/i, 'light'],
]
const unixEpochMjd = 40587
const dayMs = 86_400_000
/** The contract's limit of a field's filter. */
const filterLimit = 16
/** A zone is outside the standard; MicroObservatory writes one, and its MJD-OBS has only three decimals. */
const moment = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d*)?)?))?(?:Z|([+-]\d{2}):?(\d{2}))?$/

/**
 * Reads type, start, length and filter of an exposure; the reason names the keyword to set. `given` is the type for a header
 * that says none.
 */
export function foreignFacts(header: FitsHeader, given?: FrameType): ForeignAnswer {
  const stacked = stackOf(header)
  if (stacked !== undefined) return refused(stacked)
  const said = header.text('IMAGETYP') ?? header.text('OBSTYPE') ?? header.text('FRAME')
  const stated = spellings.find(([spelling]) => said !== undefined && spelling.test(said))?.[1]
  if (stated && given && stated !== given) return refused(`its header says that it is a ${stated}, not a ${given}`)
  const type = stated ?? given
  if (!type) return refused(`its header does not say what it shows (${said ?? 'no IMAGETYP'}): ${typeFix}`)
  const exposureSeconds = exposureOf(header) ?? (type === 'bias' ? 0 : undefined)
  if (exposureSeconds === undefined || exposureSeconds < 0)
    return refused('its header has no exposure time: set EXPTIME in seconds')
  const capturedAtMs = startOf(header)
  if (typeof capturedAtMs === 'string') return refused(capturedAtMs)
  const facts = { type, capturedAtMs, exposureSeconds, filter: filterOf(header), object: plainText(header, 'OBJECT') }
  return { ok: true, facts }
}

const typeFix = 'set IMAGETYP to Light Frame, Dark Frame, Bias Frame or Flat Frame, or give its type with it'
const refused = (reason: string): ForeignAnswer => ({ ok: false, reason })

/** A frame is one exposure: what was made of several has other noise. */
function stackOf(header: FitsHeader): string | undefined {
  const made = header.text('IMAGETYP') ?? ''
  const count = header.number('NCOMBINE') ?? header.number('STACKCNT') ?? 1
  if (count <= 1 && !/master|stack|integration/i.test(made)) return undefined
  return `it is made of several exposures (${made || `${count} of them`}): give the single exposures instead`
}

function exposureOf(header: FitsHeader): number | undefined {
  return header.number('EXPTIME') ?? header.number('EXPOSURE') ?? header.number('XPOSURE')
}

/** Unix ms UTC, or what is wrong. FITS 4.0 §9.1: dates are UTC unless TIMESYS says otherwise. */
function startOf(header: FitsHeader): number | string {
  const system = header.text('TIMESYS')?.trim().toUpperCase() ?? 'UTC'
  if (system !== 'UTC') return `its times are ${system}: give DATE-OBS in UTC and set TIMESYS to UTC`
  const atMs = dateOf(header) ?? ((header.number('MJD-OBS') ?? Number.NaN) - unixEpochMjd) * dayMs
  return Number.isFinite(atMs) ? Math.round(atMs) : 'its header does not say when it was taken: set DATE-OBS in UTC'
}

function dateOf(header: FitsHeader): number | undefined {
  const [, day, time, zoneHours, zoneMinutes] =
    moment.exec((header.text('DATE-OBS') ?? header.text('DATE-BEG') ?? '').trim()) ?? []
  const clock = time ?? header.text('TIME-OBS')?.trim() ?? header.text('UT')?.trim()
  const atMs = Date.parse(`${day}T${clock}${zoneHours === undefined ? 'Z' : `${zoneHours}:${zoneMinutes}`}`)
  return Number.isFinite(atMs) ? atMs : undefined
}

function filterOf(header: FitsHeader): string | undefined {
  return plainText(header, 'FILTER')?.slice(0, filterLimit)
}

function plainText(header: FitsHeader, key: string): string | undefined {
  const text = header.text(key)?.trim()
  return text === '' ? undefined : text
}
