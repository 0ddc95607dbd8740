import { type Failure, failure } from '@nightjar/firmware-bridge/outcome.ts'
import { type KernelFrames, type KernelStamp, type KernelStar, kernelStamp } from './kernelMatchStamps.ts'
import { basisOf, type Degree, type Framing, framingOf, termsOf } from './psfField.ts'
import { median, robustSigma } from './robust.ts'

/**
 * The kernel that makes the sharper of two frames look like the other: least squares over stamps around stars (Alard & Lupton
 * 1998, ApJ 503, 325) with every pixel of the kernel free (Bramich 2008, MNRAS 386, L77), varying as a polynomial of the
 * place with a sum, the flux ratio, that does not (Alard 2000, A&AS 144, 363). A weak prior holds the kernel compact (Becker
 * et al. 2012, MNRAS 425, 1341, on why one is needed).
 */
export interface MatchingKernel {
  readonly ok: true
  /** Pixels along a side, odd. */
  readonly side: number
  /** Counts of the broad frame for one of the sharp one. */
  readonly sum: number
  readonly degree: Degree
  /** Stamps that were used. */
  readonly stars: number
  /** Light left by the subtraction, beyond noise, as a share (root of the squares' ratio) of the stars': their median. */
  readonly residualShare: number
  /** The kernel at a place of the frame; its sum is 1. */
  at(x: number, y: number): Float64Array
}

export interface KernelInput extends KernelFrames {
  readonly stars: readonly KernelStar[]
  readonly sharpFwhmPixels: number
  readonly broadFwhmPixels: number
  /** At most this degree of the kernel's polynomial; 2. */
  readonly degree?: Degree
}

const leastStars = 3
const mostStars = 1000
const snrRange = [10, 500] as const
/** Stars for a polynomial of degree 1 and of degree 2. */
const starsFor = [12, 30] as const
/** More is a bad subtraction (LSST's limit). */
const mostResidualShare = 0.2
/** Of the kernel's sum against the flux ratio of the stars, logarithmic: noise that neighbours share passes for light. */
const mostRatioError = 0.1
/** Multiplications for the stamps' normal equations; fewer stars are used with a larger kernel. */
const mostWork = 6e8
/** Of the prior, as a share of what the stars say about a pixel of the kernel. */
const priorShare = 1e-3
const rounds = 4
/**
 * Of the sharp frame's noise in the squares, which would pass for light and make the kernel's sum too low (by 3 % with two
 * equal exposures). Where neighbouring pixels share their noise, or the kernel sharpens, taking it off makes the stars
 * subtract worse: then all of it stays.
 */
const noiseShare = 0.9
const mostWorse = 1.05

/** Fails with a reason for fewer than 3 good stars, a system without a unique solution and stars that do not subtract. */
export function matchKernel(input: KernelInput): MatchingKernel | Failure {
  const reach = reachFor(input)
  const radius = Math.max(5, Math.min(12, Math.ceil(1.8 * input.broadFwhmPixels) + 1))
  let stamps = stampsOf(input, reach, radius)
  if (stamps.length < leastStars) {
    return failure(`only ${stamps.length} stars are fit for a matching kernel: at least ${leastStars} are needed`)
  }
  for (let round = 0; ; round++) {
    const degree = Math.min(input.degree ?? 2, degreeFor(stamps.length)) as Degree
    const system = new System(stamps, degree, reach, framingOf(input.broad))
    const solution = system.solve()
    if (!solution) return failure('the stars do not determine a matching kernel: the system has no unique solution')
    const kept = round < rounds ? clipped(stamps, system.chiSquares(solution)) : stamps
    if (kept.length < leastStars) return failure(`only ${kept.length} stars agree about a matching kernel`)
    if (kept.length === stamps.length) return judged(system, solution, input.ratio)
    stamps = kept
  }
}

function judged(system: System, solution: Float64Array, ratio: number): MatchingKernel | Failure {
  const kernel = system.kernel(solution)
  const { residualShare, sum } = kernel
  if (!(residualShare < mostResidualShare)) {
    const percent = (100 * residualShare).toFixed(0)
    return failure(`the matching kernel leaves ${percent} % of the stars' light: a bad subtraction`)
  }
  if (!(Math.abs(Math.log(sum / ratio)) < mostRatioError)) {
    return failure(
      `the matching kernel has a sum of ${sum.toFixed(3)} where the stars' flux ratio is ${ratio.toFixed(3)}`,
    )
  }
  return kernel
}

/** Half the kernel's side: three sigma of the Gaussian between the two PSFs, and room for their wings. */
function reachFor({ sharpFwhmPixels, broadFwhmPixels }: KernelInput): number {
  const sigma = Math.sqrt(Math.max(0, broadFwhmPixels ** 2 - sharpFwhmPixels ** 2)) / 2.3548
  return Math.max(3, Math.min(7, Math.ceil(3 * sigma) + 1))
}

function degreeFor(stars: number): Degree {
  if (stars < starsFor[0]) return 0
  return stars < starsFor[1] ? 1 : 2
}

function stampsOf(input: KernelInput, reach: number, radius: number): KernelStamp[] {
  const work = (2 * reach + 1) ** 4 * (2 * radius + 1) ** 2
  const most = Math.max(20, Math.min(mostStars, Math.floor(mostWork / (work / 2))))
  const [low, high] = snrRange
  const fit = input.stars.filter(({ snr }) => snr >= low && snr <= high).sort((a, b) => b.snr - a.snr)
  const stamps: KernelStamp[] = []
  for (const star of fit) {
    if (stamps.length >= most) break
    const stamp = kernelStamp(input, star, reach, radius)
    if (stamp) stamps.push(stamp)
  }
  return stamps
}

/** Stamps whose χ² is not far above the others'. */
function clipped(stamps: readonly KernelStamp[], chiSquares: readonly number[]): KernelStamp[] {
  const middle = median(chiSquares)
  const limit = middle + 3 * Math.max(robustSigma(chiSquares, middle), 0.15 * middle)
  return stamps.filter((_, k) => chiSquares[k]! <= limit)
}

/**
 * Unknowns: the kernel's sum, then for each pixel but the middle one its coefficients; the middle pixel is what is left of
 * the sum.
 */
class System {
  readonly #stamps: readonly KernelStamp[]
  readonly #degree: Degree
  readonly #reach: number
  readonly #framing: Framing
  readonly #terms: number
  readonly #pixels: number
  readonly #centre: number

  constructor(stamps: readonly KernelStamp[], degree: Degree, reach: number, framing: Framing) {
    this.#stamps = stamps
    this.#degree = degree
    this.#reach = reach
    this.#framing = framing
    this.#terms = termsOf(degree)
    this.#pixels = (2 * reach + 1) ** 2
    this.#centre = (this.#pixels - 1) / 2
  }

  get #unknowns(): number {
    return 1 + (this.#pixels - 1) * this.#terms
  }

  #basis({ x, y }: { readonly x: number; readonly y: number }): readonly number[] {
    return basisOf(this.#degree, ...this.#framing(x, y))
  }

  solve(): Float64Array | undefined {
    const plain = this.#solve(0)
    const corrected = plain && this.#solve(noiseShare)
    if (!corrected) return plain
    const [one, other] = [corrected, plain].map((solution) => median(this.chiSquares(solution)))
    return one! < mostWorse * other! ? corrected : plain
  }

  #solve(share: number): Float64Array | undefined {
    const n = this.#unknowns
    const matrix = new Float64Array(n * n)
    const right = new Float64Array(n)
    for (const stamp of this.#stamps) this.#add(stamp, share, matrix, right)
    this.#addPrior(matrix)
    return solvePositive(matrix, right)
  }

  /** The lower triangle. */
  #add(stamp: KernelStamp, share: number, matrix: Float64Array, right: Float64Array): void {
    const n = this.#unknowns
    const [terms, pixels, centre] = [this.#terms, this.#pixels, this.#centre]
    const basis = this.#basis(stamp.star)
    const a = stamp.matrix.slice()
    for (let i = 0; i < pixels; i++) a[i * (pixels + 1)]! -= share * stamp.noise[i]!
    const middle = a[centre * pixels + centre]!
    matrix[0]! += middle
    right[0]! += stamp.right[centre]!
    for (let i = 0; i < pixels; i++) {
      if (i === centre) continue
      const row = 1 + (i < centre ? i : i - 1) * terms
      const withCentre = a[i * pixels + centre]!
      const b = stamp.right[i]! - stamp.right[centre]!
      for (let t = 0; t < terms; t++) {
        right[row + t]! += basis[t]! * b
        matrix[(row + t) * n]! += basis[t]! * (withCentre - middle)
      }
      for (let j = 0; j <= i; j++) {
        if (j === centre) continue
        const value = a[i * pixels + j]! - withCentre - a[j * pixels + centre]! + middle
        const column = 1 + (j < centre ? j : j - 1) * terms
        for (let t = 0; t < terms; t++) {
          const at = (row + t) * n + column
          for (let u = 0; u < terms; u++) matrix[at + u]! += basis[t]! * basis[u]! * value
        }
      }
    }
  }

  /** Holds the outer pixels, and how all of them vary, near 0. */
  #addPrior(matrix: Float64Array): void {
    const n = this.#unknowns
    const across = 2 * this.#reach + 1
    const strength = priorShare * matrix[0]!
    for (let i = 0; i < this.#pixels; i++) {
      if (i === this.#centre) continue
      const row = 1 + (i < this.#centre ? i : i - 1) * this.#terms
      const distance2 = ((i % across) - this.#reach) ** 2 + (Math.floor(i / across) - this.#reach) ** 2
      for (let t = 0; t < this.#terms; t++) {
        matrix[(row + t) * (n + 1)]! += (t === 0 ? 1 : 10) * strength * (distance2 / this.#reach ** 2)
      }
    }
  }

  /** The kernel at a place, its sum as fitted. */
  #kernelAt(solution: Float64Array, place: { readonly x: number; readonly y: number }): Float64Array {
    const basis = this.#basis(place)
    const kernel = new Float64Array(this.#pixels)
    let rest = solution[0]!
    for (let i = 0; i < this.#pixels; i++) {
      if (i === this.#centre) continue
      const row = 1 + (i < this.#centre ? i : i - 1) * this.#terms
      for (let t = 0; t < this.#terms; t++) kernel[i]! += basis[t]! * solution[row + t]!
      rest -= kernel[i]!
    }
    kernel[this.#centre] = rest
    return kernel
  }

  /** Of each stamp, per pixel. */
  chiSquares(solution: Float64Array): number[] {
    return this.#stamps.map((stamp) => this.#residual(stamp, solution) / stamp.pixels)
  }

  /** Σ w (t − K ⊗ r)². */
  #residual({ star, matrix, right, square }: KernelStamp, solution: Float64Array): number {
    const kernel = this.#kernelAt(solution, star)
    let sum = square
    for (let i = 0; i < kernel.length; i++) {
      let row = -2 * right[i]!
      for (let j = 0; j < kernel.length; j++) row += matrix[i * kernel.length + j]! * kernel[j]!
      sum += kernel[i]! * row
    }
    return sum
  }

  /** √ of what is left beyond noise ÷ the star's light, both squared and weighted by the noise. */
  #residualShare(stamp: KernelStamp, solution: Float64Array): number {
    const left = this.#residual(stamp, solution) - stamp.pixels
    return Math.sqrt(Math.max(0, left) / Math.max(1e-300, stamp.square - stamp.pixels))
  }

  kernel(solution: Float64Array): MatchingKernel {
    const sum = solution[0]!
    return {
      ok: true,
      side: 2 * this.#reach + 1,
      sum,
      degree: this.#degree,
      stars: this.#stamps.length,
      residualShare: median(this.#stamps.map((stamp) => this.#residualShare(stamp, solution))),
      at: (x, y) => this.#kernelAt(solution, { x, y }).map((value) => value / sum),
    }
  }
}

/** Below this share of its own diagonal a pivot is rounding. */
const leastPivot = 1e-11

/** Cholesky of a symmetric positive matrix given by its lower triangle, which is overwritten. Undefined when it is not one. */
function solvePositive(matrix: Float64Array, right: Float64Array): Float64Array | undefined {
  const n = right.length
  for (let i = 0; i < n; i++) {
    const rowI = matrix.subarray(i * n, i * n + n)
    const diagonal = rowI[i]!
    for (let j = 0; j <= i; j++) {
      const rowJ = matrix.subarray(j * n, j * n + n)
      let sum = rowI[j]!
      for (let k = 0; k < j; k++) sum -= rowI[k]! * rowJ[k]!
      if (j < i) rowI[j] = sum / rowJ[j]!
      else if (!(sum > leastPivot * diagonal)) return undefined
      else rowI[i] = Math.sqrt(sum)
    }
  }
  const x = right.slice()
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= matrix[i * n + k]! * x[k]!
    x[i]! /= matrix[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= matrix[k * n + i]! * x[k]!
    x[i]! /= matrix[i * n + i]!
  }
  return x.every(Number.isFinite) ? x : undefined
}
