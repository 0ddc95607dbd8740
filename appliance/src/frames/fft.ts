import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from './compute.ts'
import type { KernelName } from './kernels/kernels.ts'
import type { Plane } from './plane.ts'

/**
 * Real two-dimensional Fourier transforms in float32, numpy's convention: forward unscaled, inverse divided by
 * width × height. Sizes are 2^a 3^b 5^c 7^d and multiples of 8 (`goodSize`); a smaller plane is padded with zeros.
 *
 * Layout of a spectrum, for kernels of your own: columns u = 0..width/2 in blocks of four. Block b holds columns
 * 4b..4b+3; within it row v (0..height-1) is 8 floats: four real parts, then four imaginary parts. So element (u, v) has
 * its real part at float index ((u >> 2) * height + v) * 8 + (u & 3) and its imaginary part 4 further. Frequencies are
 * u / width and v / height cycles per pixel (v above height/2 is negative). The last block has width/2 as its first
 * column; its other three are padding, which a forward transform sets to 0 and an inverse one ignores. Pointwise kernels
 * run over all `blocks`: `compute.rows(name, spectrum.blocks, [...])`, one block = `height` × 32 bytes.
 */
export interface Spectrum {
  readonly pointer: number
  /** Of the plane that it is the transform of. */
  readonly width: number
  readonly height: number
  /** width/8 + 1 blocks of four columns, rounded up. */
  readonly blocks: number
  readonly data: Float32Array
}

/** Transforms of one size. Its tables live in the arena scope that was open when it was planned. */
export interface FftPlan {
  readonly width: number
  readonly height: number
  /** A spectrum of this size with undefined contents. */
  spectrum(): Spectrum
  /** plane → spectrum. The plane may be smaller than the plan: zeros are added at its right and bottom. */
  forward(plane: Plane, spectrum: Spectrum): void
  /**
   * spectrum → plane. The spectrum's memory is worked in and its contents are lost, but with `keep`. A plane smaller than the
   * plan receives the top left part.
   */
  inverse(spectrum: Spectrum, plane: Plane, options?: { readonly keep?: boolean }): void
}

/** The smallest usable length that is at least `n`: a multiple of 8 with no prime factor above 7. */
export function goodSize(n: number): number {
  for (let size = Math.max(8, Math.ceil(n / 8) * 8); ; size += 8) if (factorsOf(size)) return size
}

/** Radixes in the order of the stages, or undefined when there is a factor above 7. */
function factorsOf(n: number): number[] | undefined {
  const factors: number[] = []
  let rest = n
  for (const radix of [7, 5, 3]) {
    for (; rest % radix === 0; rest /= radix) factors.push(radix)
  }
  const twos = Math.log2(rest)
  if (!Number.isInteger(twos)) return undefined
  // The last stage needs no twiddles: there radix 8 is faster than 2 and 4, elsewhere it wants too many registers. A single
  // stage could not work in place.
  if (twos % 2 === 1 && twos > 1 && n > 8) return [...factors, ...Array<number>((twos - 3) / 2).fill(4), 8]
  return [...factors, ...(twos % 2 === 1 ? [2] : []), ...Array<number>(Math.floor(twos / 2)).fill(4)]
}

/** Writes the stages of a length-n transform for the kernels (layout: assembly/transform.ts); throws `fft/size`. */
export function planLength(compute: Compute, n: number): number {
  const factors = factorsOf(n)
  if (!factors || n % 8 !== 0 || n < 8) {
    const near = goodSize(n)
    throw new NightjarError(
      'fft/size',
      `a transform cannot have length ${n}: use ${near} (goodSize), padding with zeros`,
    )
  }
  const plan = compute.allocate(4 + 8 * factors.length)
  const words: number[] = [factors.length]
  let length = n
  for (const radix of factors) {
    const twiddles = twiddleTable(length, radix)
    const pointer = compute.allocate(twiddles.byteLength)
    new Float32Array(compute.memory.buffer, pointer, twiddles.length).set(twiddles)
    words.push(radix, pointer)
    length /= radix
  }
  new Uint32Array(compute.memory.buffer, plan, words.length).set(words)
  return plan
}

/** For p = 0..length/radix - 1 and k = 1..radix - 1: cos and sin of -2π k p / length. */
function twiddleTable(length: number, radix: number): Float32Array {
  const m = length / radix
  const table = new Float32Array(m * (radix - 1) * 2)
  let at = 0
  for (let p = 0; p < m; p++) {
    for (let k = 1; k < radix; k++) {
      const angle = (-2 * Math.PI * ((k * p) % length)) / length
      table[at++] = Math.cos(angle)
      table[at++] = Math.sin(angle)
    }
  }
  return table
}

class Plan implements FftPlan {
  readonly width: number
  readonly height: number
  readonly #compute: Compute
  readonly #rowPlan: number
  readonly #columnPlan: number
  readonly #scratch: number
  readonly #blocks: number

  constructor(compute: Compute, width: number, height: number) {
    this.#compute = compute
    this.width = width
    this.height = height
    this.#blocks = Math.floor(width / 8) + 1
    this.#rowPlan = planLength(compute, width)
    this.#columnPlan = planLength(compute, height)
    this.#scratch = compute.allocate(compute.threads * Math.max(3 * width, 2 * height) * 32)
  }

  spectrum(): Spectrum {
    const { width, height } = this
    const floats = this.#blocks * height * 8
    const pointer = this.#compute.allocate(floats * 4)
    const data = new Float32Array(this.#compute.memory.buffer, pointer, floats)
    return { pointer, width, height, blocks: this.#blocks, data }
  }

  forward(plane: Plane, spectrum: Spectrum): void {
    this.#check(plane, spectrum)
    using _scratch = this.#compute.scope()
    const { width, height } = this
    const source = this.#padded(plane)
    const args = [source, spectrum.pointer, width, height, this.#rowPlan, this.#scratch]
    this.#compute.rows('fftRows', height, args, 8)
    const columns = [spectrum.pointer, spectrum.pointer, height, this.#columnPlan, this.#scratch]
    this.#compute.rows('fftColumns', this.#blocks, columns)
  }

  inverse(spectrum: Spectrum, plane: Plane, { keep = false }: { readonly keep?: boolean } = {}): void {
    this.#check(plane, spectrum)
    using _scratch = this.#compute.scope()
    const { width, height } = this
    const work = keep ? this.spectrum() : spectrum
    const columns = [spectrum.pointer, work.pointer, height, this.#columnPlan, this.#scratch]
    this.#compute.rows('fftColumns', this.#blocks, columns)
    const whole = plane.width === width && plane.height === height
    const target = whole ? plane.pointer : this.#compute.allocate(width * height * 4)
    const args = [work.pointer, target, width, height, this.#rowPlan, this.#scratch, 1 / (width * height)]
    this.#compute.rows('fftRowsInverse', height, args, 8)
    if (!whole) this.#crop(target, plane)
  }

  #check(plane: Plane, spectrum: Spectrum): void {
    const { width, height } = this
    if (plane.width > width || plane.height > height) {
      const size = `${plane.width} × ${plane.height}`
      throw new NightjarError(
        'fft/size',
        `a ${size} plane does not fit a ${width} × ${height} transform: plan a larger one`,
      )
    }
    if (spectrum.width !== width || spectrum.height !== height) {
      throw new NightjarError('fft/size', `the spectrum is not one of this ${width} × ${height} plan`)
    }
  }

  /** The plane itself, or a copy of it in a corner of zeros. */
  #padded(plane: Plane): number {
    const { width, height } = this
    if (plane.width === width && plane.height === height) return plane.pointer
    const whole = this.#compute.float32(width, height)
    for (let y = 0; y < plane.height; y++) {
      whole.data.set(plane.data.subarray(y * plane.width, (y + 1) * plane.width), y * width)
    }
    return whole.pointer
  }

  #crop(from: number, plane: Plane): void {
    const whole = this.#compute.view(Float32Array, from, this.width, this.height)
    for (let y = 0; y < plane.height; y++) {
      const start = y * this.width
      plane.data.set(whole.data.subarray(start, start + plane.width), y * plane.width)
    }
  }
}

/**
 * Plans transforms of `width` × `height`. The plan's tables and scratch are arena allocations: make it before the scopes of
 * its use. Throws `fft/size` when a length is not `goodSize`, naming one that is.
 */
export function planFft(compute: Compute, width: number, height: number): FftPlan {
  return new Plan(compute, width, height)
}

function pointwise(compute: Compute, kernel: KernelName, first: Spectrum, pointers: readonly number[]): void {
  compute.rows(kernel, first.blocks, [...pointers, first.height])
}

/** out = a × b: the spectrum of the circular convolution. `out` may be `a` or `b`. */
export function multiplySpectra(compute: Compute, a: Spectrum, b: Spectrum, out: Spectrum): void {
  pointwise(compute, 'spectrumMultiply', a, [a.pointer, b.pointer, out.pointer])
}

/** out = conj(a) × b: the spectrum of the circular cross-correlation. `out` may be `a` or `b`. */
export function correlateSpectra(compute: Compute, a: Spectrum, b: Spectrum, out: Spectrum): void {
  pointwise(compute, 'spectrumConjugateMultiply', a, [a.pointer, b.pointer, out.pointer])
}

/** out = |a|², with zero imaginary parts. `out` may be `a`. */
export function powerSpectrum(compute: Compute, a: Spectrum, out: Spectrum): void {
  pointwise(compute, 'spectrumAbs2', a, [a.pointer, out.pointer])
}
