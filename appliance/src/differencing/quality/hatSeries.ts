import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { Compute } from '../../frames/compute.ts'
import { readFrame } from '../../frames/fits/read.ts'
import { encodeFrame } from '../../frames/fits/write.ts'
import type { Frame } from '../../frames/frame.ts'
import { MaskFlag } from '../../frames/mask.ts'
import type { MaskPlane } from '../../frames/plane.ts'
import { measureBackground } from '../../preprocessing/background.ts'
import { detectorMedian } from '../../preprocessing/hotPixels.ts'
import { differenceFrames } from '../difference.ts'
import { buildReference } from '../references.ts'
import { median } from '../robust.ts'
import { peerDifference } from './peer.ts'
import { gainsOf, injectSources, type RealPairResult, scoreRealPair, withBadPixels } from './realPairs.ts'

/**
 * Quality on a drifting night of a small telescope: raw frames of undersampled stars (HAT-P-32, 650 × 500, FWHM 2 px,
 * 1.3 % hot pixels), calibrated by nothing but the night itself: its detector-frame median, and the gain that its skies show. Each science frame is differenced against
 * an average of others; sources of S/N 8 and 10 are injected before, and counted where the reference has data.
 */
export interface SeriesOptions {
  /** Indices of the science frames; 30, 50 and 68. */
  readonly frames?: readonly number[]
  /** Frames averaged into the reference; 30. With 1 it is a single exposure. */
  readonly referenceFrames?: number
  readonly threshold?: number
  /** The peer of the quality tables has the same frames. */
  readonly withPeer?: boolean
}

const injectedPerMpix = 130
/** Of the 12-bit converter: beyond it a pixel has lost light. */
const saturatedAdu = 3500

/** One result for each science frame; none where the files are absent. Throws what reading and differencing throw. */
export function measureHatSeries(
  compute: Compute,
  folder: string,
  { frames = [30, 50, 68], referenceFrames = 30, threshold = 6, withPeer = false }: SeriesOptions = {},
): readonly RealPairResult[] {
  if (!existsSync(folder)) return []
  const paths = readdirSync(folder)
    .filter((name) => /\.fits(\.gz)?$/.test(name))
    .sort()
    .map((name) => join(folder, name))
  using _scratch = compute.scope()
  const detector = detectorMedian(compute, paths)
  if (!detector.ok) throw new NightjarError('differencing/series', detector.reason)
  const gain = gainOfNight(compute, spread(paths, mostGainFrames), detector.offset.data)
  const calibrated = (path: string): Frame => {
    const raw = readFrame(compute, path)
    const frame = { ...raw, header: raw.header.with('EGAIN', gain, 'electrons per ADU, from the skies of the night') }
    const { data } = frame.science
    for (let i = 0; i < data.length; i++) {
      if (data[i]! >= saturatedAdu) frame.mask.data[i] = frame.mask.data[i]! | MaskFlag.saturated
      data[i] = data[i]! - detector.offset.data[i]!
    }
    return withBadPixels(frame, detector.mask.data)
  }
  const spill = mkdtempSync(join(tmpdir(), 'nightjar-series-'))
  try {
    const others = spread(
      paths.map((_, index) => index).filter((index) => !frames.includes(index)),
      referenceFrames,
    )
    const reference = referenceOf(compute, others, paths, calibrated, spill)
    return frames.map((index) => {
      using _frame = compute.scope()
      const science = calibrated(paths[index]!)
      const count = Math.round((injectedPerMpix * science.width * science.height) / 1e6)
      const injected = injectSources(compute, science, count, createRandom(`inject/hatp32/${index}`))
      const difference = differenceFrames(compute, science, reference, { threshold: 5 })
      const covered = injected.filter(({ x, y }) => isCovered(difference.mask, x, y))
      const other = withPeer ? peerDifference(compute, science, reference, gainsOf(difference)) : undefined
      return scoreRealPair(`HAT-P-32 ${index}`, difference, covered, threshold, other)
    })
  } finally {
    rmSync(spill, { recursive: true, force: true })
  }
}

/** Frames whose skies tell the gain. */
const mostGainFrames = 24

/**
 * Electrons per ADU by photon transfer (Janesick 2001, ch. 5) from the night's own skies, which brighten by 20 ADU: the median
 * slope of the sky's variance over its level, of all pairs of frames (Theil 1950; Sen 1968).
 */
function gainOfNight(compute: Compute, paths: readonly string[], offset: Float32Array): number {
  const skies = paths.map((path) => {
    using _scratch = compute.scope()
    const { science, mask } = readFrame(compute, path)
    for (let i = 0; i < offset.length; i++) science.data[i] = science.data[i]! - offset[i]!
    const { globalLevelAdu: level, globalRmsAdu: rms } = measureBackground(compute, science, mask)
    return { level, variance: rms * rms }
  })
  const slopes = skies.flatMap((a, k) =>
    skies.slice(k + 1).flatMap((b) => {
      const rise = b.level - a.level
      return Math.abs(rise) < leastRiseAdu ? [] : [(b.variance - a.variance) / rise]
    }),
  )
  return 1 / median(slopes)
}

/** Skies nearer to each other than this say nothing. */
const leastRiseAdu = 5

function referenceOf(
  compute: Compute,
  indices: readonly number[],
  paths: readonly string[],
  calibrated: (path: string) => Frame,
  spill: string,
): Frame {
  if (indices.length === 1) return calibrated(paths[indices[0]!]!)
  const written = indices.map((index) => {
    using _scratch = compute.scope()
    const path = join(spill, `${index}.fits`)
    writeFileSync(path, encodeFrame(calibrated(paths[index]!)))
    return path
  })
  return buildReference(compute, written, { spillFolder: spill }).frame
}

function spread<T>(list: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => list[Math.round(((i + 0.5) * list.length) / count - 0.5)]!)
}

function isCovered({ data, width }: MaskPlane, x: number, y: number): boolean {
  return (data[Math.round(y) * width + Math.round(x)]! & MaskFlag.noData) === 0
}
