import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { medianAndMad } from '../frames/statistics.ts'
import { type CameraFacts, calibrate, type Masters } from '../preprocessing/calibrate.ts'
import { cosmicRays } from '../preprocessing/cosmicRays.ts'
import { type Master, masterBias, masterDark, masterFlat } from '../preprocessing/masters.ts'
import { replaceFile } from './replaceFile.ts'

export const help = `Usage: nightjar calibrate RAW… --out DIR [--bias FILE]… [--dark FILE]… [--flat FILE]…
                 [--gain E] [--read-noise E] [--saturation ADU] [--cosmic-rays] [--json]

Subtracts bias and dark, divides by the flat, and writes DIR/NAME-cal.fits with the science image (ADU), MASK and VARIANCE.

  --bias FILE       a master, or several raw frames (repeat the option): they are stacked
  --dark FILE       as --bias; scaled by the exposure time when there is a bias
  --flat FILE       as --bias
  --gain E          electrons per ADU            (default: EGAIN of the raw frame, else from two flats and two biases)
  --read-noise E    electrons                    (default: RDNOISE of the raw frame, else from two biases)
  --saturation ADU  full pixels read this much   (default: SATURATE of the raw frame, else 65535)
  --cosmic-rays     marks cosmic rays in the mask
  --json            prints one JSON object for each frame`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      bias: { type: 'string', multiple: true, default: [] },
      dark: { type: 'string', multiple: true, default: [] },
      flat: { type: 'string', multiple: true, default: [] },
      gain: { type: 'string' },
      'read-noise': { type: 'string' },
      saturation: { type: 'string' },
      'cosmic-rays': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const { out } = values
  if (positionals.length === 0) throw new NightjarError('cli/usage', 'name at least one raw FITS file')
  if (out === undefined) throw new NightjarError('cli/usage', 'name the folder for the results: --out DIR')
  using compute = createCompute()
  const given = {
    gain: optional('--gain', values.gain),
    readNoise: optional('--read-noise', values['read-noise']),
    saturation: optional('--saturation', values.saturation),
  }
  const set = readMasters(compute, values, given)
  for (const path of positionals) {
    using _frame = compute.scope()
    const raw = readFrame(compute, path)
    const camera = cameraOf(raw, set, given)
    const calibrated = calibrate(compute, raw, set.mastersFor(raw, path), camera)
    const { frame, hits } = values['cosmic-rays'] ? cosmicRays(compute, calibrated) : { frame: calibrated, hits: 0 }
    const target = join(out, `${basename(path).replace(/\.(fits?|fts)(\.(gz|fz))?$/i, '')}-cal.fits`)
    if (resolve(target) === resolve(path)) throw new NightjarError('cli/usage', `${target} would replace its raw frame`)
    await replaceFile(target, encodeFrame(frame))
    report(compute, target, frame, camera, values['cosmic-rays'] ? hits : undefined, values.json)
  }
  return 0
}

interface Given {
  readonly gain: number | undefined
  readonly readNoise: number | undefined
  readonly saturation: number | undefined
}

/** What was read and measured from the calibration files. */
interface MasterSet {
  readonly readNoiseAdu: number | undefined
  readonly gainElectronsPerAdu: number | undefined
  mastersFor(raw: Frame, path: string): Masters
}

function optional(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

interface Paths {
  readonly bias: readonly string[]
  readonly dark: readonly string[]
  readonly flat: readonly string[]
}

function readMasters(compute: Compute, paths: Paths, given: Given): MasterSet {
  const read = (path: string): Frame => readFrame(compute, path)
  const biases = paths.bias.map(read)
  const bias = biases.length > 1 ? masterBias(compute, biases) : single(biases)
  const darks = paths.dark.map(read)
  const dark = darkOf(compute, darks, bias?.plane)
  const flats = paths.flat.map(read)
  const readNoiseAdu = bias?.readNoiseAdu
  const saturationAdu = given.saturation ?? flats[0]?.header.number('SATURATE') ?? 65535
  const flat =
    flats.length > 1
      ? masterFlat(compute, flats, { bias: bias?.plane, readNoiseAdu: readNoiseAdu ?? 0, saturationAdu })
      : flats[0] && singleFlat(compute, flats[0], bias?.plane)
  const defects = joined(dark?.defects, flat?.defects)
  const darkSeconds = darks[0] && exposureOf(darks[0])
  return {
    readNoiseAdu,
    gainElectronsPerAdu: readNoiseAdu === undefined ? undefined : flat?.gainElectronsPerAdu,
    mastersFor: (raw, path) => {
      checkDark(raw, path, dark?.hasBias === true, darkSeconds)
      return {
        bias: dark?.hasBias ? undefined : bias?.plane,
        dark: dark && { plane: dark.plane, exposureSeconds: dark.hasBias ? 0 : (darkSeconds ?? 0) },
        flat: flat?.plane,
        defects,
      }
    },
  }
}

/** EXPTIME, or EXPOSURE where cameras write that. */
function exposureOf(frame: Frame): number | undefined {
  return frame.header.number('EXPTIME') ?? frame.header.number('EXPOSURE')
}

function single(frames: readonly Frame[]): Master | undefined {
  return frames[0] && { plane: frames[0].science, frames: 1 }
}

interface Dark extends Master {
  /** The bias is still in it: it can be used for its own exposure time only. */
  readonly hasBias: boolean
}

function darkOf(compute: Compute, darks: readonly Frame[], bias: Plane | undefined): Dark | undefined {
  const [first] = darks
  if (!first) return undefined
  if (darks.length > 1) return { ...masterDark(compute, darks, bias), hasBias: bias === undefined }
  const ready = first.header.flag('BIASSUB') === true
  if (ready || !bias) return { plane: first.science, frames: 1, hasBias: !ready, defects: first.mask }
  const plane = compute.float32(first.width, first.height)
  checkShape('bias', bias, first)
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = first.science.data[i]! - bias.data[i]!
  return { plane, frames: 1, hasBias: false, defects: first.mask }
}

function checkShape(name: string, plane: Plane, frame: Frame): void {
  if (plane.width === frame.width && plane.height === frame.height) return
  const sizes = `${plane.width} × ${plane.height}, the dark or flat ${frame.width} × ${frame.height}`
  throw new NightjarError('calibrate/shape', `the ${name} is ${sizes} pixels: use frames of one binning and subframe`)
}

function checkDark(raw: Frame, path: string, hasBias: boolean, darkSeconds: number | undefined): void {
  const seconds = exposureOf(raw)
  if (!hasBias || seconds === undefined || darkSeconds === undefined) return
  if (Math.abs(seconds - darkSeconds) <= 0.01 * Math.max(seconds, darkSeconds)) return
  throw new NightjarError(
    'calibrate/exposure',
    `${path}: exposed ${seconds} s but the dark ${darkSeconds} s: give --bias too, so that the dark can be scaled`,
  )
}

/** One flat: a master of mean 1 is taken as it is, anything else is made one. */
function singleFlat(compute: Compute, flat: Frame, bias: Plane | undefined): Master {
  const { median } = medianAndMad(compute, flat.science, { mask: flat.mask })
  if (median > 0.5 && median < 1.5) return { plane: flat.science, frames: 1, defects: flat.mask }
  const plane = compute.float32(flat.width, flat.height)
  if (bias) checkShape('bias', bias, flat)
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = flat.science.data[i]! - (bias ? bias.data[i]! : 0)
  const level = medianAndMad(compute, plane, { mask: flat.mask }).median
  if (!(level > 0))
    throw new NightjarError('calibrate/flat', 'the flat has no light in it after its bias was taken out')
  for (let i = 0; i < plane.data.length; i++) plane.data[i]! /= level
  return { plane, frames: 1, defects: flat.mask }
}

function joined(a: MaskPlane | undefined, b: MaskPlane | undefined): MaskPlane | undefined {
  if (!a || !b || a.data.length !== b.data.length) return a ?? b
  for (let i = 0; i < a.data.length; i++) a.data[i]! |= b.data[i]!
  return a
}

/** Given, else the header's, else measured; a camera of which nothing is known counts as 1 e⁻/ADU. */
function cameraOf(raw: Frame, set: MasterSet, given: Given): CameraFacts {
  const gain = given.gain ?? raw.header.number('EGAIN') ?? set.gainElectronsPerAdu ?? 1
  const measured = set.readNoiseAdu === undefined ? undefined : set.readNoiseAdu * gain
  return {
    gainElectronsPerAdu: gain > 0 ? gain : 1,
    readNoiseElectrons: given.readNoise ?? raw.header.number('RDNOISE') ?? measured ?? 0,
    saturationAdu: given.saturation ?? raw.header.number('SATURATE') ?? 65535,
  }
}

function report(
  compute: Compute,
  path: string,
  frame: Frame,
  camera: CameraFacts,
  cosmicRayPixels: number | undefined,
  json: boolean,
): void {
  const { median } = medianAndMad(compute, frame.science)
  const masked = frame.mask.data.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0)
  const { gainElectronsPerAdu: gain, readNoiseElectrons: readNoise } = camera
  if (json) {
    const hits = cosmicRayPixels === undefined ? {} : { cosmicRayPixels }
    console.log(JSON.stringify({ path, medianAdu: median, maskedPixels: masked, ...camera, ...hits }))
    return
  }
  const hits = cosmicRayPixels === undefined ? '' : `, ${cosmicRayPixels} pixels struck by cosmic rays`
  const noise = `gain ${gain.toPrecision(4)} e⁻/ADU, read noise ${readNoise.toPrecision(4)} e⁻`
  console.log(`${path}: median ${median.toFixed(1)} ADU, ${masked} pixels masked${hits}; ${noise}`)
}
