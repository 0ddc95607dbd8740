import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader, type HeaderEntries } from '../frames/fits/header.ts'
import { readRaw } from '../frames/fits/rawImage.ts'
import { encodeFits } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { calibrate } from './calibrate.ts'
import { masterBias } from './masters.ts'
import { geometryOf } from './overscan.ts'

const camera = { gainElectronsPerAdu: 1, readNoiseElectrons: 4, saturationAdu: 60_000 }

function frameOf(
  compute: Compute,
  [width, height]: readonly [number, number],
  value: (x: number, y: number) => number,
  entries: HeaderEntries = {},
): Frame {
  const science = compute.float32(width, height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) science.data[y * width + x] = value(x, y)
  return {
    header: FitsHeader.from(entries),
    width,
    height,
    science,
    mask: compute.uint16(width, height),
    variance: undefined,
  }
}

/** Image columns 3 to 42 and rows 1 to 60; rows 61 to 80 are overscan. Each column has a level of its own. */
const sections = { TRIMSEC: '[3:42,1:60]', BIASSEC: '[3:42,61:80]' }
const level = (x: number): number => 500 + 3 * x
/** Charge trails into the four rows next to the image. */
const trail = (y: number): number => (y < 60 ? 0 : 200 * 0.3 ** (y - 59))
const raw = (x: number, y: number): number => level(x) + (y < 60 ? 1000 : trail(y))

test('an overscan above the image gives each column its level, without the rows that charge trails into', () => {
  using compute = createCompute({ threads: 1 })
  const out = calibrate(compute, frameOf(compute, [44, 80], raw, { ...sections, CRPIX1: 20, CRPIX2: 30 }), {}, camera)
  expect([out.width, out.height]).toEqual([40, 60])
  for (const value of out.science.data) expect(Math.abs(value - 1000)).toBeLessThan(0.6)
  expect([out.header.number('CRPIX1'), out.header.number('CRPIX2')]).toEqual([18, 30])
  expect(out.header.has('BIASSEC')).toBe(false)
})

test('an overscan below the image does the same, and masters read by rows are trimmed like frames', () => {
  using compute = createCompute({ threads: 2 })
  const random = createRandom('columns')
  const below = { TRIMSEC: '[1:40,21:80]', BIASSEC: '[1:40,1:20]' }
  const bias = (): Frame => frameOf(compute, [40, 80], (x) => level(x) + 4 * random.normal(), below)
  const master = masterBias(compute, [bias(), bias(), bias(), bias(), bias()])
  expect([master.plane.width, master.plane.height]).toEqual([40, 60])
  const mean = master.plane.data.reduce((sum, value) => sum + value, 0) / master.plane.data.length
  // 16 rows of 4 ADU in five frames: the levels' own noise is 0.45 ADU a column, 0.07 over 40 of them.
  expect(Math.abs(mean)).toBeLessThan(0.25)
  expect(Math.abs(master.readNoiseAdu / Math.hypot(4, 1) - 1)).toBeLessThan(0.05)
  const light = frameOf(compute, [40, 80], (x, y) => level(x) + (y < 20 ? 0 : 700), below)
  const { science } = calibrate(compute, light, { bias: master.plane }, camera)
  expect(Math.abs(science.data.reduce((sum, value) => sum + value, 0) / science.data.length - 700)).toBeLessThan(0.3)
})

test('sixteen-bit files are trimmed to the same pixels as frames in memory', () => {
  using compute = createCompute({ threads: 1 })
  const frame = frameOf(compute, [44, 80], (x, y) => Math.round(raw(x, y)), sections)
  const data = Uint16Array.from(frame.science.data)
  const bytes = encodeFits([{ header: frame.header, data: { width: 44, height: 80, data } }])
  const stored = calibrate(compute, readRaw(compute, bytes), {}, camera)
  const inMemory = calibrate(compute, frame, {}, camera)
  expect(stored.science.data).toEqual(inMemory.science.data)
  expect(stored.variance!.data).toEqual(inMemory.variance!.data)
})

test('a section that is not in the frame, or an overscan beside nothing, is refused by name', () => {
  const of = (entries: HeaderEntries) => () => geometryOf(FitsHeader.from(entries), 100, 50, undefined)
  expect(of({ BIASSEC: '[90:101,1:50]' })).toThrow('BIASSEC [90:101,1:50] is not a section of a frame of 100 × 50')
  expect(of({ TRIMSEC: 'all' })).toThrow('should look like [1:100,1:50]')
  expect(of({ TRIMSEC: '[1:80,1:50]', BIASSEC: '[81:90,1:20]' })).toThrow('neither all rows nor all columns')
})

/** A saturated run of six pixels along a row, one along a column, and one of four that did not bleed. */
const full = (x: number, y: number): boolean =>
  (y === 8 && x >= 10 && x < 16) || (x === 30 && y >= 4 && y < 10) || (y === 20 && x >= 20 && x < 24)

test.each([
  [
    'rows',
    [
      [7, 8],
      [8, 8],
      [9, 8],
      [16, 8],
      [17, 8],
      [18, 8],
    ],
  ],
  [
    'columns',
    [
      [30, 1],
      [30, 2],
      [30, 3],
      [30, 10],
      [30, 11],
      [30, 12],
    ],
  ],
  ['none', []],
] as const)('charge that bleeds along %s is marked beyond both ends of long saturated runs', (bloom, ends) => {
  using compute = createCompute({ threads: 2 })
  const frame = frameOf(compute, [40, 30], (x, y) => (full(x, y) ? 65_535 : 100))
  const { mask } = calibrate(compute, frame, {}, { ...camera, bloom })
  const found = [...mask.data.keys()].filter((i) => mask.data[i] === MaskFlag.bloom)
  expect(found).toEqual(ends.map(([x, y]) => y * 40 + x).sort((a, b) => a - b))
  expect([...mask.data].filter((bits) => bits === MaskFlag.saturated)).toHaveLength(16)
})

test('bleeding in both directions marks both, and stops at the edge of the frame', () => {
  using compute = createCompute({ threads: 1 })
  const frame = frameOf(compute, [12, 9], (x, y) => ((y === 1 && x < 6) || (x === 11 && y > 2) ? 65_535 : 100))
  const { mask } = calibrate(compute, frame, {}, { ...camera, bloom: 'both' })
  const found = [...mask.data.keys()].filter((i) => mask.data[i] === MaskFlag.bloom)
  expect(found).toEqual([11, 18, 19, 20, 23, 35])
})
