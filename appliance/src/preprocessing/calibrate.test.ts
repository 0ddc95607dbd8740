import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { calibrate } from './calibrate.ts'
import { masterBias, masterDark, masterFlat } from './masters.ts'
import { stackClipped } from './stack.ts'

function frameOf(
  compute: Compute,
  width: number,
  height: number,
  value: (i: number) => number,
  exposureSeconds = 10,
): Frame {
  const science = compute.float32(width, height)
  for (let i = 0; i < science.data.length; i++) science.data[i] = value(i)
  const header = FitsHeader.from({ EXPTIME: exposureSeconds })
  return { header, width, height, science, mask: compute.uint16(width, height), variance: undefined }
}

test('a pixel is corrected as in the textbook, with its variance', () => {
  using compute = createCompute({ threads: 1 })
  // Numbers by hand: signal 1100 − 100 = 1000; dark 40 in 20 s → 20; (1000 − 20) / 0.8 = 1225 ADU;
  // variance (1000 / 2 + (6 / 2)²) / 0.64 = 795.3125 ADU².
  const raw = frameOf(compute, 7, 3, () => 1100)
  const bias = frameOf(compute, 7, 3, () => 100).science
  const dark = { plane: frameOf(compute, 7, 3, () => 40).science, exposureSeconds: 20 }
  const flat = frameOf(compute, 7, 3, () => 0.8).science
  const out = calibrate(
    compute,
    raw,
    { bias, dark, flat },
    { gainElectronsPerAdu: 2, readNoiseElectrons: 6, saturationAdu: 60000 },
  )
  for (let i = 0; i < 21; i++) {
    expect(out.science.data[i]).toBeCloseTo(1225, 2)
    expect(out.variance?.data[i]).toBeCloseTo(795.3125, 2)
    expect(out.mask.data[i]).toBe(0)
  }
  expect(out.header.lines('HISTORY').join(' ')).toContain('bias dark flat, dark scaled by 0.5')
})

test('saturated, blank, defective and unlit pixels are marked, wherever they fall in a row', () => {
  using compute = createCompute({ threads: 1 })
  const width = 9
  const values = Array.from({ length: width * 12 }, () => 500)
  values[4] = Number.NaN
  for (let y = 3; y < 9; y++) values[y * width + 8] = 65535
  const flat = frameOf(compute, width, 12, (i) => (i === 17 ? 0.01 : 1)).science
  const defects = compute.uint16(width, 12)
  defects.data[1] = MaskFlag.bad
  const out = calibrate(
    compute,
    frameOf(compute, width, 12, (i) => values[i]!),
    { flat, defects },
    { gainElectronsPerAdu: 1, readNoiseElectrons: 5, saturationAdu: 65000 },
  )
  expect(out.mask.data[4]).toBe(MaskFlag.noData)
  expect(out.science.data[4]).toBe(0)
  expect(out.mask.data[1]).toBe(MaskFlag.bad)
  expect(out.mask.data[17]).toBe(MaskFlag.bad | MaskFlag.bloom)
  expect(out.mask.data[3 * width + 8]).toBe(MaskFlag.saturated)
  expect(out.mask.data[9 * width + 8]).toBe(MaskFlag.bloom)
  expect(out.mask.data[50]).toBe(0)
})

test('one and two threads give the same bits', () => {
  const run = (threads: number): Float32Array => {
    using compute = createCompute({ threads })
    const random = createRandom(3)
    const raw = frameOf(compute, 1001, 333, () => 1000 + 100 * random.normal())
    const flat = frameOf(compute, 1001, 333, () => 1 + 0.05 * random.normal()).science
    const out = calibrate(
      compute,
      raw,
      { flat },
      { gainElectronsPerAdu: 1.5, readNoiseElectrons: 5, saturationAdu: 65000 },
    )
    const stacked = stackClipped(compute, [raw.science, out.science, flat, out.science, flat, raw.science])
    return Float32Array.from([...out.science.data, ...out.variance!.data, ...stacked.data])
  }
  expect(Buffer.from(run(1).buffer).equals(Buffer.from(run(2).buffer))).toBe(true)
})

test('a cosmic ray in one of seven frames leaves no trace in the stack, and a clean stack averages', () => {
  using compute = createCompute({ threads: 1 })
  const random = createRandom('stack')
  const frames = Array.from({ length: 7 }, () => frameOf(compute, 200, 200, () => 100 + 10 * random.normal()).science)
  frames[3]!.data[12345] = 9000
  const out = stackClipped(compute, frames)
  expect(Math.abs(out.data[12345]! - 100)).toBeLessThan(25)
  const mean = out.data.reduce((sum, value) => sum + value, 0) / out.data.length
  const std = Math.sqrt(out.data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / out.data.length)
  expect(Math.abs(mean - 100)).toBeLessThan(0.1)
  // 10/√7 = 3.78 without clipping; clipping at 3σ of seven values costs a little.
  expect(std).toBeGreaterThan(3.7)
  expect(std).toBeLessThan(4.4)
})

test('photon transfer finds the gain and read noise that were put in, and darks find the hot pixels', () => {
  using compute = createCompute({ threads: 2 })
  const random = createRandom('camera')
  const [gain, readNoise, offset] = [1.7, 6, 300]
  const read = (electrons: number): number =>
    Math.round(offset + (random.poisson(electrons) + readNoise * random.normal()) / gain)
  const vignetting = (i: number): number => 1 - 0.3 * (((i % 512) - 256) / 256) ** 2
  const bias = masterBias(
    compute,
    Array.from({ length: 5 }, () => frameOf(compute, 512, 512, () => read(0), 0)),
  )
  // Quantisation to whole ADU adds 1/12 ADU² (sheppard), which belongs to the camera's noise.
  expect(bias.readNoiseAdu! / Math.hypot(readNoise / gain, Math.sqrt(1 / 12))).toBeCloseTo(1, 2)
  const flats = Array.from({ length: 4 }, () => frameOf(compute, 512, 512, (i) => read(25000 * vignetting(i)), 1))
  const flat = masterFlat(compute, flats, { bias: bias.plane, readNoiseAdu: bias.readNoiseAdu!, saturationAdu: 65535 })
  expect(Math.abs(flat.gainElectronsPerAdu! / gain - 1)).toBeLessThan(0.01)
  const centre = flat.plane.data[256 * 512 + 256]! / flat.plane.data[256 * 512 + 2]!
  expect(centre / (vignetting(256) / vignetting(2))).toBeCloseTo(1, 1)
  const hot = new Set([5000, 70000, 200001])
  const darks = Array.from({ length: 5 }, () => frameOf(compute, 512, 512, (i) => read(hot.has(i) ? 900 : 4)))
  const dark = masterDark(compute, darks, bias.plane)
  const found = [...dark.defects!.data.keys()].filter((i) => dark.defects!.data[i] !== 0)
  expect(found).toEqual([5000, 70000, 200001])
})

test('masters refuse what cannot be right, by name', () => {
  using compute = createCompute({ threads: 1 })
  const dim = Array.from({ length: 2 }, () => frameOf(compute, 16, 16, () => 20))
  expect(() => masterFlat(compute, dim, { bias: undefined, readNoiseAdu: 3, saturationAdu: 65535 })).toThrow(
    'level of 20 ADU',
  )
  expect(() => masterBias(compute, [dim[0]!])).toThrow('at least 2 frames')
  const small = frameOf(compute, 8, 8, () => 1)
  expect(() =>
    calibrate(
      compute,
      dim[0]!,
      { bias: small.science },
      { gainElectronsPerAdu: 1, readNoiseElectrons: 5, saturationAdu: 65535 },
    ),
  ).toThrow('bias master has 8 × 8')
})
