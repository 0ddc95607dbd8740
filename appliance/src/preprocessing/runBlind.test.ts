import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { defaultSettings } from '../contract/config.ts'
import { createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { realDataFolder } from '../frames/reference.ts'
import { skyToPixel } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { writeAstapDatabase } from './astapDatabase.ts'
import { measureBackground } from './background.ts'
import { findBlindSolvers, solveBlind } from './runBlind.ts'
import { calibrateFile } from './runPixels.ts'
import { solveFrom } from './solve.ts'
import { errorPixels, type Observing, observe, type View, wcsOfView } from './solveTrials.ts'
import { measureStars } from './stars.ts'

const catalogue = openStarCatalogue()
const solvers = findBlindSolvers(process.env['PATH'] ?? '')
const index = '/usr/share/astrometry/index-tycho2-10.littleendian.fits'
const data = realDataFolder()
if (!data) console.log('shared/data is absent: blind solving of a real frame is skipped')
const astrometry = solvers.solveField !== undefined && existsSync(index)
if (!astrometry) {
  console.log('skipped: blind solving by astrometry.net; apt-get install astrometry.net astrometry-data-tycho2')
}
if (solvers.astap === undefined) console.log('skipped: blind solving by ASTAP; apt-get install astap-cli')

const view: View = {
  width: 2048,
  height: 1536,
  scaleArcsec: 3.2,
  turnDeg: 71,
  parity: -1,
  raDeg: 294.3,
  decDeg: 35.1,
  bend: 0.002,
}
const observing: Observing = { mostStars: 300, errorPixels: 0.1, errorArcsec: 0.1, missing: 0.1, strangers: 1 }
const { stars } = observe(view, observing, catalogue, createRandom('blind'))
const field = { stars, width: view.width, height: view.height }
/** ASTAP takes a field whose stars are those of its database: it compares groups of four. */
const straight: View = { ...view, bend: 0 }
const alike: Observing = { ...observing, missing: 0.05, strangers: 0.05 }
const drawn = { ...field, stars: observe(straight, alike, catalogue, createRandom('astap')).stars, image: drawField }

describe("another solver's answer", () => {
  test('is refined with our catalogue, bend and all', () => {
    const solution = solveFrom(wcsOfView(view), stars, view.width, view.height, catalogue)
    if (!solution.ok) throw new Error(solution.reason)
    expect(solution.parity).toBe(-1)
    expect(errorPixels(solution.wcs, view)).toBeLessThan(0.3)
  })

  test.each([
    ['half a degree off', { decDeg: 35.6 }],
    ['mirrored', { parity: 1 }],
    ['of another scale', { scaleArcsec: 3.5 }],
    ['turned by 5 degrees', { turnDeg: 76 }],
  ] as const)('is refused when it is %s', (_, change) => {
    const solution = solveFrom(wcsOfView({ ...view, ...change }), stars, view.width, view.height, catalogue)
    expect(solution).toMatchObject({ ok: false, reason: expect.stringContaining('does not confirm') })
  })
})

/** A small picture of the brightest stars. */
function drawImage(): Uint8Array {
  using compute = createCompute({ threads: 1 })
  const plane = compute.float32(512, 512)
  const random = createRandom('picture')
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = 500 + 10 * random.normal()
  for (let n = 0; n < 40; n++) {
    const [x0, y0, peak] = [8 + 496 * random.next(), 8 + 496 * random.next(), 500 / random.next()]
    for (let k = 0; k < 225; k++) {
      const [x, y] = [Math.round(x0) + (k % 15) - 7, Math.round(y0) + Math.floor(k / 15) - 7]
      plane.data[y * 512 + x]! += peak * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 4)
    }
  }
  return encodeFits([{ header: FitsHeader.empty, data: plane }])
}

/** The stars of the view, as a camera shows them. */
function drawField(): Uint8Array {
  using compute = createCompute({ threads: 1 })
  const { width, height } = view
  const plane = compute.float32(width, height)
  const random = createRandom('field')
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = 500 + 8 * random.normal()
  for (const { x, y, fluxAdu } of drawn.stars) {
    for (let v = Math.max(0, Math.round(y) - 8); v <= Math.min(height - 1, y + 8); v++) {
      for (let u = Math.max(0, Math.round(x) - 8); u <= Math.min(width - 1, x + 8); u++) {
        const light = (fluxAdu / (4.4 * Math.PI)) * Math.exp(-((u - x) ** 2 + (v - y) ** 2) / 4.4)
        plane.data[v * width + u] = Math.min(65_000, plane.data[v * width + u]! + light)
      }
    }
  }
  return encodeFits([{ header: FitsHeader.empty, data: plane }])
}

const folder = mkdtempSync(join(tmpdir(), 'nightjar-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('solving blindly', () => {
  test('says what to install when there is no solver', async () => {
    expect(findBlindSolvers('')).toEqual({})
    expect(await solveBlind(field, catalogue, { solvers: {} })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('apt-get install astrometry.net'),
    })
  })

  test.skipIf(!astrometry)('finds a field anywhere with astrometry.net, and leaves nothing behind', async () => {
    const temporary = mkdtempSync(join(folder, 'temporary-'))
    vi.stubEnv('TMPDIR', temporary)
    const solution = await solveBlind(field, catalogue, { solvers, cpuLimitSeconds: 30 })
    if (!solution.ok) throw new Error(solution.reason)
    expect(errorPixels(solution.wcs, view)).toBeLessThan(0.3)
    expect(readdirSync(temporary)).toEqual([])
    vi.unstubAllEnvs()
  })

  test.skipIf(!astrometry || !data)('finds the galaxies that a real frame without a place was taken of', async () => {
    using compute = createCompute({ threads: 1 })
    const frame = readFrame(compute, join(data!, 'single/asi1600_lights_1.fits'))
    const found = measureStars(
      compute,
      frame.science,
      frame.mask,
      measureBackground(compute, frame.science, frame.mask),
    )
    const options = { solvers, scaleArcsecPerPixel: 2.666, cpuLimitSeconds: 30 }
    const solution = await solveBlind({ ...frame, stars: found }, catalogue, options)
    if (!solution.ok) throw new Error(solution.reason)
    // OBJECT is NGC 4492: 12 30 59.7 +08 04 40 (SIMBAD).
    const at = skyToPixel(solution.wcs, 187.7488, 8.0778)!
    expect(at.x > 0 && at.x < frame.width && at.y > 0 && at.y < frame.height).toBe(true)
    // SCALE in the header, from the mount's model of the optics.
    expect(Math.abs(solution.scaleArcsecPerPixel / 2.666463 - 1)).toBeLessThan(0.01)
  })

  test.skipIf(!astrometry || !data)('tells the daemon where a frame points that is not at its field', async () => {
    using compute = createCompute({ threads: 1 })
    const camera = { ...defaultSettings.camera, pixelMicrometres: 3.8, focalLengthMillimetres: 592 }
    const field = { fieldId: 'elsewhere', raDeg: 50, decDeg: -30, exposureSeconds: 2, filter: 'L' }
    const frame = { rawPath: join(data!, 'single/asi1600_lights_1.fits'), masters: {}, field }
    const unasked = await calibrateFile(compute, { ...frame, outPath: join(folder, 'unasked.fits'), camera })
    expect(unasked.quality).toMatchObject({ solved: false, grade: 'rejected' })
    const asked = { ...camera, blindSolving: true }
    const { quality } = await calibrateFile(compute, { ...frame, outPath: join(folder, 'asked.fits'), camera: asked })
    expect(quality.solved).toBe(true)
    expect(quality.reasons).toContainEqual(expect.stringContaining('wrong field'))
    // In the field of NGC 4492, 12 30 59.7 +08 04 40 (SIMBAD).
    expect(Math.hypot(quality.raDeg! - 187.75, quality.decDeg! - 8.08)).toBeLessThan(0.6)
  })

  test.skipIf(!astrometry)('says so when astrometry.net finds nothing', async () => {
    const random = createRandom('nowhere')
    const scattered = stars.map((star) => ({ ...star, x: 2047 * random.next(), y: 1535 * random.next() }))
    const options = { solvers: { solveField: solvers.solveField! }, scaleArcsecPerPixel: 3.2, cpuLimitSeconds: 1 }
    const solution = await solveBlind({ ...field, stars: scattered }, catalogue, options)
    expect(solution).toMatchObject({ ok: false, reason: expect.stringContaining('solve-field: ') })
  })

  test.skipIf(solvers.astap === undefined)('finds a field with ASTAP and a database of our own stars', async () => {
    const database = join(folder, 'astap')
    // Named as Debian's astap_cli (2022.12.09) looks for one; the stars are Tycho-2's around the field.
    writeAstapDatabase(database, 'v17', catalogue.starsNear(view.raDeg, view.decDeg, 6))
    const options = {
      solvers: { astap: solvers.astap!, astapStars: database },
      scaleArcsecPerPixel: view.scaleArcsec,
      near: { raDeg: view.raDeg + 0.7, decDeg: view.decDeg - 0.4, radiusDeg: 3, scaleArcsecPerPixel: view.scaleArcsec },
      cpuLimitSeconds: 20,
    }
    const solution = await solveBlind(drawn, catalogue, options)
    if (!solution.ok) throw new Error(solution.reason)
    expect(solution.parity).toBe(-1)
    expect(errorPixels(solution.wcs, straight)).toBeLessThan(0.3)
  })

  test.skipIf(solvers.astap === undefined)('refuses what ASTAP finds among stars that are elsewhere', async () => {
    const database = join(folder, 'astap-moved')
    const moved = [...catalogue.starsNear(view.raDeg, view.decDeg, 6)].map((star) => ({
      ...star,
      decDeg: star.decDeg - 0.5,
    }))
    writeAstapDatabase(database, 'v17', moved)
    const options = {
      solvers: { astap: solvers.astap!, astapStars: database },
      scaleArcsecPerPixel: view.scaleArcsec,
      near: { raDeg: view.raDeg, decDeg: view.decDeg, radiusDeg: 3, scaleArcsecPerPixel: view.scaleArcsec },
      cpuLimitSeconds: 20,
    }
    const solution = await solveBlind(drawn, catalogue, options)
    expect(solution).toMatchObject({ ok: false, reason: expect.stringContaining('astap_cli: its answer was refused') })
  })

  test.skipIf(solvers.astap === undefined)('passes on what ASTAP says when it has no stars', async () => {
    const options = { solvers: { astap: solvers.astap! }, cpuLimitSeconds: 5 }
    const solution = await solveBlind({ ...field, image: drawImage }, catalogue, options)
    expect(solution).toMatchObject({ ok: false, reason: expect.stringContaining('astap_cli: ') })
  })
})
