import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { scoreCandidate } from '../detection/score.ts'
import type { Candidate } from '../differencing/candidates.ts'
import { type Difference, differenceFrames } from '../differencing/difference.ts'
import { createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import type { Plane } from '../frames/plane.ts'
import { pixelToSky, type Wcs, wcsFromHeader, wcsToHeader } from '../frames/wcs.ts'
import { withoutMosaic } from '../preprocessing/mosaic.ts'

export const help = `Usage: nightjar diff SCIENCE REFERENCE --out DIR [--json] [--threshold S] [--gain G] [--saturate A]

Aligns REFERENCE with SCIENCE, subtracts it (ZOGY: Zackay, Ofek & Gal-Yam 2016) and lists what changed. Takes FITS images
of any telescope (.fits, .fits.gz, .fits.fz; raw or calibrated, of different sizes, turned or mirrored); needs no set-up, catalogue
or network.

  --out DIR      folder for the results, made when missing
  --json         print summary.json instead of a few lines
  --threshold S  |S_corr| of a candidate (default 5)
  --gain G       electrons per ADU of SCIENCE; default: EGAIN of its header, else estimated
  --saturate A   ADU at which SCIENCE saturates; default: SATURATE of its header, else found from pixels piled up

Writes to DIR: difference.fits (ADU of SCIENCE), scorr.fits (significance), candidates.csv and summary.json. In
candidates.csv x and y are 0-based pixels of SCIENCE; raDeg and decDeg are empty without a world coordinate system;
probability comes from a first rule, not yet from a network. Sources that brightened have a positive scorr.`

export async function run(argv: string[]): Promise<number> {
  const asked = parse(argv)
  using compute = createCompute()
  const science = withoutMosaic(compute, readFrame(compute, asked.science))
  const reference = withoutMosaic(compute, readFrame(compute, asked.reference))
  const result = differenceFrames(compute, science, reference, { ...asked.options, clock: systemClock })
  const wcs = wcsFromHeader(science.header)
  const rows = result.candidates.map((candidate) => rowOf(candidate, wcs))
  const summary = {
    science: asked.science,
    reference: asked.reference,
    width: science.width,
    height: science.height,
    ...result.summary,
    model: result.candidates.length > 0 ? scoreCandidate(result.candidates[0]!).model : 'rule-1',
    candidates: rows.length,
    likely: rows.filter((row) => row.probability >= 0.5).length,
    files: ['difference.fits', 'scorr.fits', 'candidates.csv', 'summary.json'],
  }
  await writeAll(asked.out, science, result, rows, summary)
  if (asked.json) console.log(JSON.stringify(summary))
  else print(asked.out, summary, rows)
  return 0
}

interface Asked {
  readonly science: string
  readonly reference: string
  readonly out: string
  readonly json: boolean
  readonly options: {
    readonly threshold: number
    readonly gainElectronsPerAdu?: number
    readonly saturateAdu?: number
  }
}

function parse(argv: string[]): Asked {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      threshold: { type: 'string', default: '5' },
      gain: { type: 'string' },
      saturate: { type: 'string' },
    },
  })
  const [science, reference] = positionals
  if (science === undefined || reference === undefined || positionals.length > 2) {
    throw new NightjarError('cli/usage', 'name two FITS files: nightjar diff SCIENCE REFERENCE --out DIR')
  }
  if (!values.out) throw new NightjarError('cli/usage', 'name the folder for the results: --out DIR')
  return {
    science,
    reference,
    out: values.out,
    json: values.json,
    options: {
      threshold: positive('--threshold', values.threshold),
      ...(values.gain !== undefined && { gainElectronsPerAdu: positive('--gain', values.gain) }),
      ...(values.saturate !== undefined && { saturateAdu: positive('--saturate', values.saturate) }),
    },
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

interface Row {
  readonly x: number
  readonly y: number
  readonly raDeg: number | undefined
  readonly decDeg: number | undefined
  readonly scorr: number
  readonly fluxAdu: number
  readonly probability: number
  readonly class: string
  readonly flags: readonly string[]
}

function rowOf(candidate: Candidate, wcs: Wcs | undefined): Row {
  const sky = wcs && pixelToSky(wcs, candidate.x, candidate.y)
  const { probability, class: judged } = scoreCandidate(candidate)
  const { x, y, scorr, fluxAdu, flags } = candidate
  return { x, y, raDeg: sky?.raDeg, decDeg: sky?.decDeg, scorr, fluxAdu, probability, class: judged, flags }
}

const columns = ['x', 'y', 'raDeg', 'decDeg', 'scorr', 'fluxAdu', 'probability', 'class', 'flags'] as const
const digits = { x: 3, y: 3, raDeg: 7, decDeg: 7, scorr: 3, fluxAdu: 3, probability: 4 } as const

/** candidates.csv: the columns above; several flags are parted by spaces. */
export function candidatesCsv(rows: readonly Row[]): string {
  const cell = (row: Row, column: (typeof columns)[number]): string => {
    if (column === 'class') return row.class
    if (column === 'flags') return row.flags.join(' ')
    return row[column]?.toFixed(digits[column]) ?? ''
  }
  return [columns.join(','), ...rows.map((row) => columns.map((column) => cell(row, column)).join(',')), ''].join('\n')
}

async function writeAll(
  out: string,
  science: Frame,
  result: Difference,
  rows: readonly Row[],
  summary: object,
): Promise<void> {
  const file = (plane: Plane, what: string): Uint8Array =>
    encodeFits([
      { header: headerFor(science, what), data: plane },
      { data: result.mask, extname: 'MASK' },
    ])
  try {
    await mkdir(out, { recursive: true })
    await replaceFile(join(out, 'difference.fits'), file(result.difference, 'difference, ADU of the science frame'))
    await replaceFile(join(out, 'scorr.fits'), file(result.scorr, 'S_corr, standard deviations'))
    await replaceFile(join(out, 'candidates.csv'), Buffer.from(candidatesCsv(rows)))
    await replaceFile(join(out, 'summary.json'), Buffer.from(`${JSON.stringify(summary, undefined, 2)}\n`))
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause
    throw new NightjarError('cli/output', `cannot write to ${out}: ${cause.message}`, { cause })
  }
}

/** Written beside, synced and renamed: a second run replaces the first one's results whole or not at all. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.part`
  await using handle = await open(beside, 'w')
  await handle.writeFile(bytes)
  await handle.sync()
  await rename(beside, path)
}

/** What of the science header still holds: where and when. */
function headerFor(science: Frame, what: string): FitsHeader {
  const kept = ['OBJECT', 'DATE-OBS', 'EXPTIME', 'FILTER', 'TELESCOP', 'INSTRUME']
  let header = FitsHeader.empty
  for (const key of kept) {
    const value = science.header.get(key)
    if (value !== undefined) header = header.with(key, value)
  }
  const wcs = wcsFromHeader(science.header)
  if (wcs) header = wcsToHeader(header, wcs)
  return header.withHistory(`nightjar diff: ${what}`)
}

function print(out: string, summary: Difference['summary'] & { readonly likely: number }, rows: readonly Row[]): void {
  const { matched, rmsPixels, fluxRatio, scorrMad, warnings } = summary
  console.log(`${matched} stars matched, rms ${rmsPixels.toFixed(2)} px; flux ratio ${fluxRatio.toFixed(4)}`)
  console.log(`S_corr noise ${scorrMad.toFixed(3)} before scaling; ${rows.length} candidates, ${summary.likely} likely`)
  for (const row of rows.slice(0, 10)) {
    const { x, y, scorr, probability } = row
    console.log(
      `  ${x.toFixed(1)}, ${y.toFixed(1)}  S_corr ${scorr.toFixed(1)}  ${row.class} ${probability.toFixed(2)}`,
    )
  }
  for (const warning of warnings) console.log(`warning: ${warning}`)
  console.log(`written to ${out}`)
}
