import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { type KernelInput, matchKernel } from './kernelMatch.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

interface SkyOptions {
  readonly stars?: number
  /** Sigma of the Gaussian stars in either frame at a share of the way across. */
  readonly sharpSigma?: number
  readonly broadSigma?: (share: number) => number
  readonly ratio?: number
  readonly offset?: number
  readonly sharpNoise?: number
  /** Of a star's light in the broad frame; 1 unless it varies. */
  readonly share?: (star: number) => number
}

const [width, height] = [320, 300]

/** Gaussian stars on a grid, S/N about 60 to 300: a Gaussian of σ₁ convolved with one of √(σ₂² − σ₁²) has σ₂. */
function sky(on: Compute, o: SkyOptions = {}): KernelInput {
  const random = createRandom('kernel')
  const { stars: count = 60, sharpSigma = 1.1, broadSigma = () => 1.6, ratio = 1.3, offset = 0 } = o
  const { sharpNoise = 1 } = o
  const [sharp, broad] = [on.float32(width, height), on.float32(width, height)]
  for (let i = 0; i < sharp.data.length; i++) {
    sharp.data[i] = sharpNoise * random.normal()
    broad.data[i] = 3 + random.normal()
  }
  const stars = Array.from({ length: count }, (_, k) => {
    const x = 30 + 34 * (k % 8) + random.next()
    const y = 30 + 32 * Math.floor(k / 8) + random.next()
    const flux = 400 * (1 + 5 * random.next())
    const sigma = broadSigma(x / width)
    draw(sharp, x, y, flux, sharpSigma)
    draw(broad, x + offset, y, flux * ratio * (o.share?.(k) ?? 1), sigma)
    return { x, y, snr: flux / 6 }
  })
  return {
    sharp,
    broad,
    mask: on.uint16(width, height),
    stars,
    sharpRmsAdu: sharpNoise,
    broadRmsAdu: 1,
    ratio,
    sharpGain: Number.POSITIVE_INFINITY,
    broadGain: Number.POSITIVE_INFINITY,
    sharpFwhmPixels: 2.3548 * sharpSigma,
    broadFwhmPixels: 2.3548 * broadSigma(0.5),
  }
}

function draw(plane: KernelInput['sharp'], x: number, y: number, flux: number, sigma: number): void {
  for (let v = Math.ceil(y - 12); v <= y + 12; v++) {
    for (let u = Math.ceil(x - 12); u <= x + 12; u++) {
      const value = Math.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma * sigma)) / (2 * Math.PI * sigma * sigma)
      plane.data[v * plane.width + u]! += flux * value
    }
  }
}

function moments(kernel: Float64Array, side: number): { sum: number; x: number; sigma: number } {
  let [sum, x, square] = [0, 0, 0]
  kernel.forEach((value, k) => {
    const [i, j] = [(k % side) - (side - 1) / 2, Math.floor(k / side) - (side - 1) / 2]
    sum += value
    x += value * i
    square += value * (i * i + j * j)
  })
  return { sum, x: x / sum, sigma: Math.sqrt((square / sum - (x / sum) ** 2) / 2) }
}

function fitted(options: SkyOptions, change: Partial<KernelInput> = {}) {
  using _scratch = compute.scope()
  return matchKernel({ ...sky(compute, options), ...change })
}

describe('the matching kernel', () => {
  test('has the width, the sum and the offset of the Gaussian that turns one frame into the other', () => {
    const kernel = fitted({ offset: 0.3 })
    if (!kernel.ok) throw new Error(kernel.reason)
    const { sum, x, sigma } = moments(kernel.at(160, 150), kernel.side)
    expect(kernel.degree).toBe(2)
    expect(sum).toBeCloseTo(1, 9)
    expect(Math.abs(kernel.sum / 1.3 - 1)).toBeLessThan(0.01)
    expect(Math.abs(x - 0.3)).toBeLessThan(0.02)
    // √(1.6² − 1.1²) = 1.162
    expect(Math.abs(sigma - 1.162)).toBeLessThan(0.06)
    expect(kernel.residualShare).toBeLessThan(0.03)
  })

  test('follows a width that grows across the frame', () => {
    const kernel = fitted({ broadSigma: (share) => 1.4 + 0.5 * share })
    if (!kernel.ok) throw new Error(kernel.reason)
    for (const share of [0.2, 0.5, 0.8]) {
      const { sigma } = moments(kernel.at(share * width, 150), kernel.side)
      expect(Math.abs(sigma - Math.sqrt((1.4 + 0.5 * share) ** 2 - 1.1 ** 2))).toBeLessThan(0.12)
    }
  })

  test('has a sum that the noise of the convolved frame does not lower', () => {
    const kernel = fitted({ sharpNoise: 8, ratio: 1, sharpSigma: 1.3 })
    expect(kernel.ok && Math.abs(kernel.sum - 1)).toBeLessThan(0.03)
  })

  test('is made from five stars by a constant kernel, and leaves out the one that varied', () => {
    const few = fitted({ stars: 5 })
    expect(few.ok && [few.degree, few.stars]).toEqual([0, 5])
    const varied = fitted({ share: (star) => (star === 20 ? 3 : 1) })
    if (!varied.ok) throw new Error(varied.reason)
    expect(varied.stars).toBeLessThan(60)
    expect(Math.abs(varied.sum / 1.3 - 1)).toBeLessThan(0.01)
  })

  test('says why there is none', () => {
    const reason = (options: SkyOptions, change?: Partial<KernelInput>): string => {
      const kernel = fitted(options, change)
      return kernel.ok ? 'there is one' : kernel.reason
    }
    expect(reason({ stars: 2 })).toContain('only 2 stars')
    expect(reason({}, { stars: [] })).toContain('only 0 stars')
    using _scratch = compute.scope()
    const empty = compute.float32(width, height)
    expect(reason({}, { sharp: empty })).toContain('no unique solution')
    const other = sky(compute, { share: (star) => 0.2 + 3 * ((star * 0.37) % 1) })
    expect(reason({}, { broad: other.broad })).toContain('bad subtraction')
    // Noise that neighbouring pixels share passed for light: the sum is off while the stars seem to subtract.
    expect(reason({}, { ratio: 1.7 })).toMatch(/sum of .* where the stars' flux ratio is 1.700/)
  })
})
