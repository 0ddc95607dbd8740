import { withBend } from './bend.ts'
import { firstGuess, type Guess } from './firstGuess.ts'
import { median, robustSigma } from './robust.ts'
import { StarGrid } from './starGrid.ts'
import { stellarFwhm } from './starWidth.ts'
import { applyTransform, fitTransform, type PixelTransform, type PointPair, parityOf, shifted } from './transform.ts'

/**
 * Registration: which pixel of the reference shows the same sky as a pixel of the science frame. Stars are matched by
 * triangles of equal shape in both parities (a meridian flip turns a frame by 180°, a mirror in the light path flips it);
 * the work is bounded, so frames that do not match fail soon with a reason. Then an affine, quadratic or cubic map is
 * fitted to all matched stars, of the lowest order that the residuals support, and bent where a cubic leaves structure (bend.ts).
 */
export interface StarPosition {
  readonly x: number
  readonly y: number
  readonly fluxAdu: number
  /** Signal-to-noise ratio; better stars weigh more. */
  readonly snr?: number
  readonly fwhmPixels?: number
}

export interface FrameSize {
  readonly width: number
  readonly height: number
}

export interface RegistrationInput {
  readonly science: readonly StarPosition[]
  readonly reference: readonly StarPosition[]
  readonly scienceSize: FrameSize
  readonly referenceSize: FrameSize
  /** A first guess, science to reference, from two world coordinate systems. */
  readonly hint?: PixelTransform
}

export interface Registration {
  /** Science pixels to reference pixels. */
  readonly transform: PixelTransform
  /** How the first guess was found; `hint` with 0 matched means that no star could confirm it. */
  readonly method: 'hint' | 'triangles' | 'shift'
  /** −1 when one frame is mirrored. */
  readonly parity: 1 | -1
  readonly matched: number
  /** Of the residuals of matched stars in both axes together. */
  readonly rmsPixels: number
  /** 1.4826 × MAD of the residuals along each axis, of the better half of the stars. */
  readonly scatterXPixels: number
  readonly scatterYPixels: number
  /** Median residual along each axis. */
  readonly offsetXPixels: number
  readonly offsetYPixels: number
  /** Index pairs [science, reference] of the stars that the fit was made from. */
  readonly pairs: readonly (readonly [number, number])[]
}

export type RegistrationResult =
  | { readonly ok: true; readonly registration: Registration }
  | { readonly ok: false; readonly reason: string }

const mostFitStars = 4000

/** Matches two star lists. Expected failures (too few stars, another field) come back as a reason. */
export function registerStars(input: RegistrationInput): RegistrationResult {
  const science = brightestFirst(input.science)
  const reference = brightestFirst(input.reference)
  const sorted: RegistrationInput = { ...input, science: science.stars, reference: reference.stars }
  const guess = firstGuess(sorted)
  if (!guess) return { ok: false, reason: whyNot(input) }
  const refined = refine(sorted, guess)
  if (!refined) return { ok: false, reason: 'the stars agree on a map at first, but not when all of them are fitted' }
  const pairs = refined.pairs.map(([i, j]) => [science.order[i]!, reference.order[j]!] as const)
  return { ok: true, registration: { ...refined, pairs } }
}

function whyNot({ science, reference }: RegistrationInput): string {
  const counts = `${science.length} stars in the science frame, ${reference.length} in the reference`
  if (Math.min(science.length, reference.length) < 3) return `too few stars to register the frames: ${counts}`
  return `the star patterns do not match (${counts}): do both frames show the same field?`
}

function brightestFirst(stars: readonly StarPosition[]): { stars: StarPosition[]; order: number[] } {
  const order = stars.map((_, i) => i).sort((a, b) => stars[b]!.fluxAdu - stars[a]!.fluxAdu)
  return { stars: order.map((i) => stars[i]!), order }
}

interface Match extends PointPair {
  readonly science: number
  readonly reference: number
}

function refine(input: RegistrationInput, guess: Guess): Registration | undefined {
  const science = input.science.slice(0, mostFitStars)
  const reference = input.reference.slice(0, mostFitStars)
  const grid = new StarGrid(reference, input.referenceSize, 24)
  const widths = [widthOf(science), widthOf(reference)] as const
  let transform = guess.transform
  let matches: Match[] = []
  for (const tolerance of [5, 3, 2, 2, 1.5]) {
    matches = clipped(match(science, reference, grid, transform, tolerance, widths), transform)
    transform = fitSupported(matches, transform)
  }
  if (transform.order === 3) transform = withBend(transform, matches)
  if (matches.length === 0) return guess.method === 'hint' ? unconfirmed(guess.transform) : undefined
  return describe(guess.method, transform, matches)
}

/** A world coordinate system that no star confirms: half a pixel of doubt. */
function unconfirmed(transform: PixelTransform): Registration {
  const doubt = { rmsPixels: 0.5, scatterXPixels: 0.5, scatterYPixels: 0.5, offsetXPixels: 0, offsetYPixels: 0 }
  return { transform, method: 'hint', parity: parityOf(transform), matched: 0, ...doubt, pairs: [] }
}

/** Pairs of mutually nearest stars closer than `tolerance` pixels. */
function match(
  science: readonly StarPosition[],
  reference: readonly StarPosition[],
  grid: StarGrid,
  transform: PixelTransform,
  tolerance: number,
  widths: readonly [number, number],
): Match[] {
  const takenBy = new Map<number, { science: number; distance: number }>()
  science.forEach((star, index) => {
    const [x, y] = applyTransform(transform, star.x, star.y)
    const nearest = grid.nearest(x, y, tolerance)
    if (nearest < 0) return
    const distance = Math.hypot(reference[nearest]!.x - x, reference[nearest]!.y - y)
    const taken = takenBy.get(nearest)
    if (!taken || distance < taken.distance) takenBy.set(nearest, { science: index, distance })
  })
  return [...takenBy].map(([other, { science: index }]) => {
    const [from, to] = [science[index]!, reference[other]!]
    const weight = 1 / (centroidVariance(from, widths[0]) + centroidVariance(to, widths[1]))
    return { science: index, reference: other, fromX: from.x, fromY: from.y, toX: to.x, toY: to.y, weight }
  })
}

/** Pixels²: photon noise of a centroid, a floor for the pixel grid and the optics, and distrust of galaxies. */
function centroidVariance({ snr = 30, fwhmPixels = 3 }: StarPosition, stellar: number): number {
  const excess = Math.max(0, fwhmPixels - 1.15 * stellar)
  return 0.03 ** 2 + (fwhmPixels / 2.355 / Math.max(3, snr)) ** 2 + (0.2 * excess) ** 2
}

function widthOf(stars: readonly StarPosition[]): number {
  const width = stellarFwhm(stars.slice(0, 400).map(({ fwhmPixels = 3, snr = 30 }) => ({ fwhmPixels, snr })))
  return Number.isFinite(width) ? width : 3
}

function residuals(matches: readonly Match[], transform: PixelTransform): { x: number[]; y: number[] } {
  const x: number[] = []
  const y: number[] = []
  for (const pair of matches) {
    const [gotX, gotY] = applyTransform(transform, pair.fromX, pair.fromY)
    x.push(pair.toX - gotX)
    y.push(pair.toY - gotY)
  }
  return { x, y }
}

/** Drops pairs that lie more than 4 robust standard deviations (at least 0.15 px) from the median residual. */
function clipped(matches: Match[], transform: PixelTransform): Match[] {
  if (matches.length < 6) return matches
  const { x, y } = residuals(matches, transform)
  const [centreX, centreY] = [median(x), median(y)]
  const limitX = Math.max(0.15, 4 * robustSigma(x, centreX))
  const limitY = Math.max(0.15, 4 * robustSigma(y, centreY))
  return matches.filter((_, i) => Math.abs(x[i]! - centreX) <= limitX && Math.abs(y[i]! - centreY) <= limitY)
}

/** The lowest order that the residuals support (Akaike, with a margin); with few pairs only the shift of `start`. */
function fitSupported(matches: readonly Match[], start: PixelTransform): PixelTransform {
  if (matches.length === 0) return start
  if (matches.length < 6) {
    const { x, y } = residuals(matches, start)
    return shifted(start, median(x), median(y))
  }
  let best = start
  let bestScore = Number.POSITIVE_INFINITY
  for (const { order, needs } of [
    { order: 1, needs: 6 },
    { order: 2, needs: 30 },
    { order: 3, needs: 60 },
  ] as const) {
    const fitted = matches.length >= needs ? fitTransform(matches, order) : undefined
    if (!fitted) continue
    const score = akaike(matches, fitted, order)
    if (score < bestScore - 10) {
      best = fitted
      bestScore = score
    }
  }
  return best
}

function akaike(matches: readonly Match[], transform: PixelTransform, order: 1 | 2 | 3): number {
  const { x, y } = residuals(matches, transform)
  let sum = 0
  matches.forEach((pair, i) => {
    sum += pair.weight * (x[i]! ** 2 + y[i]! ** 2)
  })
  const parameters = (order + 1) * (order + 2)
  return 2 * matches.length * Math.log(sum / matches.length + 1e-12) + 2 * parameters
}

function describe(method: Registration['method'], transform: PixelTransform, matches: readonly Match[]): Registration {
  const better = [...matches].sort((a, b) => b.weight - a.weight).slice(0, Math.max(12, matches.length >> 1))
  const { x, y } = residuals(better, transform)
  const square = x.reduce((sum, value, i) => sum + value * value + y[i]! * y[i]!, 0)
  // With one or two stars the residuals vanish by construction: a pixel grid's worth of doubt remains.
  const floor = better.length < 6 ? 0.15 : 0.01
  return {
    transform,
    method,
    parity: parityOf(transform),
    matched: matches.length,
    rmsPixels: Math.sqrt(square / x.length),
    scatterXPixels: Math.max(floor, robustSigma(x)),
    scatterYPixels: Math.max(floor, robustSigma(y)),
    offsetXPixels: median(x),
    offsetYPixels: median(y),
    pairs: matches.map((pair) => [pair.science, pair.reference] as const),
  }
}
