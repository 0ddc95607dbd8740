import type { Static } from 'typebox'
import type { DetectionClass } from '../contract/records.ts'
import { featureOf, type Judged } from './features.ts'

/**
 * How likely a candidate is something new on the sky. This is a rule written by hand, not a network: a logistic function of
 * the significance, lowered by each thing that artefacts have and point sources lack. It says so in `model`.
 */
export interface Score {
  /** 0 to 1. */
  readonly probability: number
  readonly class: Static<typeof DetectionClass>
  readonly model: typeof modelName
}

export const modelName = 'rule-1'

interface Penalty {
  readonly name: 'shape' | 'sharp' | 'dipole' | 'mask' | 'star' | 'streak' | 'negative'
  /** Subtracted from the logit. */
  readonly amount: number
}

const beyond = (value: number, limit: number): number => Math.max(0, value - limit)

/** The logit of a flawless point source: 0.88 at S_corr 5, 0.96 at 8, 0.998 from 15 on. */
function significance(scorr: number): number {
  return 2 + 0.4 * (Math.min(15, Math.abs(scorr)) - 5)
}

/** Limits move with the significance where noise alone produces the sign of an artefact. */
function penalties(candidate: Judged): readonly Penalty[] {
  const f = (name: Parameters<typeof featureOf>[1]): number => featureOf(candidate, name)
  const significant = Math.max(4, Math.abs(f('scorr')))
  const onStar = f('starPixels') < 0.8 * f('fwhmPixels')
  // The photon noise of a bright star is in S_corr; errors of its PSF and of the flat field are not.
  const starError = onStar ? (5 * beyond(0.08, Math.abs(f('starRatio')))) / 0.08 : 0
  return [
    { name: 'shape', amount: 1.5 * beyond(Math.min(8, f('chi2')), 1.6) + (f('fitted') === 0 ? 5 : 0) },
    {
      name: 'shape',
      amount: 1.2 * beyond(f('areaRatio'), 2.2 + 3 / significant) + 2 * beyond(0.25, f('areaRatio')) * 4,
    },
    { name: 'sharp', amount: 2 * beyond(f('sharpness'), 2.1 + 12 / significant) },
    { name: 'dipole', amount: 10 * beyond(f('dipoleRatio'), 0.28 + 1.8 / significant) + 12 * f('negativeShare') },
    { name: 'mask', amount: 20 * f('maskFraction') + 0.5 * beyond(14, f('saturatedPixels')) },
    { name: 'star', amount: starError },
    { name: 'star', amount: 8 * beyond(0.4, f('wingRatio')) },
    { name: 'streak', amount: 1.5 * beyond(f('elongation'), 1.8 + 5 / significant) },
    { name: 'negative', amount: f('scorr') < 0 ? 2.5 : 0 },
  ]
}

/** Judges one candidate by its features. */
export function scoreCandidate(candidate: Judged): Score {
  const found = penalties(candidate)
  const logit = found.reduce((sum, penalty) => sum - penalty.amount, significance(featureOf(candidate, 'scorr')))
  const probability = 1 / (1 + Math.exp(-Math.max(-30, logit)))
  return { probability, class: classOf(candidate, probability, found), model: modelName }
}

function classOf(candidate: Judged, probability: number, found: readonly Penalty[]): Score['class'] {
  const f = (name: Parameters<typeof featureOf>[1]): number => featureOf(candidate, name)
  const onStar = f('starPixels') < 0.8 * f('fwhmPixels')
  if (probability >= 0.5) return onStar && Math.abs(f('starRatio')) < 2 ? 'variable' : 'transient'
  const worst = found.reduce((a, b) => (b.amount > a.amount ? b : a))
  const sharp = found.some((penalty) => penalty.name === 'sharp' && penalty.amount > 2)
  if (sharp && f('saturatedPixels') > 10 && !onStar) return 'cosmicRay'
  if (worst.name === 'streak' && f('elongation') > 4 && f('areaPixels') > 60) return 'streak'
  return onStar && worst.name === 'negative' ? 'variable' : 'artefact'
}
