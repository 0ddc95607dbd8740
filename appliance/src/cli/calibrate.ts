import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type CameraSettings, defaultSettings } from '../contract/config.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { rawSize, readRaw } from '../frames/fits/rawImage.ts'
import { firstImage, frameHeaderOf, openFits } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { medianAndMad } from '../frames/statistics.ts'
import { allocateCalibrated, calibrate } from '../preprocessing/calibrate.ts'
import { markCosmicRays } from '../preprocessing/cosmicRaysFound.ts'
import type { MasterLimits } from '../preprocessing/masterChoice.ts'
import { type FittingMasters, type MasterPaths, readMasters, withMasters } from '../preprocessing/masterFiles.ts'
import { type MeasuredCamera, measuredCamera } from '../preprocessing/measuredCamera.ts'
import { allocateLight, lightOf } from '../preprocessing/mosaic.ts'
import { describeMaster, makeMasters, pathsOf } from './calibrationMasters.ts'
import { replaceFile } from './replaceFile.ts'

export const help = `Usage: nightjar calibrate RAW… --out DIR [--bias FILE]… [--dark FILE]… [--flat FILE]… [--masters DIR]
                 [--gain E] [--read-noise E] [--saturation ADU] [--non-linearity C1,C2…] [--temperature C]
                 [--cosmic-rays] [--keep-mosaic] [--json]

Subtracts bias and dark, divides by the flat, and writes DIR/NAME-cal.fits with the science image (ADU), MASK and VARIANCE,
which holds the noise of the masters too. Frames are read one after the other, calibration frames a few rows at a time.

  --bias FILE       a master, or several raw frames (repeat the option): they are stacked
  --dark FILE       as --bias; scaled by the exposure time when there is a bias
  --flat FILE       as --bias
  --masters DIR     keeps the masters that were made there
  --gain E          electrons per ADU           (default: measured from flats and biases, else EGAIN of the raw frame, else 1)
  --read-noise E    electrons                   (default: measured from biases, else RDNOISE of the raw frame, else 0)
  --saturation ADU  full pixels read this much  (default: SATURATE of the raw frame, else 65535)
  --non-linearity   c1,c2… of true = s (1 + c1 s + c2 s² …), s in ADU above the bias; see nightjar linearity
  --temperature C   how much warmer or colder than the frame a dark may be (default 2)
  --cosmic-rays     marks cosmic rays in the mask
  --keep-mosaic     leaves frames of colour cameras as they are; else 2 × 2 pixels are averaged to one
  --json            prints one JSON object for each frame`

interface Given {
  readonly gain: number | undefined
  readonly readNoise: number | undefined
  readonly saturation: number | undefined
  readonly nonLinearity: number[] | undefined
}

interface Work {
  readonly masters: MasterPaths
  readonly limits: MasterLimits
  readonly given: Given
  readonly cosmicRays: boolean
  readonly keepMosaic: boolean
}

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      bias: { type: 'string', multiple: true, default: [] },
      dark: { type: 'string', multiple: true, default: [] },
      flat: { type: 'string', multiple: true, default: [] },
      masters: { type: 'string' },
      gain: { type: 'string' },
      'read-noise': { type: 'string' },
      saturation: { type: 'string' },
      'non-linearity': { type: 'string' },
      temperature: { type: 'string', default: '2' },
      'cosmic-rays': { type: 'boolean', default: false },
      'keep-mosaic': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const { out, json } = values
  const [first] = positionals
  if (first === undefined) throw new NightjarError('cli/usage', 'name at least one raw FITS file')
  if (out === undefined) throw new NightjarError('cli/usage', 'name the folder for the results: --out DIR')
  const given: Given = {
    gain: optional('--gain', values.gain),
    readNoise: optional('--read-noise', values['read-noise']),
    saturation: optional('--saturation', values.saturation),
    nonLinearity: coefficients(values['non-linearity']),
  }
  using compute = createCompute()
  using stack = new DisposableStack()
  const folder = stack.use(await masterFolder(values.masters, out)).path
  const made = await makeMasters(compute, values, statedCamera(given, headerOf(values.flat[0] ?? first)), folder)
  if (!json) for (const master of made) console.log(describeMaster(master))
  const work: Work = {
    masters: pathsOf(made),
    limits: { masterTemperatureC: optional('--temperature', values.temperature)!, masterDays: Number.MAX_VALUE },
    given,
    cosmicRays: values['cosmic-rays'],
    keepMosaic: values['keep-mosaic'],
  }
  for (const path of positionals) await calibrateOne(compute, path, out, work, json)
  return 0
}

/** Where masters are made: kept when a folder was named, else gone at the end. */
async function masterFolder(kept: string | undefined, out: string): Promise<Disposable & { readonly path: string }> {
  await mkdir(kept ?? out, { recursive: true })
  if (kept !== undefined) return { path: kept, [Symbol.dispose]: () => {} }
  const path = mkdtempSync(join(out, '.masters-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function headerOf(path: string): FitsHeader {
  const file = openFits(path)
  return frameHeaderOf(file, firstImage(file))
}

function optional(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

function coefficients(text: string | undefined): number[] | undefined {
  const values = text?.split(',').map(Number)
  if (values === undefined || (values.length <= 6 && values.every(Number.isFinite))) return values
  throw new NightjarError('cli/usage', `--non-linearity takes at most 6 numbers with commas between them, not ${text}`)
}

/** What is known of the camera before anything is measured; of a camera of which nothing is known 1 e⁻ is 1 ADU. */
function statedCamera(given: Given, header: FitsHeader): CameraSettings {
  return {
    ...defaultSettings.camera,
    gainElectronsPerAdu: given.gain ?? 1,
    readNoiseElectrons: given.readNoise ?? 0,
    saturationAdu: given.saturation ?? header.number('SATURATE') ?? 65535,
    ...(given.nonLinearity && { nonLinearity: given.nonLinearity }),
  }
}

async function calibrateOne(compute: Compute, path: string, out: string, work: Work, json: boolean): Promise<void> {
  using _frame = compute.scope()
  const target = join(out, `${basename(path).replace(/\.(fits?|fts)(\.(gz|fz))?$/i, '')}-cal.fits`)
  if (resolve(target) === resolve(path)) throw new NightjarError('cli/usage', `${target} would replace its raw frame`)
  const done = calibrated(compute, path, work)
  const { frame, hits } = work.cosmicRays ? markCosmicRays(compute, done.frame) : { frame: done.frame, hits: undefined }
  await replaceFile(target, encodeFrame(frame))
  report(compute, target, frame, { ...done, hits }, json)
}

interface Calibrated {
  readonly frame: Frame
  readonly fitting: FittingMasters
  readonly measured: MeasuredCamera<CameraSettings>
}

/** The raw pixels and the masters are given back: the frame lies before them. */
function calibrated(compute: Compute, path: string, { masters, limits, given, keepMosaic }: Work): Calibrated {
  const file = openFits(path)
  const size = rawSize(file)
  const stated = statedCamera(given, size.header)
  const planes = keepMosaic ? allocateCalibrated(compute, size, stated) : allocateLight(compute, size, stated)
  using _scratch = compute.scope()
  const raw = readRaw(compute, file)
  const fitting = readMasters(compute, raw.header, masters, limits)
  const refused = fitting.used.find(({ rung }) => rung === 'none')
  if (refused) throw new NightjarError('calibrate/misfit', `${path}: ${refused.note}`)
  const measured = cameraOf(stated, raw.header, fitting, given)
  const make = keepMosaic ? calibrate : lightOf
  const plain = make(compute, raw, fitting.masters, measured.camera, planes)
  return { frame: { ...plain, header: withMasters(plain.header, fitting.used) }, fitting, measured }
}

/** What the command line says goes before what was measured. */
function cameraOf(
  stated: CameraSettings,
  header: FitsHeader,
  { measured }: FittingMasters,
  { gain, readNoise }: Given,
): MeasuredCamera<CameraSettings> {
  const found = measuredCamera(stated, gain === undefined ? header : header.with('EGAIN', gain), {
    gainElectronsPerAdu: gain ?? measured.gainElectronsPerAdu,
    readNoiseAdu: measured.readNoiseAdu,
  })
  const { camera } = found
  return {
    ...found,
    camera: { ...camera, readNoiseElectrons: readNoise ?? camera.readNoiseElectrons },
    gainFrom: gain === undefined ? found.gainFrom : 'settings',
    readNoiseFrom: readNoise === undefined ? found.readNoiseFrom : 'settings',
  }
}

function report(
  compute: Compute,
  path: string,
  frame: Frame,
  { fitting, measured, hits }: Calibrated & { readonly hits: number | undefined },
  json: boolean,
): void {
  const { median } = medianAndMad(compute, frame.science)
  const masked = frame.mask.data.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0)
  const { gainElectronsPerAdu, readNoiseElectrons, saturationAdu } = measured.camera
  const { gainFrom, readNoiseFrom } = measured
  const notes = [...fitting.used.flatMap(({ note }) => note ?? []), ...measured.warnings]
  if (json) {
    const told = {
      ...{ path, medianAdu: median, maskedPixels: masked, gainElectronsPerAdu, gainFrom },
      ...{ readNoiseElectrons, readNoiseFrom, saturationAdu, notes },
      ...(hits !== undefined && { cosmicRayPixels: hits }),
    }
    console.log(JSON.stringify(told))
    return
  }
  const struck = hits === undefined ? '' : `, ${hits} pixels struck by cosmic rays`
  const gain = `gain ${gainElectronsPerAdu.toPrecision(4)} e⁻/ADU (${gainFrom})`
  const noise = `read noise ${readNoiseElectrons.toPrecision(4)} e⁻ (${readNoiseFrom})`
  console.log(`${path}: median ${median.toFixed(1)} ADU, ${masked} pixels masked${struck}; ${gain}, ${noise}`)
  for (const note of notes) console.log(`  ${note}`)
}
