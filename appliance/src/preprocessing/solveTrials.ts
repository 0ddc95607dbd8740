import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { pixelToSky, type SkyPosition, skyToPixel, type Wcs } from '../frames/wcs.ts'
import { type SkyCatalogue, type SolveHint, type SolveStar, solve } from './solve.ts'

/**
 * Trials of the solver: star lists as a telescope would make them of the real sky, with a truth to compare with, and lists
 * and hints that no answer fits. The tests take a few, the benchmark all.
 */
export interface View {
  readonly width: number
  readonly height: number
  readonly scaleArcsec: number
  /** Of the direction of growing y, from North through East. */
  readonly turnDeg: number
  readonly parity: 1 | -1
  readonly raDeg: number
  readonly decDeg: number
  /** Cubic radial distortion: relative stretch at the corner. */
  readonly bend: number
}

/** How well a view is observed. */
export interface Observing {
  /** At most this many catalogue stars, the brightest. */
  readonly mostStars: number
  /** Of a position, one axis, from the measurement. */
  readonly errorPixels: number
  /** Of a position, one axis, from the catalogue's age. */
  readonly errorArcsec: number
  /** Share of the catalogue stars that are not seen. */
  readonly missing: number
  /** Stars that the catalogue lacks, per one that it has. */
  readonly strangers: number
}

export interface Trial {
  readonly view: View
  readonly observing: Observing
  readonly stars: readonly SolveStar[]
  /** How many of them the catalogue has. */
  readonly real: number
  readonly hint: SolveHint
}

const degree = Math.PI / 180

/** The linear part of a view: what a perfect lens would show. */
export function wcsOfView(view: View): Wcs {
  const scale = view.scaleArcsec / 3600
  const [cos, sin] = [scale * Math.cos(view.turnDeg * degree), scale * Math.sin(view.turnDeg * degree)]
  return {
    referencePixel: [(view.width - 1) / 2, (view.height - 1) / 2],
    raDeg: view.raDeg,
    decDeg: view.decDeg,
    cd: [-view.parity * cos, sin, view.parity * sin, cos],
  }
}

/** Where the lens puts what a perfect one would put at (x, y). */
function bent(view: View, x: number, y: number): { x: number; y: number } {
  const [cx, cy] = [(view.width - 1) / 2, (view.height - 1) / 2]
  const stretch = 1 + (view.bend * ((x - cx) ** 2 + (y - cy) ** 2)) / (cx * cx + cy * cy)
  return { x: cx + (x - cx) * stretch, y: cy + (y - cy) * stretch }
}

function inside(view: View, { x, y }: { readonly x: number; readonly y: number }): boolean {
  return x >= 0 && y >= 0 && x <= view.width - 1 && y <= view.height - 1
}

/** Catalogue stars as a view would measure them (zero point 20, 0.3 mag off), and strangers among them. */
export function observe(
  view: View,
  observing: Observing,
  catalogue: SkyCatalogue,
  random: Random,
): { readonly stars: SolveStar[]; readonly real: number } {
  const wcs = wcsOfView(view)
  const reach = (0.55 * Math.hypot(view.width, view.height) * view.scaleArcsec) / 3600
  const error = Math.hypot(observing.errorPixels, observing.errorArcsec / view.scaleArcsec)
  const stars: SolveStar[] = []
  let catalogued = 0
  for (const known of catalogue.starsNear(view.raDeg, view.decDeg, reach)) {
    const ideal = skyToPixel(wcs, known.raDeg, known.decDeg)
    if (!ideal) continue
    const at = bent(view, ideal.x, ideal.y)
    if (!inside(view, at)) continue
    if (catalogued++ === observing.mostStars) break
    if (random.next() < observing.missing) continue
    const seen = { x: at.x + error * random.normal(), y: at.y + error * random.normal() }
    stars.push({ ...seen, fluxAdu: 10 ** (-0.4 * (known.mag - 20 + 0.3 * random.normal())) })
  }
  const real = stars.length
  const faintest = Math.min(...stars.map((star) => star.fluxAdu))
  for (let n = 0; n < observing.strangers * real; n++) {
    const at = { x: random.next() * (view.width - 1), y: random.next() * (view.height - 1) }
    stars.push({ ...at, fluxAdu: faintest * random.next() ** -0.7 })
  }
  return { stars, real }
}

/** Anywhere but within 8° of the poles. */
export function somewhere(random: Random): SkyPosition {
  return { raDeg: 360 * random.next(), decDeg: Math.asin(1.98 * random.next() - 0.99) / degree }
}

/** The place `awayDeg` from another, in any direction. */
export function placeAway(from: SkyPosition, awayDeg: number, random: Random): SkyPosition {
  const bearing = 2 * Math.PI * random.next()
  const plane: Wcs = { referencePixel: [0, 0], raDeg: from.raDeg, decDeg: from.decDeg, cd: [1, 0, 0, 1] }
  const onPlane = Math.tan(awayDeg * degree) / degree
  return pixelToSky(plane, onPlane * Math.sin(bearing), onPlane * Math.cos(bearing))
}

/** Largest error of a solution on a grid over the inner nine tenths of the frame, pixels. */
export function errorPixels(wcs: Wcs, view: View): number {
  const truth = wcsOfView(view)
  let worst = 0
  for (let k = 0; k < 25; k++) {
    const [i, j] = [(k % 5) / 4, Math.floor(k / 5) / 4]
    const ideal = { x: (0.05 + 0.9 * i) * (view.width - 1), y: (0.05 + 0.9 * j) * (view.height - 1) }
    const sky = pixelToSky(truth, ideal.x, ideal.y)
    const found = skyToPixel(wcs, sky.raDeg, sky.decDeg)
    const seen = bent(view, ideal.x, ideal.y)
    worst = Math.max(worst, found ? Math.hypot(found.x - seen.x, found.y - seen.y) : Number.POSITIVE_INFINITY)
  }
  return worst
}

const sensors = [
  [1024, 1024],
  [1280, 1024],
  [1936, 1096],
  [2048, 2048],
  [4144, 2822],
  [4096, 4096],
  [6000, 4000],
] as const

function between(random: Random, from: number, to: number): number {
  return from + (to - from) * random.next()
}

function betweenLog(random: Random, from: number, to: number): number {
  return from * (to / from) ** random.next()
}

/** A telescope of 0.9 to 10″ a pixel somewhere on the sky, at any angle, in either parity. */
export function drawView(random: Random, sensor?: readonly [number, number]): View {
  const [width, height] = sensor ?? sensors[Math.floor(random.next() * sensors.length)]!
  return {
    width,
    height,
    scaleArcsec: betweenLog(random, 0.9, 10),
    turnDeg: 360 * random.next(),
    parity: random.next() < 0.5 ? 1 : -1,
    bend: between(random, -0.003, 0.003),
    ...somewhere(random),
  }
}

function drawObserving(random: Random): Observing {
  return {
    mostStars: Math.round(betweenLog(random, 10, 500)),
    errorPixels: between(random, 0.03, 0.2),
    errorArcsec: 0.15,
    missing: between(random, 0, 0.15),
    strangers: betweenLog(random, 0.2, 3),
  }
}

/** A frame that can be solved: 10 to 500 stars of the catalogue, a hint within 2° and a scale within 5 %. */
export function drawTrial(catalogue: SkyCatalogue, random: Random, sensor?: readonly [number, number]): Trial {
  for (;;) {
    const view = drawView(random, sensor)
    const observing = drawObserving(random)
    const { stars, real } = observe(view, observing, catalogue, random)
    if (real < 10) continue
    const place = placeAway(view, 2 * Math.sqrt(random.next()), random)
    const scaleArcsecPerPixel = view.scaleArcsec * between(random, 0.95, 1.05)
    return { view, observing, stars, real, hint: { ...place, radiusDeg: 2, scaleArcsecPerPixel } }
  }
}

/** How a hint or a star list can be wrong. */
export const wrongs = ['place', 'scale', 'parity', 'random stars', 'few stars'] as const
export type Wrong = (typeof wrongs)[number]

/** A frame that has no answer, or for `few stars` 3 to 8 stars whose answer is the view's or none. */
export function drawWrong(wrong: Wrong, catalogue: SkyCatalogue, random: Random): Trial {
  const trial = drawTrial(catalogue, random)
  const { view, hint } = trial
  switch (wrong) {
    case 'place':
      return { ...trial, hint: { ...hint, ...placeAway(view, 5 + reachDeg(view) + 40 * random.next(), random) } }
    case 'scale': {
      const factor = random.next() < 0.5 ? 1.3 : 1 / 1.3
      return { ...trial, hint: { ...hint, scaleArcsecPerPixel: view.scaleArcsec * factor } }
    }
    case 'parity':
      return { ...trial, hint: { ...hint, parity: view.parity === 1 ? -1 : 1 } }
    case 'random stars':
      return { ...trial, stars: trial.stars.map((star) => scattered(star, view, random)) }
    case 'few stars':
      return { ...trial, stars: few(trial, random) }
  }
}

/** From the centre of a view to its corner, and the search around the hint. */
function reachDeg(view: View): number {
  return 2 + (Math.hypot(view.width, view.height) * view.scaleArcsec) / 3600
}

function scattered(star: SolveStar, view: View, random: Random): SolveStar {
  return { ...star, x: (view.width - 1) * random.next(), y: (view.height - 1) * random.next() }
}

/** 3 to 8 of the brightest, up to half of them moved to the other side: a mirror image of a few stars. */
function few({ stars, view }: Trial, random: Random): SolveStar[] {
  const count = 3 + Math.floor(6 * random.next())
  const moved = random.next() * 0.5
  return [...stars]
    .sort((a, b) => b.fluxAdu - a.fluxAdu)
    .slice(0, count)
    .map((star) => (random.next() < moved ? { ...star, x: view.width - 1 - star.x } : star))
}

/** The rms distance that the errors put into a trial's stars make. */
export function injectedRmsPixels({ observing, view }: Trial): number {
  return Math.SQRT2 * Math.hypot(observing.errorPixels, observing.errorArcsec / view.scaleArcsec)
}

export interface TrialResult {
  readonly trial: Trial
  readonly solved: boolean
  /** Solved, but not to where the frame was: more than 5 pixels off. */
  readonly wrong: boolean
  readonly cpuMs: number
  readonly rmsPixels: number
  readonly errorPixels: number
  readonly matched: number
}

/** A solution further from the truth is of another place. */
export const wrongPixels = 5

/** Solves one trial and compares the answer with the truth. `cpuMs` reads this process's CPU clock. */
export function runTrial(trial: Trial, catalogue: SkyCatalogue, cpuMs: () => number): TrialResult {
  const { stars, view, hint } = trial
  const start = cpuMs()
  const solution = solve(stars, view.width, view.height, hint, catalogue)
  const used = cpuMs() - start
  if (!solution.ok) {
    const none = { rmsPixels: Number.NaN, errorPixels: Number.NaN, matched: 0 }
    return { trial, solved: false, wrong: false, cpuMs: used, ...none }
  }
  const error = errorPixels(solution.wcs, view)
  return {
    trial,
    solved: true,
    wrong: !(error <= wrongPixels),
    cpuMs: used,
    rmsPixels: solution.rmsPixels,
    errorPixels: error,
    matched: solution.matched,
  }
}

/** The value that `share` of the finite values lie below. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
