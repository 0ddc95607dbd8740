import type { Compute } from '../frames/compute.ts'
import { goodSize } from '../frames/fft.ts'
import type { Plane } from '../frames/plane.ts'
import type { Part, ZogyInput, ZogyTile } from './zogyInput.ts'
import { layTiles } from './zogyLayout.ts'

export interface ZogyResult {
  /** D / F_D, ADU of the science frame: a new source of flux f is f · P_D. */
  readonly difference: Plane
  readonly scorr: Plane
  readonly tiles: readonly ZogyTile[]
}

const defaultTilePixels = 344

/** Tiles in reading order; their inner parts cover the frame once. */
export function planTiles({ width, height }: { width: number; height: number }, most = defaultTilePixels): Part[] {
  const inner = (side: number): number => Math.ceil(side / Math.ceil(side / most) / 4) * 4
  const [stepX, stepY] = [inner(width), inner(height)]
  const parts: Part[] = []
  for (let y = 0; y < height; y += stepY) {
    for (let x = 0; x < width; x += stepX) {
      parts.push({ x, y, width: Math.min(stepX, width - x), height: Math.min(stepY, height - y) })
    }
  }
  return parts
}

/**
 * Proper image subtraction: Zackay, Ofek & Gal-Yam 2016 (ApJ 830, 27), with the paper's symbols. N is the science (new)
 * frame, R the reference on its grid, F_n = 1 and F_r the reference's counts for one count of N. D is eq. 13, P_D eq. 14, F_D
 * eq. 15, S the match of D with P_D, k_r and k_n eq. 28 and 29, V(S_n) and V(S_r) eq. 26 and 27 (source noise), V_ast eq. 30
 * to 33 (registration noise), S_corr eq. 25. A source that brightened in N is positive.
 * The frame is worked in overlapping tiles, each with the PSF and the noise of its middle; a tile is one thread's work
 * (kernels/assembly/zogy.ts).
 * Allocates its two planes from `compute`, and gives back its scratch: some MiB for each thread, whatever the frame's size.
 * Throws `compute/memory`.
 */
export function subtract(compute: Compute, input: ZogyInput): ZogyResult {
  const { width, height } = input.science
  const difference = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const scorr = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  using _scratch = compute.scope()
  const parts = planTiles(input.science, input.tilePixels)
  const largest = Math.max(...parts.map((part) => Math.max(part.width, part.height)))
  const job = layTiles(compute, input, { difference, scorr }, parts, (border) => goodSize(largest + 2 * border))
  compute.rows('zogyTiles', parts.length, [job.pointer])
  return { difference, scorr, tiles: parts.map((part, index) => ({ ...part, ...job.tile(index) })) }
}

/**
 * Error of the flux S / F_S at a pixel where S_corr is not near 0, ADU: S is D matched with P_D (eq. 16), and σ(S) is S / S_corr
 * (eq. 25), so no plane of errors is kept. Follows `scorr` when that was rescaled; never far below what the sky alone gives.
 */
export function fluxErrorAt({ difference, scorr }: ZogyResult, tile: ZogyTile, x: number, y: number): number {
  const { flux, square } = matched(difference, tile, x, y)
  const ofSky = tile.sigmaAdu / Math.sqrt(square)
  return Math.max(0.7 * ofSky, flux / scorr.data[y * scorr.width + x]!)
}

/** S / F_S: flux of a point source in the middle of a pixel, ADU. */
export function fluxAt(difference: Plane, tile: ZogyTile, x: number, y: number): number {
  return matched(difference, tile, x, y).flux
}

/** Σ D P_D / Σ P_D², and Σ P_D². */
function matched(difference: Plane, { psf }: ZogyTile, x: number, y: number): { flux: number; square: number } {
  const size = Math.round(Math.sqrt(psf.length))
  const half = (size - 1) / 2
  let [sum, square] = [0, 0]
  for (let k = 0; k < psf.length; k++) {
    const [u, v] = [x - half + (k % size), y - half + Math.floor(k / size)]
    square += psf[k]! * psf[k]!
    if (u < 0 || v < 0 || u >= difference.width || v >= difference.height) continue
    sum += psf[k]! * difference.data[v * difference.width + u]!
  }
  return { flux: sum / square, square }
}
