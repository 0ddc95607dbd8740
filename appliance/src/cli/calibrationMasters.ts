import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import { readRaw } from '../frames/fits/rawImage.ts'
import { firstImage, frameHeaderOf, openFits } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { medianAndMad } from '../frames/statistics.ts'
import { signalOf } from '../preprocessing/calibrate.ts'
import { type MasterType, misfit } from '../preprocessing/masterChoice.ts'
import { type MasterPaths, masterHeader, readMaster } from '../preprocessing/masterFiles.ts'
import { buildMasterFile } from '../preprocessing/runPixels.ts'
import { replaceFile } from './replaceFile.ts'

/** Calibration files of the command line made into master files; in memory are a few rows of each. */

export interface CalibrationFiles {
  readonly bias: readonly string[]
  readonly dark: readonly string[]
  readonly flat: readonly string[]
}

export interface MadeMaster {
  readonly type: MasterType
  readonly path: string
  readonly frames: number
  readonly readNoiseAdu?: number | undefined
  readonly gainElectronsPerAdu?: number | undefined
}

/** Takes masters as they are and stacks raw frames into new ones in `folder`. Throws as `buildMasterFile`. */
export async function makeMasters(
  compute: Compute,
  files: CalibrationFiles,
  camera: CameraSettings,
  folder: string,
): Promise<MadeMaster[]> {
  const made: MadeMaster[] = []
  // Flats before darks, whose noise is split by the gain that flats measure.
  for (const type of ['bias', 'flat', 'dark'] as const) {
    const paths = files[type]
    if (paths.length === 0) continue
    const bias = type === 'bias' ? undefined : made.find((master) => master.type === 'bias')
    const flat = made.find((master) => master.type === 'flat')
    const measured = { readNoiseAdu: bias?.readNoiseAdu, gainElectronsPerAdu: flat?.gainElectronsPerAdu }
    using _scratch = compute.scope()
    made.push(await makeMaster(compute, { type, paths, biasPath: bias?.path, camera, folder, measured }))
  }
  return made
}

interface Making {
  readonly type: MasterType
  readonly paths: readonly string[]
  readonly biasPath: string | undefined
  readonly camera: CameraSettings
  readonly folder: string
  readonly measured: Pick<MadeMaster, 'readNoiseAdu' | 'gainElectronsPerAdu'>
}

async function makeMaster(compute: Compute, making: Making): Promise<MadeMaster> {
  const { type, paths, biasPath, camera, folder, measured } = making
  const outPath = join(folder, `master-${type}.fits`)
  if (paths.length > 1) {
    checkTogether(paths)
    const built = await buildMasterFile(compute, { type, rawPaths: paths, biasPath, outPath, camera, ...measured })
    return { ...built, type, path: outPath, frames: paths.length }
  }
  const [path] = paths as [string]
  const { frames = 1, ...known } = knownMaster(compute, path, type) ?? {}
  if (Object.keys(known).length === 0) await makeOfOne(compute, { ...making, path, outPath })
  return { type, frames, path: outPath, ...known }
}

/** A file that is a master already: one of ours says so, a flat by its mean of 1. */
function knownMaster(compute: Compute, path: string, type: MasterType): Omit<MadeMaster, 'type'> | undefined {
  const file = openFits(path)
  const header = frameHeaderOf(file, firstImage(file))
  const isOurs = header.has('MVARFIX') || header.has('MASTERID')
  using _scratch = compute.scope()
  if (!isOurs && !(type === 'flat' && isUnit(compute, path))) return undefined
  const { readNoiseAdu, gainElectronsPerAdu } = readMaster(compute, path)
  return { path, frames: header.number('NCOMBINE') ?? 1, readNoiseAdu, gainElectronsPerAdu }
}

function isUnit(compute: Compute, path: string): boolean {
  const { median } = medianAndMad(compute, readMaster(compute, path).plane)
  return median > 0.5 && median < 1.5
}

/** One raw frame, or another program's master that is not ready: bias taken out, a flat brought to a median of 1. */
async function makeOfOne(
  compute: Compute,
  { type, path, outPath, biasPath, camera }: Making & { readonly path: string; readonly outPath: string },
): Promise<void> {
  using _scratch = compute.scope()
  const raw = readRaw(compute, path)
  const isReady = raw.header.flag('BIASSUB') === true
  const bias = biasPath === undefined || isReady ? undefined : readMaster(compute, biasPath).plane
  const plane = signalOf(compute, raw, { bias }, camera)
  if (type === 'flat') {
    const { median } = medianAndMad(compute, plane)
    if (!(median > 0)) {
      throw new NightjarError('calibrate/flat', `${path} has no light in it after its bias was taken out`)
    }
    for (let i = 0; i < plane.data.length; i++) plane.data[i]! /= median
  }
  const about = { type, masterId: `master-${type}`, isBiasSubtracted: isReady || bias !== undefined, camera }
  const header = masterHeader(raw.header, { plane, frames: 1 }, about)
  await replaceFile(outPath, encodeFits([{ header, data: plane }]))
}

/** Frames of one master must be of one readout mode: their mean would be of none. */
function checkTogether(paths: readonly string[]): void {
  const headers = paths.map((path) => {
    const file = openFits(path)
    return frameHeaderOf(file, firstImage(file))
  })
  headers.forEach((header, index) => {
    const why = misfit('bias', headers[0]!, header)
    if (why !== undefined) throw new NightjarError('calibrate/mixed', `${paths[0]} and ${paths[index]}: ${why}`)
  })
}

export function pathsOf(made: readonly MadeMaster[]): MasterPaths {
  return Object.fromEntries(made.map(({ type, path }) => [type, [path]]))
}

/** For people, one line for each master. */
export function describeMaster({ type, frames, readNoiseAdu, gainElectronsPerAdu }: MadeMaster): string {
  const found = [
    readNoiseAdu !== undefined && `read noise ${readNoiseAdu.toPrecision(4)} ADU`,
    gainElectronsPerAdu !== undefined && `gain ${gainElectronsPerAdu.toPrecision(4)} e⁻/ADU`,
    frames === 1 && 'its own noise is not known',
  ].filter((text) => typeof text === 'string')
  const count = frames === 1 ? 'one frame' : `${frames} frames`
  return `master ${type}: ${[count, ...found].join(', ')}`
}
