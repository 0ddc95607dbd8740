/** What is published of a transiting planet. */
export interface PublishedTransit {
  readonly name: string
  readonly raDeg: number
  readonly decDeg: number
  /** Days, BJD_TDB. */
  readonly epoch: number
  readonly epochError: number
  readonly periodDays: number
  readonly periodErrorDays: number
  /** Planet's radius ÷ star's radius. */
  readonly radiusRatio: number
  readonly radiusRatioError: number
  readonly durationDays: number
  readonly durationErrorDays: number
  readonly impact: number
  readonly source: string
}

/** The worked example of the documentation; other planets are named by options. */
export const publishedTransits: readonly PublishedTransit[] = [
  {
    name: 'HAT-P-32 b',
    raDeg: 31.04282,
    decDeg: 46.68783,
    epoch: 2455867.402743,
    epochError: 0.000049,
    periodDays: 2.1500082,
    periodErrorDays: 0.00000013,
    radiusRatio: 0.1508,
    radiusRatioError: 0.0004,
    durationDays: 0.1295,
    durationErrorDays: 0.0003,
    impact: 0.117,
    source:
      'ephemeris: Wang et al. 2019, AJ 157, 82; radius ratio, duration and impact parameter: Hartman et al. 2011, ApJ 742, 59 (circular orbit)',
  },
]

/** By name, without regard to case, blanks and the planet's letter. */
export function publishedTransit(name: string): PublishedTransit | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[\s_-]/g, '')
  return publishedTransits.find((known) => {
    const planet = plain(known.name)
    return plain(name) === planet || plain(name) === planet.slice(0, -1)
  })
}

/** The mid-time of the published ephemeris nearest to `time` (BJD_TDB) and its error, days. */
export function predictedMidTime(
  { epoch, epochError, periodDays, periodErrorDays }: PublishedTransit,
  time: number,
): { readonly value: number; readonly error: number } {
  const cycle = Math.round((time - epoch) / periodDays)
  return { value: epoch + cycle * periodDays, error: Math.hypot(epochError, cycle * periodErrorDays) }
}
