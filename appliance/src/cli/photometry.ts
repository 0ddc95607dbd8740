import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createCompute } from '../frames/compute.ts'
import { barycentricJulianDate } from '../observations/barycentre.ts'
import { parsePlace } from '../preprocessing/headerHint.ts'
import { gainFromSky, type Telescope } from '../preprocessing/lightCurveNoise.ts'
import { type ReducedCurve, reduceSeries } from '../preprocessing/lightCurveReduce.ts'
import { fitTransit, type TransitFit } from '../preprocessing/transitFit.ts'
import { plotLightCurve } from './photometryPlot.ts'
import { type MeasuredSeries, measureSeries, type Target } from './photometrySeries.ts'
import { type PublishedTransit, predictedMidTime, publishedTransit, publishedTransits } from './photometryTargets.ts'
import { replaceFile } from './replaceFile.ts'

export const help = `Usage: nightjar photometry FILES... --target RA,DEC | NAME [options]

The light curve of one star from a series of frames of one field (.fits, .fits.gz, .fits.fz): hot pixels from the series
itself, apertures about the same stars in every frame, an ensemble of stars that do not vary, and the transit of a planet.

  --target T        RA,DEC in degrees or as 2:04:10.3,46:41:16; or the name of a planet (${publishedTransits.map(({ name }) => name).join(', ')})
  --pixel X,Y       instead: 0-based pixel of the star in the first frame
  --out FILE        writes the light curve: .csv or .json
  --plot FILE       draws it as SVG
  --transit         looks for a transit (as does the name of a planet)
  --gain G          electrons per ADU      (default: EGAIN, else from the sky's own noise)
  --diameter MM     of the telescope       (default: APTDIA; without it scintillation is left out)
  --elevation M     of the site            (default: SITEELEV, else 0)
  --saturate A      ADU above which pixels are not linear
  --limb U1,U2      quadratic limb darkening               (default 0.35,0.25)
  --impact B        of the planet's path, stellar radii    (default: published, else 0.3)
  --no-hot-pixels   leaves the detector's own pattern in
  --json            prints the result as JSON

Times are BJD_TDB of the middle of each exposure. Frames that cannot be read or registered are left out and named.`

const defaultLimb = '0.35,0.25'
const defaultImpact = 0.3

export async function run(argv: string[]): Promise<number> {
  const asked = parse(argv)
  using compute = createCompute()
  const { saturateAdu, hotPixels } = asked
  const series = measureSeries(compute, asked.paths, asked.target, {
    hotPixels,
    ...(saturateAdu !== undefined && { saturateAdu }),
  })
  const gain = gainOf(series, asked.gain)
  const telescope = telescopeOf(series, asked)
  const curve = reduceSeries({ ...series, gainElectronsPerAdu: gain.electronsPerAdu, telescope })
  if (!curve) throw new NightjarError('photometry/comparison', 'too few comparison stars are in most of the frames')
  const times = curve.points.map(({ frame }) => timeOf(series, frame))
  const fit = asked.transit ? transitOf(series, curve, times, asked) : undefined
  const result: Result = { asked, series, curve, times, gain, telescope, fit }
  if (asked.out !== undefined) await replaceFile(asked.out, Buffer.from(tableOf(result, asked.out)))
  if (asked.plot !== undefined) await replaceFile(asked.plot, Buffer.from(plotOf(result)))
  if (asked.json) console.log(JSON.stringify(jsonOf(result)))
  else print(result)
  return 0
}

interface Asked {
  readonly paths: readonly string[]
  readonly target: Target
  readonly name: string
  readonly published: PublishedTransit | undefined
  readonly transit: boolean
  readonly out: string | undefined
  readonly plot: string | undefined
  readonly json: boolean
  readonly hotPixels: boolean
  readonly gain: number | undefined
  readonly diameterMm: number | undefined
  readonly elevationMetres: number | undefined
  readonly saturateAdu: number | undefined
  readonly limb: { readonly u1: number; readonly u2: number }
  readonly impact: number
}

interface Gain {
  readonly electronsPerAdu: number
  readonly from: string
}

interface Result {
  readonly asked: Asked
  readonly series: MeasuredSeries
  readonly curve: ReducedCurve
  readonly times: readonly number[]
  readonly gain: Gain
  readonly telescope: Telescope
  readonly fit: TransitFit | undefined
}

function parse(argv: string[]): Asked {
  const { values, positionals } = parseArgs({
    args: argv.flatMap(attachNegative),
    allowPositionals: true,
    allowNegative: true,
    options: {
      target: { type: 'string' },
      pixel: { type: 'string' },
      out: { type: 'string' },
      plot: { type: 'string' },
      transit: { type: 'boolean', default: false },
      gain: { type: 'string' },
      diameter: { type: 'string' },
      elevation: { type: 'string' },
      saturate: { type: 'string' },
      limb: { type: 'string', default: defaultLimb },
      impact: { type: 'string' },
      'hot-pixels': { type: 'boolean', default: true },
      json: { type: 'boolean', default: false },
    },
  })
  if (positionals.length === 0) throw new NightjarError('cli/usage', 'name the FITS files of the series')
  if (values.out !== undefined && !/\.(csv|json)$/.test(values.out))
    throw new NightjarError('cli/usage', '--out must end with .csv or .json')
  const published = values.target === undefined ? undefined : publishedTransit(values.target)
  const [u1, u2] = pairOf('--limb', values.limb)
  return {
    paths: [...positionals].sort(),
    target: targetOf(values.target, values.pixel, published),
    name: published?.name ?? values.target ?? `pixel ${values.pixel}`,
    published,
    transit: values.transit || published !== undefined,
    out: values.out,
    plot: values.plot,
    json: values.json,
    hotPixels: values['hot-pixels'],
    gain: positive('--gain', values.gain),
    diameterMm: positive('--diameter', values.diameter),
    elevationMetres: values.elevation === undefined ? undefined : finite('--elevation', values.elevation),
    saturateAdu: positive('--saturate', values.saturate),
    limb: { u1, u2 },
    impact: values.impact === undefined ? (published?.impact ?? defaultImpact) : finite('--impact', values.impact),
  }
}

/** `--target -30,5` would read as an option. */
function attachNegative(argument: string, index: number, all: readonly string[]): string[] {
  if (argument === '--target' && /^-\d/.test(all[index + 1] ?? '')) return [`--target=${all[index + 1]}`]
  return /^-\d/.test(argument) && all[index - 1] === '--target' ? [] : [argument]
}

function targetOf(target: string | undefined, pixel: string | undefined, published?: PublishedTransit): Target {
  const sky = published ?? (target === undefined ? undefined : placeOf(target))
  if (target !== undefined && !sky) {
    const known = publishedTransits.map(({ name }) => name).join(', ')
    throw new NightjarError('cli/usage', `--target ${target}: give RA,DEC, or one of: ${known}`)
  }
  if (pixel !== undefined) {
    const [x, y] = pairOf('--pixel', pixel)
    return { pixel: { x, y }, ...(sky && { sky }) }
  }
  if (!sky) throw new NightjarError('cli/usage', 'name the star: --target RA,DEC, --target NAME or --pixel X,Y')
  return { sky }
}

function placeOf(text: string): { raDeg: number; decDeg: number } | undefined {
  const [ra, dec, ...more] = text.split(',')
  return ra === undefined || dec === undefined || more.length > 0 ? undefined : parsePlace(ra, dec)
}

function pairOf(name: string, text: string): [number, number] {
  const numbers = text.split(',').map(Number)
  const [a, b] = numbers
  if (numbers.length === 2 && Number.isFinite(a) && Number.isFinite(b)) return [a!, b!]
  throw new NightjarError('cli/usage', `${name} must be two numbers with a comma, not ${text}`)
}

function finite(name: string, text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a number, not ${text}`)
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = finite(name, text)
  if (value > 0) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

function gainOf({ header, frames }: MeasuredSeries, asked: number | undefined): Gain {
  if (asked !== undefined) return { electronsPerAdu: asked, from: '--gain' }
  const stated = header.number('EGAIN')
  if (stated !== undefined && stated > 0) return { electronsPerAdu: stated, from: 'EGAIN' }
  const levels = frames.map(({ skyAdu }) => skyAdu)
  const found = gainFromSky(
    levels,
    frames.map(({ skyRmsAdu }) => skyRmsAdu),
  )
  if (found) {
    const error = Math.round(100 * found.relativeError)
    return { electronsPerAdu: found.electronsPerAdu, from: `noise against level of the sky, ± ${error} %` }
  }
  // Without a bias level the whole level counts as photons: an upper limit.
  const { skyAdu, skyRmsAdu } = frames[frames.length >> 1]!
  return { electronsPerAdu: skyAdu / skyRmsAdu ** 2, from: 'upper limit from level and noise of the sky: give --gain' }
}

function telescopeOf({ header }: MeasuredSeries, asked: Asked): Telescope {
  const diameterMm = asked.diameterMm ?? header.number('APTDIA')
  return {
    apertureMetres: diameterMm === undefined ? undefined : diameterMm / 1000,
    elevationMetres: asked.elevationMetres ?? header.number('SITEELEV') ?? 0,
  }
}

/** BJD_TDB with the target's place, else JD UTC. */
function timeOf({ frames, targetSky }: MeasuredSeries, frame: number): number {
  const { middleMs } = frames[frame]!
  return targetSky
    ? barycentricJulianDate(targetSky.raDeg, targetSky.decDeg, middleMs)
    : middleMs / 86_400_000 + 2440587.5
}

function transitOf(
  series: MeasuredSeries,
  curve: ReducedCurve,
  times: readonly number[],
  { published, limb, impact }: Asked,
): TransitFit | undefined {
  const airmasses = curve.points.map(({ frame }) => series.frames[frame]!.airmass)
  const trend = airmasses.every((airmass) => airmass !== undefined) ? airmasses : times
  return fitTransit(
    { time: times, mag: curve.points.map(({ mag }) => mag), errorMag: curve.points.map((p) => p.errorMag), trend },
    {
      impact,
      limb,
      ...(published && {
        midTime: predictedMidTime(published, times[times.length >> 1]!).value,
        durationDays: published.durationDays,
      }),
    },
  )
}

function tableOf(result: Result, path: string): string {
  if (path.endsWith('.json')) return `${JSON.stringify(jsonOf(result), undefined, 2)}\n`
  const { series, curve, times, fit } = result
  const clock = series.targetSky ? 'bjdTdb' : 'jdUtc'
  const rows = curve.points.map((point, i) => {
    const { path: file, airmass } = series.frames[point.frame]!
    const numbers = [times[i]!.toFixed(6), point.mag.toFixed(5), point.errorMag.toFixed(5)]
    const rest = [fit?.modelMag[i]?.toFixed(5) ?? '', airmass?.toFixed(4) ?? '', point.fluxAdu.toFixed(1)]
    return [...numbers, ...rest, point.x.toFixed(2), point.y.toFixed(2), file].join(',')
  })
  return [`${clock},mag,errorMag,modelMag,airmass,fluxAdu,x,y,file`, ...rows, ''].join('\n')
}

function jsonOf({ series, curve, times, gain, telescope, fit, asked }: Result): object {
  const { radiusPixels, comparisons, scatterMag, expectedMag, scatterRatio } = curve
  return {
    target: asked.name,
    frames: series.frames.length,
    skipped: series.skipped,
    driftPixels: series.driftPixels,
    detector: series.detector,
    gain,
    telescope,
    radiusPixels,
    comparisons,
    scatterMag,
    expectedMag,
    scatterRatio,
    transit: fit && withoutModel(fit),
    clock: series.targetSky ? 'BJD_TDB' : 'JD_UTC',
    points: curve.points.map((point, i) => ({ time: times[i], ...point, modelMag: fit?.modelMag[i] })),
  }
}

function withoutModel({ modelMag: _modelMag, ...rest }: TransitFit): object {
  return rest
}

function plotOf({ asked, curve, times, fit, series }: Result): string {
  const origin = fit ? fit.midTime.value : times[0]!
  const level = fit ? fit.baseline[0] : 0
  return plotLightCurve({
    title: `${asked.name}: ${curve.points.length} frames, ${curve.comparisons} comparison stars`,
    hours: times.map((time) => (time - origin) * 24),
    mag: curve.points.map(({ mag }) => mag - level),
    errorMag: curve.points.map(({ errorMag }) => errorMag),
    ...(fit && { modelMag: fit.modelMag.map((mag) => mag - level) }),
    xLabel: `hours from ${series.targetSky ? 'BJD_TDB' : 'JD UTC'} ${origin.toFixed(5)}`,
  })
}

function print(result: Result): void {
  const { series, curve, gain, telescope, fit, asked } = result
  const { detector } = series
  const line = (label: string, text: string): void => console.log(`${label.padEnd(12)}${text}`)
  const mmag = (value: number): string => (1000 * value).toFixed(1)
  const seconds = series.frames[0]!.exposureSeconds
  const skipped = series.skipped.length > 0 ? `, ${series.skipped.length} left out` : ''
  line('frames', `${series.frames.length} of ${seconds} s, drift ${series.driftPixels.toFixed(0)} px${skipped}`)
  if (typeof detector === 'string') line('hot pixels', `not removed: ${detector}`)
  else line('hot pixels', `${(100 * detector.badShare).toFixed(2)} % of the detector, from ${detector.frames} frames`)
  line('gain', `${gain.electronsPerAdu.toFixed(2)} e-/ADU (${gain.from})`)
  line('comparison', `${curve.comparisons} stars, aperture ${curve.radiusPixels.toFixed(1)} px`)
  const limit = telescope.apertureMetres === undefined ? 'photons' : 'photons and scintillation'
  line('scatter', `${mmag(curve.scatterMag)} mmag for stars like the target; ${limit}: ${mmag(curve.expectedMag)}`)
  line('', `scatter ÷ limit of all comparison stars: ${curve.scatterRatio.toFixed(2)} (median)`)
  if (telescope.apertureMetres === undefined) line('', 'without scintillation: it needs --diameter')
  if (asked.transit && !fit) line('transit', 'none could be fitted')
  if (fit) printTransit(fit, asked.published)
  for (const reason of series.skipped) line('left out', reason)
}

function printTransit(fit: TransitFit, published: PublishedTransit | undefined): void {
  const midTime = published && predictedMidTime(published, fit.midTime.value)
  const rows: Row[] = [
    { label: 'mid-time', unit: 'BJD', scale: 1, digits: 5, got: fit.midTime, known: midTime },
    { label: 'depth', unit: '%', scale: 100, digits: 2, got: fit.depth, known: published && depthOf(published) },
    {
      label: 'duration',
      unit: 'h',
      scale: 24,
      digits: 2,
      got: fit.durationDays,
      known: published && { value: published.durationDays, error: published.durationErrorDays },
    },
  ]
  console.log(`\ntransit     ${'measured'.padEnd(28)}${published ? `${'published'.padEnd(28)}difference` : ''}`)
  for (const row of rows) console.log(rowText(row))
  console.log(
    `            scatter ${(1000 * fit.scatterMag).toFixed(1)} mmag, Δχ² ${fit.significance.toFixed(0)}, reduced χ² ${fit.reducedChiSquare.toFixed(2)}`,
  )
  if (published) console.log(`            ${published.source}`)
}

interface Row {
  readonly label: string
  readonly unit: string
  readonly scale: number
  readonly digits: number
  readonly got: { readonly value: number; readonly error: number }
  readonly known: { readonly value: number; readonly error: number } | undefined
}

function rowText({ label, unit, scale, digits, got, known }: Row): string {
  const cell = (measured: Row['got']): string =>
    `${(scale * measured.value).toFixed(digits)} ± ${(scale * measured.error).toFixed(digits)} ${unit}`
  const sigma = known && (got.value - known.value) / Math.hypot(got.error, known.error)
  const difference = known && sigma !== undefined ? `${cell(known).padEnd(28)}${sigma.toFixed(1)} σ` : ''
  return `${label.padEnd(12)}${cell(got).padEnd(28)}${difference}`.trimEnd()
}

function depthOf({ radiusRatio, radiusRatioError }: PublishedTransit): Row['got'] {
  return { value: radiusRatio ** 2, error: 2 * radiusRatio * radiusRatioError }
}
