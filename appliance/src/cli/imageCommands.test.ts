import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, it } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { openFits } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { realDataFolder } from '../frames/reference.ts'
import { skyToPixel, type Wcs, wcsFromHeader } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import * as calibrate from './calibrate.ts'
import { main } from './main.ts'
import * as solve from './solve.ts'
import * as stars from './stars.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-image-commands-'))
afterAll(() => rmSync(folder, { recursive: true }))
const commands = { calibrate, solve, stars }
const data = realDataFolder()
if (!data) console.log('shared/data is absent: the commands are not tried on real files')

/** Runs a command line and collects what it printed. */
async function nightjar(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const original = console.log
  console.log = (text: string) => (out += `${text}\n`)
  try {
    const status = await main(argv, {
      out: (text) => (out += text),
      err: (text) => (err += text),
      debug: false,
      load: async (name) => commands[name as keyof typeof commands],
    })
    return { status, out, err }
  } finally {
    console.log = original
  }
}

const truth: Wcs = {
  referencePixel: [399.5, 299.5],
  raDeg: 56.75,
  decDeg: 24.12,
  cd: [-0.0016, 0.0001, 0.0001, 0.0016],
}

/** The Pleiades as a small camera would show them, header and all. */
function drawPleiades(path: string): void {
  const [width, height] = [800, 600]
  const random = createRandom('pleiades')
  const pixels = new Uint16Array(width * height).map(() => 500 + 8 * random.normal())
  for (const star of openStarCatalogue().starsNear(truth.raDeg, truth.decDeg, 1)) {
    const at = skyToPixel(truth, star.raDeg, star.decDeg)
    if (!at) continue
    const peak = 10 ** (-0.4 * (star.mag - 18.5)) / (2 * Math.PI * 1.4 ** 2)
    for (let y = Math.max(0, Math.floor(at.y) - 7); y < Math.min(height, at.y + 8); y++) {
      for (let x = Math.max(0, Math.floor(at.x) - 7); x < Math.min(width, at.x + 8); x++) {
        const light = peak * Math.exp(-((x - at.x) ** 2 + (y - at.y) ** 2) / (2 * 1.4 ** 2))
        pixels[y * width + x] = Math.min(65535, pixels[y * width + x]! + light)
      }
    }
  }
  const header = FitsHeader.from({
    OBJCTRA: '03 47 00',
    OBJCTDEC: '+24 07 00',
    EXPTIME: 60,
    FOCALLEN: 135,
    XPIXSZ: 3.76,
  })
  writeFileSync(path, encodeFits([{ header, data: { width, height, data: pixels } }]))
}

function writeFlat(path: string, value: number, exposureSeconds: number): void {
  const header = FitsHeader.from({ EXPTIME: exposureSeconds })
  writeFileSync(
    path,
    encodeFits([{ header, data: { width: 800, height: 600, data: new Uint16Array(480_000).fill(value) } }]),
  )
}

describe('the image commands', () => {
  const image = join(folder, 'pleiades.fits')
  drawPleiades(image)

  it('solve finds where the header only roughly says, and writes a WCS that others read', async () => {
    const solved = join(folder, 'solved.fits')
    const { status, out, err } = await nightjar('solve', image, '--json', '--write', solved)
    expect(err).toBe('')
    expect(status).toBe(0)
    const solution = JSON.parse(out) as { raDeg: number; decDeg: number; rmsPixels: number }
    expect(Math.abs(solution.raDeg - truth.raDeg) * Math.cos(0.42) * 3600).toBeLessThan(1.5)
    expect(Math.abs(solution.decDeg - truth.decDeg) * 3600).toBeLessThan(1.5)
    expect(wcsFromHeader(openFits(solved).hdus[0]!.header)?.raDeg).toBe(solution.raDeg)
  })

  it('solve takes a place south of the equator from the command line, and says so when nothing is there', async () => {
    const { status, err } = await nightjar('solve', image, '--ra', '10:20:30', '--dec', '-41:30', '--radius', '1')
    expect(status).toBe(1)
    expect(err).toMatch(/pleiades\.fits: no match within 1° of 155\.125 -41\.500 among \d+ stars/)
    expect(err.trim().split('\n')).toHaveLength(1)
  })

  it('stars lists them as JSON and as a table', async () => {
    const { out } = await nightjar('stars', image, '--json')
    const { list, stars, fwhmPixels } = JSON.parse(out) as { list: unknown[]; stars: number; fwhmPixels: number }
    expect(list).toHaveLength(stars)
    expect(stars).toBeGreaterThan(60)
    expect(fwhmPixels).toBeCloseTo(2.3548 * 1.4, 0)
    const table = (await nightjar('stars', image, '--csv')).out.trim().split('\n')
    expect(table[0]).toMatch(/^x,y,fluxAdu,fluxErrorAdu,.*flags$/)
    expect(table).toHaveLength(stars + 1)
    const shapes = (await nightjar('stars', image, '--csv', '--isophotes')).out.trim().split('\n')
    expect(shapes).toHaveLength(stars + 1)
    expect(shapes[0]).toBe(
      `${table[0]},isophotalX,isophotalY,isophotalA,isophotalB,isophotalAngleDeg,isophotalFluxAdu,isophotalPixels,halfLightRadiusPixels,windowedX,windowedY`,
    )
    // Where a star is alone its isophotal place is its place.
    const cells = shapes.slice(1).map((line) => line.split(','))
    const at = shapes[0]!.split(',').indexOf('isophotalX')
    const told = cells.filter((row) => row[at] !== '')
    expect(told.length).toBeGreaterThan(30)
    for (const row of told) expect(Math.abs(Number(row[at]) - Number(row[0]))).toBeLessThan(1)
  })

  it('calibrate takes masters and raw calibration frames, and refuses a dark that does not fit', async () => {
    for (const n of [1, 2, 3]) writeFlat(join(folder, `bias${n}.fits`), 99 + n, 0)
    writeFlat(join(folder, 'dark.fits'), 130, 30)
    writeFlat(join(folder, 'flat.fits'), 20_000, 1)
    const biases = [1, 2, 3].flatMap((n) => ['--bias', join(folder, `bias${n}.fits`)])
    const masters = [...biases, '--dark', join(folder, 'dark.fits'), '--flat', join(folder, 'flat.fits')]
    const done = await nightjar('calibrate', image, ...masters, '--gain', '1.5', '--out', folder, '--json')
    expect(done.err).toBe('')
    // Sky 500 − bias 101 − dark (130 − 101) × 60 s / 30 s = 341.
    expect((JSON.parse(done.out) as { medianAdu: number }).medianAdu).toBeCloseTo(341, 0)
    expect(openFits(join(folder, 'pleiades-cal.fits')).hdus.map((hdu) => hdu.name)).toContain('VARIANCE')
    const refused = await nightjar('calibrate', image, '--dark', join(folder, 'dark.fits'), '--out', folder)
    expect(refused.status).toBe(1)
    expect(refused.err).toContain('it has its bias and 30 s, the frame 60 s: take biases too')
  })

  it.each([
    [['stars'], 'name one FITS file'],
    [['stars', 'missing.fits'], 'missing.fits'],
    [['stars', import.meta.filename], 'imageCommands.test.ts'],
    [['solve', join(folder, 'dark.fits')], 'give --ra and --dec'],
    [['solve', image, '--ra', '5'], '--ra and --dec go together'],
    [['stars', image, '--sigma', 'high'], '--sigma must be a positive number'],
    [['calibrate', image], '--out DIR'],
  ])('say in one line what is wrong with %j', async (argv, message) => {
    const { status, out, err } = await nightjar(...argv)
    expect(status).toBeGreaterThan(0)
    expect(out).toBe('')
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
  })

  it.each(['calibrate', 'solve', 'stars'])('%s explains itself', async (name) => {
    expect((await nightjar(name, '--help')).out).toMatch(new RegExp(`^Usage: nightjar ${name}`))
  })

  it.skipIf(!data)('stars and calibrate read every image of the collected telescopes', async () => {
    const paths = [
      'single',
      'single/feder_calib',
      'pairs/toros-eso085',
      'pairs/decam',
      'pairs/nircam',
      'pairs/lsst-sim',
    ]
      .map((name) => join(data!, name))
      .flatMap((name) => readdirSync(name).flatMap((file) => (file.endsWith('.fits') ? [join(name, file)] : [])))
    for (const path of [...paths, join(data!, 'series/hatp32/HATP-32171220020312.fits.gz')]) {
      for (const argv of [
        ['stars', path, '--json'],
        ['calibrate', path, '--out', folder, '--cosmic-rays', '--json'],
      ]) {
        const { status, out, err } = await nightjar(...argv)
        expect(err).toBe('')
        expect(status).toBe(0)
        expect(() => JSON.parse(out)).not.toThrow()
      }
    }
    expect(readFileSync(join(folder, 'sci-cal.fits')).length % 2880).toBe(0)
  })
})
