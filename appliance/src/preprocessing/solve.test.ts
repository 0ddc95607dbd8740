import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { realDataFolder } from '../frames/reference.ts'
import { type SkyPosition, skyToPixel } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { measureBackground } from './background.ts'
import { hintFrom } from './headerHint.ts'
import { type SolveHint, solve } from './solve.ts'
import {
  drawTrial,
  drawWrong,
  errorPixels,
  injectedRmsPixels,
  type Observing,
  observe,
  placeAway,
  quantile,
  runTrial,
  somewhere,
  type View,
  wrongs,
} from './solveTrials.ts'
import { measureStars } from './stars.ts'

const catalogue = openStarCatalogue()
const folder = realDataFolder()
if (!folder) console.log('shared/data is absent: solving real frames is skipped')

const degree = Math.PI / 180
const usual: Observing = { mostStars: 1e6, errorPixels: 0.2, errorArcsec: 0, missing: 0.1, strangers: 2 }

/** Within 0.7 of the radius of the truth. */
function blurred(place: SkyPosition, radiusDeg: number, random: Random): SolveHint {
  return { ...placeAway(place, 0.7 * radiusDeg * random.next(), random), radiusDeg }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

describe('the solver', () => {
  test.each([
    ['a 2 degree field', { width: 2048, height: 2048, scaleArcsec: 3.5, bend: 0 }, 1, true],
    ['the same without knowing the scale', { width: 2048, height: 2048, scaleArcsec: 3.5, bend: 0 }, 1, false],
    ['a 1.8 by 1.2 degree field of 12 Mpix', { width: 4144, height: 2822, scaleArcsec: 1.55, bend: 0 }, 1, true],
    ['a short lens that bends', { width: 1280, height: 1024, scaleArcsec: 8, bend: 0.003 }, 2, true],
    ['a small frame of unknown scale', { width: 650, height: 500, scaleArcsec: 5.2, bend: 0 }, 1, false],
    ['a 6 degree field that bends', { width: 1600, height: 1200, scaleArcsec: 14, bend: 0.004 }, 3, true],
  ] as const)('solves %s at any angle, in both parities', (name, optics, radiusDeg, scaleKnown) => {
    const random = createRandom(name)
    for (let n = 0; n < 12; n++) {
      const place = somewhere(random)
      const view: View = { ...optics, ...place, turnDeg: 360 * random.next(), parity: n % 2 === 0 ? 1 : -1 }
      const { stars } = observe(view, usual, catalogue, random)
      const hint = blurred(place, radiusDeg, random)
      const scale = scaleKnown ? { scaleArcsecPerPixel: 1.03 * optics.scaleArcsec } : {}
      const solution = solve(stars, view.width, view.height, { ...hint, ...scale }, catalogue)
      if (!solution.ok) throw new Error(`${JSON.stringify(view)}: ${solution.reason}`)
      expect(solution.parity).toBe(view.parity)
      expect(Math.abs(solution.scaleArcsecPerPixel / view.scaleArcsec - 1)).toBeLessThan(0.004)
      expect(Math.abs(((solution.rotationDeg - view.turnDeg + 540) % 360) - 180)).toBeLessThan(0.1)
      expect(errorPixels(solution.wcs, view)).toBeLessThan(0.9)
      expect(solution.rmsPixels).toBeLessThan(0.6)
      // Made with a zero point of 20.
      expect(solution.zeroPointMag).toBeCloseTo(20, 0)
    }
  })

  test('finds frames of all kinds from a hint within 2 degrees, to the error of their stars', () => {
    const random = createRandom('trials')
    const results = Array.from({ length: 40 }, () => runTrial(drawTrial(catalogue, random), catalogue, cpuMs))
    expect(results.filter((result) => !result.solved || result.wrong)).toEqual([])
    const excess = results.map(({ trial, rmsPixels }) => rmsPixels / injectedRmsPixels(trial))
    expect(quantile(excess, 0.5)).toBeGreaterThan(0.9)
    expect(quantile(excess, 0.5)).toBeLessThan(1.1)
    expect(quantile(excess, 0.95)).toBeLessThan(1.5)
    expect(
      quantile(
        results.map((result) => result.errorPixels),
        1,
      ),
    ).toBeLessThan(1.5)
  })

  test.each(wrongs)('never takes a wrong answer: %s', (wrong) => {
    const random = createRandom(`wrong ${wrong}`)
    const results = Array.from({ length: 4 }, () => runTrial(drawWrong(wrong, catalogue, random), catalogue, cpuMs))
    expect(results.filter((result) => result.wrong)).toEqual([])
    if (wrong !== 'few stars') expect(results.filter((result) => result.solved)).toEqual([])
  })

  test('takes no random stars for an answer when the scale is unknown', () => {
    const random = createRandom('false')
    for (let n = 0; n < 3; n++) {
      const stars = Array.from({ length: [30, 120, 500][n % 3]! }, () => ({
        x: 2047 * random.next(),
        y: 2047 * random.next(),
        fluxAdu: random.next() ** -0.7,
      }))
      expect(solve(stars, 2048, 2048, { ...somewhere(random), radiusDeg: 1 }, catalogue).ok).toBe(false)
    }
  })

  test('says why it cannot', () => {
    const few = solve([{ x: 1, y: 2, fluxAdu: 3 }], 100, 100, { raDeg: 0, decDeg: 0, radiusDeg: 1 }, catalogue)
    expect(few).toEqual({ ok: false, reason: 'only 1 usable stars; solving needs 6' })
    const random = createRandom('empty')
    const stars = Array.from({ length: 20 }, () => ({ x: 99 * random.next(), y: 99 * random.next(), fluxAdu: 1 }))
    const none = { starsNear: () => [] }
    expect(solve(stars, 100, 100, { raDeg: 0, decDeg: 0, radiusDeg: 1 }, none)).toEqual({
      ok: false,
      reason: 'the catalogue has too few stars near the hint',
    })
    const small = { ...somewhere(random), radiusDeg: 0.5, scaleArcsecPerPixel: 0.3 }
    expect(solve(stars, 100, 100, small, catalogue)).toEqual({
      ok: false,
      reason: expect.stringMatching(/in so small a field, and 6 are needed$/),
    })
  })

  describe.skipIf(!folder)('on real frames', () => {
    test('solves every frame of the HAT-P-32 night without a scale, where astrometry.net does', () => {
      using compute = createCompute({ threads: 2 })
      const night = join(folder!, 'series/hatp32')
      const files = readdirSync(night).filter((name) => name.endsWith('.gz'))
      for (const name of files.filter((_, n) => n % 5 === 0)) {
        using _scope = compute.scope()
        const frame = readFrame(compute, join(night, name))
        const stars = measureStars(
          compute,
          frame.science,
          frame.mask,
          measureBackground(compute, frame.science, frame.mask),
        )
        // The star of the night, 02:04:10.28 +46:41:16.2, is somewhere in the frame.
        const hint = { raDeg: 31.04283, decDeg: 46.68783, radiusDeg: 1 }
        const solution = solve(stars, frame.width, frame.height, hint, catalogue)
        if (!solution.ok) throw new Error(`${name}: ${solution.reason}`)
        expect(solution.rmsPixels).toBeLessThan(0.5)
        const star = skyToPixel(solution.wcs, hint.raDeg, hint.decDeg)!
        expect(star.x > 0 && star.x < frame.width && star.y > 0 && star.y < frame.height).toBe(true)
        if (name !== 'HATP-32171220020312.fits.gz') continue
        // solve-field 0.93 with the Tycho-2 index: centre 31.230725 46.763458, 5.1661″, mirrored.
        expect(Math.abs(solution.raDeg - 31.230725) * Math.cos(46.76 * degree) * 3600).toBeLessThan(1.5)
        expect(Math.abs(solution.decDeg - 46.763458) * 3600).toBeLessThan(1.5)
        expect(solution.scaleArcsecPerPixel).toBeCloseTo(5.166, 2)
      }
    })

    test("solves INDI's simulated M 47 with what its header says, to where it was pointed", () => {
      using compute = createCompute({ threads: 1 })
      const frame = readFrame(compute, join(folder!, 'single/indi_simulator_m47.fits'))
      const background = measureBackground(compute, frame.science, frame.mask)
      const stars = measureStars(compute, frame.science, frame.mask, background)
      const solution = solve(stars, frame.width, frame.height, hintFrom(frame.header, 1280, 1024)!, catalogue)
      if (!solution.ok) throw new Error(solution.reason)
      // RA 114.1438, DEC −14.48393, FOCALLEN 900 and XPIXSZ 5.2 in the header.
      expect(solution.raDeg).toBeCloseTo(114.1438, 3)
      expect(solution.decDeg).toBeCloseTo(-14.48393, 3)
      expect(solution.scaleArcsecPerPixel).toBeCloseTo((206264.806 * 5.2e-6) / 0.9, 2)
    })
  })
})
