import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { separationDeg } from '../observations/ephemeris.ts'
import { openStarCatalogue, type StarCatalogue } from '../observations/starCatalogue.ts'
import { createSky, type TransientSchedule } from './sky.ts'

/**
 * Stands in for the CDS program `gsc` that Debian's camera simulator asks for the stars of every frame, so that the real
 * driver shows our sky: Tycho-2, the seeded faint stars, and the transients that have appeared by now. Galaxies are left
 * out: the driver draws points only. `writeGscWrapper` puts a `gsc` on a PATH; the driver waits while it runs.
 */
export interface GscWorld {
  readonly seed: number
  readonly transients?: TransientSchedule
}

export interface GscQuestion {
  /** J2000 degrees. */
  readonly raDeg: number
  readonly decDeg: number
  readonly radiusArcmin: number
  readonly brightestMag: number
  readonly faintestMag: number
  readonly most: number
}

/**
 * Reads `-c RA Dec -r arcmin -m bright faint -n most`, the arguments that indi_simulator_ccd gives (and 2.2.4's
 * drivers/ccd/sky_renderer.cpp still does). Throws `gsc/arguments` for anything else.
 */
export function parseGscArguments(args: readonly string[]): GscQuestion {
  const values: Record<string, number[]> = { c: [], r: [10], m: [0, 20], n: [3000] }
  const counts: Record<string, number> = { c: 2, r: 1, m: 2, n: 1 }
  for (let at = 0; at < args.length; ) {
    const option = /^-([crmn])$/.exec(args[at]!)?.[1]
    if (option === undefined) throw wrong(args, `${args[at]} is no option of gsc's`)
    const taken = args.slice(at + 1, at + 1 + counts[option]!)
    const numbers = taken.map(Number)
    if (numbers.length < counts[option]! || taken.includes('') || !numbers.every(Number.isFinite))
      throw wrong(args, `-${option} needs ${counts[option]} numbers`)
    values[option] = numbers
    at += 1 + counts[option]!
  }
  const [raDeg, decDeg] = values['c'] as [number?, number?]
  if (raDeg === undefined || decDeg === undefined) throw wrong(args, 'the centre is missing: -c RA Dec')
  const [brightestMag, faintestMag] = values['m'] as [number, number]
  return { raDeg, decDeg, radiusArcmin: values['r']![0]!, brightestMag, faintestMag, most: values['n']![0]! }
}

const wrong = (args: readonly string[], what: string): NightjarError =>
  new NightjarError('gsc/arguments', `gsc ${args.join(' ')}: ${what}`)

/**
 * The stars of one question, brightest first, one a line with the 12 fields that the driver's sscanf wants: id, RA, Dec,
 * position error, magnitude, its error, band, class, plate, multiplicity, distance (arc minutes), direction (degrees).
 */
export function gscLines(question: GscQuestion, world: GscWorld, catalogue: StarCatalogue, atMs: number): string[] {
  const { raDeg, decDeg, radiusArcmin, brightestMag, faintestMag, most } = question
  const radiusDeg = radiusArcmin / 60
  const { points } = createSky({ ...world, catalogue }).sceneAt({ raDeg, decDeg, radiusDeg, atMs, seconds: 0 })
  return points
    .filter((star) => star.mag >= brightestMag && star.mag <= faintestMag)
    .sort((a, b) => a.mag - b.mag)
    .slice(0, most)
    .map((star, index) => {
      const distance = 60 * separationDeg(raDeg, decDeg, star.raDeg, star.decDeg)
      const id = `N${String(index).padStart(8, '0')}`
      const place = `${star.raDeg.toFixed(6)} ${star.decDeg.toFixed(6)}`
      return `${id} ${place} 0.1 ${star.mag.toFixed(2)} 0.10 1 0 NJAR N ${distance.toFixed(2)} 0`
    })
}

const program = fileURLToPath(import.meta.url)

/**
 * Writes `gsc`, a shell script that runs this file for one world, and that world beside it, into a folder that is to come
 * first on the driver's PATH. Returns the script's path.
 */
export function writeGscWrapper(folder: string, world: GscWorld): string {
  mkdirSync(folder, { recursive: true })
  const worldPath = resolve(folder, 'gsc-world.json')
  writeFileSync(worldPath, JSON.stringify({ seed: world.seed, transients: world.transients }))
  const path = join(folder, 'gsc')
  const environment = `NIGHTJAR_GSC_WORLD=${quoted(worldPath)} NODE_COMPILE_CACHE=${quoted(resolve(folder, 'cache'))}`
  writeFileSync(path, `#!/bin/sh\n${environment} exec ${quoted(process.execPath)} ${quoted(program)} "$@"\n`, {
    mode: 0o755,
  })
  return path
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Prints the stars; the world comes from the file that NIGHTJAR_GSC_WORLD names, the time from the clock. */
function main(): void {
  const path = process.env['NIGHTJAR_GSC_WORLD']
  if (path === undefined) throw new NightjarError('gsc/world', 'NIGHTJAR_GSC_WORLD must name the file of the world')
  const world = JSON.parse(readFileSync(path, 'utf8')) as GscWorld
  const lines = gscLines(parseGscArguments(process.argv.slice(2)), world, openStarCatalogue(), systemClock.now())
  process.stdout.write(`${lines.join('\n')}\n`)
}

if (import.meta.main) {
  try {
    main()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
