import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import sharp from 'sharp'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FrameRecord } from '../../contract/records.ts'
import { drawSources, fitsBytes, renderSky } from '../testing/sky.ts'
import { openPreviews, type Previews } from './previews.ts'

const width = 900
const height = 600
let folder: string
let previews: Previews

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-previews-'))
  mkdirSync(join(folder, 'frames'))
  previews = openPreviews(folder, systemClock)
})

afterEach(async () => {
  await previews[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const query = { width: 300, stretch: 'auto', source: 'calibrated' } as const
const frame = (name: string): FrameRecord => ({
  frameId: name,
  nightId: 'n',
  fieldId: 'f',
  type: 'light',
  state: 'captured',
  capturedAtMs: 0,
  exposureSeconds: 1,
  filter: 'r',
  width,
  height,
  path: `frames/${name}.fits`,
  bytes: 1,
  sha256: 'a'.repeat(64),
})

function writeFrame(name: string): FrameRecord {
  const sources = [
    ...drawSources('one', width, height),
    { x: 600, y: 90, fluxAdu: 4e6, sigmaPixels: 9, axisRatio: 1, angleRad: 0 },
  ]
  writeFileSync(
    join(folder, 'frames', `${name}.fits`),
    fitsBytes(renderSky(sources, width, height, name), width, height),
  )
  return frame(name)
}

/** The brightest place of a picture, as a share of its width and height. */
async function brightest(picture: Uint8Array): Promise<{ x: number; y: number }> {
  const { data, info } = await sharp(picture).greyscale().blur(4).raw().toBuffer({ resolveWithObject: true })
  const at = data.indexOf(Math.max(...data))
  return {
    x: ((at / info.channels) % info.width) / info.width,
    y: Math.floor(at / info.channels / info.width) / info.height,
  }
}

test("a picture has the frame's shape, row 0 on top, and is kept", async () => {
  const one = writeFrame('one')
  const picture = await previews.get(one, query)
  const { format, width: wide, height: high } = await sharp(picture).metadata()
  expect([format, wide, high]).toEqual(['webp', 300, 200])
  const at = await brightest(picture)
  expect(at.x).toBeCloseTo(600 / width, 1)
  expect(at.y).toBeCloseTo(90 / height, 1)
  rmSync(join(folder, one.path))
  expect(Buffer.compare(await previews.get(one, query), picture)).toBe(0)
  expect(readdirSync(join(folder, 'previews'))).toEqual(['one-aaaaaaaaaaaa-captured-auto-320.webp'])
})

test('hard shows more than auto, and soft less', async () => {
  const one = writeFrame('one')
  const light = async (stretch: 'auto' | 'soft' | 'hard') =>
    (await sharp(await previews.get(one, { ...query, stretch })).stats()).channels[0]!.mean
  const [soft, auto, hard] = [await light('soft'), await light('auto'), await light('hard')]
  expect(soft).toBeLessThan(auto)
  expect(auto).toBeLessThan(hard)
})

test('a file that is gone or is not FITS is refused with the reason, and the next one is drawn', async () => {
  await expect(previews.get(frame('gone'), query)).rejects.toMatchObject({ status: 404 })
  writeFileSync(join(folder, 'frames', 'bad.fits'), 'not a frame')
  await expect(previews.get(frame('bad'), query)).rejects.toMatchObject({ status: 422 })
  expect((await previews.get(writeFrame('good'), query)).length).toBeGreaterThan(500)
})
