import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import { type FitsHeader, type HeaderEntries, real } from '../frames/fits/header.ts'
import { firstImage, frameHeaderOf, openFits, readFrame } from '../frames/fits/read.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { exposureSecondsOf, type MasterNoise, type Masters, trimmedHeader } from './calibrate.ts'
import { chooseMaster, type MasterChoice, type MasterLimits, type MasterType, sameReadout } from './masterChoice.ts'
import type { Master } from './masters.ts'
import type { MeasuredNoise } from './measuredCamera.ts'
import { geometryOf } from './overscan.ts'

/** Masters as files: what their headers say, and which of them a frame may be corrected with. */

/** Paths of the masters that there are of each kind; undefined where none is looked for. */
export interface MasterPaths {
  readonly bias?: readonly string[]
  readonly dark?: readonly string[]
  readonly flat?: readonly string[]
}

export interface MasterFile {
  readonly plane: Plane
  readonly header: FitsHeader
  readonly defects: MaskPlane
  readonly noise: MasterNoise | undefined
  readonly readNoiseAdu: number | undefined
  readonly gainElectronsPerAdu: number | undefined
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
  return {
    plane: science,
    header,
    defects: mask,
    noise,
    readNoiseAdu: header.number('RDNADU'),
    gainElectronsPerAdu: header.number('EGAINPT'),
  }
}

/** What a frame is corrected with, and what people should know of that. */
export interface FittingMasters {
  readonly masters: Masters
  /** One for each kind that was looked for. */
  readonly used: readonly UsedMaster[]
  /** What the used ones measured of the camera in the frame's readout mode. */
  readonly measured: MeasuredNoise
  /** Sentences for a frame's grade: masters that are too old or missing. */
  readonly warnings: readonly string[]
}

export interface UsedMaster extends Pick<MasterChoice, 'type' | 'rung' | 'note'> {
  readonly masterId?: string
}

/** The masters that fit a raw frame best. Planes are allocated from `compute`. Throws as `readFrame`. */
export function readMasters(
  compute: Compute,
  raw: FitsHeader,
  paths: MasterPaths,
  limits: MasterLimits = {},
): FittingMasters {
  const used: UsedMaster[] = []
  const read = (type: MasterType): MasterFile | undefined => {
    const candidates = paths[type]
    if (candidates === undefined) return undefined
    const { index, rung, note } = chooseMaster(type, candidates.map(headerOf), raw, limits)
    const master = index === undefined ? undefined : readMaster(compute, candidates[index]!)
    const masterId = master?.header.text('MASTERID')
    used.push({ type, rung, note, ...(masterId !== undefined && { masterId }) })
    return master
  }
  const [bias, dark, flat] = [read('bias'), read('dark'), read('flat')]
  const warnings = used.flatMap(({ rung, note }) => (note && (rung === 'old' || rung === 'none') ? [note] : []))
  return { masters: joinedMasters(bias, dark, flat), used, measured: measuredBy(raw, bias, flat), warnings }
}

function headerOf(path: string): FitsHeader {
  const file = openFits(path)
  return frameHeaderOf(file, firstImage(file))
}

type MaybeMaster = MasterFile | undefined

function joinedMasters(bias: MaybeMaster, dark: MaybeMaster, flat: MaybeMaster): Masters {
  const hasBias = dark !== undefined && dark.header.flag('BIASSUB') === false
  return {
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
}

function measuredBy(raw: FitsHeader, bias: MaybeMaster, flat: MaybeMaster): MeasuredNoise {
  return {
    readNoiseAdu: bias && sameReadout(bias.header, raw) ? bias.readNoiseAdu : undefined,
    gainElectronsPerAdu: flat && sameReadout(flat.header, raw) ? flat.gainElectronsPerAdu : undefined,
  }
}

/** Cards that name the masters of a frame, and a line of HISTORY for each. */
export function withMasters(header: FitsHeader, used: readonly UsedMaster[]): FitsHeader {
  return used.reduce((cards, { type, rung, note, masterId }) => {
    const named = masterId === undefined ? cards : cards.with(idCards[type], masterId, `master ${type}`)
    return named.withHistory(
      `nightjar masters: ${type} ${[masterId, rung].filter(Boolean).join(' ')}${note ? `: ${note}` : ''}`,
    )
  }, header)
}

const idCards = { bias: 'BIASID', dark: 'DARKID', flat: 'FLATID' } as const

/** All bits of both. */
function joined(a: MaskPlane | undefined, b: MaskPlane | undefined): MaskPlane | undefined {
  if (!a || !b || a.data.length !== b.data.length) return a ?? b
  for (let i = 0; i < a.data.length; i++) a.data[i]! |= b.data[i]!
  return a
}
