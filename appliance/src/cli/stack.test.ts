import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeScene } from '../differencing/testScene.ts'
import { createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { medianAndMad } from '../frames/statistics.ts'
import { main } from './main.ts'
import * as stack from './stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-stack-command-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function nightjar(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const original = console.log
  console.log = (text: string) => (out += `${text}\n`)
  try {
    const terminal = { out: (text: string) => (out += text), err: (text: string) => (err += text), debug: false }
    return { status: await main(argv, { ...terminal, load: async () => stack }), out, err }
  } finally {
    console.log = original
  }
}

test('stack averages the frames of one field, leaves out another and draws a picture', async () => {
  using compute = createCompute({ threads: 1 })
  const file = (name: string, seed: string): string => {
    using _scratch = compute.scope()
    const sky = { width: 320, height: 300, seed, noiseSeed: name, distortionPixels: 0, referenceExposures: 1 }
    const { science } = makeScene(compute, sky)
    const path = join(folder, `${name}.fits`)
    writeFileSync(path, encodeFrame({ ...science, header: science.header.with('EXPTIME', 30) }))
    return path
  }
  const paths = ['one', 'two', 'three', 'four'].map((name) => file(name, 'field'))
  const [out, preview] = [join(folder, 'stack.fits'), join(folder, 'stack.png')]
  const done = await nightjar('stack', ...paths, file('stranger', 'elsewhere'), '--out', out, '--preview', preview)
  expect(done.err).toBe('')
  expect(done.out).toContain('left out')
  expect(done.out).toMatch(/stack\.fits: 4 frames, 0\.7\d mag deeper/)
  const made = readFrame(compute, out)
  expect([made.header.number('NCOMBINE'), made.header.number('EXPTIME')]).toEqual([4, 120])
  const spread = (path: string): number => medianAndMad(compute, readFrame(compute, path).science).mad
  expect(spread(out)).toBeLessThan(0.75 * spread(paths[0]!))
  expect(readFileSync(preview).subarray(1, 4).toString()).toBe('PNG')
})

test('stack asks for its files and leaves the frames alone', async () => {
  expect(await nightjar('stack', '--out', 'x.fits')).toMatchObject({ status: 2 })
  expect(await nightjar('stack', 'x.fits')).toMatchObject({ status: 2 })
  const same = await nightjar('stack', 'x.fits', '--out', 'x.fits')
  expect([same.status, same.err]).toEqual([2, 'nightjar stack: x.fits would replace one of the frames\n'])
  expect(existsSync('x.fits')).toBe(false)
  expect((await nightjar('stack', '--help')).out).toContain('Usage: nightjar stack')
})
