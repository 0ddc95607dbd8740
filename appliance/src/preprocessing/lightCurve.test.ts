import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { type Series, solveEnsemble } from './lightCurve.ts'
import { gainFromSky, photonNoise, scintillation } from './lightCurveNoise.ts'
import { airmassOf, dateMs, exposureMiddleMs } from './lightCurveTime.ts'
import { fitTransit } from './transitFit.ts'
import { transitLight } from './transitModel.ts'

const [frames, stars] = [60, 40]

/** Stars that drift over a detector with an uneven flat; star 0 is the target, 5 % fainter in the middle; star 7 varies. */
function draw(): { series: Series; truth: number[] } {
  const random = createRandom('ensemble')
  const blank = (): Float64Array => new Float64Array(frames * stars).fill(Number.NaN)
  const series = { mag: blank(), noiseMag: blank(), u: blank(), v: blank() }
  const place = Array.from({ length: stars }, () => [2.4 * random.next() - 1.2, 2 * random.next() - 1] as const)
  const truth = Array.from({ length: frames }, (_, n) => (n > 20 && n < 40 ? 0.05 : 0))
  for (let n = 0; n < frames; n++) {
    const cloud = 0.3 * Math.sin(n / 7) ** 2
    for (let star = 0; star < stars; star++) {
      const u = place[star]![0] * (star === 0 ? 0.1 : 1) + 0.008 * (n - 30)
      const v = place[star]![1]
      if (Math.abs(u) > 1) continue
      const at = n * stars + star
      const noise = 0.003 + 0.0004 * star
      const own = star === 0 ? truth[n]! : star === 7 ? 0.1 * Math.sin(n / 3) : 0
      const flat = 0.04 * u * u - 0.03 * u * v + 0.02 * u ** 3
      series.mag[at] = -10 + 0.1 * star + cloud + own + flat + noise * random.normal()
      series.noiseMag[at] = noise
      series.u[at] = u
      series.v[at] = v
    }
  }
  return { series: { frames, stars, ...series, targets: new Set([0]) }, truth }
}

describe('the ensemble', () => {
  test('takes clouds and the uneven flat off, leaves the target its dip, and drops the star that varies', () => {
    const { series, truth } = draw()
    const solved = solveEnsemble(series)!
    expect(solved.used[7]).toBe(false)
    expect(solved.used[0]).toBe(false)
    const target = truth.map((_, n) => solved.residualMag[n * stars]!)
    const inside = target.filter((_, n) => truth[n]! > 0)
    const outside = target.filter((_, n) => truth[n] === 0)
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(Math.abs(mean(inside) - mean(outside) - 0.05)).toBeLessThan(0.003)
    const offsets = target.map((value, n) => value - truth[n]!)
    const scatter = Math.sqrt(mean(offsets.map((value) => (value - mean(offsets)) ** 2)))
    expect(scatter).toBeLessThan(1.25 * 0.003)
    // The brightest comparison stars scatter as they were drawn to.
    for (const star of [1, 2, 3, 4]) {
      if (solved.used[star]) expect(solved.scatterMag[star]! / (0.003 + 0.0004 * star)).toBeLessThan(1.4)
    }
    expect(solved.illumination[0]).toBeCloseTo(0.04, 1)
  })

  test('takes off what air takes more from blue stars than from red ones, and leaves the target its own', () => {
    const random = createRandom('colours')
    const { series, truth } = draw()
    const airmass = Array.from({ length: frames }, (_, n) => 1 + 0.9 * (n / frames) ** 2)
    // A term of 0.04 for each magnitude of B - V and colours that spread by 0.75.
    const own = Array.from({ length: stars }, () => 0.04 * 0.75 * random.normal())
    const mag = series.mag.map((value, at) => value + own[at % stars]! * airmass[Math.floor(at / stars)]!)
    const plain = solveEnsemble({ ...series, mag })!
    const solved = solveEnsemble({ ...series, mag, airmass })!
    const noise = (star: number): number => 0.003 + 0.0004 * star
    const ratios = ({ scatterMag }: typeof solved): number[] =>
      [1, 2, 3, 4, 5, 6, 8, 9, 10]
        .filter((star) => Number.isFinite(scatterMag[star]))
        .map((star) => scatterMag[star]! / noise(star))
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(ratios(solved))).toBeLessThan(1.15)
    expect(mean(ratios(plain))).toBeGreaterThan(1.15 * mean(ratios(solved)))
    expect(solved.extinctionMag[0]).toBe(0)
    // Differences of the target's extinction to the mean star's and its dip are what is left of it.
    const average = mean(own.filter((_, star) => solved.used[star]))
    const rest = truth.map((dip, n) => solved.residualMag[n * stars]! - dip - (own[0]! - average) * airmass[n]!)
    const level = mean(rest)
    expect(Math.sqrt(mean(rest.map((value) => (value - level) ** 2)))).toBeLessThan(1.4 * 0.003)
    // Too short a range of airmass tells nothing.
    const short = solveEnsemble({ ...series, mag, airmass: airmass.map((value) => 1 + 0.1 * (value - 1)) })!
    expect(short.extinctionMag.every((value) => value === 0)).toBe(true)
  })

  test('has no answer without comparison stars', () => {
    const { series } = draw()
    expect(solveEnsemble({ ...series, targets: new Set(Array.from({ length: stars }, (_, s) => s)) })).toBeUndefined()
  })
})

describe('the transit fit', () => {
  test('finds what was put in within its errors, without a first guess, and honest errors', () => {
    const limb = { u1: 0.3, u2: 0.3 }
    const truth = { midTime: 2458107.7113, radiusRatio: 0.15, durationDays: 0.13, impact: 0.1, limb }
    const pulls: number[][] = [[], [], []]
    for (let seed = 0; seed < 8; seed++) {
      const random = createRandom(`transit ${seed}`)
      const time = Array.from({ length: 70 }, (_, i) => 2458107.56 + i * 0.0042)
      const trend = time.map((t) => 1 + 8 * (t - 2458107.6) ** 2)
      const mag = time.map(
        (t, i) => 0.02 * trend[i]! - 2.5 * Math.log10(transitLight(truth, t)) + 0.004 * random.normal(),
      )
      const fit = fitTransit({ time, mag, errorMag: time.map(() => 0.004), trend }, { impact: 0.1, limb })!
      expect(fit.significance).toBeGreaterThan(200)
      const found = [fit.midTime, fit.radiusRatio, fit.durationDays]
      const put = [truth.midTime, truth.radiusRatio, truth.durationDays]
      found.forEach(({ value, error }, k) => {
        pulls[k]!.push((value - put[k]!) / error)
      })
    }
    for (const each of pulls) {
      expect(Math.max(...each.map(Math.abs))).toBeLessThan(3.5)
      const width = Math.sqrt(each.reduce((sum, pull) => sum + pull * pull, 0) / each.length)
      expect(width).toBeGreaterThan(0.4)
      expect(width).toBeLessThan(1.5)
    }
  })

  test('has no answer for too few points', () => {
    const few = [1, 2, 3]
    expect(
      fitTransit({ time: few, mag: few, errorMag: few, trend: few }, { impact: 0, limb: { u1: 0, u2: 0 } }),
    ).toBeUndefined()
  })
})

describe('the noise that must be', () => {
  // By hand: 10 000 ADU at 2 e-/ADU are 20 000 e- (141.4 e-); 50 px of 10 ADU sky from 200 px: 50 · 1.25 · 400 e-².
  test('of photons and sky is that of the CCD equation', () => {
    const noise = { fluxAdu: 10_000, areaPixels: 50, skyRmsAdu: 10, skyPixels: 200, gainElectronsPerAdu: 2 }
    expect(photonNoise(noise)).toBeCloseTo(Math.sqrt(20_000 + 25_000) / 20_000, 10)
    expect(photonNoise({ ...noise, fluxAdu: -1 })).toBeNaN()
  })

  // Young's formula σ = 0.09 D^(−2/3) X^1.75 (2t)^(−1/2) exp(−h/8000), D in cm: Osborn et al. 2015 put C ≈ 1.5 times on it.
  test('of the air is about one and a half times what Young measured', () => {
    const young = (0.09 * 15.2 ** (-2 / 3) * Math.exp(-1268 / 8000)) / Math.sqrt(2 * 60)
    const ratio = scintillation({ apertureMetres: 0.152, elevationMetres: 1268 }, 60, 1) / young
    expect(ratio).toBeGreaterThan(1.4)
    expect(ratio).toBeLessThan(1.8)
    expect(scintillation({ apertureMetres: undefined, elevationMetres: 0 }, 60, 1)).toBe(0)
  })

  test('tells the gain when the sky brightens, and nothing when it does not', () => {
    const random = createRandom('sky')
    const levels = Array.from({ length: 40 }, (_, i) => 340 + i)
    const rms = levels.map((level) => Math.sqrt(0.4 + (level - 300) / 30) * (1 + 0.005 * random.normal()))
    const found = gainFromSky(levels, rms)!
    expect(Math.abs(found.electronsPerAdu / 30 - 1)).toBeLessThan(3 * found.relativeError)
    expect(
      gainFromSky(
        levels.map(() => 350 + random.next()),
        rms.map(() => 1.2 + 0.01 * random.normal()),
      ),
    ).toBeUndefined()
  })
})

describe('when and how high a frame was taken', () => {
  test('zones are obeyed and their absence means UTC', () => {
    const utc = Date.UTC(2017, 11, 20, 2, 3, 12, 855)
    for (const text of [
      '2017-12-19T19:03:12.855-0700',
      '2017-12-20T02:03:12.855',
      '2017-12-20T02:03:12.855Z',
      '2017-12-20T03:33:12.855+01:30',
    ]) {
      expect(dateMs(text)).toBe(utc)
    }
    expect(dateMs('20/12/17')).toBeUndefined()
    const header = FitsHeader.from({ 'DATE-OBS': '2017-12-19T19:03:12.855-0700', EXPTIME: 60, TELALT: 67.072 })
    expect(exposureMiddleMs(header)).toBe(utc + 30_000)
    // Plane-parallel air at this altitude: 1 / sin 67.072° = 1.0858.
    expect(airmassOf(header)).toBeCloseTo(1.0858, 2)
    expect(exposureMiddleMs(FitsHeader.from({ EXPTIME: 60 }))).toBeUndefined()
  })
})
