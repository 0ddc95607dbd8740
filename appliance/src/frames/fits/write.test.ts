import { describe, expect, it } from 'vitest'
import { createCompute } from '../compute.ts'
import type { Frame } from '../frame.ts'
import { reference } from '../reference.ts'
import { encodeChecksum, onesComplementSum, verifyChecksums } from './checksum.ts'
import { FitsHeader } from './header.ts'
import { frameFromCamera } from './ingest.ts'
import { openFits, readFrame, readImage } from './read.ts'
import { encodeFits, encodeFrame } from './write.ts'

function exampleFrame(compute: ReturnType<typeof createCompute>): Frame {
  const science = compute.float32(5, 4)
  science.data.forEach((_, i) => {
    science.data[i] = i * 1.25 - 3
  })
  const mask = compute.uint16(5, 4)
  mask.data[7] = 4 + 16 + 128
  const variance = compute.float32(5, 4)
  variance.data.fill(2.5)
  const header = FitsHeader.from({ OBJECT: 'NGC 1', EXPTIME: [30, 'asked'] }).withHistory('calibrate 1.0')
  return { header, width: 5, height: 4, science, mask, variance }
}

describe('a frame', () => {
  it('comes back from its file as it was', () => {
    using compute = createCompute({ threads: 1 })
    const frame = exampleFrame(compute)
    const bytes = encodeFrame(frame)
    expect(bytes.length % 2880).toBe(0)
    const back = readFrame(compute, bytes)
    expect(back.science.data).toEqual(frame.science.data)
    expect(back.mask.data).toEqual(frame.mask.data)
    expect(back.variance?.data).toEqual(frame.variance?.data)
    expect(back.header.text('OBJECT')).toBe('NGC 1')
    expect(back.header.lines('HISTORY')).toEqual(['calibrate 1.0'])
    expect(verifyChecksums(openFits(bytes)).every((report) => report.data && report.header)).toBe(true)
  })

  it('written twice is the same bytes', () => {
    using compute = createCompute({ threads: 1 })
    const bytes = encodeFrame(exampleFrame(compute))
    expect(Buffer.from(encodeFrame(readFrame(compute, bytes))).equals(bytes)).toBe(true)
  })

  it('as 16 bits is rounded and kept inside the range', () => {
    using compute = createCompute({ threads: 1 })
    const data = Float32Array.of(-5, 0.4, 0.6, 65535, 70000, Number.NaN)
    const bytes = encodeFits([{ data: { width: 3, height: 2, data }, bitpix: 16 }])
    expect([...readImage(compute, openFits(bytes)).data]).toEqual([0, 0, 1, 65535, 65535, 0])
  })
})

describe('encoded pixels', () => {
  it('are byte for byte what astropy wrote', () => {
    const made = {
      u8: encodeFits([{ data: { width: 3, height: 2, data: Uint8Array.of(0, 1, 2, 127, 128, 255) } }]),
      u16: encodeFits([{ data: { width: 3, height: 2, data: Uint16Array.of(0, 1, 32767, 32768, 40000, 65535) } }]),
      i32: encodeFits([
        { data: { width: 3, height: 2, data: Int32Array.of(-2147483648, -70000, 0, 1, 16777216, 2147483647) } },
      ]),
      f64: encodeFits([
        { data: { width: 3, height: 2, data: Float64Array.of(-1.5, 0, Number.NaN, 1e-30, 1 / 3, 1e30) } },
      ]),
    }
    for (const [name, bytes] of Object.entries(made)) {
      const astropy = Buffer.from(reference.files[name]?.base64 ?? '', 'base64')
      expect(Buffer.from(bytes.subarray(2880)).equals(astropy.subarray(2880)), name).toBe(true)
      expect(openFits(bytes).hdus[0]?.header.text('DATASUM')).toBe(reference.files[name]?.datasum)
    }
  })

  it('refuse an array that is not as large as said', () => {
    expect(() => encodeFits([{ data: { width: 3, height: 2, data: Uint8Array.of(1) } }])).toThrow(/should have 3 × 2/)
  })

  it('keep the caller’s structural cards where they are right', () => {
    const original = Buffer.from(reference.files.u16?.base64 ?? '', 'base64')
    const header = openFits(original).hdus[0]?.header ?? FitsHeader.empty
    const data = Uint16Array.of(0, 1, 32767, 32768, 40000, 65535)
    const bytes = encodeFits([{ header, data: { width: 3, height: 2, data } }], { checksum: false })
    expect(Buffer.from(bytes).toString('latin1', 0, 160)).toBe(original.toString('latin1', 0, 160))
  })
})

describe('the checksum', () => {
  it.each(Object.entries(reference.files))('of %s is the one that astropy wrote', (_name, { base64, checksum }) => {
    // An HDU's sum with CHECKSUM set to zeros is what the 16 characters encode.
    const bytes = Buffer.from(base64, 'base64')
    const zeroed = Buffer.from(bytes)
    zeroed.write('0'.repeat(16), bytes.indexOf(checksum), 'latin1')
    expect(encodeChecksum(onesComplementSum(zeroed))).toBe(checksum)
  })

  it('of FITS 4.0’s rule: the encoded complement of all ones is all zeros', () => {
    expect(encodeChecksum(0xffffffff)).toBe('0'.repeat(16))
  })

  it('adds long data without losing a bit', () => {
    const bytes = new Uint8Array(16 * 1024 * 1024).fill(0xff)
    expect(onesComplementSum(bytes)).toBe(0xffffffff)
    expect(onesComplementSum(bytes.subarray(1, 9))).toBe(0xffffffff)
  })
})

describe('a camera’s file', () => {
  const bytes = Buffer.from(reference.files.u16?.base64 ?? '', 'base64')

  it('gets facts and new checksums and keeps its pixels', () => {
    const result = frameFromCamera(bytes, { OBJECT: 'field-1', EXPTIME: 60 })
    if (!result.ok) throw new Error(result.reason)
    const file = openFits(result.bytes)
    expect([result.width, result.height]).toEqual([3, 2])
    expect(file.hdus[0]?.header.text('OBJECT')).toBe('field-1')
    expect(verifyChecksums(file)).toEqual([{ hdu: 0, data: true, header: true }])
    expect(Buffer.from(result.bytes.subarray(-2880)).equals(bytes.subarray(-2880))).toBe(true)
  })

  it('that is damaged is a value with the reason', () => {
    expect(frameFromCamera(bytes.subarray(0, 3000).fill(0, 0, 6), {})).toMatchObject({
      ok: false,
      reason: /not a FITS file/,
    })
    expect(
      frameFromCamera(Buffer.from(reference.files.u16?.base64 ?? '', 'base64').subarray(0, 2882), {}),
    ).toMatchObject({
      ok: false,
      reason: /promises 12 bytes/,
    })
  })
})
