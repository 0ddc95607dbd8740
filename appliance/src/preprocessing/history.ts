import type { FrameRecord } from '../contract/records.ts'
import type { Expected } from './grade.ts'

/** Good frames that say what is usual, newest first; fewer than `leastGood` say nothing. */
const mostGood = 20
const leastGood = 3
/** Frames looked through for them. */
export const historyLimit = 200

type Told = Pick<FrameRecord, 'frameId' | 'filter' | 'width' | 'height' | 'exposureSeconds' | 'quality'>

/**
 * What the last good frames of `frame`'s field showed, with its filter, size and exposure time; `earlier` are frames of the
 * field, newest first. Medians, so that one odd frame does not move the limits. Undefined when there are too few.
 */
export function expectedOf(frame: Told, earlier: readonly Told[]): Expected | undefined {
  const good = earlier
    .filter((other) => other.frameId !== frame.frameId && alike(other, frame) && other.quality?.grade === 'good')
    .slice(0, mostGood)
    .map((other) => other.quality!)
  if (good.length < leastGood) return undefined
  const zeroPoints = good.flatMap((quality) => quality.zeroPointMag ?? [])
  return {
    fwhmPixels: median(good.map((quality) => quality.fwhmPixels)),
    stars: median(good.map((quality) => quality.stars)),
    skyAdu: median(good.map((quality) => quality.skyAdu)),
    ...(zeroPoints.length >= leastGood && { zeroPointMag: median(zeroPoints) }),
  }
}

/** Exposure times within a tenth: the zero point and the number of stars go with them. */
function alike(a: Told, b: Told): boolean {
  const sameSize = a.width === b.width && a.height === b.height
  return a.filter === b.filter && sameSize && Math.abs(a.exposureSeconds / b.exposureSeconds - 1) < 0.1
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
