import type { CalibrationSettings } from '../contract/config.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { exposureSecondsOf } from './calibrate.ts'

/** Which of the masters that there are a frame is corrected with, and how good that choice is. */

export type MasterType = 'bias' | 'dark' | 'flat'

export type MasterLimits = Pick<CalibrationSettings, 'masterDays' | 'masterTemperatureC'>

/** What holds when the settings say nothing. */
export const defaultMasterLimits = { masterDays: 30, masterTemperatureC: 2 } as const

/** From the best to none: a dark of another exposure time is scaled, and an old master is better than none. */
export const masterRungs = ['exact', 'scaled', 'old', 'none'] as const
export type MasterRung = (typeof masterRungs)[number]

export interface MasterChoice {
  readonly type: MasterType
  readonly rung: MasterRung
  /** Of the candidates; undefined for `none`. */
  readonly index: number | undefined
  /** What people should know of it: why it is not exact, or why there is none. Undefined when it is exact. */
  readonly note: string | undefined
}

/** Exposure times that differ by less than this share are the same. */
const sameExposure = 0.01
const msPerDay = 86_400_000

/**
 * The best candidate for a raw frame. A misfit (see `misfit`) is never used; of the others those of the frame's own exposure
 * time come first, then darks to be scaled, then those older than `masterDays`, the nearest in exposure and in time first.
 */
export function chooseMaster(
  type: MasterType,
  candidates: readonly FitsHeader[],
  frame: FitsHeader,
  limits: MasterLimits = {},
): MasterChoice {
  const ranked = candidates
    .map((header, index) => ({ header, index, misfit: misfit(type, header, frame, limits) }))
    .filter((one) => one.misfit === undefined)
    .map((one) => ({ ...one, ...standing(type, one.header, frame, limits) }))
    .sort((a, b) => a.place - b.place || a.stretch - b.stretch || a.days - b.days || a.index - b.index)
  const [best] = ranked
  if (best) return { type, rung: best.rung, index: best.index, note: best.note }
  const why = candidates[0] && misfit(type, candidates[0], frame, limits)
  const note = why === undefined ? `there is no master ${type}` : `the master ${type} was not used: ${why}`
  return { type, rung: 'none', index: undefined, note }
}

interface Standing {
  readonly rung: MasterRung
  /** Lower is better. */
  readonly place: number
  /** |ln| of the ratio of exposure times. */
  readonly stretch: number
  readonly days: number
  readonly note: string | undefined
}

function standing(type: MasterType, master: FitsHeader, frame: FitsHeader, limits: MasterLimits): Standing {
  const mostDays = limits.masterDays ?? defaultMasterLimits.masterDays
  const days = daysBetween(master, frame)
  const scaled = type === 'dark' ? scaling(master, frame) : undefined
  const isOld = days > mostDays
  const age = `the master ${type} was taken ${days.toFixed(0)} days from the frame, more than ${mostDays} (calibration.masterDays)`
  const notes = [isOld && age, scaled?.note].filter((note) => typeof note === 'string')
  const rung = isOld ? 'old' : scaled ? 'scaled' : 'exact'
  return {
    rung,
    place: 2 * Number(isOld) + Number(scaled !== undefined),
    stretch: scaled?.stretch ?? 0,
    days: Number.isNaN(days) ? Number.POSITIVE_INFINITY : days,
    note: notes.length > 0 ? notes.join('; ') : undefined,
  }
}

/** NaN when one of them does not say. */
function daysBetween(master: FitsHeader, frame: FitsHeader): number {
  const [ours, theirs] = [master, frame].map((header) => Date.parse(`${header.text('DATE-OBS')?.replace(/Z$/, '')}Z`))
  return Math.abs(theirs! - ours!) / msPerDay
}

function scaling(
  master: FitsHeader,
  frame: FitsHeader,
): { readonly stretch: number; readonly note: string } | undefined {
  const [ours, theirs] = [exposureSecondsOf(master), exposureSecondsOf(frame)]
  if (ours === undefined || theirs === undefined || isSame(ours, theirs)) return undefined
  return {
    stretch: Math.abs(Math.log(theirs / ours)),
    note: `the master dark of ${ours} s was scaled to ${theirs} s`,
  }
}

function isSame(a: number, b: number): boolean {
  return Math.abs(a - b) <= sameExposure * Math.max(a, b)
}

/**
 * Why a frame cannot be corrected with a master, or undefined when it can: another binning; for bias and dark another gain,
 * offset or readout mode; a dark of another temperature, or one that has its bias and another exposure. What a header does
 * not say is not held against it.
 */
export function misfit(
  type: MasterType,
  master: FitsHeader,
  frame: FitsHeader,
  limits: MasterLimits = {},
): string | undefined {
  const other = otherCard(sameCards[type], master, frame)
  if (other !== undefined || type !== 'dark') return other
  const most = limits.masterTemperatureC ?? defaultMasterLimits.masterTemperatureC
  return otherTemperature(master, frame, most) ?? otherExposure(master, frame)
}

const readoutCards = ['GAIN', 'OFFSET', 'READOUTM'] as const
const sameCards = {
  bias: ['XBINNING', 'YBINNING', 'BAYERPAT', ...readoutCards],
  dark: ['XBINNING', 'YBINNING', 'BAYERPAT', ...readoutCards],
  flat: ['XBINNING', 'YBINNING', 'BAYERPAT'],
} as const satisfies Record<MasterType, readonly string[]>

/** Whether the noise that a master measured is that of the frame's readout. */
export function sameReadout(master: FitsHeader, frame: FitsHeader): boolean {
  return otherCard(['XBINNING', 'YBINNING', ...readoutCards], master, frame) === undefined
}

function otherCard(cards: readonly string[], master: FitsHeader, frame: FitsHeader): string | undefined {
  for (const key of cards) {
    const [ours, theirs] = [master.get(key), frame.get(key)]
    if (ours === undefined || theirs === undefined || ours === theirs) continue
    return `its ${key} is ${String(ours)}, the frame’s ${String(theirs)}`
  }
  return undefined
}

function otherTemperature(master: FitsHeader, frame: FitsHeader, most: number): string | undefined {
  const [ours, theirs] = [master, frame].map((header) => header.number('CCD-TEMP') ?? header.number('SET-TEMP'))
  if (ours === undefined || theirs === undefined || Math.abs(ours - theirs) <= most) return undefined
  return `its sensor was at ${ours} °C, the frame’s at ${theirs} °C, more than ${most} apart (calibration.masterTemperatureC)`
}

function otherExposure(master: FitsHeader, frame: FitsHeader): string | undefined {
  if (master.flag('BIASSUB') !== false) return undefined
  const [ours, theirs] = [exposureSecondsOf(master), exposureSecondsOf(frame)]
  if (ours === undefined || theirs === undefined || isSame(ours, theirs)) return undefined
  return `it has its bias and ${ours} s, the frame ${theirs} s: take biases too, so that darks can be scaled`
}
