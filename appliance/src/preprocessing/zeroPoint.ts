import { StarFlag } from './stars.ts'

/**
 * The zero point of a solved frame, from stars with catalogue magnitudes: mag = zero point − 2.5 log10(flux) + C (colour −
 * pivot). The colour term C tells how the frame's band differs from the catalogue's; it is fitted where the catalogue has
 * colours of enough stars over a wide enough range, and else left out with the reason.
 */
export interface ZeroPoint {
  /** Magnitude, in the catalogue's band, of a star of 1 ADU in this exposure and of the pivot's colour. */
  readonly zeroPointMag: number
  /** 1.4826 × median absolute deviation of single stars. */
  readonly scatterMag: number
  /** Of the zero point itself. */
  readonly errorMag: number
  readonly stars: number
  readonly colourTerm?: ColourTerm
  /** Why no colour term was fitted. */
  readonly colourless?: string
}

export interface ColourTerm {
  /** Magnitudes per magnitude of B − V. */
  readonly slope: number
  readonly error: number
  readonly pivotMag: number
  /** Stars with a colour, and the range that 90 % of them lie in. */
  readonly stars: number
  readonly fromMag: number
  readonly toMag: number
}

export interface PhotometricStar {
  readonly fluxAdu: number
  readonly mag: number
  /** B − V in Johnson's system. */
  readonly bvMag?: number | undefined
  readonly flags?: number
}

const leastStars = 5
/** Below these a slope is noise: stars with colours, the range of their colours, the slope's own error. */
const leastColoured = 15
const leastRangeMag = 0.5
const mostSlopeError = 0.1
/** The Sun's B − V (Ramírez et al. 2012, ApJ 752, 5: 0.653 ± 0.005): the middle of what fields hold. */
export const pivotBvMag = 0.65
/** Tycho's magnitudes are linear in Johnson's within this range of B − V (ESA 1997, SP-1200, vol. 1, section 1.3). */
const linearBv = { from: -0.2, to: 1.6 } as const
const clipSigma = 3
const clipRounds = 6
/** Photometry of a frame is not better than this. */
const floorMag = 0.02
const untrustworthy = StarFlag.saturated | StarFlag.edge | StarFlag.masked | StarFlag.sharp | StarFlag.blended

/** Johnson's V and B − V of Tycho's magnitudes (ESA 1997, SP-1200, vol. 1, eq. 1.3.20), good to 0.015 and 0.05 mag. */
export function johnsonOf(btMag: number, vtMag: number): { readonly vMag: number; readonly bvMag: number } {
  return { vMag: vtMag - 0.09 * (btMag - vtMag), bvMag: 0.85 * (btMag - vtMag) }
}

interface Point {
  /** mag + 2.5 log10(flux). */
  readonly value: number
  /** B − V − pivot; NaN when it is not known or no linear relation holds for it. */
  readonly colour: number
}

/** Undefined with fewer than 5 good stars. Clipped at 3 standard deviations about a robust start. */
export function measureZeroPoint(stars: readonly PhotometricStar[]): ZeroPoint | undefined {
  const points = stars
    .filter((star) => star.fluxAdu > 0 && ((star.flags ?? 0) & untrustworthy) === 0)
    .map(({ mag, fluxAdu, bvMag = Number.NaN }): Point => {
      const linear = bvMag >= linearBv.from && bvMag <= linearBv.to
      return { value: mag + 2.5 * Math.log10(fluxAdu), colour: linear ? bvMag - pivotBvMag : Number.NaN }
    })
  if (points.length < leastStars) return undefined
  const coloured = points.filter(({ colour }) => !Number.isNaN(colour))
  const fitted = fittedColour(coloured)
  return typeof fitted === 'string' ? plainZero(points, fitted) : fitted
}

/** The median of all stars, whatever their colours. */
function plainZero(points: readonly Point[], colourless: string): ZeroPoint | undefined {
  let kept = points
  for (let round = 0; round < clipRounds; round++) {
    if (kept.length < leastStars) return undefined
    const values = kept.map(({ value }) => value)
    const zeroPointMag = median(values)
    const scatterMag = 1.4826 * median(values.map((value) => Math.abs(value - zeroPointMag)))
    const next = kept.filter(
      ({ value }) => Math.abs(value - zeroPointMag) <= clipSigma * Math.max(scatterMag, floorMag),
    )
    if (next.length === kept.length || round === clipRounds - 1) {
      // The standard error of a median of normal deviates.
      const errorMag = (1.2533 * scatterMag) / Math.sqrt(kept.length)
      return { zeroPointMag, scatterMag, errorMag, stars: kept.length, colourless }
    }
    kept = next
  }
  return undefined
}

/** Zero point with colour term, or why there is none. */
function fittedColour(points: readonly Point[]): ZeroPoint | string {
  if (points.length === 0) return 'the catalogue has no colours of these stars'
  if (points.length < leastColoured) return `only ${points.length} stars have colours, ${leastColoured} are needed`
  const sorted = points.map(({ colour }) => colour).sort((a, b) => a - b)
  const [from, to] = [0.05, 0.95].map((share) => sorted[Math.round(share * (sorted.length - 1))]!) as [number, number]
  if (to - from < leastRangeMag) return `colours span ${(to - from).toFixed(2)} mag, ${leastRangeMag} are needed`
  const line = clippedLine(points)
  if (!line) return 'the stars do not agree on a colour term'
  if (line.slopeError > mostSlopeError) {
    return `the colour term would be good to ${line.slopeError.toFixed(2)} mag/mag, ${mostSlopeError} is needed`
  }
  return {
    zeroPointMag: line.level,
    scatterMag: line.scatter,
    errorMag: line.levelError,
    stars: line.count,
    colourTerm: {
      slope: line.slope,
      error: line.slopeError,
      pivotMag: pivotBvMag,
      stars: line.count,
      fromMag: from + pivotBvMag,
      toMag: to + pivotBvMag,
    },
  }
}

interface Line {
  readonly level: number
  readonly slope: number
  readonly levelError: number
  readonly slopeError: number
  readonly scatter: number
  readonly count: number
}

/** Least squares within 3 σ, starting from the line through the medians of the bluer and the redder third. */
function clippedLine(points: readonly Point[]): Line | undefined {
  let kept = withinLine(points, startLine(points))
  let line: Line | undefined
  for (let round = 0; round < clipRounds; round++) {
    if (kept.length < leastColoured) return undefined
    line = leastSquares(kept)
    const next = withinLine(points, line)
    if (next.length === kept.length && next.every((point, i) => point === kept[i])) break
    kept = next
  }
  return line
}

function startLine(points: readonly Point[]): Pick<Line, 'level' | 'slope'> {
  const byColour = [...points].sort((a, b) => a.colour - b.colour)
  const third = Math.ceil(points.length / 3)
  const [blue, red] = [byColour.slice(0, third), byColour.slice(-third)]
  const middle = (list: readonly Point[], of: (point: Point) => number): number => median(list.map(of))
  const across = middle(red, (p) => p.colour) - middle(blue, (p) => p.colour)
  const slope = across > 0 ? (middle(red, (p) => p.value) - middle(blue, (p) => p.value)) / across : 0
  return { slope, level: middle(points, (point) => point.value - slope * point.colour) }
}

function withinLine(points: readonly Point[], { level, slope }: Pick<Line, 'level' | 'slope'>): Point[] {
  const away = ({ value, colour }: Point): number => Math.abs(value - level - slope * colour)
  const scatter = 1.4826 * median(points.map(away))
  return points.filter((point) => away(point) <= clipSigma * Math.max(scatter, floorMag))
}

function leastSquares(points: readonly Point[]): Line {
  const n = points.length
  const mean = (of: (point: Point) => number): number => points.reduce((sum, point) => sum + of(point), 0) / n
  const [centre, height] = [mean((p) => p.colour), mean((p) => p.value)]
  const xx = points.reduce((sum, { colour }) => sum + (colour - centre) ** 2, 0)
  const xy = points.reduce((sum, { colour, value }) => sum + (colour - centre) * (value - height), 0)
  const slope = xy / xx
  const level = height - slope * centre
  const rests = points.map(({ colour, value }) => value - level - slope * colour)
  const deviation = Math.sqrt(rests.reduce((sum, rest) => sum + rest * rest, 0) / (n - 2))
  return {
    level,
    slope,
    levelError: deviation * Math.sqrt(1 / n + centre ** 2 / xx),
    slopeError: deviation / Math.sqrt(xx),
    scatter: 1.4826 * median(rests.map(Math.abs)),
    count: n,
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
