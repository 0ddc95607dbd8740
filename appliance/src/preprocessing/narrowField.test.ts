import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { tableHdu } from '../frames/fits/table.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { skyToPixel } from '../frames/wcs.ts'
import type { CatalogueStar } from '../observations/starCatalogue.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { findBlindSolvers, solveBlind } from './runBlind.ts'
import { solve } from './solve.ts'
import { errorPixels, type View, wcsOfView } from './solveTrials.ts'

const builder = '/usr/bin/build-astrometry-index'
const { solveField } = findBlindSolvers(process.env['PATH'] ?? '')
const missing = solveField === undefined || !existsSync(builder)
if (missing) console.log('skipped: solving a small field; apt-get install astrometry.net')

/** Half an arcsecond a pixel: 8.5′, in which the shipped catalogue has two stars. */
const view: View = {
  width: 1024,
  height: 1024,
  scaleArcsec: 0.5,
  turnDeg: 33,
  parity: 1,
  raDeg: 150.2,
  decDeg: 22.1,
  bend: 0,
}
const catalogue = openStarCatalogue()
const random = createRandom('deep sky')

/** The real bright stars of the place and invented faint ones. */
function deepSky(): CatalogueStar[] {
  const stars = [...catalogue.starsNear(view.raDeg, view.decDeg, 0.4)]
  for (let n = 0; n < 1500; n++) {
    const [east, north] = [0.7 * (random.next() - 0.5), 0.7 * (random.next() - 0.5)]
    const raDeg = view.raDeg + east / Math.cos((view.decDeg * Math.PI) / 180)
    stars.push({ raDeg, decDeg: view.decDeg + north, mag: 12 + 5 * Math.sqrt(random.next()) })
  }
  return stars.sort((a, b) => a.mag - b.mag)
}

const sky = deepSky()
const stars = sky.flatMap(({ raDeg, decDeg, mag }) => {
  const at = skyToPixel(wcsOfView(view), raDeg, decDeg)
  if (!at || at.x < 1 || at.y < 1 || at.x > view.width - 2 || at.y > view.height - 2) return []
  const measured = { x: at.x + 0.1 * random.normal(), y: at.y + 0.1 * random.normal() }
  return [{ ...measured, fluxAdu: 10 ** (0.4 * (25 - mag)) }]
})
const field = { stars, width: view.width, height: view.height }
const hint = { raDeg: view.raDeg, decDeg: view.decDeg, radiusDeg: 1, scaleArcsecPerPixel: view.scaleArcsec }
const folder = mkdtempSync(join(tmpdir(), 'nightjar-test-'))
/** solve-field with our index files only. */
const program = join(folder, 'solve-field')
afterAll(() => rmSync(folder, { recursive: true }))

test('alone we say that the catalogue has too few stars in so small a field', () => {
  expect(solve(stars, view.width, view.height, hint, catalogue)).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/in so small a field, and 6 are needed$/),
  })
})

describe.skipIf(missing)('with deeper index files of astrometry.net', () => {
  beforeAll(() => {
    const columns = [
      { name: 'RA', values: sky.map((star) => star.raDeg) },
      { name: 'DEC', values: sky.map((star) => star.decDeg) },
      { name: 'MAG', values: sky.map((star) => star.mag) },
    ]
    const list = join(folder, 'deep.fits')
    writeFileSync(list, encodeFits([{ header: FitsHeader.empty }, { table: tableHdu('SKY', columns) }]))
    const index = join(folder, 'index-9001.fits')
    execFileSync(builder, ['-i', list, '-o', index, '-P', '2', '-S', 'MAG', '-E', '-I', '9001', '-t', folder], {
      stdio: 'ignore',
    })
    writeFileSync(join(folder, 'astrometry.cfg'), `add_path ${folder}\nindex index-9001.fits\n`)
    writeFileSync(program, `#!/bin/sh\nexec ${solveField} --config ${folder}/astrometry.cfg "$@"\n`, { mode: 0o755 })
  })

  const options = { solvers: { solveField: program }, scaleArcsecPerPixel: view.scaleArcsec, cpuLimitSeconds: 20 }

  test('their stars place the field, without a zero point', async () => {
    const solution = await solveBlind(field, catalogue, options)
    if (!solution.ok) throw new Error(solution.reason)
    expect(errorPixels(solution.wcs, view)).toBeLessThan(0.3)
    expect(solution.matched).toBeGreaterThan(30)
    // Two axes of 0.1 px each, and the index's own rounding.
    expect(solution.rmsPixels).toBeLessThan(0.2)
    expect(solution.zeroPoint).toBeUndefined()
  })

  test('a bright star of our catalogue that the frame lacks speaks against them', async () => {
    const bright = { raDeg: view.raDeg + 0.02, decDeg: view.decDeg + 0.01, mag: 7 }
    const contradicting = { starsNear: () => [bright] }
    expect(await solveBlind(field, contradicting, options)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('its answer was refused'),
    })
  })

  test('where our catalogue has stars enough, it alone judges', async () => {
    const elsewhere = Array.from({ length: 12 }, (_, n) => ({
      raDeg: view.raDeg + 0.06 * Math.cos(n),
      decDeg: view.decDeg + 0.05 * Math.sin(3 * n),
      mag: 11.5,
    }))
    expect(await solveBlind(field, { starsNear: () => elsewhere }, options)).toMatchObject({ ok: false })
  })
})
