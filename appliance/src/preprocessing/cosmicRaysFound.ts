import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import type { PixelArray, Plane } from '../frames/plane.ts'
import { measureBackground } from './background.ts'
import { type CosmicRayResult, cosmicRays } from './cosmicRays.ts'
import { typicalOf } from './photometry.ts'
import { measureStars } from './stars.ts'

/** Side of the part in the middle of a frame whose stars say how wide the frame's stars are. */
const partSide = 768

/**
 * Marks the cosmic rays of a calibrated frame, judged by the width of its own stars; `usualFwhmPixels` where it shows none.
 * Nothing is marked without a variance plane: noise that is not known cannot be told from cosmic rays.
 */
export function markCosmicRays(compute: Compute, frame: Frame, usualFwhmPixels?: number): CosmicRayResult {
  if (!frame.variance) return { frame, hits: 0, events: 0 }
  return cosmicRays(compute, frame, { fwhmPixels: partFwhm(compute, frame) ?? usualFwhmPixels })
}

/** Median FWHM of the clean stars in the middle of the frame. */
function partFwhm(compute: Compute, { science, mask, width, height }: Frame): number | undefined {
  using _scratch = compute.scope()
  const [w, h] = [Math.min(width, partSide), Math.min(height, partSide)]
  const [x, y] = [(width - w) >> 1, (height - h) >> 1]
  const pixels = compute.view(Float32Array, compute.allocate(w * h * 4), w, h)
  const flags = compute.view(Uint16Array, compute.allocate(w * h * 2), w, h)
  copyPart(science, pixels, x, y)
  copyPart(mask, flags, x, y)
  const stars = measureStars(compute, pixels, flags, measureBackground(compute, pixels, flags))
  return typicalOf(stars, (star) => star.fwhmPixels)
}

function copyPart(from: Plane<PixelArray>, to: Plane<PixelArray>, x: number, y: number): void {
  for (let row = 0; row < to.height; row++) {
    const start = (y + row) * from.width + x
    to.data.set(from.data.subarray(start, start + to.width), row * to.width)
  }
}

/** Particles a second of exposure; undefined when the header does not say how long that was. */
export function eventsPerSecond({ frame, events }: CosmicRayResult): number | undefined {
  const seconds = frame.header.number('EXPTIME') ?? frame.header.number('EXPOSURE')
  return seconds !== undefined && seconds > 0 ? events / seconds : undefined
}
