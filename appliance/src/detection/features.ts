import type { Candidate } from '../differencing/candidates.ts'

/**
 * What is known of a candidate, as a vector in a fixed order: the input of the first rule today and of a network beside the
 * stamps later. differencing/candidates.ts measures them and says what each means.
 */
export const featureNames = [
  'scorr',
  'snr',
  'chi2',
  'fitted',
  'shiftPixels',
  'elongation',
  'areaPixels',
  'areaRatio',
  'dipoleRatio',
  'negativeShare',
  'sharpness',
  'peakSnr',
  'maskFraction',
  'saturatedPixels',
  'wingRatio',
  'starPixels',
  'hostRatio',
  'starRatio',
  'edgePixels',
  'fwhmPixels',
] as const
export type FeatureName = (typeof featureNames)[number]

/** What a feature is taken to be where a candidate lacks it: that of an unremarkable point source. */
const neutral: Readonly<Record<FeatureName, number>> = {
  scorr: 5,
  snr: 5,
  chi2: 1,
  fitted: 1,
  shiftPixels: 0,
  elongation: 1,
  areaPixels: 20,
  areaRatio: 1,
  dipoleRatio: 0,
  negativeShare: 0,
  sharpness: 1,
  peakSnr: 1,
  maskFraction: 0,
  saturatedPixels: 20,
  wingRatio: 99,
  starPixels: 30,
  hostRatio: 99,
  starRatio: 99,
  edgePixels: 99,
  fwhmPixels: 3,
}

export type Judged = Pick<Candidate, 'features'>

/** Reads one feature; a missing or non-finite one is neutral. */
export function featureOf({ features }: Judged, name: FeatureName): number {
  const value = features[name]
  return value !== undefined && Number.isFinite(value) ? value : neutral[name]
}

/** All features in the order of `featureNames`. */
export function featureVector(candidate: Judged): Float32Array {
  return Float32Array.from(featureNames, (name) => featureOf(candidate, name))
}
