import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { Plane } from '../frames/plane.ts'

/**
 * Cosmic rays by their sharp edges: L.A.Cosmic (van Dokkum 2001, PASP 113, 1420). Medians are taken along rows and then
 * along columns. Pixels are only marked; nothing is replaced in the frame.
 */
export interface CosmicRayOptions {
  /** Of the Laplacian over its noise; 4.5. */
  readonly thresholdSigma?: number
  /** Neighbours count from this share of the threshold on; 0.3. */
  readonly neighbourShare?: number
  /** Least ratio of Laplacian to fine structure; 5. Below 2 the cores of stars are lost. */
  readonly contrast?: number
  /** 1 or 2. The second looks again with the first one's pixels filled in. */
  readonly iterations?: number
  /** For frames without a variance plane. */
  readonly gainElectronsPerAdu?: number
  readonly readNoiseElectrons?: number
}

/** Saturated stars have edges as sharp as any; they and what is unknown are left alone. */
const guard = MaskFlag.saturated | MaskFlag.bloom | MaskFlag.noData | MaskFlag.bad

/** A frame whose mask has `cosmicRay` set where one struck; `hits` counts these pixels. */
export function cosmicRays(
  compute: Compute,
  frame: Frame,
  options: CosmicRayOptions = {},
): { readonly frame: Frame; readonly hits: number } {
  const { width, height } = frame
  const mask = compute.uint16(width, height)
  mask.data.set(frame.mask.data)
  using _scratch = compute.scope()
  const image = copyOf(compute, frame.science)
  for (let i = 0; i < image.data.length; i++) if (Number.isNaN(image.data[i]!)) image.data[i] = 0
  let hits = 0
  for (let iteration = 0; iteration < (options.iterations ?? 1); iteration++) {
    using _pass = compute.scope()
    const found = onePass(compute, { ...frame, mask }, image, options)
    hits += found
    if (found === 0) break
  }
  const settings = `${options.thresholdSigma ?? 4.5} sigma, contrast ${options.contrast ?? 5}`
  const header = frame.header.withHistory(`cosmicRays-1: ${hits} pixels, ${settings}`)
  return { frame: { ...frame, header, mask }, hits }
}

function copyOf(compute: Compute, plane: Plane): Plane {
  const copy = compute.view(Float32Array, compute.allocate(plane.data.length * 4), plane.width, plane.height)
  copy.data.set(plane.data)
  return copy
}

function onePass(compute: Compute, frame: Frame, image: Plane, options: CosmicRayOptions): number {
  const { thresholdSigma = 4.5, neighbourShare = 0.3, contrast = 5 } = options
  const { gainElectronsPerAdu: gain = 1, readNoiseElectrons = 10 } = options
  const { width, height } = image
  const filter = medianFilter(compute, width, height)
  const empty = (): Plane => compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const [median5, laplacian, score, scoreMedian, median3, median37] = Array.from({ length: 6 }, empty) as [
    Plane,
    Plane,
    Plane,
    Plane,
    Plane,
    Plane,
  ]
  const candidates = compute.uint8(width, height)
  filter(image, median5, 5)
  const readVariance = (readNoiseElectrons / gain) ** 2
  const planes = [image.pointer, median5.pointer, frame.variance?.pointer ?? 0, laplacian.pointer, score.pointer]
  compute.rows('cosmicLaplacian', height, [...planes, width, height, 1 / gain, readVariance])
  filter(score, scoreMedian, 5)
  filter(image, median3, 3)
  filter(median3, median37, 7)
  const leastFine = 0.01 * Math.sqrt(readVariance)
  const limits = [thresholdSigma, thresholdSigma * neighbourShare, contrast, leastFine]
  const inputs = [score, scoreMedian, laplacian, median3, median37].map((plane) => plane.pointer)
  compute.rows('cosmicCandidates', height, [...inputs, frame.mask.pointer, guard, candidates.pointer, width, ...limits])
  return mark(frame, candidates, image, median5)
}

/** Median of size × size, along rows and then along columns. */
function medianFilter(compute: Compute, width: number, height: number) {
  const scratchBytes = Math.ceil((width * 4 + 192) / 64) * 64
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const half = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  return (source: Plane, out: Plane, size: 3 | 5 | 7): void => {
    compute.rows('medianLine', height, [source.pointer, half.pointer, width, height, size, 0, scratch, scratchBytes])
    compute.rows('medianLine', height, [half.pointer, out.pointer, width, height, size, 1, scratch, scratchBytes])
  }
}

/** Levels of the candidate plane. */
const level = { likely: 1, strong: 2, sure: 3 } as const

/** Marks sure hits, strong pixels that touch one and likely pixels that touch those; fills them for the next pass. */
function mark(frame: Frame, candidates: Plane<Uint8Array>, image: Plane, median5: Plane): number {
  const found = new Set<number>()
  candidates.data.forEach((candidate, at) => {
    if (candidate === level.sure && !nearSaturated(frame, at)) found.add(at)
  })
  for (const least of [level.strong, level.likely]) grow(candidates, found, least)
  let fresh = 0
  for (const at of found) {
    if ((frame.mask.data[at]! & MaskFlag.cosmicRay) === 0) fresh++
    frame.mask.data[at]! |= MaskFlag.cosmicRay
    image.data[at] = median5.data[at]!
  }
  return fresh
}

/** Within five pixels of a saturated one, where the star's edge is. */
function nearSaturated({ width, height, mask }: Frame, at: number): boolean {
  const x = at % width
  const y = (at - x) / width
  for (let v = Math.max(0, y - 5); v <= Math.min(height - 1, y + 5); v++) {
    for (let u = Math.max(0, x - 5); u <= Math.min(width - 1, x + 5); u++) {
      if ((mask.data[v * width + u]! & MaskFlag.saturated) !== 0) return true
    }
  }
  return false
}

/** Adds the neighbours that are at least `least`. */
function grow({ width, height, data }: Plane<Uint8Array>, found: Set<number>, least: number): void {
  for (const at of [...found]) {
    const x = at % width
    const y = (at - x) / width
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        if (data[v * width + u]! >= least) found.add(v * width + u)
      }
    }
  }
}
