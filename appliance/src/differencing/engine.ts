import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type Failure, failure } from '@nightjar/firmware-bridge/outcome.ts'
import type { Compute } from '../frames/compute.ts'
import type { MaskPlane } from '../frames/plane.ts'
import { loudPixels, spoiltPixels } from '../frames/planes.ts'
import { type MatchingKernel, matchKernel } from './kernelMatch.ts'
import type { KernelStar } from './kernelMatchStamps.ts'
import { noiseOf } from './planeNoise.ts'
import { fewestEmpiricalStars } from './psf.ts'
import { subtract, type ZogyResult } from './zogy.ts'
import type { ZogyInput } from './zogyInput.ts'

/**
 * Two ways to subtract: proper subtraction with two measured PSFs (zogy.ts), and a kernel fitted to the pixels of the stars
 * themselves (kernelMatch.ts), which needs no PSF to be right. Proper subtraction is deeper where the PSFs are known, and is
 * done first; where they may not be, or its noise is not what it should be, both are done and the noise of the results
 * decides.
 */
export type Engine = 'zogy' | 'kernel'

export interface EngineInput extends ZogyInput {
  /** Bits of either frame. */
  readonly mask: MaskPlane
  readonly stars: readonly KernelStar[]
  readonly scienceFwhmPixels: number
  readonly referenceFwhmPixels: number
  /** Of each PSF. */
  readonly psfStars: readonly [science: number, reference: number]
}

/** Of S_corr over good pixels, before anything is rescaled. */
export interface NoiseStatistics {
  /** 1.4826 × the median absolute deviation: 1 where the noise model is right. */
  readonly sigma: number
  /** Pixels below −5 sigma per megapixel: what no new source makes. */
  readonly negativePerMpix: number
  /** Pixels above 5 sigma: new sources, alike for both engines, and what did not subtract. */
  readonly positivePerMpix: number
}

export interface Subtraction {
  readonly engine: Engine
  readonly result: ZogyResult
  /** Why it is this one, for people. */
  readonly reason: string
  /** Of the matching kernel, when there is one that was used. */
  readonly kernel: MatchingKernel | undefined
}

/** Below this width an interpolated PSF may be wrong between the pixels. */
const sampledFwhm = 2.3
/** Of S_corr's sigma, where the noise model is trusted. */
const trustedSigma = [0.9, 1.15] as const
const loudSigma = 5
/** Ratio of the two frames' widths. */
const nearlyAlike = 1.5
/** A result is taken when it has less than such a share of the other's pixels of one sign, and not so many times those of the other. */
const clearlyFewer = { negative: 0.8, positive: 0.5 } as const
const clearlyMore = { negative: 1.25, positive: 1.1 } as const
/** Negative pixels that two or three stars may leave in a good subtraction. */
const noticeablePerMpix = 100

/**
 * Subtracts with the engine that suits, and says why. Allocates the planes of one result, or of two, from `compute`. Throws
 * `differencing/subtraction` with both reasons when neither engine gives a result.
 */
export function subtractWithChoice(compute: Compute, input: EngineInput): Subtraction {
  const zogy = properSubtraction(compute, input)
  const doubts = doubtsAbout(input, zogy)
  if (zogy.ok && doubts.length === 0) {
    const reason = 'both PSFs are known and the noise is as modelled'
    return { engine: 'zogy', result: zogy.result, reason, kernel: undefined }
  }
  if (zogy.ok && zogy.noise.negativePerMpix < noticeablePerMpix) {
    const reason = `${doubts.join(', ')}; but ${inWords('proper subtraction', zogy.noise)}`
    return { engine: 'zogy', result: zogy.result, reason, kernel: undefined }
  }
  return choose(zogy, kernelSubtraction(compute, input), doubts.join(', '))
}

interface Attempt {
  readonly ok: true
  readonly result: ZogyResult
  readonly noise: NoiseStatistics
  readonly kernel?: MatchingKernel
}

function choose(zogy: Attempt | Failure, kernel: Attempt | Failure, doubts: string): Subtraction {
  if (!zogy.ok && !kernel.ok) {
    throw new NightjarError(
      'differencing/subtraction',
      `the frames cannot be subtracted: ${zogy.reason}; and with a matching kernel: ${kernel.reason}`,
    )
  }
  if (!zogy.ok) return taken('kernel', kernel as Attempt, zogy.reason)
  if (!kernel.ok) return taken('zogy', zogy, `${doubts}, but no matching kernel: ${kernel.reason}`)
  const better = isClearlyCleaner(kernel.noise, zogy.noise)
  const words = `${doubts}; ${inWords('proper subtraction', zogy.noise)}, ${inWords('matching kernel', kernel.noise)}`
  return better ? taken('kernel', kernel, words) : taken('zogy', zogy, words)
}

function taken(engine: Engine, { result, kernel }: Attempt, reason: string): Subtraction {
  return { engine, result, reason, kernel: engine === 'kernel' ? kernel : undefined }
}

function inWords(name: string, { sigma, negativePerMpix, positivePerMpix }: NoiseStatistics): string {
  const [down, up] = [negativePerMpix, positivePerMpix].map((value) => value.toFixed(0))
  return `${name} has a MAD of ${sigma.toFixed(2)}, ${down} negative and ${up} positive px/Mpix`
}

function isTrusted(sigma: number): boolean {
  return sigma >= trustedSigma[0] && sigma <= trustedSigma[1]
}

/**
 * Whether a matching kernel is to be preferred: the other result has more negative pixels than a few stars make, and this one
 * has clearly fewer of one sign and no more of the other. Half of the positive pixels is no lack of depth, which would cost new
 * sources their rims only. Else proper subtraction stays, being deeper.
 */
export function isClearlyCleaner(one: NoiseStatistics, other: NoiseStatistics): boolean {
  if (other.negativePerMpix < noticeablePerMpix) return false
  const negative = one.negativePerMpix / other.negativePerMpix
  const positive = one.positivePerMpix / Math.max(1, other.positivePerMpix)
  const fewerNegative = negative < clearlyFewer.negative && positive <= clearlyMore.positive
  return fewerNegative || (positive < clearlyFewer.positive && negative <= clearlyMore.negative)
}

/** Measured conditions under which proper subtraction is not to be trusted unseen. */
export function doubtsAbout(
  input: Pick<EngineInput, 'psfStars' | 'scienceFwhmPixels' | 'referenceFwhmPixels'>,
  zogy: Attempt | Failure,
): string[] {
  const fewest = Math.min(...input.psfStars)
  const narrowest = Math.min(input.scienceFwhmPixels, input.referenceFwhmPixels)
  const noise = zogy.ok ? zogy.noise.sigma * zogy.result.skyScale : 1
  const rules: readonly (readonly [boolean, string])[] = [
    [fewest < fewestEmpiricalStars, `only ${fewest} stars for a PSF`],
    [narrowest < sampledFwhm, `FWHM ${narrowest.toFixed(1)} px is undersampled`],
    [!isTrusted(noise), `the noise of proper subtraction is ${noise.toFixed(2)} times the modelled one`],
  ]
  return rules.filter(([holds]) => holds).map(([, words]) => words)
}

function properSubtraction(compute: Compute, input: EngineInput): Attempt | Failure {
  return judged(compute, subtract(compute, input), input.mask)
}

/**
 * The sharper frame is convolved. With widths that are nearly alike the other may serve better, being deeper or sampled better:
 * it is taken when it leaves clearly fewer negative pixels.
 */
function kernelSubtraction(compute: Compute, input: EngineInput): Attempt | Failure {
  const ratio = input.referenceFwhmPixels / input.scienceFwhmPixels
  const usual = kernelOneWay(compute, input, ratio <= 1)
  if (Math.max(ratio, 1 / ratio) > nearlyAlike) return usual
  const other = kernelOneWay(compute, input, !(ratio <= 1))
  if (!usual.ok) return other.ok ? other : usual
  return other.ok && isClearlyCleaner(other.noise, usual.noise) ? other : usual
}

/**
 * Alard & Lupton's difference N − K ⊗ R, its noise made white again (Reiss & Lupton 2016, DMTN-021) and matched with its PSF,
 * is eq. 13 of ZOGY with P_n = K ⊗ P_r: numerator and denominator divided by F_r P_r are theirs. So the same tiles do it, and
 * noise, registration and source terms mean the same. Where the science frame is the sharper one, P_r = K ⊗ P_n.
 */
function kernelOneWay(compute: Compute, input: EngineInput, convolvesReference: boolean): Attempt | Failure {
  const kernel = matchKernel(framesOf(input, convolvesReference))
  if (!kernel.ok) return kernel
  const { psfSize } = input
  const sharpPsf = convolvesReference ? input.referencePsf : input.sciencePsf
  const broadPsf = (x: number, y: number): Float64Array =>
    convolved(sharpPsf(x, y), psfSize, kernel.at(x, y), kernel.side)
  const result = subtract(compute, {
    ...input,
    ...(convolvesReference ? { sciencePsf: broadPsf } : { referencePsf: broadPsf }),
    constantPsf: input.constantPsf && kernel.degree === 0,
    fluxRatio: convolvesReference ? 1 / kernel.sum : kernel.sum,
    relativeError: Math.max(input.relativeError ?? 0, kernel.residualShare),
  })
  const attempt = judged(compute, result, input.mask)
  return attempt.ok ? { ...attempt, kernel } : attempt
}

function framesOf(input: EngineInput, convolvesReference: boolean) {
  const rmsOf = (values: Float32Array): number => values.toSorted()[values.length >> 1] ?? 0
  const science = {
    plane: input.science,
    rms: rmsOf(input.scienceRms.data),
    gain: input.scienceGain,
    fwhm: input.scienceFwhmPixels,
  }
  const reference = {
    plane: input.reference,
    rms: rmsOf(input.referenceRms.data),
    gain: input.referenceGain,
    fwhm: input.referenceFwhmPixels,
  }
  const [sharp, broad] = convolvesReference ? [reference, science] : [science, reference]
  return {
    sharp: sharp.plane,
    broad: broad.plane,
    mask: input.mask,
    stars: input.stars,
    sharpRmsAdu: sharp.rms,
    broadRmsAdu: broad.rms,
    ratio: convolvesReference ? 1 / input.fluxRatio : input.fluxRatio,
    sharpGain: sharp.gain,
    broadGain: broad.gain,
    sharpFwhmPixels: sharp.fwhm,
    broadFwhmPixels: broad.fwhm,
  }
}

/** A stamp convolved with a kernel, of the stamp's size; its sum is 1 again. */
function convolved(stamp: Float64Array, size: number, kernel: Float64Array, side: number): Float64Array {
  const out = new Float64Array(stamp.length)
  const reach = (side - 1) / 2
  for (let k = 0; k < kernel.length; k++) {
    const [i, j] = [(k % side) - reach, Math.floor(k / side) - reach]
    const factor = kernel[k]!
    for (let y = Math.max(0, j); y < Math.min(size, size + j); y++) {
      for (let x = Math.max(0, i); x < Math.min(size, size + i); x++) {
        out[y * size + x]! += factor * stamp[(y - j) * size + x - i]!
      }
    }
  }
  const sum = out.reduce((total, value) => total + value, 0)
  return out.map((value) => value / sum)
}

/** Fails where S_corr or D are no numbers, or are nothing at all. */
function judged(compute: Compute, result: ZogyResult, mask: MaskPlane): Attempt | Failure {
  const { sigma } = noiseOf(result.scorr, mask)
  const { difference, scorr } = result
  if ([difference, scorr].some((plane) => spoiltPixels(compute, plane, mask, 0).length > 0)) {
    return failure('the difference has pixels that are no numbers')
  }
  if (!(sigma > 0)) return failure('the difference is empty where both frames have good pixels')
  return { ok: true, result, noise: { sigma, ...loudPerMpix(compute, result, mask, sigma) } }
}

function loudPerMpix(
  compute: Compute,
  { scorr }: ZogyResult,
  mask: MaskPlane,
  sigma: number,
): Omit<NoiseStatistics, 'sigma'> {
  const counts = { negative: 0, positive: 0 }
  for (const at of loudPixels(compute, scorr, loudSigma * sigma)) {
    if (mask.data[at] === 0) counts[scorr.data[at]! < 0 ? 'negative' : 'positive']++
  }
  const perMpix = 1e6 / scorr.data.length
  return { negativePerMpix: perMpix * counts.negative, positivePerMpix: perMpix * counts.positive }
}
