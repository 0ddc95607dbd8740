import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { type Compute, createCompute } from '../compute.ts'
import { compressedCorpus, realDataFolder } from '../reference.ts'
import { verifyChecksums } from './checksum.ts'
import { FitsHeader } from './header.ts'
import { type PackOptions, packFits } from './pack.ts'
import { firstImage, openFits, readFrame, readImage } from './read.ts'
import { tiledImage } from './tiles.ts'
import { unpackStored } from './unpack.ts'
import { type Bitpix, encodeFits, encodeFrame } from './write.ts'

const one = createCompute({ threads: 1 })
const two = createCompute({ threads: 2 })
const compute = two
afterAll(() => {
  one[Symbol.dispose]()
  two[Symbol.dispose]()
})

const corpus = compressedCorpus()
const data = realDataFolder()
const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64')
const named = (name: string): Buffer => bytesOf(corpus.files.find((file) => file.name === name)?.base64 ?? '')

/** Table and heap of the first image. */
function unitOf(bytes: Uint8Array): Buffer {
  const { dataOffset, dataBytes } = firstImage(openFits(bytes))
  return Buffer.from(bytes.subarray(dataOffset, dataOffset + dataBytes))
}

/** The whole numbers of a packed file as a plain one. */
function plainWhole(compute: Compute, packed: Uint8Array): Uint8Array {
  const file = openFits(packed)
  const image = tiledImage(file, firstImage(file))
  const { width, height, data: stored } = unpackStored(compute, file, firstImage(file), image)
  return encodeFits([{ data: { width, height, data: stored }, bitpix: image.bitpix as Bitpix, bzero: 0 }])
}

describe('whole numbers packed with RICE_1', () => {
  const rice = corpus.files.filter(({ name }) => name.endsWith(': fpack -r'))
  it.each(rice)('have the bytes of $name, by one thread and by two', ({ base64 }) => {
    for (const compute of [one, two]) {
      const packed = packFits(compute, plainWhole(compute, bytesOf(base64)))
      expect(unitOf(packed).equals(unitOf(bytesOf(base64)))).toBe(true)
      expect(verifyChecksums(openFits(packed)).at(-1)).toEqual({ hdu: 1, data: true, header: true })
    }
  })
})

describe('floats that are quantized', () => {
  const options: Record<string, PackOptions> = {
    '-q77 4': { ditherSeed: 77 },
    '-qz10000 8': { ditherSeed: 10_000, dither: 2, quantizeLevel: 8 },
    '-q3 -2.5': { ditherSeed: 3, quantizeLevel: -2.5 },
  }
  const sources = ['noise', 'with NaN', 'with zeros', 'negative, small'].map((name) => `float32 ${name}`)
  // With a step of its own and NaN in the row, fpack puts the zero point elsewhere.
  const cases = sources
    .flatMap((source) => Object.keys(options).map((flags) => ({ source, flags })))
    .filter(({ source, flags }) => !(source.endsWith('NaN') && flags.endsWith('-2.5')))
  it.each(cases)('have the steps and the bytes of fpack $flags: $source', ({ source, flags }) => {
    const plane = readImage(compute, openFits(named(`${source}: fpack -q 0 -g1`)))
    const packed = packFits(compute, encodeFits([{ data: plane }]), options[flags])
    const expected = named(`${source}: fpack ${flags}`)
    const [ours, theirs] = [packed, expected].map((bytes) => firstImage(openFits(bytes)))
    expect(ours?.shape).toEqual(theirs?.shape)
    // Rows that are kept as they are differ in gzip's own bytes: the pixels decide.
    if (ours?.shape[0] === 24) expect(unitOf(packed).equals(unitOf(expected))).toBe(true)
    expect(readImage(compute, openFits(packed)).data).toEqual(readImage(compute, openFits(expected)).data)
  })

  it('or kept bit for bit, with GZIP_1 and GZIP_2', () => {
    const plane = readImage(compute, openFits(named('float32 with NaN: fpack -q 0 -g1')))
    for (const packing of ['GZIP_1', 'GZIP_2'] as const) {
      const packed = packFits(compute, encodeFits([{ data: plane }]), { packing, quantizeLevel: 0 })
      expect(readImage(compute, openFits(packed)).data).toEqual(plane.data)
    }
    const asked = (): unknown => packFits(compute, encodeFits([{ data: plane }]), { quantizeLevel: 0 })
    expect(asked).toThrow(/RICE_1 cannot keep floats bit for bit: use GZIP_2/)
  })
})

it('a frame with mask and variance is packed whole and read back', () => {
  const science = compute.float32(40, 30)
  science.data.forEach((_, i) => {
    science.data[i] = 1000 + ((i * 7919) % 101)
  })
  const mask = compute.uint16(40, 30)
  mask.data[7] = 4 + 16 + 128
  const header = FitsHeader.from({ OBJECT: 'NGC 1', NOTE: 'x'.repeat(150) }).withHistory('calibrate 1.0')
  const variance = compute.float32(40, 30)
  variance.data.set(science.data)
  const frame = { header, width: 40, height: 30, science, mask, variance }
  const back = readFrame(compute, packFits(compute, encodeFrame(frame), { packing: 'GZIP_2', quantizeLevel: 0 }))
  expect(back.science.data).toEqual(science.data)
  expect(back.mask.data).toEqual(mask.data)
  expect(back.variance?.data).toEqual(variance.data)
  expect([back.header.text('OBJECT'), back.header.text('NOTE')]).toEqual(['NGC 1', 'x'.repeat(150)])
})

function samePixels(compute: Compute, ours: Uint8Array, theirs: Uint8Array): boolean {
  const [a, b] = [ours, theirs].map((bytes) => readImage(compute, openFits(bytes)).data)
  if (!a || !b) return false
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength))
}

function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

const tools = installed('fpack') && installed('funpack')
if (!tools) console.log('skipped: packing against fpack and funpack (Debian: apt install libcfitsio-bin)')
const verifier = installed('fitsverify')
if (!verifier) console.log('skipped: fitsverify on packed files (Debian: apt install fitsverify)')

const realFiles = [
  'single/asi1600_lights_1.fits',
  'single/indi_simulator_m47.fits',
  'single/gmos_cr.fits',
  'single/eso_na36.fits',
  'single/kbmod_demo.fits',
  'single/feder_calib/flattest.fits',
  'single/feder_calib/darktest1.fits',
  'pairs/toros-eso085/sci.fits',
  'pairs/nircam/sci.fits',
  'pairs/decam/OBS04a.fits',
  'pairs/lsst-sim/sci.fits',
  'series/hatp32/HATP-32171220013343.fits.gz',
].filter((path) => data !== undefined && existsSync(join(data, path)))

describe.skipIf(!tools || realFiles.length === 0)('a real frame', () => {
  const inFolder = (path: string, work: (plain: string, folder: string) => void): void => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-pack-'))
    try {
      const bytes = readFileSync(join(data ?? '', path))
      const plain = join(folder, basename(path, '.gz'))
      writeFileSync(plain, path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
      work(plain, folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  // fpack itself stops at this one.
  const forFpack = realFiles.filter((path) => !path.endsWith('flattest.fits'))
  it.each(forFpack)('%s packed by us has the bytes that fpack gives, and funpack restores it', (path) => {
    inFolder(path, (plain, folder) => {
      const ours = packFits(compute, plain, { ditherSeed: 7 })
      const theirs = execFileSync('fpack', ['-q7', '4', '-S', plain], { maxBuffer: 2 ** 28 })
      const lossless = openFits(plain).hdus.every(({ bitpix }) => bitpix > 0)
      if (lossless) expect(unitOf(ours).equals(unitOf(theirs))).toBe(true)
      expect(samePixels(compute, ours, theirs)).toBe(true)
      const packed = join(folder, 'ours.fits.fz')
      writeFileSync(packed, ours)
      const back = execFileSync('funpack', ['-S', packed], { maxBuffer: 2 ** 28 })
      if (lossless) expect(unitOf(back).equals(unitOf(readFileSync(plain)))).toBe(true)
      // funpack drops blank cards at the end.
      const cards = (bytes: Uint8Array): string =>
        firstImage(openFits(bytes))
          .header.cards.filter(({ key }) => !/^(CHECKSUM|DATASUM|SIMPLE|NAXIS\d*|BITPIX|EXTEND)$/.test(key))
          .map(({ raw }) => raw)
          .join('')
          .trimEnd()
      expect(cards(back)).toBe(cards(readFileSync(plain)))
    })
  })

  it.skipIf(!verifier).each(realFiles)('%s packed by us has nothing that fitsverify did not find before', (path) => {
    inFolder(path, (plain, folder) => {
      const findings = (file: string): number => {
        const said = spawnSync('fitsverify', ['-q', file], { encoding: 'utf8' }).stdout
        expect(said).toMatch(/OK|FAILED/)
        const counts = said.match(/\d+(?= (warning|error))/g) ?? []
        return counts.reduce((sum, count) => sum + Number(count), 0)
      }
      const packed = join(folder, 'ours.fits.fz')
      writeFileSync(packed, packFits(compute, plain))
      expect(findings(packed)).toBeLessThanOrEqual(findings(plain))
    })
  })
})
