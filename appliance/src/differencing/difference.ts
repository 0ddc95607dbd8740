import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { createMesh, type Mesh, paintMesh } from '../frames/mesh.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { medianAndMad, sigmaPerMad } from '../frames/statistics.ts'
import { measureBackground } from '../preprocessing/background.ts'
import { type Aligned, alignReference, hintFromWcs } from './align.ts'
import { type Candidate, findCandidates } from './candidates.ts'
import {
  astrometricNoise,
  centredShift,
  compareStars,
  relativeError,
  type Side,
  type StarComparison,
} from './fluxRatio.ts'
import { estimateGain, type GainEstimate, gainFromHeader } from './gain.ts'
import { meshFor, type Prepared, photometricStars, prepare, registrationStars, smoothed } from './prepare.ts'
import { measurePsf, type PsfModel, psfRadius } from './psf.ts'
import type { PsfStar } from './psfStars.ts'
import { type Registration, registerStars } from './register.ts'
import { dropMissing, replaceSaturated, saturatedBlobs } from './repair.ts'
import { pixelMad } from './robust.ts'
import { StampSpline } from './spline.ts'
import { stellarFwhm } from './starWidth.ts'
import { subtract, type ZogyResult } from './zogy.ts'

/**
 * Differencing, from two frames of one field to what changed between them: prepare both (prepare.ts), register
 * (register.ts), resample the reference (warp.ts), measure both PSFs (psf.ts), the flux ratio and what is left of the
 * registration (fluxRatio.ts), replace saturated cores (repair.ts), subtract (zogy.ts), list candidates (candidates.ts).
 * A reference from several frames is made by references.ts; runPixels.ts does it all from file to file.
 */
export interface DifferenceOptions {
  /** |S_corr| of a candidate; 5. */
  readonly threshold?: number
  /** Of the science frame, electrons per ADU. Default: the header's, else estimated. */
  readonly gainElectronsPerAdu?: number
  readonly saturateAdu?: number
  /** At most so many candidates, the most significant ones; 500. */
  readonly maximumCandidates?: number
  /** For `timingsMs`; without it they are 0, and the same frames give the same result byte for byte. */
  readonly clock?: Pick<Clock, 'monotonic'>
}

export interface DifferenceSummary {
  readonly engine: 'zogy'
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
  /** Share of the science frame that the reference covers. */
  readonly coverage: number
  readonly smoothedSigmaPixels: number
  readonly timingsMs: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
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
  readonly registration: Registration
  readonly summary: DifferenceSummary
}

/** Below this width stars are undersampled, and both frames are smoothed first. */
const undersampledFwhm = 2.3
const smoothingSigma = 0.6
const leastCoverage = 0.1

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
  return new Work(compute, science, reference, options).run()
}

class Work {
  readonly #compute: Compute
  readonly #frames: readonly [Frame, Frame]
  readonly #options: DifferenceOptions
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #timings: Record<string, number> = {}
  readonly #warnings: string[] = []
  #smoothing = 0

  constructor(compute: Compute, science: Frame, reference: Frame, options: DifferenceOptions) {
    this.#compute = compute
    this.#frames = [science, reference]
    this.#options = options
    this.#clock = options.clock ?? { monotonic: () => 0 }
  }

  #timed<T>(step: string, work: () => T): T {
    const started = this.#clock.monotonic()
    const result = work()
    this.#timings[step] = (this.#timings[step] ?? 0) + this.#clock.monotonic() - started
    return result
  }

  run(): Difference {
    const started = this.#clock.monotonic()
    refuseEmpty(this.#frames[0], 'science')
    refuseEmpty(this.#frames[1], 'reference')
    const science = this.#prepare(0)
    const reference = this.#prepare(1)
    const registration = this.#timed('register', () => this.#register(science, reference))
    const aligned = this.#timed('warp', () => alignReference(this.#compute, reference, registration, this.#frames[0]))
    const coverage = this.#coverage(aligned.mask)
    this.#smoothUndersampled(science, aligned)
    const sides = this.#timed('psf', () => this.#sides(science, aligned))
    const comparison = this.#timed('fluxRatio', () => this.#compare(sides, aligned.stars))
    const raw = { science: this.#copy(science.plane), reference: this.#copy(aligned.plane) }
    this.#timed('repair', () => this.#repair(science, aligned, sides))
    const zogy = this.#timed('zogy', () => this.#subtract(science, aligned, sides, comparison))
    const mask = this.#unite(science.mask, aligned.mask)
    const scale = this.#timed('rescale', () => this.#rescale(zogy, mask))
    const list = this.#timed('candidates', () =>
      findCandidates({
        zogy,
        ...raw,
        scienceMask: science.mask,
        referenceMask: aligned.mask,
        sciencePsfAt: (x, y) => sides.science.psf.splineAt(x, y),
        fwhmPixels: sides.science.psf.fwhmPixels,
        fluxRatio: comparison.ratio,
        scienceRmsAdu: science.rmsAdu,
        stars: aligned.stars.map((star) => ({ x: star.x, y: star.y, fluxAdu: star.fluxAdu / comparison.ratio })),
        threshold: this.#options.threshold ?? 5,
        edgePixels: Math.ceil(Math.max(4, 1.5 * sides.science.psf.fwhmPixels)),
        maximum: this.#options.maximumCandidates ?? 500,
      }),
    )
    this.#timings['total'] = this.#clock.monotonic() - started
    this.#judge(science, aligned, sides, comparison, scale)
    const { candidates } = list
    return {
      difference: zogy.difference,
      scorr: zogy.scorr,
      alignedReference: raw.reference,
      science: raw.science,
      mask,
      candidates,
      registration,
      summary: {
        engine: 'zogy',
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
        fwhmSciencePixels: sides.science.psf.fwhmPixels,
        fwhmReferencePixels: sides.reference.psf.fwhmPixels,
        psfScience: describePsf(sides.science.psf),
        psfReference: describePsf(sides.reference.psf),
        gainScience: sides.gainScience,
        gainReference: sides.gainReference,
        scorrMedian: scale.median,
        scorrMad: scale.mad,
        scorrScale: scale.divisor,
        starsScience: science.stars.length,
        starsReference: reference.stars.length,
        positive: candidates.filter((candidate) => candidate.scorr > 0).length,
        negative: candidates.filter((candidate) => candidate.scorr < 0).length,
        regions: list.regions,
        coverage,
        smoothedSigmaPixels: this.#smoothing,
        timingsMs: this.#timings,
        warnings: this.#warnings,
      },
    }
  }

  #prepare(which: 0 | 1): Prepared {
    const frame = this.#frames[which]
    const { saturateAdu } = this.#options
    return this.#timed('prepare', () => prepare(this.#compute, frame, which === 0 ? { saturateAdu } : {}))
  }

  #register(science: Prepared, reference: Prepared): Registration {
    const hint = hintFromWcs(...this.#frames)
    const result = registerStars({
      science: registrationStars(science.stars),
      reference: registrationStars(reference.stars),
      scienceSize: science.plane,
      referenceSize: reference.plane,
      ...(hint && { hint }),
    })
    if (!result.ok) throw new NightjarError('differencing/registration', `cannot align the frames: ${result.reason}`)
    if (result.registration.matched === 0) this.#warnings.push('no star confirms the alignment by the headers')
    else if (result.registration.matched < 6) {
      this.#warnings.push(`aligned with ${result.registration.matched} stars only`)
    }
    return result.registration
  }

  #coverage(mask: MaskPlane): number {
    let covered = 0
    for (let i = 0; i < mask.data.length; i++) if ((mask.data[i]! & MaskFlag.noData) === 0) covered++
    const share = covered / mask.data.length
    if (share < leastCoverage) {
      const percent = (100 * share).toFixed(0)
      throw new NightjarError('differencing/overlap', `the reference covers only ${percent} % of the science frame`)
    }
    if (share < 0.6) this.#warnings.push(`the reference covers ${(100 * share).toFixed(0)} % of the science frame`)
    return share
  }

  #smoothUndersampled(science: Prepared, aligned: Aligned): void {
    if (!(science.fwhmPixels < undersampledFwhm)) return
    this.#smoothing = smoothingSigma
    for (const side of [science, aligned]) {
      using _scratch = this.#compute.scope()
      const wide = smoothed(this.#compute, side.plane, smoothingSigma)
      side.plane.data.set(wide.data)
      const { rms } = measureBackground(this.#compute, side.plane, side.mask, { meshPixels: meshFor(side.plane) })
      paintMesh(this.#compute, rms, side.rms)
    }
    this.#warnings.push(
      `stars are undersampled (FWHM ${science.fwhmPixels.toFixed(1)} px): both frames were smoothed by ${smoothingSigma} px`,
    )
  }

  #sides(science: Prepared, aligned: Aligned): Sides {
    const widths = [science.fwhmPixels, this.#referenceFwhm(aligned)].filter(Number.isFinite)
    const radius = psfRadius(Math.max(3, ...widths, 0))
    const scienceStars = photometricStars(science.stars)
    const referenceStars = photometricStars(aligned.stars)
    const rmsN = this.#typicalRms(science.rms, science.rmsAdu)
    const rmsR = this.#typicalRms(aligned.rms, aligned.rmsAdu)
    const psfN = measurePsf({ plane: science.plane, mask: science.mask, stars: scienceStars, rmsAdu: rmsN, radius })
    const psfR = measurePsf({ plane: aligned.plane, mask: aligned.mask, stars: referenceStars, rmsAdu: rmsR, radius })
    const sideN = { plane: science.plane, mask: science.mask, psf: psfN, rmsAdu: rmsN }
    const sideR = { plane: aligned.plane, mask: aligned.mask, psf: psfR, rmsAdu: rmsR }
    const given = this.#options.gainElectronsPerAdu ?? gainFromHeader(this.#frames[0].header)
    const gainScience: GainEstimate = given
      ? { electronsPerAdu: given, from: this.#options.gainElectronsPerAdu ? 'option' : 'header' }
      : estimateGain(sideN, science.levelAdu, scienceStars)
    const known = gainFromHeader(this.#frames[1].header)
    const gainReference: GainEstimate = known
      ? { electronsPerAdu: known, from: 'header' }
      : estimateGain(sideR, aligned.levelAdu, referenceStars)
    return {
      science: { ...sideN, gainElectronsPerAdu: gainScience.electronsPerAdu },
      reference: { ...sideR, gainElectronsPerAdu: gainReference.electronsPerAdu },
      gainScience,
      gainReference,
      stars: scienceStars,
    }
  }

  #referenceFwhm(aligned: Aligned): number {
    return stellarFwhm(photometricStars(aligned.stars))
  }

  #typicalRms(rms: Plane, fallback: number): number {
    const { median } = pixelMad(rms.data, () => true, 4000)
    return median > 0 ? median : fallback
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
    return { ratio: safe, ratioError: safe, stars: 0, offset: [0, 0], scatter: [0.3, 0.3] }
  }

  #copy(plane: Plane): Plane {
    const copy = this.#compute.float32(plane.width, plane.height)
    copy.data.set(plane.data)
    return copy
  }

  #repair(science: Prepared, aligned: Aligned, sides: Sides): void {
    const blobs = saturatedBlobs(science.mask, aligned.mask)
    replaceSaturated(science.plane, science.mask, blobs, sides.science.psf, sides.science.rmsAdu)
    replaceSaturated(aligned.plane, aligned.mask, blobs, sides.reference.psf, sides.reference.rmsAdu)
    dropMissing(science.plane, aligned.plane, science.mask, aligned.mask)
  }

  #subtract(science: Prepared, aligned: Aligned, sides: Sides, comparison: StarComparison): ZogyResult {
    const shift = centredShift(comparison)
    const psfSize = sides.science.psf.size
    return subtract(this.#compute, {
      science: science.plane,
      reference: aligned.plane,
      scienceRms: this.#noiseMesh(science.rms),
      referenceRms: this.#noiseMesh(aligned.rms),
      scienceGain: sides.gainScience.electronsPerAdu,
      referenceGain: sides.gainReference.electronsPerAdu,
      sciencePsf: (x, y) => sides.science.psf.stampAt(x, y),
      // A reference whose stars lie δ off is the same as one whose PSF lies δ off.
      referencePsf: (x, y) =>
        new StampSpline(sides.reference.psf.stampAt(x, y), psfSize).shifted(shift[0], shift[1]).value,
      psfSize,
      constantPsf: sides.science.psf.degree === 0 && sides.reference.psf.degree === 0,
      fluxRatio: comparison.ratio,
      astrometricNoise: astrometricNoise(comparison, shift),
      relativeError: relativeError(comparison, Math.min(sides.science.psf.stars, sides.reference.psf.stars)),
    })
  }

  #noiseMesh(rms: Plane): Mesh {
    const cellPixels = 32
    const [columns, rows] = [Math.ceil(rms.width / cellPixels), Math.ceil(rms.height / cellPixels)]
    const values = Array.from({ length: columns * rows }, (_, k) => {
      const x = Math.min(rms.width - 1, ((k % columns) + 0.5) * cellPixels)
      const y = Math.min(rms.height - 1, (Math.floor(k / columns) + 0.5) * cellPixels)
      return rms.data[y * rms.width + x]!
    })
    return createMesh(this.#compute, { cellPixels, columns, rows }, values)
  }

  #unite(one: MaskPlane, other: MaskPlane): MaskPlane {
    const mask = this.#compute.uint16(one.width, one.height)
    for (let i = 0; i < mask.data.length; i++) mask.data[i] = one.data[i]! | other.data[i]!
    return mask
  }

  /** Median and MAD of S_corr over good pixels; divides by the MAD when it is off by more than 3 %. */
  #rescale(zogy: ZogyResult, mask: MaskPlane): Scale {
    const { median, mad } = medianAndMad(this.#compute, zogy.scorr, { mask })
    const sigma = mad * sigmaPerMad
    if (!(sigma > 0)) {
      throw new NightjarError('differencing/empty', 'no pixel is good in both frames: check their masks and saturation')
    }
    const divisor = Math.abs(sigma - 1) > 0.03 ? sigma : 1
    for (let i = 0; i < mask.data.length; i++) {
      zogy.scorr.data[i]! /= divisor
      if ((mask.data[i]! & MaskFlag.noData) === 0) continue
      zogy.scorr.data[i] = 0
      zogy.difference.data[i] = 0
    }
    return { median, mad: sigma, divisor }
  }

  #judge(science: Prepared, aligned: Aligned, sides: Sides, comparison: StarComparison, scale: Scale): void {
    for (const [name, psf] of [
      ['science', sides.science.psf],
      ['reference', sides.reference.psf],
    ] as const) {
      if (psf.kind === 'moffat') {
        this.#warnings.push(`only ${psf.stars} stars for the PSF of the ${name} frame: a Moffat profile is used`)
      }
    }
    if (comparison.stars > 0 && comparison.stars < 5) {
      this.#warnings.push(`the flux ratio comes from ${comparison.stars} stars`)
    }
    if (scale.mad < 0.9 || scale.mad > 1.15) {
      this.#warnings.push(`the noise model is off: S_corr has a MAD of ${scale.mad.toFixed(2)} and was divided by it`)
    }
    const brightest = Math.max(science.stars.length, aligned.stars.length)
    if (brightest === 0) this.#warnings.push('neither frame shows a star')
    for (const [name, gain] of [
      ['science', sides.gainScience],
      ['reference', sides.gainReference],
    ] as const) {
      if (gain.from === 'none') this.#warnings.push(`the gain of the ${name} frame is unknown: give EGAIN or --gain`)
    }
  }
}

interface Sides {
  readonly science: Side
  readonly reference: Side
  readonly gainScience: GainEstimate
  readonly gainReference: GainEstimate
  readonly stars: readonly PsfStar[]
}

interface Scale {
  readonly median: number
  readonly mad: number
  readonly divisor: number
}

function describePsf(psf: PsfModel): string {
  return `${psf.kind}, degree ${psf.degree}, ${psf.stars} stars`
}

function refuseEmpty({ science, mask }: Frame, name: string): void {
  let first: number | undefined
  for (let i = 0; i < science.data.length; i++) {
    const value = science.data[i]!
    if ((mask.data[i]! & MaskFlag.noData) !== 0 || !Number.isFinite(value)) continue
    if (first === undefined) first = value
    else if (value !== first) return
  }
  const what = first === undefined ? 'has no pixel with a value' : `holds nothing but the value ${first}`
  throw new NightjarError('differencing/empty', `the ${name} frame ${what}`)
}
