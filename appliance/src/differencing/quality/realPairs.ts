import { existsSync } from 'node:fs'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import type { Compute } from '../../frames/compute.ts'
import { readFrame } from '../../frames/fits/read.ts'
import type { Frame } from '../../frames/frame.ts'
import { MaskFlag } from '../../frames/mask.ts'
import { type CosmicRayOptions, cosmicRays } from '../../preprocessing/cosmicRays.ts'
import type { Candidate } from '../candidates.ts'
import { type Difference, type DifferenceOptions, differenceFrames } from '../difference.ts'
import { type Prepared, photometricStars, prepare } from '../prepare.ts'
import { measurePsf, type PsfModel, psfRadius } from '../psf.ts'
import { median, robustSigma } from '../robust.ts'
import { StarGrid } from '../starGrid.ts'
import { openPeaks, type PeerDifference, type PeerOptions, peerDifference } from './peer.ts'

/**
 * Quality on real pairs: point sources of the frame's own PSF are injected into the science frame and looked for; every other
 * positive candidate off the masks is counted against us.
 */
export interface RealPairResult extends Score {
  readonly name: string
  readonly megapixels: number
  readonly threshold: number
  readonly engine: string
  readonly scorrMad: number
  /** Name and versions of the peer on the same frames, or why there is none; undefined when it was not asked. */
  readonly peer: string | undefined
  readonly peerScore: Score | undefined
}

export interface Score {
  /** Positive candidates above 5 and above 6 that are no injected source, per megapixel. */
  readonly falseAbove5: number
  readonly falseAbove6: number
  /** Share of the injected sources of S/N 8 and of S/N 10 found above the threshold. */
  readonly complete8: number
  readonly complete10: number
  readonly complete8Above5: number
}

interface Injected {
  readonly x: number
  readonly y: number
  readonly snr: number
}

const spacingPixels = 24
const edgePixels = 24
const attempts = 20_000

/**
 * Adds sources of S/N 8 and 10 by turns where no bright star is. The ratio is that of a matched filter in this frame alone:
 * the source's flux over the scatter that such a filter's fluxes have on the frame's empty sky, at the source's own place
 * between the pixels. The rms of pixels will not do: resampled pixels are correlated (the scatter is 2.8 times that in the
 * NIRCam pair), and faint stars widen it.
 */
export function injectSources(compute: Compute, frame: Frame, count: number, random: Random): Injected[] {
  using _scratch = compute.scope()
  const prepared = prepare(compute, frame)
  const stars = photometricStars(prepared.stars)
  const radius = psfRadius(prepared.fwhmPixels)
  const psf = measurePsf(compute, {
    plane: prepared.plane,
    mask: prepared.mask,
    stars,
    rmsAdu: prepared.rmsAdu,
    radius,
  })
  const places = openPlaces(prepared, frame, random)
  const scatter = fluxScatter(prepared, psf, openPlaces(prepared, frame, random))
  const placed: Injected[] = []
  for (let attempt = 0; attempt < attempts && placed.length < count; attempt++) {
    const { x, y } = places()
    if (placed.some((other) => Math.hypot(other.x - x, other.y - y) < spacingPixels)) continue
    const snr = placed.length % 2 === 0 ? 8 : 10
    const stamp = psf.splineAt(x, y).shifted(x - Math.round(x), y - Math.round(y)).value
    addSource(frame, stamp, x, y, snr * scatter * Math.sqrt(1 / squares(stamp)))
    placed.push({ x, y, snr })
  }
  return placed
}

const squares = (stamp: ArrayLike<number>): number => {
  let sum = 0
  for (let k = 0; k < stamp.length; k++) sum += stamp[k]! ** 2
  return sum
}

/** Random places away from the border, masks and bright stars. */
function openPlaces(prepared: Prepared, frame: Frame, random: Random): () => { x: number; y: number } {
  return () => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const x = edgePixels + (frame.width - 2 * edgePixels) * random.next()
      const y = edgePixels + (frame.height - 2 * edgePixels) * random.next()
      if (isOpen(prepared, frame, x, y)) return { x, y }
    }
    throw new NightjarError('differencing/injection', 'the frame has no open sky to add sources to')
  }
}

/** Places where the scatter is measured. */
const skyPlaces = 2000

/**
 * Standard deviation of Σ p d / √Σ p² over empty sky, for a PSF p centred on pixels; ADU. From the fluxes below their median:
 * stars and galaxies too faint to be listed lie above it.
 */
function fluxScatter(
  { plane, mask, stars, fwhmPixels }: Prepared,
  psf: PsfModel,
  place: () => { x: number; y: number },
): number {
  const grid = new StarGrid(stars, plane, 32)
  const half = (psf.size - 1) / 2
  const fluxes: number[] = []
  for (let k = 0; k < skyPlaces; k++) {
    const [x, y] = Object.values(place()).map(Math.round) as [number, number]
    const inside = Math.min(x, y, plane.width - 1 - x, plane.height - 1 - y) >= half
    if (!inside || grid.nearest(x, y, 3 * fwhmPixels) >= 0) continue
    const stamp = psf.stampAt(x, y)
    let sum = 0
    for (let j = 0; j < stamp.length; j++) {
      const at = (y - half + Math.floor(j / psf.size)) * plane.width + x - half + (j % psf.size)
      if (mask.data[at] === 0) sum += stamp[j]! * plane.data[at]!
    }
    fluxes.push(sum / Math.sqrt(squares(stamp)))
  }
  const centre = median(fluxes)
  return robustSigma(
    fluxes.filter((flux) => flux < centre),
    centre,
  )
}

function isOpen(prepared: Prepared, frame: Frame, x: number, y: number): boolean {
  const at = Math.round(y) * frame.width + Math.round(x)
  if (prepared.mask.data[at] !== 0) return false
  return prepared.stars.every((star) => star.snr < 30 || Math.hypot(star.x - x, star.y - y) > 3 * star.fwhmPixels)
}

function addSource({ science }: Frame, stamp: ArrayLike<number>, x: number, y: number, flux: number): void {
  const size = Math.round(Math.sqrt(stamp.length))
  const half = (size - 1) / 2
  for (let k = 0; k < stamp.length; k++) {
    const [u, v] = [Math.round(x) + (k % size) - half, Math.round(y) + Math.floor(k / size) - half]
    if (u >= 0 && v >= 0 && u < science.width && v < science.height)
      science.data[v * science.width + u]! += flux * stamp[k]!
  }
}

const counted = ({ scorr, flags }: Candidate): boolean =>
  scorr > 0 && !flags.includes('masked') && !flags.includes('nearSaturated') && !flags.includes('edge')

interface Find {
  readonly x: number
  readonly y: number
  readonly scorr: number
  /** False for what lies on masks, at borders and beside saturated stars. */
  readonly counts: boolean
}

function scoreFinds(
  finds: readonly Find[],
  injected: readonly Injected[],
  threshold: number,
  megapixels: number,
): Score {
  const isInjected = (find: Find): boolean => injected.some((s) => Math.hypot(s.x - find.x, s.y - find.y) < 10)
  const wrong = finds.filter((find) => find.counts && !isInjected(find))
  const share = (snr: number, above: number): number => {
    const all = injected.filter((s) => s.snr === snr)
    const found = all.filter((s) => finds.some((f) => f.scorr > above && Math.hypot(s.x - f.x, s.y - f.y) < 2.5))
    return found.length / all.length
  }
  return {
    falseAbove5: wrong.filter(({ scorr }) => scorr > 5).length / megapixels,
    falseAbove6: wrong.filter(({ scorr }) => scorr > 6).length / megapixels,
    complete8: share(8, threshold),
    complete10: share(10, threshold),
    complete8Above5: share(8, 5),
  }
}

/** Sources nearer to the border than this are not looked for in the peer's S_corr, whose peaks begin there. */
const peerEdgePixels = 32

export function scoreRealPair(
  name: string,
  { candidates, science, mask, summary }: Difference,
  injected: readonly Injected[],
  threshold: number,
  other?: PeerDifference | string,
): RealPairResult {
  const megapixels = (science.width * science.height) / 1e6
  const finds = candidates.map((candidate) => ({ ...candidate, counts: counted(candidate) }))
  const isInner = ({ x, y }: Injected): boolean =>
    Math.min(x, y, science.width - 1 - x, science.height - 1 - y) > peerEdgePixels
  const scoredPeer = (one: PeerDifference): Score => {
    const peaks = openPeaks(one.scorr, mask).map(({ x, y, peak }) => ({ x, y, scorr: peak, counts: true }))
    return scoreFinds(peaks, injected.filter(isInner), threshold, megapixels)
  }
  return {
    name,
    megapixels,
    ...scoreFinds(finds, injected, threshold, megapixels),
    threshold,
    engine: summary.engine,
    scorrMad: summary.scorrMad,
    peer: typeof other === 'string' ? other : other?.peer,
    peerScore: other === undefined || typeof other === 'string' ? undefined : scoredPeer(other),
  }
}

export interface RealPairRequest {
  readonly name: string
  readonly science: Frame
  readonly reference: Frame
  readonly threshold: number
  readonly options?: DifferenceOptions
  /** For raw frames, whose cosmic rays nobody marked. */
  readonly rays?: CosmicRayOptions
  /** The peer of the quality tables has the same frames, too. */
  readonly withPeer?: boolean | undefined
}

const injectedPerMpix = 130

export function measureRealPair(compute: Compute, request: RealPairRequest): RealPairResult {
  using _scratch = compute.scope()
  const { name, threshold, options = {} } = request
  const count = Math.round((injectedPerMpix * request.science.width * request.science.height) / 1e6)
  const injected = injectSources(compute, request.science, count, createRandom(`inject/${name}`))
  const clean = (frame: Frame): Frame => (request.rays ? cosmicRays(compute, frame, request.rays).frame : frame)
  const [science, reference] = [clean(request.science), clean(request.reference)]
  const difference = differenceFrames(compute, science, reference, options)
  const other = request.withPeer ? peerDifference(compute, science, reference, gainsOf(difference)) : undefined
  return scoreRealPair(name, difference, injected, threshold, other)
}

export function gainsOf({ summary }: Difference): PeerOptions {
  return {
    gainScience: summary.gainScience.electronsPerAdu,
    gainReference: summary.gainReference.electronsPerAdu,
  }
}

/** TOROS and NIRCam; nothing where the files are absent. */
export function measureRealPairs(compute: Compute, folder: string, withPeer = false): readonly RealPairResult[] {
  if (!existsSync(folder)) return []
  const pair = (name: string, path: string, rays?: CosmicRayOptions): RealPairResult => {
    using _scratch = compute.scope()
    const [science, reference] = [
      readFrame(compute, `${folder}/${path}/sci.fits`),
      readFrame(compute, `${folder}/${path}/ref.fits`),
    ]
    return measureRealPair(compute, { name, science, reference, threshold: 5, withPeer, ...(rays && { rays }) })
  }
  return [pair('TOROS', 'toros-eso085', { gainElectronsPerAdu: 1.5, readNoiseElectrons: 10 }), pair('NIRCam', 'nircam')]
}

/** Pixels that `mask` marks anew in a frame, as bad. */
export function withBadPixels(frame: Frame, bad: ArrayLike<number>): Frame {
  for (let i = 0; i < frame.mask.data.length; i++) {
    if (bad[i] !== 0) frame.mask.data[i] = frame.mask.data[i]! | MaskFlag.bad
  }
  return frame
}
