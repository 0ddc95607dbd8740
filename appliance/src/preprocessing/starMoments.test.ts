import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import type { Plane } from '../frames/plane.ts'
import { measureBackground } from './background.ts'
import { measureMoments, type StarMoments } from './starMoments.ts'
import { measureStars, type Star, StarFlag } from './stars.ts'

/** Made by scripts/reference/star_moments.py with sep 1.2.1. */
type SepStar = readonly [
  windowedX: number,
  windowedY: number,
  flux: number,
  snr: number,
  half: number,
  a: number,
  b: number,
  angleDeg: number,
  pixels: number,
  alone: number,
]
interface SepFrame {
  readonly rms: number
  readonly stars: readonly SepStar[]
}
const reference = JSON.parse(readFileSync(new URL('./starMoments.reference.json', import.meta.url), 'utf8')) as {
  readonly drawn: readonly (SepFrame & { readonly fwhm: number; readonly sum: number })[]
  readonly files: Readonly<Record<string, SepFrame & { readonly path: string }>>
}
const [side, step, sky, noise, beta] = [720, 60, 500, 10, 4]
const across = side / step - 1

/** Numerical Recipes' linear congruential generator: Python's reference draws the same frame. */
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296
  }
}

interface Place {
  readonly x: number
  readonly y: number
}

function placesOf(fwhm: number): Place[] {
  const next = uniform(Math.round(1000 * fwhm) + 1)
  return Array.from({ length: across * across }, (_, n) => {
    const x = step * (1 + (n % across)) + next()
    return { x, y: step * (1 + Math.floor(n / across)) + next() }
  })
}

function moffat(pixels: Float64Array, { x: x0, y: y0 }: Place, flux: number, fwhm: number): void {
  const alpha = fwhm / (2 * Math.sqrt(2 ** (1 / beta) - 1))
  const peak = (flux * (beta - 1)) / (Math.PI * 0.85 * alpha ** 2)
  for (let y = Math.floor(y0) - 18; y <= Math.floor(y0) + 18; y++) {
    for (let x = Math.floor(x0) - 18; x <= Math.floor(x0) + 18; x++) {
      const [u, v] = [0.8 * (x - x0) + 0.6 * (y - y0), (0.8 * (y - y0) - 0.6 * (x - x0)) / 0.85]
      pixels[y * side + x]! += peak * (1 + (u * u + v * v) / alpha ** 2) ** -beta
    }
  }
}

function draw(compute: Compute, fwhm: number): Plane {
  const next = uniform(Math.round(1000 * fwhm))
  const pixels = Float64Array.from({ length: side * side }, () => {
    let sum = -6
    for (let k = 0; k < 12; k++) sum += next()
    return sky + noise * sum
  })
  for (const [n, place] of placesOf(fwhm).entries()) {
    const flux = 3000 * 1.03 ** n
    const away = 3.2 + fwhm
    moffat(pixels, place, flux, fwhm)
    if (n % 3 === 2) moffat(pixels, { x: place.x + 0.6 * away, y: place.y - 0.8 * away }, 0.4 * flux, fwhm)
  }
  const plane = compute.float32(side, side)
  plane.data.set(pixels)
  return plane
}

interface Pair {
  readonly sep: SepStar
  readonly star: Star
  readonly moments: StarMoments | undefined
}

function nearest<T extends Place>(list: readonly T[], { x, y }: Place): T {
  const away = (each: Place): number => Math.hypot(each.x - x, each.y - y)
  return list.reduce((best, other) => (away(other) < away(best) ? other : best))
}

function pairsOf(compute: Compute, science: Plane, sep: SepFrame): Pair[] {
  const background = measureBackground(compute, science, undefined)
  const stars = measureStars(compute, science, undefined, background, { thresholdSigma: 4 })
  const moments = measureMoments(compute, science, undefined, background, stars)
  return sep.stars.flatMap((each) => {
    const star = nearest(stars, { x: each[0], y: each[1] })
    if (Math.hypot(star.x - each[0], star.y - each[1]) > 1) return []
    return [{ sep: each, star, moments: moments[stars.indexOf(star)] }]
  })
}

/** How far our shapes are from sep's, star by star. */
function differences(pairs: readonly Pair[]) {
  const both = pairs.filter((pair) => pair.sep[9] === 1 && pair.moments)
  const of = (value: (pair: Pair, moments: StarMoments) => number): number[] =>
    both.map((pair) => Math.abs(value(pair, pair.moments!)))
  const fwhm = (a: number, b: number): number => 2 * Math.sqrt(Math.LN2 * (a * a + b * b))
  return {
    count: both.length,
    windowed: of(({ sep }, { windowedX, windowedY }) => Math.hypot(windowedX - sep[0], windowedY - sep[1])),
    half: of(({ sep }, { halfRadiusPixels }) => halfRadiusPixels / sep[4] - 1),
    long: of(({ sep }, { aPixels }) => aPixels / sep[5] - 1),
    short: of(({ sep }, { bPixels }) => bPixels / sep[6] - 1),
    fwhm: of(({ sep }, { fwhmPixels }) => fwhmPixels / fwhm(sep[5], sep[6]) - 1),
    ellipticity: of(({ sep }, { ellipticity }) => ellipticity - (1 - sep[6] / sep[5])),
    angleDeg: of(({ sep }, { angleDeg }) => ((((angleDeg - sep[7] + 90) % 180) + 180) % 180) - 90),
  }
}

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!
}

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

describe.each(reference.drawn)('drawn stars of FWHM $fwhm px', (sep) => {
  const science = draw(compute, sep.fwhm)
  const pairs = pairsOf(compute, science, sep)
  const truth = placesOf(sep.fwhm)
  const away = (x: number, y: number, n: number): number => Math.hypot(x - truth[n]!.x, y - truth[n]!.y)
  const sepPlaces = sep.stars.map(([x, y]) => ({ x, y }))

  test('are those that sep measured', () => {
    expect(Math.abs(science.data.reduce((sum, value) => sum + value, 0) / sep.sum - 1)).toBeLessThan(1e-7)
    const alone = (list: readonly SepStar[]): number => list.filter((each) => each[9] === 1).length
    expect(alone(pairs.map((pair) => pair.sep)) / alone(sep.stars)).toBeGreaterThan(0.97)
  })

  test('have the isophotal shape, half-light radius and windowed place of sep, 95 of 100 within 0.1 %', () => {
    const { count, windowed, angleDeg, ...shapes } = differences(pairs)
    expect(count).toBeGreaterThanOrEqual(75)
    for (const values of Object.values(shapes)) {
      expect(quantile(values, 0.95)).toBeLessThan(0.001)
      expect(quantile(values, 1)).toBeLessThan(0.005)
    }
    expect(Math.max(...windowed)).toBeLessThan(0.001)
    expect(quantile(angleDeg, 0.95)).toBeLessThan(0.1)
  })

  test('lie within 0.02 px of where sep sees them', () => {
    const apart = pairs
      .filter(({ sep: each }) => each[9] === 1)
      .map(({ star, sep: [x, y] }) => Math.hypot(star.x - x, star.y - y))
    expect(quantile(apart, 0.5)).toBeLessThan(0.012)
    expect(quantile(apart, 0.95)).toBeLessThan(0.02)
  })

  test('lie at least as near to the truth as with sep, where stars are alone and where they touch', () => {
    for (const touching of [false, true]) {
      const ours: number[] = []
      const theirs: number[] = []
      for (let n = 30; n < truth.length; n++) {
        if ((n % 3 === 2) !== touching) continue
        const star = nearest(
          pairs.map((pair) => pair.star),
          truth[n]!,
        )
        const other = nearest(sepPlaces, truth[n]!)
        ours.push(away(star.x, star.y, n))
        theirs.push(away(other.x, other.y, n))
      }
      const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
      expect(ours.length).toBeGreaterThan(25)
      expect(mean(ours)).toBeLessThan(1.15 * mean(theirs))
    }
  })

  test('are as long as they were drawn', () => {
    const strong = pairs.filter(({ star, sep: each }) => each[9] === 1 && star.snr > 100)
    const wrong = strong.map(({ star }) => star.ellipticity - 0.15)
    // Profiles of FWHM 1.8 px, taken at the centres of pixels, hardly have a shape.
    expect(Math.abs(quantile(wrong, 0.5))).toBeLessThan(sep.fwhm < 2 ? 0.01 : 0.003)
    expect(strong.some(({ star }) => (star.flags & (StarFlag.unsettled | StarFlag.sharp)) !== 0)).toBe(false)
  })
})

const data = fileURLToPath(new URL('../../../../shared/data', import.meta.url))
if (!existsSync(data)) console.log('skipped: shapes of real stars beside sep: ../shared/data is absent')

describe.skipIf(!existsSync(data)).each(['toros', 'na36'])('the real stars of %s', (name) => {
  test('have the shapes of sep', () => {
    using _scratch = compute.scope()
    const sep = reference.files[name]!
    const { science } = readFrame(compute, join(data, sep.path))
    const { count, windowed, angleDeg: _angle, ...shapes } = differences(pairsOf(compute, science, sep))
    expect(count).toBeGreaterThan(name === 'toros' ? 150 : 14)
    for (const values of [...Object.values(shapes), windowed]) {
      expect(quantile(values, 0.5)).toBeLessThan(0.002)
      expect(quantile(values, 0.8)).toBeLessThan(0.005)
    }
  })
})
