import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { formOf, type MoffatShape, moffatStamp, moffatStamps, shapeOf } from './moffat.ts'
import { fitMoffats } from './moffatFit.ts'
import { cutStars } from './psfCuts.ts'
import { StarGrid } from './starGrid.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

/** The profile of Moffat 1969 (A&A 3, 455), eq. 7, with elliptical isophotes, summed over 11 × 11 points of each pixel. */
function drawn(
  width: number,
  height: number,
  x: number,
  y: number,
  amplitude: number,
  form: ReturnType<typeof formOf>,
) {
  const plane = compute.float32(width, height)
  for (let k = 0; k < plane.data.length; k++) {
    let sum = 0
    for (let p = 0; p < 121; p++) {
      const dx = (k % width) - x + ((p % 11) - 5) / 11
      const dy = Math.floor(k / width) - y + (Math.floor(p / 11) - 5) / 11
      sum += (1 + form.a * dx * dx + 2 * form.b * dx * dy + form.c * dy * dy) ** -form.beta
    }
    plane.data[k] = (amplitude * sum) / 121
  }
  return plane
}

describe('a Moffat profile fitted to pixels', () => {
  test('is the one that was drawn: height, place, ellipse and β', () => {
    using _scratch = compute.scope()
    const truth: MoffatShape = { fwhmPixels: 3.1, e1: 0.06, e2: -0.04, beta: 2.7 }
    const form = formOf(truth)
    const plane = drawn(41, 37, 20.3, 17.8, 5000, form)
    const star = { x: 20, y: 18, fluxAdu: 1, snr: 100, fwhmPixels: 3, ellipticity: 0 }
    const grid = new StarGrid([star], plane, 32)
    const input = { plane, mask: compute.uint16(41, 37), stars: [star], grid, radius: 10, fwhmPixels: 3 }
    const cuts = cutStars(compute, input, [star])
    const start = { amplitude: 4000, x: 0, y: 0, form: formOf({ fwhmPixels: 2.5, e1: 0, e2: 0, beta: 3.5 }) }
    const options = { radiusPixels: 9, skyVariance: 4, perSignal: 1, perSquare: 0, freeBeta: true, points: 3 } as const
    const [fit] = fitMoffats(compute, cuts, [{ cut: cuts.list[0]!, start }], options)
    expect(fit!.amplitude / 5000).toBeCloseTo(1, 3)
    expect([fit!.x, fit!.y].map((value) => Math.round(1e3 * value))).toEqual([300, -200])
    const shape = shapeOf(fit!.form)!
    expect(shape.fwhmPixels / truth.fwhmPixels).toBeCloseTo(1, 3)
    expect(shape.e1).toBeCloseTo(truth.e1, 3)
    expect(shape.e2).toBeCloseTo(truth.e2, 3)
    expect(shape.beta / truth.beta).toBeCloseTo(1, 2)
    expect(fit!.chi2).toBeLessThan(1e-3)
  })

  test('is none where no pixel may be used', () => {
    using _scratch = compute.scope()
    const plane = compute.float32(41, 37)
    const mask = compute.uint16(41, 37)
    mask.data.fill(1)
    const star = { x: 20, y: 18, fluxAdu: 1, snr: 100, fwhmPixels: 3, ellipticity: 0 }
    const grid = new StarGrid([star], plane, 32)
    const input = { plane, mask, stars: [star], grid, radius: 10, fwhmPixels: 3 }
    const cuts = cutStars(compute, input, [star])
    const start = { amplitude: 100, x: 0, y: 0, form: formOf({ fwhmPixels: 3, e1: 0, e2: 0, beta: 3 }) }
    const options = { radiusPixels: 6, skyVariance: 4, perSignal: 0, perSquare: 0, freeBeta: false, points: 2 } as const
    expect(fitMoffats(compute, cuts, [{ cut: cuts.list[0]!, start }], options)).toEqual([undefined])
  })
})

describe('stamps of Moffat profiles', () => {
  test('are those that float64 arithmetic gives, with any number of nodes a pixel', () => {
    const shapes = [
      { fwhmPixels: 3, e1: 0.1, e2: 0.05, beta: 3 },
      { fwhmPixels: 1.3, e1: 0, e2: -0.2, beta: 4.5 },
    ]
    for (const oversampling of [1, 2, 3]) {
      const stamps = moffatStamps(compute, shapes, 21, oversampling)
      for (const [k, shape] of shapes.entries()) {
        const whole = moffatStamp(shape, 21, oversampling)
        const worst = whole.reduce((most, value, at) => Math.max(most, Math.abs(value - stamps[k]![at]!)), 0)
        // Four points a side instead of two where the grid of four columns begins within the near circle.
        expect(worst).toBeLessThan(2e-5)
      }
    }
  })
})
