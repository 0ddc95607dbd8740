import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Answer, archiveServer, PatientClock } from '../differencing/archives/testing/archiveServer.ts'
import { makeScene } from '../differencing/testScene.ts'
import { createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { pixelScaleArcsec, wcsFromHeader, wcsToHeader } from '../frames/wcs.ts'
import { openStore } from '../store/openStore.ts'
import { openSettings } from '../store/settings.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { main } from './main.ts'
import * as reference from './reference.ts'

const compute = createCompute({ threads: 1 })
afterAll(() => compute[Symbol.dispose]())
const side = 320
const picture = (() => {
  using _scratch = compute.scope()
  const { science } = makeScene(compute, { width: side, height: side, seed: 'archive' })
  const cd = [-0.5 / 3600, 0, 0, 0.5 / 3600] as const
  const middle = (side - 1) / 2
  const wcs = { referencePixel: [middle, middle] as const, raDeg: 10.684708, decDeg: -41.26875, cd }
  return Buffer.from(encodeFrame({ ...science, header: wcsToHeader(science.header, wcs) }))
})()
const answer: Answer = (url, _, response) => {
  if (url.searchParams.get('hips') === 'page') return response.end('<h1>No such survey</h1>')
  response.end(picture)
}

let folder: ReturnType<typeof temporaryFolder>
let data: string
let server: Awaited<ReturnType<typeof archiveServer>>
beforeEach(async () => {
  folder = temporaryFolder()
  data = join(folder.path, 'data')
  mkdirSync(data)
  server = await archiveServer(answer)
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

async function nightjar(...argv: string[]): Promise<{ status: number; out: string }> {
  let out = ''
  const original = console.log
  console.log = (text: string) => (out += `${text}\n`)
  try {
    const write = (text: string) => (out += text)
    const world = { fetch, clock: new PatientClock() }
    const command = { help: reference.help, run: (args: string[]) => reference.run(args, world) }
    return { status: await main(argv, { out: write, err: write, debug: false, load: async () => command }), out }
  } finally {
    console.log = original
  }
}

const archive = () => ['--archive', 'hips2fits', '--url', server.url]

describe('nightjar reference', () => {
  it('fetches a picture of a place, at the scale of the frames, to a file', async () => {
    const out = join(folder.path, 'sky.fits')
    const place = ['--ra', '0:42:44.33', '--dec', '-41:16:07.5', '--radius', '0.02', '--scale', '1', '--out', out]
    const done = await nightjar('reference', 'fetch', ...place, ...archive(), '--data', data)
    expect(done).toEqual({
      status: 0,
      out: expect.stringMatching(
        /sky.fits: hips2fits, CDS\/P\/DSS2\/red, 160 × 160 pixels of 1.00″\nto be said .* CDS/,
      ),
    })
    expect(Object.fromEntries(server.asked[0]!.searchParams)).toMatchObject({
      width: '144',
      height: '144',
      fov: '0.04',
    })
    using _scratch = compute.scope()
    const { header } = readFrame(compute, out)
    expect(pixelScaleArcsec(wcsFromHeader(header)!)).toBeCloseTo(1, 9)
    expect(header.text('REFSRC')).toBe('hips2fits')
  })

  it('makes a picture the reference of a field, and lists it, also beside a running daemon', async () => {
    const field = { fieldId: 'F1', raDeg: 10.684708, decDeg: -41.26875, exposureSeconds: 30, filter: 'R' }
    const settings = await openSettings(data)
    await settings.update((now) => ({ ...now, fields: [field] }))
    const ask = ['reference', 'fetch', '--field', 'F1', '--data', data, '--scale', '0.5']
    expect(await nightjar(...ask, ...archive())).toEqual({ status: 2, out: expect.stringMatching(/give --radius/) })
    const fetched = await nightjar(...ask, ...archive(), '--radius', '0.02')
    expect(fetched).toEqual({
      status: 0,
      out: expect.stringMatching(/^F1 R v1: hips2fits, CDS\/P\/DSS2\/red, 0.50″\/px, photographic plates, FWHM \d/),
    })
    using store = openStore(data)
    const listed = await nightjar('reference', 'list', '--data', data, '--json')
    expect(JSON.parse(listed.out)).toEqual(store.references(10))
    expect(store.reference('F1', 'R')).toMatchObject({ version: 1, archive: { bin: 1, coverage: 1 } })
    expect((await nightjar('reference', 'list', '--data', data, '--field', 'F2')).out).toBe('there is no reference\n')
    expect(await nightjar(...ask, ...archive(), '--radius', '0.02')).toEqual({
      status: 1,
      out: expect.stringMatching(/a daemon runs on .* set references.archives/),
    })
  })

  it('says what is wrong with the question, and why no archive had a picture', async () => {
    const place = [
      '--ra',
      '10.68',
      '--dec',
      '-41.27',
      '--radius',
      '0.02',
      '--scale',
      '0.5',
      '--out',
      join(folder.path, 'a.fits'),
    ]
    const why = async (...argv: string[]) => {
      const { status, out } = await nightjar('reference', ...argv, '--data', data)
      return [status, out.trim().replaceAll(/127.0.0.1:\d+/g, 'HOST')]
    }
    expect(await why()).toEqual([2, expect.stringMatching(/say what/)])
    expect(await why('fetch', '--field', 'X')).toEqual([2, expect.stringMatching(/there are none/)])
    expect(await why('fetch', ...place, '--archive', 'attic')).toEqual([
      2,
      expect.stringMatching(/there is no archive attic/),
    ])
    expect(await why('fetch', ...place, '--archive', 'sia1')).toEqual([
      2,
      expect.stringMatching(/give its address by --url/),
    ])
    expect(await why('fetch', ...place, ...archive(), '--survey', 'page')).toEqual([
      1,
      'nightjar reference: hips2fits sent no picture: No such survey',
    ])
    expect(await why('fetch', ...place.with(1, '50'), ...archive())).toEqual([
      1,
      expect.stringMatching(/it shows another place/),
    ])
    await server[Symbol.asyncDispose]()
    expect(await why('fetch', ...place, ...archive())).toEqual([
      1,
      'nightjar reference: hips2fits: HOST does not answer (ECONNREFUSED)',
    ])
    server = await archiveServer(answer)
    expect(existsSync(join(folder.path, 'a.fits'))).toBe(false)
  })
})
