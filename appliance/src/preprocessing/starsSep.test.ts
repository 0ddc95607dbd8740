import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { measureBackground } from './background.ts'
import { measureStars, type Star, StarFlag } from './stars.ts'

/**
 * Made by scripts/reference/stars_simulated.py: sep's windowed positions, flux in 5.5 px, its S/N, half-flux radius within
 * 2.5 FWHM from 25 points across a pixel, 1 − b/a, and that radius from the usual 5 points.
 */
type SepStar = readonly [
  x: number,
  y: number,
  flux: number,
  snr: number,
  half: number,
  ellipticity: number,
  coarse: number,
]
const reference = JSON.parse(readFileSync(new URL('./starsSep.reference.json', import.meta.url), 'utf8')) as {
  readonly sum: number
  readonly stars: readonly SepStar[]
}
const [side, step, sky, noise] = [600, 30, 500, 20]

/** Numerical Recipes' linear congruential generator: Python's reference draws the same frame. */
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
}

function draw(compute: Compute): Plane {
  const next = uniform(1)
  const pixels = Float64Array.from({ length: side * side }, () => {
    let sum = -6
    for (let k = 0; k < 12; k++) sum += next()
    return sky + noise * sum
  })
  const place = uniform(2)
  const across = side / step - 1
  for (let n = 0; n < across * across; n++) {
    const x0 = step * (1 + (n % across)) + place()
    const y0 = step * (1 + Math.floor(n / across)) + place()
    const peak = (1500 * 1.015 ** n) / (2 * Math.PI * 1.5 * 1.25)
    for (let y = Math.floor(y0) - 12; y <= Math.floor(y0) + 12; y++) {
      for (let x = Math.floor(x0) - 12; x <= Math.floor(x0) + 12; x++) {
        const [u, v] = [0.8 * (x - x0) + 0.6 * (y - y0), 0.8 * (y - y0) - 0.6 * (x - x0)]
        pixels[y * side + x]! += peak * Math.exp(-0.5 * ((u / 1.5) ** 2 + (v / 1.25) ** 2))
      }
    }
  }
  const plane = compute.float32(side, side)
  plane.data.set(pixels)
  return plane
}

function nearest(stars: readonly Star[], [x, y]: SepStar): { readonly star: Star; readonly distance: number } {
  const away = (star: Star): number => Math.hypot(star.x - x, star.y - y)
  const star = stars.reduce((best, other) => (away(other) < away(best) ? other : best))
  return { star, distance: away(star) }
}

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!
}

/** sep's threshold of 1.5 is 4 deviations of its filtered image (3/8 of white noise passes its filter). */
const equalThreshold = 4

describe('stars beside sep', () => {
  using compute = createCompute({ threads: 1 })
  const plane = draw(compute)
  const background = measureBackground(compute, plane, undefined)
  const found = measureStars(compute, plane, undefined, background, { thresholdSigma: equalThreshold })
  const good = found.filter(({ flags }) => (flags & StarFlag.unsettled) === 0)
  const pairs = reference.stars
    .filter(([, , , snr]) => snr > 20)
    .map((sep) => ({ ...nearest(good, sep), flux: sep[2], half: sep[4], coarse: sep[6], snr: sep[3] }))

  test('are measured in the same frame', () => {
    const sum = plane.data.reduce((total, value) => total + value, 0)
    expect(Math.abs(sum / reference.sum - 1)).toBeLessThan(1e-7)
    expect(pairs.length).toBeGreaterThan(200)
  })

  test('lie within 0.02 px', () => {
    for (const { distance } of pairs) expect(distance).toBeLessThan(0.02)
  })

  test('have the flux of sep within 0.5 %', () => {
    for (const { star, flux } of pairs) expect(Math.abs(star.fluxAdu / flux - 1)).toBeLessThan(0.005)
  })

  test('have the half-flux radius of sep: the typical one within 0.2 %, 95 of 100 above S/N 50 within 0.5 %', () => {
    const strong = pairs.filter(({ snr }) => snr > 50)
    const ratios = strong.map(({ star, half }) => star.hfrPixels / half - 1)
    expect(Math.abs(quantile(ratios, 0.5))).toBeLessThan(0.001)
    expect(quantile(ratios.map(Math.abs), 0.5)).toBeLessThan(0.002)
    expect(quantile(ratios.map(Math.abs), 0.95)).toBeLessThan(0.005)
  })

  test('have the half-flux radius of sep with its usual 5 points across a pixel within 0.02 px', () => {
    const strong = pairs.filter(({ snr }) => snr > 50)
    const away = strong.map(({ star, coarse }) => Math.abs(star.hfrPixels - coarse))
    expect(strong.length).toBeGreaterThan(100)
    expect(quantile(away, 0.99)).toBeLessThan(0.02)
    expect(quantile(away, 0.5)).toBeLessThan(0.006)
  })

  test('have in their Kron ellipse what a Gaussian has within 2.5 of its first moments, to 0.5 %', () => {
    // Kron 1980: the moment of a Gaussian is √(π / 2) σ, and 1 − exp(−r² / 2 σ²) of it lies within r.
    const share = 1 - Math.exp(-0.5 * 2.5 ** 2 * (Math.PI / 2))
    const strong = pairs.filter(({ snr }) => snr > 100)
    // 5.5 px are 4 σ of these stars and hold all of them but 0.1 %.
    const away = strong.map(({ star, flux }) => star.kronFluxAdu! / flux / share - 1)
    expect(strong.length).toBeGreaterThan(100)
    expect(Math.abs(quantile(away, 0.5))).toBeLessThan(0.002)
    expect(quantile(away.map(Math.abs), 0.9)).toBeLessThan(0.005)
  })

  test('are as long as they were drawn, within 0.5 %', () => {
    // Profiles are drawn at the centres of pixels. sep 1.2.1 has isophotal moments: 0.033 less at this threshold.
    const truth = 1 - 1.25 / 1.5
    const away = pairs.filter(({ snr }) => snr > 100).map(({ star }) => star.ellipticity - truth)
    expect(Math.abs(quantile(away, 0.5))).toBeLessThan(0.005)
    expect(quantile(away.map(Math.abs), 0.9)).toBeLessThan(0.01)
  })

  test('are the same stars at the same depth', () => {
    const same = reference.stars.filter((sep) => nearest(found, sep).distance < 0.2).length
    expect(same / reference.stars.length).toBeGreaterThanOrEqual(0.99)
    expect(found.length / reference.stars.length).toBeLessThan(1.02)
  })
})
