import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { makeScene, type Scene } from '../differencing/testScene.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { openFits, readImage } from '../frames/fits/read.ts'
import { encodeFits, encodeFrame } from '../frames/fits/write.ts'
import { run } from './diff.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-diff-'))
const paths = { science: join(folder, 'science.fits'), reference: join(folder, 'reference.fits') }
let compute: Compute
let scene: Scene

beforeAll(() => {
  compute = createCompute({ threads: 1 })
  scene = makeScene(compute, { width: 400, height: 360, seed: 'cli', transientSnr: [30, 20], starsPerMpix: 2500 })
  const wcs = { CTYPE1: 'RA---TAN', CTYPE2: 'DEC--TAN', CRPIX1: 200.5, CRPIX2: 180.5, CRVAL1: 10, CRVAL2: 20 }
  const header = scene.science.header.withAll({ ...wcs, CD1_1: -0.0003, CD1_2: 0, CD2_1: 0, CD2_2: 0.0003 })
  // As a camera writes it: unsigned 16-bit, sky and pedestal in it.
  writeFileSync(paths.science, encodeFrame({ ...scene.science, header }, { bitpix: 16 }))
  writeFileSync(paths.reference, encodeFits([{ data: scene.reference.science, bitpix: -64, header: FitsHeader.empty }]))
})

afterAll(() => {
  compute[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

async function printed(argv: string[]): Promise<string[]> {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
  try {
    expect(await run(argv)).toBe(0)
  } finally {
    log.mockRestore()
  }
  return lines
}

describe('nightjar diff', () => {
  test('writes images, candidates and a summary from frames of different types without any set-up', async () => {
    const out = join(folder, 'out', 'deep')
    const [line] = await printed([paths.science, paths.reference, '--out', out, '--json'])
    const summary = JSON.parse(line!) as Record<string, unknown>
    expect(summary).toMatchObject({ engine: 'zogy', width: 400, height: 360, model: 'rule-1' })
    expect(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'))).toEqual(summary)
    const csv = readFileSync(join(out, 'candidates.csv'), 'utf8').trim().split('\n')
    expect(csv[0]).toBe('x,y,raDeg,decDeg,scorr,fluxAdu,probability,class,flags')
    const rows = csv.slice(1).map((row) => row.split(','))
    expect(rows).toHaveLength(summary.candidates as number)
    for (const truth of scene.transients) {
      const row = rows.find((r) => Math.hypot(Number(r[0]) - truth.x, Number(r[1]) - truth.y) < 2)
      expect(row?.[7]).toBe('transient')
      expect(Number(row?.[2])).toBeCloseTo(10 - ((truth.x - 199.5) * 0.0003) / Math.cos((20 * Math.PI) / 180), 3)
      expect(Number(row?.[3])).toBeCloseTo(20 + (truth.y - 179.5) * 0.0003, 3)
    }
    using reading = createCompute({ threads: 1 })
    for (const name of ['difference.fits', 'scorr.fits']) {
      const plane = readImage(reading, openFits(join(out, name)))
      expect([plane.width, plane.height]).toEqual([400, 360])
      expect(plane.data.some((value) => value !== 0)).toBe(true)
    }
  })

  test('replaces the results of an earlier run, and leaves the sky empty without a WCS', async () => {
    const out = join(folder, 'again')
    await printed([paths.science, paths.reference, '--out', out])
    await printed([paths.reference, paths.reference, '--out', out, '--threshold', '4'])
    const lines = readFileSync(join(out, 'candidates.csv'), 'utf8').trim().split('\n')
    for (const line of lines.slice(1)) expect(line.split(',').slice(2, 4)).toEqual(['', ''])
  })

  test('says in one line what is wrong', async () => {
    const text = join(folder, 'text.fits')
    writeFileSync(text, 'this is not a FITS file')
    const out = ['--out', join(folder, 'never')]
    await expect(run([paths.science, ...out])).rejects.toThrow(/name two FITS files/)
    await expect(run([paths.science, paths.reference])).rejects.toThrow(/--out/)
    await expect(run([paths.science, text, ...out])).rejects.toThrow(/text\.fits/)
    await expect(run([paths.science, join(folder, 'absent.fits'), ...out])).rejects.toThrow(/absent\.fits/)
    await expect(run([paths.science, paths.reference, ...out, '--gain', 'much'])).rejects.toThrow(/--gain/)
    const flat = join(folder, 'flat.fits')
    writeFileSync(flat, encodeFits([{ data: { width: 64, height: 64, data: new Uint16Array(4096).fill(9) } }]))
    await expect(run([paths.science, flat, ...out])).rejects.toThrow(/nothing but the value 9/)
    await expect(run([paths.science, paths.reference, '--out', join(text, 'x')])).rejects.toThrow(/cannot write/)
  })
})
