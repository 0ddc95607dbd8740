import type { CameraSettings, FieldSettings } from '../contract/config.ts'
import type { FrameQuality } from '../contract/records.ts'
import type { Compute } from '../frames/compute.ts'
import { FitsHeader, real } from '../frames/fits/header.ts'
import { readRaw } from '../frames/fits/rawImage.ts'
import { openFits, readFrame, readImage } from '../frames/fits/read.ts'
import { encodeFits, encodeFrame } from '../frames/fits/write.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { wcsToHeader } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { writeDurably } from '../store/frameFiles.ts'
import { calibrate, type Masters } from './calibrate.ts'
import type { Expected } from './grade.ts'
import { type Master, masterBias, masterDark, masterFlat } from './masters.ts'
import { examineFrame } from './task.ts'

/** What the daemon asks of the pixel worker: files in, files and plain numbers out. Bytes depend on nothing but the input. */

export interface MasterPaths {
  readonly biasPath?: string
  readonly darkPath?: string
  readonly flatPath?: string
}

export interface CalibrateInput {
  readonly rawPath: string
  readonly outPath: string
  readonly masters: MasterPaths
  readonly camera: CameraSettings
  /** Where the frame should point; without it nothing is solved. */
  readonly field: FieldSettings | undefined
  /** What good frames like it showed. */
  readonly expected?: Expected | undefined
}

const catalogue = openStarCatalogue()
/** How far from its field a frame may point and still be solved. */
const hintRadiusDeg = 1.5

/** Calibrates one raw file, measures and solves it, and writes the calibrated frame. */
export async function calibrateFile(
  compute: Compute,
  input: CalibrateInput,
): Promise<{ readonly quality: FrameQuality; readonly sha256: string }> {
  const raw = readRaw(compute, input.rawPath)
  const calibrated = calibrate(compute, raw, readMasters(compute, input.masters), input.camera)
  const { pixelMicrometres, focalLengthMillimetres } = input.camera
  const hint = input.field && {
    raDeg: input.field.raDeg,
    decDeg: input.field.decDeg,
    radiusDeg: hintRadiusDeg,
    scaleArcsecPerPixel:
      (206.264806 * pixelMicrometres * (raw.header.number('XBINNING') ?? 1)) / focalLengthMillimetres,
  }
  const { quality, wcs } = examineFrame(compute, calibrated, {
    hint,
    expected: input.expected,
    saturationAdu: input.camera.saturationAdu,
    catalogue,
  })
  const solved = wcs
    ? wcsToHeader(calibrated.header, wcs).with('PLTSOLVD', true, 'solved by Nightjar')
    : calibrated.header
  const header = solved.withAll(qualityCards(quality))
  const { sha256 } = await writeDurably(input.outPath, encodeFrame({ ...calibrated, header }))
  return { quality, sha256 }
}

function qualityCards(quality: FrameQuality): Parameters<FitsHeader['withAll']>[0] {
  const { zeroPointMag, zeroPointScatterMag, zeroPointStars, limitingMag } = quality
  return {
    NSTARS: [quality.stars, 'stars measured'],
    FWHM: [real(quality.fwhmPixels), '[px]'],
    ELLIPTIC: [real(quality.ellipticity), '1 - b/a'],
    SKYADU: [real(quality.skyAdu), '[ADU]'],
    ...(zeroPointMag !== undefined && { MAGZPT: [real(zeroPointMag), 'magnitude of 1 ADU in this exposure'] as const }),
    ...(zeroPointScatterMag !== undefined && {
      MAGZRMS: [real(zeroPointScatterMag), '[mag] scatter of single stars'] as const,
    }),
    ...(zeroPointStars !== undefined && { MAGZNUM: [zeroPointStars, 'stars of the zero point'] as const }),
    ...(limitingMag !== undefined && { MAGLIM: [real(limitingMag), 'half of injected stars are found'] as const }),
  }
}

function readMasters(compute: Compute, paths: MasterPaths): Masters {
  const dark = paths.darkPath === undefined ? undefined : readMaster(compute, paths.darkPath)
  const flat = paths.flatPath === undefined ? undefined : readMaster(compute, paths.flatPath)
  return {
    bias: paths.biasPath === undefined ? undefined : readMaster(compute, paths.biasPath).plane,
    dark: dark && { plane: dark.plane, exposureSeconds: dark.header.number('EXPTIME') ?? 0 },
    flat: flat?.plane,
    defects: joined(dark?.defects, flat?.defects),
  }
}

function readMaster(
  compute: Compute,
  path: string,
): { plane: Plane; defects: MaskPlane | undefined; header: FitsHeader } {
  const frame = readFrame(compute, path)
  return { plane: frame.science, defects: frame.mask, header: frame.header }
}

/** All bits of both. */
function joined(a: MaskPlane | undefined, b: MaskPlane | undefined): MaskPlane | undefined {
  if (!a || !b) return a ?? b
  for (let i = 0; i < a.data.length; i++) a.data[i]! |= b.data[i]!
  return a
}

export interface MasterInput {
  readonly type: 'bias' | 'dark' | 'flat'
  readonly rawPaths: readonly string[]
  readonly biasPath: string | undefined
  readonly outPath: string
  readonly camera: CameraSettings
  /** Of the master bias, ADU; from the camera settings when there is none. */
  readonly readNoiseAdu: number | undefined
}

export interface MasterOutput {
  readonly sha256: string
  readonly readNoiseAdu?: number
  readonly gainElectronsPerAdu?: number
}

/** Builds one master from raw files and writes it with its defect map. */
export async function buildMasterFile(compute: Compute, input: MasterInput): Promise<MasterOutput> {
  const frames = input.rawPaths.map((path) => readFrame(compute, path))
  const bias = input.biasPath === undefined ? undefined : readImage(compute, openFits(input.biasPath))
  const master = masterOf(compute, input, frames, bias)
  const header = (frames[0]?.header ?? FitsHeader.empty)
    .without('CHECKSUM', 'DATASUM', 'FRAMEID', 'BZERO', 'BSCALE', 'SATURATE')
    .withAll({ NCOMBINE: [frames.length, 'frames in this master'], IMAGETYP: `Master ${input.type}` })
  const planes = [
    { header, data: master.plane },
    ...(master.defects ? [{ data: master.defects, extname: 'MASK' }] : []),
  ]
  const { sha256 } = await writeDurably(input.outPath, encodeFits(planes))
  const { readNoiseAdu, gainElectronsPerAdu } = master
  return {
    sha256,
    ...(readNoiseAdu !== undefined && { readNoiseAdu }),
    ...(gainElectronsPerAdu !== undefined && { gainElectronsPerAdu }),
  }
}

function masterOf(
  compute: Compute,
  input: MasterInput,
  frames: Parameters<typeof masterBias>[1],
  bias: Plane | undefined,
): Master {
  if (input.type === 'bias') return masterBias(compute, frames)
  if (input.type === 'dark') return masterDark(compute, frames, bias)
  const { readNoiseElectrons, gainElectronsPerAdu, saturationAdu } = input.camera
  const readNoiseAdu = input.readNoiseAdu ?? readNoiseElectrons / gainElectronsPerAdu
  return masterFlat(compute, frames, { bias, readNoiseAdu, saturationAdu })
}
