/**
 * The gates that MeerLICHT and BlackGEM put each night's frames through, as colours for a panel: a value within 2 standard
 * deviations of what is expected is green, within 4 yellow, within 7 orange, else red; some have ranges of their own
 * (BlackBOX, Settings/set_qc.py, `qc_range`, filter u where it depends on one).
 */
export interface GateMeasures {
  /** Median difference of star positions, science − reference, px. */
  readonly dxPixels?: number | undefined
  readonly dyPixels?: number | undefined
  /** Standard deviation of those differences, px. */
  readonly dxScatterPixels?: number | undefined
  readonly dyScatterPixels?: number | undefined
  readonly scorrMedian?: number | undefined
  readonly scorrStd?: number | undefined
  /** Reduced χ² of the PSF's stars. */
  readonly psfChi2?: number | undefined
  /** Solution against the catalogue. */
  readonly raOffsetArcsec?: number | undefined
  readonly decOffsetArcsec?: number | undefined
  readonly raScatterArcsec?: number | undefined
  readonly decScatterArcsec?: number | undefined
  /** Science over reference, both calibrated: 1 when nothing is lost. */
  readonly fluxRatio?: number | undefined
  /** Candidates for each star of the frame. */
  readonly transientsPerObject?: number | undefined
  readonly cosmicRaysPerSecond?: number | undefined
  /** Light-sensitive area. With it the gate for cosmic rays is scaled from BlackGEM's 90 cm². */
  readonly detectorCm2?: number | undefined
  /** Long over short axis of a typical star. */
  readonly elongation?: number | undefined
  /** Infinite or NaN pixels of the calibrated frame. */
  readonly strangePixels?: number | undefined
}

export type GateColour = 'green' | 'yellow' | 'orange' | 'red'
export type GateName = Exclude<keyof GateMeasures, 'detectorCm2'>

export interface Gate {
  readonly name: GateName
  readonly value: number
  readonly expected: number
  /** Half of the green range is 2 of them; with ranges that are not even, of the narrower side. */
  readonly sigma: number
  readonly colour: GateColour
}

type Range = readonly [from: number, to: number]
type Limits =
  | { readonly kind: 'sigma'; readonly expected: number; readonly sigma: number }
  | { readonly kind: 'ranges'; readonly expected: number; readonly ranges: readonly [Range, Range, Range] }

const about = (expected: number, sigma: number): Limits => ({ kind: 'sigma', expected, sigma })
const colours = ['green', 'yellow', 'orange'] as const
const sigmas = [2, 4, 7] as const
/** STA1600: 10,560² pixels of 9 µm. */
const blackGemCm2 = (10_560 * 9e-4) ** 2
const cosmicRanges: readonly [Range, Range, Range] = [
  [3, 50],
  [2, 100],
  [0, 500],
]

/** In the order in which a panel shows them. */
const gates: Readonly<Record<GateName, Limits>> = {
  dxPixels: about(0, 0.04),
  dyPixels: about(0, 0.04),
  dxScatterPixels: about(0.1, 0.1),
  dyScatterPixels: about(0.1, 0.1),
  scorrMedian: about(0, 0.3),
  scorrStd: about(1, 0.15),
  psfChi2: about(1, 0.1),
  raOffsetArcsec: about(0, 0.02),
  decOffsetArcsec: about(0, 0.02),
  raScatterArcsec: about(0.06, 0.04),
  decScatterArcsec: about(0.06, 0.04),
  fluxRatio: {
    kind: 'ranges',
    expected: 1,
    ranges: [
      [0.7, 1.3],
      [0.4, 2.5],
      [0.06, 15],
    ],
  },
  transientsPerObject: about(0, 0.015),
  // Between the ends on a scale of factors.
  cosmicRaysPerSecond: { kind: 'ranges', expected: Math.sqrt(3 * 50), ranges: cosmicRanges },
  elongation: about(1.1, 0.2),
  strangePixels: {
    kind: 'ranges',
    expected: 0,
    ranges: [
      [0, 0],
      [0, 10],
      [0, 1e6],
    ],
  },
}
/** Fewer than expected is better. */
const oneSided: ReadonlySet<GateName> = new Set([
  'dxScatterPixels',
  'dyScatterPixels',
  'raScatterArcsec',
  'decScatterArcsec',
])

/** One gate for each measure that is there, in a fixed order. A value that is not finite is red. */
export function gateColours(measured: GateMeasures): Gate[] {
  return (Object.keys(gates) as GateName[]).flatMap((name) => {
    const value = measured[name]
    if (value === undefined) return []
    const limits = limitsOf(name, measured.detectorCm2)
    const { expected } = limits
    return [{ name, value, expected, sigma: sigmaOf(limits), colour: colourOf(name, value, limits) }]
  })
}

/** The worst colour, green without gates. */
export function worstColour(list: readonly Gate[]): GateColour {
  const order: readonly GateColour[] = [...colours, 'red']
  return list.reduce<GateColour>(
    (worst, { colour }) => (order.indexOf(colour) > order.indexOf(worst) ? colour : worst),
    'green',
  )
}

function limitsOf(name: GateName, detectorCm2: number | undefined): Limits {
  const limits = gates[name]
  if (name !== 'cosmicRaysPerSecond' || detectorCm2 === undefined || limits.kind === 'sigma') return limits
  const scale = detectorCm2 / blackGemCm2
  const scaled = (range: Range): Range => [range[0] * scale, range[1] * scale]
  const [green, yellow, orange] = limits.ranges
  return { ...limits, expected: limits.expected * scale, ranges: [scaled(green), scaled(yellow), scaled(orange)] }
}

function sigmaOf(limits: Limits): number {
  if (limits.kind === 'sigma') return limits.sigma
  const [from, to] = limits.ranges[0]
  return Math.min(limits.expected - from, to - limits.expected) / sigmas[0]
}

function colourOf(name: GateName, value: number, limits: Limits): GateColour {
  const away = value - limits.expected
  const isGood = oneSided.has(name) && away < 0 && value >= 0
  const index = colours.findIndex((_, n) => {
    if (limits.kind === 'sigma') return isGood || Math.abs(away) <= sigmas[n]! * limits.sigma + 1e-12
    const [from, to] = limits.ranges[n]!
    return value >= from && value <= to
  })
  return colours[index] ?? 'red'
}
