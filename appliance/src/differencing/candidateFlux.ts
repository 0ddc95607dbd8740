import type { ZogyTile } from './zogyInput.ts'

/** What a candidate's flux and its error take besides the fit of a tile's P_D to D. */
export interface FluxModel {
  /** PSF of the science frame at a place: square, sum 1. */
  readonly stampAt: (x: number, y: number) => Float64Array
  /** Noise of S_corr over the modelled one, where S_corr itself was left as it was. */
  readonly noiseScale: number
  /** Error of the PSF as a share of a flux, as the stars of both frames show it. */
  readonly psfError: number
}

type Place = { readonly x: number; readonly y: number }
type TilePlace = Pick<ZogyTile, 'x' | 'y' | 'width' | 'height'>

/**
 * A source in a tile is fitted with the P_D of the tile's middle, where its own PSF is P and not P₀: the fit finds
 * Σ P P₀ / Σ P₀² of its flux, half a percent more or less near a tile's edge where the PSF varies by a twentieth over the
 * frame. The inverse of that; D's filter is the same for both, and hardly changes the quotient.
 */
export function placeFactor({ stampAt }: FluxModel, tile: TilePlace, place: Place, radiusPixels: number): number {
  const fitted = stampAt(tile.x + tile.width / 2, tile.y + tile.height / 2)
  const own = stampAt(place.x, place.y)
  const size = Math.round(Math.sqrt(own.length))
  const half = (size - 1) / 2
  let square = 0
  let product = 0
  for (let k = 0; k < own.length; k++) {
    if (Math.hypot((k % size) - half, Math.floor(k / size) - half) > radiusPixels) continue
    square += fitted[k]! * fitted[k]!
    product += fitted[k]! * own[k]!
  }
  return product > 0 ? square / product : 1
}
