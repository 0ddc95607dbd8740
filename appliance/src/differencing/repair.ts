import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { PsfModel } from './psf.ts'
import { fitStar } from './starFit.ts'

/**
 * Saturated stars before the Fourier transform: pixels that are saturated in either frame are replaced in both by the PSF
 * fitted to the unsaturated ring around them, so that no hole rings through the filters. Filling with anything else leaves
 * up to ten times as many bad pixels around such stars.
 */
export interface Blob {
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly pixels: readonly number[]
}

const full = MaskFlag.saturated | MaskFlag.bloom

/** Connected pixels that are saturated in either mask, grown by one pixel. */
export function saturatedBlobs(one: MaskPlane, other: MaskPlane): Blob[] {
  const { width, height } = one
  const hit = (i: number): boolean => ((one.data[i]! | other.data[i]!) & full) !== 0
  const seen = new Uint8Array(width * height)
  const blobs: Blob[] = []
  for (let i = 0; i < seen.length; i++) {
    if (seen[i] || !hit(i)) continue
    const pixels = flood(i, width, height, seen, hit)
    blobs.push(blobOf(pixels, width))
  }
  return blobs
}

function flood(
  start: number,
  width: number,
  height: number,
  seen: Uint8Array,
  hit: (index: number) => boolean,
): number[] {
  const stack = [start]
  const pixels: number[] = []
  seen[start] = 1
  while (stack.length > 0) {
    const index = stack.pop()!
    pixels.push(index)
    if (!hit(index)) continue
    const [x, y] = [index % width, Math.floor(index / width)]
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        const next = v * width + u
        if (seen[next]) continue
        seen[next] = 1
        stack.push(next)
      }
    }
  }
  return pixels
}

function blobOf(pixels: readonly number[], width: number): Blob {
  const x = pixels.reduce((sum, i) => sum + (i % width), 0) / pixels.length
  const y = pixels.reduce((sum, i) => sum + Math.floor(i / width), 0) / pixels.length
  const radius = pixels.reduce((most, i) => Math.max(most, Math.hypot((i % width) - x, Math.floor(i / width) - y)), 0)
  return { x, y, radius, pixels }
}

/** Replaces the blobs' pixels in `plane` (in place); returns how many blobs a PSF could be fitted to. The rest become 0. */
export function replaceSaturated(
  plane: Plane,
  mask: MaskPlane,
  blobs: readonly Blob[],
  psf: PsfModel,
  rmsAdu: number,
): number {
  let fitted = 0
  const half = (psf.size - 1) / 2
  for (const blob of blobs) {
    const spline = psf.splineAt(blob.x, blob.y)
    const own = new Set(blob.pixels)
    const fit =
      blob.radius < half - 2
        ? fitStar(plane, spline, blob.x, blob.y, {
            radiusPixels: Math.min(half, blob.radius + 1.5 * psf.fwhmPixels),
            maximumMovePixels: 2,
            variance: (x, y, signal) => {
              const at = y * plane.width + x
              return own.has(at) || mask.data[at] !== 0 ? 0 : rmsAdu * rmsAdu + (0.05 * signal) ** 2
            },
          })
        : undefined
    if (fit && fit.fluxAdu > 0) fitted++
    paint(plane, blob, fit, spline, psf.size)
  }
  return fitted
}

function paint(
  plane: Plane,
  blob: Blob,
  fit: { x: number; y: number; fluxAdu: number } | undefined,
  spline: ReturnType<PsfModel['splineAt']>,
  size: number,
): void {
  const half = (size - 1) / 2
  for (const index of blob.pixels) {
    const [x, y] = [index % plane.width, Math.floor(index / plane.width)]
    const at = fit && [x - fit.x + half, y - fit.y + half]
    const inside = at && at[0]! >= 0 && at[1]! >= 0 && at[0]! <= size - 1 && at[1]! <= size - 1
    plane.data[index] = fit && inside && fit.fluxAdu > 0 ? fit.fluxAdu * spline.at(at[0]!, at[1]!) : 0
  }
}

/** Sets both planes to 0 where either has no data, and marks it in `mask` (in place). */
export function dropMissing(science: Plane, reference: Plane, scienceMask: MaskPlane, referenceMask: MaskPlane): void {
  for (let i = 0; i < scienceMask.data.length; i++) {
    if (((scienceMask.data[i]! | referenceMask.data[i]!) & MaskFlag.noData) === 0) continue
    science.data[i] = 0
    reference.data[i] = 0
  }
}
