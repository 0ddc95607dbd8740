import type { Compute } from '../frames/compute.ts'
import { subtractSpline } from '../frames/mesh.ts'
import { pixelToSky, skyToPixel, type Wcs } from '../frames/wcs.ts'
import { type Background, measureBackground } from '../preprocessing/background.ts'
import { meshFor } from '../preprocessing/measuredFrame.ts'
import type { Prepared } from './prepare.ts'
import type { FrameSize, Registration } from './register.ts'
import { fitTransform, invertAt, jacobian, type PixelTransform } from './transform.ts'
import { warp } from './warp.ts'

/** A prepared frame on the science grid; its stars are in science pixels. */
export type Aligned = Omit<Prepared, 'fwhmPixels' | 'wcs'>

/** Resamples the prepared reference onto a grid of `size`, with its sky taken off once more and its noise measured anew. */
export function alignReference(
  compute: Compute,
  reference: Prepared,
  { transform }: Pick<Registration, 'transform'>,
  size: FrameSize,
): Aligned {
  const source = { science: reference.plane, mask: reference.mask, variance: undefined }
  const warped = warp(compute, source, transform, size)
  const meshPixels = meshFor(size)
  // What is left of the sky is taken off, and the noise is measured anew.
  const background = measureBackground(compute, warped.science, warped.mask, { meshPixels })
  subtractSpline(compute, background.level, warped.science, warped.science)
  const rmsAdu = restoreNoise(background, reference.rmsAdu * Math.sqrt(areaOf(transform, size)))
  const stars = reference.stars.map((star) => {
    const [x, y] = invertAt(transform, star.x, star.y)
    return { ...star, x, y }
  })
  const inside = stars.filter((star) => star.x > -1 && star.y > -1 && star.x < size.width && star.y < size.height)
  return {
    plane: warped.science,
    mask: warped.mask,
    rms: background.rms,
    rmsAdu,
    stars: inside,
    levelAdu: reference.levelAdu,
    gainElectronsPerAdu: reference.gainElectronsPerAdu,
  }
}

/**
 * Resampling takes noise from the highest frequencies only, which the PSFs do not pass: what a matched filter sees is still
 * the noise before. Raises the map to `wholeAdu`, by at most half; returns the typical noise.
 */
function restoreNoise(background: Background, wholeAdu: number): number {
  const factor = Math.max(1, Math.min(1.5, wholeAdu / background.globalRmsAdu))
  const { data } = background.rms
  for (let i = 0; i < data.length; i++) data[i]! *= factor
  return factor * background.globalRmsAdu
}

/** Reference pixels on one science pixel, in the middle of the frame. */
function areaOf(transform: PixelTransform, { width, height }: FrameSize): number {
  const [a, b, c, d] = jacobian(transform, width / 2, height / 2)
  return Math.abs(a * d - b * c)
}

/** Science to reference pixels through the sky, for a science frame of `size`. */
export function hintFromWcs(from: Wcs, to: Wcs, size: FrameSize): PixelTransform | undefined {
  const pairs = []
  for (let j = 0; j <= 6; j++) {
    for (let i = 0; i <= 6; i++) {
      const [x, y] = [(i / 6) * (size.width - 1), (j / 6) * (size.height - 1)]
      const sky = pixelToSky(from, x, y)
      const pixel = skyToPixel(to, sky.raDeg, sky.decDeg)
      if (pixel) pairs.push({ fromX: x, fromY: y, toX: pixel.x, toY: pixel.y, weight: 1 })
    }
  }
  return fitTransform(pairs, 3) ?? fitTransform(pairs, 1)
}
