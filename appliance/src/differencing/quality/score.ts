import { MaskFlag } from '../../frames/mask.ts'
import type { MaskPlane, Plane } from '../../frames/plane.ts'
import type { TrueTransient } from '../testScene.ts'

/**
 * How good a map of S_corr is, against known transients: candidates are 8-connected regions above 2.5 sigma with a peak
 * above a threshold; those within 10 px of a saturated pixel or 30 px of the border are left out for every method. A
 * transient is found when a peak lies within 2.5 px; a peak further than 10 px from all transients is a false positive.
 */
export interface Peak {
  readonly x: number
  readonly y: number
  /** S_corr there; negative for a region of the other sign. */
  readonly peak: number
}

export interface ScoredFrame {
  readonly peaks: readonly Peak[]
  readonly transients: readonly TrueTransient[]
  readonly megapixels: number
  /** S_corr of pixels 5 to 10 px from saturation: how many, and how many beyond ±5. */
  readonly ring: { readonly pixels: number; readonly loud: number }
  /** 1.4826 × the median absolute deviation of S_corr. */
  readonly sigma: number
  readonly median: number
}

const floorSigma = 2.5
const leastPeak = 3.5
const edgePixels = 30
const saturatedZonePixels = 10
const foundWithinPixels = 2.5
const falseBeyondPixels = 10

export function scoreFrame(scorr: Plane, mask: MaskPlane, transients: readonly TrueTransient[]): ScoredFrame {
  const distance = distanceToSaturation(mask)
  const ring = { pixels: 0, loud: 0 }
  for (let i = 0; i < distance.length; i++) {
    if (distance[i]! <= 5 || distance[i]! > 10) continue
    ring.pixels++
    if (Math.abs(scorr.data[i]!) > 5) ring.loud++
  }
  const peaks = [...regionPeaks(scorr, 1, distance), ...regionPeaks(scorr, -1, distance)]
  return {
    peaks,
    transients,
    megapixels: (scorr.width * scorr.height) / 1e6,
    ring,
    ...spreadOf(scorr.data, distance),
  }
}

/** Distance in pixels to the nearest saturated one, exact up to 12 and 13 beyond. */
function distanceToSaturation({ data, width, height }: MaskPlane): Float32Array {
  const out = new Float32Array(data.length).fill(13)
  for (let i = 0; i < data.length; i++) {
    if ((data[i]! & (MaskFlag.saturated | MaskFlag.bloom)) === 0) continue
    const [x, y] = [i % width, Math.floor(i / width)]
    for (let v = Math.max(0, y - 12); v <= Math.min(height - 1, y + 12); v++) {
      for (let u = Math.max(0, x - 12); u <= Math.min(width - 1, x + 12); u++) {
        const at = v * width + u
        const d = Math.hypot(u - x, v - y)
        if (d < out[at]!) out[at] = d
      }
    }
  }
  return out
}

function regionPeaks(scorr: Plane, sign: 1 | -1, saturation: Float32Array): Peak[] {
  const { width, height, data } = scorr
  const done = new Uint8Array(data.length)
  const peaks: Peak[] = []
  for (let i = 0; i < data.length; i++) {
    if (done[i] || !(sign * data[i]! > leastPeak)) continue
    const { best, clean } = grow(i)
    const [x, y] = [best % width, Math.floor(best / width)]
    const inside = x >= edgePixels && y >= edgePixels && x < width - edgePixels && y < height - edgePixels
    if (clean && inside) peaks.push({ x, y, peak: data[best]! })
  }
  return peaks

  function grow(start: number): { best: number; clean: boolean } {
    const stack = [start]
    done[start] = 1
    let best = start
    let clean = true
    while (stack.length > 0) {
      const index = stack.pop()!
      if (saturation[index]! <= saturatedZonePixels) clean = false
      if (sign * data[index]! > sign * data[best]!) best = index
      const [x, y] = [index % width, Math.floor(index / width)]
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const next = v * width + u
          if (done[next] || !(sign * data[next]! > floorSigma)) continue
          done[next] = 1
          stack.push(next)
        }
      }
    }
    return { best, clean }
  }
}

function spreadOf(data: Float32Array, saturation: Float32Array): { median: number; sigma: number } {
  const good = data.filter((_, i) => saturation[i]! > saturatedZonePixels).sort()
  const median = good[good.length >> 1] ?? Number.NaN
  const deviations = good.map((value) => Math.abs(value - median)).sort()
  return { median, sigma: 1.4826 * (deviations[deviations.length >> 1] ?? Number.NaN) }
}

const near = (peak: Peak, { x, y }: TrueTransient, within: number): boolean =>
  Math.hypot(peak.x - x, peak.y - y) < within

/** Peaks above `threshold` (of the sign of `sign`) that belong to no transient, per megapixel. */
export function falsePerMpix(frames: readonly ScoredFrame[], threshold: number, sign: 1 | -1 = 1): number {
  let [count, area] = [0, 0]
  for (const frame of frames) {
    count += falsePeaks(frame, threshold, sign).length
    area += frame.megapixels
  }
  return count / area
}

export function falsePeaks(frame: ScoredFrame, threshold: number, sign: 1 | -1 = 1): readonly Peak[] {
  return frame.peaks.filter(
    (peak) => sign * peak.peak > threshold && !frame.transients.some((t) => near(peak, t, falseBeyondPixels)),
  )
}

function isFound(frame: ScoredFrame, transient: TrueTransient, threshold: number): boolean {
  return frame.peaks.some((peak) => peak.peak > threshold && near(peak, transient, foundWithinPixels))
}

/** Share of the transients of nominal S/N `snr` that were found. */
export function completeness(frames: readonly ScoredFrame[], snr: number, threshold: number): number {
  let [found, all] = [0, 0]
  for (const frame of frames) {
    for (const transient of frame.transients) {
      if (transient.snr !== snr) continue
      all++
      if (isFound(frame, transient, threshold)) found++
    }
  }
  return found / all
}

const snrs = [3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50] as const

/** Nominal S/N at which half are found, linear between the injected ones. */
export function halfComplete(frames: readonly ScoredFrame[], threshold: number): number {
  let [lastSnr, last] = [0, 0]
  for (const snr of snrs) {
    const share = completeness(frames, snr, threshold)
    if (share >= 0.5) return lastSnr + ((0.5 - last) / (share - last)) * (snr - lastSnr)
    ;[lastSnr, last] = [snr, share]
  }
  return Number.POSITIVE_INFINITY
}

/** The threshold that leaves at most `perMpix` false positives; at least 3.5. */
export function thresholdFor(frames: readonly ScoredFrame[], perMpix: number): number {
  const area = frames.reduce((sum, frame) => sum + frame.megapixels, 0)
  const peaks = frames.flatMap((frame) => falsePeaks(frame, leastPeak).map(({ peak }) => peak)).sort((a, b) => b - a)
  return peaks[Math.floor(perMpix * area)] ?? leastPeak
}
