import type { FitsHeader } from '../frames/fits/header.ts'
import type { Side } from './fluxRatio.ts'
import type { PsfStar } from './psfStars.ts'
import { median } from './robust.ts'
import { fitStar } from './starFit.ts'

/** Electrons per ADU for the noise of sources, and how it was found. */
export interface GainEstimate {
  readonly electronsPerAdu: number
  readonly from: 'option' | 'header' | 'sky' | 'stars' | 'none'
}

/** EGAIN; GAIN is used only where a camera's setting cannot hide in it: between 0.05 and 20 and not a whole number. */
export function gainFromHeader(header: FitsHeader): number | undefined {
  const egain = header.number('EGAIN')
  if (egain !== undefined && egain > 0 && Number.isFinite(egain)) return egain
  const gain = header.number('GAIN')
  return gain !== undefined && gain > 0.05 && gain < 20 && !Number.isInteger(gain) ? gain : undefined
}

/**
 * Where no header says it. If the sky is not subtracted, level/rms² is an upper limit (read noise and bias lie in it too);
 * what stars leave of their PSF fit above the sky's noise gives a lower one, which covers the PSF's own errors. The smaller.
 */
export function estimateGain(
  side: Omit<Side, 'gainElectronsPerAdu'>,
  levelAdu: number,
  stars: readonly PsfStar[],
): GainEstimate {
  const { rmsAdu } = side
  const fromSky = levelAdu > 5 * rmsAdu ? levelAdu / (rmsAdu * rmsAdu) : Number.POSITIVE_INFINITY
  const fromStars = starGain(side, stars)
  if (fromStars !== undefined && fromStars < fromSky) return { electronsPerAdu: fromStars, from: 'stars' }
  if (Number.isFinite(fromSky)) return { electronsPerAdu: fromSky, from: 'sky' }
  return { electronsPerAdu: 1e9, from: 'none' }
}

/** Slope of (squared residual − sky variance) on the model's value within the cores of clean stars; median of the stars. */
function starGain(
  { plane, mask, psf, rmsAdu }: Omit<Side, 'gainElectronsPerAdu'>,
  stars: readonly PsfStar[],
): number | undefined {
  const radiusPixels = 0.8 * psf.fwhmPixels
  const slopes: number[] = []
  const floor = rmsAdu * rmsAdu
  for (const star of stars.slice(0, 80)) {
    const spline = psf.coreAt(star.x, star.y, 1.3 * psf.fwhmPixels)
    const variance = (x: number, y: number): number => (mask.data[y * mask.width + x] === 0 ? floor : 0)
    const fit = fitStar(plane, spline, star.x, star.y, { radiusPixels: 1.3 * psf.fwhmPixels, variance })
    if (!fit || fit.fluxAdu < 30 * fit.fluxErrorAdu) continue
    const half = (spline.size - 1) / 2
    const [cx, cy] = [Math.round(star.x), Math.round(star.y)]
    const reach = Math.ceil(radiusPixels)
    let [above, model] = [0, 0]
    for (let y = cy - reach; y <= cy + reach; y++) {
      for (let x = cx - reach; x <= cx + reach; x++) {
        if (Math.hypot(x - star.x, y - star.y) > radiusPixels) continue
        const value = fit.fluxAdu * spline.at(x - fit.x + half, y - fit.y + half)
        above += (plane.data[y * plane.width + x]! - value) ** 2 - floor
        model += value
      }
    }
    if (model > 0) slopes.push(above / model)
  }
  if (slopes.length < 3) return undefined
  const slope = median(slopes)
  return slope > 0 ? 1 / slope : undefined
}
