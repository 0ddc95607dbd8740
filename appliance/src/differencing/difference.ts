import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { clearMissing, loudPixels, planeFacts, uniteMasks } from '../frames/planes.ts'
import { type Aligned, alignReference, hintFromWcs } from './align.ts'
import { type Candidate, type CandidateList, findCandidates } from './candidates.ts'
import { type DifferenceSummary, type Scale, summarise, warningsOf } from './differenceSummary.ts'
import { type Subtraction, subtractWithChoice } from './engine.ts'
import {
  astrometricNoise,
  centredShift,
  compareStars,
  psfError,
  relativeError,
  type Side,
  type StarComparison,
} from './fluxRatio.ts'
import { estimateGain, type GainEstimate } from './gain.ts'
import { takeOffMedian } from './level.ts'
import { noiseOf } from './planeNoise.ts'
import { type Prepared, photometricStars, prepare, registrationStars } from './prepare.ts'
import { measurePsf, psfRadius } from './psf.ts'
import type { PsfStar } from './psfStars.ts'
import { type Registration, registerStars } from './register.ts'
import { replaceSaturated, saturatedBlobs } from './repair.ts'
import { median } from './robust.ts'
import { divideByStarNoise } from './starNoise.ts'
import { stellarFwhm } from './starWidth.ts'
import type { Streak } from './streaks.ts'
import type { ZogyResult } from './zogy.ts'

/**
 * Differencing, from two frames of one field to what changed between them: prepare both (prepare.ts), register
 * (register.ts), resample the reference (warp.ts), measure both PSFs (psf.ts), the flux ratio and what is left of the
 * registration (fluxRatio.ts), replace saturated cores (repair.ts), subtract (zogy.ts), list candidates (candidates.ts).
 * A reference from several frames is made by references.ts; runPixels.ts does it all from file to file.
 */
export interface DifferenceOptions {
  /** |S_corr| of a candidate; 5, or 6 where stars are undersampled. */
  readonly threshold?: number
  /** Of the science frame, electrons per ADU. Default: the header's, else estimated. */
  readonly gainElectronsPerAdu?: number
  readonly saturateAdu?: number
  /** At most so many candidates, the most significant ones; 500. */
  readonly maximumCandidates?: number
  /** For `timingsMs`; without it they are 0, and the same frames give the same result byte for byte. */
  readonly clock?: Pick<Clock, 'monotonic'>
}

export interface Difference {
  /** ADU of the science frame; 0 where either frame has no data. */
  readonly difference: Plane
  readonly scorr: Plane
  /** Background-subtracted, ADU of the reference. */
  readonly alignedReference: Plane
  /** Background-subtracted. */
  readonly science: Plane
  /** Bits of either frame. */
  readonly mask: MaskPlane
  readonly candidates: readonly Candidate[]
  /** Trails of satellites and aircraft; their pixels have the streak bit in `mask`. */
  readonly streaks: readonly Streak[]
  readonly registration: Registration
  readonly summary: DifferenceSummary
}

/**
 * Below this width stars are undersampled: what interpolation leaves at bright ones asks for a higher threshold. Smoothing
 * both frames instead costs more than it saves now that the PSF has nodes between the pixels: at FWHM 1.8 px half of the
 * sources are found at S/N 6.65 after smoothing by 0.6 px and at 6.17 without, at 1.2 px at 8.6 and 6.5.
 */
const undersampledFwhm = 2.3
const undersampledThreshold = 6
/** A frame this wide passes nothing of what pixels of the other cannot show. */
const wideFwhm = 2.8
/** The highest pixel of an undersampled star shows at least this share of its peak. */
const pixelShare = 0.75
const usualThreshold = 5
const leastCoverage = 0.1
const thinCoverage = 0.6

/**
 * Differences two frames. Planes are allocated from `compute`; take what you need before your scope ends. Throws
 * `differencing/registration` when the frames cannot be aligned, `differencing/overlap` when they share less than a tenth
 * and `differencing/empty` when a frame holds nothing but one value.
 */
export function differenceFrames(
  compute: Compute,
  science: Frame,
  reference: Frame,
  options: DifferenceOptions = {},
): Difference {
  const clock = options.clock ?? standing
  const started = clock.monotonic()
  const { saturateAdu } = options
  const prepared = prepare(compute, science, { saturateAdu, name: 'science' })
  const warm = prepare(compute, reference, { name: 'reference' })
  const prepareMs = clock.monotonic() - started
  return differencePrepared(compute, prepared, warm, options, { prepare: prepareMs })
}

/** As `differenceFrames`, from frames that are prepared. The planes of `science` are changed; those of `reference` are not. */
export function differencePrepared(
  compute: Compute,
  science: Prepared,
  reference: Prepared,
  options: DifferenceOptions = {},
  timingsMs: Readonly<Record<string, number>> = {},
): Difference {
  return new Work(compute, options, timingsMs).run(science, reference)
}

const standing = { monotonic: () => 0 }

/** Both frames on the science grid with what was measured of them. */
interface Sides {
  readonly science: Side
  readonly reference: Side
  readonly gainScience: GainEstimate
  readonly gainReference: GainEstimate
  readonly stars: readonly PsfStar[]
}

class Work {
  readonly #compute: Compute
  readonly #options: DifferenceOptions
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #timings: Record<string, number>
  readonly #warnings: string[] = []

  constructor(compute: Compute, options: DifferenceOptions, timingsMs: Readonly<Record<string, number>>) {
    this.#compute = compute
    this.#options = options
    this.#clock = options.clock ?? standing
    this.#timings = { ...timingsMs }
  }

  #timed<T>(step: string, work: () => T): T {
    const started = this.#clock.monotonic()
    const result = work()
    this.#timings[step] = (this.#timings[step] ?? 0) + this.#clock.monotonic() - started
    return result
  }

  run(science: Prepared, reference: Prepared): Difference {
    const compute = this.#compute
    const registration = this.#timed('register', () => this.#register(science, reference))
    const aligned = this.#timed('warp', () => alignReference(compute, reference, registration, science.plane))
    const coverage = this.#coverage(aligned)
    const threshold = this.#threshold(science)
    const sides = this.#timed('psf', () => this.#sides(science, aligned))
    const comparison = this.#timed('fluxRatio', () => this.#compare(sides, aligned.stars))
    const mask = uniteMasks(compute, science.mask, aligned.mask)
    const asTaken = this.#timed('repair', () => this.#repair(science, aligned, sides, mask, comparison))
    const subtraction = this.#timed('zogy', () => this.#subtract(science, aligned, sides, mask, comparison))
    const zogy = subtraction.result
    asTaken()
    this.#timed('zogy', () => takeOffMedians(compute, zogy))
    const scale = this.#timed('rescale', () => this.#rescale(zogy, mask))
    if (isUndersampled(sides)) this.#timed('rescale', () => this.#quietenStars(zogy, mask, aligned.stars, sides))
    const list = this.#timed('candidates', () =>
      this.#candidates(zogy, science, aligned, mask, sides, comparison, threshold, scale),
    )
    const stars = { science: science.stars.length, reference: reference.stars.length }
    const facts = { registration, comparison, subtraction, ...sides, scale, list, stars, coverage, threshold }
    const total = Object.values(this.#timings).reduce((sum, ms) => sum + ms, 0)
    const warnings = [...this.#warnings, ...warningsOf(facts)]
    return {
      difference: zogy.difference,
      scorr: zogy.scorr,
      alignedReference: aligned.plane,
      science: science.plane,
      mask,
      candidates: list.candidates,
      streaks: list.streaks,
      registration,
      summary: summarise(facts, { ...this.#timings, total }, warnings),
    }
  }

  #register(science: Prepared, reference: Prepared): Registration {
    const hint = science.wcs && reference.wcs && hintFromWcs(science.wcs, reference.wcs, science.plane)
    const result = registerStars({
      science: registrationStars(science.stars),
      reference: registrationStars(reference.stars),
      scienceSize: science.plane,
      referenceSize: reference.plane,
      ...(hint && { hint }),
    })
    if (!result.ok) throw new NightjarError('differencing/registration', `cannot align the frames: ${result.reason}`)
    return result.registration
  }

  #coverage({ plane, mask }: Aligned): number {
    const { missing } = planeFacts(this.#compute, plane, mask)
    const share = 1 - missing / mask.data.length
    const percent = (100 * share).toFixed(0)
    if (share < leastCoverage) {
      throw new NightjarError('differencing/overlap', `the reference covers only ${percent} % of the science frame`)
    }
    if (share < thinCoverage) this.#warnings.push(`the reference covers ${percent} % of the science frame`)
    return share
  }

  /** |S_corr| of a candidate; the summary says when it is raised. */
  #threshold(science: Prepared): number {
    const undersampled = science.fwhmPixels < undersampledFwhm
    const threshold = this.#options.threshold ?? (undersampled ? undersampledThreshold : usualThreshold)
    if (undersampled) {
      const width = science.fwhmPixels.toFixed(1)
      this.#warnings.push(`stars are undersampled (FWHM ${width} px): candidates from ${threshold} sigma`)
    }
    return threshold
  }

  #sides(science: Prepared, aligned: Aligned): Sides {
    const referenceStars = photometricStars(aligned.stars)
    const stars = photometricStars(science.stars)
    const widths = [science.fwhmPixels, stellarFwhm(referenceStars)].filter(Number.isFinite)
    const radius = psfRadius(Math.max(3, ...widths))
    const one = this.#side(science, stars, radius, this.#options.gainElectronsPerAdu)
    const other = this.#side(aligned, referenceStars, radius, undefined)
    return { science: one.side, reference: other.side, gainScience: one.gain, gainReference: other.gain, stars }
  }

  #side(
    { plane, mask, rms, rmsAdu: fallback, levelAdu, gainElectronsPerAdu: known }: Aligned,
    stars: readonly PsfStar[],
    radius: number,
    given: number | undefined,
  ): { side: Side; gain: GainEstimate } {
    const rmsAdu = middleOf(rms.data) || fallback
    const psf = measurePsf(this.#compute, { plane, mask, stars, rmsAdu, radius })
    const side = { plane, mask, psf, rmsAdu }
    const electronsPerAdu = given ?? known
    const gain: GainEstimate = electronsPerAdu
      ? { electronsPerAdu, from: given ? 'option' : 'header' }
      : estimateGain(side, levelAdu, stars)
    return { side: { ...side, gainElectronsPerAdu: gain.electronsPerAdu }, gain }
  }

  #compare(sides: Sides, stars: readonly PsfStar[]): StarComparison {
    const width = stellarFwhm(sides.stars)
    const pointLike = sides.stars.filter((star) => Math.abs(star.fwhmPixels - width) < 0.15 * width)
    const bySnr = [...(pointLike.length >= 5 ? pointLike : sides.stars)].sort((a, b) => b.snr - a.snr)
    const comparison = compareStars(sides.science, sides.reference, bySnr)
    if (comparison) return comparison
    this.#warnings.push('no star is clean in both frames: the flux ratio is taken from the total flux of the stars')
    const total = (list: readonly PsfStar[]): number => list.reduce((sum, star) => sum + Math.max(0, star.fluxAdu), 0)
    const ratio = total(stars) / total(sides.stars)
    const safe = Number.isFinite(ratio) && ratio > 0 ? ratio : 1
    return { ratio: safe, ratioError: safe, stars: 0, relativeScatter: 0, offset: [0, 0], scatter: [0.3, 0.3] }
  }

  /** Fills what would ring through the Fourier transform; the result puts the pixels back as they were taken. */
  #repair(science: Prepared, aligned: Aligned, sides: Sides, mask: MaskPlane, comparison: StarComparison): () => void {
    const blobs = saturatedBlobs(this.#compute, science.mask, aligned.mask)
    const pixels = blobs.flatMap((blob) => blob.pixels)
    const taken = [science.plane, aligned.plane].map(({ data }) => pixels.map((at) => data[at]!))
    const sideN = { ...sides.science, fluxRatio: 1, shift: [0, 0] as const }
    const sideR = { ...sides.reference, fluxRatio: comparison.ratio, shift: centredShift(comparison) }
    replaceSaturated([sideN, sideR], blobs)
    clearMissing(this.#compute, science.plane, aligned.plane, mask)
    return () => {
      pixels.forEach((at, k) => {
        science.plane.data[at] = taken[0]![k]!
        aligned.plane.data[at] = taken[1]![k]!
      })
    }
  }

  #subtract(
    science: Prepared,
    aligned: Aligned,
    sides: Sides,
    mask: MaskPlane,
    comparison: StarComparison,
  ): Subtraction {
    const shift = centredShift(comparison)
    const psfSize = sides.science.psf.size
    return subtractWithChoice(this.#compute, {
      science: science.plane,
      reference: aligned.plane,
      scienceRms: science.rms,
      referenceRms: aligned.rms,
      scienceGain: sides.gainScience.electronsPerAdu,
      referenceGain: sides.gainReference.electronsPerAdu,
      sciencePsf: (x, y) => sides.science.psf.stampAt(x, y),
      // A reference whose stars lie δ off is the same as one whose PSF lies δ off.
      referencePsf: sides.reference.psf.movedBy(...shift),
      psfSize,
      constantPsf: sides.science.psf.degree === 0 && sides.reference.psf.degree === 0,
      fluxRatio: comparison.ratio,
      astrometricNoise: astrometricNoise(comparison, shift),
      relativeError: relativeError(comparison, Math.min(sides.science.psf.stars, sides.reference.psf.stars)),
      mask,
      stars: sides.stars,
      scienceFwhmPixels: sides.science.psf.fwhmPixels,
      referenceFwhmPixels: sides.reference.psf.fwhmPixels,
      psfStars: [sides.science.psf.stars, sides.reference.psf.stars],
    })
  }

  /** Median and MAD of S_corr over good pixels; divides by the MAD when it is off by more than 3 %. */
  #rescale({ scorr, difference }: ZogyResult, mask: MaskPlane): Scale {
    const { median: middle, sigma } = noiseOf(scorr, mask)
    if (!(sigma > 0)) {
      throw new NightjarError('differencing/empty', 'no pixel is good in both frames: check their masks and saturation')
    }
    const divisor = Math.abs(sigma - 1) > 0.03 ? sigma : 1
    clearMissing(this.#compute, scorr, difference, mask, 1 / divisor)
    return { median: middle, mad: sigma, divisor }
  }

  /** Of undersampled stars no PSF is right between all pixels: what that leaves around them is noise, and measured. */
  #quietenStars({ scorr }: ZogyResult, mask: MaskPlane, stars: readonly PsfStar[], { science }: Sides): void {
    divideByStarNoise({ scorr, mask, stars, fwhmPixels: science.psf.fwhmPixels })
  }

  #candidates(
    zogy: ZogyResult,
    science: Prepared,
    aligned: Aligned,
    mask: MaskPlane,
    sides: Sides,
    comparison: StarComparison,
    threshold: number,
    { mad, divisor }: Scale,
  ): CandidateList {
    const { psf } = sides.science
    const narrow = isUndersampled(sides)
    return findCandidates({
      zogy,
      science: science.plane,
      reference: aligned.plane,
      mask,
      referenceMask: aligned.mask,
      sciencePsfAt: (x, y) => psf.splineAt(x, y),
      fluxModel: {
        stampAt: (x, y) => psf.stampAt(x, y),
        coreAt: (x, y, reach) => psf.coreAt(x, y, reach),
        // Around undersampled stars S_corr was divided by its noise already.
        noiseScale: narrow ? 1 : mad / divisor,
        psfError: psfError(comparison, Math.min(psf.stars, sides.reference.psf.stars)),
      },
      fwhmPixels: psf.fwhmPixels,
      fluxRatio: comparison.ratio,
      scienceRmsAdu: science.rmsAdu,
      stars: aligned.stars,
      loud: loudPixels(this.#compute, zogy.scorr, narrow ? pixelShare * threshold : threshold),
      leastPeak: narrow ? threshold : undefined,
      edgePixels: Math.ceil(Math.max(4, 1.5 * psf.fwhmPixels)),
      maximum: this.#options.maximumCandidates ?? 500,
    })
  }
}

/** One frame's stars are, and the other's are not wide enough to smooth what that leaves. */
function isUndersampled({ science, reference }: Sides): boolean {
  const widths = [science.psf.fwhmPixels, reference.psf.fwhmPixels]
  return Math.min(...widths) < undersampledFwhm && Math.max(...widths) < wideFwhm
}

/** What is left of both skies biases the faint: in S_corr their detection, in D their photometry. */
function takeOffMedians(compute: Compute, { scorr, difference, tiles }: ZogyResult): void {
  takeOffMedian(compute, scorr, 1)
  takeOffMedian(compute, difference, median(tiles.map((tile) => tile.sigmaAdu)))
}

function middleOf(values: Float32Array): number {
  return values.toSorted()[values.length >> 1] ?? 0
}
