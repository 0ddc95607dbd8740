import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, expect, test, vi } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { run } from './linearity.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-linearity-'))
afterAll(() => rmSync(folder, { recursive: true }))
const size = { width: 200, height: 160 }
const random = createRandom('linearity')
const [bend, bias] = [-8e-7, 500]

/** A camera that reads s where s (1 + bend · s) would be right; at most 65,535. */
function flat(name: string, seconds: number): string {
  const data = new Uint16Array(size.width * size.height)
  for (let i = 0; i < data.length; i++) {
    const right = random.poisson(4000 * seconds)
    const read = (Math.sqrt(1 + 4 * bend * right) - 1) / (2 * bend)
    data[i] = Math.min(65_535, Math.round(bias + read + 4 * random.normal()))
  }
  const path = join(folder, name)
  writeFileSync(path, encodeFits([{ header: FitsHeader.from({ EXPTIME: seconds }), data: { ...size, data } }]))
  return path
}

async function json(...argv: string[]): Promise<{ coefficients: number[]; left: string[]; rmsAfter: number }> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    await run([...argv, '--json'])
    return JSON.parse(String(log.mock.calls[0]?.[0]))
  } finally {
    log.mockRestore()
  }
}

test('a ramp of flats tells the setting that makes them straight, without those that are saturated', async () => {
  const biases = [0, 1, 2].map((n) => flat(`bias${n}.fits`, 0)).flatMap((path) => ['--bias', path])
  const flats = [1, 3, 6, 9, 12, 14, 17].map((seconds) => flat(`flat${seconds}.fits`, seconds))
  const found = await json(...flats, ...biases, '--degree', '1')
  // 6400 pixels of 4,000 e⁻ and more: each level is known to 0.02 %, a bend of 4 % at the top to a hundredth of it.
  expect(Math.abs(found.coefficients[0]! / bend - 1)).toBeLessThan(0.02)
  expect(found.rmsAfter).toBeLessThan(5e-4)
  expect(found.left).toEqual([expect.stringContaining('flat17.fits')])
})

test('flats of one exposure time are refused with what to do', async () => {
  const flats = [0, 1, 2].map((n) => flat(`same${n}.fits`, 3))
  await expect(run(flats)).rejects.toThrow('flats of 1 exposure times are too few: give at least 4')
})
