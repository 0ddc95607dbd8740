import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { realDataFolder } from '../frames/reference.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { type Expected, gradeFrame } from './grade.ts'
import { examineFrame } from './task.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())

const catalogue = openStarCatalogue()
const size = 700
const scaleDeg = 6 / 3600
const pointing = { raDeg: 56.75, decDeg: 24.12 }
const [sky, noise, zeroPointMag] = [400, 6, 19.5]

interface Sight {
  readonly lostMag?: number
  readonly sigmaPixels?: number
  readonly trailPixels?: number
  /** How far East the telescope looks of where it should. */
  readonly offDeg?: number
  readonly skyAdu?: number
  /** A satellite: a band of this many pixels of height, in front of what is behind it. */
  readonly streak?: 'seen' | 'marked'
}

/** The Pleiades' stars of the catalogue, and as many fainter ones at random places, through a telescope on such a night. */
function draw({ lostMag = 0, sigmaPixels = 1.4, trailPixels = 0, offDeg = 0, skyAdu = sky, streak }: Sight): Frame {
  const random = createRandom('sight')
  const science = compute.float32(size, size)
  const mask = compute.uint16(size, size)
  for (let i = 0; i < science.data.length; i++) science.data[i] = skyAdu + noise * random.normal()
  const raDeg = pointing.raDeg + offDeg / Math.cos((pointing.decDeg * Math.PI) / 180)
  const known = catalogue.starsNear(raDeg, pointing.decDeg, 0.85).map((star) => ({
    x: size / 2 - ((star.raDeg - raDeg) * Math.cos((pointing.decDeg * Math.PI) / 180)) / scaleDeg,
    y: size / 2 + (star.decDeg - pointing.decDeg) / scaleDeg,
    mag: star.mag,
  }))
  const faint = Array.from({ length: 60 }, () => ({ x: size * random.next(), y: size * random.next(), mag: 12 }))
  for (const { x, y, mag } of [...known, ...faint]) {
    const flux = Math.min(4e5, 10 ** (0.4 * (zeroPointMag - lostMag - mag)))
    const steps = Math.max(1, Math.ceil(trailPixels))
    for (let k = 0; k < steps; k++) {
      const along = steps === 1 ? 0 : (k / (steps - 1) - 0.5) * trailPixels
      spot(science.data, x + 0.9 * along, y + 0.436 * along, flux / steps, sigmaPixels)
    }
  }
  if (streak) {
    for (let at = 300 * size; at < 380 * size; at++) {
      // Tumbling: lumps all along it, each as long as a trail.
      const [u, v] = [(at % size) % 24, (Math.floor(at / size) - 300) % 8]
      science.data[at]! += 900 * Math.exp(-0.5 * (((u - 12) / 4.5) ** 2 + ((v - 4) / 1.3) ** 2))
      if (streak === 'marked') mask.data[at] = MaskFlag.streak
    }
  }
  return { header: FitsHeader.empty, width: size, height: size, science, mask, variance: undefined }
}

function spot(pixels: Float32Array, x0: number, y0: number, flux: number, sigma: number): void {
  const reach = Math.ceil(5 * sigma)
  const peak = flux / (2 * Math.PI * sigma * sigma)
  for (let y = Math.max(0, Math.round(y0) - reach); y <= Math.min(size - 1, Math.round(y0) + reach); y++) {
    for (let x = Math.max(0, Math.round(x0) - reach); x <= Math.min(size - 1, Math.round(x0) + reach); x++) {
      pixels[y * size + x]! += peak * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma * sigma))
    }
  }
}

const hint = { ...pointing, radiusDeg: 1.5, scaleArcsecPerPixel: 6 }

function qualityOf(sight: Sight, expected?: Expected) {
  using _scratch = compute.scope()
  return examineFrame(compute, draw(sight), { hint, catalogue, expected, saturationAdu: 60_000 }).quality
}

describe('a simulated frame', () => {
  const usual = qualityOf({})
  const expected: Expected = {
    fwhmPixels: usual.fwhmPixels,
    stars: usual.stars,
    skyAdu: usual.skyAdu,
    zeroPointMag: usual.zeroPointMag!,
  }

  test('of a good night is good, with the zero point that it was drawn with', () => {
    const quality = qualityOf({}, expected)
    expect(quality.reasons).toEqual([])
    expect(quality).toMatchObject({ grade: 'good', solved: true })
    expect(quality.zeroPointMag).toBeCloseTo(zeroPointMag, 1)
  })

  test.each([
    ['clouded', { lostMag: 1.1 }, 'poor'],
    ['clouded', { lostMag: 4.5 }, 'rejected'],
    ['trailed', { trailPixels: 9 }, 'poor'],
    ['trailed', { trailPixels: 20 }, 'rejected'],
    ['trailed', { trailPixels: 30 }, 'rejected'],
    ['defocused', { sigmaPixels: 2.6 }, 'poor'],
    ['defocused', { sigmaPixels: 4.5 }, 'rejected'],
    ['wrong field', { offDeg: 0.9 }, 'poor'],
    ['saturated sky', { skyAdu: 35_000 }, 'poor'],
  ] as const)('is found to be %s: %j', (reason, sight, worst) => {
    const quality = qualityOf(sight, expected)
    expect(quality.reasons.join('; ')).toContain(reason)
    expect(['poor', 'rejected']).toContain(quality.grade)
    if (worst === 'rejected') expect(quality.grade).toBe('rejected')
    // Nothing is said that is not so.
    for (const other of ['trailed', 'defocused', 'wrong field', 'saturated sky']) {
      if (other !== reason) expect(quality.reasons.join('; ')).not.toContain(other)
    }
  })

  test('is not blamed for what lies under marked streaks', () => {
    const [seen, marked] = [qualityOf({ streak: 'seen' }, expected), qualityOf({ streak: 'marked' }, expected)]
    expect(seen.stars).toBeGreaterThan(1.5 * usual.stars)
    expect(marked.reasons).toEqual([])
    expect(marked.stars).toBeLessThan(1.02 * usual.stars)
    expect(marked.ellipticity).toBeCloseTo(usual.ellipticity, 1)
  })
})

test('stars under streaks count when nobody asks for them to be left out', () => {
  using _scratch = compute.scope()
  const { stars, frame } = examineFrame(compute, draw({ streak: 'marked' }))
  const facts = { stars, skyAdu: sky, skyRmsAdu: noise, width: size, height: size, solution: undefined }
  const asked = gradeFrame({ ...facts, mask: frame.mask })
  expect(gradeFrame(facts).stars).toBeGreaterThan(asked.stars)
})

const folder = realDataFolder()
if (!folder) console.log('shared/data is absent: grading real frames is skipped')

describe.skipIf(!folder)('real frames of a good night', () => {
  test('are blamed for nothing', () => {
    const night = join(folder!, 'series/hatp32')
    const frames = readdirSync(night)
      .filter((name) => name.endsWith('.fits.gz'))
      .sort()
    const chosen = [5, 20, 35, 50, 65].map((n) => frames[n]!)
    const measured = chosen.map((name) => {
      using _scratch = compute.scope()
      return examineFrame(compute, readFrame(compute, join(night, name))).quality
    })
    const { fwhmPixels, stars, skyAdu } = measured[2]!
    for (const name of chosen) {
      using _scratch = compute.scope()
      const expected = { fwhmPixels, stars, skyAdu }
      const { quality } = examineFrame(compute, readFrame(compute, join(night, name)), { expected })
      expect(quality.reasons).toEqual([])
    }
    using _scratch = compute.scope()
    const toros = examineFrame(compute, readFrame(compute, join(folder!, 'pairs/toros-eso085/sci.fits')))
    expect(toros.quality.reasons).toEqual([])
  })
})
