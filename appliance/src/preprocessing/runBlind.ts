import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { FitsHeader } from '../frames/fits/header.ts'
import { openFits } from '../frames/fits/read.ts'
import { readTable } from '../frames/fits/table.ts'
import { type SkyPosition, type Wcs, wcsFromHeader } from '../frames/wcs.ts'
import { type BlindAnswer, solveNarrowField } from './narrowField.ts'
import { type SkyCatalogue, type Solution, type SolveHint, type SolveStar, solveFrom } from './solve.ts'
import { encodeXylist } from './xylist.ts'

/**
 * Solving without knowing where: astrometry.net's `solve-field` (Lang et al. 2010, AJ 139, 1782) on our star list, or
 * ASTAP's `astap_cli` on the image, where they are installed. Their answer is only a first guess: it counts when our own
 * catalogue confirms it as it confirms our own guesses, or (of solve-field) when the field is too small for our catalogue.
 */
export interface BlindSolvers {
  /** Path of astrometry.net's `solve-field`. */
  readonly solveField?: string
  /** Path of ASTAP's `astap_cli`. */
  readonly astap?: string
  /** Folder of ASTAP's star database; where it looks by itself when absent. */
  readonly astapStars?: string
}

export interface BlindField {
  readonly stars: readonly SolveStar[]
  readonly width: number
  readonly height: number
  /** The image as a FITS file; ASTAP is asked only when it is given. */
  readonly image?: () => Uint8Array
}

export interface BlindOptions {
  /** See `findBlindSolvers`. */
  readonly solvers: BlindSolvers
  readonly scaleArcsecPerPixel?: number | undefined
  /** Relative; 0.1. */
  readonly scaleTolerance?: number | undefined
  /** Where to look; default: everywhere. */
  readonly near?: SolveHint | undefined
  /** For each solver, 60. */
  readonly cpuLimitSeconds?: number
}

/** solve-field looks at stars in steps of the brightest; more do not help it. */
const mostStars = 1000
/** What solve-field would write beside the WCS. */
const unwanted = ['new-fits', 'rdls', 'match', 'solved', 'index-xyls'] as const
/** Without a scale. */
const scales = { from: 0.3, to: 60 } as const
const outputBytes = 1 << 22
/** ASTAP's own words for a search of the whole sky. */
const wholeSkyDeg = 180

/** The blind solvers on this machine, looked for in the folders of `path`. */
export function findBlindSolvers(path: string): BlindSolvers {
  const solveField = executable(path, 'solve-field')
  const astap = executable(path, 'astap_cli')
  return { ...(solveField !== undefined && { solveField }), ...(astap !== undefined && { astap }) }
}

function executable(path: string, name: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Finds the world coordinates of a field anywhere on the sky. A failure names what each solver said. The solvers work in a
 * temporary folder of their own, which is gone afterwards, and end after twice their CPU limit.
 */
export async function solveBlind(field: BlindField, catalogue: SkyCatalogue, options: BlindOptions): Promise<Solution> {
  const { solveField, astap, astapStars } = options.solvers
  const { image } = field
  const attempts = [
    ...(solveField === undefined ? [] : [['solve-field', askSolveField(solveField)] as const]),
    ...(astap === undefined || image === undefined ? [] : [['astap_cli', askAstap(astap, image, astapStars)] as const]),
  ]
  if (attempts.length === 0) {
    return { ok: false, reason: 'no blind solver is installed: apt-get install astrometry.net astrometry-data-tycho2' }
  }
  const reasons: string[] = []
  for (const [name, ask] of attempts) {
    const answer = await inFolder((folder) => ask(folder, field, options))
    if (typeof answer === 'string') {
      reasons.push(`${name}: ${answer}`)
      continue
    }
    const solution = confirmed(answer, field, catalogue)
    if (solution.ok) return solution
    reasons.push(`${name}: its answer was refused: ${solution.reason}`)
  }
  return { ok: false, reason: reasons.join('; ') }
}

/** An answer, or why there is none. */
type Ask = (folder: string, field: BlindField, options: BlindOptions) => Promise<BlindAnswer | string>

/** What our catalogue makes of an answer; where the field is too small for it, the solver's own stars count. */
function confirmed(answer: BlindAnswer, field: BlindField, catalogue: SkyCatalogue): Solution {
  const { stars, width, height } = field
  const solution = solveFrom(answer.wcs, stars, width, height, catalogue)
  if (solution.ok) return solution
  return solveNarrowField(answer, stars, width, height, catalogue) ?? solution
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'nightjar-blind-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function scaleBounds(options: Omit<BlindOptions, 'solvers'>): { readonly from: number; readonly to: number } {
  const { scaleArcsecPerPixel: scale, scaleTolerance = 0.1 } = options
  return scale === undefined ? scales : { from: scale / (1 + scaleTolerance), to: scale * (1 + scaleTolerance) }
}

function cpuLimit({ cpuLimitSeconds = 60 }: Pick<BlindOptions, 'cpuLimitSeconds'>): number {
  return Math.max(1, Math.ceil(cpuLimitSeconds))
}

function askSolveField(program: string): Ask {
  return async (folder, field, options) => {
    const args = ['--no-tweak', ...(await prepareSolveField(folder, field, options))]
    const said = await runBounded(program, cpuLimit(options), folder, args)
    const wcs = await readGuess(join(folder, solveFieldOutput))
    const recognised = recognisedStars(join(folder, recognisedOutput))
    return wcs ? { wcs, ...(recognised && { recognised }) } : (said ?? 'no match')
  }
}

/** Name of the file with the WCS that `prepareSolveField` asks for. */
export const solveFieldOutput = 'found.wcs'
const recognisedOutput = 'found.corr'

/** The stars of solve-field's index that it found in the frame, from its table of correspondences. */
function recognisedStars(file: string): SkyCatalogue | undefined {
  if (!existsSync(file)) return undefined
  const table = readTable(openFits(file), 1)
  const column = (name: string): number[] => (table.find((of) => of.name === name)?.values ?? []).map(Number)
  const dec = column('index_dec')
  const all = column('index_ra').map((raDeg, i) => ({ raDeg, decDeg: dec[i]!, mag: Number.NaN }))
  return { starsNear: () => all }
}

/** Writes the star list for solve-field into `folder`; returns its command line. */
export async function prepareSolveField(
  folder: string,
  field: BlindField,
  options: Omit<BlindOptions, 'solvers'>,
): Promise<string[]> {
  const list = join(folder, 'stars.xyls')
  await writeFile(list, encodeXylist(brightest(field.stars)))
  const { from, to } = scaleBounds(options)
  return [
    ...['--width', String(field.width), '--height', String(field.height)],
    ...['--x-column', 'X', '--y-column', 'Y', '--sort-column', 'FLUX'],
    ...['--scale-units', 'arcsecperpix', '--scale-low', String(from), '--scale-high', String(to)],
    ...nearArguments(options.near),
    ...['--cpulimit', String(cpuLimit(options)), '--temp-dir', folder, '--dir', folder],
    ...[
      '--no-plots',
      '--no-remove-lines',
      '--uniformize',
      '0',
      '--overwrite',
      '--wcs',
      solveFieldOutput,
      '--corr',
      recognisedOutput,
    ],
    ...unwanted.flatMap((name) => [`--${name}`, 'none']),
    list,
  ]
}

function nearArguments(near: SolveHint | undefined): string[] {
  if (!near) return []
  return ['--ra', String(near.raDeg), '--dec', String(near.decDeg), '--radius', String(near.radiusDeg)]
}

function brightest(stars: readonly SolveStar[]): SolveStar[] {
  return [...stars].sort((a, b) => b.fluxAdu - a.fluxAdu).slice(0, mostStars)
}

/** ASTAP's command line: hours of right ascension, distance from the south pole, height of the field in degrees (0: unknown). */
function askAstap(program: string, image: () => Uint8Array, stars: string | undefined): Ask {
  return async (folder, field, options) => {
    const file = join(folder, 'image.fits')
    await writeFile(file, image())
    const { near, scaleArcsecPerPixel: scale } = options
    const place: SkyPosition = near ?? { raDeg: 0, decDeg: 0 }
    const said = await runBounded(program, cpuLimit(options), folder, [
      ...['-f', file, '-o', join(folder, 'found'), '-wcs'],
      ...['-r', String(near?.radiusDeg ?? wholeSkyDeg)],
      ...['-ra', String(place.raDeg / 15), '-spd', String(place.decDeg + 90)],
      ...['-fov', String(scale === undefined ? 0 : (field.height * scale) / 3600)],
      ...(stars === undefined ? [] : ['-d', stars]),
    ])
    const wcs = await readGuess(join(folder, 'found.wcs'))
    return wcs ? { wcs } : (said ?? 'no match')
  }
}

/**
 * Runs a program and all that it starts for at most twice `cpuSeconds` (coreutils' timeout ends the whole group). Undefined
 * when it ended well, else its last words.
 */
async function runBounded(
  program: string,
  cpuSeconds: number,
  folder: string,
  args: readonly string[],
): Promise<string | undefined> {
  const bounded = ['--kill-after=5', String(2 * cpuSeconds), program, ...args]
  try {
    await promisify(execFile)('timeout', bounded, { cwd: folder, maxBuffer: outputBytes })
    return undefined
  } catch (cause) {
    const { code, stderr, stdout } = cause as { code?: number | string; stderr?: string; stdout?: string }
    if (code === 124 || code === 137) return `gave up after ${2 * cpuSeconds} s`
    return lastLine(stderr) ?? lastLine(stdout) ?? `ended with ${code}`
  }
}

function lastLine(text: string | undefined): string | undefined {
  return text
    ?.split('\n')
    .map((line) => line.replace(/\p{Cc}/gu, '').trim())
    .filter((line) => line !== '')
    .at(-1)
}

/** The WCS that a solver wrote: header cards and nothing else, some with line ends. */
export async function readGuess(file: string): Promise<Wcs | undefined> {
  if (!existsSync(file)) return undefined
  const text = await readFile(file, 'latin1')
  const cards = text.includes('\n')
    ? text
        .split(/\r?\n/)
        .map((line) => line.padEnd(80).slice(0, 80))
        .join('')
    : text
  return wcsFromHeader(FitsHeader.parse(cards))
}
