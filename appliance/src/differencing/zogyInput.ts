import type { Mesh } from '../frames/mesh.ts'
import type { Plane } from '../frames/plane.ts'

/** What ZOGY (zogy.ts) works on. */
export interface ZogyInput {
  /** Background-subtracted, without unusable pixels (missing ones are 0 in both); ADU. */
  readonly science: Plane
  readonly reference: Plane
  /** Background noise, ADU. */
  readonly scienceRms: Mesh
  readonly referenceRms: Mesh
  /** Electrons for one ADU, for the noise of sources; Infinity: they add none. */
  readonly scienceGain: number
  readonly referenceGain: number
  /** Stamp of `psfSize` × `psfSize`, centred, sum 1, for a place in the frame. */
  readonly sciencePsf: (x: number, y: number) => Float64Array
  readonly referencePsf: (x: number, y: number) => Float64Array
  /** Odd. */
  readonly psfSize: number
  /** Both PSFs are the same everywhere: they are asked for once. */
  readonly constantPsf: boolean
  /** F_r / F_n. */
  readonly fluxRatio: number
  /** Standard deviation of the registration along x and y, pixels. */
  readonly astrometricNoise: readonly [number, number]
  /** Error of the flux ratio and of the PSFs, as a share of what the reference shows; 0. */
  readonly relativeError?: number
  /** The rms of both skies is exact; else it is measured in a few tiles. */
  readonly skyKnown?: boolean
  /** Largest inner side of a tile; 256. */
  readonly tilePixels?: number
}

/** Where a tile's inner part lies in the frame, pixels. */
export interface Part {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface ZogyTile extends Part {
  /** P_D: `psfSize` × `psfSize`, centred. */
  readonly psf: Float64Array
  /** Background noise of a pixel of the difference, ADU. */
  readonly sigmaAdu: number
  /** Share of the pixels with S_corr below 0: half, where the sky was taken off well. */
  readonly negativeShare: number
  /** Share of the pixels with |S_corr| < 0.6745: half, where the noise is Gaussian and its model right. */
  readonly withinShare: number
}
