import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { pixelToSky, type Wcs, wcsFromHeader } from '../frames/wcs.ts'
import { measureBackground } from '../preprocessing/background.ts'
import { withoutMosaic } from '../preprocessing/mosaic.ts'
import { typicalOf } from '../preprocessing/photometry.ts'
import { measureMoments, type StarMoments } from '../preprocessing/starMoments.ts'
import { measureStars, type Star, StarFlag } from '../preprocessing/stars.ts'

export const help = `Usage: nightjar stars FILE [--json | --csv] [--sigma S] [--max N] [--isophotes]

Measures the stars of a FITS image (.fits, .fits.gz, .fits.fz), brightest first.

  --json     one JSON object with the sky, the median FWHM and all stars
  --csv      a table of all stars; x and y are 0-based pixels
  --sigma S  detection threshold in standard deviations (default 5)
  --max N    at most N stars (default 20000)
  --isophotes  also shapes as SExtractor and sep have them: moments above 1.5 σ of the sky, the radius of half the light,
             the windowed place; empty for stars that touch others

Without --json or --csv it prints the sky and the ten brightest stars. raDeg and decDeg are there when the header has a WCS.`

const brief = 10

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      csv: { type: 'boolean', default: false },
      sigma: { type: 'string', default: '5' },
      max: { type: 'string', default: '20000' },
      isophotes: { type: 'boolean', default: false },
    },
  })
  const [path] = positionals
  if (path === undefined || positionals.length > 1) throw new NightjarError('cli/usage', 'name one FITS file')
  const thresholdSigma = positive('--sigma', values.sigma)
  const max = Math.floor(positive('--max', values.max))
  using compute = createCompute()
  const frame = withoutMosaic(compute, readFrame(compute, path))
  const background = measureBackground(compute, frame.science, frame.mask)
  const stars = measureStars(compute, frame.science, frame.mask, background, {
    thresholdSigma,
    max,
    variance: frame.variance,
  })
  const wcs = wcsFromHeader(frame.header)
  const summary = {
    width: frame.width,
    height: frame.height,
    skyAdu: background.globalLevelAdu,
    skyRmsAdu: background.globalRmsAdu,
    stars: stars.length,
    fwhmPixels: typicalOf(stars, (star) => star.fwhmPixels),
    ellipticity: typicalOf(stars, (star) => star.ellipticity),
  }
  const moments = values.isophotes ? measureMoments(compute, frame.science, frame.mask, background, stars) : undefined
  const rows = stars.map((star, i) => ({ ...rowOf(star, wcs), ...(moments && momentsOf(moments[i])) }))
  if (values.json) console.log(JSON.stringify({ ...summary, list: rows }))
  else if (values.csv) console.log(csv(rows))
  else printBrief(summary, rows)
  return 0
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

type Row = Record<string, number | string>

function rowOf(star: Star, wcs: Wcs | undefined): Row {
  const { flags, kronFluxAdu, ...numbers } = star
  const rounded = Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, round(value)]))
  const kron = kronFluxAdu === undefined ? '' : round(kronFluxAdu)
  return { ...rounded, kronFluxAdu: kron, ...(wcs && placeOf(wcs, star)), flags: flagNames(flags) }
}

/** Columns of the isophotal shape. */
const momentColumns = {
  isophotalX: 'x',
  isophotalY: 'y',
  isophotalA: 'aPixels',
  isophotalB: 'bPixels',
  isophotalAngleDeg: 'angleDeg',
  isophotalFluxAdu: 'fluxAdu',
  isophotalPixels: 'areaPixels',
  halfLightRadiusPixels: 'halfRadiusPixels',
  windowedX: 'windowedX',
  windowedY: 'windowedY',
} as const satisfies Record<string, keyof StarMoments>

function momentsOf(moments: StarMoments | undefined): Row {
  const cells = Object.entries(momentColumns).map(([name, key]) => [name, moments ? round(moments[key]) : ''])
  return Object.fromEntries(cells) as Row
}

function placeOf(wcs: Wcs, star: Star): Row {
  const { raDeg, decDeg } = pixelToSky(wcs, star.x, star.y)
  return { raDeg: Number(raDeg.toFixed(6)), decDeg: Number(decDeg.toFixed(6)) }
}

function round(value: number): number {
  return Number(value.toPrecision(8))
}

function flagNames(flags: number): string {
  const names = Object.entries(StarFlag).filter(([, bit]) => (flags & bit) !== 0)
  return names.map(([name]) => name).join('+')
}

function csv(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? { x: 0, y: 0, fluxAdu: 0 })
  return [columns.join(','), ...rows.map((row) => columns.map((column) => row[column]).join(','))].join('\n')
}

function printBrief(summary: Record<string, number | undefined>, rows: readonly Row[]): void {
  const { width, height, skyAdu, skyRmsAdu, stars, fwhmPixels } = summary
  console.log(`${width} × ${height} pixels, sky ${skyAdu?.toFixed(1)} ± ${skyRmsAdu?.toFixed(2)} ADU`)
  console.log(`${stars} stars, FWHM ${fwhmPixels === undefined ? 'unknown' : `${fwhmPixels.toFixed(2)} px`}`)
  if (rows.length === 0) return
  console.log(`${'x'.padStart(9)} ${'y'.padStart(9)} ${'flux ADU'.padStart(12)} ${'S/N'.padStart(8)}  FWHM  flags`)
  for (const row of rows.slice(0, brief)) {
    const cells = [fixed(row.x, 2, 9), fixed(row.y, 2, 9), fixed(row.fluxAdu, 0, 12), fixed(row.snr, 0, 8)]
    console.log(`${cells.join(' ')} ${fixed(row.fwhmPixels, 2, 5)}  ${row.flags}`)
  }
}

function fixed(value: number | string | undefined, decimals: number, width: number): string {
  return Number(value).toFixed(decimals).padStart(width)
}
