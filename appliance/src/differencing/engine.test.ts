import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { createMesh } from '../frames/mesh.ts'
import { medianAndMad, sigmaPerMad } from '../frames/statistics.ts'
import { type EngineInput, isClearlyCleaner, subtractWithChoice } from './engine.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

const [width, height] = [320, 300]
const psfSize = 21
/** S_corr has some 2,000 independent values in such a frame: its MAD is known to 2 %. */
const sigmaTolerance = 0.05

function gaussian(sigma: number): Float64Array {
  const stamp = Float64Array.from({ length: psfSize * psfSize }, (_, k) =>
    Math.exp(-((((k % psfSize) - 10) ** 2 + (Math.floor(k / psfSize) - 10) ** 2) / (2 * sigma * sigma))),
  )
  const sum = stamp.reduce((total, value) => total + value, 0)
  return stamp.map((value) => value / sum)
}

interface PairOptions {
  readonly stars?: number
  /** The PSFs that are claimed; the frames have σ 1.6 and 1.2 px. */
  readonly claimed?: readonly [science: number, reference: number]
  readonly psfStars?: readonly [number, number]
  /** The noise that the meshes claim, as a share of the true one. */
  readonly claimedNoise?: number
}

/** Gaussian stars in both frames, the reference with 1.2 times the counts, white noise of 5 and 3 ADU; one source only in N. */
function pair(
  on: Compute,
  { stars: count = 60, claimed = [1.6, 1.2], psfStars = [40, 40], claimedNoise = 1 }: PairOptions,
): EngineInput {
  const random = createRandom('engines')
  const [science, reference] = [on.float32(width, height), on.float32(width, height)]
  for (let i = 0; i < science.data.length; i++) {
    science.data[i] = 5 * random.normal()
    reference.data[i] = 3 * random.normal()
  }
  const stars = Array.from({ length: count }, (_, k) => {
    const [x, y] = [30 + 34 * (k % 8) + random.next(), 30 + 32 * Math.floor(k / 8) + random.next()]
    const flux = 3000 * (1 + 4 * random.next())
    draw(science, x, y, flux, 1.6)
    draw(reference, x, y, 1.2 * flux, 1.2)
    return { x, y, snr: flux / 30 }
  })
  draw(science, 183, 131, 1000, 1.6)
  const mesh = (value: number) =>
    createMesh(on, { columns: 1, rows: 1, cellPixels: 512 }, new Float32Array([value * claimedNoise]))
  const [one, other] = [gaussian(claimed[0]), gaussian(claimed[1])]
  return {
    science,
    reference,
    scienceRms: mesh(5),
    referenceRms: mesh(3),
    scienceGain: Number.POSITIVE_INFINITY,
    referenceGain: Number.POSITIVE_INFINITY,
    sciencePsf: () => one,
    referencePsf: () => other,
    psfSize,
    constantPsf: true,
    fluxRatio: 1.2,
    astrometricNoise: [0.01, 0.01],
    mask: on.uint16(width, height),
    stars,
    scienceFwhmPixels: 2.3548 * 1.6,
    referenceFwhmPixels: 2.3548 * 1.2,
    psfStars,
  }
}

function draw(plane: EngineInput['science'], x: number, y: number, flux: number, sigma: number): void {
  for (let v = Math.ceil(y - 11); v <= y + 11; v++) {
    for (let u = Math.ceil(x - 11); u <= x + 11; u++) {
      const value = Math.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma * sigma)) / (2 * Math.PI * sigma * sigma)
      plane.data[v * plane.width + u]! += flux * value
    }
  }
}

function subtracted(options: PairOptions) {
  const input = pair(compute, options)
  const subtraction = subtractWithChoice(compute, input)
  const { scorr } = subtraction.result
  return { ...subtraction, scorr, sigma: skySigma(scorr, input) }
}

/** Of S_corr where there is only sky: 12 px and more from every star. */
function skySigma(scorr: EngineInput['science'], { stars }: EngineInput): number {
  const sky = compute.uint16(width, height)
  for (let i = 0; i < sky.data.length; i++) {
    const [x, y] = [i % width, Math.floor(i / width)]
    if (stars.some((star) => Math.hypot(star.x - x, star.y - y) < 12)) sky.data[i] = 1
  }
  return medianAndMad(compute, scorr, { mask: sky }).mad * sigmaPerMad
}

describe('the choice of an engine', () => {
  test('is proper subtraction where both PSFs are known and the noise is as modelled', () => {
    using _scratch = compute.scope()
    const { engine, reason, scorr } = subtracted({})
    expect([engine, reason]).toEqual(['zogy', 'both PSFs are known and the noise is as modelled'])
    expect(scorr.data[131 * width + 183]).toBeGreaterThan(15)
  })

  test('is the matching kernel where few stars gave a wrong PSF, with white noise and the source alone', () => {
    using _scratch = compute.scope()
    const wrong = { claimed: [1.3, 1.4], psfStars: [4, 5] } as const
    const { engine, reason, scorr, sigma, kernel } = subtracted(wrong)
    expect(engine).toBe('kernel')
    expect(reason).toMatch(/^only 4 stars for a PSF; proper subtraction has a MAD of .* positive px\/Mpix$/)
    expect(kernel?.ok && Math.abs(kernel.sum - 1 / 1.2)).toBeLessThan(0.01)
    expect(Math.abs(sigma - 1)).toBeLessThan(sigmaTolerance)
    expect(scorr.data[131 * width + 183]).toBeGreaterThan(15)
    const loud = scorr.data.filter(
      (value, i) => Math.abs(value) > 5.5 && Math.hypot((i % width) - 183, Math.floor(i / width) - 131) > 8,
    )
    expect(loud.length).toBe(0)
  })

  test('stays with proper subtraction, and says so, where no kernel can be made', () => {
    using _scratch = compute.scope()
    const { engine, reason } = subtracted({ stars: 2, psfStars: [2, 2], claimed: [1.1, 1.6] })
    expect(engine).toBe('zogy')
    expect(reason).toContain('only 2 stars for a PSF, but no matching kernel: only 2 stars are fit')
  })

  test('has noise of MAD 1 with either engine on frames of one exposure each', () => {
    using _scratch = compute.scope()
    for (const psfStars of [
      [40, 40],
      [40, 7],
    ] as const) {
      const { sigma } = subtracted({ psfStars })
      expect(Math.abs(sigma - 1)).toBeLessThan(sigmaTolerance)
    }
  })

  test.each([0.5, 1.6])('says where the frames claim %d of their noise, and has a MAD of 1', (claimedNoise) => {
    using _scratch = compute.scope()
    const { reason, sigma, scorr } = subtracted({ claimedNoise })
    expect(reason).toMatch(/^the noise of proper subtraction is (1\.9|2\.0|0\.6)\d times the modelled one; /)
    expect(Math.abs(sigma - 1)).toBeLessThan(sigmaTolerance)
    expect(scorr.data[131 * width + 183]).toBeGreaterThan(15)
  })

  test('fails with both reasons, not with an empty image, where neither engine works', () => {
    using _scratch = compute.scope()
    const input = pair(compute, {})
    input.science.data.fill(Number.NaN)
    expect(() => subtractWithChoice(compute, input)).toThrow(/no numbers; and with a matching kernel: /)
  })

  test('prefers the kernel only where it is clearly cleaner of one sign and no worse of the other', () => {
    const few = { sigma: 1, negativePerMpix: 40, positivePerMpix: 50 }
    const many = { sigma: 1, negativePerMpix: 300, positivePerMpix: 50 }
    expect([isClearlyCleaner(few, many), isClearlyCleaner(many, few)]).toEqual([true, false])
    // Sources that only one of them leaves behind.
    expect(isClearlyCleaner({ ...few, positivePerMpix: 200 }, many)).toBe(false)
    expect(isClearlyCleaner({ ...few, negativePerMpix: 0 }, few)).toBe(false)
    // Correlated noise: hardly more negative pixels and a twentieth of the positive ones.
    const correlated = { sigma: 1, negativePerMpix: 593, positivePerMpix: 1356 }
    expect(isClearlyCleaner({ sigma: 1, negativePerMpix: 657, positivePerMpix: 78 }, correlated)).toBe(true)
    expect(isClearlyCleaner({ sigma: 1, negativePerMpix: 900, positivePerMpix: 78 }, correlated)).toBe(false)
  })
})
