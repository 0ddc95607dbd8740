import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, expect, test, vi } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { FitsHeader, type HeaderEntries } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { run } from './calibrate.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-calibrate-'))
afterAll(() => rmSync(folder, { recursive: true }))
const [width, height, gain, readNoise, bias] = [320, 240, 1.6, 7, 400]
const random = createRandom('calibrate')
const shading = (i: number): number => 1 - 0.2 * (((i % width) - 160) / 160) ** 2

function expose(name: string, electrons: number, entries: HeaderEntries): string {
  const data = new Uint16Array(width * height)
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.round(bias + (random.poisson(electrons * shading(i)) + readNoise * random.normal()) / gain)
  }
  const path = join(folder, name)
  const header = FitsHeader.from({ 'DATE-OBS': '2026-03-10T01:00:00', GAIN: 100, ...entries })
  writeFileSync(path, encodeFits([{ header, data: { width, height, data } }]))
  return path
}

const five = (name: string, electrons: number, entries: HeaderEntries): string[] =>
  [0, 1, 2, 3, 4].map((n) => expose(`${name}${n}.fits`, electrons, entries))
const biases = five('bias', 0, { EXPTIME: 0 })
const flats = five('flat', 28_000, { EXPTIME: 2 })
const options = [...biases.flatMap((path) => ['--bias', path]), ...flats.flatMap((path) => ['--flat', path])]

async function said(...argv: string[]): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    await run(argv)
    return log.mock.calls.map(([text]) => String(text))
  } finally {
    log.mockRestore()
  }
}

test('calibrate uses the gain that the flats measured, not the header’s, and its variance holds the masters’ noise', async () => {
  const light = expose('light.fits', 20_000, { EXPTIME: 60, EGAIN: 0.7 })
  const out = join(folder, 'out')
  const lines = await said(light, ...options, '--out', out)
  expect(lines[0]).toMatch(/^master bias: 5 frames, read noise 4\.\d+ ADU$/)
  expect(lines[1]).toMatch(/^master flat: 5 frames, gain 1\.\d+ e⁻\/ADU$/)
  expect(lines[2]).toMatch(/gain 1\.\d+ e⁻\/ADU \(measured\), read noise \d\.\d+ e⁻ \(measured\)$/)
  expect(lines[3]).toContain('EGAIN is 0.700 e⁻/ADU, the flats’ noise says 1.')
  // The masters were made beside the results and are gone.
  expect(readdirSync(out)).toEqual(['light-cal.fits'])
  using compute = createCompute({ threads: 1 })
  const { science, variance, header } = readFrame(compute, join(out, 'light-cal.fits'))
  expect(Math.abs(header.number('EGAIN')! / gain - 1)).toBeLessThan(0.02)
  const mean = science.data.reduce((sum, value) => sum + value, 0) / science.data.length
  const pulls = Float64Array.from(science.data, (value, i) => (value - mean) / Math.sqrt(variance!.data[i]!))
  const width2 = pulls.reduce((sum, pull) => sum + pull * pull, 0) / pulls.length
  // 20,000 e⁻ beside 5 × 28,000 e⁻ of flat: without the flats' noise the pulls would be 7 % wide.
  expect(Math.abs(Math.sqrt(width2) - 1)).toBeLessThan(0.03)
})

test('calibrate keeps its masters when asked, and takes them again', async () => {
  const masters = join(folder, 'masters')
  const light = expose('again.fits', 5000, { EXPTIME: 60 })
  const first = join(folder, 'first')
  await said(light, ...options, '--out', first, '--masters', masters)
  expect(readdirSync(masters).sort()).toEqual(['master-bias.fits', 'master-flat.fits'])
  const second = join(folder, 'second')
  const given = ['--bias', join(masters, 'master-bias.fits'), '--flat', join(masters, 'master-flat.fits')]
  const lines = await said(light, ...given, '--out', second)
  expect(lines[0]).toMatch(/^master bias: 5 frames, read noise 4/)
  using compute = createCompute({ threads: 1 })
  const [a, b] = [first, second].map((path) => readFrame(compute, join(path, 'again-cal.fits')))
  expect(b!.science.data).toEqual(a!.science.data)
  expect(b!.variance!.data).toEqual(a!.variance!.data)
})

test('calibrate refuses masters of another readout mode, and frames of two in one master, by name', async () => {
  const light = expose('other.fits', 500, { EXPTIME: 60, GAIN: 0 })
  const refused = run([light, ...options, '--out', join(folder, 'refused')])
  await expect(refused).rejects.toThrow('other.fits: the master bias was not used: its GAIN is 100, the frame’s 0')
  const odd = expose('odd.fits', 0, { GAIN: 200 })
  const mixed = run([light, ...options, '--bias', odd, '--out', join(folder, 'mixed')])
  await expect(mixed).rejects.toThrow('odd.fits: its GAIN is 100, the frame’s 200')
})

test('a frame of a colour camera is averaged to luminance, or kept when asked', async () => {
  const light = expose('colour.fits', 500, { EXPTIME: 60, BAYERPAT: 'GRBG' })
  await said(light, '--out', join(folder, 'light'), '--gain', '1.6')
  await said(light, '--out', join(folder, 'mosaic'), '--gain', '1.6', '--keep-mosaic')
  using compute = createCompute({ threads: 1 })
  const luminance = readFrame(compute, join(folder, 'light', 'colour-cal.fits'))
  const mosaic = readFrame(compute, join(folder, 'mosaic', 'colour-cal.fits'))
  expect([luminance.width, luminance.header.number('EGAIN')]).toEqual([160, 6.4])
  expect([mosaic.width, mosaic.header.text('BAYERPAT')]).toEqual([320, 'GRBG'])
})
