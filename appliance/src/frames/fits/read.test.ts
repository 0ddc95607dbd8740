import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Compute, createCompute } from '../compute.ts'
import { MaskFlag } from '../mask.ts'
import { realDataFolder, realFiles, reference } from '../reference.ts'
import { median, moments, quantiles } from '../statistics.ts'
import { verifyChecksums } from './checksum.ts'
import { FitsHeader } from './header.ts'
import { openFits, readFrame, readImage, rowOrder } from './read.ts'
import { encodeFits } from './write.ts'

function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64')
}

function patched(bytes: Uint8Array, key: string, text: string): Uint8Array {
  const copy = Buffer.from(bytes)
  const at = copy.indexOf(key.padEnd(8))
  copy.write(text.padEnd(70), at + 10, 'latin1')
  return copy
}

const u16 = bytesOf(reference.files.u16?.base64 ?? '')
const data = realDataFolder()

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-fits-'))
  try {
    work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('pixels written by astropy', () => {
  it.each(Object.entries(reference.files))('as %s are read as astropy reads them', (_name, { base64, values }) => {
    using compute = createCompute({ threads: 1 })
    const plane = readImage(compute, openFits(bytesOf(base64)))
    expect([plane.width, plane.height]).toEqual([3, 2])
    expect([...plane.data]).toEqual(values.map((value) => value ?? Number.NaN))
  })

  it.each(Object.entries(reference.files))('as %s have checksums that hold', (_name, { base64, datasum }) => {
    const file = openFits(bytesOf(base64))
    expect(verifyChecksums(file)).toEqual([{ hdu: 0, data: true, header: true }])
    expect(file.hdus[0]?.header.text('DATASUM')).toBe(datasum)
  })

  it('are noticed when one byte of data or header has changed', () => {
    const bytes = Buffer.from(u16)
    bytes[2880] = 1
    expect(verifyChecksums(openFits(bytes))).toEqual([{ hdu: 0, data: false, header: false }])
    const other = patched(u16, 'BSCALE', '                   2')
    expect(verifyChecksums(openFits(other))).toEqual([{ hdu: 0, data: true, header: false }])
  })
})

describe('a file', () => {
  it('is the same from disk, from memory and packed with gzip', () => {
    withFolder((folder) => {
      using compute = createCompute({ threads: 1 })
      writeFileSync(join(folder, 'a.fits'), u16)
      writeFileSync(join(folder, 'a.fits.gz'), gzipSync(u16))
      for (const from of [join(folder, 'a.fits'), join(folder, 'a.fits.gz'), gzipSync(u16), u16]) {
        expect([...readImage(compute, openFits(from)).data]).toEqual(reference.files.u16?.values)
      }
    })
  })

  it('without padding at its end is read, and one with rubbish after it', () => {
    using compute = createCompute({ threads: 1 })
    for (const bytes of [u16.subarray(0, 2880 + 12), Buffer.concat([u16, Buffer.alloc(77, 'x')])]) {
      expect([...readImage(compute, openFits(bytes)).data]).toEqual(reference.files.u16?.values)
    }
  })

  it('keeps its rows in file order whatever ROWORDER says', () => {
    using compute = createCompute({ threads: 1 })
    const header = FitsHeader.from({ ROWORDER: 'BOTTOM-UP' })
    const file = openFits(encodeFits([{ header, data: { width: 2, height: 2, data: Float32Array.of(1, 2, 3, 4) } }]))
    expect([...readImage(compute, file).data]).toEqual([1, 2, 3, 4])
    expect(rowOrder(file)).toBe('BOTTOM-UP')
  })
})

describe('a bad file is refused with its name and what to do:', () => {
  const refused = (bytes: Uint8Array | string, code: string, message: RegExp): void => {
    using compute = createCompute({ threads: 1 })
    const before = compute.usage().peakBytes
    const read = (): unknown => readImage(compute, openFits(bytes, { name: 'night.fits' }))
    expect(read).toThrow(message)
    expect(read).toThrow(expect.objectContaining({ code: `fits/${code}` }))
    expect(compute.usage().peakBytes - before).toBeLessThan(1024)
  }

  it('not there', () => refused('/nowhere/night.fits', 'unreadable', /nowhere\/night.fits: cannot be opened/))
  it('a folder', () => refused(tmpdir(), 'unreadable', /is not a file|cannot be opened/))
  it('empty', () => refused(new Uint8Array(0), 'not-fits', /night.fits: this is not a FITS file/))
  it('a picture', () => refused(Buffer.from('\x89PNG\r\n'), 'not-fits', /night.fits: this is not a FITS file/))
  it('packed otherwise', () => refused(Buffer.from('BZh91AY&SY'), 'not-fits', /packed with bzip2: unpack it first/))
  it('cut in its data', () =>
    refused(u16.subarray(0, 2885), 'truncated', /promises 12 bytes of data.*has 5: copy it again/))
  it('cut in its header', () => refused(u16.subarray(0, 400), 'truncated', /within a header/))
  it('lying about its size', () => {
    refused(patched(u16, 'NAXIS1', '              999999'), 'truncated', /promises 3999996 bytes/)
    refused(patched(u16, 'NAXIS1', '    9007199254740991'), 'lying', /more than any file holds/)
    refused(patched(u16, 'NAXIS1', '                  -3'), 'header', /NAXIS1 is -3/)
    refused(patched(u16, 'NAXIS1', '                 3.5'), 'header', /NAXIS1 is 3.5/)
    refused(patched(u16, 'NAXIS', '           100000000'), 'header', /more than the 999/)
    refused(patched(u16, 'NAXIS', '                   3'), 'header', /NAXIS3 is missing/)
    refused(patched(u16, 'BITPIX', '                  17'), 'header', /BITPIX is 17/)
  })
  it('a damaged gzip', () => refused(gzipSync(u16).subarray(0, 60), 'gzip', /gzip data are damaged/))
  it('a gzip bomb', () => {
    using compute = createCompute({ threads: 1 })
    const bomb = gzipSync(Buffer.concat([u16, Buffer.alloc(4_000_000)]))
    expect(() => readFrame(compute, bomb, { maximumBytes: 1_000_000 })).toThrow(/unpacks to more than 0 MiB/)
  })
  it('larger than allowed', () => {
    using compute = createCompute({ threads: 1 })
    const big = encodeFits([{ data: { width: 1024, height: 1025, data: new Float32Array(1024 * 1025) } }])
    expect(() => readImage(compute, openFits(big, { maximumBytes: 4 * 1048576 }))).toThrow(/has 5 MiB, more than the 4/)
  })
  it('a cube', () => {
    const bytes = patched(patched(u16, 'NAXIS', '                   3'), 'EXTEND', '')
    const cube = Buffer.from(bytes)
    cube.write('NAXIS3  =                    1', cube.indexOf('EXTEND  '), 'latin1')
    using compute = createCompute({ threads: 1 })
    expect(readImage(compute, openFits(cube)).data.length).toBe(6)
    const two = patched(patched(cube, 'NAXIS3', '                   2'), 'NAXIS2', '                   1')
    refused(two, 'cube', /is 3 × 1 × 2: a single plane is needed/)
  })
  it('a tile-compressed image', () => {
    const table = FitsHeader.from({
      XTENSION: 'BINTABLE',
      BITPIX: 8,
      NAXIS: 2,
      NAXIS1: 8,
      NAXIS2: 0,
      PCOUNT: 0,
      GCOUNT: 1,
      TFIELDS: 1,
      ZIMAGE: true,
    })
    refused(Buffer.concat([encodeFits([{}]), table.encode()]), 'compressed', /unpack it with funpack/)
  })
  it('without an image', () => refused(encodeFits([{}]), 'not-image', /has no image in any HDU/))
})

describe('a frame', () => {
  it('marks saturated, NaN and BLANK pixels', () => {
    using compute = createCompute({ threads: 2 })
    const header = FitsHeader.from({ SATURATE: 100 })
    const pixels = Float32Array.of(1, 100, Number.NaN, 99.9, 1e9, Number.NEGATIVE_INFINITY, 0, 0, 0, 100.5)
    const frame = readFrame(compute, encodeFits([{ header, data: { width: 5, height: 2, data: pixels } }]))
    const { saturated, noData } = MaskFlag
    expect([...frame.mask.data]).toEqual([0, saturated, noData, 0, saturated, noData, 0, 0, 0, saturated])
    expect(frame.variance).toBeUndefined()
    const blank = readFrame(compute, bytesOf(reference.files.blankI16?.base64 ?? ''))
    expect([...blank.mask.data]).toEqual([0, 0, noData, 0, noData, 0])
  })

  it('of unsigned 16 bits is saturated where the converter is full', () => {
    using compute = createCompute({ threads: 1 })
    expect([...readFrame(compute, u16).mask.data]).toEqual([0, 0, 0, 0, 0, MaskFlag.saturated])
  })

  it('takes mask and variance from extensions, translating LSST’s mask planes', () => {
    using compute = createCompute({ threads: 1 })
    const size = { width: 4, height: 1 }
    const lsst = FitsHeader.from({ MP_BAD: 0, MP_SAT: 1, MP_CR: 3, MP_DETEC: 5 })
    const bytes = encodeFits([
      { header: FitsHeader.from({ OBJECT: 'M 51' }) },
      { data: { ...size, data: Float32Array.of(1, 2, 3, 4) }, header: FitsHeader.from({ FILTER: 'r' }) },
      { data: { ...size, data: Int32Array.of(1, 2, 8 + 1, 32) }, header: lsst, extname: 'MASK' },
      { data: { ...size, data: Float32Array.of(5, 6, 7, 8) }, extname: 'VARIANCE' },
    ])
    const frame = readFrame(compute, bytes)
    const { bad, saturated, cosmicRay } = MaskFlag
    expect([...frame.mask.data]).toEqual([bad, saturated, cosmicRay | bad, 0])
    expect([...(frame.variance?.data ?? [])]).toEqual([5, 6, 7, 8])
    expect([frame.header.text('OBJECT'), frame.header.text('FILTER')]).toEqual(['M 51', 'r'])
  })

  it('calls every pixel bad that a mask without names marks', () => {
    using compute = createCompute({ threads: 1 })
    const size = { width: 2, height: 1 }
    const bytes = encodeFits([
      { data: { ...size, data: Float32Array.of(1, 2) } },
      { data: { ...size, data: Uint8Array.of(0, 64) }, extname: 'MASK' },
    ])
    expect([...readFrame(compute, bytes).mask.data]).toEqual([0, MaskFlag.bad])
  })
})

describe.skipIf(!data)('real files of many telescopes (shared/data)', () => {
  const read = (compute: Compute, name: string): void => {
    const truth = realFiles.find((file) => file.name === name)
    if (!truth) return
    const file = openFits(join(data ?? '', name))
    expect(file.hdus.length).toBe(truth.hdus)
    const frame = readFrame(compute, file)
    expect([frame.width, frame.height]).toEqual([truth.width, truth.height])
    const [min, max] = quantiles(compute, frame.science, [0, 1])
    expect([min, max]).toEqual([truth.min, truth.max])
    expect(median(compute, frame.science)).toBeCloseTo(truth.median, 6)
    const measured = moments(compute, frame.science)
    expect(measured.count).toBe(truth.width * truth.height - truth.bad)
    expect(measured.mean).toBeCloseTo(truth.mean, 6)
  }
  it.each(realFiles.map((file) => file.name))('%s has astropy’s pixels', (name) => {
    using compute = createCompute({ threads: 1 })
    read(compute, name)
  })
})
