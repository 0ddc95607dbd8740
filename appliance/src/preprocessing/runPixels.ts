import { mkdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { CameraSettings, FieldSettings } from '../contract/config.ts'
import type { FrameQuality } from '../contract/records.ts'
import type { Compute } from '../frames/compute.ts'
import { FitsHeader, real } from '../frames/fits/header.ts'
import { openRowFile, type RowFile, rawSize, readRaw } from '../frames/fits/rawImage.ts'
import { openFits } from '../frames/fits/read.ts'
import { encodeFits, encodeFrame } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { wcsToHeader } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { writeDurably } from '../store/frameFiles.ts'
import type { Expected } from './grade.ts'
import { type MasterLimits, sameReadout } from './masterChoice.ts'
import {
  type MasterFile,
  type MasterPaths,
  masterHeader,
  readMaster,
  readMasters,
  type UsedMaster,
  withMasters,
} from './masterFiles.ts'
import { type Master, type MasterFrames, masterBias, masterDark, masterFlat } from './masters.ts'
import { measuredCamera } from './measuredCamera.ts'
import { measuredExtensions } from './measuredFrame.ts'
import { allocateLight, lightOf } from './mosaic.ts'
import { findBlindSolvers, solveBlind } from './runBlind.ts'
import { type Examination, type Expectation, examinedWith, examineFrame } from './task.ts'
import { pivotBvMag } from './zeroPoint.ts'

/** What the daemon asks of the pixel worker: files in, files and plain numbers out. Bytes depend on nothing but the input. */

export interface CalibrateInput {
  readonly rawPath: string
  readonly outPath: string
  /** Those that there are; the fitting ones are chosen by their headers. */
  readonly masters: MasterPaths
  readonly camera: CameraSettings
  /** How old and how much warmer or colder masters may be; the defaults when absent. */
  readonly calibration?: MasterLimits
  /** Where the frame should point; without it nothing is solved. */
  readonly field: Pick<FieldSettings, 'raDeg' | 'decDeg'> | undefined
  /** What good frames like it showed. */
  readonly expected?: Expected | undefined
}

const catalogue = openStarCatalogue()
/** How far from its field a frame may point and still be solved. */
const hintRadiusDeg = 1.5
/** Where Debian puts programs. */
const programFolders = '/usr/local/bin:/usr/bin'
/** A clouded frame must not hold up the night. */
const blindCpuSeconds = 20

/** Calibrates one raw file, measures and solves it, and writes the calibrated frame. */
export async function calibrateFile(compute: Compute, input: CalibrateInput): Promise<CalibrateOutput> {
  const { frame, quality, used, ...measured } = await examineRaw(compute, input)
  const bytes = encodeFrame(frame, { extensions: measuredExtensions(measured) })
  const { sha256 } = await writeDurably(input.outPath, bytes)
  return { quality, sha256, used }
}

export interface CalibrateOutput {
  readonly quality: FrameQuality
  readonly sha256: string
  /** The masters that it was corrected with. */
  readonly used: readonly UsedMaster[]
}

export interface RawExamination extends Examination {
  readonly used: readonly UsedMaster[]
}

/** The calibrated frame of a raw file, with what was learnt of it in its header too. Planes are allocated from `compute`. */
export async function examineRaw(compute: Compute, input: Omit<CalibrateInput, 'outPath'>): Promise<RawExamination> {
  const { calibrated, used, warnings } = calibrateRaw(compute, input)
  const { pixelMicrometres, focalLengthMillimetres } = input.camera
  const hint = input.field && {
    raDeg: input.field.raDeg,
    decDeg: input.field.decDeg,
    radiusDeg: hintRadiusDeg,
    scaleArcsecPerPixel:
      (206.264806 * pixelMicrometres * (calibrated.header.number('XBINNING') ?? 1)) / focalLengthMillimetres,
  }
  const expectation = { hint, expected: input.expected, saturationAdu: input.camera.saturationAdu }
  const hinted = examineFrame(compute, calibrated, { ...expectation, catalogue })
  const examination = input.camera.blindSolving
    ? await examineBlindly(compute, hinted.frame, hinted, expectation)
    : hinted
  const { frame, wcs } = examination
  const quality = { ...examination.quality, reasons: [...examination.quality.reasons, ...warnings] }
  const solved = wcs ? wcsToHeader(frame.header, wcs).with('PLTSOLVD', true, 'solved by Nightjar') : frame.header
  return { ...examination, used, quality, frame: { ...frame, header: solved.withAll(qualityCards(quality)) } }
}

/** The raw pixels and the masters are given back: the frame lies before them. */
function calibrateRaw(
  compute: Compute,
  input: Pick<CalibrateInput, 'rawPath' | 'masters' | 'calibration' | 'camera'>,
): { readonly calibrated: Frame; readonly used: readonly UsedMaster[]; readonly warnings: readonly string[] } {
  const file = openFits(input.rawPath)
  const planes = allocateLight(compute, rawSize(file), input.camera)
  using _scratch = compute.scope()
  const raw = readRaw(compute, file)
  const fitting = readMasters(compute, raw.header, input.masters, input.calibration)
  const { camera, warnings } = measuredCamera(input.camera, raw.header, fitting.measured)
  const plain = lightOf(compute, raw, fitting.masters, camera, planes)
  const header = warnings.reduce((cards, text) => cards.withHistory(text), withMasters(plain.header, fitting.used))
  return { calibrated: { ...plain, header }, used: fitting.used, warnings: [...fitting.warnings, ...warnings] }
}

/** Asks the blind solvers of this machine where a frame points that was not found near its field. */
async function examineBlindly(
  compute: Compute,
  frame: Frame,
  hinted: Examination,
  expectation: Expectation,
): Promise<Examination> {
  const { hint } = expectation
  if (!hint || !hinted.solution || hinted.solution.ok) return hinted
  const { stars } = hinted
  const { width, height } = frame
  const solution = await solveBlind({ stars, width, height, image: () => encodeFrame(frame) }, catalogue, {
    solvers: findBlindSolvers(programFolders),
    scaleArcsecPerPixel: hint.scaleArcsecPerPixel,
    cpuLimitSeconds: blindCpuSeconds,
  })
  return solution.ok ? examinedWith(compute, frame, hinted, solution, expectation) : hinted
}

function qualityCards(quality: FrameQuality): Parameters<FitsHeader['withAll']>[0] {
  const { zeroPointMag, zeroPointScatterMag, zeroPointErrorMag, zeroPointStars, limitingMag } = quality
  const { colourTerm, colourTermError } = quality
  return {
    NSTARS: [quality.stars, 'stars measured'],
    FWHM: [real(quality.fwhmPixels), '[px]'],
    ELLIPTIC: [real(quality.ellipticity), '1 - b/a'],
    SKYADU: [real(quality.skyAdu), '[ADU]'],
    ...(zeroPointMag !== undefined && {
      MAGZPT: [real(zeroPointMag), '[mag] V_T (Tycho-2) of 1 ADU in this exposure'] as const,
    }),
    ...(zeroPointScatterMag !== undefined && {
      MAGZRMS: [real(zeroPointScatterMag), '[mag] scatter of single stars'] as const,
    }),
    ...(zeroPointErrorMag !== undefined && { MAGZPUNC: [real(zeroPointErrorMag), '[mag] error of MAGZPT'] as const }),
    // The names of the Zwicky Transient Facility, which pipelines read.
    ...(colourTerm !== undefined && {
      PCOLOR: ['B - V', 'colour of CLRCOEFF'] as const,
      CLRZERO: [real(pivotBvMag), '[mag] colour that MAGZPT holds for'] as const,
      CLRCOEFF: [real(colourTerm), 'magnitudes per magnitude of colour'] as const,
    }),
    ...(colourTermError !== undefined && { CLRCOUNC: [real(colourTermError), 'error of CLRCOEFF'] as const }),
    ...(zeroPointStars !== undefined && { MAGZNUM: [zeroPointStars, 'stars of the zero point'] as const }),
    ...(limitingMag !== undefined && { MAGLIM: [real(limitingMag), 'half of injected stars are found'] as const }),
  }
}

export interface MasterInput {
  readonly type: 'bias' | 'dark' | 'flat'
  readonly rawPaths: readonly string[]
  readonly biasPath: string | undefined
  readonly outPath: string
  readonly camera: CameraSettings
  /** Of the master bias, ADU; from the camera settings when there is none. */
  readonly readNoiseAdu?: number | undefined
  /** Measured by flats; from the camera settings when there are none. */
  readonly gainElectronsPerAdu?: number | undefined
}

export interface MasterOutput {
  readonly sha256: string
  /** Those that were combined: of one gain, offset, binning and readout mode. */
  readonly frames: number
  readonly readNoiseAdu?: number
  readonly gainElectronsPerAdu?: number
}

/** Builds one master from raw files and writes it with its defect map. */
export async function buildMasterFile(compute: Compute, input: MasterInput): Promise<MasterOutput> {
  using open = new DisposableStack()
  const folder = dirname(input.outPath)
  mkdirSync(folder, { recursive: true, mode: 0o750 })
  const frames = ofOneReadout(input.rawPaths.map((path) => open.use(openRowFile(compute, path, folder))))
  const bias = input.biasPath === undefined ? undefined : readMaster(compute, input.biasPath)
  const master = masterOf(compute, input, frames, bias)
  const header = masterHeader(frames[0]?.header ?? FitsHeader.empty, master, {
    type: input.type,
    masterId: basename(input.outPath).replace(/\.fits$/, ''),
    isBiasSubtracted: bias !== undefined,
    camera: input.camera,
  })
  const planes = [
    { header, data: master.plane },
    ...(master.defects ? [{ data: master.defects, extname: 'MASK' }] : []),
  ]
  const { sha256 } = await writeDurably(input.outPath, encodeFits(planes))
  const { readNoiseAdu, gainElectronsPerAdu } = master
  return {
    sha256,
    frames: master.frames,
    ...(readNoiseAdu !== undefined && { readNoiseAdu }),
    ...(gainElectronsPerAdu !== undefined && { gainElectronsPerAdu }),
  }
}

/** The frames of the newest one's readout mode: settings were changed before it, and a mean of both would be of none. */
function ofOneReadout(frames: readonly RowFile[]): RowFile[] {
  const newest = frames.at(-1)
  return newest ? frames.filter((frame) => sameReadout(frame.header, newest.header)) : []
}

function masterOf(
  compute: Compute,
  { type, camera, readNoiseAdu, gainElectronsPerAdu = camera.gainElectronsPerAdu }: MasterInput,
  frames: MasterFrames,
  bias: MasterFile | undefined,
): Master {
  const { overscan, nonLinearity, saturationAdu } = camera
  const reduction = { ...(overscan && { overscan }), ...(nonLinearity && { nonLinearity }) }
  if (type === 'bias') return masterBias(compute, frames, reduction)
  if (type === 'dark') return masterDark(compute, frames, bias?.plane, { ...reduction, gainElectronsPerAdu })
  const noise = readNoiseAdu ?? bias?.readNoiseAdu ?? camera.readNoiseElectrons / gainElectronsPerAdu
  return masterFlat(compute, frames, {
    ...reduction,
    bias: bias?.plane,
    biasNoise: bias?.noise,
    readNoiseAdu: noise,
    saturationAdu,
  })
}
