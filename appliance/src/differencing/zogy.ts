import type { Compute } from '../frames/compute.ts'
import { goodSize } from '../frames/fft.ts'
import type { Plane } from '../frames/plane.ts'
import type { Part, ZogyInput, ZogyTile } from './zogyInput.ts'
import { layTiles } from './zogyLayout.ts'
import { noiseOfTiles, scaledMesh } from './zogyNoise.ts'

export interface ZogyResult {
  /** D / F_D, ADU of the science frame: a new source of flux f is f · P_D. */
  readonly difference: Plane
  readonly scorr: Plane
  readonly tiles: readonly ZogyTile[]
  /** The rms of both skies was multiplied by this: a few tiles showed it to be off. */
  readonly skyScale: number
}

/** The PSF of a tile's middle serves for all of it: with 344 px, bright stars near the edges of tiles are 2 sigma wide. */
const defaultTilePixels = 256

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
  const out = { difference, scorr }
  const few = input.skyKnown ? [] : spread(parts, sampledTiles)
  const tried = runTiles(compute, input, out, parts, few)
  const skyScale = input.skyKnown ? 1 : measuredScale(tried)
  // What was tried stands where the noise was as stated.
  const done = new Map(skyScale === 1 ? few.map((part, k) => [part, tried[k]!] as const) : [])
  const left = parts.filter((part) => !done.has(part))
  const others = runTiles(compute, withSky(compute, input, skyScale), out, parts, left)
  left.forEach((part, k) => {
    done.set(part, others[k]!)
  })
  return { ...out, tiles: parts.map((part) => done.get(part)!), skyScale }
}

/** So many tiles are worked first, to learn whether the noise is as stated. */
const sampledTiles = 6
/** Noise of S_corr is believed to be 1 when it is so near, or when the tiles have too few pixels to tell. */
const trustedNoise = 0.02

function measuredScale(tiles: readonly ZogyTile[]): number {
  const pixels = tiles.reduce((sum, { width, height }) => sum + width * height, 0)
  // A MAD of n values is known to 1.17/√n; S_corr is smooth over some 35 pixels.
  const error = 1.17 / Math.sqrt(pixels / 35)
  const noise = noiseOfTiles(tiles)
  return Math.abs(noise - 1) > Math.max(trustedNoise, 2 * error) ? noise : 1
}

/** At most `count` of a list, at even steps. */
function spread<T>(list: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, list.length / count)
  return Array.from({ length: Math.min(count, list.length) }, (_, k) => list[Math.floor((k + 0.5) * step)]!)
}

/**
 * Where stars crowd, a sky's rms holds the light of those too faint to see, which both frames share. Dividing S_corr by what
 * comes out would shrink the noise of the sources too, which is known: each bright star would be a candidate.
 */
function withSky(compute: Compute, input: ZogyInput, scale: number): ZogyInput {
  if (scale === 1) return input
  const { scienceRms, referenceRms } = input
  return {
    ...input,
    scienceRms: scaledMesh(compute, scienceRms, scale),
    referenceRms: scaledMesh(compute, referenceRms, scale),
  }
}

/** Works some of the frame's tiles. */
function runTiles(
  compute: Compute,
  input: ZogyInput,
  out: Pick<ZogyResult, 'difference' | 'scorr'>,
  all: readonly Part[],
  parts: readonly Part[],
): readonly ZogyTile[] {
  if (parts.length === 0) return []
  using _scratch = compute.scope()
  const largest = Math.max(...all.map((part) => Math.max(part.width, part.height)))
  const job = layTiles(compute, input, out, parts, (border) => goodSize(largest + 2 * border))
  compute.rows('zogyTiles', parts.length, [job.pointer])
  return parts.map((part, index) => ({ ...part, ...job.tile(index) }))
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
  const { width, height, data } = difference
  let sum = 0
  let square = 0
  for (let j = 0, k = 0; j < size; j++) {
    const v = y - half + j
    const row = v >= 0 && v < height ? v * width : -1
    for (let u = x - half; u <= x + half; u++, k++) {
      const p = psf[k]!
      square += p * p
      if (row >= 0 && u >= 0 && u < width) sum += p * data[row + u]!
    }
  }
  return { flux: sum / square, square }
}
