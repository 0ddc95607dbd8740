import type { FrameRecord } from '../contract/records.ts'

/**
 * Which frames make a field's reference, and when a new one is worth its name. Figures come from the frames' quality alone,
 * so the question costs nothing and the answer is the same after a crash.
 */
export interface Choice {
  readonly frames: readonly FrameRecord[]
  /** Depth for point sources, relative: 1 over the noise within a star. Only figures of one field and filter compare. */
  readonly depth: number
  /** Weighted mean of the frames'. */
  readonly fwhmPixels: number
}

/** What a reference in use is remembered by. */
export interface CurrentReference {
  readonly depth: number
  readonly fwhmPixels: number
}

/** A stack may grow to so many times the frames that were asked for. */
const mostGrowth = 3
/** A frame this much wider than the sharpest quarter only blurs the stack. */
const widestFwhm = 1.3
/** A new version is this much deeper, or this much sharper and no shallower than `leastDepth` of the old. */
const deeperBy = 1.2
const sharperBy = 0.9
const leastDepth = 0.9

/** Frames that may be in a reference: calibrated, graded good and solved. */
export function isMaterial(frame: FrameRecord, filter: string): boolean {
  const { quality } = frame
  return (
    frame.filter === filter &&
    frame.calibratedPath !== undefined &&
    quality?.grade === 'good' &&
    quality.solved &&
    quality.fwhmPixels > 0 &&
    quality.skyRmsAdu > 0
  )
}

/**
 * The best of `material` for a reference: sharp frames, the deepest first, at most three times `wanted`, in the order of
 * their time. Undefined when there are fewer than `wanted` sharp ones.
 */
export function chooseFrames(
  material: readonly FrameRecord[],
  wanted: number,
  most = mostGrowth * wanted,
): Choice | undefined {
  const widths = material.map(widthOf).sort((a, b) => a - b)
  const sharp = widths[Math.floor((widths.length - 1) / 4)] ?? 0
  const kept = material.filter((frame) => widthOf(frame) <= widestFwhm * sharp)
  if (kept.length < wanted) return undefined
  const byMagnitude = kept.every((frame) => frame.quality?.limitingMag !== undefined)
  const weight = (frame: FrameRecord): number => weightOf(frame, byMagnitude)
  const best = [...kept]
    .sort((a, b) => weight(b) - weight(a) || a.capturedAtMs - b.capturedAtMs || (a.frameId < b.frameId ? -1 : 1))
    .slice(0, most)
  const total = best.reduce((sum, frame) => sum + weight(frame), 0)
  return {
    frames: best.sort((a, b) => a.capturedAtMs - b.capturedAtMs || (a.frameId < b.frameId ? -1 : 1)),
    depth: Math.sqrt(total),
    fwhmPixels: best.reduce((sum, frame) => sum + weight(frame) * widthOf(frame), 0) / total,
  }
}

/**
 * Why `choice` should replace the reference in use, or undefined. Each version is a fifth deeper or a tenth sharper than
 * the last, so small changes of the weather never bring one about and the number of versions stays small.
 */
export function whyReplace(choice: Choice, current: CurrentReference): string | undefined {
  const deeper = choice.depth / current.depth
  const wider = choice.fwhmPixels / current.fwhmPixels
  if (deeper >= deeperBy && wider <= 1 / sharperBy) return `${percent(deeper - 1)} deeper`
  if (wider <= sharperBy && deeper >= leastDepth) return `${percent(1 - wider)} sharper`
  return undefined
}

const percent = (share: number): string => `${Math.round(100 * share)} %`

function widthOf({ quality }: FrameRecord): number {
  return quality?.fwhmPixels ?? Number.POSITIVE_INFINITY
}

/** 1/variance of a point source's flux: from the limiting magnitude, else from the sky's noise within a star. */
function weightOf({ quality }: FrameRecord, byMagnitude: boolean): number {
  if (!quality) return 0
  if (byMagnitude) return 10 ** (0.8 * ((quality.limitingMag ?? 0) - 20))
  return 1 / (quality.skyRmsAdu * quality.fwhmPixels) ** 2
}
