import type { Compute } from '../frames/compute.ts'
import { type FftPlan, goodSize, planFft, type Spectrum } from '../frames/fft.ts'
import type { Plane } from '../frames/plane.ts'
import { median } from './robust.ts'

/**
 * Proper image subtraction: Zackay, Ofek & Gal-Yam 2016 (ApJ 830, 27), with the paper's symbols. N is the science (new)
 * frame, R the reference on its grid, F_n = 1 and F_r the reference's counts for one count of N. D is eq. 13, P_D eq. 14, F_D
 * eq. 15, S the match of D with P_D, k_r and k_n eq. 28 and 29, V(S_n) and V(S_r) eq. 26 and 27 (source noise), V_ast eq. 30
 * to 33 (registration noise), S_corr eq. 25. A source that brightened in N is positive.
 * The frame is worked in overlapping tiles, each with the PSF and the noise of its middle.
 */
export interface ZogyInput {
  /** Background-subtracted, without unusable pixels; ADU. */
  readonly science: Plane
  readonly reference: Plane
  /** Variance of each pixel, ADU². */
  readonly scienceVariance: Plane
  readonly referenceVariance: Plane
  /** Background noise of each pixel, ADU. */
  readonly scienceRms: Plane
  readonly referenceRms: Plane
  /** Stamp of `psfSize` × `psfSize`, centred, sum 1, for a place in the frame. */
  readonly sciencePsf: (x: number, y: number) => Float64Array
  readonly referencePsf: (x: number, y: number) => Float64Array
  readonly psfSize: number
  /** Both PSFs are the same everywhere: filters are made once. */
  readonly constantPsf: boolean
  /** F_r / F_n. */
  readonly fluxRatio: number
  /** Standard deviation of the registration along x and y, pixels. */
  readonly astrometricNoise: readonly [number, number]
  /** Error of the flux ratio and of the PSFs, as a share of what the reference shows; 0. */
  readonly relativeError?: number
  /** Largest inner side of a tile; 448. */
  readonly tilePixels?: number
}

export interface ZogyTile {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** P_D: `psfSize` × `psfSize`, centred. */
  readonly psf: Float64Array
  /** Background noise of a pixel of the difference, ADU. */
  readonly sigmaAdu: number
}

export interface ZogyResult {
  /** D / F_D, ADU of the science frame: a new source of flux f is f · P_D. */
  readonly difference: Plane
  readonly scorr: Plane
  /** Error of the flux S / F_S at each pixel, ADU; the flux itself is `scorr × fluxError`. */
  readonly fluxError: Plane
  readonly tiles: readonly ZogyTile[]
}

/** Wider than the filters reach: 0 px leaves 3 false positives per Mpix, 10 px and more none. */
const border = 32
const defaultTilePixels = 448

/** Allocates its three planes from `compute`. Throws what `planFft` throws. */
export function subtract(compute: Compute, input: ZogyInput): ZogyResult {
  const { width, height } = input.science
  const difference = compute.float32(width, height)
  const scorr = compute.float32(width, height)
  const fluxError = compute.float32(width, height)
  using _scratch = compute.scope()
  const most = input.tilePixels ?? defaultTilePixels
  const innerX = Math.ceil(width / Math.ceil(width / most))
  const innerY = Math.ceil(height / Math.ceil(height / most))
  const tile = new Tile(compute, input, goodSize(Math.max(innerX, innerY) + 2 * border))
  const out = { difference, scorr, fluxError }
  const tiles: ZogyTile[] = []
  for (let y = 0; y < height; y += innerY) {
    for (let x = 0; x < width; x += innerX) {
      const part = { x, y, width: Math.min(innerX, width - x), height: Math.min(innerY, height - y) }
      tiles.push({ ...part, ...tile.run(part, out) })
    }
  }
  return { ...out, tiles }
}

interface Part {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

interface Filters {
  readonly psf: Float64Array
  readonly sigmaAdu: number
  /** F_D. */
  readonly fluxD: number
  /** F_S of eq. 43: S of a source of flux 1. */
  readonly fluxS: number
}

/** Buffers and transforms for one tile size. */
class Tile {
  readonly #compute: Compute
  readonly #input: ZogyInput
  readonly #size: number
  readonly #fft: FftPlan
  readonly #planes: readonly Plane[]
  readonly #n: Spectrum
  readonly #r: Spectrum
  readonly #d: Spectrum
  readonly #aN: Spectrum
  readonly #aR: Spectrum
  readonly #kN: Spectrum
  readonly #kR: Spectrum
  readonly #squareN: Spectrum
  readonly #squareR: Spectrum
  #filters: Filters | undefined

  constructor(compute: Compute, input: ZogyInput, size: number) {
    this.#compute = compute
    this.#input = input
    this.#size = size
    this.#fft = planFft(compute, size, size)
    this.#planes = Array.from({ length: 4 }, () => compute.float32(size, size))
    const spectra = Array.from({ length: 9 }, () => this.#fft.spectrum())
    ;[this.#n, this.#r, this.#d, this.#aN, this.#aR, this.#kN, this.#kR, this.#squareN, this.#squareR] = spectra as [
      Spectrum,
      Spectrum,
      Spectrum,
      Spectrum,
      Spectrum,
      Spectrum,
      Spectrum,
      Spectrum,
      Spectrum,
    ]
  }

  run(part: Part, out: Omit<ZogyResult, 'tiles'>): { psf: Float64Array; sigmaAdu: number } {
    const filters = this.#filtersFor(part)
    this.#apply(part, filters, out)
    return { psf: filters.psf, sigmaAdu: filters.sigmaAdu }
  }

  #filtersFor(part: Part): Filters {
    if (this.#filters && this.#input.constantPsf) return this.#filters
    const whole = { x: 0, y: 0, width: this.#input.science.width, height: this.#input.science.height }
    this.#filters = this.#makeFilters(this.#input.constantPsf ? whole : part)
    return this.#filters
  }

  #makeFilters(part: Part): Filters {
    const { sciencePsf, referencePsf, psfSize, fluxRatio, scienceRms, referenceRms } = this.#input
    const [stamp, image] = this.#planes as [Plane, Plane]
    const middle = [part.x + part.width / 2, part.y + part.height / 2] as const
    const varianceN = medianOver(scienceRms, part) ** 2
    const varianceR = medianOver(referenceRms, part) ** 2
    const psfN = sciencePsf(...middle)
    this.#wrap(psfN, stamp)
    this.#fft.forward(stamp, this.#n)
    this.#wrap(referencePsf(...middle), stamp)
    this.#fft.forward(stamp, this.#r)
    const pointers = [this.#n, this.#r, this.#aN, this.#aR, this.#kN, this.#kR, this.#d].map((s) => s.pointer)
    this.#pointwise('zogyFilters', [...pointers, varianceN, varianceR, fluxRatio])
    const fluxD = fluxRatio / Math.sqrt(varianceN * fluxRatio * fluxRatio + varianceR)
    this.#fft.inverse(this.#d, image)
    const psf = unwrapped(image, psfSize, fluxRatio / fluxD)
    this.#fft.inverse(this.#kN, image)
    const fluxS = correlation(image, psfN, psfSize)
    this.#squared(image, this.#squareN)
    this.#fft.inverse(this.#kR, image)
    this.#squared(image, this.#squareR)
    return { psf, fluxD, fluxS, sigmaAdu: 1 / fluxD }
  }

  #squared(image: Plane, spectrum: Spectrum): void {
    this.#compute.rows('squareRows', this.#size, [image.pointer, this.#size])
    this.#fft.forward(image, spectrum)
  }

  #apply(part: Part, filters: Filters, out: Omit<ZogyResult, 'tiles'>): void {
    const input = this.#input
    const [a, b, c, d] = this.#planes as [Plane, Plane, Plane, Plane]
    this.#load(input.science, part, a, 0)
    this.#load(input.reference, part, b, 0)
    this.#fft.forward(a, this.#n)
    this.#fft.forward(b, this.#r)
    const spectra = [this.#n, this.#r, this.#aN, this.#aR, this.#kN, this.#kR, this.#d]
    this.#pointwise(
      'zogyApply',
      spectra.map((s) => s.pointer),
    )
    this.#fft.inverse(this.#n, a)
    this.#fft.inverse(this.#r, b)
    this.#fft.inverse(this.#d, d)
    this.#load(input.scienceVariance, part, c, medianOver(input.scienceVariance, part))
    this.#fft.forward(c, this.#n)
    this.#load(input.referenceVariance, part, c, medianOver(input.referenceVariance, part))
    this.#fft.forward(c, this.#r)
    this.#pointwise(
      'spectrumSumOfProducts',
      [this.#n, this.#squareN, this.#r, this.#squareR].map((s) => s.pointer),
    )
    this.#fft.inverse(this.#n, c)
    const [astX, astY] = input.astrometricNoise
    this.#compute.rows('zogyScore', part.height, [
      ...[a, b, c, d].map((plane) => plane.pointer),
      this.#size,
      border,
      part.width,
      ...[out.scorr, out.difference, out.fluxError].map((plane) => plane.pointer),
      part.x,
      part.y,
      out.scorr.width,
      astX * astX,
      astY * astY,
      1 / filters.fluxD,
      1 / filters.fluxS,
      input.relativeError ?? 0,
    ])
  }

  #pointwise(kernel: 'zogyFilters' | 'zogyApply' | 'spectrumSumOfProducts', args: readonly number[]): void {
    this.#compute.rows(kernel, this.#n.blocks * this.#n.height, args)
  }

  /** A stamp with its centre at (0, 0) and its left and upper halves wrapped round. */
  #wrap(stamp: Float64Array, plane: Plane): void {
    const { psfSize } = this.#input
    const half = (psfSize - 1) / 2
    plane.data.fill(0)
    for (let j = 0; j < psfSize; j++) {
      for (let i = 0; i < psfSize; i++) plane.data[wrapped(i - half, j - half, this.#size)] = stamp[j * psfSize + i]!
    }
  }

  /** Copies the tile with its border; beyond the frame `fill`. */
  #load(source: Plane, part: Part, tile: Plane, fill: number): void {
    const size = this.#size
    tile.data.fill(fill)
    const left = Math.max(0, part.x - border)
    const right = Math.min(source.width, part.x - border + size)
    for (let row = 0; row < size; row++) {
      const y = part.y - border + row
      if (y < 0 || y >= source.height) continue
      const values = source.data.subarray(y * source.width + left, y * source.width + right)
      tile.data.set(values, row * size + left - (part.x - border))
    }
  }
}

function wrapped(x: number, y: number, size: number): number {
  return ((y + size) % size) * size + ((x + size) % size)
}

function unwrapped(plane: Plane, stampSize: number, scale: number): Float64Array {
  const half = (stampSize - 1) / 2
  return Float64Array.from({ length: stampSize * stampSize }, (_, k) => {
    const [i, j] = [(k % stampSize) - half, Math.floor(k / stampSize) - half]
    return scale * plane.data[wrapped(i, j, plane.width)]!
  })
}

/** Σ k(−x) P(x): what the filter k answers, at its centre, to a source of the shape P. */
function correlation(filter: Plane, stamp: Float64Array, stampSize: number): number {
  const half = (stampSize - 1) / 2
  let sum = 0
  for (let j = 0; j < stampSize; j++) {
    for (let i = 0; i < stampSize; i++) {
      sum += stamp[j * stampSize + i]! * filter.data[wrapped(half - i, half - j, filter.width)]!
    }
  }
  return sum
}

/** Median of every eighth pixel in both directions. */
function medianOver(plane: Plane, { x, y, width, height }: Part): number {
  const values: number[] = []
  for (let v = y; v < y + height; v += 8) {
    for (let u = x; u < x + width; u += 8) values.push(plane.data[v * plane.width + u]!)
  }
  return median(values)
}
