import type { StampSpline } from './spline.ts'

/** What a candidate's flux and its error take besides the fit of a tile's P_D to D. */
export interface FluxModel {
  /** PSF of the science frame at a place: square, sum 1. */
  readonly stampAt: (x: number, y: number) => Float64Array
  /** The same between the pixels, right at most `reach` from its middle. */
  readonly coreAt: (x: number, y: number, reach: number) => StampSpline
  /** Noise of S_corr over the modelled one, where S_corr itself was left as it was. */
  readonly noiseScale: number
  /** Error of the PSF as a share of a flux, as the stars of both frames show it. */
  readonly psfError: number
}

/**
 * A source is fitted with the P_D of its tile's middle, moved between the pixels by a spline through their values. Its own PSF
 * is P and not this P₀: the fit finds Σ P P₀ / Σ P₀² of its flux. That is half a percent more or less near a tile's edge where
 * the PSF varies by a twentieth over the frame, and several percent less between the pixels of undersampled frames. The
 * inverse of it; D's filter is the same for both, and hardly changes the quotient.
 */
export function placeFactor(
  own: StampSpline,
  fitted: StampSpline,
  place: { readonly x: number; readonly y: number },
  radiusPixels: number,
): number {
  const reach = Math.ceil(radiusPixels)
  const [dx, dy] = [place.x - Math.round(place.x), place.y - Math.round(place.y)]
  const [p, p0] = [own.window(dx, dy, reach).value, fitted.window(dx, dy, reach).value]
  const side = 2 * reach + 1
  let square = 0
  let product = 0
  for (let k = 0; k < p.length; k++) {
    if (Math.hypot((k % side) - reach, Math.floor(k / side) - reach) > radiusPixels) continue
    square += p0[k]! * p0[k]!
    product += p0[k]! * p[k]!
  }
  return product > 0 ? square / product : 1
}
