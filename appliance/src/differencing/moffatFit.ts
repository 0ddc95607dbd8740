import { type MoffatForm, pixelPoints } from './moffat.ts'
import { solveLinear } from './robust.ts'

/** A square of pixels around a star. */
export interface FitPixels {
  readonly size: number
  readonly data: Float64Array
  /** 0 where a pixel may not be used. */
  readonly use: Uint8Array
}

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

const most = 7

/**
 * Fits an elliptical Moffat profile, integrated over pixels, by Gauss-Newton with analytic derivatives: amplitude, place,
 * the three coefficients of the ellipse and, when asked, β. Undefined when it leaves the stamp's middle or runs out of sense.
 */
export function fitMoffat(pixels: FitPixels, start: MoffatFit, options: MoffatFitOptions): MoffatFit | undefined {
  const n = options.freeBeta ? most : most - 1
  const own = new Float64Array(n * n)
  let fit = start
  let settled = false
  for (let step = 0; step <= mostSteps; step++) {
    const sums = accumulate(pixels, fit, options)
    if (!sums) return undefined
    if (settled || step === mostSteps) return { ...fit, ...sums.quality }
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) own[i * n + j] = sums.matrix[i * most + j]!
    for (let i = 0; i < n; i++) own[i * n + i]! *= 1 + 1e-6
    const change = solveLinear(own, sums.right.slice(0, n))
    const next = change && moved(fit, change)
    if (!change || !next) return undefined
    settled = isSmall(fit, change)
    fit = next
  }
  return undefined
}

const mostSteps = 8

/** Less than a hundredth of a pixel in place and two hundredths in the ellipse: the next step is as good as the last. */
function isSmall({ form }: MoffatFit, change: Float64Array): boolean {
  const ellipse = 0.02 * Math.sqrt(form.a * form.c)
  const small = (k: number, most: number): boolean => Math.abs(change[k] ?? 0) < most
  return (
    small(1, 0.01) && small(2, 0.01) && small(3, ellipse) && small(4, ellipse) && small(5, ellipse) && small(6, 0.1)
  )
}

function moved({ amplitude, x, y, form, ...quality }: MoffatFit, change: Float64Array): MoffatFit | undefined {
  const size = Math.sqrt(form.a * form.c)
  // No more than 40 % of the ellipse or half a pixel at a time.
  const share = Math.min(
    1,
    (0.4 * size) / Math.max(Math.abs(change[3]!), Math.abs(change[4]!), Math.abs(change[5]!), 1e-300),
    0.5 / Math.max(Math.abs(change[1]!), Math.abs(change[2]!), 1e-300),
    0.6 / Math.max(Math.abs(change[6] ?? 0), 1e-300),
  )
  const next = {
    amplitude: amplitude + change[0]!,
    x: x + share * change[1]!,
    y: y + share * change[2]!,
    form: {
      a: form.a + share * change[3]!,
      b: form.b + share * change[4]!,
      c: form.c + share * change[5]!,
      beta: Math.max(1.5, Math.min(8, form.beta + share * (change[6] ?? 0))),
    },
    ...quality,
  }
  const { a, b, c } = next.form
  const sound = next.amplitude > 0 && a > 0 && a * c - b * b > 1e-6 * a * a && Math.hypot(next.x, next.y) < 2
  return sound ? next : undefined
}

interface Sums {
  readonly matrix: Float64Array
  readonly right: Float64Array
  readonly quality: Pick<MoffatFit, 'snr' | 'chi2' | 'excess'>
}

const matrix = new Float64Array(most * most)
const right = new Float64Array(most)
const slope = new Float64Array(most)

/** Normal equations about the present fit, in buffers that the next call writes over. */
function accumulate({ size, data, use }: FitPixels, fit: MoffatFit, options: MoffatFitOptions): Sums | undefined {
  const { amplitude, x, y, form } = fit
  const { a, b, c, beta } = form
  const { radiusPixels, skyVariance, perSignal, perSquare, freeBeta } = options
  const half = (size - 1) / 2
  const reach = Math.min(half, Math.ceil(radiusPixels))
  const points = pixelPoints[options.points]
  const count = points.length / 3
  const n = freeBeta ? most : most - 1
  matrix.fill(0)
  right.fill(0)
  let [square, used, above, below] = [0, 0, 0, 0]
  for (let j = -reach; j <= reach; j++) {
    for (let i = -reach; i <= reach; i++) {
      const at = (j + half) * size + i + half
      if (use[at] === 0 || i * i + j * j > radiusPixels * radiusPixels) continue
      let [value, byX, byY, byA, byB, byC, byBeta] = [0, 0, 0, 0, 0, 0, 0]
      for (let k = 0; k < count; k++) {
        const px = i - x + points[3 * k]!
        const py = j - y + points[3 * k + 1]!
        const t = 1 + a * px * px + 2 * b * px * py + c * py * py
        const log = Math.log(t)
        const g = points[3 * k + 2]! * Math.exp(-beta * log)
        const h = (beta * g) / t
        value += g
        byX += h * (a * px + b * py)
        byY += h * (b * px + c * py)
        byA += h * px * px
        byB += h * px * py
        byC += h * py * py
        byBeta += g * log
      }
      const signal = amplitude * value
      const w = 1 / (skyVariance + perSignal * signal + perSquare * signal * signal)
      const rest = data[at]! - signal
      slope[0] = value
      slope[1] = 2 * amplitude * byX
      slope[2] = 2 * amplitude * byY
      slope[3] = -amplitude * byA
      slope[4] = -2 * amplitude * byB
      slope[5] = -amplitude * byC
      slope[6] = -amplitude * byBeta
      for (let p = 0; p < n; p++) {
        const scaled = w * slope[p]!
        right[p]! += scaled * rest
        for (let q = p; q < n; q++) matrix[p * most + q]! += scaled * slope[q]!
      }
      square += w * rest * rest
      above += signal * (rest * rest - skyVariance)
      below += signal * signal
      used++
    }
  }
  if (used < 2 * n) return undefined
  for (let p = 1; p < n; p++) for (let q = 0; q < p; q++) matrix[p * most + q] = matrix[q * most + p]!
  const quality = { snr: amplitude * Math.sqrt(matrix[0]!), chi2: square / (used - n), excess: above / below }
  return { matrix, right, quality }
}
