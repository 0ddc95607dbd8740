import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { measureBackground } from './background.ts'
import { injectedLimit } from './limitingMagnitude.ts'
import { limitingMagnitude } from './photometry.ts'
import { measureStars, type Star } from './stars.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

const side = 512
const fwhm = 2.5
const noise = 8

/** Sky of 200 ADU with Gaussian noise and stars; `trailPixels` smears them along x. */
function draw(trailPixels: number): Plane {
  const random = createRandom('limit')
  const science = compute.float32(side, side)
  for (let i = 0; i < science.data.length; i++) science.data[i] = 200 + noise * random.normal()
  const sigma = fwhm / 2.354820045
  for (let n = 0; n < 120; n++) {
    const [x, y] = [side * random.next(), side * random.next()]
    const flux = 600 / random.next()
    const peak = flux / (2 * Math.PI * sigma * sigma) / (1 + trailPixels)
    for (let t = 0; t <= trailPixels; t++) {
      for (let v = Math.max(0, Math.ceil(y - 9)); v <= Math.min(side - 1, y + 9); v++) {
        for (let u = Math.max(0, Math.ceil(x - 9)); u <= Math.min(side - 1, x + t + 9); u++) {
          science.data[v * side + u]! += peak * Math.exp(-((u - x - t) ** 2 + (v - y) ** 2) / (2 * sigma * sigma))
        }
      }
    }
  }
  return science
}

function measured(science: Plane): Star[] {
  return measureStars(compute, science, undefined, measureBackground(compute, science, undefined))
}

const about = 10 ** (-0.4 * limitingMagnitude(0, noise, fwhm))

describe('the limit from injected stars', () => {
  // King 1983, PASP 95, 163: a PSF fit sees noise of σ_sky · √(4π) σ; S/N 5 there is where half are found at 5 σ.
  test('of round stars on an even sky is the analytical one', () => {
    using _scratch = compute.scope()
    const science = draw(0)
    const found = injectedLimit(compute, science, undefined, measured(science), {
      fwhmPixels: fwhm,
      aboutFluxAdu: about,
    })!
    expect(found.injected).toBeGreaterThan(200)
    expect(Math.abs(-2.5 * Math.log10(found.fluxAdu / about))).toBeLessThan(0.25)
    expect(found.errorMag).toBeLessThan(0.15)
  })

  test('knows what the formula does not: trailed stars are found later', () => {
    using _scratch = compute.scope()
    const [round, trailed] = [draw(0), draw(6)].map((science) =>
      injectedLimit(compute, science, undefined, measured(science), { fwhmPixels: fwhm, aboutFluxAdu: 1.3 * about }),
    )
    expect(trailed!.fluxAdu / round!.fluxAdu).toBeGreaterThan(1.3)
  })

  test('is unknown without a bright star that stands alone, and on a frame smaller than a tile', () => {
    using _scratch = compute.scope()
    const science = draw(0)
    expect(injectedLimit(compute, science, undefined, [], { fwhmPixels: fwhm, aboutFluxAdu: about })).toBeUndefined()
    const small = compute.float32(40, 40)
    const stars = measured(science)
    expect(injectedLimit(compute, small, undefined, stars, { fwhmPixels: fwhm, aboutFluxAdu: about })).toBeUndefined()
  })
})
