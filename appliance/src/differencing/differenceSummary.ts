import { type Gate, gateColours } from '../preprocessing/gates.ts'
import type { CandidateList } from './candidates.ts'
import type { Engine, Subtraction } from './engine.ts'
import type { Side, StarComparison } from './fluxRatio.ts'
import type { GainEstimate } from './gain.ts'
import type { ChangeKind } from './kinds.ts'
import type { PsfModel } from './psf.ts'
import type { Registration } from './register.ts'

/** How a difference came about, in plain numbers. */
export interface DifferenceSummary {
  readonly engine: Engine
  /** Why this one. */
  readonly engineReason: string
  readonly matched: number
  readonly rmsPixels: number
  readonly method: Registration['method']
  readonly parity: 1 | -1
  readonly order: 1 | 2 | 3
  /** What is left after alignment, reference minus science, and its scatter: both go into V_ast. */
  readonly offsetPixels: readonly [number, number]
  readonly scatterPixels: readonly [number, number]
  readonly fluxRatio: number
  readonly fluxRatioError: number
  readonly fluxRatioStars: number
  readonly fwhmSciencePixels: number
  /** After alignment. */
  readonly fwhmReferencePixels: number
  readonly psfScience: string
  readonly psfReference: string
  /** Electrons per ADU used for the noise of sources, and where they come from. */
  readonly gainScience: GainEstimate
  readonly gainReference: GainEstimate
  /** Of S_corr as computed. */
  readonly scorrMedian: number
  readonly scorrMad: number
  /** S_corr was divided by this: its MAD when that is off by more than 3 %, else 1. */
  readonly scorrScale: number
  readonly starsScience: number
  readonly starsReference: number
  readonly positive: number
  readonly negative: number
  readonly regions: number
  /** How many candidates are of each kind. */
  readonly kinds: Readonly<Record<ChangeKind, number>>
  readonly streaks: number
  /** Share of the science frame that the reference covers. */
  readonly coverage: number
  /** |S_corr| from which there are candidates. */
  readonly threshold: number
  readonly timingsMs: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
  /** How good this subtraction was, as colours for a panel. */
  readonly gates: readonly Gate[]
}

/** Of S_corr. */
export interface Scale {
  readonly median: number
  readonly mad: number
  readonly divisor: number
}

/** What a difference learnt on its way. */
export interface DifferenceFacts {
  readonly registration: Registration
  readonly comparison: StarComparison
  readonly subtraction: Pick<Subtraction, 'engine' | 'reason'>
  readonly science: Pick<Side, 'psf'>
  readonly reference: Pick<Side, 'psf'>
  readonly gainScience: GainEstimate
  readonly gainReference: GainEstimate
  readonly scale: Scale
  readonly list: CandidateList
  readonly stars: { readonly science: number; readonly reference: number }
  readonly coverage: number
  readonly threshold: number
}

export function summarise(
  facts: DifferenceFacts,
  timingsMs: Readonly<Record<string, number>>,
  warnings: readonly string[],
): DifferenceSummary {
  const { registration, comparison, scale, list } = facts
  const { candidates, regions } = list
  const positive = candidates.filter((candidate) => candidate.scorr > 0).length
  return {
    engine: facts.subtraction.engine,
    engineReason: facts.subtraction.reason,
    matched: registration.matched,
    rmsPixels: registration.rmsPixels,
    method: registration.method,
    parity: registration.parity,
    order: registration.transform.order,
    offsetPixels: comparison.offset,
    scatterPixels: comparison.scatter,
    fluxRatio: comparison.ratio,
    fluxRatioError: comparison.ratioError,
    fluxRatioStars: comparison.stars,
    fwhmSciencePixels: facts.science.psf.fwhmPixels,
    fwhmReferencePixels: facts.reference.psf.fwhmPixels,
    psfScience: describePsf(facts.science.psf),
    psfReference: describePsf(facts.reference.psf),
    gainScience: facts.gainScience,
    gainReference: facts.gainReference,
    scorrMedian: scale.median,
    scorrMad: scale.mad,
    scorrScale: scale.divisor,
    starsScience: facts.stars.science,
    starsReference: facts.stars.reference,
    positive,
    negative: candidates.length - positive,
    regions,
    kinds: countKinds(candidates),
    streaks: list.streaks.length,
    coverage: facts.coverage,
    threshold: facts.threshold,
    timingsMs,
    warnings,
    gates: gatesOf(facts, positive),
  }
}

function gatesOf({ comparison, scale, science, stars }: DifferenceFacts, positive: number): Gate[] {
  const { e1, e2 } = science.psf.shape
  const ellipticity = Math.min(0.99, Math.hypot(e1, e2))
  return gateColours({
    dxPixels: -comparison.offset[0],
    dyPixels: -comparison.offset[1],
    dxScatterPixels: comparison.scatter[0],
    dyScatterPixels: comparison.scatter[1],
    scorrMedian: scale.median,
    scorrStd: scale.mad,
    transientsPerObject: positive / Math.max(1, stars.science),
    elongation: (1 + ellipticity) / (1 - ellipticity),
  })
}

function countKinds(candidates: CandidateList['candidates']): Record<ChangeKind, number> {
  const counts = { new: 0, variable: 0, faded: 0, moved: 0 }
  for (const { kind } of candidates) counts[kind]++
  return counts
}

function describePsf(psf: PsfModel): string {
  return `${psf.kind}, degree ${psf.degree}, ${psf.stars} stars`
}

/** What a person should know before trusting the candidates. */
export function warningsOf(facts: DifferenceFacts): string[] {
  const { registration, comparison, subtraction, science, reference, scale, stars } = facts
  const fallback = (psf: PsfModel, name: string): readonly [boolean, string] => [
    psf.kind === 'moffat',
    `only ${psf.stars} stars for the PSF of the ${name} frame: a Moffat profile is used`,
  ]
  const unknown = (gain: GainEstimate, name: string): readonly [boolean, string] => [
    gain.from === 'none',
    `the gain of the ${name} frame is unknown: give EGAIN or --gain`,
  ]
  const few = registration.matched > 0 && registration.matched < 6
  const rules: readonly (readonly [boolean, string])[] = [
    [subtraction.engine === 'kernel', `subtracted with a matching kernel: ${subtraction.reason}`],
    [registration.matched === 0, 'no star confirms the alignment by the headers'],
    [few, `aligned with ${registration.matched} stars only`],
    fallback(science.psf, 'science'),
    fallback(reference.psf, 'reference'),
    [comparison.stars > 0 && comparison.stars < 5, `the flux ratio comes from ${comparison.stars} stars`],
    [
      scale.mad < 0.9 || scale.mad > 1.15,
      `the noise model is off: S_corr has a MAD of ${scale.mad.toFixed(2)} and was divided by it`,
    ],
    [!facts.list.complete, 'the difference is full of residuals: a part of it was not searched for candidates'],
    [Math.max(stars.science, stars.reference) === 0, 'neither frame shows a star'],
    unknown(facts.gainScience, 'science'),
    unknown(facts.gainReference, 'reference'),
  ]
  return rules.filter(([holds]) => holds).map(([, words]) => words)
}
