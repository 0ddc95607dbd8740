import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, expect, test } from 'vitest'
import { defaultSettings } from '../contract/config.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader, type HeaderEntries } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { pixelToSky, skyToPixel, type Wcs, wcsFromHeader } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { calibrate } from './calibrate.ts'
import { masterFlat } from './masters.ts'
import { mosaicOf, superPixelHeader, superPixels, withoutMosaic } from './mosaic.ts'
import { calibrateFile } from './runPixels.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-mosaic-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Made by scripts/reference/mosaic.py: astropy 5.2.1, numpy 1.24.2, python 3.11.2. */
const reference = {
  // biome-ignore format: a table of numbers
  means: [1925.25, 2414.5, 1880.5, 1346.5, 2859.0, 2325.0, 1791.0, 1257.0, 2769.5, 2235.5, 1701.5, 1922.25, 2411.5,
    1877.5, 1343.5, 2856.0, 2322.0, 1788.0, 1254.0, 2766.5, 2232.5, 1698.5, 1919.25, 2408.5, 1874.5, 1340.5, 2853.0,
    2319.0, 1785.0, 1251.0, 2763.5, 2229.5, 1695.5, 1916.25, 2405.5, 1871.5, 1337.5, 2850.0, 2316.0, 1782.0, 1248.0,
    2760.5, 2226.5, 1692.5, 1913.25, 2402.5, 1868.5, 1334.5, 2847.0, 2313.0, 1779.0, 1245.0, 2757.5, 2223.5, 1689.5],
  // biome-ignore format: a table of numbers
  variances: [482.5625, 604.875, 471.375, 337.875, 716.0, 582.5, 449.0, 315.5, 693.625, 560.125, 426.625, 481.8125,
    604.125, 470.625, 337.125, 715.25, 581.75, 448.25, 314.75, 692.875, 559.375, 425.875, 481.0625, 603.375, 469.875,
    336.375, 714.5, 581.0, 447.5, 314.0, 692.125, 558.625, 425.125, 480.3125, 602.625, 469.125, 335.625, 713.75,
    580.25, 446.75, 313.25, 691.375, 557.875, 424.375, 479.5625, 601.875, 468.375, 334.875, 713.0, 579.5, 446.0,
    312.5, 690.625, 557.125, 423.625],
  /** Places in super-pixels, and right ascension and declination there. */
  places: [
    [0, 0],
    [10, 4],
    [700.5, 1200],
    [1499, 3],
  ],
  sky: [
    [84.39745734828884, -5.863360844868173],
    [84.38938999742248, -5.859415102456627],
    [83.86870679550789, -4.814458629059476],
    [83.16126145767302, -5.770799964200403],
  ],
} as const

function frameOf(
  compute: Compute,
  [width, height]: readonly [number, number],
  value: (x: number, y: number) => number,
  entries: HeaderEntries = {},
): Frame {
  const science = compute.float32(width, height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) science.data[y * width + x] = value(x, y)
  const header = FitsHeader.from({ BAYERPAT: 'RGGB', EXPTIME: 10, ...entries })
  return { header, width, height, science, mask: compute.uint16(width, height), variance: undefined }
}

test('a super-pixel is the mean of its four pixels, with their variance and all of their flags', () => {
  using compute = createCompute({ threads: 2 })
  const frame = frameOf(compute, [23, 11], (x, y) => ((y * 23 + x) * 7919 + 13) % 4093)
  const variance = compute.float32(23, 11)
  for (let i = 0; i < variance.data.length; i++) variance.data[i] = frame.science.data[i]! + 5
  const out = superPixels(compute, { ...frame, variance })
  expect([out.width, out.height]).toEqual([11, 5])
  expect([...out.science.data]).toEqual(reference.means)
  out.variance!.data.forEach((value, i) => {
    expect(value).toBeCloseTo(reference.variances[i]!, 3)
  })
  frame.mask.data[3 * 23 + 9] = MaskFlag.saturated
  frame.mask.data[2 * 23 + 8] = MaskFlag.cosmicRay
  frame.mask.data[4 * 23 + 20] = MaskFlag.bad
  frame.mask.data[8 * 23 + 1] = MaskFlag.noData
  const marked = superPixels(compute, { ...frame, variance })
  const flagged = [...marked.mask.data].flatMap((bits, i) => (bits === 0 ? [] : [[i % 11, Math.floor(i / 11), bits]]))
  expect(flagged).toEqual([
    [4, 1, MaskFlag.saturated | MaskFlag.cosmicRay],
    [10, 2, MaskFlag.bad],
    [0, 4, MaskFlag.noData],
  ])
  expect([marked.science.data[2 * 11 + 10], marked.variance!.data[4 * 11]]).toEqual([0, 0])
  expect(marked.science.data[11 + 4]).toBe(reference.means[11 + 4])
})

test('one thread and two make the same super-pixels', () => {
  const run = (threads: number): Buffer => {
    using compute = createCompute({ threads })
    const random = createRandom('mosaic')
    const frame = frameOf(compute, [1003, 301], () => 1000 + 30 * random.normal())
    const { science, mask, variance } = superPixels(compute, { ...frame, variance: frame.science })
    return Buffer.concat(
      [science, mask, variance!].map(({ data }) =>
        Buffer.from(Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))),
      ),
    )
  }
  expect(run(1).equals(run(2))).toBe(true)
})

test('the sky of a super-pixel is that of the middle of its four pixels, bend and all', () => {
  const header = FitsHeader.from({
    ...{ CTYPE1: 'RA---TAN-SIP', CTYPE2: 'DEC--TAN-SIP', CRPIX1: 1501.25, CRPIX2: 998.5, CRVAL1: 83.8, CRVAL2: -5.4 },
    ...{ CD1_1: -0.00041, CD1_2: 0.00002, CD2_1: 0.00003, CD2_2: 0.00042 },
    ...{ A_ORDER: 2, A_2_0: 1.1e-6, A_1_1: -7e-7, B_ORDER: 2, B_0_2: -9e-7, B_2_0: 4e-7 },
    ...{ BAYERPAT: 'GBRG', XBAYROFF: 0, EGAIN: 0.25, RDNOISE: 1.5, XPIXSZ: 2.9, XBINNING: 1 },
  })
  const made = superPixelHeader(header)
  const wcs = wcsFromHeader(made)!
  reference.places.forEach(([x, y], n) => {
    const at = pixelToSky(wcs, x, y)
    expect(at.raDeg).toBeCloseTo(reference.sky[n]![0], 9)
    expect(at.decDeg).toBeCloseTo(reference.sky[n]![1], 9)
  })
  expect(made.has('BAYERPAT')).toBe(false)
  expect(made.text('MOSAIC')).toBe('GBRG')
  // The mean of four readings: four times the electrons for one ADU, noise in electrons times √4.
  expect([made.number('EGAIN'), made.number('RDNOISE'), made.number('XPIXSZ')]).toEqual([1, 3, 5.8])
  expect([made.number('XBINNING'), made.number('YBINNING')]).toEqual([2, 2])
})

test('a camera without a mosaic is left as it is, and one of six colours in a row is refused in words', () => {
  using compute = createCompute({ threads: 1 })
  const plain = { ...frameOf(compute, [8, 8], () => 1), header: FitsHeader.empty }
  expect(withoutMosaic(compute, plain)).toBe(plain)
  expect(mosaicOf(FitsHeader.from({ BAYERPAT: 'rggb  ' }))).toBe('RGGB')
  expect(() => mosaicOf(FitsHeader.from({ BAYERPAT: 'XTRANS' }))).toThrow('turn others into luminance first')
})

/** Relative sensitivity of R, G, G, B, and 30 % of vignetting to the corners. */
const colours = [0.45, 1, 1, 0.7]
const colourAt = (x: number, y: number): number => colours[2 * (y & 1) + (x & 1)]!
const size = [240, 180] as const
const vignetting = (x: number, y: number): number => 1 - 0.3 * (((x - 120) / 150) ** 2 + ((y - 90) / 150) ** 2)
const [gain, readNoise] = [0.8, 3]

/** A camera's reading of so many electrons in ADU above a bias of 0. */
function reading(random: ReturnType<typeof createRandom>, electrons: number): number {
  return Math.round((random.poisson(electrons) + readNoise * random.normal()) / gain)
}

test('a flat takes out the vignetting of each colour and leaves the colours themselves', () => {
  using compute = createCompute({ threads: 1 })
  const random = createRandom('flats')
  const twilight = (level: number): Frame =>
    frameOf(compute, size, (x, y) => reading(random, level * colourAt(x, y) * vignetting(x, y)))
  const flat = masterFlat(
    compute,
    [0, 1, 2, 3, 4].map(() => twilight(30_000)),
    {
      bias: undefined,
      readNoiseAdu: readNoise / gain,
      saturationAdu: 65_535,
    },
  )
  expect(Math.abs(flat.gainElectronsPerAdu! / gain - 1)).toBeLessThan(0.015)
  expect(flat.defects!.data.every((bits) => bits === 0)).toBe(true)
  const sums = [0, 0, 0, 0]
  flat.plane.data.forEach((value, i) => {
    sums[2 * (Math.floor(i / 240) & 1) + (i & 1)]! += value
  })
  for (const sum of sums) expect(sum / (120 * 90)).toBeCloseTo(1, 4)
  const centre = flat.plane.data[90 * 240 + 120]! / flat.plane.data[0]!
  expect(Math.abs(centre / (vignetting(120, 90) / vignetting(0, 0)) - 1)).toBeLessThan(0.03)
  // Green at 0.87 of the converter while the median of all pixels lies at less.
  expect(() =>
    masterFlat(compute, [twilight(50_000), twilight(50_000)], {
      bias: undefined,
      readNoiseAdu: 3,
      saturationAdu: 65_535,
    }),
  ).toThrow('level of')
})

test('the variance of a super-pixel is that of its noise', () => {
  using compute = createCompute({ threads: 1 })
  const random = createRandom('pulls')
  const sky = 700
  const raw = frameOf(compute, [800, 600], (x, y) => reading(random, sky * colourAt(x, y)))
  const camera = { gainElectronsPerAdu: gain, readNoiseElectrons: readNoise, saturationAdu: 65_535 }
  const { science, variance } = superPixels(compute, calibrate(compute, raw, {}, camera))
  const truth = (sky * (0.45 + 1 + 1 + 0.7)) / 4 / gain
  const pulls = Float64Array.from(science.data, (value, i) => (value - truth) / Math.sqrt(variance!.data[i]!))
  const mean = pulls.reduce((sum, pull) => sum + pull, 0) / pulls.length
  const width = Math.sqrt(pulls.reduce((sum, pull) => sum + (pull - mean) ** 2, 0) / pulls.length)
  expect(Math.abs(mean)).toBeLessThan(0.02)
  expect(Math.abs(width - 1)).toBeLessThan(0.03)
})

test('a raw frame of a colour camera is measured, solved and graded like any other', async () => {
  using compute = createCompute({ threads: 2 })
  const [width, height] = [1600, 1200]
  const truth: Wcs = {
    referencePixel: [799.5, 599.5],
    raDeg: 56.75,
    decDeg: 24.12,
    cd: [-0.0008, 0.00005, 0.00005, 0.0008],
  }
  const random = createRandom('pleiades in colour')
  const light = new Float64Array(width * height).fill(400)
  for (const star of openStarCatalogue().starsNear(truth.raDeg, truth.decDeg, 1)) {
    const at = skyToPixel(truth, star.raDeg, star.decDeg)
    if (!at) continue
    const peak = 10 ** (-0.4 * (star.mag - 19.5)) / (2 * Math.PI * 2.4 ** 2)
    for (let y = Math.max(0, Math.floor(at.y) - 11); y < Math.min(height, at.y + 12); y++) {
      for (let x = Math.max(0, Math.floor(at.x) - 11); x < Math.min(width, at.x + 12); x++) {
        light[y * width + x]! += peak * Math.exp(-((x - at.x) ** 2 + (y - at.y) ** 2) / (2 * 2.4 ** 2))
      }
    }
  }
  const data = new Uint16Array(width * height)
  for (let i = 0; i < data.length; i++) {
    const electrons = light[i]! * colourAt(i % width, Math.floor(i / width))
    data[i] = Math.min(
      65_535,
      300 + Math.max(0, Math.round((electrons + Math.sqrt(electrons) * random.normal()) / gain)),
    )
  }
  const header = FitsHeader.from({ BAYERPAT: 'RGGB', EXPTIME: 30, EGAIN: gain, XBINNING: 1, YBINNING: 1 })
  const [rawPath, outPath] = [join(folder, 'raw.fits'), join(folder, 'out.fits')]
  writeFileSync(rawPath, encodeFits([{ header, data: { width, height, data } }]))
  // 206.265″ · 3.76 µm / 269.1 mm = 2.88″ = 0.0008° a pixel.
  const camera = { ...defaultSettings.camera, pixelMicrometres: 3.76, focalLengthMillimetres: 269.1 }
  const field = { raDeg: 56.7, decDeg: 24.1 }
  const { quality } = await calibrateFile(compute, { rawPath, outPath, masters: {}, camera, field })
  expect(quality).toMatchObject({ solved: true, grade: 'good' })
  const out = readFrame(compute, outPath)
  expect([out.width, out.height]).toEqual([800, 600])
  expect(out.header.number('EGAIN')).toBeCloseTo(4 * gain, 5)
  const wcs = wcsFromHeader(out.header)!
  for (const [x, y] of [
    [50, 60],
    [700, 40],
    [400, 300],
    [90, 550],
  ] as const) {
    const [ours, right] = [pixelToSky(wcs, x, y), pixelToSky(truth, 2 * x + 0.5, 2 * y + 0.5)]
    const dRa = (ours.raDeg - right.raDeg) * Math.cos((24.12 * Math.PI) / 180)
    // A tenth of a super-pixel of 5.76″.
    expect(Math.hypot(dRa, ours.decDeg - right.decDeg) * 3600).toBeLessThan(0.6)
  }
})
