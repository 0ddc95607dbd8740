import { describe, expect, test } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { headerHint, hintFrom, parsePlace, parseSexagesimal } from './headerHint.ts'

describe('where a header says it points', () => {
  test.each([
    ['2:04:10.28', 2.0695222],
    ['+46 41 16.2', 46.687833],
    ['-0 30', -0.5],
    ['-14:29:02.15', -14.4839306],
    ['07h36m34.51s', 7.6095861],
    [' 7 36 34.51', 7.6095861],
    ['12', 12],
  ])('reads %s', (text, value) => {
    expect(parseSexagesimal(text)).toBeCloseTo(value, 6)
  })

  test.each(['', 'M 47', '12 60 00', '1:2:3:4', '--1', '12 30 x'])('refuses %j', (text) => {
    expect(parseSexagesimal(text)).toBeUndefined()
  })

  test('takes degrees from RA and DEC, and hours from OBJCTRA', () => {
    const plain = FitsHeader.from({ RA: 31.312099, DEC: 46.769087 })
    expect(headerHint(plain, 10, 10).place).toEqual({ raDeg: 31.312099, decDeg: 46.769087 })
    const texts = FitsHeader.from({ OBJCTRA: '06 52 05', OBJCTDEC: '-00 18 18' })
    expect(headerHint(texts, 10, 10).place?.raDeg).toBeCloseTo(103.020833, 5)
    expect(headerHint(texts, 10, 10).place?.decDeg).toBeCloseTo(-0.305, 5)
    expect(headerHint(FitsHeader.from({ RA: 'unknown' }), 10, 10).place).toBeUndefined()
  })

  test('takes the pixel size from the optics, binned as XPIXSZ is and PIXSIZE1 is not', () => {
    // 206.264806 × 5.2 µm / 900 mm.
    const optics = FitsHeader.from({ FOCALLEN: 900, XPIXSZ: 5.2 })
    expect(headerHint(optics, 10, 10).scaleArcsecPerPixel).toBeCloseTo(1.191752, 5)
    const unbinned = FitsHeader.from({ FOCALLEN: 900, PIXSIZE1: 2.6, XBINNING: 2 })
    expect(headerHint(unbinned, 10, 10).scaleArcsecPerPixel).toBeCloseTo(1.191752, 5)
    expect(headerHint(FitsHeader.from({ FOCALLEN: 0, XPIXSZ: 9 }), 10, 10).scaleArcsecPerPixel).toBeUndefined()
  })

  test('prefers what it is given', () => {
    const header = FitsHeader.from({ RA: 1, DEC: 2, SCALE: 3 })
    const place = { raDeg: 10, decDeg: 20 }
    expect(hintFrom(header, 10, 10, { place, radiusDeg: 5 })).toMatchObject({
      ...place,
      radiusDeg: 5,
      scaleArcsecPerPixel: 3,
    })
    expect(hintFrom(FitsHeader.empty, 10, 10)).toBeUndefined()
  })

  test('reads a place as people write it', () => {
    expect(parsePlace('31.5', '-46.25')).toEqual({ raDeg: 31.5, decDeg: -46.25 })
    expect(parsePlace('2:06:00', '-46:15')).toEqual({ raDeg: 31.5, decDeg: -46.25 })
    expect(parsePlace('12', '91')).toBeUndefined()
  })
})
