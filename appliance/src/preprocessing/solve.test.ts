import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { realDataFolder } from '../frames/reference.ts'
import { pixelToSky, skyToPixel, type Wcs } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { measureBackground } from './background.ts'
import { hintFrom } from './headerHint.ts'
import { type SolveHint, type SolveStar, solve } from './solve.ts'
import { measureStars } from './stars.ts'

const catalogue = openStarCatalogue()
const folder = realDataFolder()
if (!folder) console.log('shared/data is absent: solving real frames is skipped')

const degree = Math.PI / 180

interface View {
  readonly width: number
  readonly height: number
  readonly scaleArcsec: number
  readonly turnDeg: number
  readonly parity: 1 | -1
  readonly raDeg: number
  readonly decDeg: number
  /** Cubic radial distortion: relative stretch at the corner. */
  readonly bend: number
}

function wcsOf(view: View): Wcs {
  const scale = view.scaleArcsec / 3600
  const [cos, sin] = [scale * Math.cos(view.turnDeg * degree), scale * Math.sin(view.turnDeg * degree)]
  return {
    referencePixel: [(view.width - 1) / 2, (view.height - 1) / 2],
    raDeg: view.raDeg,
    decDeg: view.decDeg,
    cd: [-view.parity * cos, sin, view.parity * sin, cos],
  }
}

/** Where the lens puts what a perfect one would put at (x, y). */
function bent(view: View, x: number, y: number): { x: number; y: number } {
  const [cx, cy] = [(view.width - 1) / 2, (view.height - 1) / 2]
  const corner = cx * cx + cy * cy
  const stretch = 1 + (view.bend * ((x - cx) ** 2 + (y - cy) ** 2)) / corner
  return { x: cx + (x - cx) * stretch, y: cy + (y - cy) * stretch }
}

/** Catalogue stars as this view would measure them: 0.2 px off, 0.3 mag off, a tenth missing, twice as many others. */
function observe(view: View, random: Random): { stars: SolveStar[]; real: number } {
  const wcs = wcsOf(view)
  const reach = (0.55 * Math.hypot(view.width, view.height) * view.scaleArcsec) / 3600
  const stars: SolveStar[] = []
  for (const known of catalogue.starsNear(view.raDeg, view.decDeg, reach)) {
    const ideal = skyToPixel(wcs, known.raDeg, known.decDeg)
    if (!ideal || random.next() < 0.1) continue
    const at = bent(view, ideal.x, ideal.y)
    const [x, y] = [at.x + 0.2 * random.normal(), at.y + 0.2 * random.normal()]
    if (x < 0 || y < 0 || x > view.width - 1 || y > view.height - 1) continue
    stars.push({ x, y, fluxAdu: 10 ** (-0.4 * (known.mag - 20 + 0.3 * random.normal())) })
  }
  const real = stars.length
  const faintest = Math.min(...stars.map((star) => star.fluxAdu))
  for (let n = 0; n < 2 * real; n++) {
    const [x, y] = [random.next() * view.width, random.next() * view.height]
    stars.push({ x, y, fluxAdu: faintest * random.next() ** -0.7 })
  }
  return { stars, real }
}

function somewhere(random: Random): { raDeg: number; decDeg: number } {
  return { raDeg: 360 * random.next(), decDeg: Math.asin(1.98 * random.next() - 0.99) / degree }
}

/** Within 0.7 of the radius of the truth. */
function blurred(place: { raDeg: number; decDeg: number }, radiusDeg: number, random: Random): SolveHint {
  const reach = 0.5 * radiusDeg
  const decDeg = Math.max(-89.9, Math.min(89.9, place.decDeg + reach * (2 * random.next() - 1)))
  const raDeg = place.raDeg + (reach * (2 * random.next() - 1)) / Math.cos(place.decDeg * degree)
  return { raDeg: ((raDeg % 360) + 360) % 360, decDeg, radiusDeg }
}

/** Largest error of a solution on a grid over the frame, pixels. */
function errorPixels(wcs: Wcs, view: View): number {
  const truth = wcsOf(view)
  let worst = 0
  for (let k = 0; k < 25; k++) {
    const ideal = { x: ((k % 5) / 4) * 0.9 * view.width, y: (Math.floor(k / 5) / 4) * 0.9 * view.height }
    const sky = pixelToSky(truth, ideal.x, ideal.y)
    const found = skyToPixel(wcs, sky.raDeg, sky.decDeg)
    const seen = bent(view, ideal.x, ideal.y)
    worst = Math.max(worst, found ? Math.hypot(found.x - seen.x, found.y - seen.y) : Number.POSITIVE_INFINITY)
  }
  return worst
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
      const { stars } = observe(view, random)
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

  test('never takes the wrong field or random stars for an answer', () => {
    const random = createRandom('false')
    let accepted = 0
    for (let n = 0; n < 208; n++) {
      const place = somewhere(random)
      const scaleArcsec = [1, 2, 3.5, 6][n % 4]!
      const optics = { width: 2048, height: 2048, scaleArcsec, turnDeg: 360 * random.next(), bend: 0 }
      const parity = n % 8 < 4 ? 1 : -1
      const stars =
        n % 2 === 0
          ? observe({ ...optics, ...place, parity }, random).stars
          : Array.from({ length: [30, 120, 500][n % 3]! }, () => ({
              x: 2047 * random.next(),
              y: 2047 * random.next(),
              fluxAdu: random.next() ** -0.7,
            }))
      const elsewhere = n % 2 === 0 ? { raDeg: (place.raDeg + 50) % 360, decDeg: -0.6 * place.decDeg } : place
      const scale = n % 16 < 14 ? { scaleArcsecPerPixel: scaleArcsec } : {}
      const solution = solve(
        stars,
        2048,
        2048,
        { ...elsewhere, radiusDeg: 0.4, scaleTolerance: 0.05, ...scale },
        catalogue,
      )
      if (solution.ok) accepted++
    }
    expect(accepted).toBe(0)
  }, 180_000)

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
