import { createHash, type Hash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { differenceFrames } from '../../src/differencing/difference.ts'
import { takeOffMedian } from '../../src/differencing/level.ts'
import { formOf, moffatStamps } from '../../src/differencing/moffat.ts'
import { fitMoffats } from '../../src/differencing/moffatFit.ts'
import { cutStars } from '../../src/differencing/psfCuts.ts'
import { framingOf } from '../../src/differencing/psfField.ts'
import { PolynomialPsf } from '../../src/differencing/psfModel.ts'
import { measureResidual } from '../../src/differencing/psfResidual.ts'
import { buildReference } from '../../src/differencing/references.ts'
import { saturatedBlobs } from '../../src/differencing/repair.ts'
import { StarGrid } from '../../src/differencing/starGrid.ts'
import { affine, type PixelTransform } from '../../src/differencing/transform.ts'
import { warp } from '../../src/differencing/warp.ts'
import { subtract } from '../../src/differencing/zogy.ts'
import { type Compute, createCompute } from '../../src/frames/compute.ts'
import { convolve, convolveSeparable, gaussianTaps } from '../../src/frames/convolve.ts'
import { correlateSpectra, multiplySpectra, planFft, powerSpectrum } from '../../src/frames/fft.ts'
import { FitsHeader } from '../../src/frames/fits/header.ts'
import { packFits } from '../../src/frames/fits/pack.ts'
import { readRaw } from '../../src/frames/fits/rawImage.ts'
import { openFits, readFrame, readImage } from '../../src/frames/fits/read.ts'
import { type Bitpix, encodeFits } from '../../src/frames/fits/write.ts'
import type { Frame } from '../../src/frames/frame.ts'
import { MaskFlag } from '../../src/frames/mask.ts'
import { createMesh, paintMesh, paintSpline, subtractSpline } from '../../src/frames/mesh.ts'
import type { Plane } from '../../src/frames/plane.ts'
import { clearMissing, loudPixels, planeFacts, uniteMasks } from '../../src/frames/planes.ts'
import { stretchPreview } from '../../src/frames/preview.ts'
import { compressedCorpus, denseCorpus } from '../../src/frames/reference.ts'
import { medianAndMad, moments, quantiles, sigmaClipped } from '../../src/frames/statistics.ts'
import { measureApertures } from '../../src/preprocessing/aperture.ts'
import { measureBackground, measureWhiteNoise } from '../../src/preprocessing/background.ts'
import { calibrate } from '../../src/preprocessing/calibrate.ts'
import { cosmicRays } from '../../src/preprocessing/cosmicRays.ts'
import { masterBias, masterDark, masterFlat } from '../../src/preprocessing/masters.ts'
import { superPixels } from '../../src/preprocessing/mosaic.ts'
import { stackClipped } from '../../src/preprocessing/stack.ts'
import { measureMoments } from '../../src/preprocessing/starMoments.ts'
import { measureStars } from '../../src/preprocessing/stars.ts'

/**
 * What every kernel makes of seeded frames of an awkward size, as one sha256 an operation. hashes.json holds what they are: any
 * machine and any number of threads must find them. They say that results are the same everywhere, not that they are right,
 * which the tests beside the code say. After a change that is meant to change results:
 *
 *     node appliance/test/arm64/operations.ts --write
 *
 * With a number of threads instead, the hashes are printed as JSON, with the names of the kernels that ran.
 */
export interface Outcome {
  readonly architecture: string
  readonly hashes: Readonly<Record<string, string>>
  readonly kernels: readonly string[]
  /**
   * [x, y, S_corr] of each candidate of a whole difference, which has no hash: PSFs and fluxes are fitted with `Math.exp` and the
   * like, whose last bit V8 does not keep the same on x64 and arm64.
   */
  readonly candidates: readonly (readonly number[])[]
}

export const hashesPath = fileURLToPath(new URL('./hashes.json', import.meta.url))

const [width, height] = [333, 271]
const camera = { gainElectronsPerAdu: 1.7, readNoiseElectrons: 6, saturationAdu: 60_000, bloom: 'columns' } as const
const bitpixes: readonly Bitpix[] = [8, 16, 32, -32, -64]

/** A sky of `level` with Gaussian noise and 120 stars of (1 + r²/α²)^−3: only functions that every machine rounds alike. */
function sky(compute: Compute, seed: string, level = 500, alpha = 2.4, shift = 0): Plane {
  const plane = compute.float32(width, height)
  const noise = createRandom(`arm64/${seed}`)
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = level + Math.sqrt(level) * noise.normal()
  const places = createRandom('arm64/stars')
  for (let star = 0; star < 120; star++) {
    const [x, y] = [width * places.next(), height * places.next()]
    addStar(plane, x + shift, y, 60 / (0.001 + places.next()), alpha)
  }
  return plane
}

function addStar(plane: Plane, x: number, y: number, peak: number, alpha: number): void {
  for (let v = Math.max(0, Math.ceil(y - 20)); v < Math.min(height, y + 20); v++) {
    for (let u = Math.max(0, Math.ceil(x - 20)); u < Math.min(width, x + 20); u++) {
      const r = 1 + ((u - x) * (u - x) + (v - y) * (v - y)) / (alpha * alpha)
      const at = v * width + u
      plane.data[at] = Math.min(60_000, plane.data[at]! + peak / (r * r * r))
    }
  }
}

/** A sky with missing, bad and saturated pixels, a hot column and cosmic rays. */
function frame(compute: Compute, seed: string, level = 500, alpha = 2.4): Frame {
  const science = sky(compute, seed, level, alpha)
  const mask = compute.uint16(width, height)
  const random = createRandom(`arm64/${seed}/spoilt`)
  for (let k = 0; k < 60; k++) {
    const at = random.integer(width * height - 4)
    for (let step = 0; step < 1 + (k % 4); step++) science.data[at + step]! += 900
    mask.data[random.integer(width * height)] = MaskFlag.bad
    mask.data[random.integer(width * height)] = MaskFlag.noData
  }
  for (let i = 0; i < science.data.length; i++) {
    if (science.data[i]! >= 60_000) mask.data[i] = mask.data[i]! | MaskFlag.saturated
  }
  return { header: FitsHeader.from({ EXPTIME: 30 }), width, height, science, mask, variance: undefined }
}

function rawFile(compute: Compute, seed: string, level?: number): Uint8Array {
  const { science } = frame(compute, seed, level)
  const rounded = compute.float32(width, height)
  for (let i = 0; i < rounded.data.length; i++) rounded.data[i] = Math.floor(science.data[i]!)
  return encodeFits([{ data: rounded, bitpix: 16, bzero: 32768, header: FitsHeader.from({ EXPTIME: 30 }) }])
}

const bent: PixelTransform = {
  ...{ order: 3, centreX: 166, centreY: 135, scale: 166 },
  x: [164.3, 163.1, -4.2, 0.31, -0.2, 0.11, 0.4, -0.3, 0.2, 0.1],
  y: [137.2, 4.1, 163.4, -0.21, 0.3, 0.12, -0.1, 0.2, -0.4, 0.3],
}
const splined: PixelTransform = {
  ...bent,
  bend: {
    u: [-0.7, 0.6, -0.5, 0.8, 0.1],
    v: [-0.6, -0.5, 0.7, 0.6, 0.05],
    x: [0.3, -0.2, 0.25, -0.3, -0.05, 0.02, 0.01, -0.03],
    y: [-0.2, 0.3, -0.15, 0.1, -0.05, 0.01, -0.02, 0.04],
  },
}

function warped(compute: Compute, transform: PixelTransform): unknown {
  const { science, mask } = frame(compute, 'warp', 0.5)
  const variance = sky(compute, 'variance', 700)
  const out = warp(compute, { science, mask, variance }, transform, { width: 301, height: 287 })
  return [out.science.data, out.mask.data, out.variance?.data]
}

function moffat(alpha: number): Float64Array {
  const stamp = Float64Array.from({ length: 625 }, (_, k) => {
    const [x, y] = [(k % 25) - 12, Math.floor(k / 25) - 12]
    const r = 1 + (x * x + y * y) / (alpha * alpha)
    return 1 / (r * r * r)
  })
  const sum = stamp.reduce((total, value) => total + value, 0)
  return stamp.map((value) => value / sum)
}

function zogy(compute: Compute): unknown {
  const cells = { cellPixels: 64, columns: 6, rows: 5 }
  const filled = (value: number) =>
    createMesh(
      compute,
      cells,
      Float64Array.from({ length: 30 }, (_, k) => value + k / 9),
    )
  const [psfN, psfR] = [moffat(2.4), moffat(2.9)]
  const { difference, scorr, tiles } = subtract(compute, {
    ...{ science: sky(compute, 'new', 25), reference: sky(compute, 'old', 9, 2.9), psfSize: 25, constantPsf: false },
    ...{ scienceRms: filled(5), referenceRms: filled(3), scienceGain: 1.5, referenceGain: 4 },
    ...{ sciencePsf: () => psfN, referencePsf: () => psfR, fluxRatio: 1.15, astrometricNoise: [0.05, 0.04] },
    tilePixels: 120,
  })
  const noise = takeOffMedian(compute, scorr, 1)
  return [difference.data, scorr.data, tiles, noise.data]
}

/** Profiles of the sky's stars, and what they leave of one that is too wide, with one node a pixel and with two. */
function psfs(compute: Compute): unknown {
  const plane = sky(compute, 'psf', 100)
  const places = createRandom('arm64/stars')
  const stars = Array.from({ length: 120 }, () => {
    const [x, y, faint] = [width * places.next(), height * places.next(), 0.001 + places.next()]
    return { x, y, fluxAdu: 540 / faint, snr: 5 / faint, fwhmPixels: 2.4, ellipticity: 0 }
  }).filter((star) => star.snr > 8)
  const mask = compute.uint16(width, height)
  const cutInput = { plane, mask, stars, grid: new StarGrid(stars, plane, 32), radius: 9, fwhmPixels: 2.4 }
  const cuts = cutStars(compute, cutInput, stars)
  const shape = { fwhmPixels: 2.6, e1: 0.03, e2: -0.01, beta: 3 }
  const form = formOf(shape)
  const tries = cuts.list.map((cut) => {
    const { x, y, fluxAdu } = cut.star
    return { cut, start: { amplitude: fluxAdu / 9, x: x - cut.cx, y: y - cut.cy, form } }
  })
  const options = { radiusPixels: 6, skyVariance: 100, perSignal: 0.5, perSquare: 1e-6, points: 2 } as const
  const fits = [true, false].map((freeBeta) => fitMoffats(compute, cuts, tries, { ...options, freeBeta }))
  const shaped = cuts.list.flatMap((cut, k) => (fits[0]![k] ? [{ cut, fit: fits[0]![k], shape }] : []))
  const rests = ([1, 2] as const).map((oversampling) => {
    const drawn = moffatStamps(compute, [shape, { ...shape, fwhmPixels: 2.7 }], 19, oversampling)
    const terms = [...drawn, drawn[0]!].map((term, k) =>
      Float64Array.from(term, (value) => (k === 0 ? value / 9 : value / 90)),
    )
    const model = new PolynomialPsf(terms, 1, framingOf(plane), 19, oversampling)
    const rest = {
      cuts,
      stars: shaped,
      model,
      degree: 1,
      rmsAdu: 10,
      perSignal: 0.5,
      fwhmPixels: 2.6,
      before: undefined,
    } as const
    return [drawn, measureResidual(compute, rest)]
  })
  return [fits, rests]
}

function stacks(compute: Compute): unknown {
  const planes = Array.from({ length: 10 }, (_, k) => sky(compute, `stack ${k}`))
  planes[3]!.data[777] = Number.NaN
  return [10, 7, 5, 3].map((count) => [
    stackClipped(compute, planes.slice(0, count)).data,
    stackClipped(compute, planes.slice(0, count), {
      noise: { fixed: 500, perSignal: 1 },
      factors: planes.map(() => 1.1),
    }).data,
  ])
}

function masters(compute: Compute): unknown {
  const many = (name: string, level: number, count: number): Frame[] =>
    Array.from({ length: count }, (_, k) => ({
      ...frame(compute, `${name} ${k}`, level),
      mask: compute.uint16(width, height),
    }))
  const bias = masterBias(compute, many('bias', 300, 5))
  const dark = masterDark(compute, many('dark', 400, 5), bias.plane, { gainElectronsPerAdu: 1.7 })
  const options = { bias: bias.plane, readNoiseAdu: 17, saturationAdu: 60_000 }
  const flat = masterFlat(compute, many('flat', 20_000, 4), options)
  return [bias, dark, flat].map(({ plane, noise, defects }) => [plane.data, noise, defects?.data])
}

function calibrated(compute: Compute): unknown {
  const bias = sky(compute, 'bias', 30, 0.2)
  const dark = { plane: sky(compute, 'dark', 20, 0.2), exposureSeconds: 60 }
  const flat = compute.float32(width, height)
  for (let i = 0; i < flat.data.length; i++) flat.data[i] = 0.8 + (i % 41) / 100
  const all = { bias, dark, flat, flatNoise: { fixed: 0, perSignal: 1e-5 } }
  return [readRaw(compute, rawFile(compute, 'raw')), frame(compute, 'raw')].map((raw) => {
    const { science, variance, mask } = calibrate(compute, raw, all, camera)
    return [science.data, variance?.data, mask.data]
  })
}

function spectra(compute: Compute): unknown {
  return [
    [336, 280],
    [360, 448],
    [343 * 8, 8],
    [512, 288],
  ].map(([columns, rows]) => {
    using _scratch = compute.scope()
    const plan = planFft(compute, columns!, rows!)
    const plane = compute.float32(Math.min(columns!, width), Math.min(rows!, height))
    plane.data.set(sky(compute, 'fft').data.subarray(0, plane.data.length))
    const spectrum = plan.spectrum()
    plan.forward(plane, spectrum)
    const made = [multiplySpectra, correlateSpectra].map((work) => {
      const out = plan.spectrum()
      work(compute, spectrum, spectrum, out)
      return out.data.slice()
    })
    const power = plan.spectrum()
    powerSpectrum(compute, spectrum, power)
    const back = compute.float32(columns!, rows!)
    plan.inverse(spectrum, back, { keep: true })
    return [spectrum.data.slice(), made, power.data.slice(), back.data.slice()]
  })
}

function starsOf(compute: Compute): unknown {
  const { science, mask } = frame(compute, 'stars')
  const background = measureBackground(compute, science, mask)
  const variance = sky(compute, 'variance', 500)
  return [{ thresholdSigma: 1.5 }, { thresholdSigma: 5, variance }].map((options) =>
    measureStars(compute, science, mask, background, options),
  )
}

/** Light inside circles and above isophotes, of stars that the frame's edge and bad pixels cut too. */
function shapesOf(compute: Compute): unknown {
  const { science, mask } = frame(compute, 'shapes')
  const background = measureBackground(compute, science, mask)
  const stars = measureStars(compute, science, mask, background, { thresholdSigma: 5 })
  const rules = { radiiPixels: [3, 1.7, 6.25], innerPixels: 8, outerPixels: 13 }
  return [undefined, mask].map((bits) => [
    measureApertures(compute, science, bits, stars, rules),
    measureMoments(compute, science, bits, background, stars),
  ])
}

/** Of an odd number of pixels, with a variance and without. */
function mosaics(compute: Compute): unknown {
  const raw = frame(compute, 'mosaic')
  return [raw, { ...raw, variance: sky(compute, 'variance', 700) }].map((given) => {
    const { science, mask, variance } = superPixels(compute, given)
    return [science.data, mask.data, variance?.data]
  })
}

function backgrounds(compute: Compute): unknown {
  const { science, mask } = frame(compute, 'background')
  const background = measureBackground(compute, science, mask, { meshPixels: 32 })
  const planes = [0, 1, 2].map(() => compute.float32(width, height))
  paintSpline(compute, background.level, planes[0]!)
  paintMesh(compute, background.rms, planes[1]!)
  subtractSpline(compute, background.level, science, planes[2]!)
  const white = measureWhiteNoise(compute, science, mask, background)
  return [background.level.data, background.rms.data, white.noise.data, planes.map(({ data }) => data)]
}

function planes(compute: Compute): unknown {
  const [one, other] = [frame(compute, 'one'), frame(compute, 'other')]
  const mask = uniteMasks(compute, one.mask, other.mask)
  const facts = planeFacts(compute, one.science, mask)
  clearMissing(compute, one.science, other.science, mask, 1.3)
  const blobs = saturatedBlobs(compute, one.mask, other.mask)
  return [facts, blobs, mask.data, one.science.data, other.science.data, loudPixels(compute, one.science, 800)]
}

function read(compute: Compute): unknown {
  const plane = sky(compute, 'read', 90)
  const files = bitpixes.map((bitpix) => readImage(compute, openFits(encodeFits([{ data: plane, bitpix }]))).data)
  const flags = compute.int32(width, height)
  for (let i = 0; i < flags.data.length; i++) flags.data[i] = i % 17 === 0 ? 3 : 0
  const header = FitsHeader.from({ MP_BAD: 0, MP_SAT: 1 })
  const framed = readFrame(compute, encodeFits([{ data: plane }, { data: flags, header, extname: 'MASK' }]))
  return [files, readImage(compute, openFits(longIntegers())).data, framed.science.data, framed.mask.data]
}

/** BITPIX 64, which we read and do not write. */
function longIntegers(): Uint8Array {
  const header = FitsHeader.from({ SIMPLE: true, BITPIX: 64, NAXIS: 2, NAXIS1: width, NAXIS2: height }).encode()
  const data = Buffer.alloc(Math.ceil((width * height * 8) / 2880) * 2880)
  for (let i = 0; i < width * height; i++) data.writeBigInt64BE(BigInt(i * 7919) - 12345678901n * BigInt(i % 5), 8 * i)
  return Buffer.concat([header, data])
}

function packed(compute: Compute): unknown {
  const floats = encodeFits([{ data: sky(compute, 'pack') }])
  const integers = rawFile(compute, 'pack')
  const files = [
    packFits(compute, integers),
    packFits(compute, floats),
    packFits(compute, floats, { dither: 2, quantizeLevel: 16 }),
    packFits(compute, floats, { packing: 'GZIP_2', quantizeLevel: 0 }),
  ]
  // What gzip writes depends on the library of the machine; what is read from it does not.
  return [files.slice(0, 3), files.map((file) => readFrame(compute, file).science.data)]
}

function unpacked(compute: Compute): unknown {
  const whole = compressedCorpus().files.map(({ base64 }) => ({ base64, plane: null }))
  const files = [...whole, ...denseCorpus()]
  return files.map(({ base64, plane }) => {
    using _scratch = compute.scope()
    return readImage(compute, openFits(Buffer.from(base64, 'base64')), undefined, plane ?? undefined).data.slice()
  })
}

/** Three frames half a pixel apart, from files. */
function referenceOf(compute: Compute): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-arm64-'))
  try {
    const paths = [0, 1, 2].map((k) => {
      const path = join(folder, `${k}.fits`)
      writeFileSync(path, encodeFits([{ data: sky(compute, `reference ${k}`, 400 + 50 * k, 2.4 + 0.1 * k, k / 2) }]))
      return path
    })
    const { science, mask } = buildReference(compute, paths, { spillFolder: folder }).frame
    return [science.data, mask.data]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Three frames, one of another scale, and the picture of their mean. */
function liveStack(compute: Compute): unknown {
  const planes = [0, 1, 2, 3].map(() => compute.float32(width, height))
  const pointers = planes.map(({ pointer }) => pointer)
  for (const k of [0, 1, 2]) {
    const { science, mask } = frame(compute, `live ${k}`, 0.5)
    const unusable = MaskFlag.noData | MaskFlag.bad
    compute.rows('liveStackAdd', height, [
      ...[science.pointer, mask.pointer, width, 1 + 0.1 * k, 1.5 - 0.2 * k, 0.6, unusable],
      ...pointers,
    ])
  }
  const out = compute.float32(width, height)
  compute.rows('liveStackShow', height, [...pointers, out.pointer, width, 0.6, 100])
  return [...planes, out].map(({ data }) => data)
}

/** Places and S_corr of what a whole difference of two frames finds: alike everywhere, but not to the last bit. */
function difference(compute: Compute): readonly number[][] {
  using _scratch = compute.scope()
  const clear = (made: Frame): Frame => ({ ...made, mask: compute.uint16(width, height) })
  const [science, reference] = [frame(compute, 'science'), frame(compute, 'reference', 400, 2.8)]
  const { candidates } = differenceFrames(compute, clear(science), clear(reference), { gainElectronsPerAdu: 1 })
  return candidates.map(({ x, y, scorr }) => [x, y, scorr])
}

const operations: Readonly<Record<string, (compute: Compute) => unknown>> = {
  'read every BITPIX and a mask': read,
  'pack with RICE_1 and GZIP_2': packed,
  'unpack RICE_1, GZIP, HCOMPRESS_1 and PLIO_1': unpacked,
  planes,
  statistics: (compute) => {
    const plane = sky(compute, 'statistics')
    const all = [medianAndMad(compute, plane), moments(compute, plane), sigmaClipped(compute, plane)]
    return [all, quantiles(compute, plane, [0.01, 0.33, 0.99])]
  },
  convolve: (compute) => {
    const plane = sky(compute, 'convolve')
    const kernel = { width: 3, height: 5, data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6] }
    const taps = gaussianTaps(1.7)
    return [convolve(compute, plane, kernel).data, convolveSeparable(compute, plane, taps, taps).data]
  },
  'Fourier transforms': spectra,
  preview: (compute) =>
    ([{ maxWidth: 100 }, { stretch: 'linear' }] as const).map((options) => {
      return stretchPreview(compute, sky(compute, 'preview'), undefined, options).pixels
    }),
  masters,
  stack: stacks,
  calibrate: calibrated,
  'cosmic rays': (compute) =>
    [1.8, 2.6].map((fwhmPixels) => {
      const options = { gainElectronsPerAdu: 1, readNoiseElectrons: 6, fwhmPixels }
      return cosmicRays(compute, frame(compute, 'rays'), options).frame.mask.data
    }),
  background: backgrounds,
  stars: starsOf,
  'circles and isophotes': shapesOf,
  'super-pixels': mosaics,
  'warp, affine': (compute) => warped(compute, affine([3.3, 0.998, -0.02, -2.4, 0.02, 0.998])),
  'warp, cubic': (compute) => warped(compute, bent),
  'warp, thin-plate spline': (compute) => warped(compute, splined),
  'ZOGY tiles': zogy,
  'profiles of stars': psfs,
  'reference of three frames': referenceOf,
  'live stack of three frames': liveStack,
}

/** Every operation on so many threads. */
export function runOperations(threads: number): Outcome {
  using compute = createCompute({ threads })
  const kernels = new Set<string>()
  const rows = compute.rows.bind(compute)
  compute.rows = (kernel, ...rest) => {
    kernels.add(kernel)
    rows(kernel, ...rest)
  }
  const hashes = Object.entries(operations).map(([name, operation]) => {
    using _scratch = compute.scope()
    const hash = createHash('sha256')
    feed(hash, operation(compute))
    return [name, hash.digest('hex')] as const
  })
  const found = Object.fromEntries(hashes)
  return { architecture: process.arch, hashes: found, kernels: [...kernels].sort(), candidates: difference(compute) }
}

/** The bits of all numbers in a value, in order; every NaN counts as the same. Where things lie in memory does not count. */
function feed(hash: Hash, value: unknown): void {
  if (value instanceof Float32Array || value instanceof Float64Array) {
    const copy = value.slice()
    const bytes = Buffer.from(copy.buffer, copy.byteOffset, copy.byteLength)
    for (let i = 0; i < copy.length; i++) {
      if (Number.isNaN(copy[i])) bytes.fill(0xff, i * copy.BYTES_PER_ELEMENT, (i + 1) * copy.BYTES_PER_ELEMENT)
    }
    hash.update(bytes)
  } else if (ArrayBuffer.isView(value)) {
    hash.update(Buffer.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)))
  } else if (typeof value === 'number') feed(hash, Float64Array.of(value))
  else if (typeof value !== 'object' || value === null) hash.update(String(value))
  else for (const [key, part] of Object.entries(value)) if (key !== 'pointer') feed(hash, part)
}

export function readHashes(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(hashesPath, 'utf8')).operations
}

if (import.meta.main) {
  const [option = String(availableParallelism())] = process.argv.slice(2)
  if (option === '--write') {
    const about =
      'sha256 of what each operation of operations.ts makes of seeded frames, the same on x64 and arm64; see there. ' +
      'Written by node appliance/test/arm64/operations.ts --write'
    writeFileSync(hashesPath, `${JSON.stringify({ about, operations: runOperations(1).hashes }, null, 2)}\n`)
  } else process.stdout.write(JSON.stringify(runOperations(Number(option))))
}
