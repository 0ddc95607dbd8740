import type { Compute } from '../frames/compute.ts'
import { createMesh, type Mesh } from '../frames/mesh.ts'
import { median } from './robust.ts'
import type { ZogyTile } from './zogyInput.ts'

const quartile = 0.6744898

/** Φ: the share of a normal distribution below `z` (Abramowitz & Stegun 1964, 26.2.17; right to 7.5e-8). */
export function normalShareBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z))
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const tail = 0.3989422804014327 * Math.exp(-0.5 * z * z) * series
  return z > 0 ? 1 - tail : tail
}

/** The value of a rising function is `wanted` at the result; between `low` and `high`, to a millionth of their distance. */
function solveRising(rising: (at: number) => number, wanted: number, low: number, high: number): number {
  let [left, right] = [low, high]
  for (let k = 0; k < 20; k++) {
    const middle = (left + right) / 2
    if (rising(middle) < wanted) left = middle
    else right = middle
  }
  return (left + right) / 2
}

/**
 * Standard deviation of the noise in a tile's S_corr, whatever its median, from the shares of its pixels below 0 and within
 * 0.6745 of 0; undefined where the shares are not those of noise about 0 (a tile without data).
 */
export function noiseOfTile({
  negativeShare,
  withinShare,
}: Pick<ZogyTile, 'negativeShare' | 'withinShare'>): number | undefined {
  if (!(negativeShare > 0.1 && negativeShare < 0.9 && withinShare > 0.05 && withinShare < 0.95)) return undefined
  // Median in units of the standard deviation.
  const offset = -solveRising(normalShareBelow, negativeShare, -3, 3)
  const within = (inverse: number): number =>
    normalShareBelow(quartile * inverse - offset) - normalShareBelow(-quartile * inverse - offset)
  return 1 / solveRising(within, withinShare, 0.1, 10)
}

/** The middle of the tiles' noise; 1 when none shows any. */
export function noiseOfTiles(tiles: readonly Pick<ZogyTile, 'negativeShare' | 'withinShare'>[]): number {
  const known = tiles.map(noiseOfTile).filter((value) => value !== undefined)
  return known.length > 0 ? median(known) : 1
}

/** The mesh times `factor`. */
export function scaledMesh(compute: Compute, mesh: Mesh, factor: number): Mesh {
  return createMesh(
    compute,
    mesh,
    Float32Array.from(mesh.data, (value) => factor * value),
  )
}
