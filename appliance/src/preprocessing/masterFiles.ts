import type { CalibrationSettings, CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import { type FitsHeader, type HeaderEntries, real } from '../frames/fits/header.ts'
import { firstImage, frameHeaderOf, openFits, readFrame } from '../frames/fits/read.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { exposureSecondsOf, type MasterNoise, type Masters, trimmedHeader } from './calibrate.ts'
import type { Master } from './masters.ts'
import { geometryOf } from './overscan.ts'

/** Masters as files: what their headers say, and which of them a frame may be corrected with. */

export interface MasterPaths {
  readonly biasPath?: string
  readonly darkPath?: string
  readonly flatPath?: string
}

export type MasterType = 'bias' | 'dark' | 'flat'

export type MasterLimits = Pick<CalibrationSettings, 'masterDays' | 'masterTemperatureC'>

/** What holds when the settings say nothing. */
export const defaultMasterLimits = { masterDays: 30, masterTemperatureC: 2 } as const

/** A dark that still has its bias fits exposures this much longer or shorter. */
const sameExposure = 0.01

export interface MasterFile {
  readonly plane: Plane
  readonly header: FitsHeader
  readonly defects: MaskPlane
  readonly noise: MasterNoise | undefined
  readonly readNoiseAdu: number | undefined
}

/**
 * The header of a master: that of its first frame with the number of frames and the master's own noise. The variance of a
 * pixel of value v is MVARFIX + MVARSIG · v: two cards tell it as well as a plane would (the widths of pulls stay within
 * 0.5 % of 1) and cost neither memory nor time.
 */
export function masterHeader(
  first: FitsHeader,
  master: Master,
  about: {
    readonly type: MasterType
    readonly masterId: string
    readonly isBiasSubtracted: boolean
    readonly camera: Pick<CameraSettings, 'overscan'>
  },
): FitsHeader {
  const { noise, readNoiseAdu, gainElectronsPerAdu, frames, plane } = master
  const { type, masterId, isBiasSubtracted, camera } = about
  const [width, height] = [first.number('NAXIS1') ?? plane.width, first.number('NAXIS2') ?? plane.height]
  const unit = type === 'flat' ? '1' : 'ADU'
  const cards: HeaderEntries = {
    IMAGETYP: `Master ${type}`,
    MASTERID: masterId,
    NCOMBINE: [frames, 'frames in this master'],
    BUNIT: [type === 'flat' ? '' : 'adu', 'unit of the pixels'],
    BIASSUB: [type !== 'bias' && isBiasSubtracted, 'bias subtracted'],
    ...(noise && {
      MVARFIX: [real(noise.fixed), `[${unit}2] variance of a pixel without its signal`] as const,
      MVARSIG: [real(noise.perSignal), `[${unit}] variance for each unit of its value`] as const,
    }),
    ...(readNoiseAdu !== undefined && {
      RDNADU: [real(readNoiseAdu), '[ADU] read noise, from pairs of biases'] as const,
    }),
    ...(gainElectronsPerAdu !== undefined && {
      EGAINPT: [real(gainElectronsPerAdu), '[e-/ADU] from pairs of flats'] as const,
    }),
  }
  return trimmedHeader(first, geometryOf(first, width, height, camera.overscan))
    .without('CHECKSUM', 'DATASUM', 'FRAMEID', 'BZERO', 'BSCALE', 'BLANK', 'SATURATE')
    .withAll(cards)
}

/** Throws as `readFrame`. */
export function readMaster(compute: Compute, path: string): MasterFile {
  const { science, mask, header } = readFrame(compute, path)
  const [fixed, perSignal] = [header.number('MVARFIX'), header.number('MVARSIG')]
  const noise = fixed === undefined || perSignal === undefined ? undefined : { fixed, perSignal }
  return { plane: science, header, defects: mask, noise, readNoiseAdu: header.number('RDNADU') }
}

/** The masters that fit a raw frame, and a sentence for each that does not. */
export function readMasters(
  compute: Compute,
  raw: FitsHeader,
  paths: MasterPaths,
  limits: MasterLimits = {},
): { readonly masters: Masters; readonly refused: readonly string[] } {
  const refused: string[] = []
  const read = (type: MasterType, path: string | undefined): MasterFile | undefined => {
    if (path === undefined) return undefined
    const file = openFits(path)
    const why = misfit(type, frameHeaderOf(file, firstImage(file)), raw, limits)
    if (why === undefined) return readMaster(compute, path)
    refused.push(`the master ${type} was not used: ${why}`)
    return undefined
  }
  const [bias, dark, flat] = [read('bias', paths.biasPath), read('dark', paths.darkPath), read('flat', paths.flatPath)]
  const hasBias = dark !== undefined && dark.header.flag('BIASSUB') === false
  const masters = {
    bias: hasBias ? undefined : bias?.plane,
    biasNoise: bias?.noise,
    dark: dark && {
      plane: dark.plane,
      exposureSeconds: hasBias ? 0 : (exposureSecondsOf(dark.header) ?? 0),
      ...(dark.noise && { noise: dark.noise }),
    },
    flat: flat?.plane,
    flatNoise: flat?.noise,
    defects: joined(dark?.defects, flat?.defects),
  }
  return { masters, refused }
}

/**
 * Why a frame should not be corrected with a master, or undefined when it may: another binning; for bias and dark another
 * gain, offset or readout mode; a dark of another temperature, or one that has its bias and another exposure; a master too
 * old (from the frames' own DATE-OBS). What a header does not say is not held against it.
 */
export function misfit(
  type: MasterType,
  master: FitsHeader,
  frame: FitsHeader,
  limits: MasterLimits = {},
): string | undefined {
  return (
    otherCard(type, master, frame) ??
    tooOld(master, frame, limits.masterDays ?? defaultMasterLimits.masterDays) ??
    (type === 'dark'
      ? (otherTemperature(master, frame, limits.masterTemperatureC ?? defaultMasterLimits.masterTemperatureC) ??
        otherExposure(master, frame))
      : undefined)
  )
}

const sameCards = {
  bias: ['XBINNING', 'YBINNING', 'GAIN', 'OFFSET', 'READOUTM'],
  dark: ['XBINNING', 'YBINNING', 'GAIN', 'OFFSET', 'READOUTM'],
  flat: ['XBINNING', 'YBINNING'],
} as const

function otherCard(type: MasterType, master: FitsHeader, frame: FitsHeader): string | undefined {
  for (const key of sameCards[type]) {
    const [ours, theirs] = [master.get(key), frame.get(key)]
    if (ours === undefined || theirs === undefined || ours === theirs) continue
    return `its ${key} is ${String(ours)}, the frame’s ${String(theirs)}`
  }
  return undefined
}

function tooOld(master: FitsHeader, frame: FitsHeader, mostDays: number): string | undefined {
  const [ours, theirs] = [master, frame].map((header) => Date.parse(`${header.text('DATE-OBS')?.replace(/Z$/, '')}Z`))
  const days = Math.abs(theirs! - ours!) / 86_400_000
  if (!(days > mostDays)) return undefined
  return `it was taken ${days.toFixed(0)} days from the frame, more than ${mostDays} (calibration.masterDays)`
}

function otherTemperature(master: FitsHeader, frame: FitsHeader, most: number): string | undefined {
  const [ours, theirs] = [master, frame].map((header) => header.number('CCD-TEMP') ?? header.number('SET-TEMP'))
  if (ours === undefined || theirs === undefined || Math.abs(ours - theirs) <= most) return undefined
  return `its sensor was at ${ours} °C, the frame’s at ${theirs} °C, more than ${most} apart (calibration.masterTemperatureC)`
}

function otherExposure(master: FitsHeader, frame: FitsHeader): string | undefined {
  if (master.flag('BIASSUB') !== false) return undefined
  const [ours, theirs] = [exposureSecondsOf(master), exposureSecondsOf(frame)]
  if (ours === undefined || theirs === undefined) return undefined
  if (Math.abs(ours - theirs) <= sameExposure * Math.max(ours, theirs)) return undefined
  return `it has its bias and ${ours} s, the frame ${theirs} s: take biases too, so that darks can be scaled`
}

/** All bits of both. */
function joined(a: MaskPlane | undefined, b: MaskPlane | undefined): MaskPlane | undefined {
  if (!a || !b || a.data.length !== b.data.length) return a ?? b
  for (let i = 0; i < a.data.length; i++) a.data[i]! |= b.data[i]!
  return a
}
