import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import { type FitsHeader, type HeaderEntries, real } from '../frames/fits/header.ts'
import { type RawFrame, rawOf } from '../frames/fits/rawImage.ts'
import type { Frame } from '../frames/frame.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { markBloom } from './bloom.ts'
import { preprocessingError } from './errors.ts'
import { type Geometry, geometryOf, type OverscanLevels } from './overscan.ts'
import { frameLevels, sourceBlock } from './rawSource.ts'

/** The variance of a master's own pixel: `fixed` + `perSignal` · value, in the master's units. */
export interface MasterNoise {
  readonly fixed: number
  readonly perSignal: number
}

/** What a raw frame is corrected with; every plane has the shape of the raw frame's image section. */
export interface Masters {
  /** ADU. */
  readonly bias?: Plane | undefined
  readonly biasNoise?: MasterNoise | undefined
  /** ADU in `exposureSeconds`; bias-subtracted where there is a bias. */
  readonly dark?: { readonly plane: Plane; readonly exposureSeconds: number; readonly noise?: MasterNoise } | undefined
  /** Mean 1. */
  readonly flat?: Plane | undefined
  readonly flatNoise?: MasterNoise | undefined
  readonly defects?: MaskPlane | undefined
}

export type CameraFacts = Pick<
  CameraSettings,
  'gainElectronsPerAdu' | 'readNoiseElectrons' | 'saturationAdu' | 'bloom' | 'nonLinearity' | 'overscan'
>

const noNoise: MasterNoise = { fixed: 0, perSignal: 0 }

/**
 * Overscan, bias, non-linearity, dark and flat correction with mask and variance, as a new frame of the image section.
 * s = (raw − overscan − bias) made linear; science = (s − t·dark) / flat in ADU; variance in ADU² is
 * [ŝ/g + (r/g)²·(ds/draw)² + V_masters] / flat² + science²·V_flat/flat², g the gain in e⁻/ADU, r the read noise in e⁻ (with
 * quantisation), t the ratio of the exposure times (Howell, Handbook of CCD Astronomy, eq. 4.4; Janesick, Photon Transfer,
 * 2007, chapter 11 for the masters). V_masters = (1 − t)²·V_bias + t²·V_dark, for the bias was also taken from the dark.
 *
 * ŝ is the mean of the eight nearest pixels of the same colour where the pixel agrees with it within 3 σ, else s itself: a
 * variance taken from the pixel's own value is smaller where noise made the pixel faint, so that weighted sums come out low
 * (pulls of mean −0.5/σ, σ in electrons). Pixels at the cores of stars differ from their neighbours and keep their own.
 *
 * Saturated pixels and those that bled from them are marked. Throws `preprocessing/shape` when a master has another shape
 * and `preprocessing/section` for an overscan that does not fit.
 */
export function calibrate(
  compute: Compute,
  frame: Frame | RawFrame,
  masters: Masters,
  camera: CameraFacts,
  into?: CalibratedPlanes,
): Frame {
  const raw = 'pixels' in frame ? frame : rawOf(frame)
  const geometry = geometryOf(raw.header, raw.width, raw.height, camera.overscan)
  const { science, variance, mask } = into ?? allocateCalibrated(compute, raw, camera)
  const { width, height } = science
  checkShapes(masters, width, height)
  using _scratch = compute.scope()
  const levels = frameLevels(compute, raw.pixels, geometry)
  const darkScale = masters.dark ? darkRatio(raw.header, masters.dark.exposureSeconds) : 0
  const noise = noiseOf(masters, camera, darkScale, levels)
  const { nonLinearity, saturationAdu } = camera
  const bias = masters.bias?.pointer ?? 0
  const source = sourceBlock(compute, raw.pixels, geometry.trim.y0, { geometry, levels, bias, nonLinearity })
  const step = raw.header.has('BAYERPAT') ? 2 : 1
  const rowBytes = Math.ceil(((width + 16) * 4) / 128) * 128
  const scratch = compute.allocate((4 * step + 2) * rowBytes * compute.threads)
  const fullRows = compute.view(Int32Array, compute.allocate(height * 4), height, 1)
  compute.rows('calibrateRows', height, [
    source,
    raw.mask?.pointer ?? 0,
    masters.dark?.plane.pointer ?? 0,
    masters.flat?.pointer ?? 0,
    masters.defects?.pointer ?? 0,
    mask.pointer,
    science.pointer,
    variance.pointer,
    fullRows.pointer,
    width,
    height,
    step,
    darkScale,
    1 / camera.gainElectronsPerAdu,
    noise.read,
    noise.fixed,
    noise.darkShot,
    noise.flat.fixed,
    noise.flat.perSignal,
    Math.min(saturationAdu, raw.saturationAdu),
    scratch,
    rowBytes,
  ])
  markBloom(mask, fullRows.data, camera.bloom ?? 'columns')
  return { header: headerOf(raw.header, masters, camera, geometry, darkScale), width, height, science, mask, variance }
}

/** Where `calibrate` writes. */
export interface CalibratedPlanes {
  readonly science: Plane
  readonly variance: Plane
  readonly mask: MaskPlane
}

/** Planes for a raw frame of this size, so that its pixels and the masters can be given back before what is made of them. */
export function allocateCalibrated(
  compute: Compute,
  raw: Pick<RawFrame, 'header' | 'width' | 'height'>,
  camera: Pick<CameraFacts, 'overscan'>,
): CalibratedPlanes {
  const [width, height] = sizeOf(geometryOf(raw.header, raw.width, raw.height, camera.overscan))
  // Every pixel is written: planes of zeros would be filled twice.
  return {
    science: compute.view(Float32Array, compute.allocate(width * height * 4), width, height),
    variance: compute.view(Float32Array, compute.allocate(width * height * 4), width, height),
    mask: compute.view(Uint16Array, compute.allocate(width * height * 2), width, height),
  }
}

/** Overscan, bias, non-linearity, dark and flat alone: `calibrate`'s science without its mask; BLANK pixels are NaN. */
export function signalOf(compute: Compute, frame: Frame | RawFrame, masters: Masters, camera: CameraFacts): Plane {
  const raw = 'pixels' in frame ? frame : rawOf(frame)
  const geometry = geometryOf(raw.header, raw.width, raw.height, camera.overscan)
  const [width, height] = sizeOf(geometry)
  checkShapes(masters, width, height)
  const out = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  using _scratch = compute.scope()
  const levels = frameLevels(compute, raw.pixels, geometry)
  const bias = masters.bias?.pointer ?? 0
  const { nonLinearity } = camera
  const source = sourceBlock(compute, raw.pixels, geometry.trim.y0, { geometry, levels, bias, nonLinearity })
  const darkScale = masters.dark ? darkRatio(raw.header, masters.dark.exposureSeconds) : 0
  const [dark, flat] = [masters.dark?.plane.pointer ?? 0, masters.flat?.pointer ?? 0]
  compute.rows('signalRows', height, [source, dark, flat, out.pointer, width, darkScale])
  return out
}

function sizeOf({ trim }: Geometry): readonly [number, number] {
  return [trim.x1 - trim.x0, trim.y1 - trim.y0]
}

function planesOf({ bias, dark, flat, defects }: Masters): Record<string, Plane | MaskPlane | undefined> {
  return { bias, dark: dark?.plane, flat, defects }
}

function checkShapes(masters: Masters, width: number, height: number): void {
  for (const [name, plane] of Object.entries(planesOf(masters))) {
    if (!plane || (plane.width === width && plane.height === height)) continue
    const sizes = `${plane.width} × ${plane.height}, the frame ${width} × ${height}`
    const fix = 'use a master of the same camera and binning'
    throw preprocessingError('shape', `the ${name} master has ${sizes} pixels: ${fix}`)
  }
}

interface FrameNoise {
  /** Variance of one reading, with its overscan level's, ADU². */
  readonly read: number
  /** Of bias and dark without its signal. */
  readonly fixed: number
  /** Per ADU of the dark. */
  readonly darkShot: number
  readonly flat: MasterNoise
}

function noiseOf(masters: Masters, camera: CameraFacts, t: number, levels: OverscanLevels | undefined): FrameNoise {
  const read = (camera.readNoiseElectrons / camera.gainElectronsPerAdu) ** 2
  const bias = masters.bias ? (masters.biasNoise ?? noNoise) : noNoise
  const dark = masters.dark?.noise ?? noNoise
  const biasShare = masters.dark ? (1 - t) ** 2 : 1
  return {
    read: read * (1 + (levels ? 1 / levels.pixels : 0)),
    fixed: biasShare * bias.fixed + t * t * dark.fixed,
    darkShot: t * t * dark.perSignal,
    flat: masters.flatNoise ?? noNoise,
  }
}

/** EXPTIME, or EXPOSURE where cameras write that. */
export function exposureSecondsOf(header: FitsHeader): number | undefined {
  return header.number('EXPTIME') ?? header.number('EXPOSURE')
}

/** A dark without exposure time is taken as it is. */
function darkRatio(header: FitsHeader, darkSeconds: number): number {
  const seconds = exposureSecondsOf(header)
  return seconds === undefined || darkSeconds <= 0 ? 1 : seconds / darkSeconds
}

/** Cards that say where the image was in the raw frame; untrue once it is trimmed. */
const sectionCards = ['BIASSEC', 'TRIMSEC', 'DATASEC', 'CCDSEC', 'DETSEC', 'AMPSEC'] as const

/** The header without its overscan, the WCS moved along. */
export function trimmedHeader(header: FitsHeader, { trim, overscan, isWhole }: Geometry): FitsHeader {
  if (isWhole && !overscan) return header
  const [x, y] = [header.number('CRPIX1'), header.number('CRPIX2')]
  const moved = x === undefined || y === undefined ? {} : { CRPIX1: real(x - trim.x0), CRPIX2: real(y - trim.y0) }
  return header.without(...sectionCards).withAll(moved)
}

function headerOf(
  raw: FitsHeader,
  masters: Masters,
  camera: CameraFacts,
  geometry: Geometry,
  darkScale: number,
): FitsHeader {
  const used = Object.entries(planesOf(masters)).flatMap(([name, master]) => (master ? [name] : []))
  const { gainElectronsPerAdu, readNoiseElectrons, saturationAdu } = camera
  const steps = [geometry.overscan && 'overscan', ...used, camera.nonLinearity?.length && 'linear'].filter(Boolean)
  const cards: HeaderEntries = {
    BUNIT: ['adu', 'unit of the pixels'],
    EGAIN: [real(gainElectronsPerAdu), '[e-/ADU]'],
    RDNOISE: [real(readNoiseElectrons), '[e-]'],
    SATURATE: [real(saturationAdu), '[ADU] in the raw frame'],
    ...(geometry.overscan && { OVERSCAN: [true, 'overscan subtracted, frame trimmed'] as const }),
    ...(masters.bias && { BIASSUB: [true, 'bias subtracted'] as const }),
    ...(masters.dark && { DARKSUB: [true, 'dark subtracted'] as const }),
    ...(masters.flat && { FLATCOR: [true, 'divided by the flat'] as const }),
    ...(camera.nonLinearity?.length && { NONLINCR: [true, 'made linear'] as const }),
  }
  const scaled = masters.dark ? `, dark scaled by ${darkScale.toPrecision(4)}` : ''
  return trimmedHeader(raw, geometry)
    .withAll(cards)
    .withHistory(`nightjar calibrate 2: ${steps.join(' ') || 'nothing'}${scaled}`)
}
