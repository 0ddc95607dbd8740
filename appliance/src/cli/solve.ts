import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { dmsText, hmsText } from '../frames/fits/facts.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { wcsToHeader } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { measureBackground } from '../preprocessing/background.ts'
import { headerHint, hintFrom, parsePlace } from '../preprocessing/headerHint.ts'
import { withoutMosaic } from '../preprocessing/mosaic.ts'
import { findBlindSolvers, solveBlind } from '../preprocessing/runBlind.ts'
import { type Solution, solve } from '../preprocessing/solve.ts'
import { measureStars, type Star } from '../preprocessing/stars.ts'
import type { ZeroPoint } from '../preprocessing/zeroPoint.ts'
import { replaceFile } from './replaceFile.ts'

export const help = `Usage: nightjar solve FILE [--ra RA --dec DEC] [--radius DEG] [--scale ARCSEC] [--blind] [--write OUT] [--json]

Finds where on the sky a FITS image points, near a place that the header or the options name, or anywhere with --blind.

  --ra RA        degrees, or hours as 2:04:10.3        (default: the header's)
  --dec DEC      degrees, or 46:41:16                  (default: the header's)
  --radius DEG   how far the centre may be from there  (default 2)
  --scale ARCSEC size of a pixel, within 10 %          (default: the header's, else 0.3 to 15 are tried)
  --blind        when that fails, or nothing says where, asks astrometry.net (solve-field) or ASTAP (astap_cli) where
                 installed; what they say counts only when our catalogue confirms it, or cannot since the field is small
  --write OUT    writes the image with the WCS in its header to OUT
  --json         prints the solution as JSON

Exits with 1 when it cannot be solved. Needs at least 6 stars of the Tycho-2 catalogue (about 12th magnitude) in the image;
with --blind and deeper index files of astrometry.net, fainter ones do.`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv.flatMap(attachNegative),
    allowPositionals: true,
    options: {
      ra: { type: 'string' },
      dec: { type: 'string' },
      radius: { type: 'string', default: '2' },
      scale: { type: 'string' },
      blind: { type: 'boolean', default: false },
      write: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const [path] = positionals
  if (path === undefined || positionals.length > 1) throw new NightjarError('cli/usage', 'name one FITS file')
  using compute = createCompute()
  const frame = readFrame(compute, path)
  const solution = await solveFrame(compute, frame, path, values)
  if (values.json) console.log(JSON.stringify(solution))
  const more = values.blind ? '' : ' (with --blind other solvers are asked)'
  if (!solution.ok) throw new NightjarError('solve/failed', `${path}: ${solution.reason}${more}`)
  if (values.write !== undefined) {
    const header = wcsToHeader(frame.header, solution.wcs).withHistory(`solve-1: ${solution.matched} stars`)
    await replaceFile(values.write, encodeFrame({ ...frame, header }))
  }
  if (!values.json) print(solution)
  return 0
}

/** `--dec -30` would read as an option: a number after a dash belongs to the option before it. */
function attachNegative(argument: string, index: number, all: readonly string[]): string[] {
  const takesAngle = (text: string | undefined): boolean => text === '--ra' || text === '--dec'
  const isNegative = (text: string | undefined): boolean => text !== undefined && /^-\d/.test(text)
  if (takesAngle(argument) && isNegative(all[index + 1])) return [`${argument}=${all[index + 1]}`]
  return isNegative(argument) && takesAngle(all[index - 1]) ? [] : [argument]
}

interface Options {
  readonly ra?: string
  readonly dec?: string
  readonly radius: string
  readonly scale?: string
  readonly blind: boolean
}

async function solveFrame(compute: Compute, frame: Frame, path: string, options: Options): Promise<Solution> {
  const { width, height } = frame
  const scaleArcsecPerPixel = options.scale === undefined ? undefined : positive('--scale', options.scale)
  const hint = hintFrom(frame.header, width, height, {
    place: placeOf(options),
    radiusDeg: positive('--radius', options.radius),
    scaleArcsecPerPixel,
  })
  if (!hint && !options.blind) {
    throw new NightjarError(
      'cli/usage',
      `${path}: the header does not say where it points: give --ra and --dec or --blind`,
    )
  }
  const stars = starsOf(compute, frame)
  const catalogue = openStarCatalogue()
  const hinted = hint && solve(stars, width, height, hint, catalogue)
  if (hinted?.ok || !options.blind) return hinted ?? { ok: false, reason: 'nothing says where it points' }
  const said = headerHint(frame.header, width, height)
  const blind = await solveBlind({ stars, width, height, image: () => encodeFrame(frame) }, catalogue, {
    solvers: findBlindSolvers(process.env['PATH'] ?? ''),
    scaleArcsecPerPixel: scaleArcsecPerPixel ?? said.scaleArcsecPerPixel,
    scaleTolerance: scaleArcsecPerPixel === undefined ? said.scaleTolerance : undefined,
  })
  return blind.ok || !hinted ? blind : { ok: false, reason: `${hinted.reason}; ${blind.reason}` }
}

/** Their places are those of the file's pixels, also where they were measured on super-pixels. */
function starsOf(compute: Compute, frame: Frame): Star[] {
  const { science, mask, width } = withoutMosaic(compute, frame)
  const stars = measureStars(compute, science, mask, measureBackground(compute, science, mask))
  return width === frame.width ? stars : stars.map((star) => ({ ...star, x: 2 * star.x + 0.5, y: 2 * star.y + 0.5 }))
}

function placeOf({ ra, dec }: Options): { raDeg: number; decDeg: number } | undefined {
  if (ra === undefined && dec === undefined) return undefined
  const place = ra === undefined || dec === undefined ? undefined : parsePlace(ra, dec)
  if (place) return place
  throw new NightjarError(
    'cli/usage',
    '--ra and --dec go together: degrees, or hours and degrees as 2:04:10.3 46:41:16',
  )
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

function printZeroPoint({ zeroPointMag, errorMag, scatterMag, stars, colourTerm, colourless }: ZeroPoint): void {
  const of = `scatter ${scatterMag.toFixed(2)}, ${stars} stars`
  console.log(`zero      ${zeroPointMag.toFixed(2)} ± ${errorMag.toFixed(2)} mag for 1 ADU (Tycho V; ${of})`)
  console.log(
    colourTerm
      ? `colour    ${colourTerm.slope.toFixed(3)} ± ${colourTerm.error.toFixed(3)} mag for 1 mag of B − V from ${colourTerm.pivotMag}`
      : `colour    no term: ${colourless}`,
  )
}

function print(solution: Extract<Solution, { ok: true }>): void {
  const { raDeg, decDeg, scaleArcsecPerPixel, rotationDeg, parity, matched, rmsPixels } = solution
  console.log(`centre    ${hmsText(raDeg)} ${dmsText(decDeg)} (${raDeg.toFixed(5)} ${decDeg.toFixed(5)})`)
  console.log(`pixel     ${scaleArcsecPerPixel.toFixed(4)}″, up is ${rotationDeg.toFixed(2)}° East of North`)
  console.log(`parity    ${parity === 1 ? 'as on the sky' : 'mirrored'}`)
  console.log(`matched   ${matched} stars, rms ${rmsPixels.toFixed(3)} px`)
  if (solution.zeroPoint) printZeroPoint(solution.zeroPoint)
}
