import type { Compute } from '../frames/compute.ts'
import type { MoffatForm } from './moffat.ts'
import type { Cut, Cuts } from './psfCuts.ts'

export interface MoffatFit {
  /** Height of the profile before integration over pixels. */
  readonly amplitude: number
  /** From the middle pixel. */
  readonly x: number
  readonly y: number
  readonly form: MoffatForm
  /** 1 / (relative error of the amplitude with all else fixed). */
  readonly snr: number
  /** Weighted squared residual per degree of freedom. */
  readonly chi2: number
  /** Slope of squared residual minus sky variance on the signal, ADU. */
  readonly excess: number
}

/** What a fit starts with. */
export type MoffatStart = Pick<MoffatFit, 'amplitude' | 'x' | 'y' | 'form'>

export interface MoffatFitOptions {
  readonly radiusPixels: number
  /** Of the sky, ADU². */
  readonly skyVariance: number
  /** Variance for one ADU of signal, and for the square of the signal. */
  readonly perSignal: number
  readonly perSquare: number
  /** Fit β as well. */
  readonly freeBeta: boolean
  /** Points for the integral over a pixel along each axis. */
  readonly points: 2 | 3
}

/** Float64 words of a star and bytes of a thread's scratch (kernels/assembly/moffat.ts). */
const starWords = 16
const scratchBytes = 2048

/**
 * Fits an elliptical Moffat profile, integrated over pixels, to each of some stars by Gauss-Newton with analytic derivatives:
 * amplitude, place, the three coefficients of the ellipse and, when asked, β. Undefined where a fit leaves the stamp's middle or
 * runs out of sense. The same bits on every machine.
 */
export function fitMoffats(
  compute: Compute,
  cuts: Cuts,
  tries: readonly { readonly cut: Cut; readonly start: MoffatStart }[],
  { radiusPixels, skyVariance, perSignal, perSquare, freeBeta, points }: MoffatFitOptions,
): (MoffatFit | undefined)[] {
  using _scratch = compute.scope()
  const table = compute.allocate(8 * starWords * tries.length)
  const words = new Float64Array(compute.memory.buffer, table, starWords * tries.length)
  tries.forEach(({ cut, start: { amplitude, x, y, form } }, k) => {
    words.set([amplitude, x, y, form.a, form.b, form.c, form.beta, 0, 0, 0, 0, cut.index], k * starWords)
  })
  compute.rows('moffatFits', tries.length, [
    ...[table, cuts.pixels, cuts.use, cuts.size, radiusPixels, skyVariance, perSignal, perSquare],
    ...[freeBeta ? 1 : 0, points, compute.allocate(compute.threads * scratchBytes), scratchBytes],
  ])
  return tries.map((_, k) => fitOf(words.subarray(k * starWords, (k + 1) * starWords)))
}

function fitOf(words: Float64Array): MoffatFit | undefined {
  if (words[10] !== 1) return undefined
  return {
    amplitude: words[0]!,
    x: words[1]!,
    y: words[2]!,
    form: { a: words[3]!, b: words[4]!, c: words[5]!, beta: words[6]! },
    snr: words[7]!,
    chi2: words[8]!,
    excess: words[9]!,
  }
}
