import type { MaskPlane, Plane } from '../frames/plane.ts'
import { medianInPlace } from './robust.ts'

/**
 * So many pixels, evenly spread, tell the noise of a plane to half a percent (a MAD of n values is known to 1.17/√n). All pixels of
 * 2048² tell little more where neighbours are alike, as in S_corr: 35 of them are worth one.
 */
const sampledPixels = 65_536

/** Median and 1.4826 × MAD of the pixels that are numbers and whose mask is 0; NaN without any. */
export function noiseOf(plane: Plane, mask: MaskPlane): { readonly median: number; readonly sigma: number } {
  const { data } = plane
  // An odd step does not fall into step with the columns of a plane whose width is a power of two.
  const step = Math.floor(data.length / sampledPixels) | 1
  const values = new Float32Array(Math.ceil(data.length / step))
  let count = 0
  for (let at = 0; at < data.length; at += step) {
    if (mask.data[at] === 0 && !Number.isNaN(data[at])) values[count++] = data[at]!
  }
  const median = medianInPlace(values, count)
  for (let k = 0; k < count; k++) values[k] = Math.abs(values[k]! - median)
  return { median, sigma: 1.4826 * medianInPlace(values, count) }
}
