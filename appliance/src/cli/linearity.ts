import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { defaultSettings } from '../contract/config.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { readRaw } from '../frames/fits/rawImage.ts'
import type { Plane } from '../frames/plane.ts'
import { sigmaClipped } from '../frames/statistics.ts'
import { exposureSecondsOf, signalOf } from '../preprocessing/calibrate.ts'
import { fitLinearity, type Linearity, type RampPoint } from '../preprocessing/linearity.ts'
import { readMaster } from '../preprocessing/masterFiles.ts'
import { colourPlanes, mosaicOf } from '../preprocessing/mosaic.ts'
import { makeMasters } from './calibrationMasters.ts'

export const help = `Usage: nightjar linearity FLAT… --bias FILE [--bias FILE]… [--degree N] [--saturation ADU] [--json]

Measures how the camera departs from a straight line, from flats of several exposure times under a lamp that does not change
(from a tenth to nine tenths of the converter, in mixed order, so that a lamp that drifts does not look like a camera that
bends). Prints the setting camera.nonLinearity, which is also what nightjar calibrate --non-linearity takes.

  --bias FILE       a master, or several raw frames (repeat the option); frames with an overscan need none
  --degree N        coefficients, 1 to 4 (default 2)
  --saturation ADU  full pixels read this much (default: SATURATE of each flat, else 65535); flats above 95 % are left out
  --json            prints one JSON object`

/** The middle of a flat that is measured: the part that is lit evenly. */
const middleShare = 0.2
const mostOfSaturation = 0.95

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      bias: { type: 'string', multiple: true, default: [] },
      degree: { type: 'string', default: '2' },
      saturation: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const degree = Number(values.degree)
  if (positionals.length === 0) throw new NightjarError('cli/usage', 'name flats of several exposure times')
  if (![1, 2, 3, 4].includes(degree)) throw new NightjarError('cli/usage', '--degree must be 1, 2, 3 or 4')
  const saturation = values.saturation === undefined ? undefined : Number(values.saturation)
  if (saturation !== undefined && !(saturation > 0)) {
    throw new NightjarError('cli/usage', `--saturation must be a positive number, not ${values.saturation}`)
  }
  using compute = createCompute()
  const bias = await biasOf(compute, values.bias)
  const { points, left } = measureRamp(compute, positionals, bias, saturation)
  const found = fitLinearity(points, degree)
  if (!found.ok) throw new NightjarError('linearity/failed', found.reason)
  print(found, left, values.json)
  return 0
}

async function biasOf(compute: Compute, paths: readonly string[]): Promise<Plane | undefined> {
  if (paths.length === 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-linearity-'))
  try {
    const [made] = await makeMasters(compute, { bias: paths, dark: [], flat: [] }, defaultSettings.camera, folder)
    return readMaster(compute, made!.path).plane
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface Ramp {
  readonly points: readonly RampPoint[]
  /** Why flats were left out, one line each. */
  readonly left: readonly string[]
}

function measureRamp(
  compute: Compute,
  paths: readonly string[],
  bias: Plane | undefined,
  saturation: number | undefined,
): Ramp {
  const points: RampPoint[] = []
  const left: string[] = []
  for (const path of paths) {
    using _frame = compute.scope()
    const raw = readRaw(compute, path)
    const exposureSeconds = exposureSecondsOf(raw.header)
    if (exposureSeconds === undefined || !(exposureSeconds > 0)) {
      throw new NightjarError('linearity/exposure', `${path}: the header has no EXPTIME`)
    }
    const limit = mostOfSaturation * (saturation ?? raw.header.number('SATURATE') ?? 65535)
    const signal = signalOf(compute, raw, { bias }, { ...defaultSettings.camera })
    const isMosaic = mosaicOf(raw.header) !== undefined
    const planes = isMosaic ? colourPlanes(compute, signal) : [signal]
    planes.forEach((plane, group) => {
      const signalAdu = middleOf(compute, plane)
      if (signalAdu < limit) points.push({ exposureSeconds, signalAdu, group })
      else left.push(`${path}: ${Math.round(signalAdu)} ADU is too near to saturation`)
    })
  }
  return { points, left }
}

function middleOf(compute: Compute, plane: Plane): number {
  const [width, height] = [plane.width, plane.height].map((size) => Math.max(1, Math.round(middleShare * size))) as [
    number,
    number,
  ]
  const [left, top] = [(plane.width - width) >> 1, (plane.height - height) >> 1]
  const part = compute.float32(width, height)
  for (let y = 0; y < height; y++) {
    const start = (top + y) * plane.width + left
    part.data.set(plane.data.subarray(start, start + width), y * width)
  }
  return sigmaClipped(compute, part, { sigma: 5 }).mean
}

function print(found: Linearity, left: readonly string[], json: boolean): void {
  const { coefficients, rmsBefore, rmsAfter, largest, fromAdu, toAdu } = found
  const rounded = coefficients.map((value) => Number(value.toPrecision(5)))
  if (json) return console.log(JSON.stringify({ ...found, coefficients: rounded, left }))
  const percent = (value: number): string => `${(100 * value).toPrecision(3)} %`
  for (const line of left) console.log(`left out ${line}`)
  console.log(`camera.nonLinearity: [${rounded.join(', ')}]`)
  console.log(
    `from ${fromAdu.toFixed(0)} to ${toAdu.toFixed(0)} ADU the flats depart from a line by ${percent(rmsBefore)} rms, corrected by ${percent(rmsAfter)}; at the top the correction is ${percent(largest)}`,
  )
}
