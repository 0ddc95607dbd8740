import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { realDataFolder } from '../frames/reference.ts'
import { main } from './main.ts'
import * as photometry from './photometry.ts'
import { predictedMidTime, publishedTransit } from './photometryTargets.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-photometry-'))
afterAll(() => rmSync(folder, { recursive: true }))
const data = realDataFolder()
if (!data) console.log('shared/data is absent: no light curve is drawn of the HAT-P-32 night')

async function nightjar(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const original = console.log
  console.log = (text: string) => (out += `${text}\n`)
  try {
    const status = await main(['photometry', ...argv], {
      out: (text) => (out += text),
      err: (text) => (err += text),
      debug: false,
      load: async () => photometry,
    })
    return { status, out, err }
  } finally {
    console.log = original
  }
}

interface Answer {
  readonly scatterRatio: number
  readonly scatterMag: number
  readonly expectedMag: number
  readonly comparisons: number
  readonly points: readonly unknown[]
  readonly transit: Readonly<Record<'midTime' | 'depth' | 'durationDays', { value: number; error: number }>>
}

describe('the photometry command', () => {
  // Published: Wang et al. 2019, AJ 157, 82 (ephemeris); Hartman et al. 2011, ApJ 742, 59 (radius ratio 0.1508, 0.1295 d).
  it.skipIf(!data)('recovers the transit of HAT-P-32 b and comparison stars near the noise limit', async () => {
    const series = join(data!, 'series/hatp32')
    const files = readdirSync(series)
      .filter((name) => name.endsWith('.fits.gz'))
      .map((name) => join(series, name))
    const plot = join(folder, 'curve.svg')
    const table = join(folder, 'curve.csv')
    const site = ['--diameter', '152', '--elevation', '1268']
    const outputs = ['--json', '--plot', plot, '--out', table]
    const { status, out, err } = await nightjar(...files, '--target', 'hat-p-32', ...site, ...outputs)
    expect(err).toBe('')
    expect(status).toBe(0)
    const answer = JSON.parse(out) as Answer
    const { midTime, depth, durationDays } = answer.transit
    expect(answer.points.length).toBeGreaterThan(65)
    expect(answer.comparisons).toBeGreaterThan(50)
    expect(answer.scatterRatio).toBeLessThan(1.2)
    // The stars most like the target in brightness too.
    expect(answer.scatterMag / answer.expectedMag).toBeLessThan(1.2)
    const predicted = 2455867.402743 + 1042 * 2.1500082
    expect(Math.abs(midTime.value - predicted)).toBeLessThan(Math.min(3 * midTime.error, 0.004))
    expect(Math.abs(depth.value - 0.1508 ** 2)).toBeLessThan(Math.min(3 * depth.error, 0.004))
    expect(Math.abs(durationDays.value - 0.1295)).toBeLessThan(Math.min(3 * durationDays.error, 0.012))
    expect(readFileSync(plot, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    expect(readFileSync(table, 'utf8').trim().split('\n')).toHaveLength(answer.points.length + 1)
  })

  it('names the transit of a published ephemeris that is nearest to a time', () => {
    const planet = publishedTransit('HAT-P-32b')!
    const { value, error } = predictedMidTime(planet, 2458107.6)
    expect(value).toBeCloseTo(2455867.402743 + 1042 * 2.1500082, 6)
    expect(error).toBeLessThan(0.0002)
    expect(publishedTransit('Vega')).toBeUndefined()
  })

  it.each([
    [[], 'name the FITS files of the series'],
    [['a.fits'], 'name the star: --target RA,DEC, --target NAME or --pixel X,Y'],
    [['a.fits', '--target', 'Vega'], '--target Vega: give RA,DEC, or one of: HAT-P-32 b'],
    [['a.fits', '--pixel', '5'], '--pixel must be two numbers with a comma'],
    [['a.fits', '--target', '-5,3', '--gain', '-1'], '--gain'],
    [['a.fits', '--target', '5,-3', '--out', 'curve.txt'], '--out must end with .csv or .json'],
    [['missing.fits', '--target', '5,-3'], 'missing.fits'],
  ])('says in one line what is wrong with %j', async (argv, message) => {
    const { status, out, err } = await nightjar(...argv)
    expect(status).toBeGreaterThan(0)
    expect(out).toBe('')
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
  })
})
